/**
 * BGP out of captured TCP streams: where messages begin and end, and what both sides had negotiated when each was sent.
 * Pure. A stream that is out of step finds the next marker again, so that one bad message does not hide the rest.
 */
import { checkHeader, messageType } from '../bgp/wire/framing.ts';
import { AttributeType, MessageType } from '../bgp/wire/iana.ts';
import { HEADER_LENGTH } from '../bgp/wire/limits.ts';
import { decodeMessage } from '../bgp/wire/message.ts';
import { NotificationError } from '../bgp/wire/notification.ts';
import { findCapability, peerAsn } from '../bgp/wire/open.ts';
import type { BgpMessage, CodecContext, OpenMessage } from '../bgp/wire/types.ts';
import { concatBytes } from '../net/bytes.ts';
import type { Chunk, TcpStream } from '../pcap/reassemble.ts';

/** A message as captured, or why there is none. */
export interface CapturedMessage {
  readonly stream: TcpStream;
  /** Number of the packet that completed it, and its time (ms since the epoch; null when the capture has none). */
  readonly packet: number;
  readonly time: number | null;
  /** The octets, header included; of a broken header those up to the next marker. */
  readonly octets: Uint8Array;
  readonly result: BgpMessage | NotificationError;
}

/** The messages of all BGP connections in the order in which they were completed, and remarks on what is no message. */
export interface Conversation {
  readonly messages: readonly CapturedMessage[];
  readonly remarks: readonly string[];
}

const MARKER_LENGTH = 16;
const BGP_PORT = 179;

/** Reads every connection that speaks BGP: on port 179, or on any port where a header of BGP is seen. */
export function readConversation(streams: readonly TcpStream[]): Conversation {
  const connections = new Map<number, TcpStream[]>();
  for (const stream of streams) {
    const known = connections.get(stream.connection);
    if (known === undefined) connections.set(stream.connection, [stream]);
    else known.push(stream);
  }
  const messages: CapturedMessage[] = [];
  const remarks: string[] = [];
  for (const directions of connections.values()) {
    const stretches = directions.map((stream) => stretchesOf(stream));
    if (!speaksBgp(directions, stretches)) {
      if (stretches.some((list) => list.length > 0)) remarks.push(`${endpoints(directions[0])} is not BGP`);
      continue;
    }
    const agreed = negotiated(stretches);
    for (const [i, stream] of directions.entries()) {
      for (const stretch of stretches[i] ?? []) readStretch(stream, stretch, agreed, messages, remarks);
    }
  }
  messages.sort((a, b) => a.packet - b.packet);
  return { messages, remarks };
}

/** Octets without a hole between them. */
interface Stretch {
  readonly octets: Uint8Array;
  readonly chunks: readonly Chunk[];
  /** False when a message may have begun before. */
  readonly inStep: boolean;
}

function stretchesOf(stream: TcpStream): readonly Stretch[] {
  const cuts = stream.gaps.map((gap) => gap.beforeChunk);
  const edges = [0, ...cuts, stream.chunks.length];
  return edges.slice(1).flatMap((end, i) => {
    const chunks = stream.chunks.slice(edges[i], end);
    if (chunks.length === 0) return [];
    const octets = concatBytes(chunks.map((chunk) => chunk.bytes));
    return [{ octets, chunks, inStep: stream.fromStart && edges[i] === 0 && !cuts.includes(0) }];
  });
}

function speaksBgp(directions: readonly TcpStream[], stretches: readonly (readonly Stretch[])[]): boolean {
  if (directions.some(({ src, dst }) => src.port === BGP_PORT || dst.port === BGP_PORT)) return true;
  return stretches.flat().some(({ octets }) => findMarker(octets, 0) !== undefined);
}

/** How messages are to be read; `internal` says nothing where `sidesKnown` is false. */
interface Agreed extends CodecContext {
  /** Both OPENs were captured, so that the AS of each side is known. */
  readonly sidesKnown: boolean;
}

/**
 * What holds once both OPENs were exchanged. Where the capture has only one of them, the other side is taken to agree; where
 * it has none, 4-octet AS numbers and long messages are, because that is what sessions of today negotiate.
 */
function negotiated(stretches: readonly (readonly Stretch[])[]): Agreed {
  const opens = stretches.flatMap((list) => firstOpen(list) ?? []);
  const all = (type: 'four-octet-as' | 'extended-message'): boolean =>
    opens.every((open) => findCapability(open, type) !== undefined);
  const [one, other] = opens;
  const sidesKnown = one !== undefined && other !== undefined;
  return {
    fourOctetAs: all('four-octet-as'),
    extendedMessages: all('extended-message'),
    internal: sidesKnown && peerAsn(one) === peerAsn(other),
    sidesKnown,
  };
}

/** The OPEN with which a direction begins, or which is the first whole message where the capture began in the middle. */
function firstOpen(stretches: readonly Stretch[]): OpenMessage | undefined {
  const [stretch] = stretches;
  if (stretch === undefined) return undefined;
  const at = beginOf(stretch);
  const octets = stretch.octets.subarray(at);
  if (octets.length < HEADER_LENGTH) return undefined;
  try {
    const length = checkHeader(octets, 0, false);
    if (messageType(octets) !== MessageType.Open || length > octets.length) return undefined;
    const message = decodeMessage(octets.subarray(0, length), PLAIN);
    return message.type === 'open' ? message : undefined;
  } catch (error) {
    if (error instanceof NotificationError) return undefined;
    throw error;
  }
}

/** Where the first message of a stretch begins that can be read from its beginning. */
function beginOf({ octets, inStep }: Stretch): number {
  return inStep ? 0 : (findMarker(octets, 0) ?? octets.length);
}

const PLAIN: CodecContext = { fourOctetAs: false, extendedMessages: false, internal: false };

function readStretch(
  stream: TcpStream,
  stretch: Stretch,
  agreed: Agreed,
  messages: CapturedMessage[],
  remarks: string[],
): void {
  const { octets } = stretch;
  const packetAt = packetFinder(stretch);
  let at = beginOf(stretch);
  if (at > 0) remarks.push(`${endpoints(stream)}: ${at} octets before the first whole message are left out`);
  const add = (end: number, result: CapturedMessage['result']): void => {
    const { packet, time } = packetAt(end - 1);
    messages.push({ stream, packet, time, octets: octets.subarray(at, end), result });
    at = end;
  };
  while (octets.length - at >= HEADER_LENGTH) {
    let length: number;
    try {
      length = checkHeader(octets, at, agreed.extendedMessages);
    } catch (error) {
      if (!(error instanceof NotificationError)) throw error;
      add(findMarker(octets, at + 1) ?? octets.length, error);
      continue;
    }
    if (length > octets.length - at) break;
    add(at + length, decode(octets.subarray(at, at + length), agreed));
  }
  const left = octets.length - at;
  if (left > 0) remarks.push(`${endpoints(stream)}: the last ${left} octets are not a whole message`);
}

function decode(octets: Uint8Array, agreed: Agreed): BgpMessage | NotificationError {
  try {
    const message = decodeMessage(octets, agreed);
    return !agreed.sidesKnown && isInternal(message)
      ? decodeMessage(octets, { ...agreed, internal: true })
      : message;
  } catch (error) {
    if (error instanceof NotificationError) return error;
    throw error;
  }
}

/** LOCAL_PREF goes to internal peers alone (RFC 4271 §5.1.5): whoever was sent it is one, where no OPEN tells. */
function isInternal(message: BgpMessage): boolean {
  return (
    message.type === 'update' &&
    message.problems.some(({ attribute }) => attribute === AttributeType.LocalPref)
  );
}

/** The next place, from `from` on, at which a plausible header begins. */
function findMarker(octets: Uint8Array, from: number): number | undefined {
  let run = 0;
  for (let i = from; i < octets.length; i++) {
    run = octets[i] === 0xff ? run + 1 : 0;
    if (run < MARKER_LENGTH || i + 3 >= octets.length) continue;
    const start = i - MARKER_LENGTH + 1;
    const length = ((octets[i + 1] ?? 0) << 8) | (octets[i + 2] ?? 0);
    const type = octets[i + 3] ?? 0;
    if (length >= HEADER_LENGTH && type >= 1 && type <= 5) return start;
  }
  return undefined;
}

/** Tells which packet brought the octet at an offset; offsets must not go back. */
function packetFinder(stretch: Stretch): (offset: number) => Chunk {
  let index = 0;
  let end = stretch.chunks[0]?.bytes.length ?? 0;
  return (offset) => {
    while (offset >= end && index < stretch.chunks.length - 1) {
      index++;
      end += stretch.chunks[index]?.bytes.length ?? 0;
    }
    const chunk = stretch.chunks[index];
    if (chunk === undefined) throw new RangeError(`no packet holds the octet ${offset}`);
    return chunk;
  };
}

/** `192.0.2.1:179`, an IPv6 address in brackets. */
export function endpointText({ address, port }: TcpStream['src']): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}

function endpoints(stream: TcpStream | undefined): string {
  return stream === undefined ? '' : `${endpointText(stream.src)} -> ${endpointText(stream.dst)}`;
}
