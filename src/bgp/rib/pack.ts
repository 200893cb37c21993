/**
 * Packs routes into UPDATEs (RFC 4271 §4.3): as many NLRI in each as possible, grouped by equal attributes. Attributes
 * are encoded once per group and NLRI are copied unchanged.
 *
 * Messages are filled up to 4096 octets even if longer ones were negotiated: FRR 8.4 offers extended messages, but
 * resets the session (3/9) if one holds 4095 octets of FlowSpec NLRI. Only a route that needs more by itself gets a
 * longer message.
 */
import { ByteWriter } from '../../net/bytes.ts';
import { writeAttributes } from '../wire/encode-attributes.ts';
import { AttributeType, FAMILIES, type Family, MessageType, sameFamily } from '../wire/iana.ts';
import { HEADER_LENGTH, MAX_MESSAGE_LENGTH, maxMessageLength } from '../wire/message-length.ts';
import type { CodecContext, PathAttributes } from '../wire/types.ts';
import type { RouteChanges } from './adj-rib-out.ts';
import type { OutRoute, RouteAttributes } from './route.ts';

/** Properties of the session that decide attributes which do not depend on the route. */
export interface PackContext extends CodecContext {
  /** 1..4294967295 */
  readonly localAsn: number;
}

/** Messages in the order of sending. */
export interface Packed {
  /** Whole UPDATEs, header included. */
  readonly messages: readonly Uint8Array[];
  /** Routes that are too long for any message together with their attributes; nothing was written for them. */
  readonly tooLong: readonly OutRoute[];
  /** Number of routes in the last message of announcements if it has room for more; 0 if it is full. */
  readonly routesInLastMessage: number;
}

/** LOCAL_PREF of everything this speaker announces to internal peers (RFC 4271 §5.1.5). */
const LOCAL_PREF = 100;
const ORIGIN_IGP = 0;

const EMPTY = new Uint8Array(0);

/** Flags of MP_REACH_NLRI and MP_UNREACH_NLRI: optional, with a length of two octets. */
const MP_FLAGS = 0x90;

/**
 * Packs announcements, then withdrawals, each in the order of first appearance: IPv4 unicast in the fields of RFC 4271
 * §4.3, which need no capability, every other family in MP_REACH_NLRI and MP_UNREACH_NLRI (RFC 4760).
 */
export function packUpdates(changes: RouteChanges, context: PackContext): Packed {
  const messages: Uint8Array[] = [];
  const tooLong: OutRoute[] = [];
  let spilled = 0;
  for (const { first, routes } of grouped(changes.announce, announceGroup)) {
    const envelope = isIpv4Unicast(first.family)
      ? ipv4Envelope(first.attributes, context)
      : reachEnvelope(first.family, first.attributes, context);
    spilled = fill(routes, envelope, context, messages, tooLong);
  }
  for (const { first, routes } of grouped(changes.withdraw, familyGroup)) {
    const envelope = isIpv4Unicast(first.family) ? IPV4_WITHDRAWAL : unreachEnvelope(first.family);
    fill(routes, envelope, context, messages, tooLong);
  }
  return { messages, tooLong, routesInLastMessage: spilled };
}

/** An UPDATE without its header and NLRI. */
interface Envelope {
  /** The octets before the NLRI. */
  readonly front: Uint8Array;
  /** The octets after them. */
  readonly behind: Uint8Array;
  /** The length fields of two octets in `front` that count the NLRI, and what else each of them counts. */
  readonly lengths: readonly { readonly at: number; readonly others: number }[];
}

/** Routes that share an envelope. */
interface RouteGroup {
  readonly first: OutRoute;
  readonly routes: readonly OutRoute[];
}

function announceGroup(route: OutRoute): string {
  return `${familyGroup(route)}/${route.attributes.key}`;
}

function familyGroup({ family }: OutRoute): string {
  return `${family.afi}/${family.safi}`;
}

function grouped(routes: readonly OutRoute[], keyOf: (route: OutRoute) => string): Iterable<RouteGroup> {
  const [first] = routes;
  if (first === undefined) return [];
  // Most tables have routes of one kind only; nothing is copied then.
  if (routes.every((route) => alike(route, first))) return [{ first, routes }];
  const groups = new Map<string, { first: OutRoute; routes: OutRoute[] }>();
  let group = { first, routes: [] as OutRoute[] };
  groups.set(keyOf(first), group);
  let previous = first;
  for (const route of routes) {
    if (!alike(route, previous)) {
      const key = keyOf(route);
      group = groups.get(key) ?? { first: route, routes: [] };
      groups.set(key, group);
    }
    group.routes.push(route);
    previous = route;
  }
  return groups.values();
}

/** Compares family and attributes. Rules of one kind usually share these objects, so no key is built for them. */
function alike(a: OutRoute, b: OutRoute): boolean {
  return a.attributes === b.attributes && a.family === b.family;
}

function isIpv4Unicast(family: Family): boolean {
  return sameFamily(family, FAMILIES['ipv4-unicast']);
}

/** Builds the envelope of IPv4 unicast announcements: NLRI after all attributes, next hop in NEXT_HOP (RFC 4271 §5.1.3). */
function ipv4Envelope(attributes: RouteAttributes, context: PackContext): Envelope {
  const front = new ByteWriter(128);
  front.u16(0).u16(0);
  const { nextHop } = attributes;
  writeAttributes(front, { ...sessionAttributes(attributes, context), nextHop }, context);
  front.patchU16(2, front.length - 4);
  return { front: front.finish(), behind: EMPTY, lengths: [] };
}

/** The envelope of IPv4 unicast withdrawals: NLRI in the Withdrawn Routes field, no attributes (RFC 4271 §4.3). */
const IPV4_WITHDRAWAL: Envelope = {
  front: new Uint8Array(2),
  behind: new Uint8Array(2),
  lengths: [{ at: 0, others: 0 }],
};

/** Builds the envelope of announcements (RFC 4760 §3, RFC 8955 §4.1), with MP_REACH_NLRI first (RFC 7606 §5.1). */
function reachEnvelope(family: Family, attributes: RouteAttributes, context: PackContext): Envelope {
  const front = new ByteWriter(20 + attributes.nextHop.length);
  front.u16(0).u16(0).u8(MP_FLAGS).u8(AttributeType.MpReachNlri).u16(0);
  front.u16(family.afi).u8(family.safi).u8(attributes.nextHop.length).bytes(attributes.nextHop).u8(0);
  const behind = new ByteWriter(128);
  writeAttributes(behind, sessionAttributes(attributes, context), context);
  return multiprotocol(front.finish(), behind.finish());
}

/** Builds the envelope of withdrawals. RFC 4760 §4: no other attribute is needed. */
function unreachEnvelope(family: Family): Envelope {
  const front = new ByteWriter(12);
  front.u16(0).u16(0).u8(MP_FLAGS).u8(AttributeType.MpUnreachNlri).u16(0).u16(family.afi).u8(family.safi);
  return multiprotocol(front.finish(), EMPTY);
}

/** NLRI at the end of the first attribute count for it, and for all attributes. */
function multiprotocol(front: Uint8Array, behind: Uint8Array): Envelope {
  const total = { at: 2, others: front.length - 4 + behind.length };
  return { front, behind, lengths: [total, { at: 6, others: front.length - 8 }] };
}

/**
 * Adds the session's attributes. RFC 4271 §5.1.2: AS_PATH is empty for internal peers and holds the local AS for
 * external ones. §5.1.5: LOCAL_PREF for internal peers (the encoder omits it for external ones).
 */
function sessionAttributes(attributes: RouteAttributes, context: PackContext): PathAttributes {
  return {
    origin: ORIGIN_IGP,
    asPath: context.internal ? [] : [{ kind: 'sequence', asns: [context.localAsn] }],
    localPref: LOCAL_PREF,
    communities: attributes.communities,
    extendedCommunities: attributes.extendedCommunities,
    ipv6ExtendedCommunities: attributes.ipv6ExtendedCommunities,
    largeCommunities: attributes.largeCommunities,
  };
}

/** Returns the number of routes in the last message if one more like its last one would have fitted, otherwise 0. */
function fill(
  routes: readonly OutRoute[],
  envelope: Envelope,
  context: PackContext,
  messages: Uint8Array[],
  tooLong: OutRoute[],
): number {
  const overhead = HEADER_LENGTH + envelope.front.length + envelope.behind.length;
  // Several NLRI share at most 4096 octets, even with extended messages: FRR 8.4 negotiates them but resets the session
  // (3/9) if an UPDATE's FlowSpec NLRI exceed 6500 octets (FRRouting/frr#18557).
  const room = MAX_MESSAGE_LENGTH - overhead;
  const roomForOne = maxMessageLength(MessageType.Update, context.extendedMessages) - overhead;
  let first = 0;
  let spilled = 0;
  while (first < routes.length) {
    let end = first;
    let nlriLength = 0;
    for (let route = routes[end]; route !== undefined; route = routes[++end]) {
      if (nlriLength + route.nlri.length > room) break;
      nlriLength += route.nlri.length;
    }
    const alone = routes[first];
    if (end === first && alone !== undefined) {
      if (alone.nlri.length > roomForOne) {
        tooLong.push(alone);
        first++;
        continue;
      }
      nlriLength = alone.nlri.length;
      end++;
    }
    messages.push(assemble(routes, first, end, nlriLength, envelope, overhead));
    const another = routes[end - 1]?.nlri.length ?? 0;
    spilled = nlriLength + another > room ? 0 : end - first;
    first = end;
  }
  return spilled;
}

function assemble(
  routes: readonly OutRoute[],
  first: number,
  end: number,
  nlriLength: number,
  { front, behind, lengths }: Envelope,
  overhead: number,
): Uint8Array {
  const message = new Uint8Array(overhead + nlriLength);
  message.fill(0xff, 0, 16);
  putU16(message, 16, message.length);
  message[18] = MessageType.Update;
  message.set(front, HEADER_LENGTH);
  for (const { at, others } of lengths) putU16(message, HEADER_LENGTH + at, others + nlriLength);
  let at = HEADER_LENGTH + front.length;
  for (let i = first; i < end; i++) {
    const nlri = routes[i]?.nlri;
    if (nlri === undefined) break;
    message.set(nlri, at);
    at += nlri.length;
  }
  message.set(behind, at);
  return message;
}

function putU16(octets: Uint8Array, at: number, value: number): void {
  octets[at] = value >>> 8;
  octets[at + 1] = value & 0xff;
}
