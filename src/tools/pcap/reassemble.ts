/**
 * TCP streams out of captured packets. Everything is known beforehand, so nothing is guessed from timing: a hole is a
 * gap when no later packet of the stream fills it.
 */
import { readCapture } from './capture.ts';
import type { Packet } from './capture.ts';
import { Fragments } from './ip.ts';
import { FRAGMENTS } from './ip.ts';
import type { PassedOver } from './layer.ts';
import { unread } from './layer.ts';
import { linkName } from './link.ts';
import { decodeFrame, type Endpoint, type TcpSegment } from './segment.ts';

/** Octets of one packet, in stream order. Joined in order, the chunks up to a gap are the stream. */
export interface Chunk {
  /** Number of the packet in the file, from 1. */
  readonly packet: number;
  /** Milliseconds since the epoch, never less than that of the chunk before; null when the capture has no times. */
  readonly time: number | null;
  /** A view on the file. */
  readonly bytes: Uint8Array;
}

/** Octets that were sent and that no packet of the capture has. */
export interface Gap {
  /** Index of the chunk that follows; `chunks.length` when the gap is at the end. */
  readonly beforeChunk: number;
  /** How many are missing; at least 1. */
  readonly octets: number;
}

/** One direction of one connection. */
export interface TcpStream {
  /** The same for both directions of a connection; 1, 2, 3, ... in order of their first packets. */
  readonly connection: number;
  readonly src: Endpoint;
  readonly dst: Endpoint;
  /** False when the capture began in the middle: the first octet may then be anywhere in a message. */
  readonly fromStart: boolean;
  /** How this direction was seen to end. */
  readonly end: 'fin' | 'rst' | null;
  readonly chunks: readonly Chunk[];
  readonly gaps: readonly Gap[];
}

/** Packets of one kind that gave no TCP segment. */
export interface PassedOverCount extends PassedOver {
  /** How many there are; at least 1. */
  readonly packets: number;
  /** Number of the first of them in the file. */
  readonly first: number;
}

/** `problems` say, with packet number and offset in the file, what could not be read and why. */
export interface Streams {
  /** In order of their first packets. A stream that carried nothing is listed when its SYN was seen. */
  readonly streams: readonly TcpStream[];
  readonly problems: readonly string[];
  /** Packets without a TCP segment that could be read, by what they carry, the most frequent first. */
  readonly passedOver: readonly PassedOverCount[];
  /** Packets that the file has in all. */
  readonly packets: number;
}

/** A receive window is at most 2^30 octets (RFC 7323 §2.3); what is farther off belongs to no stream we know. */
const LARGEST_WINDOW = 2 ** 30;

interface Held {
  /** Position of the first octet in the stream, from 0, without wrapping. */
  readonly position: number;
  readonly bytes: Uint8Array;
  readonly packet: Packet;
}

/** A stream in the making. */
interface Direction {
  readonly connection: number;
  readonly src: Endpoint;
  readonly dst: Endpoint;
  fromStart: boolean;
  end: 'fin' | 'rst' | null;
  readonly chunks: Chunk[];
  readonly gaps: Gap[];
  /** Sequence number of position 0. */
  firstSequence: number;
  /** Position of the next octet wanted. */
  next: number;
  /** Position behind the last octet that any packet spoke of. */
  highest: number;
  /** Segments ahead of a hole, by position. */
  held: Held[];
}

interface Connection {
  readonly number: number;
  readonly directions: Map<string, Direction>;
}

/** Reads a capture file and puts its TCP streams together. Never throws. */
export function readStreams(file: Uint8Array): Streams {
  const capture = readCapture(file);
  const read = reassembleTcp(capture.packets);
  return { ...read, problems: [...capture.problems, ...read.problems] };
}

/**
 * Puts TCP streams together from packets in the order of capture: reordering, retransmission and overlap (what
 * was put together stays), sequence numbers that wrap, and ports used again by a later connection.
 */
export function reassembleTcp(packets: readonly Packet[]): Streams {
  const connections = new Map<string, Connection>();
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

  const open = (connection: Connection, from: string, segment: TcpSegment): Direction => {
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
    // Bare acknowledgements and resets do not start a stream: the former may be stale, the latter carry no data.
    if (!segment.syn && (segment.rst || segment.payload.length === 0)) return undefined;
    if (connection !== undefined && known === undefined) return open(connection, from, segment);
    const fresh: Connection = { number: ++count, directions: new Map() };
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
  // Fragments whose packets were put together hide nothing.
  if (whole !== undefined && fragments.left > 0) pass(unread(LONE_FRAGMENTS), whole.first, fragments.left);
  return {
    streams: all.map(asStream),
    problems,
    passedOver: [...passedOver.values()].sort((a, b) => b.packets - a.packets),
    packets: packets.length,
  };
}

const LONE_FRAGMENTS = 'fragments of IP packets of which the rest was not captured';

function endpointKey({ address, port }: Endpoint): string {
  return `${address}|${port}`;
}

function startDirection(connection: number, segment: TcpSegment): Direction {
  return {
    connection,
    src: segment.src,
    dst: segment.dst,
    fromStart: segment.syn,
    end: null,
    chunks: [],
    gaps: [],
    firstSequence: (segment.sequence + (segment.syn ? 1 : 0)) >>> 0,
    next: 0,
    highest: 0,
    held: [],
  };
}

/** True when a SYN does not belong to this stream: another initial sequence number, so the ports are used again. */
function isAnotherStart(direction: Direction, syn: TcpSegment): boolean {
  const first = (syn.sequence + 1) >>> 0;
  if (direction.firstSequence !== first) return true;
  direction.fromStart = true;
  return false;
}

/** Position of a sequence number: the nearest to what was seen last, as 32 bits wrap (RFC 9293 §3.4). */
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
    return `sequence number ${segment.sequence} is far outside of the stream's window; the segment is left out`;
  }
  const behind = Math.min(-position, segment.payload.length);
  const problem =
    behind > 0 && !direction.fromStart
      ? `${behind} octets from before the first packet of the stream are left out`
      : undefined;
  if (segment.fin) direction.end ??= 'fin';
  // Not for bare acknowledgements: behind a FIN theirs is one higher than the octets that were sent.
  const end = position + segment.payload.length + segment.cutOff;
  if (end > position || segment.fin) direction.highest = Math.max(direction.highest, end);
  if (segment.payload.length === 0) return problem;
  const held: Held = { position, bytes: segment.payload, packet };
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

/** Keeps `held` sorted by position; of equal positions the first seen stays first. */
function hold(direction: Direction, segment: Held): void {
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

/** Appends what is new in a segment that begins at or before `next`. */
function deliver(direction: Direction, { position, bytes, packet }: Held): void {
  const known = direction.next - position;
  if (known >= bytes.length) return;
  const before = direction.chunks.at(-1)?.time ?? null;
  const time = packet.time !== null && before !== null ? Math.max(packet.time, before) : packet.time;
  direction.chunks.push({ packet: packet.number, time, bytes: bytes.subarray(known) });
  direction.next = position + bytes.length;
}

/** No more packets will come: every hole is a gap. */
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
