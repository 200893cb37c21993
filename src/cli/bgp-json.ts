/** BGP messages as JSON, for `prefixd pcap`. Pure. */
import { formatActions, formatMatch } from '../bgp/flowspec/text.ts';
import { decodeActions } from '../bgp/flowspec/actions.ts';
import { decodeFlowSpecList } from '../bgp/flowspec/nlri.ts';
import type { ListedFlowSpec } from '../bgp/flowspec/nlri.ts';
import type { Treatment } from '../bgp/flowspec/errors.ts';
import {
  COMMUNITY_WIDTH,
  formatCommunity,
  formatLargeCommunity,
  splitCommunities,
} from '../bgp/wire/communities.ts';
import { familyName } from '../bgp/wire/iana.ts';
import type { Family } from '../bgp/wire/iana.ts';
import { ErrorCode, NotificationError, UpdateSubcode } from '../bgp/wire/notification.ts';
import { notificationText } from '../bgp/wire/notification-text.ts';
import { formatIdentifier, peerAsn } from '../bgp/wire/open.ts';
import type {
  BgpMessage,
  Capability,
  OpenMessage,
  PathAttributes,
  UpdateMessage,
} from '../bgp/wire/types.ts';
import { decodeUnicastNlri, encodeUnicastNlri } from '../bgp/wire/unicast.ts';
import { isEndOfRib } from '../bgp/wire/update.ts';
import { toHex } from '../net/bytes.ts';
import { formatAddress, formatPrefix } from '../net/prefix.ts';
import type { CapturedMessage } from './bgp-conversation.ts';
import { endpointText } from './bgp-conversation.ts';

type Json = Readonly<Record<string, unknown>>;

const TYPES: Readonly<Record<number, string>> = {
  1: 'open',
  2: 'update',
  3: 'notification',
  4: 'keepalive',
  5: 'route_refresh',
};
const TYPE_OFFSET = 18;

/** One line for a message. */
export function messageJson(captured: CapturedMessage): Json {
  const { stream, time, octets, result } = captured;
  const head = {
    time: time === null ? null : new Date(time).toISOString(),
    src: endpointText(stream.src),
    dst: endpointText(stream.dst),
  };
  if (result instanceof NotificationError) {
    const type = TYPES[octets[TYPE_OFFSET] ?? 0] ?? null;
    return { ...head, type, ...failure(result.message, result), octets: toHex(octets.subarray(0, 64)) };
  }
  return { ...head, type: result.type, ...bodyOf(result) };
}

/** What was wrong, and the NOTIFICATION by which a speaker would answer it. */
function failure(error: string, notification: { readonly code: number; readonly subcode: number }): Json {
  const { code, subcode } = notification;
  return { error, notification: { code, subcode, text: notificationText(code, subcode) } };
}

function bodyOf(message: BgpMessage): Json {
  switch (message.type) {
    case 'open':
      return openJson(message);
    case 'update':
      return updateJson(message);
    case 'notification': {
      const { code, subcode, data } = message;
      return { code, subcode, text: notificationText(code, subcode, data), data: toHex(data) };
    }
    case 'route_refresh':
      return { afi: message.family.afi, safi: message.family.safi, subtype: message.subtype };
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
      return { type: capability.type, code: capability.code, value: toHex(capability.value) };
    default:
      return { ...capability };
  }
}

/** One route of an UPDATE, and what is wrong with it. */
interface Route {
  readonly json: Json;
  readonly flaw?: { readonly reason: string; readonly treatment: Treatment };
}

function updateJson(update: UpdateMessage): Json {
  const { mpReach, mpUnreach } = update.attributes;
  const unicast: Family = { afi: 1, safi: 1 };
  const announced = [
    ...routesOf(unicast, update.nlri),
    ...(mpReach === undefined ? [] : routesOf(mpReach.family, mpReach.nlri)),
  ];
  const withdrawn = [
    ...routesOf(unicast, update.withdrawn),
    ...(mpUnreach === undefined ? [] : routesOf(mpUnreach.family, mpUnreach.nlri)),
  ];
  const end = isEndOfRib(update);
  const actions = actionsJson(update.attributes, announced.length > 0 && mpReach?.family.safi !== 1);
  const flaws = [
    ...update.problems.map(({ reason, treatment }) => ({ reason, treatment })),
    ...[...announced, ...withdrawn].flatMap(({ flaw }) => flaw ?? []),
    ...actions.flaws,
  ];
  return {
    ...(end === undefined ? {} : { end_of_rib: { ...end } }),
    announced: announced.map(({ json }) => json),
    withdrawn: withdrawn.map(({ json }) => json),
    ...actions.json,
    ...(Object.keys(update.attributes).length === 0 ? {} : { attributes: attributesJson(update.attributes) }),
    ...flawsJson(flaws),
  };
}

/**
 * RFC 7606 spares the session where it can; `treatment` says how. The NOTIFICATION is the one that a speaker sends which
 * resets all the same (RFC 4271 §6.3, RFC 4760 §7).
 */
function flawsJson(flaws: readonly { readonly reason: string; readonly treatment: string }[]): Json {
  const [first] = flaws;
  if (first === undefined) return {};
  const notification = { code: ErrorCode.UpdateMessage, subcode: UpdateSubcode.OptionalAttributeError };
  const error = flaws.map(({ reason }) => reason).join('; ');
  return { ...failure(error, notification), treatment: strictest(flaws.map(({ treatment }) => treatment)) };
}

function strictest(treatments: readonly string[]): string {
  const order = ['session-reset', 'afi-safi-disable', 'treat-as-withdraw', 'attribute-discard'];
  return order.find((treatment) => treatments.includes(treatment)) ?? 'attribute-discard';
}

function routesOf(family: Family, nlri: Uint8Array): readonly Route[] {
  const { afi, safi } = family;
  if (nlri.length === 0) return [];
  if ((afi === 1 || afi === 2) && (safi === 133 || safi === 134)) {
    return decodeFlowSpecList(nlri, afi, safi).map((listed) => flowSpecRoute(family, listed));
  }
  if ((afi === 1 || afi === 2) && safi === 1) return unicastRoutes(afi, nlri);
  return [{ json: { afi, safi, nlri_hex: toHex(nlri) } }];
}

function flowSpecRoute({ afi, safi }: Family, { octets, result }: ListedFlowSpec): Route {
  const json = { afi, safi, nlri_hex: toHex(octets) };
  if (!result.ok) {
    const { reason, treatment } = result;
    return { json: { ...json, error: reason, treatment }, flaw: { reason, treatment } };
  }
  const { spec, tolerated } = result;
  return { json: { ...json, rule: formatMatch(spec), ...(tolerated.length === 0 ? {} : { tolerated }) } };
}

function unicastRoutes(afi: 1 | 2, nlri: Uint8Array): readonly Route[] {
  try {
    return decodeUnicastNlri(nlri, afi).map((prefix) => ({
      json: { afi, safi: 1, nlri_hex: toHex(encodeUnicastNlri([prefix])), prefix: formatPrefix(prefix) },
    }));
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    const flaw = { reason: error.message, treatment: 'session-reset' as const };
    return [{ json: { afi, safi: 1, nlri_hex: toHex(nlri), error: error.message }, flaw }];
  }
}

/** What routers are told to do: the octets, and in operator notation. */
function actionsJson(attributes: PathAttributes, wanted: boolean) {
  const { extendedCommunities, ipv6ExtendedCommunities, mpReach } = attributes;
  if (!wanted || (extendedCommunities === undefined && ipv6ExtendedCommunities === undefined)) {
    return { json: {}, flaws: [] };
  }
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

function attributesJson(attributes: PathAttributes): Json {
  const { origin, asPath, nextHop, multiExitDisc, localPref, communities, largeCommunities } = attributes;
  const { mpReach, aggregator, originatorId, clusterList, unknown } = attributes;
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

/** An IPv6 next hop may bring a link-local address along (RFC 2545 §3). */
function hopText(hop: Uint8Array): string {
  if (hop.length === 4 || hop.length === 16) return formatAddress(hop);
  if (hop.length === 32) return [hop.subarray(0, 16), hop.subarray(16)].map(formatAddress).join(' ');
  return toHex(hop);
}
