/**
 * Reads BGP messages from captured TCP streams, each according to what the two speakers negotiated (not to what prefixd itself
 * would negotiate). Pure.
 */
import { AttributeType, type Family, MessageType } from '../../bgp/wire/iana.ts';
import { HEADER_LENGTH } from '../../bgp/wire/message-length.ts';
import { decodeMessage } from '../../bgp/wire/message.ts';
import { NotificationError } from '../../bgp/wire/notification.ts';
import type { AsPathSegment, BgpMessage, UpdateMessage } from '../../bgp/wire/types.ts';
import type { TcpStream } from '../pcap/reassemble.ts';
import type { CapturedAgreement } from './agreement.ts';
import { agreementOf, conclusions, firstOpen, takesLongMessages, widthOf } from './agreement.ts';
import { narrowPath, partsOf } from './evidence.ts';
import {
  endpoints,
  looksLikeBgp,
  type RawMessage,
  readStretch,
  type Stretch,
  stretchesOf,
} from './stream-framing.ts';

/** Represents a message of a type that this program does not decode. */
export interface UnknownMessage {
  readonly type: 'unknown';
  /** The header's type octet. */
  readonly messageType: number;
}

/** Holds a captured message, or the reason why it could not be decoded. */
export interface CapturedMessage extends RawMessage {
  readonly result: BgpMessage | UnknownMessage | NotificationError;
  /** The families whose routes begin with Path Identifiers (RFC 7911 §3). */
  readonly pathIdentifiers: readonly Family[];
  /** Sentences about what is uncertain. */
  readonly notes: readonly string[];
}

/** Holds the messages of all BGP connections in order of completion, and remarks on bytes that are not a message. */
export interface Conversation {
  readonly messages: readonly CapturedMessage[];
  readonly remarks: readonly string[];
}

const BGP_PORT = 179;

/** Bounds the connections of other protocols that are named; the remaining ones are counted. */
const NAMED = 10;

/** Reads every connection that speaks BGP, on any port. */
export function readConversation(streams: readonly TcpStream[]): Conversation {
  const connections = new Map<number, TcpStream[]>();
  for (const stream of streams) {
    const known = connections.get(stream.connection);
    if (known === undefined) connections.set(stream.connection, [stream]);
    else known.push(stream);
  }
  const messages: CapturedMessage[] = [];
  const remarks: string[] = [];
  let others = 0;
  for (const directions of connections.values()) {
    const stretches = directions.map((stream) => stretchesOf(stream));
    if (stretches.flat().some(looksLikeBgp)) {
      const read = readConnection(directions, stretches);
      for (const message of read.messages) messages.push(message);
      remarks.push(...read.remarks);
    } else if (directions.some(({ src, dst }) => src.port === BGP_PORT || dst.port === BGP_PORT)) {
      remarks.push(...directions.flatMap((stream, i) => notBgp(stream, stretches[i] ?? [])));
    } else if (stretches.some((list) => list.length > 0) && ++others <= NAMED) {
      remarks.push(...directions.slice(0, 1).map((stream) => `${endpoints(stream)} is not BGP`));
    }
  }
  if (others > NAMED) remarks.push(`${others - NAMED} more connections are not BGP`);
  messages.sort((a, b) => a.packet - b.packet);
  return { messages, remarks };
}

/** Describes a connection on the BGP port without a BGP header. */
function notBgp(stream: TcpStream, stretches: readonly Stretch[]): readonly string[] {
  const [first] = stretches;
  if (first === undefined) return [];
  const count = stretches.reduce((sum, { octets }) => sum + octets.length, 0);
  const who = `${endpoints(stream)}: the ${count} octets on port ${BGP_PORT}`;
  if (!first.inStep) {
    return [
      `${who} are not BGP, or the middle of a message: the capture lacks the beginning of the connection`,
    ];
  }
  return [`${who} are not BGP; they begin with ${shown(first.octets.subarray(0, 32))}`];
}

/** Returns printable octets as quoted text, any others as hexadecimal. */
function shown(octets: Uint8Array): string {
  const isText = octets.every((octet) => (octet >= 0x20 && octet < 0x7f) || octet === 0x0d || octet === 0x0a);
  if (isText) return JSON.stringify(String.fromCharCode(...octets));
  return `0x${[...octets.subarray(0, 16)].map((octet) => octet.toString(16).padStart(2, '0')).join('')}`;
}

function readConnection(
  directions: readonly TcpStream[],
  stretches: readonly (readonly Stretch[])[],
): Conversation {
  const opens = directions.map((_, i) => firstOpen(stretches[i] ?? []));
  const opensOf = (i: number) => ({ sender: opens[i], receiver: opens[1 - i] });
  const remarks: string[] = [];
  const raw = directions.map((stream, i) =>
    (stretches[i] ?? []).flatMap((stretch) => {
      const read = readStretch(stream, stretch, takesLongMessages(opensOf(i)));
      remarks.push(...read.remarks.map((remark) => `${endpoints(stream)}: ${remark}`));
      return read.messages;
    }),
  );
  const parts = raw.map((list) => list.flatMap(({ octets }) => partsOf(octets) ?? []));
  const width = widthOf(opensOf(0), parts.flat());
  const agreements = directions.map((_, i) => agreementOf(opensOf(i), width, parts[i] ?? []));
  for (const said of conclusions(opensOf(0), width, agreements)) {
    remarks.push(...directions.slice(0, 1).map((stream) => `${endpoints(stream)}: ${said}`));
  }
  const messages = raw.flatMap((list, i) => {
    const agreement = agreements[i];
    return agreement === undefined ? [] : list.map((message) => readMessage(message, agreement));
  });
  return { messages, remarks };
}

function readMessage(raw: RawMessage, agreement: CapturedAgreement): CapturedMessage {
  const pathIdentifiers = agreement.context.pathIdentifiers ?? [];
  if (raw.broken !== undefined) return { ...raw, result: raw.broken, pathIdentifiers, notes: [] };
  if (raw.unknownType !== undefined) {
    const notes = [
      `message type ${raw.unknownType} is not decoded; a speaker that did not negotiate it answers Bad Message Type (1/3)`,
    ];
    return { ...raw, result: { type: 'unknown', messageType: raw.unknownType }, pathIdentifiers, notes };
  }
  const result = decode(raw.octets, agreement);
  const notes = result instanceof NotificationError ? [] : notesOn(raw.octets, result, agreement);
  return { ...raw, result, pathIdentifiers, notes };
}

function decode(octets: Uint8Array, agreement: CapturedAgreement): BgpMessage | NotificationError {
  const { context, internal, routeFilters } = agreement;
  // Filters follow the four octets of a request (RFC 5291 §5).
  const filtered = octets[HEADER_LENGTH - 1] === MessageType.RouteRefresh && routeFilters;
  const read = filtered ? withoutFilters(octets) : octets;
  try {
    const message = decodeMessage(read, context);
    const looksInternal = internal === undefined && isInternal(message);
    return looksInternal || isConfederate(message)
      ? decodeMessage(read, { ...context, internal: true })
      : message;
  } catch (error) {
    if (error instanceof NotificationError) return error;
    throw error;
  }
}

const REFRESH_LENGTH = HEADER_LENGTH + 4;

/** Returns the message as a plain request: without its filters, and with a matching length. */
function withoutFilters(octets: Uint8Array): Uint8Array {
  if (octets.length <= REFRESH_LENGTH) return octets;
  const request = octets.slice(0, REFRESH_LENGTH);
  request[HEADER_LENGTH - 3] = 0;
  request[HEADER_LENGTH - 2] = REFRESH_LENGTH;
  return request;
}

/** Returns the outbound route filters of a ROUTE-REFRESH (RFC 5291 §5); undefined if there are none. */
export function filtersOf({ octets }: RawMessage): Uint8Array | undefined {
  return octets.length > REFRESH_LENGTH ? octets.subarray(REFRESH_LENGTH) : undefined;
}

/** Attributes that are sent only to internal peers (RFC 4271 §5.1.5, RFC 4456 §8). */
const INTERNAL_ATTRIBUTES: ReadonlySet<number> = new Set([
  AttributeType.LocalPref,
  AttributeType.OriginatorId,
  AttributeType.ClusterList,
]);

/** Returns true if an attribute shows that the session is internal, for sessions without OPENs. */
function isInternal(message: BgpMessage): boolean {
  return (
    message.type === 'update' && message.problems.some(({ attribute }) => INTERNAL_ATTRIBUTES.has(attribute))
  );
}

/** Returns true for a confederation's UPDATE with LOCAL_PREF, valid between its different AS numbers (RFC 5065 §5). */
function isConfederate(message: BgpMessage): boolean {
  if (message.type !== 'update' || !hasConfederation(message)) return false;
  return message.problems.some(({ attribute }) => attribute === AttributeType.LocalPref);
}

function hasConfederation({ attributes }: UpdateMessage): boolean {
  return (attributes.asPath ?? []).some(({ kind }) => kind === 'confed-sequence' || kind === 'confed-set');
}

function notesOn(octets: Uint8Array, message: BgpMessage, agreement: CapturedAgreement): readonly string[] {
  if (message.type !== 'update') return [];
  const notes: string[] = [];
  if (agreement.internal === false && hasConfederation(message)) {
    notes.push(
      'AS_PATH has confederation segments: malformed (3/11) unless both peers belong to the confederation ' +
        '(RFC 5065 §5), which a capture does not show',
    );
  }
  const parts = agreement.ambiguous ? partsOf(octets) : undefined;
  const narrow = parts === undefined ? undefined : narrowPath(parts);
  if (narrow !== undefined) {
    notes.push(
      `AS_PATH is ambiguous: it reads as ${pathText(message.attributes.asPath ?? [])} with AS numbers of 4 octets and as ` +
        `${pathText(narrow)} with 2, and no OPEN decides`,
    );
  }
  return notes;
}

/** Formats a path: `65001 65002`; segments other than sequences in parentheses, with their kind. */
function pathText(path: readonly AsPathSegment[]): string {
  return path
    .map(({ kind, asns }) => (kind === 'sequence' ? asns.join(' ') : `(${kind} ${asns.join(' ')})`))
    .join(' ');
}
