/**
 * Reassembles TCP streams from captured packets. All packets are known, so nothing is guessed from timing: missing octets are
 * a gap if no later packet of the stream has them.
 */
import { readCapture } from './capture.ts';
import type { Packet } from './capture.ts';
import { Fragments } from './ip.ts';
import { FRAGMENTS } from './ip.ts';
import type { PassedOver } from './layer.ts';
import { unread } from './layer.ts';
import { linkName } from './link-types.ts';
import { decodeFrame, type Endpoint, type TcpSegment } from './segment.ts';

/** Holds octets of one packet, in stream order. The chunks up to a gap, joined in order, are the stream. */
export interface Chunk {
  /** The packet's number in the file, from 1. */
  readonly packet: number;
  /** Milliseconds since the epoch, never before the previous chunk; undefined if the capture has no times. */
  readonly time: number | undefined;
  /** A view on the file. */
  readonly bytes: Uint8Array;
}

/** Describes octets that were sent but not captured. */
export interface Gap {
  /** The index of the next chunk; `chunks.length` if the gap is at the end. */
  readonly beforeChunk: number;
  /** The number of missing octets, at least 1. */
  readonly octets: number;
}

/** Holds one direction of a connection. */
export interface TcpStream {
  /** The connection's number, equal for both directions: 1, 2, 3, ... in order of the first packets. */
  readonly connection: number;
  readonly src: Endpoint;
  readonly dst: Endpoint;
  /** False if the capture began after the connection; the first octet may then be anywhere in a message. */
  readonly fromStart: boolean;
  /** The captured end of this direction; undefined if none. */
  readonly end: 'fin' | 'rst' | undefined;
  readonly chunks: readonly Chunk[];
  readonly gaps: readonly Gap[];
}

/** Counts packets of one kind without a TCP segment. */
export interface PassedOverCount extends PassedOver {
  /** The number of packets, at least 1. */
  readonly packets: number;
  /** The number of the first one in the file. */
  readonly first: number;
}

/** Holds the streams of a file. `problems` name packet number, offset and reason of what could not be read. */
export interface Streams {
  /** The streams in order of their first packets. An empty stream is listed if its SYN was captured. */
  readonly streams: readonly TcpStream[];
  readonly problems: readonly string[];
  /** Packets without a readable TCP segment, by content, the most frequent first. */
  readonly passedOver: readonly PassedOverCount[];
  /** The number of packets in the file. */
  readonly packets: number;
}

/** The largest receive window (RFC 7323 §2.3), in octets; a segment farther away does not belong to the stream. */
const LARGEST_WINDOW = 2 ** 30;

interface HeldSegment {
  /** The position of the first octet in the stream, from 0, without wrapping. */
  readonly position: number;
  readonly bytes: Uint8Array;
  readonly packet: Packet;
}

/** Holds a stream during reassembly. */
interface Direction {
  readonly connection: number;
  readonly src: Endpoint;
  readonly dst: Endpoint;
  fromStart: boolean;
  end: 'fin' | 'rst' | undefined;
  readonly chunks: Chunk[];
  readonly gaps: Gap[];
  /** The sequence number of position 0. */
  firstSequence: number;
  /** The position of the next expected octet. */
  next: number;
  /** The position after the last octet that any packet shows. */
  highest: number;
  /** Segments after missing octets, by position. */
  held: HeldSegment[];
}

interface CapturedConnection {
  readonly number: number;
  readonly directions: Map<string, Direction>;
}

/** Reads a capture file and reassembles its TCP streams. Never throws. */
export function readStreams(file: Uint8Array): Streams {
  const capture = readCapture(file);
  const read = reassembleTcp(capture.packets);
  return { ...read, problems: [...capture.problems, ...read.problems] };
}

/**
 * Reassembles TCP streams from packets in the order of capture. Handles reordering, retransmission, overlap (the first octets
 * win), wrapped sequence numbers, and ports that a later connection reuses.
 */
export function reassembleTcp(packets: readonly Packet[]): Streams {
  const connections = new Map<string, CapturedConnection>();
  const all: Direction[] = [];
  const problems: string[] = [];
  const reported = new Set<string>();
  const fragments = new Fragments();
  const passedOver = new Map<string, PassedOverCount>();
  let count = 0;

  const pass = ({ other, unread: hidden }: PassedOver, first: number, number = 1): void => {
    const known = passedOver.get(other);
    passedOver.set(other, {
      other,
      unread: hidden,
      packets: (known?.packets ?? 0) + number,
      first: known?.first ?? first,
    });
  };

  const open = (connection: CapturedConnection, from: string, segment: TcpSegment): Direction => {
    const direction = startDirection(connection.number, segment);
    connection.directions.set(from, direction);
    all.push(direction);
    return direction;
  };

  const directionOf = (segment: TcpSegment): Direction | undefined => {
    const from = endpointKey(segment.src);
    const to = endpointKey(segment.dst);
    const pair = from < to ? `${from} ${to}` : `${to} ${from}`;
    const connection = connections.get(pair);
    const known = connection?.directions.get(from);
    if (known !== undefined && !(segment.syn && isAnotherStart(known, segment))) return known;
    // Acknowledgments without data and resets do not start a stream: the former may be old, the latter carry no data.
    if (!segment.syn && (segment.rst || segment.payload.length === 0)) return undefined;
    if (connection !== undefined && known === undefined) return open(connection, from, segment);
    const fresh: CapturedConnection = { number: ++count, directions: new Map() };
    connections.set(pair, fresh);
    return open(fresh, from, segment);
  };

  for (const packet of packets) {
    const segment = decodeFrame(packet, fragments);
    if ('other' in segment) {
      pass(segment, packet.number);
      continue;
    }
    const where = `packet ${packet.number} at offset ${packet.offset}`;
    if ('problem' in segment) {
      if (segment.once === true) pass(unread(linkName(packet.linkType)), packet.number);
      if (segment.once === true && reported.has(segment.problem)) continue;
      reported.add(segment.problem);
      problems.push(`${where}: ${segment.problem}`);
      continue;
    }
    if (segment.cutOff > 0) {
      problems.push(`${where}: ${segment.cutOff} octets of the segment were not captured (snap length)`);
    }
    const direction = directionOf(segment);
    if (direction === undefined) continue;
    const problem = addSegment(direction, segment, packet);
    if (problem !== undefined) problems.push(`${where}: ${problem}`);
  }
  for (const direction of all) finish(direction);
  const whole = passedOver.get(FRAGMENTS);
  passedOver.delete(FRAGMENTS);
  // Fragments of reassembled packets are not counted.
  if (whole !== undefined && fragments.left > 0) pass(unread(LONE_FRAGMENTS), whole.first, fragments.left);
  return {
    streams: all.map(asStream),
    problems,
    passedOver: [...passedOver.values()].sort((a, b) => b.packets - a.packets),
    packets: packets.length,
  };
}

const LONE_FRAGMENTS = 'fragments of IP packets that were not captured completely';

function endpointKey({ address, port }: Endpoint): string {
  return `${address}|${port}`;
}

function startDirection(connection: number, segment: TcpSegment): Direction {
  return {
    connection,
    src: segment.src,
    dst: segment.dst,
    fromStart: segment.syn,
    end: undefined,
    chunks: [],
    gaps: [],
    firstSequence: (segment.sequence + (segment.syn ? 1 : 0)) >>> 0,
    next: 0,
    highest: 0,
    held: [],
  };
}

/** Returns true if a SYN has another initial sequence number, so a new connection reuses the ports. */
function isAnotherStart(direction: Direction, syn: TcpSegment): boolean {
  const first = (syn.sequence + 1) >>> 0;
  if (direction.firstSequence !== first) return true;
  direction.fromStart = true;
  return false;
}

/** Returns the position of a sequence number: the one nearest to the last octet, because 32 bits wrap (RFC 9293 §3.4). */
function positionOf(direction: Direction, sequence: number): number {
  return direction.highest + ((sequence - direction.firstSequence - direction.highest) | 0);
}

function addSegment(direction: Direction, segment: TcpSegment, packet: Packet): string | undefined {
  if (segment.rst) {
    direction.end ??= 'rst';
    return undefined;
  }
  const position = positionOf(direction, segment.sequence) + (segment.syn ? 1 : 0);
  if (Math.abs(position - direction.highest) > LARGEST_WINDOW) {
    return `sequence number ${segment.sequence} is far outside the stream's window; the segment is skipped`;
  }
  const behind = Math.min(-position, segment.payload.length);
  const problem =
    behind > 0 && !direction.fromStart
      ? `${behind} octets from before the stream's first packet are skipped`
      : undefined;
  if (segment.fin) direction.end ??= 'fin';
  // Ignores acknowledgments without data: after a FIN, their sequence number is one higher than the octets sent.
  const end = position + segment.payload.length + segment.cutOff;
  if (end > position || segment.fin) direction.highest = Math.max(direction.highest, end);
  if (segment.payload.length === 0) return problem;
  const held: HeldSegment = { position, bytes: segment.payload, packet };
  if (position > direction.next) {
    hold(direction, held);
    return undefined;
  }
  deliver(direction, held);
  let taken = 0;
  for (const ahead of direction.held) {
    if (ahead.position > direction.next) break;
    deliver(direction, ahead);
    taken++;
  }
  if (taken > 0) direction.held = direction.held.slice(taken);
  return problem;
}

/** Inserts a segment into `held` by position, after segments of the same position. */
function hold(direction: Direction, segment: HeldSegment): void {
  const { held } = direction;
  let low = 0;
  let high = held.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const other = held[middle];
    if (other !== undefined && other.position <= segment.position) low = middle + 1;
    else high = middle;
  }
  if (low === held.length) held.push(segment);
  else held.splice(low, 0, segment);
}

/** Appends the new octets of a segment that begins at or before `next`. */
function deliver(direction: Direction, { position, bytes, packet }: HeldSegment): void {
  const known = direction.next - position;
  if (known >= bytes.length) return;
  const before = direction.chunks.at(-1)?.time;
  const time =
    packet.time !== undefined && before !== undefined ? Math.max(packet.time, before) : packet.time;
  direction.chunks.push({ packet: packet.number, time, bytes: bytes.subarray(known) });
  direction.next = position + bytes.length;
}

/** Turns all missing octets into gaps, after the last packet. */
function finish(direction: Direction): void {
  const skipTo = (position: number): void => {
    if (position <= direction.next) return;
    direction.gaps.push({ beforeChunk: direction.chunks.length, octets: position - direction.next });
    direction.next = position;
  };
  for (const held of direction.held) {
    skipTo(held.position);
    deliver(direction, held);
  }
  direction.held = [];
  skipTo(direction.highest);
}

function asStream({ connection, src, dst, fromStart, end, chunks, gaps }: Direction): TcpStream {
  return { connection, src, dst, fromStart, end, chunks, gaps };
}
