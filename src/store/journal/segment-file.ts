/**
 * The segment that is being written. It ends, after every failure that allows it, with the last octet that is known to
 * be durable: what was not acknowledged is cut off again, so that it cannot come back after a restart.
 *
 * It is open so that a write returns when its octets are durable: one call to the disk, and one wait, for each group. A
 * write that the file system refuses (full, read-only) leaves the file sound once it is cut. One that fails otherwise
 * does not: the kernel reports such an error once, may have dropped the pages, and calls the next attempt a success
 * without having written them. What that write held is therefore cut off, never tried again, and the segment is not
 * written to any more (`retired`): the journal reads what it holds and goes on in a new file.
 */
import { errorCode, type Files, type OpenFile, removeIfThere, storeError, writeAll } from '../files.ts';
import type { NumberedFile } from './segments.ts';

/** A write was refused for want of room or permission, before anything reached the device. */
const REFUSALS: ReadonlySet<string> = new Set(['ENOSPC', 'EDQUOT', 'EFBIG', 'EROFS']);

export class SegmentFile {
  readonly segment: NumberedFile;
  readonly #file: OpenFile;
  #length: number;
  /** Octets may stand behind `#length`. */
  #untidy = false;
  #retired = false;

  private constructor(segment: NumberedFile, file: OpenFile, length: number) {
    this.segment = segment;
    this.#file = file;
    this.#length = length;
  }

  /** Opens a segment at its end, `unterminated` octets of which are cut off. */
  static async open(files: Files, segment: NumberedFile, unterminated: number): Promise<SegmentFile> {
    try {
      const file = await files.open(segment.path, 'append-durably');
      const opened = new SegmentFile(segment, file, (await file.size()) - unterminated);
      opened.#untidy = unterminated > 0;
      await opened.tidy();
      // What another process wrote may be nowhere but in the page cache, and later writes answer for their own octets only.
      await file.datasync();
      return opened;
    } catch (error) {
      throw storeError('write', segment.path, error);
    }
  }

  /** Creates an empty segment, durable under its name. */
  static async create(files: Files, folder: string, segment: NumberedFile): Promise<SegmentFile> {
    try {
      const file = await files.open(segment.path, 'create-durably');
      try {
        await files.syncFolder(folder);
      } catch (error) {
        await file.close();
        // Should it stay nevertheless, recovery knows an empty stray (segments.ts).
        await removeIfThere(files, segment.path);
        throw error;
      }
      return new SegmentFile(segment, file, 0);
    } catch (error) {
      throw storeError('create', segment.path, error);
    }
  }

  /** Durable octets. */
  get length(): number {
    return this.#length;
  }

  /** True after a write that failed on its way to the device: nothing more may be written here. */
  get retired(): boolean {
    return this.#retired;
  }

  /** Resolves when the octets are durable; otherwise none of them stays. Returns the milliseconds it took. */
  async append(bytes: Uint8Array): Promise<number> {
    await this.tidy();
    this.#untidy = true;
    const before = performance.now();
    try {
      await writeAll(this.#file, bytes);
    } catch (error) {
      const code = errorCode(error);
      this.#retired = code !== undefined && !REFUSALS.has(code);
      await this.#tryTidy();
      throw storeError(this.#retired ? 'durably write' : 'write', this.segment.path, error);
    }
    this.#length += bytes.length;
    this.#untidy = false;
    return performance.now() - before;
  }

  /** Cuts off what a failure left behind the durable octets, durably. */
  async tidy(): Promise<void> {
    if (!this.#untidy) return;
    try {
      await this.#file.truncate(this.#length);
      await this.#file.datasync();
    } catch (error) {
      throw storeError('cut off the unfinished end of', this.segment.path, error);
    }
    this.#untidy = false;
  }

  /** The failure that led here is the one to report; when this one stays, the next append meets it again. */
  async #tryTidy(): Promise<void> {
    await this.tidy().catch(() => undefined);
  }

  async close(): Promise<void> {
    try {
      await this.#file.close();
    } catch (error) {
      throw storeError('close', this.segment.path, error);
    }
  }
}
