/** Reads the link headers of frames, by the interface's link type (https://www.tcpdump.org/linktypes.html). */
import { guessed, readEtherType, readLlc, readNlpid } from './ethernet.ts';
import { looksLikeIp } from './ip.ts';
import {
  endsWithin,
  type Layer,
  type LayerKind,
  type LayerOutcome,
  unread,
  viewOf,
  without,
} from './layer.ts';

/** Maps link types without a header to their layer. */
const LAYERS: ReadonlyMap<number, LayerKind> = new Map([
  [1, 'ethernet'],
  [9, 'ppp'],
  [11, 'llc'], // DLT_ATM_RFC1483, whose number in files is 100
  [12, 'ip'], // DLT_RAW, whose number in files is 101; 14 on OpenBSD
  [14, 'ip'],
  [50, 'ppp'],
  [51, 'pppoe'],
  [100, 'llc'],
  [101, 'ip'],
  [104, 'hdlc'],
  [107, 'frame-relay'],
  [219, 'mpls'],
  [228, 'ip'],
  [229, 'ip'],
]);

/** Maps link types with a header of fixed length to its octets and the layer after it. */
const BEHIND_HEADER: ReadonlyMap<number, readonly [octets: number, kind: LayerKind]> = new Map([
  [109, [12, 'ip']], // ENC: family, SPI, flags
  [166, [2, 'ppp']], // PPP_PPPD: direction, and the control octet of HDLC
  [204, [1, 'ppp']], // the direction
  [205, [1, 'hdlc']],
  [206, [1, 'frame-relay']],
  [240, [4, 'ethernet']], // netANALYZER
]);

const NAMES: ReadonlyMap<number, string> = new Map([
  [105, 'IEEE 802.11'],
  [127, 'IEEE 802.11 with radiotap'],
  [189, 'USB'],
  [252, 'Wireshark upper PDU'],
  [253, 'netlink'],
]);

/** BSD's AF_INET, and the AF_INET6 values of the various systems, in either byte order. */
const AF_INET = 2;
const AF_INET6: ReadonlySet<number> = new Set([10, 24, 28, 30]);

const HDLC_UNICAST = 0x0f;
const HDLC_MULTICAST = 0x8f;

/** Reads the beginning of a frame. */
export function readLink(linkType: number, data: Uint8Array): LayerOutcome {
  // Link type 50 is PPP in HDLC-like framing, or Cisco HDLC.
  if (linkType === 50 && (data[0] === HDLC_UNICAST || data[0] === HDLC_MULTICAST)) return layer('hdlc', data);
  const kind = LAYERS.get(linkType);
  if (kind !== undefined) return layer(kind, data);
  const header = BEHIND_HEADER.get(linkType);
  if (header !== undefined) {
    const [octets, next] = header;
    return data.length < octets ? tooShort(data) : layer(next, data.subarray(octets));
  }
  switch (linkType) {
    case 0:
    case 108:
      return readAddressFamily(data);
    case 113:
      return readEtherType(data, 14);
    case 276:
      return readEtherType(data, 0, 20);
    case 117:
      return readPflog(data);
    case 192:
      return readPpi(data);
    case 239:
      return readNflog(data);
    case 258:
      return readPktap(data);
    default:
      return readJuniper(linkType, data) ?? unknownLink(linkType);
  }
}

function unknownLink(linkType: number): LayerOutcome {
  return { problem: `link type ${linkType} is not supported`, once: true };
}

/** Returns the name of a link type for counts. */
export function linkName(linkType: number): string {
  const name = NAMES.get(linkType);
  return name === undefined ? `link type ${linkType}` : `link type ${linkType} (${name})`;
}

function layer(kind: LayerKind, data: Uint8Array): Layer {
  return { kind, data };
}

function tooShort(data: Uint8Array): LayerOutcome {
  return { problem: `a frame of ${data.length} octets is too short for its link` };
}

/** Reads BSD loopback: 4 octets of address family, in the capturing host's byte order. */
function readAddressFamily(data: Uint8Array): LayerOutcome {
  if (data.length < 4) return tooShort(data);
  const view = viewOf(data);
  const isIp = [view.getUint32(0, true), view.getUint32(0)].some((f) => f === AF_INET || AF_INET6.has(f));
  return isIp ? layer('ip', data.subarray(4)) : without('BSD loopback without IP');
}

/** Reads OpenBSD's packet filter log: the first octet is the header's length, rounded up to a multiple of 4. */
function readPflog(data: Uint8Array): LayerOutcome {
  const length = Math.ceil((data[0] ?? 0) / 4) * 4;
  if (length === 0 || data.length <= length) return endsWithin('a pflog header');
  return layer('ip', data.subarray(length));
}

/** Reads per-packet information (PPI): a length and the next link type, both little-endian. */
function readPpi(data: Uint8Array): LayerOutcome {
  if (data.length < 8) return endsWithin('a PPI header');
  const view = viewOf(data);
  const [length, linkType] = [view.getUint16(2, true), view.getUint32(4, true)];
  if (length < 8 || length > data.length) return endsWithin('a PPI header');
  return nested(linkType, data.subarray(length));
}

/** Reads pktap of macOS: header length, record type, link type, little-endian. */
function readPktap(data: Uint8Array): LayerOutcome {
  if (data.length < 12) return endsWithin('a pktap header');
  const view = viewOf(data);
  const [length, linkType] = [view.getUint32(0, true), view.getUint32(8, true)];
  if (length < 12 || length > data.length) return endsWithin('a pktap header');
  return nested(linkType, data.subarray(length));
}

/** Link types whose header names another link type. They do not nest. */
const NESTING: ReadonlySet<number> = new Set([192, 258]);

function nested(linkType: number, data: Uint8Array): LayerOutcome {
  return NESTING.has(linkType) ? unread(linkName(linkType)) : readLink(linkType, data);
}

const NFULA_PAYLOAD = 9;

/** Reads the Linux netfilter log: 4 octets, then values with length and type in the capturing host's byte order. */
function readNflog(data: Uint8Array): LayerOutcome {
  const view = viewOf(data);
  for (const littleEndian of [true, false]) {
    for (let at = 4; at + 4 <= data.length; ) {
      const length = view.getUint16(at, littleEndian);
      if (length < 4 || at + length > data.length) break;
      if ((view.getUint16(at + 2, littleEndian) & 0x7fff) === NFULA_PAYLOAD) {
        return layer('ip', data.subarray(at + 4, at + length));
      }
      at += Math.ceil(length / 4) * 4;
    }
  }
  return without('netfilter log entries without a packet');
}

// Reads the link types of Junos. `monitor traffic write-file` and sampling add a header to each frame: "MGC", flags, and
// extensions that name the interface. The link's own header follows, or, if a flag says that there is none, 4 octets and the
// packet. Service cards insert a cookie. The layout follows tcpdump's print-juniper.c.

const MAGIC = 0x4d4743;
const WITHOUT_LINK_HEADER = 0x02;
const EXTENSIONS = 0x80;

/** Maps link types to the layer that follows the header. */
const FRAMES: ReadonlyMap<number, LayerKind> = new Map([
  [167, 'ethernet'], // PPPoE, with its Ethernet header
  [178, 'ethernet'],
  [179, 'ppp'],
  [180, 'frame-relay'],
  [181, 'hdlc'],
]);

/** Maps link types of cards to the octets of their cookie. */
const COOKIES: ReadonlyMap<number, number> = new Map([
  [130, 2], // MLPPP
  [131, 2], // MLFR
  [132, 0], // ES (encryption services)
  [133, 8], // GGSN
  [134, 4], // MFR
  [135, 8], // ATM2
  [136, 8], // services
  [137, 4], // ATM1
  [164, 8], // monitor
  [168, 0], // PPPoE over ATM
  [174, 0], // PIC peer
  [183, 0], // voice
  [194, 0], // ISM
  [200, 0], // secure tunnel
  [232, 0], // VS
  [233, 0], // SRX end to end
  [238, 0], // ATM CE MIC
]);
const PPPOE_OVER_ATM = 168;
/** First octets of a cookie: link services have 2 more octets, adaptive services 8 in all. */
const LINK_SERVICES = 0x54;
const ADAPTIVE_SERVICES = 0x47;

/** Reads a frame of a Juniper link type; returns undefined for any other link type. */
export function readJuniper(linkType: number, data: Uint8Array): LayerOutcome | undefined {
  const kind = FRAMES.get(linkType);
  const cookie = COOKIES.get(linkType);
  if (kind === undefined && cookie === undefined) return undefined;
  if (data.length < 4) return { problem: `a frame of ${data.length} octets is too short for its link` };
  const view = viewOf(data);
  if (view.getUint32(0) >>> 8 !== MAGIC) return { problem: 'a Juniper frame without its magic number' };
  const flags = view.getUint8(3);
  let at = 4;
  if ((flags & EXTENSIONS) !== 0) {
    if (data.length < 6) return endsWithin('a Juniper header');
    at = 6 + view.getUint16(4);
  }
  if ((flags & WITHOUT_LINK_HEADER) !== 0) at += 4;
  if (at > data.length) return endsWithin('a Juniper header');
  const rest = data.subarray(at);
  if ((flags & WITHOUT_LINK_HEADER) !== 0) return packet(rest) ?? unread('Juniper frames without IP');
  if (kind !== undefined) return { kind, data: rest };
  if (linkType === PPPOE_OVER_ATM) return readEtherType(rest, 0);
  return behindCookie(rest, cookie ?? 0);
}

/** Reads IP, or MPLS: a stack of labels followed by IP. */
function packet(data: Uint8Array): LayerOutcome | undefined {
  if (looksLikeIp(data)) return { kind: 'ip', data };
  for (let at = 0; at + 4 <= data.length; at += 4) {
    const bottom = ((data[at + 2] ?? 0) & 1) !== 0;
    if (bottom) return looksLikeIp(data.subarray(at + 4)) ? { kind: 'mpls', data } : undefined;
  }
  return undefined;
}

/** Reads a card's frame, which has no protocol field: tries the forms that cards use, the simplest first. */
function behindCookie(data: Uint8Array, usual: number): LayerOutcome {
  const first = data[0];
  const length = first === LINK_SERVICES ? usual + 2 : first === ADAPTIVE_SERVICES ? 8 : usual;
  for (const at of new Set([length, usual, 0])) {
    const rest = data.subarray(at);
    const found = packet(rest) ?? behindSnap(rest) ?? behindPpp(rest) ?? guessed(rest, looksLikeIp);
    if (found !== undefined) return found;
  }
  return unread('Juniper frames without IP');
}

function behindSnap(data: Uint8Array): LayerOutcome | undefined {
  const isSnap = data[0] === 0xaa && data[1] === 0xaa && data[2] === 0x03;
  const isNlpid = data[0] === 0xfe && data[1] === 0xfe && data[2] === 0x03;
  if (isSnap || isNlpid) return readLlc(data);
  return data[0] === 0x03 && (data[1] === 0xcc || data[1] === 0x8e) ? readNlpid(data.subarray(1)) : undefined;
}

/** The PPP protocols that carry packets, and the two HDLC octets that may precede them. */
const PPP_PACKETS: ReadonlySet<number> = new Set([0x0021, 0x0057, 0x0281, 0xff03]);

function behindPpp(data: Uint8Array): LayerOutcome | undefined {
  if (data.length < 4 || !PPP_PACKETS.has(viewOf(data).getUint16(0))) return undefined;
  return { kind: 'ppp', data };
}
