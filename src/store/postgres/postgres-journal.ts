/**
 * Implements the journal in PostgreSQL: one dedicated connection, one writer. An append is one statement in one round
 * trip. If its answer is lost, the next connection finds out whether it was committed (settle-writes.ts).
 */
import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { setImmediate } from 'node:timers/promises';
import type { RecordedFact } from '../../core/facts.ts';
import type { StateSnapshot } from '../../core/state/state.ts';
import type { PostgresDeadlines } from '../../postgres/connection.ts';
import { PostgresError } from '../../postgres/postgres-error.ts';
import { AppendQueue, type AppendGroup, type Sync } from '../append-queue.ts';
import { storeError } from '../files.ts';
import { type Recovery, type Store, StoreError } from '../store.ts';
import { JournalClaims } from './journal-claims.ts';
import { JournalLink, type LinkTrouble } from './journal-link.ts';
import type { JournalRow, JournalSession } from './journal-session.ts';
import { settleWrites } from './settle-writes.ts';
import { chooseSnapshot, readFacts, type StoredJournal } from './stored-facts.ts';
import {
  applyRetention,
  FACT_RETENTION,
  type FactRetention,
  removeIncomplete,
  storeSnapshot,
} from './write-snapshot.ts';
import { type LineGroup, WrittenLines, type WrittenLimits } from './written-lines.ts';

/** Time limits (ms). */
export interface JournalDeadlines extends PostgresDeadlines {
  /** For an append: until then, facts whose commit was not answered are looked for and written again. */
  readonly resolveMs: number;
  /** Time between two checks of an idle connection. */
  readonly heartbeatMs: number;
  /** Wait for the lock of a process that has just ended. */
  readonly lockMs: number;
  /** First and longest pause between attempts to connect. */
  readonly pauseMs: readonly [first: number, longest: number];
}

export const JOURNAL_DEADLINES: JournalDeadlines = {
  connectMs: 3_000,
  statementMs: 5_000,
  resolveMs: 10_000,
  heartbeatMs: 5_000,
  lockMs: 3_000,
  pauseMs: [50, 2_000],
};

/** How often something happened since the start. */
export interface JournalCounts {
  /** Connections after the first one. */
  readonly reconnects: number;
  /** Groups of facts whose commit was not answered: found there, written again, or refused. */
  readonly found: number;
  readonly repeated: number;
  readonly refused: number;
  /** Acknowledged facts that a failover had lost and that were written again. */
  readonly rewritten: number;
}

export interface PostgresJournalOptions {
  /** Never shown. */
  readonly url: string;
  /** The journal's name in the database. */
  readonly name: string;
  /** Milliseconds since the epoch. */
  readonly clock?: () => number;
  readonly deadlines?: Partial<JournalDeadlines>;
  readonly retention?: Partial<FactRetention>;
  readonly written?: WrittenLimits;
  /** This daemon, for the others; default: process and host. */
  readonly owner?: string;
  /** Called for each durable group. Must not throw. */
  readonly onSync?: (sync: Sync) => void;
  /** Called with what an operator should know while the journal is open. Must not throw. */
  readonly onNotice?: (text: string) => void;
  /** Called when the journal can be written again after a loss. Must not throw. */
  readonly onWorks?: () => void;
}

type State = 'closed' | 'recovering' | 'open' | 'closing';

/** Facts whose commit was not answered. */
interface Doubt {
  readonly group: LineGroup;
  isThere: boolean;
}

/** Facts before the start that are read for the memory of written ones. */
const READ_AGAIN = 1_000;
/** SQLSTATE: a fact of that number is there. */
const UNIQUE_VIOLATION = '23505';

export class PostgresJournal implements Store {
  readonly #options: PostgresJournalOptions;
  readonly #deadlines: JournalDeadlines;
  readonly #title: string;
  readonly #claims: JournalClaims;
  readonly #appends: AppendQueue;
  readonly #link: JournalLink;
  #written: WrittenLines;
  #state: State = 'closed';
  #closing: Promise<void> | undefined;
  /** The session that reads, until the journal is open. */
  #reading: JournalSession | undefined;
  #doubt: Doubt | undefined;
  /** Number of the newest fact that was refused and may be in the database; 0 if there is none. */
  #surplusSeq = 0;
  /** Sequence number of the last durable fact; changes within a turn. */
  #durableSeq = 0;
  /** Serializes appends and checks. */
  #turn: Promise<unknown> = Promise.resolve();
  #heartbeat: NodeJS.Timeout | undefined;
  #snapshotting = false;
  #counts = { reconnects: 0, found: 0, repeated: 0, refused: 0, rewritten: 0 };

  constructor(options: PostgresJournalOptions) {
    this.#options = options;
    this.#deadlines = { ...JOURNAL_DEADLINES, ...options.deadlines };
    const owner = options.owner ?? `process ${process.pid} on ${hostname()}`;
    this.#claims = new JournalClaims({
      url: options.url,
      name: options.name,
      writer: { id: randomUUID(), owner },
      deadlines: this.#deadlines,
      lockMs: this.#deadlines.lockMs,
    });
    this.#title = this.#claims.title;
    this.#written = new WrittenLines(options.written);
    this.#appends = new AppendQueue({
      store: this.#title,
      write: (group) => this.#inTurn(() => this.#write(group)),
      onSync: options.onSync,
    });
    this.#link = new JournalLink({
      connect: (onLost) => this.#connectAgain(onLost),
      pauseMs: this.#deadlines.pauseMs,
      clock: options.clock ?? Date.now,
      onLinked: () => {
        this.#counts.reconnects++;
        options.onWorks?.();
      },
      onTrouble: (text) => options.onNotice?.(`${this.#title}: ${text}`),
    });
  }

  /** Why nothing can be written now; undefined if it can. */
  get trouble(): LinkTrouble | undefined {
    return this.#state === 'open' ? this.#link.trouble : undefined;
  }

  get counts(): JournalCounts {
    return this.#counts;
  }

  /** The journal's row as this daemon has claimed it. Throws StoreError if it has no session with the database. */
  get claimed(): JournalRow {
    const session = this.#link.current ?? this.#reading;
    if (session === undefined) throw this.#notOpen();
    return session.row;
  }

  /** See Store. Rejects with StoreError if another daemon is connected to the journal. */
  async open(): Promise<Recovery> {
    if (this.#state !== 'closed') throw new StoreError(`${this.#title} is already open`);
    this.#state = 'recovering';
    let session: JournalSession | undefined;
    try {
      const { connection, warnings } = await this.#claims.connect((error) => this.#link.lost(session, error));
      session = await this.#claims.first(connection);
      this.#reading = session;
      if (!this.#isRecovering()) throw new StoreError(`${this.#title} was closed while it was being opened`);
      await removeIncomplete(session);
      const last = await session.newest();
      const chosen = await chooseSnapshot(this.#stored(session), session.row.base, last);
      return {
        snapshot: chosen.snapshot,
        facts: this.#recover(session, chosen.snapshot?.seq ?? 0, last),
        about: last - (chosen.snapshot?.seq ?? 0),
        warnings: [...warnings, ...chosen.warnings],
      };
    } catch (error) {
      await this.#release();
      throw storeError('open', this.#title, error);
    }
  }

  async *#recover(
    session: JournalSession,
    after: number,
    last: number,
  ): AsyncGenerator<readonly RecordedFact[]> {
    this.#written = new WrittenLines(this.#options.written);
    try {
      // Those before the snapshot, too: a failover may lose facts that were written before this start.
      const from = Math.max(session.row.base, Math.min(after, last - READ_AGAIN));
      for await (const { facts, text } of readFacts(this.#stored(session), from, last)) {
        this.#written.add({ first: facts[0]?.seq ?? 0, count: facts.length, text });
        const fresh = facts.filter(({ seq }) => seq > after);
        if (fresh.length > 0) yield fresh;
      }
      if (session.connection.lost !== undefined) throw session.connection.lost;
    } catch (error) {
      throw storeError('read', this.#title, error);
    }
    if (!this.#isRecovering()) throw new StoreError(`${this.#title} was closed while it was being read`);
    this.#durableSeq = last;
    this.#appends.continueAfter(last);
    // Only now: a later connection removes the facts that this daemon does not know.
    this.#reading = undefined;
    this.#link.begin(session);
    this.#state = 'open';
    this.#beat();
  }

  append(facts: readonly RecordedFact[]): Promise<void> {
    if (this.#state !== 'open') return Promise.reject(this.#notOpen());
    return this.#appends.append(facts);
  }

  /** See Store. Also removes old facts beyond the retention; appends continue meanwhile. */
  async snapshot(snapshot: StateSnapshot): Promise<void> {
    if (this.#state !== 'open') throw this.#notOpen();
    if (this.#snapshotting) throw new StoreError('a snapshot is already being written');
    if (snapshot.seq < 1 || snapshot.seq > this.#durableSeq) {
      throw new StoreError(
        `cannot write a snapshot of fact ${snapshot.seq}: the last durable fact is ${this.#durableSeq}`,
      );
    }
    this.#snapshotting = true;
    try {
      const session = await this.#link.session(performance.now() + this.#deadlines.resolveMs, false);
      await storeSnapshot(session, snapshot);
      await applyRetention(session, this.#durableSeq, { ...FACT_RETENTION, ...this.#options.retention });
    } catch (error) {
      throw storeError('write the snapshot of', this.#title, error);
    } finally {
      this.#snapshotting = false;
    }
  }

  /** Resolves when every accepted fact is durable or rejected and the database has released the journal. */
  close(): Promise<void> {
    if (this.#state === 'closed') return Promise.resolve();
    this.#state = 'closing';
    this.#closing ??= this.#close().finally(() => {
      this.#closing = undefined;
    });
    return this.#closing;
  }

  async #close(): Promise<void> {
    await this.#appends.drained();
    await this.#turn;
    if (this.#surplusSeq > 0) await this.#removeSurplus();
    await this.#release();
  }

  /** A new connection removes what was refused; without one, the next start would take it for facts. */
  async #removeSurplus(): Promise<void> {
    const until = performance.now() + this.#deadlines.connectMs;
    await this.#link.session(until, true).catch(() => undefined);
    if (this.#surplusSeq === 0) return;
    this.#options.onNotice?.(
      `${this.#title}: facts after ${this.#durableSeq} were refused, but the database may have them, and the next start would take them for facts`,
    );
  }

  async #release(): Promise<void> {
    clearTimeout(this.#heartbeat);
    await this.#link.close();
    await this.#reading?.connection.close();
    this.#reading = undefined;
    this.#state = 'closed';
  }

  /** Writes a group, whatever happens to the connection meanwhile, or refuses it after `resolveMs`. */
  async #write({ first, count, lines }: AppendGroup): Promise<Sync> {
    const from = performance.now();
    const group: LineGroup = { first, count, text: lines.slice(0, -1) };
    try {
      while (!(await this.#tryToWrite(group, from + this.#deadlines.resolveMs)));
      if (this.#doubt?.isThere === false) this.#counts.repeated++;
    } catch (error) {
      // Known trouble refuses without waiting: callers that try again at once must leave others their turn.
      await setImmediate();
      // It may have been found just when the time was over.
      if (this.#doubt?.isThere !== true) {
        if (this.#doubt !== undefined) {
          this.#counts.refused++;
          this.#surplusSeq = Math.max(this.#surplusSeq, first + count - 1);
        }
        throw error;
      }
    } finally {
      if (this.#doubt?.isThere === true) this.#counts.found++;
      this.#doubt = undefined;
    }
    this.#durableSeq = first + count - 1;
    this.#written.add(group);
    return { facts: count, octets: Buffer.byteLength(lines), milliseconds: performance.now() - from };
  }

  /** True if the group is durable; false if a new connection must be asked. Rejects with an error if it is refused. */
  async #tryToWrite(group: LineGroup, until: number): Promise<boolean> {
    const session = await this.#link.session(until, this.#doubt !== undefined);
    if (this.#doubt?.isThere === true) return true;
    const left = until - performance.now();
    if (left <= 0) throw new StoreError('the database did not answer in time');
    try {
      const deadline = Math.min(left, this.#deadlines.statementMs);
      if (await session.append(group.first - 1, group.text, deadline)) return true;
    } catch (error) {
      if (!(error instanceof PostgresError)) throw error;
      if (error.failure === 'refused' && error.code !== UNIQUE_VIOLATION) throw error;
      this.#doubt ??= { group, isThere: false };
    }
    this.#link.giveUp(session, 'the journal in the database is not as this daemon has left it');
    return false;
  }

  /** Checks an idle connection, so that a silent one is noticed, and another owner. */
  #beat(): void {
    this.#heartbeat = setTimeout(() => {
      void this.#inTurn(() => this.#check()).finally(() => {
        if (this.#state === 'open') this.#beat();
      });
    }, this.#deadlines.heartbeatMs);
    this.#heartbeat.unref();
  }

  async #check(): Promise<void> {
    const session = this.#link.current;
    if (session === undefined || this.#state !== 'open') return;
    const holds = await session.holds(this.#durableSeq).catch(() => false);
    if (!holds) this.#link.giveUp(session, 'the journal in the database is not as this daemon has left it');
  }

  /** A later connection: leaves the database with the acknowledged facts and no others. */
  async #connectAgain(onLost: (error: Error) => void): Promise<JournalSession> {
    const { connection } = await this.#claims.connect(onLost);
    try {
      const session = await this.#claims.again(connection);
      await this.#settle(session);
      return session;
    } catch (error) {
      await connection.close();
      throw error;
    }
  }

  async #settle(session: JournalSession): Promise<void> {
    const doubt = this.#doubt;
    const known = {
      durableSeq: this.#durableSeq,
      refusedSeq: this.#surplusSeq,
      doubtful: doubt?.group,
      written: this.#written,
    };
    const settled = await settleWrites(session, known, this.#deadlines.statementMs);
    if (settled.doubtfulIsThere && doubt !== undefined) {
      // Refused meanwhile, because the time was over.
      if (this.#doubt !== doubt) await session.removeAfter(this.#durableSeq);
      else doubt.isThere = true;
    }
    this.#surplusSeq = 0;
    if (settled.rewritten === 0) return;
    this.#counts.rewritten += settled.rewritten;
    const first = this.#durableSeq - settled.rewritten + 1;
    this.#options.onNotice?.(
      `${this.#title}: the database had lost the facts ${first} to ${this.#durableSeq}, which were acknowledged; they were written again from memory`,
    );
  }

  #stored({ connection, row }: JournalSession): StoredJournal {
    return { connection, id: row.id, title: this.#title };
  }

  #isRecovering(): boolean {
    return this.#state === 'recovering';
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(work);
    this.#turn = result.catch(() => undefined);
    return result;
  }

  #notOpen(): StoreError {
    return new StoreError(
      this.#isRecovering()
        ? `${this.#title} cannot be written until all its facts have been read`
        : `${this.#title} is not open`,
    );
  }
}
