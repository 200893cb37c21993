/**
 * The second, independent check of unicast routes. Such a route moves all traffic of its destination, and a leaked one
 * moves it for others, too. So this judge decodes the octets about to be sent, knows nothing of how they were rendered,
 * and lets only the configured forms through. PURE.
 */
import type { UnicastKind } from '../core/state/indices.ts';
import type { OutRoute, RouteAttributes } from '../bgp/rib/route.ts';
import {
  COMMUNITY_WIDTH,
  formatCommunity,
  formatExtendedCommunity,
  formatLargeCommunity,
  type ParsedCommunity,
} from '../bgp/wire/communities.ts';
import { decodeUnicastNlri, unicastNlriFault } from '../bgp/wire/nlri-list.ts';
import { Afi } from '../bgp/wire/iana.ts';
import { toHex } from '../net/bytes.ts';
import { covers, familyBits, formatAddress, formatPrefix, hostPrefix, type Prefix } from '../net/prefix.ts';
import type { PrefixSet } from '../net/prefix-set.ts';
import { notUnicast } from '../net/special-addresses.ts';

/** One configured form of a kind of route, such as that of one scrubber. */
export interface UnicastForm {
  /** Prefix lengths besides host routes. */
  readonly lengths: { readonly 4: ReadonlySet<number>; readonly 6: ReadonlySet<number> };
  /** Addresses of 4 or 16 octets. */
  readonly nextHops: readonly Uint8Array[];
  /** The communities that every route of the form carries; BLACKHOLE need not be listed. */
  readonly communities: readonly ParsedCommunity[];
  /** True if the configuration switches export on: the route needs neither NO_EXPORT nor NO_ADVERTISE. */
  readonly exportAllowed: boolean;
}

/** The limits of every unicast route. Replaced as a whole when the safelist or the policy changes. */
export interface UnicastGuard {
  /** The forms of each kind, of which a route must have one. A missing kind is not allowed at all. */
  readonly kinds: Readonly<Partial<Record<UnicastKind, readonly UnicastForm[]>>>;
  /** Communities that a route of either kind may carry in addition, such as those of its neighbor. */
  readonly otherCommunities: readonly ParsedCommunity[];
  /** Returns true if the inventory says who owns all of the prefix; no other route may be sent. */
  readonly isInside: (prefix: Prefix) => boolean;
  /** Protected prefixes, router ids, neighbors' and local addresses, the safelist: the route may overlap none. */
  readonly untouchable: PrefixSet;
}

// Well-known communities, as in the IANA registry.
/** RFC 7999 §5 */
const BLACKHOLE = 'ffff029a';
/** RFC 1997: not beyond the AS or confederation, and not to any other router. */
const NO_EXPORT = 'ffffff01';
const NO_ADVERTISE = 'ffffff02';

/** Communities by kind and hexadecimal octets. */
type CommunityIndex = ReadonlyMap<string, ParsedCommunity>;

/** Returns why the unicast route must not be sent; undefined if it may. */
export function checkUnicast(route: OutRoute, guard: UnicastGuard): string | undefined {
  const prefix = decodePrefix(route);
  if (typeof prefix === 'string') return prefix;
  const carried = decodeCommunities(route.attributes);
  if (typeof carried === 'string') return carried;
  // RFC 7999 §3: a router may discard the traffic of any route that carries BLACKHOLE. So it alone makes the kind.
  const kind = carried.has(keyOf('standard', BLACKHOLE)) ? 'blackhole' : 'divert';
  const forms = guard.kinds[kind] ?? [];
  const { nextHop } = route.attributes;
  // The reason is that of the form which was probably meant.
  const [meant = forms[0], ...others] = forms.filter((form) => hasNextHop(form, nextHop));
  if (meant === undefined) return `routes of the kind ${kind} are not configured`;
  const reasons = [meant, ...others].map(
    (form) =>
      checkPrefix(prefix, kind, form, guard) ??
      checkNextHop(nextHop, prefix, kind, form) ??
      checkCommunities(carried, kind, form, guard),
  );
  return reasons.includes(undefined) ? undefined : reasons[0];
}

function hasNextHop({ nextHops }: UnicastForm, nextHop: Uint8Array): boolean {
  return nextHops.some((known) => toHex(known) === toHex(nextHop));
}

/** Decodes the only prefix of the NLRI, or returns what is wrong with it. */
function decodePrefix({ nlri, family }: OutRoute): Prefix | string {
  const { afi } = family;
  if (afi !== Afi.IPv4 && afi !== Afi.IPv6) return `its address family ${afi} is neither IPv4 nor IPv6`;
  const fault = unicastNlriFault(nlri, familyBits(afi === Afi.IPv4 ? 4 : 6));
  if (fault !== undefined) return `its NLRI cannot be decoded: ${fault}`;
  const prefixes = decodeUnicastNlri(nlri, afi);
  const [prefix] = prefixes;
  if (prefix === undefined || prefixes.length > 1)
    return `its NLRI has ${prefixes.length} prefixes instead of one`;
  // The octets behind the length; those of the prefix have no bits after it.
  const stray = nlri.subarray(1).some((octet, at) => octet !== prefix.address[at]);
  return stray ? 'its NLRI is not canonical: bits after the prefix length are set' : prefix;
}

function checkPrefix(
  prefix: Prefix,
  kind: UnicastKind,
  form: UnicastForm,
  guard: UnicastGuard,
): string | undefined {
  const text = formatPrefix(prefix);
  if (prefix.length < familyBits(prefix.family) && !form.lengths[prefix.family].has(prefix.length)) {
    return `its destination ${text} is neither a host nor of a length configured for ${kind}`;
  }
  const special = notUnicast(prefix);
  if (special !== undefined) {
    return `its destination ${text} is not a unicast address of a customer: ${special.name}`;
  }
  if (!guard.isInside(prefix)) return `its destination ${text} is not in the inventory`;
  const touched = guard.untouchable.overlapping(prefix);
  return (
    touched && `its destination ${text} overlaps ${formatPrefix(touched)}, which is protected or safelisted`
  );
}

/** Checks that the next hop is a configured one that is not reached through the route itself, which would be a loop. */
function checkNextHop(
  nextHop: Uint8Array,
  prefix: Prefix,
  kind: UnicastKind,
  form: UnicastForm,
): string | undefined {
  if (nextHop.length !== prefix.address.length) {
    return `its next hop has ${nextHop.length} octets instead of ${prefix.address.length}`;
  }
  const text = formatAddress(nextHop);
  if (!hasNextHop(form, nextHop)) {
    return `its next hop ${text} is not configured for ${kind}`;
  }
  const loops = covers(prefix, hostPrefix(nextHop));
  return loops ? `its next hop ${text} is inside its destination ${formatPrefix(prefix)}` : undefined;
}

/** Indexes all communities of a route, or returns what is wrong with them. */
function decodeCommunities(attributes: RouteAttributes): CommunityIndex | string {
  if (attributes.ipv6ExtendedCommunities.length > 0) return 'it has IPv6 extended communities';
  const index = new Map<string, ParsedCommunity>();
  for (const [kind, all] of [
    ['standard', attributes.communities],
    ['extended', attributes.extendedCommunities],
    ['large', attributes.largeCommunities],
  ] as const) {
    const width = COMMUNITY_WIDTH[kind];
    if (all.length % width !== 0) return `its ${kind} communities have ${all.length} octets`;
    for (let at = 0; at < all.length; at += width) {
      const octets = all.subarray(at, at + width);
      index.set(keyOf(kind, toHex(octets)), { kind, octets });
    }
  }
  return index;
}

const keyOf = (kind: ParsedCommunity['kind'], hex: string): string => `${kind} ${hex}`;

function checkCommunities(
  carried: CommunityIndex,
  kind: UnicastKind,
  form: UnicastForm,
  guard: UnicastGuard,
): string | undefined {
  const required = indexOf(form.communities);
  for (const [key, community] of required) {
    if (!carried.has(key)) return `it lacks the community ${textOf(community)}, which ${kind} requires`;
  }
  const kept = [NO_EXPORT, NO_ADVERTISE].map((hex) => keyOf('standard', hex));
  if (!form.exportAllowed && !kept.some((key) => carried.has(key))) {
    return `it has neither no-export nor no-advertise, and export is not switched on for ${kind}`;
  }
  const others = indexOf(guard.otherCommunities);
  const known = new Set([...kept, keyOf('standard', BLACKHOLE), ...required.keys(), ...others.keys()]);
  for (const [key, community] of carried) {
    if (!known.has(key)) return `it has the community ${textOf(community)}, which is not configured`;
  }
  return undefined;
}

function indexOf(communities: readonly ParsedCommunity[]): CommunityIndex {
  return new Map(communities.map((one) => [keyOf(one.kind, toHex(one.octets)), one]));
}

function textOf({ kind, octets }: ParsedCommunity): string {
  switch (kind) {
    case 'standard':
      return formatCommunity(octets);
    case 'extended':
      return formatExtendedCommunity(octets);
    case 'large':
      return formatLargeCommunity(octets);
  }
}
