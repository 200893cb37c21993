/**
 * The journal: facts as JSON lines in a folder that one process owns. Appends that overlap share one write, which is
 * durable when it returns. File formats: record.ts, snapshot.ts; names: segments.ts; what a failing disk leads to: segment-file.ts.
 */
import { join } from 'node:path';
import type { RecordedFact } from '../../core/facts.ts';
import type { StateSnapshot } from '../../core/state/state.ts';
import { type Files, realFiles, removeIfThere, storeError } from '../files.ts';
import { type Recovery, type Store, StoreError } from '../store.ts';
import { acquireLock, type Lock, type LockMeans } from './lock.ts';
import { encodeRecord } from './record.ts';
import { mendLineFeed, planRecovery, readFactsAfter, type RecoveryPlan } from './recovery.ts';
import { SegmentFile } from './segment-file.ts';
import { type NumberedFile, readFolder, readSegment, segmentName } from './segments.ts';
import { removeOld, type Retention, writeSnapshot } from './snapshot.ts';

export interface JournalOptions {
  /** Made when it is not there. */
  readonly folder: string;
  /** Milliseconds since the epoch; only the age of old segments is judged by it. */
  readonly clock?: () => number;
  readonly retention?: Partial<Retention>;
  /** Told of each group once it is durable. Must not throw. */
  readonly onSync?: (sync: Sync) => void;
  readonly files?: Files;
  readonly lock?: LockMeans;
}

/** Ten million octets a group at most, so that one huge group does not hold up everything behind it. */
const GROUP_OCTETS = 10_000_000;
const DEFAULT_RETENTION: Retention = { segments: 100, ageMs: 30 * 24 * 3_600_000 };

/** A group that became durable. */
export interface Sync {
  readonly facts: number;
  readonly octets: number;
  /** What writing it durably took. */
  readonly milliseconds: number;
}

interface Waiting {
  readonly lines: string;
  readonly facts: number;
  readonly resolve: () => void;
  readonly reject: (error: StoreError) => void;
}

export class Journal implements Store {
  readonly #folder: string;
  readonly #files: Files;
  readonly #options: JournalOptions;
  #state: 'closed' | 'recovering' | 'open' | 'closing' = 'closed';
  #lock: Lock | undefined;
  #current: SegmentFile | undefined;
  /** Of the last durable fact, and of the last one accepted (durable or waiting). */
  #durableSeq = 0;
  #acceptedSeq = 0;
  #waiting: Waiting[] = [];
  #writing: Promise<void> | undefined;
  /** Work on the current segment, one after the other. */
  #turn: Promise<unknown> = Promise.resolve();
  #snapshotting = false;
  #closing: Promise<void> | undefined;

  constructor(options: JournalOptions) {
    this.#options = options;
    this.#folder = options.folder;
    this.#files = options.files ?? realFiles;
  }

  /** See Store. Facts are checked while they are read: their iteration rejects with DamageError naming file and line. */
  async open(): Promise<Recovery> {
    if (this.#state !== 'closed') throw new StoreError(`the journal in ${this.#folder} is open already`);
    this.#state = 'recovering';
    try {
      await this.#files.makeFolder(this.#folder);
      const lock = await acquireLock(this.#folder, this.#options.lock);
      this.#lock = lock;
      const found = await readFolder(this.#files, this.#folder);
      for (const path of found.leftovers) await this.#files.remove(path);
      const plan = await planRecovery(this.#files, this.#folder, found);
      plan.warnings.unshift(...lock.warnings);
      if (plan.lostLineFeed !== null) await mendLineFeed(this.#files, plan.lostLineFeed);
      return {
        snapshot: plan.snapshot,
        facts: this.#recover(plan),
        about: plan.about,
        warnings: plan.warnings,
      };
    } catch (error) {
      await this.#giveUp();
      throw storeError('open the journal in', this.#folder, error);
    }
  }

  async *#recover(plan: RecoveryPlan): AsyncGenerator<readonly RecordedFact[]> {
    const { lastSeq, current, unterminated, strays } = yield* readFactsAfter(this.#files, plan);
    if (this.#state !== 'recovering') throw new StoreError('the journal was closed while it was read');
    this.#durableSeq = lastSeq;
    this.#acceptedSeq = lastSeq;
    for (const { path } of strays) await this.#files.remove(path);
    this.#current =
      current === null
        ? await SegmentFile.create(this.#files, this.#folder, this.#segment(lastSeq + 1))
        : await SegmentFile.open(this.#files, current, unterminated);
    this.#state = 'open';
  }

  append(facts: readonly RecordedFact[]): Promise<void> {
    if (this.#state !== 'open') return Promise.reject(this.#notOpen());
    if (facts.length === 0) return Promise.resolve();
    let expected = this.#acceptedSeq;
    let lines = '';
    for (const fact of facts) {
      if (fact.seq !== ++expected) {
        const wrong = `fact ${fact.seq} came where ${expected} was due; was the append before it refused?`;
        return Promise.reject(new StoreError(wrong));
      }
      try {
        lines += encodeRecord(fact);
      } catch (error) {
        return Promise.reject(storeError(`put fact ${fact.seq} into words for`, this.#folder, error));
      }
    }
    this.#acceptedSeq = expected;
    return new Promise((resolve, reject) => {
      this.#waiting.push({ lines, facts: facts.length, resolve, reject });
      // Not before the present turn of the event loop has ended: what it appends besides goes into the same group.
      this.#writing ??= Promise.resolve().then(() => this.#writeWaiting());
    });
  }

  /** See Store. Old segments beyond the retention are removed; appends go on meanwhile. */
  async snapshot(snapshot: StateSnapshot): Promise<void> {
    if (this.#state !== 'open') throw this.#notOpen();
    if (this.#snapshotting) throw new StoreError('a snapshot is being written already');
    if (snapshot.seq < 1 || snapshot.seq > this.#durableSeq) {
      throw new StoreError(`a snapshot of fact ${snapshot.seq}, when ${this.#durableSeq} facts are durable`);
    }
    this.#snapshotting = true;
    try {
      // The segment comes first, so that its loss shows: every snapshot has one that begins after it.
      await this.#inTurn(() => this.#rotate());
      await writeSnapshot(this.#files, this.#folder, snapshot);
      await removeOld(
        this.#files,
        this.#folder,
        { ...DEFAULT_RETENTION, ...this.#options.retention },
        (this.#options.clock ?? Date.now)(),
      );
    } finally {
      this.#snapshotting = false;
    }
  }

  /** Resolves when everything accepted is durable or refused, and the folder is given up. */
  close(): Promise<void> {
    if (this.#state === 'closed') return Promise.resolve();
    this.#closing ??= this.#close().finally(() => {
      this.#closing = undefined;
    });
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.#state = 'closing';
    await this.#writing;
    await this.#turn;
    await this.#giveUp();
  }

  async #giveUp(): Promise<void> {
    const current = this.#current;
    const lock = this.#lock;
    this.#current = undefined;
    this.#lock = undefined;
    this.#state = 'closed';
    try {
      await current?.close();
    } finally {
      await lock?.release();
    }
  }

  async #writeWaiting(): Promise<void> {
    while (this.#waiting.length > 0) {
      const group = this.#nextGroup();
      try {
        const sync = await this.#inTurn(() => this.#writeGroup(group));
        for (const { resolve } of group) resolve();
        this.#options.onSync?.(sync);
      } catch (error) {
        // Whoever waits behind them builds on facts that are not there.
        const refused = [...group, ...this.#waiting];
        this.#waiting = [];
        this.#acceptedSeq = this.#durableSeq;
        for (const { reject } of refused) reject(storeError('write the journal in', this.#folder, error));
      }
    }
    this.#writing = undefined;
  }

  #nextGroup(): readonly Waiting[] {
    let octets = 0;
    let count = 0;
    for (const { lines } of this.#waiting) {
      if (count > 0 && octets + lines.length > GROUP_OCTETS) break;
      octets += lines.length;
      count++;
    }
    return this.#waiting.splice(0, count);
  }

  async #writeGroup(group: readonly Waiting[]): Promise<Sync> {
    const current = await this.#soundSegment();
    const bytes = Buffer.from(group.map(({ lines }) => lines).join(''));
    const facts = group.reduce((sum, waiting) => sum + waiting.facts, 0);
    const milliseconds = await current.append(bytes);
    this.#durableSeq += facts;
    return { facts, octets: bytes.length, milliseconds };
  }

  /** The segment to write to; a retired one is cut, read once more from its first octet, and followed by a new one. */
  async #soundSegment(): Promise<SegmentFile> {
    const current = this.#segmentInUse();
    if (!current.retired) return current;
    await current.tidy();
    if (current.length === 0) {
      await this.#rotate();
      return this.#segmentInUse();
    }
    const facts = readSegment(this.#files, current.segment);
    let step = await facts.next();
    while (step.done !== true) step = await facts.next();
    if (step.value.lastSeq !== this.#durableSeq || step.value.unterminated > 0) {
      throw new StoreError(
        `${current.segment.path}: after a failed write it ends with fact ${step.value.lastSeq}, not ${this.#durableSeq}; check the disk and restart prefixd`,
      );
    }
    await this.#rotate();
    return this.#segmentInUse();
  }

  /** Goes on in a new segment; one without facts is used on, or made anew when it is retired. */
  async #rotate(): Promise<void> {
    const current = this.#segmentInUse();
    if (current.length === 0 && !current.retired) return;
    await current.tidy();
    if (current.length === 0) await removeIfThere(this.#files, current.segment.path);
    const next = await SegmentFile.create(this.#files, this.#folder, this.#segment(this.#durableSeq + 1));
    this.#current = next;
    await current.close();
  }

  #segmentInUse(): SegmentFile {
    if (this.#current === undefined) throw this.#notOpen();
    return this.#current;
  }

  #segment(first: number): NumberedFile {
    const name = segmentName(first);
    return { name, path: join(this.#folder, name), seq: first };
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(work);
    this.#turn = result.catch(() => undefined);
    return result;
  }

  #notOpen(): StoreError {
    return new StoreError(
      this.#state === 'recovering'
        ? `the facts of the journal in ${this.#folder} have not been read to their end yet; nothing can be written before`
        : `the journal in ${this.#folder} is not open`,
    );
  }
}
