/** Reads tunnels: GRE with ERSPAN, NSH, and tunnels over UDP. */
import { behindEtherType } from './ethernet.ts';
import type { LayerKind, LayerOutcome } from './layer.ts';
import { endsWithin, hexNumber, unread, viewOf, without } from './layer.ts';

const GRE_CHECKSUM = 0x8000;
const GRE_ROUTING = 0x4000;
const GRE_KEY = 0x2000;
const GRE_SEQUENCE = 0x1000;
const GRE_ACKNOWLEDGMENT = 0x0080;

const ERSPAN_II = 0x88be;
const ERSPAN_III = 0x22eb;

/** Reads GRE (RFC 2784, RFC 2890), its older form with a routing field (RFC 1701), and PPTP's form (RFC 2637 §4.1). */
export function readGre(data: Uint8Array): LayerOutcome {
  if (data.length < 4) return endsWithin('a GRE header');
  const view = viewOf(data);
  const flags = view.getUint16(0);
  const protocol = view.getUint16(2);
  const has = (flag: number): boolean => (flags & flag) !== 0;
  if ((flags & 7) === 1) {
    const header = 8 + (has(GRE_SEQUENCE) ? 4 : 0) + (has(GRE_ACKNOWLEDGMENT) ? 4 : 0);
    if (data.length <= header) return without('PPTP without a payload');
    return { kind: 'ppp', data: data.subarray(header) };
  }
  if ((flags & 7) !== 0) return unread(`GRE version ${flags & 7}`);
  let at = 4;
  if (has(GRE_CHECKSUM) || has(GRE_ROUTING)) at += 4;
  if (has(GRE_KEY)) at += 4;
  if (has(GRE_SEQUENCE)) at += 4;
  if (has(GRE_ROUTING)) {
    // Routing entries (RFC 1701): family, offset, length and value; an entry of length 0 is the last.
    while (at + 4 <= data.length && data[at + 3] !== 0) at += 4 + (data[at + 3] ?? 0);
    at += 4;
  }
  if (at > data.length) return endsWithin('a GRE header');
  const rest = data.subarray(at);
  if (protocol === ERSPAN_II) return readErspan(rest, has(GRE_SEQUENCE) ? 8 : 0);
  if (protocol === ERSPAN_III) return readErspanIII(rest);
  if (protocol === 0) return without('GRE keepalives');
  // Lower numbers are GRE's own, not EtherTypes: RFC 1701 assigns 0x00fe to OSI.
  if (protocol < 0x0600) return without('GRE without IP');
  const next = behindEtherType(protocol, rest);
  return 'other' in next && next.unread ? unread(`GRE protocol ${hexNumber(protocol)}`) : next;
}

/** Reads ERSPAN (draft-foschiano-erspan): type I has no header and no GRE sequence number, type II a header of 8 octets. */
function readErspan(data: Uint8Array, header: 0 | 8): LayerOutcome {
  if (data.length < header) return endsWithin('an ERSPAN header');
  return { kind: 'ethernet', data: data.subarray(header) };
}

/** Reads ERSPAN type III: 12 octets, 8 more if the last bit is set; the frame may be Ethernet or IP. */
function readErspanIII(data: Uint8Array): LayerOutcome {
  if (data.length < 12) return endsWithin('an ERSPAN header');
  const field = viewOf(data).getUint16(10);
  const header = (field & 1) === 0 ? 12 : 20;
  if (data.length < header) return endsWithin('an ERSPAN header');
  const frameType = (field >>> 10) & 0x1f;
  return { kind: frameType === 2 ? 'ip' : 'ethernet', data: data.subarray(header) };
}

/** The next protocols of NSH (RFC 8300 §2.2), also used by VXLAN-GPE. */
const NEXT_PROTOCOLS: readonly (LayerKind | undefined)[] = [undefined, 'ip', 'ip', 'ethernet', 'nsh', 'mpls'];

/** Reads a service header (RFC 8300 §2.2), whose length is in 4-octet words. */
export function readNsh(data: Uint8Array): LayerOutcome {
  const length = ((data[1] ?? 0) & 0x3f) * 4;
  if (data.length < 8 || length < 8 || data.length < length) return endsWithin('a service header (NSH)');
  return nextProtocol(data[3] ?? 0, data.subarray(length));
}

function nextProtocol(protocol: number, data: Uint8Array): LayerOutcome {
  const kind = NEXT_PROTOCOLS[protocol];
  return kind === undefined ? unread(`protocol ${protocol} in NSH or VXLAN`) : { kind, data };
}

/** Reads UDP (RFC 768). Recognizes a tunnel by its destination port; anything that is not valid as one is other UDP. */
export function readUdp(data: Uint8Array): LayerOutcome {
  if (data.length < 8) return without('UDP');
  const read = TUNNELS.get(viewOf(data).getUint16(2));
  return read?.(data.subarray(8)) ?? without('UDP');
}

const TUNNELS: ReadonlyMap<number, (data: Uint8Array) => LayerOutcome | undefined> = new Map([
  [4789, vxlan], // RFC 7348
  [8472, vxlan], // the port that Linux had first
  [4790, vxlan], // VXLAN-GPE
  [6081, geneve], // RFC 8926
  [6635, (data: Uint8Array): LayerOutcome => ({ kind: 'mpls', data })], // RFC 7510
  [4754, greInUdp],
  [2152, gtp],
  [1701, l2tp],
  [37008, tzsp],
  [4500, espInUdp],
  [4755, (): LayerOutcome => unread('GRE in DTLS (encrypted)')],
  [51820, (): LayerOutcome => unread('WireGuard (encrypted)')],
]);

/** Reads VXLAN (RFC 7348 §5); with the P bit of VXLAN-GPE, the fourth octet names the next protocol. */
function vxlan(data: Uint8Array): LayerOutcome | undefined {
  const flags = data[0] ?? 0;
  // The I bit must be set; the bits that no extension uses, and the last octet, must be zero.
  if (data.length < 8 || (flags & 0x3a) !== 0x08 || data[7] !== 0) return undefined;
  const rest = data.subarray(8);
  return (flags & 0x04) === 0 ? { kind: 'ethernet', data: rest } : nextProtocol(data[3] ?? 0, rest);
}

/** Reads GRE in UDP (RFC 8086 §3): GRE version 0 with reserved bits of zero. */
function greInUdp(data: Uint8Array): LayerOutcome | undefined {
  const reserved = data.length < 4 ? 1 : viewOf(data).getUint16(0) & 0x4fff;
  return reserved === 0 ? { kind: 'gre', data } : undefined;
}

/** Reads Geneve (RFC 8926 §3.4): options in 4-octet words, then the protocol of the EtherType. */
function geneve(data: Uint8Array): LayerOutcome | undefined {
  const first = data[0] ?? 0;
  const header = 8 + (first & 0x3f) * 4;
  if (first >>> 6 !== 0 || data.length < header) return undefined;
  return behindEtherType(viewOf(data).getUint16(2), data.subarray(header));
}

/** Reads a GTP user packet (3GPP TS 29.281 §5.1), with extension headers in 4-octet words. */
function gtp(data: Uint8Array): LayerOutcome | undefined {
  const flags = data[0] ?? 0;
  if (data.length < 12 || flags >>> 4 !== 3 || data[1] !== 0xff) return undefined;
  if ((flags & 7) === 0) return { kind: 'ip', data: data.subarray(8) };
  let at = 12;
  for (let next = (flags & 4) === 0 ? 0 : (data[11] ?? 0); next !== 0; ) {
    const length = (data[at] ?? 0) * 4;
    if (length === 0 || at + length > data.length) return undefined;
    next = data[at + length - 1] ?? 0;
    at += length;
  }
  return { kind: 'ip', data: data.subarray(at) };
}

/** Reads L2TP (RFC 2661 §3.1), whose data messages carry PPP. */
function l2tp(data: Uint8Array): LayerOutcome | undefined {
  if (data.length < 6) return undefined;
  const view = viewOf(data);
  const flags = view.getUint16(0);
  if ((flags & 0xf) !== 2 || (flags & 0x8000) !== 0) return undefined;
  let at = 6 + ((flags & 0x4000) === 0 ? 0 : 2) + ((flags & 0x0800) === 0 ? 0 : 4);
  if ((flags & 0x0200) !== 0) at = at + 2 <= data.length ? at + 2 + view.getUint16(at) : data.length;
  return at < data.length ? { kind: 'ppp', data: data.subarray(at) } : undefined;
}

/** Reads TZSP, with which RouterOS and others stream captures: 4 octets, tags up to an end tag, a frame. */
function tzsp(data: Uint8Array): LayerOutcome | undefined {
  const isEthernet = data[0] === 1 && data[2] === 0 && data[3] === 1;
  if (!isEthernet) return undefined;
  for (let at = 4; at < data.length; ) {
    const tag = data[at];
    if (tag === 1) return { kind: 'ethernet', data: data.subarray(at + 1) };
    at += tag === 0 ? 1 : 2 + (data[at + 1] ?? 0);
  }
  return undefined;
}

/** Reads ESP in UDP (RFC 3948 §2): 4 octets of zero precede IKE; one octet of 0xff is a keepalive. */
function espInUdp(data: Uint8Array): LayerOutcome | undefined {
  if (data.length < 8 || viewOf(data).getUint32(0) === 0) return undefined;
  return unread('ESP in UDP (encrypted)');
}
