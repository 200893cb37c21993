/**
 * Writes the current segment. After a failed write it truncates the file to the last durable byte if possible, so that
 * unacknowledged facts cannot return after a restart.
 *
 * The file is opened so that a write returns when its bytes are durable: one call and one wait for each group. If the
 * file system refuses a write (full, read-only), the truncated file is sound. After any other failure it is not: the
 * kernel reports such an error once, may have dropped the pages, and reports success for the next attempt without
 * writing them. The bytes of that write are therefore truncated and never retried, and the segment is not written again
 * (`retired`): the journal reads it and continues in a new file.
 */
import { errorCode, type Files, type OpenFile, removeIfThere, storeError, writeAll } from '../files.ts';
import type { NumberedFile } from './segments.ts';

/** Errors that refuse a write before anything reaches the device: no space or no permission. */
const REFUSALS: ReadonlySet<string> = new Set(['ENOSPC', 'EDQUOT', 'EFBIG', 'EROFS']);

export class SegmentFile {
  readonly segment: NumberedFile;
  readonly #file: OpenFile;
  #length: number;
  /** True if there may be bytes after `#length`. */
  #untidy = false;
  #retired = false;

  private constructor(segment: NumberedFile, file: OpenFile, length: number) {
    this.segment = segment;
    this.#file = file;
    this.#length = length;
  }

  /** Opens a segment and truncates the last `unterminated` bytes. */
  static async open(files: Files, segment: NumberedFile, unterminated: number): Promise<SegmentFile> {
    try {
      const file = await files.open(segment.path, 'append-durably');
      const opened = new SegmentFile(segment, file, (await file.size()) - unterminated);
      opened.#untidy = unterminated > 0;
      await opened.tidy();
      // Another process's writes may be only in the page cache, and later writes make only their own bytes durable.
      await file.datasync();
      return opened;
    } catch (error) {
      throw storeError('write', segment.path, error);
    }
  }

  /** Creates an empty segment; its name is durable when this resolves. */
  static async create(files: Files, folder: string, segment: NumberedFile): Promise<SegmentFile> {
    try {
      const file = await files.open(segment.path, 'create-durably');
      try {
        await files.syncFolder(folder);
      } catch (error) {
        await file.close();
        // If removing fails, recovery recognizes the empty leftover (segments.ts).
        await removeIfThere(files, segment.path);
        throw error;
      }
      return new SegmentFile(segment, file, 0);
    } catch (error) {
      throw storeError('create', segment.path, error);
    }
  }

  /** Number of durable bytes. */
  get length(): number {
    return this.#length;
  }

  /** True after a write that failed on the device: this file must not be written again. */
  get retired(): boolean {
    return this.#retired;
  }

  /** Resolves with the duration (ms) when the bytes are durable; otherwise rejects, and none of them stays. */
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

  /** Durably truncates the file to its durable bytes after a failure. */
  async tidy(): Promise<void> {
    if (!this.#untidy) return;
    try {
      await this.#file.truncate(this.#length);
      await this.#file.datasync();
    } catch (error) {
      throw storeError('truncate the incomplete end of', this.segment.path, error);
    }
    this.#untidy = false;
  }

  /** Ignores a failure, because the original one is reported; the next append tries again. */
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
