/** Reads unicast routes out of an UPDATE: IPv4 in the fields of RFC 4271 §4.3, IPv6 in those of RFC 4760. PURE. */
import { formatUnicastRoute } from '../bgp/rib/unicast-route.ts';
import { Afi, FAMILIES, type Family, Safi } from '../bgp/wire/iana.ts';
import { decodeUnicastNlri, encodeUnicastNlri } from '../bgp/wire/nlri-list.ts';
import type { PathAttributes, UpdateMessage } from '../bgp/wire/types.ts';
import { toHex } from '../net/bytes.ts';
import type { Prefix } from '../net/prefix.ts';
import type { LabRule } from './rule-table.ts';

/** One family's routes in an UPDATE. */
export interface CarriedRoutes {
  readonly family: Family;
  readonly announced: Uint8Array;
  readonly withdrawn: Uint8Array;
  readonly nextHop: Uint8Array;
}

const NONE = new Uint8Array(0);

export function isUnicast({ safi }: Family): boolean {
  return safi === Safi.Unicast;
}

/** Returns what an UPDATE carries, by family: at most one in its own fields, one announced and one withdrawn in attributes. */
export function carriedIn({ nlri, withdrawn, attributes }: UpdateMessage): readonly CarriedRoutes[] {
  const { mpReach, mpUnreach, nextHop = NONE } = attributes;
  const family = FAMILIES['ipv4-unicast'];
  return [
    ...(nlri.length + withdrawn.length === 0 ? [] : [{ family, announced: nlri, withdrawn, nextHop }]),
    ...(mpUnreach === undefined
      ? []
      : [{ family: mpUnreach.family, announced: NONE, withdrawn: mpUnreach.nlri, nextHop: NONE }]),
    ...(mpReach === undefined
      ? []
      : [{ family: mpReach.family, announced: mpReach.nlri, withdrawn: NONE, nextHop: mpReach.nextHop }]),
  ];
}

/** Returns the prefixes of a unicast NLRI field. Throws NotificationError if it is malformed. */
function prefixesIn(family: Family, nlri: Uint8Array): readonly Prefix[] {
  return decodeUnicastNlri(nlri, family.afi === Afi.IPv4 ? Afi.IPv4 : Afi.IPv6);
}

const keyOf = (prefix: Prefix): string => toHex(encodeUnicastNlri([prefix]));

/** Returns the key of each route in the field. Throws NotificationError if it is malformed. */
export function unicastKeys(family: Family, nlri: Uint8Array): readonly string[] {
  return prefixesIn(family, nlri).map(keyOf);
}

/** Returns the routes of the field with their attributes. Throws NotificationError if it is malformed. */
export function unicastRules(
  { family, announced, nextHop }: CarriedRoutes,
  attributes: PathAttributes,
): readonly Omit<LabRule, 'from' | 'stale'>[] {
  const { communities = NONE, extendedCommunities = NONE, largeCommunities = NONE } = attributes;
  return prefixesIn(family, announced).map((prefix) => ({
    family,
    nlriHex: keyOf(prefix),
    actionsHex: toHex(extendedCommunities),
    nextHopHex: toHex(nextHop),
    communitiesHex: toHex(communities) + toHex(largeCommunities),
    text: formatUnicastRoute({ prefix, nextHop, communities, extendedCommunities, largeCommunities }),
  }));
}
