/**
 * Writes the audit log: one entry for each decision and each operator's action, append-only, durable group by group, in
 * files or a database (audit-storage.ts). It never delays or fails a decision: entries that cannot be written wait in a bounded queue,
 * and the failure is reported. Facts are already in the journal, and its replay at the next start adds entries that a
 * crash prevented; so their entries may be collected for a while. An operator's action is nowhere else and is written
 * at once.
 */
import { SYSTEM } from '../../core/decide/lifecycle.ts';
import type { RecordedFact } from '../../core/facts.ts';
import type { StateView } from '../../core/state/state.ts';
import { type AuditAction, type AuditEntry, AuditTrail, entryOfAction } from './audit-entry.ts';
import { type AuditFilesOptions, type AuditStorage, RotatedAudit } from './audit-storage.ts';
import { timeText } from '../../net/time.ts';
import { storeError } from '../files.ts';
import type { StoreError } from '../store.ts';

export interface AuditLogOptions {
  /** Milliseconds since the epoch. */
  readonly clock: () => number;
  /** Called for each failed write; the entries are retried with the next ones. Must not throw. */
  readonly onError: (error: StoreError) => void;
  /**
   * Entries that wait while the disk fails; beyond that the oldest are dropped, and an entry counts them. Default
   * 10,000.
   */
  readonly maxWaiting?: number;
  /**
   * Calls `write` later, after entries of facts have been collected for long enough; returns a function that cancels
   * it. Fewer writes leave the disk to the journal, because an event may have to wait for each fsync. Default: write at
   * once.
   */
  readonly gather?: (write: () => void) => () => void;
}

/** The log's condition. */
export interface AuditCondition {
  /** Error of the last write; undefined if it succeeded. */
  readonly failure: StoreError | undefined;
  /** Start of the running write (ms since the epoch); undefined if none is running. */
  readonly writingSince: number | undefined;
}

const RETRIES_AT_CLOSE = 2;
/** Number of waiting entries that are written at once. */
const ENOUGH = 1_000;

/**
 *              an entry                 the time is over, or it is urgent
 *     idle ───────────────▶ gathering ────────────────────────────────────▶ writing ◀─┐ again
 *      ▲ ▲                                                                    │   └───┘
 *      │ └──────────── nothing urgent waits, or the write has failed ─────────┘
 *      └ the next entry tries again after a failure
 */
type AuditState =
  | { readonly name: 'idle' }
  | { readonly name: 'gathering'; readonly cancel: () => void }
  /** `again`: entries wait that must be written now, too. */
  | { readonly name: 'writing'; again: boolean; readonly written: Promise<void> };

export class AuditLog {
  readonly #options: Required<AuditLogOptions>;
  readonly #storage: AuditStorage;
  /** Created when the state before the first fact is known. */
  #trail: AuditTrail | undefined;
  #waiting: AuditEntry[] = [];
  #dropped = 0;
  #state: AuditState = { name: 'idle' };
  /** Start of the running write (ms since the epoch). */
  #writingSince: number | undefined;
  /** Error of the last write. */
  #failure: StoreError | undefined;
  #lastSeq: number;
  /** Number of facts that neither the log nor the replay contains. */
  #missing = 0;

  constructor(storage: AuditStorage, options: AuditLogOptions) {
    this.#storage = storage;
    this.#options = { maxWaiting: 10_000, gather: atOnce, ...options };
    this.#lastSeq = storage.lastSeq;
  }

  /** Opens or creates a log in a file. Rejects with StoreError if it cannot be written. */
  static async open(options: AuditLogOptions & AuditFilesOptions): Promise<AuditLog> {
    return new AuditLog(await RotatedAudit.open(options), options);
  }

  /** Number of the last fact that the log has received, across restarts; 0 if there is none. */
  get lastSeq(): number {
    return this.#lastSeq;
  }

  /** Number of entries that wait, and of those dropped since the last successful write. */
  get backlog(): { readonly waiting: number; readonly dropped: number } {
    return { waiting: this.#waiting.length, dropped: this.#dropped };
  }

  get condition(): AuditCondition {
    return { failure: this.#failure, writingSince: this.#writingSince };
  }

  /** Records a replayed fact if the log lacks it. `state` is the state before the fact. */
  catchUp(state: StateView, fact: RecordedFact): void {
    if (fact.seq <= this.#lastSeq) return;
    this.#trail ??= trailFrom(state);
    this.#missing += fact.seq - this.#lastSeq - 1;
    this.record([fact]);
  }

  /**
   * Detects that the journal has lost facts: its newest fact is `seq`, decided at `at` (ms since the epoch). True if
   * the log contains that fact and later ones; false if it has none later, followed another journal, or no longer
   * contains the fact. Rejects with StoreError.
   */
  async outlived(seq: number, at: number): Promise<boolean> {
    if (seq === 0 || seq >= this.#lastSeq) return false;
    try {
      return (await this.#storage.timeOf(seq)) === timeText(at);
    } catch (error) {
      throw storeError('read the audit log', this.#storage.place, error);
    }
  }

  /**
   * Ends the replay; `state` has every fact. Returns the number of facts that the log lacks. If the log's numbers
   * exceed the newest fact, it followed another journal, and all facts count as recorded.
   */
  begin(state: StateView): number {
    this.#trail ??= trailFrom(state);
    this.#missing += Math.max(0, state.seq - this.#lastSeq);
    this.#lastSeq = state.seq;
    return this.#missing;
  }

  /** Records each fact once and skips those up to `lastSeq`. Never throws and never waits. */
  record(facts: readonly RecordedFact[]): void {
    this.#trail ??= new AuditTrail();
    for (const fact of facts) {
      if (fact.seq <= this.#lastSeq) continue;
      this.#lastSeq = fact.seq;
      this.#enqueue(this.#trail.entryOf(fact));
    }
  }

  /** Records an operator's action that is not a fact. */
  recordAction(action: AuditAction): void {
    this.#enqueue(entryOfAction(action));
    this.#start();
  }

  /** Resolves when the waiting entries are written, or writing them has failed. */
  async flush(): Promise<void> {
    if (this.#waiting.length > 0) this.#start();
    await this.#written();
  }

  /** Returns the newest durable entries, newest first, also from rotated files. Rejects with StoreError. */
  async newest(limit: number): Promise<readonly AuditEntry[]> {
    await this.flush();
    try {
      return await this.#storage.newest(limit);
    } catch (error) {
      throw storeError('read the audit log', this.#storage.place, error);
    }
  }

  /**
   * Resolves when the waiting entries are written, or writing failed. Rejects with StoreError if the file cannot be
   * closed.
   */
  async close(): Promise<void> {
    for (let attempt = 0; attempt < RETRIES_AT_CLOSE; attempt++) {
      await this.#written();
      if (this.#waiting.length > 0) this.#start();
    }
    await this.#written();
    if (this.#state.name === 'gathering') this.#state.cancel();
    await this.#storage.close();
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
    if (this.#state.name !== 'idle') return;
    this.#state = { name: 'gathering', cancel: this.#options.gather(() => this.#start()) };
  }

  /** Writes all waiting entries now. */
  #start(): void {
    if (this.#state.name === 'writing') {
      this.#state.again = true;
      return;
    }
    if (this.#state.name === 'gathering') this.#state.cancel();
    this.#state = { name: 'writing', again: true, written: Promise.resolve().then(() => this.#write()) };
  }

  /** Resolves when the current write, if any, has ended. */
  #written(): Promise<void> {
    return this.#state.name === 'writing' ? this.#state.written : Promise.resolve();
  }

  /** Becomes idle in the same step in which nothing is urgent any more, so that a later call starts a new write. */
  async #write(): Promise<void> {
    let works = true;
    while (works && this.#state.name === 'writing' && this.#state.again && this.#waiting.length > 0) {
      this.#state.again = false;
      works = await this.#writeGroup();
    }
    this.#state = { name: 'idle' };
    if (works && this.#waiting.length > 0) this.#gather();
  }

  /** Writes one group; false if the disk failed, and the next entry tries again. */
  async #writeGroup(): Promise<boolean> {
    const group = this.#waiting;
    const dropped = this.#dropped;
    this.#waiting = [];
    this.#dropped = 0;
    try {
      const gap = `${dropped} entries before this one could not be written; the journal has their facts`;
      const entries = dropped > 0 ? [this.#gap(gap), ...group] : group;
      this.#writingSince = this.#options.clock();
      await this.#storage.append(entries);
      this.#failure = undefined;
      return true;
    } catch (error) {
      this.#failure = storeError('write the audit log', this.#storage.place, error);
      const all = [...group, ...this.#waiting];
      const surplus = Math.max(0, all.length - this.#options.maxWaiting);
      this.#waiting = all.slice(surplus);
      this.#dropped += dropped + surplus;
      this.#options.onError(this.#failure);
      return false;
    } finally {
      this.#writingSince = undefined;
    }
  }

  /** Returns an entry about dropped ones. */
  #gap(reason: string): AuditEntry {
    const { clock } = this.#options;
    return entryOfAction({
      type: 'audit.gap',
      at: clock(),
      actor: SYSTEM,
      target: this.#storage.name,
      reason,
    });
  }
}

/** Returns a trail with the live mitigations and the events in `state`. */
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
