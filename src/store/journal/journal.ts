/**
 * Implements the journal: facts as JSON lines in a folder that one process owns. Overlapping appends share one durable
 * write. See record.ts and snapshot.ts for the file formats, segments.ts for file names, segment-file.ts for disk
 * errors.
 */
import { join } from 'node:path';
import type { RecordedFact } from '../../core/facts.ts';
import type { StateSnapshot } from '../../core/state/state.ts';
import { AppendQueue, type AppendGroup, type Sync } from '../append-queue.ts';
import { type Files, realFiles, removeIfThere, storeError } from '../files.ts';
import { type Recovery, type Store, StoreError } from '../store.ts';
import { acquireLock, type Lock, type LockMeans } from './lock.ts';
import { mendLineFeed, planRecovery, readFactsAfter, type RecoveryPlan } from './recovery.ts';
import { SegmentFile } from './segment-file.ts';
import { type NumberedFile, readFolder, readSegment, segmentName } from './segments.ts';
import { removeOld, type Retention, writeSnapshot } from './snapshot.ts';

export interface JournalOptions {
  /** Created if it does not exist. */
  readonly folder: string;
  /** Milliseconds since the epoch; used only for the age of old segments. */
  readonly clock?: () => number;
  readonly retention?: Partial<Retention>;
  /** Called for each durable group. Must not throw. */
  readonly onSync?: (sync: Sync) => void;
  readonly files?: Files;
  readonly lock?: LockMeans;
}

const DEFAULT_RETENTION: Retention = { segments: 100, ageMs: 30 * 24 * 3_600_000 };

/**
 *              open                all facts are read             close
 *     closed ────────▶ recovering ────────────────────▶ open ─────────────▶ closing
 *        ▲                 │ failed, or closed                                 │
 *        └─────────────────┴───────────────────────────────────────────────────┘
 *                                                   accepted facts are durable or rejected
 *
 * While it is open, groups of appends are written one after the other, and one snapshot may be written meanwhile. A
 * write that fails rejects the facts that wait, and the next append tries again (see segment-file.ts).
 */
type JournalState =
  | { readonly name: 'closed' }
  | { readonly name: 'recovering'; readonly lock?: Lock }
  | { readonly name: 'open'; readonly lock: Lock; readonly segment: SegmentFile }
  | {
      readonly name: 'closing';
      readonly lock?: Lock;
      readonly segment?: SegmentFile;
      readonly closed: Promise<void>;
    };

export class Journal implements Store {
  readonly #folder: string;
  readonly #files: Files;
  readonly #options: JournalOptions;
  #state: JournalState = { name: 'closed' };
  readonly #appends: AppendQueue;
  /** Sequence number of the last durable fact; changes within a turn. */
  #durableSeq = 0;
  /** Serializes work on the current segment. */
  #turn: Promise<unknown> = Promise.resolve();
  #snapshotting = false;

  constructor(options: JournalOptions) {
    this.#options = options;
    this.#folder = options.folder;
    this.#files = options.files ?? realFiles;
    this.#appends = new AppendQueue({
      store: `the journal in ${options.folder}`,
      write: (group) => this.#inTurn(() => this.#writeGroup(group)),
      onSync: options.onSync,
    });
  }

  /** See Store. Checks facts while they are read: the iteration rejects with DamageError that names file and line. */
  async open(): Promise<Recovery> {
    if (this.#state.name !== 'closed') {
      throw new StoreError(`the journal in ${this.#folder} is already open`);
    }
    this.#state = { name: 'recovering' };
    try {
      await this.#files.makeFolder(this.#folder);
      const lock = await acquireLock(this.#folder, this.#options.lock);
      if (!this.#isRecovering()) {
        await lock.release();
        throw new StoreError('the journal was closed while it was being opened');
      }
      this.#state = { name: 'recovering', lock };
      const found = await readFolder(this.#files, this.#folder);
      for (const path of found.leftovers) await this.#files.remove(path);
      const plan = await planRecovery(this.#files, this.#folder, found);
      plan.warnings.unshift(...lock.warnings);
      if (plan.lostLineFeed !== undefined) await mendLineFeed(this.#files, plan.lostLineFeed);
      return {
        snapshot: plan.snapshot,
        facts: this.#recover(plan, lock),
        about: plan.about,
        warnings: plan.warnings,
      };
    } catch (error) {
      await this.#giveUp();
      throw storeError('open the journal in', this.#folder, error);
    }
  }

  async *#recover(plan: RecoveryPlan, lock: Lock): AsyncGenerator<readonly RecordedFact[]> {
    const { lastSeq, current, unterminated, leftovers } = yield* readFactsAfter(this.#files, plan);
    this.#durableSeq = lastSeq;
    this.#appends.continueAfter(lastSeq);
    for (const { path } of leftovers) await this.#files.remove(path);
    const segment =
      current === undefined
        ? await SegmentFile.create(this.#files, this.#folder, this.#segment(lastSeq + 1))
        : await SegmentFile.open(this.#files, current, unterminated);
    if (!this.#isRecovering()) {
      await segment.close();
      throw new StoreError('the journal was closed while it was being read');
    }
    this.#state = { name: 'open', lock, segment };
  }

  append(facts: readonly RecordedFact[]): Promise<void> {
    if (this.#state.name !== 'open') return Promise.reject(this.#notOpen());
    return this.#appends.append(facts);
  }

  /** See Store. Also removes old segments beyond the retention; appends continue meanwhile. */
  async snapshot(snapshot: StateSnapshot): Promise<void> {
    if (this.#state.name !== 'open') throw this.#notOpen();
    if (this.#snapshotting) throw new StoreError('a snapshot is already being written');
    if (snapshot.seq < 1 || snapshot.seq > this.#durableSeq) {
      throw new StoreError(
        `cannot write a snapshot of fact ${snapshot.seq}: the last durable fact is ${this.#durableSeq}`,
      );
    }
    this.#snapshotting = true;
    try {
      // Create the segment first: every snapshot is followed by a segment, so a lost segment is detected.
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

  /** Resolves when every accepted fact is durable or rejected and the folder is released. */
  close(): Promise<void> {
    if (this.#state.name === 'closed') return Promise.resolve();
    if (this.#state.name !== 'closing') {
      this.#state = { ...this.#state, name: 'closing', closed: this.#close() };
    }
    return this.#state.closed;
  }

  async #close(): Promise<void> {
    await this.#appends.drained();
    await this.#turn;
    await this.#giveUp();
  }

  async #giveUp(): Promise<void> {
    const state = this.#state;
    this.#state = { name: 'closed' };
    if (state.name === 'closed') return;
    try {
      if (state.name !== 'recovering') await state.segment?.close();
    } finally {
      await state.lock?.release();
    }
  }

  async #writeGroup({ first, count, lines }: AppendGroup): Promise<Sync> {
    const current = await this.#soundSegment();
    const bytes = Buffer.from(lines);
    const milliseconds = await current.append(bytes);
    this.#durableSeq = first + count - 1;
    return { facts: count, octets: bytes.length, milliseconds };
  }

  /** Returns the segment to write to. A retired one is truncated, read again completely, and followed by a new one. */
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
        `${current.segment.path}: after a failed write the file ends with fact ${step.value.lastSeq}, not ${this.#durableSeq}; check the disk and restart prefixd`,
      );
    }
    await this.#rotate();
    return this.#segmentInUse();
  }

  /** Continues in a new segment. An empty segment is kept, or created again if it is retired. */
  async #rotate(): Promise<void> {
    const current = this.#segmentInUse();
    if (current.length === 0 && !current.retired) return;
    await current.tidy();
    if (current.length === 0) await removeIfThere(this.#files, current.segment.path);
    const next = await SegmentFile.create(this.#files, this.#folder, this.#segment(this.#durableSeq + 1));
    if (this.#state.name === 'open' || this.#state.name === 'closing') {
      this.#state = { ...this.#state, segment: next };
    }
    await current.close();
  }

  #segmentInUse(): SegmentFile {
    const segment = 'segment' in this.#state ? this.#state.segment : undefined;
    if (segment === undefined) throw this.#notOpen();
    return segment;
  }

  #segment(first: number): NumberedFile {
    const name = segmentName(first);
    return { name, path: join(this.#folder, name), seq: first };
  }

  #isRecovering(): boolean {
    return this.#state.name === 'recovering';
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(work);
    this.#turn = result.catch(() => undefined);
    return result;
  }

  #notOpen(): StoreError {
    return new StoreError(
      this.#isRecovering()
        ? `the journal in ${this.#folder} cannot be written until all its facts have been read`
        : `the journal in ${this.#folder} is not open`,
    );
  }
}
