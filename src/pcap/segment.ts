/** From a captured frame to a TCP segment: link layer, IPv4 (RFC 791) or IPv6 (RFC 8200), TCP (RFC 9293 §3.1). */
import { formatAddress } from '../net/prefix.ts';
import type { Packet } from './packet.ts';

/** One end of a connection; `address` is canonical text. */
export interface Endpoint {
  readonly address: string;
  readonly port: number;
}

export interface TcpSegment {
  readonly src: Endpoint;
  readonly dst: Endpoint;
  /** Sequence number of the first octet, or of the SYN. */
  readonly sequence: number;
  readonly syn: boolean;
  readonly fin: boolean;
  readonly rst: boolean;
  /** What the capture has of the payload: a view on the file. */
  readonly payload: Uint8Array;
  /** Octets of the payload that were on the wire and that a snap length cut off. */
  readonly cutOff: number;
}

/** A frame that could not be read as it claims to be. `once` is a text that need be reported only once a file. */
export interface FrameProblem {
  readonly problem: string;
  readonly once?: boolean;
}

const TCP = 6;
const ETHERTYPE_IPV4 = 0x0800;
const ETHERTYPE_IPV6 = 0x86dd;
/** IEEE 802.1Q, 802.1ad (QinQ), and the older QinQ value. */
const VLAN_TAGS: ReadonlySet<number> = new Set([0x8100, 0x88a8, 0x9100]);
/** BSD's AF_INET, and its AF_INET6 values on the various systems; both byte orders are tried. */
const AF_INET = 2;
const AF_INET6: ReadonlySet<number> = new Set([10, 24, 28, 30]);
/** IPv6 extension headers whose second octet counts 8-octet units behind the first (RFC 8200 §4). */
const SKIPPED_HEADERS: ReadonlySet<number> = new Set([0, 43, 60, 135, 139, 140]);
const AUTHENTICATION_HEADER = 51;
const FRAGMENT_HEADER = 44;

/** An IP packet's payload that says it is TCP. `cutOff` octets of it are not in the capture. */
interface TcpBytes {
  readonly src: string;
  readonly dst: string;
  readonly bytes: Uint8Array;
  readonly cutOff: number;
}

/** The TCP segment of a frame; undefined when the frame carries something else, such as ARP or UDP. */
export function decodeSegment(packet: Packet): TcpSegment | FrameProblem | undefined {
  const ip = ipBytes(packet);
  if (ip === undefined || 'problem' in ip) return ip;
  const tcp = tcpBytes(ip);
  if (tcp === undefined || 'problem' in tcp) return tcp;
  const { bytes } = tcp;
  if (bytes.length < 20) {
    return { problem: `${bytes.length} octets of a TCP segment, too few for its header` };
  }
  const view = viewOf(bytes);
  const headerLength = (view.getUint8(12) >>> 4) * 4;
  if (headerLength < 20 || headerLength > bytes.length) {
    return { problem: `a TCP header of ${headerLength} octets in a segment of ${bytes.length}` };
  }
  const flags = view.getUint8(13);
  return {
    src: { address: tcp.src, port: view.getUint16(0) },
    dst: { address: tcp.dst, port: view.getUint16(2) },
    sequence: view.getUint32(4),
    fin: (flags & 0x01) !== 0,
    syn: (flags & 0x02) !== 0,
    rst: (flags & 0x04) !== 0,
    // Options (MD5 signatures of RFC 2385 among them) lie between the fixed header and this.
    payload: bytes.subarray(headerLength),
    cutOff: tcp.cutOff,
  };
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** The IP packet in a frame, by link type (https://www.tcpdump.org/linktypes.html). */
function ipBytes({ linkType, data }: Packet): Uint8Array | FrameProblem | undefined {
  switch (linkType) {
    case 1:
      return behindEthertype(data, 12);
    case 113:
      return behindEthertype(data, 14);
    case 276:
      return behindEthertype(data, 0, 20);
    case 12:
    case 14:
    case 101:
    case 228:
    case 229:
      return data;
    case 0:
    case 108:
      return behindAddressFamily(data);
    default:
      return { problem: `link type ${linkType} is not one that can be read`, once: true };
  }
}

/** `at` is where the EtherType stands; the payload begins behind it, or at `payload`, and behind any VLAN tags. */
function behindEthertype(
  data: Uint8Array,
  at: number,
  payload = at + 2,
): Uint8Array | FrameProblem | undefined {
  if (data.length < payload) return { problem: `a frame of ${data.length} octets is too short for its link` };
  const view = viewOf(data);
  let type = view.getUint16(at);
  let start = payload;
  while (VLAN_TAGS.has(type)) {
    if (data.length < start + 4) return { problem: 'the frame ends within a VLAN tag' };
    type = view.getUint16(start + 2);
    start += 4;
  }
  return type === ETHERTYPE_IPV4 || type === ETHERTYPE_IPV6 ? data.subarray(start) : undefined;
}

/** BSD loopback: four octets of address family, in the byte order of whoever captured. */
function behindAddressFamily(data: Uint8Array): Uint8Array | FrameProblem | undefined {
  if (data.length < 4) return { problem: `a frame of ${data.length} octets is too short for its link` };
  const view = viewOf(data);
  const isIp = [view.getUint32(0, true), view.getUint32(0)].some((f) => f === AF_INET || AF_INET6.has(f));
  return isIp ? data.subarray(4) : undefined;
}

function tcpBytes(ip: Uint8Array): TcpBytes | FrameProblem | undefined {
  if (ip.length === 0) return { problem: 'an empty IP packet' };
  const version = viewOf(ip).getUint8(0) >>> 4;
  if (version === 4) return tcpInIPv4(ip);
  if (version === 6) return tcpInIPv6(ip);
  return { problem: `an IP packet of version ${version}` };
}

function tcpInIPv4(ip: Uint8Array): TcpBytes | FrameProblem | undefined {
  if (ip.length < 20) return { problem: `${ip.length} octets are too few for an IPv4 header` };
  const view = viewOf(ip);
  if (view.getUint8(9) !== TCP) return undefined;
  const headerLength = (view.getUint8(0) & 0x0f) * 4;
  // Zero where the network card segments for the kernel (TSO): then the frame's own length counts.
  const totalLength = view.getUint16(2) || ip.length;
  if (headerLength < 20 || headerLength > totalLength || headerLength > ip.length) {
    return { problem: `an IPv4 header of ${headerLength} octets in a packet of ${totalLength}` };
  }
  if ((view.getUint16(6) & 0x3fff) !== 0) {
    return { problem: 'an IPv4 fragment of a TCP segment; fragments are not put together' };
  }
  return {
    src: formatAddress(ip.subarray(12, 16)),
    dst: formatAddress(ip.subarray(16, 20)),
    // Behind the total length there may be padding of the link.
    bytes: ip.subarray(headerLength, totalLength),
    cutOff: Math.max(0, totalLength - ip.length),
  };
}

function tcpInIPv6(ip: Uint8Array): TcpBytes | FrameProblem | undefined {
  if (ip.length < 40) return { problem: `${ip.length} octets are too few for an IPv6 header` };
  const view = viewOf(ip);
  const totalLength = view.getUint16(4) === 0 ? ip.length : view.getUint16(4) + 40;
  let next = view.getUint8(6);
  let at = 40;
  while (next !== TCP) {
    const header = next;
    const isFragment = header === FRAGMENT_HEADER;
    if (!isFragment && header !== AUTHENTICATION_HEADER && !SKIPPED_HEADERS.has(header)) return undefined;
    if (at + 8 > Math.min(ip.length, totalLength)) {
      return { problem: 'the packet ends within the IPv6 extension headers' };
    }
    const size = view.getUint8(at + 1);
    next = view.getUint8(at);
    if (isFragment && (view.getUint16(at + 2) & 0xfff9) !== 0) {
      return next === TCP
        ? { problem: 'an IPv6 fragment of a TCP segment; fragments are not put together' }
        : undefined;
    }
    if (isFragment) at += 8;
    // RFC 4302 §2.2 counts the authentication header in 4-octet units less two.
    else at += header === AUTHENTICATION_HEADER ? (size + 2) * 4 : (size + 1) * 8;
  }
  return {
    src: formatAddress(ip.subarray(8, 24)),
    dst: formatAddress(ip.subarray(24, 40)),
    bytes: ip.subarray(Math.min(at, ip.length), totalLength),
    cutOff: Math.max(0, totalLength - ip.length),
  };
}
