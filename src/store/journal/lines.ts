/** Reads files line by line, in slices small enough not to block the event loop. */
import type { OpenFile } from '../files.ts';

/** Bytes read at a time: some milliseconds of parsing. */
const CHUNK = 256 * 1024;
/** Limit of a line (bytes), far above any line that is written (requests are at most 1 MiB). */
export const LONGEST_LINE = 16 * 1024 * 1024;
export const LINE_FEED = 0x0a;

/** Reads a file's lines, block by block. Omits a last line without a line feed; `unterminated` counts its bytes. */
export class LineReader {
  readonly #file: OpenFile;
  #position = 0;
  #carried: Buffer = Buffer.alloc(0);

  constructor(file: OpenFile) {
    this.#file = file;
  }

  /** Bytes read after the last complete line; at the end of the file, those of an unterminated last line. */
  get unterminated(): number {
    return this.#carried.length;
  }

  /** Bytes read so far. */
  get position(): number {
    return this.#position;
  }

  /**
   * Returns the next complete lines as one block, which may be empty; undefined at the end of the file. Rejects with
   * LineTooLong.
   */
  async next(): Promise<Buffer | undefined> {
    const carried = this.#carried;
    if (carried.length > LONGEST_LINE) throw new LineTooLong();
    // Reads grow with the length of a line, so that its bytes are not copied many times.
    const buffer = Buffer.allocUnsafe(Math.max(CHUNK, 2 * carried.length));
    carried.copy(buffer);
    const count = await this.#file.read(buffer.subarray(carried.length), this.#position);
    if (count === 0) return undefined;
    this.#position += count;
    const filled = buffer.subarray(0, carried.length + count);
    const end = filled.lastIndexOf(LINE_FEED) + 1;
    this.#carried = filled.subarray(end);
    return filled.subarray(0, end);
  }
}

/** Yields the lines of a block without their line feeds. */
export function* linesIn(block: Buffer): Generator<Buffer> {
  let start = 0;
  for (let end = block.indexOf(LINE_FEED); end >= 0; end = block.indexOf(LINE_FEED, start)) {
    yield block.subarray(start, end);
    start = end + 1;
  }
}

export class LineTooLong extends Error {
  constructor() {
    super(`the line is longer than ${LONGEST_LINE} bytes`);
  }
}

/** Returns the number of bytes after the last line feed of a file of `size` bytes. */
export async function unterminatedOctets(file: OpenFile, size: number): Promise<number> {
  const buffer = Buffer.allocUnsafe(64 * 1024);
  let end = size;
  while (end > 0) {
    const start = Math.max(0, end - buffer.length);
    const part = buffer.subarray(0, end - start);
    const count = await file.read(part, start);
    if (count < part.length) throw new Error(`only ${start + count} of ${size} bytes could be read`);
    const at = part.lastIndexOf(LINE_FEED);
    if (at >= 0) return size - (start + at + 1);
    end = start;
  }
  return size;
}

/** Yields a file's lines, last line first, without empty ones. The first `size` bytes must end with a line feed. */
export async function* linesFromEnd(file: OpenFile, size: number): AsyncGenerator<string> {
  let end = size;
  let carried: Buffer = Buffer.alloc(0);
  while (end > 0) {
    const start = Math.max(0, end - 64 * 1024);
    const part = Buffer.allocUnsafe(end - start);
    const read = await file.read(part, start);
    if (read < part.length) throw new Error(`only ${start + read} of ${size} bytes could be read`);
    const text = Buffer.concat([part, carried]);
    let stop = text.length;
    for (let at = lineFeedBefore(text, stop); at >= 0; at = lineFeedBefore(text, stop)) {
      if (at + 1 < stop) yield text.toString('utf8', at + 1, stop);
      stop = at;
    }
    carried = text.subarray(0, stop);
    end = start;
  }
  if (carried.length > 0) yield carried.toString('utf8');
}

function lineFeedBefore(text: Buffer, stop: number): number {
  return stop === 0 ? -1 : text.lastIndexOf(LINE_FEED, stop - 1);
}
