/** Reads links other than Ethernet, and labels: PPP, PPPoE, Cisco HDLC, frame relay, MPLS. */
import { guessed, readEtherType, readNlpid } from './ethernet.ts';
import { looksLikeIp } from './ip.ts';
import type { LayerKind, LayerOutcome } from './layer.ts';
import { endsWithin, hexNumber, unread, viewOf, without } from './layer.ts';

/** PPP protocol numbers (IANA). */
const PPP_LAYERS: ReadonlyMap<number, LayerKind> = new Map([
  [0x0021, 'ip'],
  [0x0057, 'ip'],
  [0x0281, 'mpls'],
  [0x0283, 'mpls'],
]);
const PPP_MULTILINK = 0x003d;
/** Protocols from this number on configure the link (RFC 1661 §2). */
const PPP_CONTROL = 0x8000;

/** Reads PPP (RFC 1661 §2, RFC 1662 §3.1): address and control are optional; a protocol below 256 may be one octet. */
export function readPpp(data: Uint8Array): LayerOutcome {
  const framed = data[0] === 0xff && data[1] === 0x03;
  const at = framed ? 2 : 0;
  const first = data[at];
  if (first === undefined || data.length < at + 2) return endsWithin('a PPP header');
  const compressed = (first & 1) !== 0;
  const protocol = compressed ? first : viewOf(data).getUint16(at);
  const rest = data.subarray(at + (compressed ? 1 : 2));
  const kind = PPP_LAYERS.get(protocol);
  if (kind !== undefined) return { kind, data: rest };
  if (protocol === PPP_MULTILINK) return readMultilink(rest);
  return protocol >= PPP_CONTROL ? without('PPP control') : unread(`PPP protocol ${hexNumber(protocol)}`);
}

/** Reads a multilink packet (RFC 1990 §3) that fits in one fragment; does not reassemble others. */
function readMultilink(data: Uint8Array): LayerOutcome {
  const flags = data[0];
  if (flags === undefined || data.length < 5) return endsWithin('a PPP multilink header');
  const whole = (flags & 0xc0) === 0xc0;
  return whole ? { kind: 'ppp', data: data.subarray(4) } : unread('fragments of PPP multilink');
}

/** Reads PPPoE (RFC 2516 §4): 6 octets, the last 2 of which are the length, then PPP. */
export function readPppoe(data: Uint8Array): LayerOutcome {
  if (data.length < 8) return endsWithin('a PPPoE header');
  if (data[1] !== 0) return without('PPPoE discovery');
  return { kind: 'ppp', data: data.subarray(6) };
}

/** Reads Cisco HDLC (RFC 1547 §4.3.1): address, control, EtherType. */
export function readHdlc(data: Uint8Array): LayerOutcome {
  if (data.length >= 4 && viewOf(data).getUint16(2) === 0x8035) return without('SLARP');
  return readEtherType(data, 2);
}

/** Reads frame relay (RFC 2427 §3): an address of 2 to 4 octets, then an NLPID, or Cisco's EtherType. */
export function readFrameRelay(data: Uint8Array): LayerOutcome {
  let at = 1;
  while (at < 4 && at < data.length && ((data[at] ?? 0) & 1) === 0) at++;
  at++;
  if (data[at] !== 0x03) return readEtherType(data, at);
  // A pad octet may follow the control octet.
  return readNlpid(data.subarray(data[at + 1] === 0 ? at + 2 : at + 1));
}

const BOTTOM_OF_STACK = 0x01;

/**
 * Reads MPLS (RFC 3032 §2.1): labels down to the bottom of the stack. No field names the next protocol: it is IP, recognized
 * by its version, or a pseudowire's Ethernet, with its control word (RFC 4385 §3) or without.
 */
export function readMpls(data: Uint8Array): LayerOutcome {
  let at = 0;
  for (let bottom = false; !bottom; at += 4) {
    if (data.length < at + 4) return endsWithin('an MPLS label');
    bottom = ((data[at + 2] ?? 0) & BOTTOM_OF_STACK) !== 0;
  }
  const inner = data.subarray(at);
  const first = inner[0];
  if (first === undefined) return without('MPLS without a payload');
  const guess = guessed(inner, looksLikeIp);
  if (guess !== undefined) return guess;
  if (first >>> 4 === 0) return { kind: 'ethernet', data: inner.subarray(4) };
  if (first >>> 4 === 1) return without('an MPLS associated channel');
  return first >>> 4 === 4 || first >>> 4 === 6 ? { kind: 'ip', data: inner } : unread('a payload of MPLS');
}
