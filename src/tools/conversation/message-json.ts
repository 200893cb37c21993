/** Formats captured BGP messages as JSON, for `prefixd pcap`. Pure. */
import { decodeActions } from '../../bgp/flowspec/actions.ts';
import type { Treatment } from '../../bgp/flowspec/errors.ts';
import { decodeFlowSpecList, type ListedFlowSpec } from '../../bgp/flowspec/nlri.ts';
import { formatActions, formatMatch } from '../../bgp/flowspec/notation/format.ts';
import { decodeAddPath, decodeExtendedNextHop, PathCapabilityCode } from '../../bgp/wire/capabilities.ts';
import {
  COMMUNITY_WIDTH,
  formatCommunity,
  formatExtendedCommunity,
  formatLargeCommunity,
  splitCommunities,
} from '../../bgp/wire/communities.ts';
import { FAMILIES, type Family, familyName, includesFamily } from '../../bgp/wire/iana.ts';
import { decodeUnicastNlri, type ListedNlri, listNlri, unicastNlriFault } from '../../bgp/wire/nlri-list.ts';
import { notificationText } from '../../bgp/wire/notification-text.ts';
import { ErrorCode, NotificationError, UpdateSubcode } from '../../bgp/wire/notification.ts';
import { formatIdentifier, peerAsn } from '../../bgp/wire/open.ts';
import type {
  AttributeProblem,
  BgpMessage,
  Capability,
  OpenMessage,
  PathAttributes,
  UpdateMessage,
} from '../../bgp/wire/types.ts';
import { isEndOfRib } from '../../bgp/wire/update.ts';
import { toHex } from '../../net/bytes.ts';
import { formatAddress, formatPrefix } from '../../net/prefix.ts';
import { endpointText } from '../../net/text.ts';
import { type CapturedMessage, filtersOf, type UnknownMessage } from './conversation.ts';

const TYPES: Readonly<Record<number, string>> = {
  1: 'open',
  2: 'update',
  3: 'notification',
  4: 'keepalive',
  5: 'route_refresh',
};
const TYPE_OFFSET = 18;

/** Returns the JSON line of a message. */
export function messageJson(captured: CapturedMessage): Json {
  const { stream, time, octets, result, notes } = captured;
  const head = {
    time: time === undefined ? null : new Date(time).toISOString(),
    src: endpointText(stream.src.address, stream.src.port),
    dst: endpointText(stream.dst.address, stream.dst.port),
  };
  const remarks = notes.length === 0 ? {} : { notes };
  if (result instanceof NotificationError) {
    const type = TYPES[octets[TYPE_OFFSET] ?? 0] ?? null;
    return { ...head, type, ...failure(result.message, result), octets: beginning(octets), ...remarks };
  }
  return { ...head, type: result.type, ...bodyOf(result, captured), ...remarks };
}

/** Returns the first 64 octets of a message: its header and usually the error. */
function beginning(octets: Uint8Array): string {
  return toHex(octets.subarray(0, 64));
}

/** Returns the error, and the NOTIFICATION that a speaker would send. */
function failure(error: string, notification: { readonly code: number; readonly subcode: number }): Json {
  const { code, subcode } = notification;
  return { error, notification: { code, subcode, text: notificationText(code, subcode) } };
}

function bodyOf(message: BgpMessage | UnknownMessage, captured: CapturedMessage): Json {
  switch (message.type) {
    case 'open':
      return openJson(message);
    case 'update':
      return updateJson(message, captured.pathIdentifiers);
    case 'notification': {
      const { code, subcode, data } = message;
      return { code, subcode, text: notificationText(code, subcode, data), data: toHex(data) };
    }
    case 'route_refresh': {
      const { family, subtype } = message;
      const filters = filtersOf(captured);
      return { ...family, subtype, ...(filters === undefined ? {} : { filters: toHex(filters) }) };
    }
    case 'unknown':
      return { message_type: message.messageType, octets: beginning(captured.octets) };
    case 'keepalive':
      return {};
  }
}

function openJson(open: OpenMessage): Json {
  return {
    version: open.version,
    asn: peerAsn(open),
    hold_time: open.holdTime,
    router_id: formatIdentifier(open.bgpIdentifier),
    capabilities: open.capabilities.map(capabilityJson),
  };
}

function capabilityJson(capability: Capability): Json {
  switch (capability.type) {
    case 'multiprotocol':
      return { type: capability.type, ...capability.family, family: familyName(capability.family) };
    case 'graceful-restart':
      return {
        type: capability.type,
        restarting: capability.restarting,
        notification: capability.notification,
        restart_time: capability.restartTime,
        families: capability.families.map(({ family, forwardingPreserved }) => ({
          ...family,
          forwarding_preserved: forwardingPreserved,
        })),
      };
    case 'long-lived-graceful-restart':
      return {
        type: capability.type,
        families: capability.families.map(({ family, forwardingPreserved, staleTime }) => ({
          ...family,
          forwarding_preserved: forwardingPreserved,
          stale_time: staleTime,
        })),
      };
    case 'unknown':
      return unknownCapabilityJson(capability.code, capability.value);
    default:
      return { ...capability };
  }
}

/** Formats a capability that prefixd's own speaker does not know; two of them decide how routes are read. */
function unknownCapabilityJson(code: number, value: Uint8Array): Json {
  const paths = code === PathCapabilityCode.AddPath ? decodeAddPath(value) : undefined;
  if (paths !== undefined) {
    return {
      type: 'add-path',
      families: paths.map(({ family, receive, send }) => ({ ...family, receive, send })),
    };
  }
  const hops = code === PathCapabilityCode.ExtendedNextHop ? decodeExtendedNextHop(value) : undefined;
  if (hops !== undefined) {
    return {
      type: 'extended-next-hop',
      families: hops.map(({ family, nextHopAfi }) => ({ ...family, next_hop_afi: nextHopAfi })),
    };
  }
  return { type: 'unknown', code, value: toHex(value) };
}

function updateJson(update: UpdateMessage, identified: readonly Family[]): Json {
  const { mpReach, mpUnreach } = update.attributes;
  const unicast = FAMILIES['ipv4-unicast'];
  const announced = [
    ...routesOf(unicast, update.nlri, identified),
    ...(mpReach === undefined ? [] : routesOf(mpReach.family, mpReach.nlri, identified)),
  ];
  const withdrawn = [
    ...routesOf(unicast, update.withdrawn, identified),
    ...(mpUnreach === undefined ? [] : routesOf(mpUnreach.family, mpUnreach.nlri, identified)),
  ];
  const end = isEndOfRib(update);
  // A rule's communities are its actions; any other route's communities describe the route.
  const isRule = mpReach !== undefined && mpReach.nlri.length > 0 && isFlowSpec(mpReach.family);
  const actions = isRule ? actionsJson(update.attributes) : { json: {}, flaws: [] };
  const flaws = [
    ...update.problems,
    ...[...announced, ...withdrawn].flatMap(({ flaw }) => flaw ?? []),
    ...actions.flaws,
  ];
  return {
    ...(end === undefined ? {} : { end_of_rib: { ...end } }),
    announced: announced.map(({ json }) => json),
    withdrawn: withdrawn.map(({ json }) => json),
    ...actions.json,
    ...(Object.keys(update.attributes).length === 0
      ? {}
      : { attributes: attributesJson(update.attributes, isRule) }),
    ...flawsJson(flaws),
  };
}

/**
 * Returns the errors of an UPDATE. `treatment` is how RFC 7606 handles them without a session reset where possible; the
 * NOTIFICATION is what a speaker without RFC 7606 sends (RFC 4271 §6.3). A discarded attribute is not an error: it is in
 * `discarded`.
 */
function flawsJson(flaws: readonly Flaw[]): Json {
  const errors = flaws.filter(({ treatment }) => treatment !== 'attribute-discard');
  const discarded = flaws.flatMap(({ treatment, reason }) =>
    treatment === 'attribute-discard' ? [reason] : [],
  );
  const treatment = STRICTNESS.find((one) => flaws.some((flaw) => flaw.treatment === one));
  const worst = errors.find((flaw) => flaw.treatment === treatment);
  const subcode = worst?.subcode ?? UpdateSubcode.OptionalAttributeError;
  const error = errors.map(({ reason }) => reason).join('; ');
  return {
    ...(worst === undefined ? {} : failure(error, { code: ErrorCode.UpdateMessage, subcode })),
    ...(discarded.length === 0 ? {} : { discarded }),
    ...(treatment === undefined ? {} : { treatment }),
  };
}

/** Lists the treatments, the strictest first (RFC 7606 §3.h). */
const STRICTNESS = ['session-reset', 'afi-safi-disable', 'treat-as-withdraw', 'attribute-discard'] as const;

/** Formats attributes; without extended communities for a rule, whose `actions` they are. */
function attributesJson(attributes: PathAttributes, isRule: boolean): Json {
  const { origin, asPath, nextHop, multiExitDisc, localPref, communities, largeCommunities } = attributes;
  const { mpReach, aggregator, originatorId, clusterList, unknown } = attributes;
  const extended = isRule ? undefined : attributes.extendedCommunities;
  const ipv6Extended = isRule ? undefined : attributes.ipv6ExtendedCommunities;
  const hops = [nextHop, mpReach?.nextHop].filter((hop) => hop !== undefined && hop.length > 0);
  return {
    ...(origin === undefined ? {} : { origin: ['igp', 'egp', 'incomplete'][origin] ?? origin }),
    ...(asPath === undefined ? {} : { as_path: asPath.map(({ kind, asns }) => ({ kind, asns })) }),
    ...(hops.length === 0 ? {} : { next_hop: hops.map((hop) => hopText(hop ?? new Uint8Array(0))) }),
    ...(multiExitDisc === undefined ? {} : { med: multiExitDisc }),
    ...(localPref === undefined ? {} : { local_pref: localPref }),
    ...(attributes.atomicAggregate === true ? { atomic_aggregate: true } : {}),
    ...(aggregator === undefined
      ? {}
      : { aggregator: { asn: aggregator.asn, address: formatAddress(aggregator.address) } }),
    ...(communities === undefined
      ? {}
      : { communities: splitCommunities(communities, COMMUNITY_WIDTH.standard).map(formatCommunity) }),
    ...(extended === undefined
      ? {}
      : {
          extended_communities: splitCommunities(extended, COMMUNITY_WIDTH.extended).map(
            formatExtendedCommunity,
          ),
        }),
    ...(ipv6Extended === undefined
      ? {}
      : {
          ipv6_extended_communities: splitCommunities(ipv6Extended, COMMUNITY_WIDTH.ipv6Extended).map(
            (octets) => `0x${toHex(octets)}`,
          ),
        }),
    ...(largeCommunities === undefined
      ? {}
      : {
          large_communities: splitCommunities(largeCommunities, COMMUNITY_WIDTH.large).map(
            formatLargeCommunity,
          ),
        }),
    ...(originatorId === undefined ? {} : { originator_id: formatAddress(originatorId) }),
    ...(clusterList === undefined ? {} : { cluster_list: toHex(clusterList) }),
    ...(unknown === undefined
      ? {}
      : { unknown: unknown.map(({ flags, type, value }) => ({ flags, type, value: toHex(value) })) }),
  };
}

/** The octets of the route distinguisher before a VPN route's next hop (RFC 4364 §4.3.2, RFC 4659 §3.2.1). */
const RD_LENGTH = 8;

/** Formats a next hop. IPv6 may add a link-local address (RFC 2545 §3); in VPNs each address has a route distinguisher. */
function hopText(hop: Uint8Array): string {
  switch (hop.length) {
    case 4:
    case 16:
      return formatAddress(hop);
    case 32:
      return [hop.subarray(0, 16), hop.subarray(16)].map(formatAddress).join(' ');
    case 12:
    case 24:
      return vpnHopText(hop);
    case 48:
      return [hop.subarray(0, 24), hop.subarray(24)].map(vpnHopText).join(' ');
    default:
      return toHex(hop);
  }
}

/** Formats a VPN next hop, without its route distinguisher if that is zero, as the standards require. */
function vpnHopText(hop: Uint8Array): string {
  const address = formatAddress(hop.subarray(RD_LENGTH));
  const distinguisher = hop.subarray(0, RD_LENGTH);
  return distinguisher.every((octet) => octet === 0) ? address : `rd 0x${toHex(distinguisher)} ${address}`;
}

// Formats routes and actions.

/** Represents a JSON object. */
export type Json = Readonly<Record<string, unknown>>;

/** Describes an error in an UPDATE and its treatment (RFC 7606). */
export interface Flaw {
  readonly reason: string;
  readonly treatment: Treatment | AttributeProblem['treatment'];
  /** The subcode (RFC 4271 §6.3); undefined: Optional Attribute Error, as for any error in an MP attribute (RFC 4760 §7). */
  readonly subcode?: number;
}

/** Holds a route of an UPDATE, and its error. */
export interface Route {
  readonly json: Json;
  readonly flaw?: Flaw;
}

/** Returns true for the families whose routes are rules (RFC 8955 §4, §8). */
export function isFlowSpec({ afi, safi }: Family): boolean {
  return (afi === 1 || afi === 2) && (safi === 133 || safi === 134);
}

/** Returns the routes of an NLRI field. `identified` lists the families with Path Identifiers. */
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
  // Routes of other families are not decoded, so they are never reported as malformed.
  if (!isFlowSpec(family)) return [...read, { json }];
  const flaw: Flaw = { reason: rest.reason, treatment: 'afi-safi-disable' };
  return [...read, { json: { ...json, error: rest.reason, treatment: flaw.treatment }, flaw }];
}

/** Returns the keys common to all routes. `path_id` is the Path Identifier (RFC 7911 §3), which `nlri_hex` excludes. */
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

/** Returns the rules in a list of octets: one rule with a Path Identifier, or a whole field without. */
function flowSpecRoutes(family: Family, { pathIdentifier, octets }: ListedNlri): readonly Route[] {
  const identifier = pathIdentifier === undefined ? {} : { pathIdentifier };
  return decodeFlowSpecList(octets, family.afi, family.safi).map((listed) =>
    flowSpecRoute(headOf(family, { ...identifier, octets: listed.octets }), listed),
  );
}

function flowSpecRoute(head: Json, { result }: ListedFlowSpec): Route {
  if (!result.ok) {
    const { reason, treatment } = result.error;
    return { json: { ...head, error: reason, treatment }, flaw: { reason, treatment } };
  }
  const { spec, tolerated } = result.value;
  return { json: { ...head, rule: formatMatch(spec), ...(tolerated.length === 0 ? {} : { tolerated }) } };
}

/** Returns a rule's actions as octets and in operator notation. */
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
    ...(decoded.ok ? { action_text: formatActions(decoded.value.actions) } : {}),
  };
  return { json, flaws: decoded.ok ? [] : [decoded.error] };
}
