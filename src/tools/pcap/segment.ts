/** Reads the TCP segment of a captured frame (RFC 9293 §3.1), through links and tunnels. */
import { readEthernet, readLlc } from './ethernet.ts';
import { type Fragments, readIp } from './ip.ts';
import type { FrameProblem, Layer, LayerOutcome, PassedOver, TcpBytes } from './layer.ts';
import { unread, viewOf } from './layer.ts';
import { readLink } from './link-types.ts';
import type { Packet } from './capture.ts';
import { readFrameRelay, readHdlc, readMpls, readPpp, readPppoe } from './serial.ts';
import { readGre, readNsh, readUdp } from './tunnel.ts';

/** Holds one end of a connection; `address` is canonical text. */
export interface Endpoint {
  readonly address: string;
  readonly port: number;
}

export interface TcpSegment {
  readonly src: Endpoint;
  readonly dst: Endpoint;
  /** The sequence number of the first octet, or of the SYN. */
  readonly sequence: number;
  readonly syn: boolean;
  readonly fin: boolean;
  readonly rst: boolean;
  /** The captured payload: a view on the file. */
  readonly payload: Uint8Array;
  /** The number of octets of the payload that a snap length cut off. */
  readonly cutOff: number;
}

/** Bounds the layers of a frame; no real network stacks more. */
const DEEPEST = 24;

/** Returns a frame's TCP segment; undefined if the frame contains something else, such as ARP or UDP. */
export function decodeSegment(packet: Packet): TcpSegment | FrameProblem | undefined {
  const frame = decodeFrame(packet);
  return 'other' in frame ? undefined : frame;
}

/**
 * Returns a frame's TCP segment, or what the frame contains instead. Reads through tunnels to the innermost segment.
 * `fragments` collects IP fragments from frame to frame; without it, they are problems.
 */
export function decodeFrame(packet: Packet, fragments?: Fragments): TcpSegment | FrameProblem | PassedOver {
  let outcome = readLink(packet.linkType, packet.data);
  for (let depth = 0; depth < DEEPEST; depth++) {
    if ('problem' in outcome || 'other' in outcome) return outcome;
    if (outcome.kind === 'tcp') return readTcp(outcome);
    outcome = readLayer(outcome, fragments);
  }
  return unread(`more than ${DEEPEST} layers of headers`);
}

function readLayer({ kind, data }: Layer, fragments: Fragments | undefined): LayerOutcome {
  switch (kind) {
    case 'ethernet':
      return readEthernet(data);
    case 'llc':
      return readLlc(data);
    case 'ip':
      return readIp(data, fragments);
    case 'mpls':
      return readMpls(data);
    case 'ppp':
      return readPpp(data);
    case 'pppoe':
      return readPppoe(data);
    case 'hdlc':
      return readHdlc(data);
    case 'frame-relay':
      return readFrameRelay(data);
    case 'gre':
      return readGre(data);
    case 'nsh':
      return readNsh(data);
    case 'udp':
      return readUdp(data);
  }
}

function readTcp({ src, dst, bytes, cutOff }: TcpBytes): TcpSegment | FrameProblem {
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
    src: { address: src, port: view.getUint16(0) },
    dst: { address: dst, port: view.getUint16(2) },
    sequence: view.getUint32(4),
    fin: (flags & 0x01) !== 0,
    syn: (flags & 0x02) !== 0,
    rst: (flags & 0x04) !== 0,
    // Skips the options, such as MD5 signatures (RFC 2385), after the fixed header.
    payload: bytes.subarray(headerLength),
    cutOff,
  };
}
