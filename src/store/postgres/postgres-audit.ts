/**
 * Keeps an audit log in PostgreSQL, beside the journal, on a connection of its own: appends do not wait for it, and it is
 * written to the end after the journal is closed. It connects when there is something to write.
 */
import { numberOf, PostgresConnection, type PostgresDeadlines, textOf } from '../../postgres/connection.ts';
import type { AuditEntry } from '../audit/audit-entry.ts';
import { parseEntry } from '../audit/audit-files.ts';
import { type AuditStorage, damagedEntry } from '../audit/audit-storage.ts';
import { storeError } from '../files.ts';
import { StoreError } from '../store.ts';
import type { JournalRow } from './journal-session.ts';

/** Entries that are kept; older ones are removed. */
const KEPT = 1_000_000;
/** Entries between two removals of old ones. */
const TIDY_AFTER = 10_000;
/** Entries that are sent once more after the connection was lost: a failover may have lost the newest ones. */
const SENT_AGAIN = 2_000;

/**
 * Inserts entries under the epoch of this daemon. An entry that is there is skipped: a fact has one, and an action is
 * there if a recent entry says the same.
 */
const INSERT = `
  WITH owner AS MATERIALIZED (
    SELECT id FROM prefixd.journal WHERE id = $1::integer AND epoch = $2::bigint AND writer = $3::text FOR SHARE),
  recent AS MATERIALIZED (
    SELECT body FROM prefixd.audit WHERE journal = $1::integer AND seq IS NULL ORDER BY number DESC LIMIT 200),
  wanted AS (
    SELECT body, seq, number
      FROM unnest(string_to_array($4::text, E'\\n'), string_to_array($5::text, ',', 'null')::bigint[])
           WITH ORDINALITY AS line(body, seq, number)),
  written AS (
    INSERT INTO prefixd.audit (journal, seq, body)
    SELECT owner.id, wanted.seq, wanted.body FROM owner, wanted
     WHERE wanted.seq IS NOT NULL OR wanted.body NOT IN (SELECT body FROM recent)
     ORDER BY wanted.number
    ON CONFLICT (journal, seq) DO NOTHING)
  SELECT count(*) AS owners FROM owner`;

export interface PostgresAuditOptions {
  /** Never shown. */
  readonly url: string;
  /** The journal's row, as this daemon has claimed it. */
  readonly journal: JournalRow;
  readonly deadlines: PostgresDeadlines;
  /** Milliseconds since the epoch. */
  readonly clock: () => number;
}

export class PostgresAudit implements AuditStorage {
  readonly #options: PostgresAuditOptions;
  readonly lastSeq: number;
  #connection: PostgresConnection | undefined;
  #connecting: Promise<PostgresConnection> | undefined;
  /** The newest entries, which a new connection sends once more. */
  #newest: readonly AuditEntry[] = [];
  #sinceTidied = 0;

  private constructor(options: PostgresAuditOptions, connection: PostgresConnection, lastSeq: number) {
    this.#options = options;
    this.#connection = connection;
    this.lastSeq = lastSeq;
  }

  /** Connects, and reads how far the log has followed the facts. Rejects with StoreError. */
  static async open(options: PostgresAuditOptions): Promise<PostgresAudit> {
    try {
      const connection = await connect(options);
      const { rows } = await connection.query(
        'SELECT coalesce(max(seq), 0) AS last FROM prefixd.audit WHERE journal = $1',
        [options.journal.id],
      );
      return new PostgresAudit(options, connection, numberOf(rows[0], 'last'));
    } catch (error) {
      throw storeError('open', placeOf(options), error);
    }
  }

  get place(): string {
    return placeOf(this.#options);
  }

  get name(): string {
    return this.#options.journal.name;
  }

  async append(entries: readonly AuditEntry[]): Promise<void> {
    const isNew = this.#connection === undefined || this.#connection.lost !== undefined;
    const connection = await this.#connected();
    const { id, epoch, writer } = this.#options.journal;
    const sent = isNew ? [...this.#newest, ...entries] : entries;
    const lines = sent.map((entry) => JSON.stringify(entry)).join('\n');
    const facts = sent.map(({ seq }) => String(seq)).join(',');
    const { rows } = await connection.query(INSERT, [id, epoch, writer, lines, facts], { name: 'audit' });
    if (numberOf(rows[0], 'owners') === 0) {
      throw new StoreError(`another daemon has taken the journal "${this.name}"`);
    }
    this.#newest = [...this.#newest, ...entries].slice(-SENT_AGAIN);
    this.#sinceTidied += entries.length;
    if (this.#sinceTidied >= TIDY_AFTER) await this.#tidy(connection);
  }

  async newest(limit: number): Promise<readonly AuditEntry[]> {
    const connection = await this.#connected();
    const { rows } = await connection.query(
      'SELECT body FROM prefixd.audit WHERE journal = $1 ORDER BY number DESC LIMIT $2',
      [this.#options.journal.id, limit],
    );
    return rows.map((row) => {
      const line = textOf(row, 'body');
      return parseEntry(line) ?? damagedEntry(this.name, line, this.#options.clock());
    });
  }

  async timeOf(seq: number): Promise<string | undefined> {
    const connection = await this.#connected();
    const { rows } = await connection.query(
      'SELECT body FROM prefixd.audit WHERE journal = $1 AND seq = $2',
      [this.#options.journal.id, seq],
    );
    return rows[0] === undefined ? undefined : parseEntry(textOf(rows[0], 'body'))?.time;
  }

  async close(): Promise<void> {
    await this.#connection?.close();
  }

  async #connected(): Promise<PostgresConnection> {
    if (this.#connection !== undefined && this.#connection.lost === undefined) return this.#connection;
    this.#connecting ??= connect(this.#options).finally(() => {
      this.#connecting = undefined;
    });
    this.#connection = await this.#connecting;
    return this.#connection;
  }

  async #tidy(connection: PostgresConnection): Promise<void> {
    this.#sinceTidied = 0;
    await connection.query(
      `DELETE FROM prefixd.audit WHERE journal = $1 AND number <= (
         SELECT number FROM prefixd.audit WHERE journal = $1 ORDER BY number DESC OFFSET $2 LIMIT 1)`,
      [this.#options.journal.id, KEPT],
      { deadlineMs: 60_000 },
    );
  }
}

function connect({ url, deadlines }: PostgresAuditOptions): Promise<PostgresConnection> {
  return PostgresConnection.connect({ ...deadlines, url, applicationName: 'prefixd audit log' });
}

function placeOf({ journal }: PostgresAuditOptions): string {
  return `the audit log of the journal "${journal.name}"`;
}
