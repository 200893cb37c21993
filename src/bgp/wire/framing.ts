/** Splits a byte stream into messages: the header of RFC 4271 §4.1, its checks (§6.1), and the limits of RFC 8654. */
import { ByteWriter } from '../../net/bytes.ts';
import { MessageType } from './iana.ts';
import {
  HEADER_LENGTH,
  MAX_EXTENDED_LENGTH,
  MAX_MESSAGE_LENGTH,
  maxMessageLength,
  minMessageLength,
} from './message-length.ts';
import { ErrorCode, HeaderSubcode, NotificationError } from './notification.ts';

const MARKER_LENGTH = 16;

/**
 * Checks the header that begins at `at`, where at least 19 octets must follow, and returns the length of the whole
 * message (19..65535). Throws a NotificationError with code 1 (RFC 4271 §6.1).
 */
export function checkHeader(octets: Uint8Array, at: number, extendedMessages: boolean): number {
  for (let i = at; i < at + MARKER_LENGTH; i++) {
    if (octets[i] === 0xff) continue;
    throw new NotificationError(
      ErrorCode.MessageHeader,
      HeaderSubcode.ConnectionNotSynchronized,
      `octet ${i - at} of the marker is not 0xff`,
    );
  }
  const lengthAt = at + MARKER_LENGTH;
  const length = ((octets[lengthAt] as number) << 8) | (octets[lengthAt + 1] as number);
  const type = octets[lengthAt + 2] as number;
  const min = minMessageLength(type);
  const longest = extendedMessages ? MAX_EXTENDED_LENGTH : MAX_MESSAGE_LENGTH;
  if (length < HEADER_LENGTH || length > longest)
    throw badLength(octets, lengthAt, `invalid message length of ${length} octets`);
  if (min === undefined) {
    throw new NotificationError(
      ErrorCode.MessageHeader,
      HeaderSubcode.BadMessageType,
      `unknown message type ${type}`,
      Uint8Array.of(type),
    );
  }
  if (length < min || length > maxMessageLength(type, extendedMessages)) {
    throw badLength(octets, lengthAt, `invalid length of ${length} octets for message type ${type}`);
  }
  if (type === MessageType.Keepalive && length !== HEADER_LENGTH) {
    throw badLength(octets, lengthAt, `a KEEPALIVE has ${HEADER_LENGTH} octets, not ${length}`);
  }
  return length;
}

/** Returns Bad Message Length; the data is the erroneous length field (RFC 4271 §6.1). */
function badLength(octets: Uint8Array, lengthAt: number, reason: string): NotificationError {
  return new NotificationError(
    ErrorCode.MessageHeader,
    HeaderSubcode.BadMessageLength,
    reason,
    octets.slice(lengthAt, lengthAt + 2),
  );
}

/** Returns the type of a message whose header was checked. */
export function messageType(message: Uint8Array): number {
  return message[HEADER_LENGTH - 1] as number;
}

/**
 * Returns a writer with a message header, whose length `finishFrame` fills in. `bodyLength` is an estimate in octets.
 */
export function startFrame(type: number, bodyLength: number): ByteWriter {
  const writer = new ByteWriter(HEADER_LENGTH + bodyLength);
  return writer.u32(0xffffffff).u32(0xffffffff).u32(0xffffffff).u32(0xffffffff).u16(0).u8(type);
}

/** Returns the whole message. Throws RangeError if it is longer than the peer accepts: the caller must split it. */
export function finishFrame(writer: ByteWriter, type: number, extendedMessages: boolean): Uint8Array {
  const longest = maxMessageLength(type, extendedMessages);
  if (writer.length > longest) {
    throw new RangeError(`a message of type ${type} may have ${longest} octets, not ${writer.length}`);
  }
  return writer.patchU16(MARKER_LENGTH, writer.length).finish();
}

/** Wraps a body into a message. Throws RangeError if it is too long. */
export function frame(type: number, body: Uint8Array, extendedMessages = false): Uint8Array {
  return finishFrame(startFrame(type, body.length).bytes(body), type, extendedMessages);
}

const EMPTY = new Uint8Array(0);

/**
 * Splits a byte stream, in chunks of any size, into whole messages. After each `push`, call `next` until it returns
 * undefined; the rest is less than one message (under 65535 octets).
 *
 * Messages are views: of the chunk if it held the whole message, otherwise of the framer's memory. That memory is never
 * written twice, so views stay valid; copy a small part that is kept for long, to release the rest. Do not write to
 * chunks after `push`. Each octet is copied a bounded number of times.
 */
export class MessageFramer {
  #buffer: Uint8Array = EMPTY;
  #start = 0;
  #end = 0;
  /** Writable length of `#buffer`: its whole length if the framer owns it, 0 if it is a chunk. */
  #writable = 0;
  #failure: NotificationError | undefined;

  /** Returns the number of octets that wait for the rest of their message, or for `next`. */
  get buffered(): number {
    return this.#end - this.#start;
  }

  /** Takes received octets. After `next` has thrown they are dropped: the message boundaries are lost. */
  push(chunk: Uint8Array): void {
    if (this.#failure !== undefined || chunk.length === 0) return;
    const held = this.#end - this.#start;
    if (chunk.length <= this.#writable - this.#end) {
      this.#buffer.set(chunk, this.#end);
      this.#end += chunk.length;
      return;
    }
    if (held === 0) {
      // A plain view, so that messages are plain even if the chunk is of a subclass.
      this.#buffer = new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.byteLength);
      this.#start = 0;
      this.#end = chunk.length;
      this.#writable = 0;
      return;
    }
    const wanted = held + chunk.length;
    const grown = new Uint8Array(
      Math.max(MAX_MESSAGE_LENGTH, wanted <= MAX_EXTENDED_LENGTH ? 2 * wanted : wanted),
    );
    grown.set(this.#buffer.subarray(this.#start, this.#end));
    grown.set(chunk, held);
    this.#buffer = grown;
    this.#start = 0;
    this.#end = wanted;
    this.#writable = grown.length;
  }

  /**
   * Returns the next whole message, header included, or undefined if more octets are needed. `extendedMessages` is
   * passed each time, since it can change between two messages of one chunk. Throws a NotificationError as soon as a
   * header is wrong, and the same one from then on.
   */
  next(extendedMessages: boolean): Uint8Array | undefined {
    if (this.#failure !== undefined) throw this.#failure;
    const held = this.#end - this.#start;
    if (held < HEADER_LENGTH) return undefined;
    const length = this.#check(extendedMessages);
    if (held < length) return undefined;
    const message = this.#buffer.subarray(this.#start, this.#start + length);
    this.#start += length;
    return message;
  }

  #check(extendedMessages: boolean): number {
    try {
      return checkHeader(this.#buffer, this.#start, extendedMessages);
    } catch (error) {
      if (error instanceof NotificationError) this.#failure = error;
      throw error;
    }
  }
}
