/**
 * Routes into UPDATEs (RFC 4271 §4.3): as many NLRI in each as fit, routes with equal attributes together. The octets of
 * attributes are written once for a group, the NLRI are copied as they are, and nothing else is done a route.
 *
 * Messages are filled up to 4096 octets even where longer ones were negotiated: FRR 8.4 offers extended messages, and
 * resets the session (3/9) when one holds 4095 octets of FlowSpec NLRI. Only a route that needs more by itself gets more.
 */
import { ByteWriter } from '../../net/bytes.ts';
import { writeAttributes } from '../wire/encode-attributes.ts';
import { AttributeType, type Family, MessageType } from '../wire/iana.ts';
import { HEADER_LENGTH, MAX_MESSAGE_LENGTH, maxMessageLength } from '../wire/message-length.ts';
import type { CodecContext, PathAttributes } from '../wire/types.ts';
import type { RouteChanges } from './adj-rib-out.ts';
import type { OutRoute, RouteAttributes } from './route.ts';

/** What the session says about the attributes that belong to it rather than to a route. */
export interface PackContext extends CodecContext {
  /** 1..4294967295 */
  readonly localAsn: number;
}

/** Messages in the order in which they are to be sent. */
export interface Packed {
  /** Whole UPDATEs, header included. */
  readonly messages: readonly Uint8Array[];
  /** Routes whose NLRI fits into no message beside their attributes; nothing was written for them. */
  readonly tooLong: readonly OutRoute[];
  /** How many routes the last message of announcements holds when more would have fitted; 0 when it is full. */
  readonly routesInLastMessage: number;
}

/** LOCAL_PREF of everything this speaker originates, towards internal peers (RFC 4271 §5.1.5). */
const LOCAL_PREF = 100;
const ORIGIN_IGP = 0;

/** Optional, with a length of two octets: what is written for MP_REACH_NLRI and MP_UNREACH_NLRI. */
const MP_FLAGS = 0x90;

/** Octets around the attributes: withdrawn routes length and total path attribute length, two each. */
const UPDATE_LENGTHS = 4;

/** Packs announcements (MP_REACH_NLRI), then withdrawals (MP_UNREACH_NLRI), each in the order of first appearance. */
export function packUpdates(changes: RouteChanges, context: PackContext): Packed {
  const messages: Uint8Array[] = [];
  const tooLong: OutRoute[] = [];
  let spilled = 0;
  for (const { first, routes } of grouped(changes.announce, announceGroup)) {
    const envelope = reachEnvelope(first.family, first.attributes, context);
    spilled = fill(routes, envelope, context, messages, tooLong);
  }
  for (const { first, routes } of grouped(changes.withdraw, familyGroup)) {
    fill(routes, unreachEnvelope(first.family), context, messages, tooLong);
  }
  return { messages, tooLong, routesInLastMessage: spilled };
}

/** Everything of an UPDATE but the NLRI: attribute octets in front of them, beginning with MP_(UN)REACH, and behind. */
interface Envelope {
  readonly front: Uint8Array;
  readonly behind: Uint8Array;
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
  // A table is mostly of one kind: nothing is copied then.
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

/** Rules of one kind come in runs that share these very objects: no key is made for them. */
function alike(a: OutRoute, b: OutRoute): boolean {
  return a.attributes === b.attributes && a.family === b.family;
}

/** RFC 4760 §3, RFC 8955 §4.1. MP_REACH_NLRI goes first (RFC 7606 §5.1). */
function reachEnvelope(family: Family, attributes: RouteAttributes, context: PackContext): Envelope {
  const front = new ByteWriter(16 + attributes.nextHop.length);
  front.u8(MP_FLAGS).u8(AttributeType.MpReachNlri).u16(0);
  front.u16(family.afi).u8(family.safi).u8(attributes.nextHop.length).bytes(attributes.nextHop).u8(0);
  const behind = new ByteWriter(128);
  writeAttributes(behind, sessionAttributes(attributes, context), context);
  return { front: front.finish(), behind: behind.finish() };
}

/** RFC 4760 §4: no other attribute is needed. */
function unreachEnvelope(family: Family): Envelope {
  const front = new ByteWriter(8);
  front.u8(MP_FLAGS).u8(AttributeType.MpUnreachNlri).u16(0).u16(family.afi).u8(family.safi);
  return { front: front.finish(), behind: new Uint8Array(0) };
}

/**
 * RFC 4271 §5.1.2: an AS_PATH that is empty towards internal peers and holds the local AS towards external ones; §5.1.5:
 * LOCAL_PREF towards internal peers (the encoder leaves it out towards external ones).
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

/** Returns how many routes the last message holds when one more like its last would have fitted, else 0. */
function fill(
  routes: readonly OutRoute[],
  envelope: Envelope,
  context: PackContext,
  messages: Uint8Array[],
  tooLong: OutRoute[],
): number {
  const { front, behind } = envelope;
  const overhead = HEADER_LENGTH + UPDATE_LENGTHS + front.length + behind.length;
  // Several NLRI share at most the 4096 octets that everybody takes, extended messages or not: frr 8.4 negotiates them
  // and resets (3/9) when the FlowSpec NLRI of an UPDATE pass 6500 octets (FRRouting/frr#18557).
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
  { front, behind }: Envelope,
  overhead: number,
): Uint8Array {
  const message = new Uint8Array(overhead + nlriLength);
  message.fill(0xff, 0, 16);
  putU16(message, 16, message.length);
  message[18] = MessageType.Update;
  putU16(message, 21, message.length - HEADER_LENGTH - UPDATE_LENGTHS);
  const attributesAt = HEADER_LENGTH + UPDATE_LENGTHS;
  message.set(front, attributesAt);
  // The length of MP_(UN)REACH, which stands behind its flags and type.
  putU16(message, attributesAt + 2, front.length - 4 + nlriLength);
  let at = attributesAt + front.length;
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
