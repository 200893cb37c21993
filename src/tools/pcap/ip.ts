/** Reads IPv4 (RFC 791) and IPv6 (RFC 8200): addresses, extension headers, fragments, and the protocol inside. */
import { sameBytes, toHex } from '../../net/bytes.ts';
import { formatAddress } from '../../net/prefix.ts';
import { type FrameProblem, type LayerKind, type LayerOutcome, unread, viewOf, without } from './layer.ts';

const TCP = 6;
const AUTHENTICATION_HEADER = 51;
const FRAGMENT_HEADER = 44;

/** IPv6 extension headers whose second octet is the length in 8-octet units, without the first (RFC 8200 §4). */
const SKIPPED_HEADERS: ReadonlySet<number> = new Set([0, 43, 60, 135, 139, 140]);

/** Maps tunnel protocols to the layer inside and the octets before it. */
const TUNNELS: ReadonlyMap<number, readonly [kind: LayerKind, header: number]> = new Map([
  [4, ['ip', 0]], // RFC 2003
  [41, ['ip', 0]], // RFC 2473, RFC 4213
  [17, ['udp', 0]],
  [47, ['gre', 0]],
  [97, ['ethernet', 2]], // EtherIP, RFC 3378
  [137, ['mpls', 0]], // RFC 4023
  [143, ['ethernet', 0]], // RFC 8986 §10.1
]);

const WITHOUT_TCP: ReadonlyMap<number, string> = new Map([
  [1, 'ICMP'],
  [2, 'IGMP'],
  [33, 'DCCP'],
  [46, 'RSVP'],
  [58, 'ICMPv6'],
  [59, 'IPv6 without a payload'],
  [88, 'EIGRP'],
  [89, 'OSPF'],
  [103, 'PIM'],
  [112, 'VRRP'],
  [132, 'SCTP'],
  [136, 'UDP-Lite'],
]);
const CLOSED: ReadonlyMap<number, string> = new Map([
  [50, 'ESP (encrypted)'],
  [55, 'minimal IP encapsulation'],
  [108, 'IPComp (compressed)'],
  [115, 'L2TPv3'],
]);

/** Reads an IP packet. Reassembles fragments if `fragments` is given, else reports them as a problem. */
export function readIp(data: Uint8Array, fragments?: Fragments): LayerOutcome {
  if (data.length === 0) return { problem: 'an empty IP packet' };
  const version = (data[0] ?? 0) >>> 4;
  if (version !== 4 && version !== 6) return { problem: `an IP packet of version ${version}` };
  const packet = version === 4 ? readIPv4(data) : readIPv6(data);
  if ('problem' in packet) return packet;
  if (packet.fragment === undefined) return behindIp(packet);
  if (fragments !== undefined) {
    const whole = fragments.add(packet);
    if (whole === undefined) return without(FRAGMENTS);
    const read = version === 4 ? behindAuthentication(whole) : behindExtensions(whole);
    return 'problem' in read ? read : behindIp(read);
  }
  if (packet.protocol !== TCP) return unread(FRAGMENTS);
  return { problem: `an IPv${version} fragment of a TCP segment; fragments are not reassembled` };
}

/** The name for fragments in counts. */
export const FRAGMENTS = 'fragments of IP packets';

function behindIp({ src, dst, protocol, payload, cutOff }: IpPacket): LayerOutcome {
  if (protocol === TCP) {
    return { kind: 'tcp', src: formatAddress(src), dst: formatAddress(dst), bytes: payload, cutOff };
  }
  const tunnel = TUNNELS.get(protocol);
  if (tunnel !== undefined) return { kind: tunnel[0], data: payload.subarray(tunnel[1]) };
  const other = WITHOUT_TCP.get(protocol);
  if (other !== undefined) return without(other);
  return unread(CLOSED.get(protocol) ?? `IP protocol ${protocol}`);
}

function readIPv4(ip: Uint8Array): IpPacket | FrameProblem {
  if (ip.length < 20) return { problem: `${ip.length} octets are too few for an IPv4 header` };
  const view = viewOf(ip);
  const headerLength = (view.getUint8(0) & 0x0f) * 4;
  // The length is 0 if the network card segments for the kernel (TSO); then the frame's length counts.
  const totalLength = view.getUint16(2) || ip.length;
  if (headerLength < 20 || headerLength > totalLength || headerLength > ip.length) {
    return { problem: `an IPv4 header of ${headerLength} octets in a packet of ${totalLength}` };
  }
  const flags = view.getUint16(6);
  const packet: IpPacket = {
    version: 4,
    src: ip.subarray(12, 16),
    dst: ip.subarray(16, 20),
    protocol: view.getUint8(9),
    // The link may add padding after the total length.
    payload: ip.subarray(headerLength, totalLength),
    cutOff: Math.max(0, totalLength - ip.length),
  };
  if ((flags & 0x3fff) !== 0) {
    const fragment = {
      id: view.getUint16(4),
      offset: (flags & 0x1fff) * 8,
      more: (flags & 0x2000) !== 0,
    };
    return { ...packet, fragment };
  }
  return behindAuthentication(packet);
}

/** Skips an authentication header, which in IPv4 is between IP and the protected protocol (RFC 4302 §3.1.1). */
function behindAuthentication(packet: IpPacket): IpPacket | FrameProblem {
  if (packet.protocol !== AUTHENTICATION_HEADER) return packet;
  const [protocol, size] = packet.payload;
  if (protocol === undefined || size === undefined) {
    return { problem: 'the packet ends within its authentication header' };
  }
  return { ...packet, protocol, payload: packet.payload.subarray((size + 2) * 4) };
}

function readIPv6(ip: Uint8Array): IpPacket | FrameProblem {
  if (ip.length < 40) return { problem: `${ip.length} octets are too few for an IPv6 header` };
  const view = viewOf(ip);
  const totalLength = view.getUint16(4) === 0 ? ip.length : view.getUint16(4) + 40;
  return behindExtensions({
    version: 6,
    src: ip.subarray(8, 24),
    dst: ip.subarray(24, 40),
    protocol: view.getUint8(6),
    payload: ip.subarray(40, totalLength),
    cutOff: Math.max(0, totalLength - ip.length),
  });
}

/** Skips IPv6 extension headers (RFC 8200 §4). Stops at the fragment header of an incomplete packet. */
function behindExtensions(packet: IpPacket): IpPacket | FrameProblem {
  let { protocol, payload } = packet;
  while (
    protocol === FRAGMENT_HEADER ||
    protocol === AUTHENTICATION_HEADER ||
    SKIPPED_HEADERS.has(protocol)
  ) {
    if (payload.length < 8) return { problem: 'the packet ends within the IPv6 extension headers' };
    const view = viewOf(payload);
    const header = protocol;
    const size = view.getUint8(1);
    protocol = view.getUint8(0);
    if (header === FRAGMENT_HEADER) {
      const position = view.getUint16(2);
      const fragment = { id: view.getUint32(4), offset: position & 0xfff8, more: (position & 1) !== 0 };
      payload = payload.subarray(8);
      if (fragment.offset !== 0 || fragment.more) return { ...packet, protocol, payload, fragment };
      continue;
    }
    // The authentication header's length is in 4-octet units minus 2 (RFC 4302 §2.2).
    payload = payload.subarray(header === AUTHENTICATION_HEADER ? (size + 2) * 4 : (size + 1) * 8);
  }
  return { ...packet, protocol, payload };
}

/** Returns true if the octets begin with a plausible IP header: version, lengths, and any IPv4 checksum are valid. */
export function looksLikeIp(data: Uint8Array): boolean {
  const first = data[0] ?? 0;
  const view = viewOf(data);
  if (first >>> 4 === 6) return data.length >= 40 && view.getUint16(4) <= data.length - 40;
  if (first >>> 4 !== 4 || data.length < 20) return false;
  const headerLength = (first & 0x0f) * 4;
  const totalLength = view.getUint16(2);
  if (headerLength < 20 || headerLength > data.length) return false;
  if (totalLength !== 0 && totalLength < headerLength) return false;
  let sum = 0;
  for (let at = 0; at < headerLength; at += 2) sum += view.getUint16(at);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return sum === 0xffff || view.getUint16(10) === 0;
}

// Reassembles IP packets from fragments (RFC 791 §3.2, RFC 8200 §4.5) in any order of capture.

/** Holds an IP packet, or a fragment of one. */
export interface IpPacket {
  readonly version: 4 | 6;
  readonly src: Uint8Array;
  readonly dst: Uint8Array;
  readonly protocol: number;
  /** The captured octets after the headers, without padding of the link. */
  readonly payload: Uint8Array;
  /** The number of octets of the payload that are not in the capture. */
  readonly cutOff: number;
  /** For a fragment: its identification, its offset (octets), and whether more follow. */
  readonly fragment?: { readonly id: number; readonly offset: number; readonly more: boolean };
}

/** Holds the known fragments of a packet, by offset. */
interface Pending {
  readonly pieces: Map<number, Uint8Array>;
  /** The octets in the fragments. */
  held: number;
  /** The payload's length in octets, once the last fragment was captured. */
  length?: number;
  /** The first fragment, whose header names the protocol. */
  first?: IpPacket;
}

/** The longest payload of an IP packet; a fragment beyond it is invalid. */
const LONGEST = 65_535;

/** Collects fragments until their packets are complete. */
export class Fragments {
  readonly #waiting = new Map<string, Pending>();
  #lost = 0;

  /** Returns the number of fragments of packets that were not captured completely. */
  get left(): number {
    let count = this.#lost;
    for (const { pieces } of this.#waiting.values()) count += pieces.size;
    return count;
  }

  /**
   * Takes a fragment. Returns the packet if that completes it. A fragment that a snap length truncated never completes a
   * packet.
   */
  add(piece: IpPacket): IpPacket | undefined {
    const { fragment, payload } = piece;
    if (fragment === undefined) return piece;
    const end = fragment.offset + payload.length;
    if (end > LONGEST) {
      this.#lost++;
      return undefined;
    }
    const key = keyOf(piece, fragment.id);
    const pending = this.#pendingOf(key, fragment.offset, payload);
    if (pending === undefined) return undefined;
    pending.pieces.set(fragment.offset, payload);
    pending.held += payload.length;
    if (fragment.offset === 0) pending.first = piece;
    if (!fragment.more && piece.cutOff === 0) pending.length = end;
    const whole = assembled(pending);
    if (whole === undefined || pending.first === undefined) return undefined;
    this.#waiting.delete(key);
    const { version, src, dst, protocol } = pending.first;
    return { version, src, dst, protocol, payload: whole, cutOff: 0 };
  }

  /** Returns the packet of a fragment; undefined if the fragment was captured twice. */
  #pendingOf(key: string, offset: number, payload: Uint8Array): Pending | undefined {
    const known = this.#waiting.get(key);
    const same = known?.pieces.get(offset);
    if (known !== undefined && same === undefined) return known;
    if (same !== undefined && sameBytes(same, payload)) return undefined;
    // Different octets at one offset: the identification was reused, and the older packet was not captured completely.
    this.#lost += known?.pieces.size ?? 0;
    const fresh: Pending = { pieces: new Map(), held: 0 };
    this.#waiting.set(key, fresh);
    return fresh;
  }
}

/** Returns a packet's key: addresses, identification, and in IPv4 the protocol (RFC 791 §2.3, RFC 8200 §4.5). */
function keyOf({ version, src, dst, protocol }: IpPacket, id: number): string {
  return `${toHex(src)} ${toHex(dst)} ${version === 4 ? protocol : 'IPv6'} ${id}`;
}

/** Returns the payload, or undefined while a fragment is missing. Where fragments overlap, the earlier offset wins. */
function assembled({ pieces, held, length, first }: Pending): Uint8Array | undefined {
  if (length === undefined || first === undefined || held < length) return undefined;
  const payload = new Uint8Array(length);
  let filled = 0;
  for (const [offset, bytes] of [...pieces].sort(([a], [b]) => a - b)) {
    if (offset > filled) return undefined;
    const fresh = bytes.subarray(filled - offset, Math.max(0, length - offset));
    payload.set(fresh, filled);
    filled += fresh.length;
  }
  return filled === length ? payload : undefined;
}
