/**
 * The audit log: one JSON line for each decision and each operator's action, append-only, made durable group by group,
 * rotated by size. It follows the facts and never holds up nor fails whoever makes them: what cannot be written waits in
 * a bounded queue and is reported. Facts are in the journal already, whose replay at the next start fills in what a crash
 * kept from the log, so their entries may gather for a while; an operator's action is nowhere else and is written at once.
 */
import { basename, dirname } from 'node:path';
import type { RecordedFact } from '../../core/facts.ts';
import type { StateView } from '../../core/state/state.ts';
import { type AuditAction, type AuditEntry, AuditTrail, entryOfAction } from './audit-entry.ts';
import {
  lastFactIn,
  linesBackwards,
  parseEntry,
  rotatedFiles,
  rotatedPath,
  timeOfFactIn,
  unfinishedOctets,
} from './audit-files.ts';
import { timeText } from '../../net/time.ts';
import { errorCode, type Files, realFiles, storeError } from '../files.ts';
import { SegmentFile } from '../journal/segment-file.ts';
import type { StoreError } from '../store.ts';

export interface AuditLogOptions {
  /** Of the file that is written. Rotated ones lie beside it, with the time of their end appended to the name. */
  readonly path: string;
  /** Milliseconds since the epoch; names rotated files. */
  readonly clock: () => number;
  /** Told of each failure to write; the entries are tried again with the next ones. Must not throw. */
  readonly onError: (error: StoreError) => void;
  /** A file is rotated before it grows beyond this many octets. Default 64 MiB. */
  readonly maxOctets?: number;
  /** Rotated files that are kept. Default 20. */
  readonly keep?: number;
  /** Entries that may wait while the disk fails; beyond it the oldest are dropped, and an entry says how many. Default 10,000. */
  readonly maxWaiting?: number;
  /**
   * Calls `write` later, when entries of facts have gathered for long enough, and returns what cancels that. By default
   * they do not gather. So that the disk is left to the journal: each fsync here is one that an event may wait behind.
   */
  readonly gather?: (write: () => void) => () => void;
  readonly files?: Files;
}

/** Whether the log can be written. */
export interface AuditCondition {
  /** Why the last write failed; null when it did not. */
  readonly failure: StoreError | null;
  /** When the write that is under way began (ms since the epoch); null when none is. */
  readonly writingSince: number | null;
}

const RETRIES_AT_CLOSE = 2;
/** So many entries wait for no more. */
const ENOUGH = 1_000;

export class AuditLog {
  readonly #options: Required<AuditLogOptions>;
  readonly #folder: string;
  readonly #name: string;
  /** Made when it is known what went before. */
  #trail: AuditTrail | undefined;
  #file: SegmentFile;
  #waiting: AuditEntry[] = [];
  #dropped = 0;
  #writing: Promise<void> | undefined;
  /** When the write under way began (ms since the epoch). */
  #writingSince: number | null = null;
  /** Why the last write failed. */
  #failure: StoreError | null = null;
  /** What is waiting must not gather any longer. */
  #hurry = false;
  #cancelGathering: (() => void) | undefined;
  /** Work on the files, one after the other. */
  #turn: Promise<unknown> = Promise.resolve();
  #lastSeq: number;
  /** Facts that the log lacks and the replay did not hold. */
  #missing = 0;

  private constructor(options: AuditLogOptions, file: SegmentFile, lastSeq: number) {
    this.#options = {
      maxOctets: 64 << 20,
      keep: 20,
      maxWaiting: 10_000,
      gather: atOnce,
      files: realFiles,
      ...options,
    };
    this.#folder = dirname(options.path);
    this.#name = basename(options.path);
    this.#file = file;
    this.#lastSeq = lastSeq;
  }

  /** Opens or creates the file; a line that a crash cut off is removed. Rejects with StoreError when it cannot be written. */
  static async open(options: AuditLogOptions): Promise<AuditLog> {
    const files = options.files ?? realFiles;
    const { path } = options;
    try {
      await files.makeFolder(dirname(path));
      const unfinished = await unfinishedOctets(files, path);
      const lastSeq = await lastFactIn(files, path);
      const segment = { name: basename(path), path, seq: 0 };
      const file =
        unfinished === undefined
          ? await SegmentFile.create(files, dirname(path), segment)
          : await SegmentFile.open(files, segment, unfinished);
      return new AuditLog(options, file, lastSeq);
    } catch (error) {
      throw storeError('open the audit log', path, error);
    }
  }

  /** Number of the last fact that was given to the log, over restarts; 0 when there is none. */
  get lastSeq(): number {
    return this.#lastSeq;
  }

  /** Entries that wait to be written, and how many were dropped since the last that was. */
  get backlog(): { readonly waiting: number; readonly dropped: number } {
    return { waiting: this.#waiting.length, dropped: this.#dropped };
  }

  get condition(): AuditCondition {
    return { failure: this.#failure, writingSince: this.#writingSince };
  }

  /** The journal is being replayed: the fact, which `state` does not have yet, is recorded if the log lacks it. */
  catchUp(state: StateView, fact: RecordedFact): void {
    if (fact.seq <= this.#lastSeq) return;
    this.#trail ??= trailFrom(state);
    this.#missing += fact.seq - this.#lastSeq - 1;
    this.record([fact]);
  }

  /**
   * Compares the log with a journal whose newest fact is `seq`, decided at `at` (ms since the epoch), when the log counts
   * beyond it: true when the log holds that very fact, so that the journal has lost the facts after it; false when the log
   * followed another journal, or no longer holds the place. Rejects with StoreError.
   */
  async outlived(seq: number, at: number): Promise<boolean> {
    const { files, path } = this.#options;
    if (seq === 0 || seq >= this.#lastSeq) return false;
    try {
      return (await timeOfFactIn(files, path, seq)) === timeText(at);
    } catch (error) {
      throw storeError('read the audit log', path, error);
    }
  }

  /**
   * The replay is over, and `state` has every fact. Returns how many facts the log lacks. One that counts beyond the newest
   * fact has followed another journal, whose numbers say nothing here: everything there is passes for recorded.
   */
  begin(state: StateView): number {
    this.#trail ??= trailFrom(state);
    this.#missing += Math.max(0, state.seq - this.#lastSeq);
    this.#lastSeq = state.seq;
    return this.#missing;
  }

  /** A fact is recorded once: those up to `lastSeq` are passed over. Never throws, never waits. */
  record(facts: readonly RecordedFact[]): void {
    this.#trail ??= new AuditTrail();
    for (const fact of facts) {
      if (fact.seq <= this.#lastSeq) continue;
      this.#lastSeq = fact.seq;
      this.#enqueue(this.#trail.entryOf(fact));
    }
  }

  /** Something an operator did that is no fact. */
  recordAction(action: AuditAction): void {
    this.#enqueue(entryOfAction(action));
    this.#start();
  }

  /** Resolves when what waits now is written, or could not be. */
  async flush(): Promise<void> {
    if (this.#waiting.length > 0) this.#start();
    await this.#writing;
  }

  /** The newest entries, durable, newest first, from rotated files too. Rejects with StoreError. */
  async newest(limit: number): Promise<readonly AuditEntry[]> {
    await this.flush();
    try {
      return await this.#inTurn(() => this.#read(limit));
    } catch (error) {
      throw storeError('read the audit log', this.#options.path, error);
    }
  }

  async #read(limit: number): Promise<readonly AuditEntry[]> {
    const entries: AuditEntry[] = [];
    const { files, path } = this.#options;
    for (const one of [...(await rotatedFiles(files, path)), path].reverse()) {
      if (entries.length >= limit) break;
      for await (const line of linesBackwards(files, one)) {
        entries.push(parseEntry(line) ?? this.#note('audit.damaged', basename(one), line));
        if (entries.length >= limit) break;
      }
    }
    return entries;
  }

  /** Resolves when what waits is written, or could not be. Rejects with StoreError when the file cannot be closed. */
  async close(): Promise<void> {
    for (let attempt = 0; attempt < RETRIES_AT_CLOSE; attempt++) {
      await this.#writing;
      if (this.#waiting.length > 0) this.#start();
    }
    await this.#writing;
    this.#endGathering();
    await this.#file.close();
  }

  #enqueue(entry: AuditEntry): void {
    this.#waiting.push(entry);
    const surplus = this.#waiting.length - this.#options.maxWaiting;
    if (surplus > 0) {
      this.#waiting.splice(0, surplus);
      this.#dropped += surplus;
    }
    if (this.#waiting.length >= ENOUGH) this.#start();
    else this.#gather();
  }

  #gather(): void {
    if (this.#writing !== undefined || this.#cancelGathering !== undefined) return;
    this.#cancelGathering = this.#options.gather(() => {
      this.#cancelGathering = undefined;
      this.#start();
    });
  }

  #endGathering(): void {
    this.#cancelGathering?.();
    this.#cancelGathering = undefined;
  }

  /** Writes everything that waits now. */
  #start(): void {
    this.#hurry = true;
    this.#endGathering();
    this.#writing ??= Promise.resolve().then(() => this.#write());
  }

  /** Ends in the very step in which nothing is in a hurry any more, so that whoever is from then on begins anew. */
  async #write(): Promise<void> {
    let works = true;
    while (works && this.#hurry && this.#waiting.length > 0) {
      this.#hurry = false;
      works = await this.#writeGroup();
    }
    this.#writing = undefined;
    if (works && this.#waiting.length > 0) this.#gather();
  }

  /** False when the disk failed; the next entry tries again. */
  async #writeGroup(): Promise<boolean> {
    const group = this.#waiting;
    const dropped = this.#dropped;
    this.#waiting = [];
    this.#dropped = 0;
    try {
      const gap = `${dropped} entries before this one could not be written; the journal has their facts`;
      const entries = dropped > 0 ? [this.#note('audit.gap', this.#name, gap), ...group] : group;
      this.#writingSince = this.#options.clock();
      await this.#inTurn(() => this.#append(entries));
      this.#failure = null;
      return true;
    } catch (error) {
      this.#failure = storeError('write the audit log', this.#options.path, error);
      const all = [...group, ...this.#waiting];
      const surplus = Math.max(0, all.length - this.#options.maxWaiting);
      this.#waiting = all.slice(surplus);
      this.#dropped += dropped + surplus;
      this.#options.onError(this.#failure);
      return false;
    } finally {
      this.#writingSince = null;
    }
  }

  async #append(entries: readonly AuditEntry[]): Promise<void> {
    const bytes = Buffer.from(entries.map((entry) => `${JSON.stringify(entry)}\n`).join(''));
    const isFull = this.#file.length > 0 && this.#file.length + bytes.length > this.#options.maxOctets;
    if (isFull || this.#file.retired) await this.#rotate();
    await this.#file.append(bytes);
  }

  /** An entry of the log about itself. */
  #note(type: string, target: string, reason: string): AuditEntry {
    const actor = { kind: 'system', name: 'prefixd' } as const;
    return entryOfAction({ type, at: this.#options.clock(), actor, target, reason });
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(work);
    this.#turn = result.catch(() => undefined);
    return result;
  }

  async #rotate(): Promise<void> {
    const { files, path, clock, keep } = this.#options;
    await this.#file.tidy();
    // After a failure between these two steps there is no file under the name; it is made with the next attempt.
    try {
      await files.rename(path, rotatedPath(path, await rotatedFiles(files, path), clock()));
    } catch (error) {
      if (errorCode(error) !== 'ENOENT') throw error;
    }
    const next = await SegmentFile.create(files, this.#folder, { name: this.#name, path, seq: 0 });
    const previous = this.#file;
    this.#file = next;
    await previous.close();
    const rotated = await rotatedFiles(files, path);
    for (const old of rotated.slice(0, Math.max(0, rotated.length - keep))) await files.remove(old);
  }
}

/** A trail that knows what is live in `state`, and the events that led there. */
function trailFrom(state: StateView): AuditTrail {
  const live = [...state.live].flatMap((id) => state.mitigations.get(id) ?? []);
  return new AuditTrail(live, state.events.values());
}

function atOnce(write: () => void): () => void {
  let cancelled = false;
  queueMicrotask(() => {
    if (!cancelled) write();
  });
  return () => {
    cancelled = true;
  };
}
