/**
 * Finds BGP messages in captured TCP streams. After a bad message it resumes at the next marker, so that one error does not
 * hide the remaining messages. Pure.
 */
import { checkHeader } from '../../bgp/wire/framing.ts';
import { HEADER_LENGTH } from '../../bgp/wire/message-length.ts';
import { ErrorCode, HeaderSubcode, NotificationError } from '../../bgp/wire/notification.ts';
import { countWords } from '../../net/text.ts';
import { concatBytes } from '../../net/bytes.ts';
import { endpointText } from '../../net/text.ts';
import type { Chunk, TcpStream } from '../pcap/reassemble.ts';

/** Holds contiguous octets of a stream. */
export interface Stretch {
  readonly octets: Uint8Array;
  readonly chunks: readonly Chunk[];
  /** False if the first octet may be in the middle of a message. */
  readonly inStep: boolean;
}

/** Holds a message that is not decoded yet. */
export interface RawMessage {
  readonly stream: TcpStream;
  /** The number of the packet that completed it, and its time (ms since the epoch; undefined if the capture has no times). */
  readonly packet: number;
  readonly time: number | undefined;
  /** The octets, with the header; after a broken header, the octets up to the next marker. */
  readonly octets: Uint8Array;
  /** The error in the header; then the rest cannot be read. */
  readonly broken?: NotificationError;
  /** The message type, if it is not one that is decoded. */
  readonly unknownType?: number;
}

const MARKER_LENGTH = 16;
const TYPE_OFFSET = HEADER_LENGTH - 1;

/** Lists the types that mark a plausible header: the assigned ones, dynamic capabilities (6), Cisco's route refresh (128). */
const TYPES: ReadonlySet<number> = new Set([1, 2, 3, 4, 5, 6, 128]);

/** Returns a stream's contiguous parts between the gaps of the capture. */
export function stretchesOf(stream: TcpStream): readonly Stretch[] {
  const cuts = stream.gaps.map((gap) => gap.beforeChunk);
  const edges = [0, ...cuts, stream.chunks.length];
  return edges.slice(1).flatMap((end, i) => {
    const chunks = stream.chunks.slice(edges[i], end);
    if (chunks.length === 0) return [];
    const octets = concatBytes(chunks.map((chunk) => chunk.bytes));
    return [{ octets, chunks, inStep: stream.fromStart && edges[i] === 0 && !cuts.includes(0) }];
  });
}

/** Returns the offset of the first whole message; the stretch's length if there is none. */
export function beginOf({ octets, inStep }: Stretch): number {
  return inStep ? 0 : (findMarker(octets, 0) ?? octets.length);
}

/**
 * Returns true if a stretch looks like BGP: it contains a header, or begins like a damaged or truncated one, with most of a
 * marker or with a plausible length and type.
 */
export function looksLikeBgp({ octets, inStep }: Stretch): boolean {
  if (findMarker(octets, 0) !== undefined) return true;
  if (!inStep) return false;
  const head = octets.subarray(0, MARKER_LENGTH);
  const ones = head.filter((octet) => octet === 0xff).length;
  if (ones * 2 >= head.length) return true;
  const length = lengthAt(octets, 0);
  return length >= HEADER_LENGTH && length <= octets.length && TYPES.has(octets[TYPE_OFFSET] ?? 0);
}

/** Returns the messages of a stretch, and remarks on octets that are not a whole message. */
export function readStretch(
  stream: TcpStream,
  stretch: Stretch,
  extendedMessages: boolean,
): { readonly messages: readonly RawMessage[]; readonly remarks: readonly string[] } {
  const { octets } = stretch;
  const messages: RawMessage[] = [];
  const remarks: string[] = [];
  const packetAt = packetFinder(stretch);
  let at = beginOf(stretch);
  if (at > 0)
    remarks.push(
      `${countWords(at, 'octet')} before the first whole message ${at === 1 ? 'is' : 'are'} skipped`,
    );
  const add = (end: number, what: Pick<RawMessage, 'broken' | 'unknownType'>): void => {
    const { packet, time } = packetAt(end - 1);
    messages.push({ stream, packet, time, octets: octets.subarray(at, end), ...what });
    at = end;
  };
  while (octets.length - at >= HEADER_LENGTH) {
    const header = readHeader(octets, at, extendedMessages);
    if (header instanceof NotificationError) {
      add(findMarker(octets, at + 1) ?? octets.length, { broken: header });
      continue;
    }
    const { length, unknownType } = header;
    if (length > octets.length - at) break;
    add(at + length, unknownType === undefined ? {} : { unknownType });
  }
  const left = octets.length - at;
  if (left > 0)
    remarks.push(
      left === 1
        ? 'the last octet is not a whole message'
        : `the last ${left} octets are not a whole message`,
    );
  return { messages, remarks };
}

interface Header {
  readonly length: number;
  readonly unknownType?: number;
}

function readHeader(octets: Uint8Array, at: number, extendedMessages: boolean): Header | NotificationError {
  try {
    return { length: checkHeader(octets, at, extendedMessages) };
  } catch (error) {
    if (!(error instanceof NotificationError)) throw error;
    if (error.code !== ErrorCode.MessageHeader || error.subcode !== HeaderSubcode.BadMessageType)
      return error;
  }
  // Two speakers may have negotiated a type that is unknown here. checkHeader() checks the length before the type.
  const length = lengthAt(octets, at);
  const unknownType = octets[at + TYPE_OFFSET] ?? 0;
  if (length !== 0xffff || unknownType !== 0xff) return { length, unknownType };
  return new NotificationError(
    ErrorCode.MessageHeader,
    HeaderSubcode.ConnectionNotSynchronized,
    'more octets of 0xff than a marker has',
  );
}

function lengthAt(octets: Uint8Array, at: number): number {
  return ((octets[at + MARKER_LENGTH] ?? 0) << 8) | (octets[at + MARKER_LENGTH + 1] ?? 0);
}

/** Returns the offset of the next plausible header, from `from` on. */
function findMarker(octets: Uint8Array, from: number): number | undefined {
  let run = 0;
  for (let i = from; i < octets.length; i++) {
    run = octets[i] === 0xff ? run + 1 : 0;
    if (run < MARKER_LENGTH || i + 3 >= octets.length) continue;
    const start = i - MARKER_LENGTH + 1;
    if (lengthAt(octets, start) >= HEADER_LENGTH && TYPES.has(octets[i + 3] ?? 0)) return start;
  }
  return undefined;
}

/** Returns a function that finds the packet of the octet at an offset. Offsets must not decrease. */
function packetFinder(stretch: Stretch): (offset: number) => Chunk {
  let index = 0;
  let end = stretch.chunks[0]?.bytes.length ?? 0;
  return (offset) => {
    while (offset >= end && index < stretch.chunks.length - 1) {
      index++;
      end += stretch.chunks[index]?.bytes.length ?? 0;
    }
    const chunk = stretch.chunks[index];
    if (chunk === undefined) throw new RangeError(`no packet contains the octet ${offset}`);
    return chunk;
  };
}

/** Formats a direction: `SOURCE -> DESTINATION`. */
export function endpoints({ src, dst }: TcpStream): string {
  return `${endpointText(src.address, src.port)} -> ${endpointText(dst.address, dst.port)}`;
}
