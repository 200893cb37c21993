/** Defines where an audit log keeps its entries, and keeps them in files. */
import { basename, dirname } from 'node:path';
import { SYSTEM } from '../../core/decide/lifecycle.ts';
import { errorCode, type Files, realFiles, storeError } from '../files.ts';
import { SegmentFile } from '../journal/segment-file.ts';
import { type AuditEntry, entryOfAction } from './audit-entry.ts';
import {
  lastFactIn,
  linesBackwards,
  parseEntry,
  rotatedFiles,
  rotatedPath,
  timeOfFactIn,
  unfinishedOctets,
} from './audit-files.ts';

/** Keeps entries in order. Calls do not overlap, except `newest` and `timeOf`. */
export interface AuditStorage {
  /** Names the log in errors: a path, or what it is in a database. */
  readonly place: string;
  /** Names the log in its own entries. */
  readonly name: string;
  /** Number of the newest fact with an entry when it was opened; 0 if there is none. */
  readonly lastSeq: number;
  /** Resolves when the entries are durable. After a failure, the same entries may be appended again. */
  append(entries: readonly AuditEntry[]): Promise<void>;
  /** Returns the newest entries, newest first. */
  newest(limit: number): Promise<readonly AuditEntry[]>;
  /** Returns a fact's time as recorded (RFC 3339); undefined if there is no entry of it. */
  timeOf(seq: number): Promise<string | undefined>;
  close(): Promise<void>;
}

export interface AuditFilesOptions {
  /** Path of the current file. Rotated files are beside it, with the time of their rotation appended to the name. */
  readonly path: string;
  /** Milliseconds since the epoch; names rotated files. */
  readonly clock: () => number;
  /** Size limit of a file (bytes), at which it is rotated. Default 64 MiB. */
  readonly maxOctets?: number;
  /** Number of rotated files that are kept. Default 20. */
  readonly keep?: number;
  readonly files?: Files;
}

/** JSON lines in a file that is rotated by size. */
export class RotatedAudit implements AuditStorage {
  readonly #options: Required<AuditFilesOptions>;
  readonly #folder: string;
  readonly name: string;
  readonly lastSeq: number;
  #file: SegmentFile;
  /** Serializes work on the files. */
  #turn: Promise<unknown> = Promise.resolve();

  private constructor(options: Required<AuditFilesOptions>, file: SegmentFile, lastSeq: number) {
    this.#options = options;
    this.#folder = dirname(options.path);
    this.name = basename(options.path);
    this.#file = file;
    this.lastSeq = lastSeq;
  }

  /** Opens or creates the file and removes an incomplete last line. Rejects with StoreError if it cannot be written. */
  static async open(options: AuditFilesOptions): Promise<RotatedAudit> {
    const all = { maxOctets: 64 << 20, keep: 20, files: realFiles, ...options };
    const { path, files } = all;
    try {
      await files.makeFolder(dirname(path));
      const unfinished = await unfinishedOctets(files, path);
      const lastSeq = await lastFactIn(files, path);
      const segment = { name: basename(path), path, seq: 0 };
      const file =
        unfinished === undefined
          ? await SegmentFile.create(files, dirname(path), segment)
          : await SegmentFile.open(files, segment, unfinished);
      return new RotatedAudit(all, file, lastSeq);
    } catch (error) {
      throw storeError('open the audit log', path, error);
    }
  }

  get place(): string {
    return this.#options.path;
  }

  append(entries: readonly AuditEntry[]): Promise<void> {
    return this.#inTurn(() => this.#append(entries));
  }

  newest(limit: number): Promise<readonly AuditEntry[]> {
    return this.#inTurn(() => this.#read(limit));
  }

  timeOf(seq: number): Promise<string | undefined> {
    return timeOfFactIn(this.#options.files, this.#options.path, seq);
  }

  close(): Promise<void> {
    return this.#file.close();
  }

  async #read(limit: number): Promise<readonly AuditEntry[]> {
    const entries: AuditEntry[] = [];
    const { files, path, clock } = this.#options;
    for (const one of [...(await rotatedFiles(files, path)), path].reverse()) {
      if (entries.length >= limit) break;
      for await (const line of linesBackwards(files, one)) {
        entries.push(parseEntry(line) ?? damagedEntry(basename(one), line, clock()));
        if (entries.length >= limit) break;
      }
    }
    return entries;
  }

  async #append(entries: readonly AuditEntry[]): Promise<void> {
    const bytes = Buffer.from(entries.map((entry) => `${JSON.stringify(entry)}\n`).join(''));
    const isFull = this.#file.length > 0 && this.#file.length + bytes.length > this.#options.maxOctets;
    if (isFull || this.#file.retired) await this.#rotate();
    await this.#file.append(bytes);
  }

  async #rotate(): Promise<void> {
    const { files, path, clock, keep } = this.#options;
    await this.#file.tidy();
    // After a failure between these two steps there is no current file; the next attempt creates it.
    try {
      await files.rename(path, rotatedPath(path, await rotatedFiles(files, path), clock()));
    } catch (error) {
      if (errorCode(error) !== 'ENOENT') throw error;
    }
    const next = await SegmentFile.create(files, this.#folder, { name: this.name, path, seq: 0 });
    const previous = this.#file;
    this.#file = next;
    await previous.close();
    const rotated = await rotatedFiles(files, path);
    for (const old of rotated.slice(0, Math.max(0, rotated.length - keep))) await files.remove(old);
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(work);
    this.#turn = result.catch(() => undefined);
    return result;
  }
}

/** Returns an entry that stands for one that cannot be read. `at`: milliseconds since the epoch. */
export function damagedEntry(target: string, line: string, at: number): AuditEntry {
  return entryOfAction({ type: 'audit.damaged', at, actor: SYSTEM, target, reason: line });
}
