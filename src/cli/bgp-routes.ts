/** The routes of captured UPDATEs as JSON, and what they tell routers to do. Pure. */
import { decodeActions } from '../bgp/flowspec/actions.ts';
import type { Treatment } from '../bgp/flowspec/errors.ts';
import { decodeFlowSpecList } from '../bgp/flowspec/nlri.ts';
import type { ListedFlowSpec } from '../bgp/flowspec/nlri.ts';
import { formatActions, formatMatch } from '../bgp/flowspec/text.ts';
import { COMMUNITY_WIDTH, splitCommunities } from '../bgp/wire/communities.ts';
import type { Family } from '../bgp/wire/iana.ts';
import { includesFamily } from '../bgp/wire/iana.ts';
import { type ListedNlri, listNlri } from '../bgp/wire/nlri-list.ts';
import type { AttributeProblem, PathAttributes } from '../bgp/wire/types.ts';
import { decodeUnicastNlri, unicastNlriFault } from '../bgp/wire/unicast.ts';
import { toHex } from '../net/bytes.ts';
import { formatPrefix } from '../net/prefix.ts';

/** An object of a line. */
export type Json = Readonly<Record<string, unknown>>;

/** Something that is wrong with an UPDATE, and what RFC 7606 makes of it. */
export interface Flaw {
  readonly reason: string;
  readonly treatment: Treatment | AttributeProblem['treatment'];
  /** The subcode of RFC 4271 §6.3; absent: Optional Attribute Error, as for everything in an MP attribute (RFC 4760 §7). */
  readonly subcode?: number;
}

/** One route of an UPDATE, and what is wrong with it. */
export interface Route {
  readonly json: Json;
  readonly flaw?: Flaw;
}

/** True for the families whose routes are rules (RFC 8955 §4, §8). */
export function isFlowSpec({ afi, safi }: Family): boolean {
  return (afi === 1 || afi === 2) && (safi === 133 || safi === 134);
}

/** The routes of a field of NLRI as they were captured. `identified` are the families that have Path Identifiers. */
export function routesOf(family: Family, nlri: Uint8Array, identified: readonly Family[]): readonly Route[] {
  if (nlri.length === 0) return [];
  const hasIdentifiers = includesFamily(identified, family);
  if (isFlowSpec(family) && !hasIdentifiers) return flowSpecRoutes(family, { octets: nlri });
  const { routes, rest } = listNlri(nlri, family, hasIdentifiers);
  const read = routes.flatMap((route) =>
    isFlowSpec(family) ? flowSpecRoutes(family, route) : [{ json: routeJson(family, route) }],
  );
  if (rest === undefined) return read;
  const json = { ...family, nlri_hex: toHex(rest.octets) };
  // The contents of other families are not read, so nothing is said to be wrong with them.
  if (!isFlowSpec(family)) return [...read, { json }];
  const flaw: Flaw = { reason: rest.reason, treatment: 'afi-safi-disable' };
  return [...read, { json: { ...json, error: rest.reason, treatment: flaw.treatment }, flaw }];
}

/** `path_id` is the Path Identifier of RFC 7911 §3, which `nlri_hex` leaves out. */
function headOf(family: Family, { pathIdentifier, octets }: ListedNlri): Json {
  return {
    ...family,
    ...(pathIdentifier === undefined ? {} : { path_id: pathIdentifier }),
    nlri_hex: toHex(octets),
  };
}

function routeJson(family: Family, route: ListedNlri): Json {
  const { afi, safi } = family;
  const head = headOf(family, route);
  const isPrefix = (afi === 1 || afi === 2) && (safi === 1 || safi === 2);
  if (!isPrefix || unicastNlriFault(route.octets, afi === 1 ? 32 : 128) !== undefined) return head;
  const [prefix] = decodeUnicastNlri(route.octets, afi);
  return prefix === undefined ? head : { ...head, prefix: formatPrefix(prefix) };
}

/** The rules in octets that are one rule or, without Path Identifiers, a whole field. */
function flowSpecRoutes(family: Family, { pathIdentifier, octets }: ListedNlri): readonly Route[] {
  const identifier = pathIdentifier === undefined ? {} : { pathIdentifier };
  return decodeFlowSpecList(octets, family.afi, family.safi).map((listed) =>
    flowSpecRoute(headOf(family, { ...identifier, octets: listed.octets }), listed),
  );
}

function flowSpecRoute(head: Json, { result }: ListedFlowSpec): Route {
  if (!result.ok) {
    const { reason, treatment } = result;
    return { json: { ...head, error: reason, treatment }, flaw: { reason, treatment } };
  }
  const { spec, tolerated } = result;
  return { json: { ...head, rule: formatMatch(spec), ...(tolerated.length === 0 ? {} : { tolerated }) } };
}

/** What routers are told to do: the octets, and in operator notation. */
export function actionsJson(attributes: PathAttributes): {
  readonly json: Json;
  readonly flaws: readonly Flaw[];
} {
  const { extendedCommunities, ipv6ExtendedCommunities, mpReach } = attributes;
  if (extendedCommunities === undefined && ipv6ExtendedCommunities === undefined)
    return { json: {}, flaws: [] };
  const octets = [
    ...splitCommunities(extendedCommunities ?? new Uint8Array(0), COMMUNITY_WIDTH.extended),
    ...splitCommunities(ipv6ExtendedCommunities ?? new Uint8Array(0), COMMUNITY_WIDTH.ipv6Extended),
  ];
  const decoded = decodeActions({
    ...(extendedCommunities === undefined ? {} : { extendedCommunities }),
    ...(ipv6ExtendedCommunities === undefined ? {} : { ipv6ExtendedCommunities }),
    ...(mpReach === undefined ? {} : { nextHop: mpReach.nextHop }),
  });
  const json = {
    actions: octets.map(toHex),
    ...(decoded.ok ? { action_text: formatActions(decoded.actions) } : {}),
  };
  return { json, flaws: decoded.ok ? [] : [{ reason: decoded.reason, treatment: decoded.treatment }] };
}
