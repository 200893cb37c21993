/** Connects to the database and claims a journal: as its new owner once, and again for each later connection of that owner. */
import { setTimeout as sleep } from 'node:timers/promises';
import { PostgresConnection, type PostgresDeadlines } from '../../postgres/connection.ts';
import { requireSchema, schemaVersion } from '../../postgres/migrations.ts';
import { beginSession } from '../../postgres/server-session.ts';
import { StoreError } from '../store.ts';
import { FencedError } from './journal-link.ts';
import {
  claimAgain,
  endOwnSessions,
  findJournal,
  findOrCreateJournal,
  type JournalOpening,
  type JournalRow,
  JournalSession,
  type JournalWriter,
  raiseEpoch,
  tryLock,
} from './journal-session.ts';
import { JOURNAL_TABLES } from './journal-tables.ts';

/** Pause between two attempts to lock (ms). */
const LOCK_POLL_MS = 100;

export interface ClaimOptions {
  /** Never shown. */
  readonly url: string;
  /** The journal's name in the database. */
  readonly name: string;
  readonly writer: JournalWriter;
  readonly deadlines: PostgresDeadlines;
  /** Wait for the lock of a process that has just ended (ms). */
  readonly lockMs: number;
}

/** A connection that can be used, and warnings for the operator. */
export interface CheckedConnection {
  readonly connection: PostgresConnection;
  readonly warnings: readonly string[];
}

export class JournalClaims {
  readonly #options: ClaimOptions;
  #opening: JournalOpening | undefined;

  constructor(options: ClaimOptions) {
    this.#options = options;
  }

  /** Names the journal in errors. */
  get title(): string {
    return `the journal "${this.#options.name}"`;
  }

  /** Connects and checks the server. Rejects with PostgresError. */
  async connect(onLost: (error: Error) => void): Promise<CheckedConnection> {
    const { url, deadlines } = this.#options;
    const options = { ...deadlines, url, applicationName: this.#applicationName };
    const connection = await PostgresConnection.connect({ ...options, onLost });
    try {
      const { warnings } = await beginSession(connection, () => PostgresConnection.connect(options));
      return { connection, warnings };
    } catch (error) {
      await connection.close();
      throw error;
    }
  }

  /** Takes the lock and raises the epoch. Closes the connection if it rejects. */
  async first(connection: PostgresConnection): Promise<JournalSession> {
    const { name, writer } = this.#options;
    try {
      await requireSchema(connection, JOURNAL_TABLES);
      const { id } = await findOrCreateJournal(connection, name);
      const locked = await this.#lock(connection, id);
      const before = await findOrCreateJournal(connection, name);
      if (!locked) {
        const { owner, openedAt } = before;
        throw new StoreError(
          `${this.title} in PostgreSQL at ${connection.place} is in use by ${owner}, since ${openedAt}; stop that daemon, or give this one another name (storage.journal)`,
        );
      }
      const opened = await raiseEpoch(connection, id, writer);
      this.#opening = { before, opened };
      return new JournalSession(connection, opened);
    } catch (error) {
      await connection.close();
      throw error;
    }
  }

  /** Claims the journal for a later connection. Rejects with FencedError if another daemon has opened it since. */
  async again(connection: PostgresConnection): Promise<JournalSession> {
    const opening = this.#opening;
    if (opening === undefined) throw new StoreError(`${this.title} is not open`);
    const isThere = (await schemaVersion(connection, JOURNAL_TABLES.schema)) > 0;
    const row = isThere ? await findJournal(connection, this.#options.name) : undefined;
    if (row === undefined || row.id !== opening.opened.id) {
      throw new StoreError(
        `PostgreSQL at ${connection.place} does not have ${this.title}; let the URL name the server that has it, or restore it`,
      );
    }
    if (row.epoch > opening.opened.epoch) throw this.#fenced(row);
    if (!(await this.#lock(connection, row.id))) {
      throw new StoreError(`another session holds the lock of ${this.title}`);
    }
    const claimed = await claimAgain(connection, opening);
    if (claimed === undefined) throw this.#fenced((await findJournal(connection, row.name)) ?? row);
    return new JournalSession(connection, claimed);
  }

  async #lock(connection: PostgresConnection, id: number): Promise<boolean> {
    const until = performance.now() + this.#options.lockMs;
    for (;;) {
      if (await tryLock(connection, id)) return true;
      await endOwnSessions(connection, id, this.#applicationName);
      if (performance.now() > until) return false;
      await sleep(LOCK_POLL_MS);
    }
  }

  #fenced({ owner, openedAt, epoch }: JournalRow): FencedError {
    return new FencedError(
      `another daemon has taken ${this.title}: ${owner}, at ${openedAt} (epoch ${epoch}); this daemon writes no more, and its rules expire; stop one of the two and restart prefixd`,
    );
  }

  get #applicationName(): string {
    return `prefixd/${this.#options.writer.id}`;
  }
}
