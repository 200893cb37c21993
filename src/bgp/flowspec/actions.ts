/**
 * Encodes and decodes traffic filtering actions (RFC 8955 §7, RFC 8956 §6, draft-ietf-idr-flowspec-redirect-ip):
 * extended communities of 8 octets, IPv6 address specific ones of 20, and the next hop of a redirect in the form of the
 * draft's version 00.
 */
import { toHex } from '../../net/bytes.ts';
import { failed, ok, type Result } from '../../net/result.ts';
import {
  COPY_BIT,
  Community,
  Ipv6Community,
  readCommunity,
  readIpv6Community,
  SAMPLE_BIT,
  TERMINAL_BIT,
} from './action-communities.ts';
import { FlowSpecError, type RuleRefusal } from './errors.ts';
import type { Action, RouteTarget } from './types.ts';

const MAX_U16 = 0xffff;
const MAX_U32 = 0xffff_ffff;

/** Values of the path attributes that carry the actions; empty where an attribute is not needed. */
export interface ActionOctets {
  /** EXTENDED_COMMUNITIES, 8 octets each. */
  readonly extendedCommunities: Uint8Array;
  /** IPv6 address specific extended communities, 20 octets each. */
  readonly ipv6ExtendedCommunities: Uint8Array;
  /** Next hop of MP_REACH_NLRI: 4 or 16 octets with a draft-00 redirect, else empty. */
  readonly nextHop: Uint8Array;
}

/** Decoded actions. */
export interface DecodedActions {
  /** In the order of the communities, those of 8 octets first. */
  readonly actions: readonly Action[];
  /** Forms that the standard would encode otherwise, described for people. */
  readonly tolerated: readonly string[];
}

/**
 * Encodes a rule's actions in the given order. Throws FlowSpecError for a value out of range, for a rate that would
 * turn into a discard on the wire, and for actions that contradict each other (RFC 8955 §7.7).
 */
export function encodeActions(actions: readonly Action[]): ActionOctets {
  checkCombination(actions);
  for (const action of actions) if (action.type === 'redirect-ip') redirectAddress(action.address);
  return encodeReceivedActions(actions);
}

/**
 * Encodes actions as a router may have sent them: everything that `decodeActions` returns, including several actions of
 * one kind and a redirect to the next hop without a known address. Throws FlowSpecError for a value out of range.
 */
export function encodeReceivedActions(actions: readonly Action[]): ActionOctets {
  const short: number[] = [];
  const long: number[] = [];
  let nextHop = new Uint8Array(0);
  for (const action of actions) {
    switch (action.type) {
      case 'traffic-rate':
        push16(short, Community.TrafficRateBytes);
        pushRate(short, action.asn, bytesPerSecond(action.bitsPerSecond), 'rate-limit');
        break;
      case 'traffic-rate-packets':
        push16(short, Community.TrafficRatePackets);
        pushRate(short, action.asn, float32(action.packetsPerSecond, 'packet rate'), 'packet rate');
        break;
      case 'traffic-action':
        push16(short, Community.TrafficAction);
        short.push(0, 0, 0, 0, 0, (action.sample ? SAMPLE_BIT : 0) | (action.terminal ? TERMINAL_BIT : 0));
        break;
      case 'marking':
        checkRange(action.dscp, 63, 'mark: the DSCP');
        push16(short, Community.TrafficMarking);
        short.push(0, 0, 0, 0, 0, action.dscp);
        break;
      case 'redirect-vrf':
        pushRouteTarget(short, action.target);
        break;
      case 'redirect-ip':
        if (action.form === 'draft-00') {
          if (action.address !== undefined) nextHop = onlyNextHop(nextHop, redirectAddress(action.address));
          push16(short, Community.RedirectNextHop);
          short.push(0, 0, 0, 0, 0, action.copy ? COPY_BIT : 0);
        } else {
          pushRedirectIp(short, long, redirectAddress(action.address), action.copy);
        }
        break;
      case 'redirect-vrf-ipv6':
        checkAddress(action.address, [16], 'redirect vrf');
        checkRange(action.value, MAX_U16, 'redirect vrf: the number');
        push16(long, Ipv6Community.RedirectVrf);
        long.push(...action.address);
        push16(long, action.value);
        break;
      case 'unknown':
        checkUnknown(action.octets);
        (action.octets.length === 8 ? short : long).push(...action.octets);
        break;
    }
  }
  return {
    extendedCommunities: Uint8Array.from(short),
    ipv6ExtendedCommunities: Uint8Array.from(long),
    nextHop,
  };
}

/** Rejects octets that encode a known action: as `unknown` they would bypass the checks for that action. */
function checkUnknown(octets: Uint8Array): void {
  if (octets.length !== 8 && octets.length !== 20) {
    throw new FlowSpecError(`a community has 8 octets (20 for IPv6 addresses), not ${octets.length}`);
  }
  const meaning =
    octets.length === 8 ? readCommunity(octets, undefined, () => {}) : readIpv6Community(octets, () => {});
  if (typeof meaning === 'string') throw new FlowSpecError(`community 0x${toHex(octets)}: ${meaning}`);
  if (meaning.type !== 'unknown') {
    throw new FlowSpecError(
      `community 0x${toHex(octets)} is the action ${meaning.type}; write it as that action`,
    );
  }
}

/**
 * Returns the kind of an action. A rule has at most one action of each kind, since they interfere with each other (RFC
 * 8955 §7.7).
 */
function kindOf(action: Action): string | undefined {
  switch (action.type) {
    case 'traffic-rate':
      return 'rate-limit or discard';
    case 'traffic-rate-packets':
      return 'packet rate';
    case 'traffic-action':
      return 'sample/terminal';
    case 'marking':
      return 'mark';
    case 'redirect-vrf':
    case 'redirect-vrf-ipv6':
    case 'redirect-ip':
      return 'redirect';
    case 'unknown':
      return undefined;
  }
}

function checkCombination(actions: readonly Action[]): void {
  const kind = repeatedKind(actions);
  if (kind !== undefined) throw new FlowSpecError(`more than one ${kind} in one rule`);
}

function repeatedKind(actions: readonly Action[]): string | undefined {
  const seen = new Set<string>();
  for (const action of actions) {
    const kind = kindOf(action);
    if (kind === undefined) continue;
    if (seen.has(kind)) return kind;
    seen.add(kind);
  }
  return undefined;
}

/** Converts bits to bytes per second, rounded to the float32 that goes on the wire (RFC 8955 §7.1). */
function bytesPerSecond(bitsPerSecond: number): number {
  return float32(bitsPerSecond / 8, 'rate-limit');
}

function float32(rate: number, what: string): number {
  if (!Number.isFinite(rate) || rate < 0) {
    throw new FlowSpecError(`${what}: ${rate} is not a rate, must be a finite number from 0`);
  }
  const rounded = Math.fround(rate);
  if (!Number.isFinite(rounded)) throw new FlowSpecError(`${what}: ${rate} is too large for a float32`);
  if (rounded === 0 && rate !== 0) {
    throw new FlowSpecError(
      `${what}: ${rate} a second becomes 0 on the wire, which would discard everything`,
    );
  }
  return rounded === 0 ? 0 : rounded; // never the float32 of -0
}

/** Made once: creating a view costs far more than converting the four octets. */
const scratch = new DataView(new ArrayBuffer(4));

function pushRate(out: number[], asn: number, rate: number, what: string): void {
  checkRange(asn, MAX_U16, `${what}: the AS number`);
  push16(out, asn);
  scratch.setFloat32(0, rate);
  push32(out, scratch.getUint32(0));
}

function pushRouteTarget(out: number[], target: RouteTarget): void {
  const what = 'redirect vrf';
  switch (target.form) {
    case 'as2':
      checkRange(target.asn, MAX_U16, `${what}: the AS number`);
      checkRange(target.value, MAX_U32, `${what}: the number`);
      push16(out, Community.RedirectAs2);
      push16(out, target.asn);
      push32(out, target.value);
      break;
    case 'ipv4':
      checkAddress(target.address, [4], what);
      checkRange(target.value, MAX_U16, `${what}: the number`);
      push16(out, Community.RedirectIpv4);
      out.push(...target.address);
      push16(out, target.value);
      break;
    case 'as4':
      checkRange(target.asn, MAX_U32, `${what}: the AS number`);
      checkRange(target.value, MAX_U16, `${what}: the number`);
      push16(out, Community.RedirectAs4);
      push32(out, target.asn);
      push16(out, target.value);
      break;
  }
}

function pushRedirectIp(short: number[], long: number[], address: Uint8Array, copy: boolean): void {
  const out = address.length === 4 ? short : long;
  push16(out, address.length === 4 ? Community.RedirectIp : Ipv6Community.RedirectIp);
  out.push(...address);
  push16(out, copy ? COPY_BIT : 0);
}

function redirectAddress(address: Uint8Array | undefined): Uint8Array {
  if (address === undefined) throw new FlowSpecError('redirect ip: the address is missing');
  checkAddress(address, [4, 16], 'redirect ip');
  return address;
}

/** Returns the next hop. A route has only one, so all redirects to it must name the same address. */
function onlyNextHop(before: Uint8Array, address: Uint8Array): Uint8Array<ArrayBuffer> {
  if (before.length > 0 && toHex(before) !== toHex(address)) {
    throw new FlowSpecError('redirect next-hop: two different addresses, but a route has one next hop');
  }
  return address.slice();
}

function checkAddress(address: Uint8Array, lengths: readonly number[], what: string): void {
  if (!lengths.includes(address.length)) {
    throw new FlowSpecError(
      `${what}: an address of ${address.length} octets, must be ${lengths.join(' or ')}`,
    );
  }
}

function checkRange(value: number, max: number, what: string): void {
  if (!Number.isInteger(value) || value < 0 || value > max) {
    throw new FlowSpecError(`${what} is ${value}, must be from 0 to ${max}`);
  }
}

function push16(out: number[], value: number): void {
  out.push(value >>> 8, value & 0xff);
}

function push32(out: number[], value: number): void {
  out.push(value >>> 24, (value >>> 16) & 0xff, (value >>> 8) & 0xff, value & 0xff);
}

/**
 * Decodes the actions in path attributes; omitted parts are absent attributes. Communities that are not an action are
 * kept as `unknown`. Never throws: an unreadable community makes the whole result malformed (treat-as-withdraw, RFC
 * 8955 §10).
 */
export function decodeActions(parts: Partial<ActionOctets>): Result<DecodedActions, RuleRefusal> {
  const short = parts.extendedCommunities ?? new Uint8Array(0);
  const long = parts.ipv6ExtendedCommunities ?? new Uint8Array(0);
  if (short.length % 8 !== 0)
    return malformed(`extended communities of ${short.length} octets, not a multiple of 8`);
  if (long.length % 20 !== 0)
    return malformed(`IPv6 extended communities of ${long.length} octets, not a multiple of 20`);
  const tolerated: string[] = [];
  const note = (text: string): void => {
    if (!tolerated.includes(text)) tolerated.push(text);
  };
  const actions: Action[] = [];
  for (let at = 0; at < short.length; at += 8) {
    const action = readCommunity(short.subarray(at, at + 8), parts.nextHop, note);
    if (typeof action === 'string') return malformed(action);
    actions.push(action);
  }
  for (let at = 0; at < long.length; at += 20)
    actions.push(readIpv6Community(long.subarray(at, at + 20), note));
  const repeated = repeatedKind(actions);
  if (repeated !== undefined) note(`more than one ${repeated}: routers differ in which they apply`);
  return ok({ actions, tolerated });
}

function malformed(reason: string): Result<never, RuleRefusal> {
  return failed({ reason, treatment: 'treat-as-withdraw' });
}

/** Returns the hexadecimal text of each community, in order. */
export function communityTexts(parts: ActionOctets): readonly string[] {
  const texts: string[] = [];
  for (let at = 0; at < parts.extendedCommunities.length; at += 8) {
    texts.push(toHex(parts.extendedCommunities.subarray(at, at + 8)));
  }
  for (let at = 0; at < parts.ipv6ExtendedCommunities.length; at += 20) {
    texts.push(toHex(parts.ipv6ExtendedCommunities.subarray(at, at + 20)));
  }
  return texts;
}
