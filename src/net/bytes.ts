/**
 * Reads and writes octets with every bound checked. Network byte order throughout.
 *
 * A reader never looks outside its window. The caller passes the error to throw at the end of the window, so that each
 * protocol answers with its own.
 */

/** Makes the error for a read of `wanted` octets where only `left` remain, at `offset` of the reader's window. */
export type Underflow = (wanted: number, left: number, offset: number) => Error;

const defaultUnderflow: Underflow = (wanted, left, offset) =>
  new RangeError(`${wanted} octets wanted at offset ${offset}, ${left} left`);

/** A cursor over a window of octets. Reads advance; nothing is copied unless a method says so. */
export class ByteReader {
  readonly #bytes: Uint8Array;
  readonly #start: number;
  readonly #end: number;
  readonly #underflow: Underflow;
  #at: number;

  /** Reads `bytes[start, end)`. `underflow` makes the error thrown when a read would pass `end`. */
  constructor(bytes: Uint8Array, underflow: Underflow = defaultUnderflow, start = 0, end = bytes.length) {
    if (start < 0 || end > bytes.length || start > end) {
      throw new RangeError(`window ${start}..${end} is outside of ${bytes.length} octets`);
    }
    this.#bytes = bytes;
    this.#start = start;
    this.#end = end;
    this.#at = start;
    this.#underflow = underflow;
  }

  /** Octets not read yet. */
  get remaining(): number {
    return this.#end - this.#at;
  }

  /** Octets read so far, counted from the start of the window. */
  get offset(): number {
    return this.#at - this.#start;
  }

  /** Reads one octet, 0..255. */
  u8(): number {
    this.#need(1);
    return this.#bytes[this.#at++] as number;
  }

  /** Reads two octets, 0..65535. */
  u16(): number {
    this.#need(2);
    const value = ((this.#bytes[this.#at] as number) << 8) | (this.#bytes[this.#at + 1] as number);
    this.#at += 2;
    return value;
  }

  /** Reads four octets, 0..4294967295. */
  u32(): number {
    this.#need(4);
    const b = this.#bytes;
    const at = this.#at;
    this.#at += 4;
    return (
      (b[at] as number) * 0x1000000 +
      (((b[at + 1] as number) << 16) | ((b[at + 2] as number) << 8) | (b[at + 3] as number))
    );
  }

  /** Reads eight octets as a bigint, 0..2^64-1. */
  u64(): bigint {
    const high = this.u32();
    return (BigInt(high) << 32n) | BigInt(this.u32());
  }

  /** Returns the next `count` octets as a view on the same memory. */
  view(count: number): Uint8Array {
    checkCount(count);
    this.#need(count);
    const view = this.#bytes.subarray(this.#at, this.#at + count);
    this.#at += count;
    return view;
  }

  /** Returns the next `count` octets as a copy. (`slice` does not copy for a Buffer.) */
  copy(count: number): Uint8Array {
    return new Uint8Array(this.view(count));
  }

  /** Returns a reader over the next `count` octets, which this reader skips. */
  sub(count: number, underflow: Underflow = this.#underflow): ByteReader {
    checkCount(count);
    this.#need(count);
    const sub = new ByteReader(this.#bytes, underflow, this.#at, this.#at + count);
    this.#at += count;
    return sub;
  }

  /** Returns all remaining octets as a view. */
  rest(): Uint8Array {
    return this.view(this.remaining);
  }

  #need(count: number): void {
    if (count > this.#end - this.#at) throw this.#underflow(count, this.remaining, this.offset);
  }
}

/** Refuses negative and fractional counts, which are the caller's mistake and would pass the check for the end. */
function checkCount(count: number): void {
  if (!Number.isInteger(count) || count < 0) throw new RangeError(`${count} is not a number of octets`);
}

/** A growing buffer. Checks values against their width; a value out of range is a programming error (RangeError). */
export class ByteWriter {
  #bytes: Uint8Array;
  #length = 0;

  /** `capacity` is only a first guess in octets; the writer grows as needed. */
  constructor(capacity = 64) {
    this.#bytes = new Uint8Array(capacity);
  }

  /** Octets written so far. */
  get length(): number {
    return this.#length;
  }

  u8(value: number): this {
    this.#check(value, 0xff);
    this.#room(1);
    this.#bytes[this.#length++] = value;
    return this;
  }

  u16(value: number): this {
    this.#check(value, 0xffff);
    this.#room(2);
    this.#bytes[this.#length++] = value >>> 8;
    this.#bytes[this.#length++] = value & 0xff;
    return this;
  }

  u32(value: number): this {
    this.#check(value, 0xffffffff);
    this.#room(4);
    this.#bytes[this.#length++] = value >>> 24;
    this.#bytes[this.#length++] = (value >>> 16) & 0xff;
    this.#bytes[this.#length++] = (value >>> 8) & 0xff;
    this.#bytes[this.#length++] = value & 0xff;
    return this;
  }

  u64(value: bigint): this {
    if (value < 0n || value > 0xffffffffffffffffn)
      throw new RangeError(`${value} is not an integer from 0 to 2^64-1`);
    return this.u32(Number(value >> 32n)).u32(Number(value & 0xffffffffn));
  }

  bytes(source: Uint8Array): this {
    this.#room(source.length);
    this.#bytes.set(source, this.#length);
    this.#length += source.length;
    return this;
  }

  /** Overwrites two octets at `offset` that were written before, such as a length that is known only at the end. */
  patchU16(offset: number, value: number): this {
    this.#check(value, 0xffff);
    if (offset < 0 || offset + 2 > this.#length) throw new RangeError(`no two octets at offset ${offset}`);
    this.#bytes[offset] = value >>> 8;
    this.#bytes[offset + 1] = value & 0xff;
    return this;
  }

  /** Returns the written octets as a copy that later writes do not change. */
  finish(): Uint8Array {
    return this.#bytes.slice(0, this.#length);
  }

  #check(value: number, max: number): void {
    if (!Number.isInteger(value) || value < 0 || value > max) {
      throw new RangeError(`${value} is not an integer from 0 to ${max}`);
    }
  }

  #room(count: number): void {
    const wanted = this.#length + count;
    if (wanted <= this.#bytes.length) return;
    const grown = new Uint8Array(Math.max(wanted, this.#bytes.length * 2));
    grown.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = grown;
  }
}

const HEX = Array.from({ length: 256 }, (_, i) => i.toString(16).padStart(2, '0'));

/** Formats octets in lower-case hexadecimal, two digits per octet, without separators. */
export function toHex(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes) text += HEX[byte] as string;
  return text;
}

/** Parses hexadecimal text (either case, no separators); undefined if it is invalid. */
export function fromHex(text: string): Uint8Array | undefined {
  if (text.length % 2 !== 0 || !/^[0-9a-fA-F]*$/.test(text)) return undefined;
  const bytes = new Uint8Array(text.length / 2);
  for (let i = 0; i < bytes.length; i++) bytes[i] = Number.parseInt(text.slice(2 * i, 2 * i + 2), 16);
  return bytes;
}

/** True when both hold the same octets. */
export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

/** Returns one array of all parts in order. */
export function concatBytes(parts: readonly Uint8Array[]): Uint8Array {
  let length = 0;
  for (const part of parts) length += part.length;
  const whole = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
