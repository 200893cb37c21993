/**
 * Link types of Junos. `monitor traffic write-file` and sampling put a header in front of each frame: "MGC", flags, and
 * extensions that name the interface. Behind it is the link's own header, or, where a flag says that there is none, four
 * octets and the packet. Service cards put a cookie in between. The layout is that of tcpdump's print-juniper.c.
 */
import { guessed, readEtherType, readLlc, readNlpid } from './ethernet.ts';
import { looksLikeIp } from './ip.ts';
import type { LayerKind, Outcome } from './layer.ts';
import { endsWithin, unread, viewOf } from './layer.ts';

const MAGIC = 0x4d4743;
const WITHOUT_LINK_HEADER = 0x02;
const EXTENSIONS = 0x80;

/** Link types whose frames are one layer behind the header. */
const FRAMES: ReadonlyMap<number, LayerKind> = new Map([
  [167, 'ethernet'], // PPPoE, with its Ethernet header
  [178, 'ethernet'],
  [179, 'ppp'],
  [180, 'frame-relay'],
  [181, 'hdlc'],
]);

/** Octets of the cookie that cards put in front of what they carry. */
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
/** The first octet of a cookie tells these apart: link services have two octets more, adaptive services eight in all. */
const LINK_SERVICES = 0x54;
const ADAPTIVE_SERVICES = 0x47;

/** A frame of a Juniper link type; undefined for any other link type. */
export function readJuniper(linkType: number, data: Uint8Array): Outcome | undefined {
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

/** IP, or MPLS: a stack of labels with IP behind it. */
function packet(data: Uint8Array): Outcome | undefined {
  if (looksLikeIp(data)) return { kind: 'ip', data };
  for (let at = 0; at + 4 <= data.length; at += 4) {
    const bottom = ((data[at + 2] ?? 0) & 1) !== 0;
    if (bottom) return looksLikeIp(data.subarray(at + 4)) ? { kind: 'mpls', data } : undefined;
  }
  return undefined;
}

/** Nothing says what a card's frame carries: the forms that cards use are tried, the plainest first. */
function behindCookie(data: Uint8Array, usual: number): Outcome {
  const first = data[0];
  const length = first === LINK_SERVICES ? usual + 2 : first === ADAPTIVE_SERVICES ? 8 : usual;
  for (const at of new Set([length, usual, 0])) {
    const rest = data.subarray(at);
    const found = packet(rest) ?? behindSnap(rest) ?? behindPpp(rest) ?? guessed(rest, looksLikeIp);
    if (found !== undefined) return found;
  }
  return unread('Juniper frames without IP');
}

function behindSnap(data: Uint8Array): Outcome | undefined {
  const isSnap = data[0] === 0xaa && data[1] === 0xaa && data[2] === 0x03;
  const isNlpid = data[0] === 0xfe && data[1] === 0xfe && data[2] === 0x03;
  if (isSnap || isNlpid) return readLlc(data);
  return data[0] === 0x03 && (data[1] === 0xcc || data[1] === 0x8e) ? readNlpid(data.subarray(1)) : undefined;
}

/** The PPP protocols that carry packets, with the octets of HDLC in front or without. */
const PPP_PACKETS: ReadonlySet<number> = new Set([0x0021, 0x0057, 0x0281, 0xff03]);

function behindPpp(data: Uint8Array): Outcome | undefined {
  if (data.length < 4 || !PPP_PACKETS.has(viewOf(data).getUint16(0))) return undefined;
  return { kind: 'ppp', data };
}
