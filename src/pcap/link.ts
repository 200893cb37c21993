/** How frames begin, by the link type of their interface (https://www.tcpdump.org/linktypes.html). */
import { readEtherType } from './ethernet.ts';
import { readJuniper } from './juniper.ts';
import type { Layer, LayerKind, Outcome } from './layer.ts';
import { endsWithin, unread, viewOf, without } from './layer.ts';

/** Link types that are one layer and nothing in front of it. */
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

/** Link types with a header of fixed length in front of one layer. */
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

/** BSD's AF_INET, and its AF_INET6 values on the various systems; both byte orders are tried. */
const AF_INET = 2;
const AF_INET6: ReadonlySet<number> = new Set([10, 24, 28, 30]);

const HDLC_UNICAST = 0x0f;
const HDLC_MULTICAST = 0x8f;

/** What a frame begins with. */
export function readLink(linkType: number, data: Uint8Array): Outcome {
  // PPP in HDLC-like framing, or Cisco's own.
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

function unknownLink(linkType: number): Outcome {
  return { problem: `link type ${linkType} is not one that can be read`, once: true };
}

/** A link type as counts name it. */
export function linkName(linkType: number): string {
  const name = NAMES.get(linkType);
  return name === undefined ? `link type ${linkType}` : `link type ${linkType} (${name})`;
}

function layer(kind: LayerKind, data: Uint8Array): Layer {
  return { kind, data };
}

function tooShort(data: Uint8Array): Outcome {
  return { problem: `a frame of ${data.length} octets is too short for its link` };
}

/** BSD loopback: four octets of address family, in the byte order of whoever captured. */
function readAddressFamily(data: Uint8Array): Outcome {
  if (data.length < 4) return tooShort(data);
  const view = viewOf(data);
  const isIp = [view.getUint32(0, true), view.getUint32(0)].some((f) => f === AF_INET || AF_INET6.has(f));
  return isIp ? layer('ip', data.subarray(4)) : without('BSD loopback without IP');
}

/** OpenBSD's packet filter log: the first octet is the header's length, which is rounded up to four. */
function readPflog(data: Uint8Array): Outcome {
  const length = Math.ceil((data[0] ?? 0) / 4) * 4;
  if (length === 0 || data.length <= length) return endsWithin('a pflog header');
  return layer('ip', data.subarray(length));
}

/** Per-packet information: a length and the link type behind it, both little-endian. */
function readPpi(data: Uint8Array): Outcome {
  if (data.length < 8) return endsWithin('a PPI header');
  const view = viewOf(data);
  const [length, linkType] = [view.getUint16(2, true), view.getUint32(4, true)];
  if (length < 8 || length > data.length) return endsWithin('a PPI header');
  return nested(linkType, data.subarray(length));
}

/** macOS: header length, record type, link type, little-endian. */
function readPktap(data: Uint8Array): Outcome {
  if (data.length < 12) return endsWithin('a pktap header');
  const view = viewOf(data);
  const [length, linkType] = [view.getUint32(0, true), view.getUint32(8, true)];
  if (length < 12 || length > data.length) return endsWithin('a pktap header');
  return nested(linkType, data.subarray(length));
}

/** Link types whose header names another link type; one of them inside of another means nothing. */
const NESTING: ReadonlySet<number> = new Set([192, 258]);

function nested(linkType: number, data: Uint8Array): Outcome {
  return NESTING.has(linkType) ? unread(linkName(linkType)) : readLink(linkType, data);
}

const NFULA_PAYLOAD = 9;

/** Linux netfilter log: four octets, then values with length and type in the capturing host's order. */
function readNflog(data: Uint8Array): Outcome {
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
