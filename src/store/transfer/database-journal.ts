/** A journal in PostgreSQL as source or target of a copy, and its check without owning it. */
import type { StateSnapshot } from '../../core/state/state.ts';
import { numberOf, PostgresConnection } from '../../postgres/connection.ts';
import {
  migrate,
  requireSchema,
  type SchemaStep,
  type SchemaSteps,
  schemaVersion,
} from '../../postgres/migrations.ts';
import { beginSession } from '../../postgres/server-session.ts';
import { storeError } from '../files.ts';
import { DamageError } from '../journal/segments.ts';
import { encodeSnapshot } from '../journal/snapshot.ts';
import type { JournalReport, VerifyOptions } from '../journal/verify.ts';
import {
  findJournal,
  findOrCreateJournal,
  type JournalRow,
  JournalSession,
  tryLock,
} from '../postgres/journal-session.ts';
import { JOURNAL_TABLES } from '../postgres/journal-tables.ts';
import {
  listSnapshots,
  readFacts,
  readStoredSnapshot,
  type StoredJournal,
} from '../postgres/stored-facts.ts';
import type { LineGroup } from '../postgres/written-lines.ts';
import { StoreError } from '../store.ts';
import type { JournalSource, JournalTarget } from './copy-journal.ts';

/** Where a journal is. */
export interface DatabasePlace {
  /** Never shown. */
  readonly url: string;
  readonly name: string;
}

const DEADLINES = { connectMs: 10_000, statementMs: 60_000 };

async function connect(url: string): Promise<PostgresConnection> {
  const options = { url, applicationName: 'prefixd journal', ...DEADLINES };
  const connection = await PostgresConnection.connect(options);
  try {
    await beginSession(connection, () => PostgresConnection.connect(options));
    return connection;
  } catch (error) {
    await connection.close();
    throw error;
  }
}

/** Connects, runs `work`, and closes the connection if it rejects. Errors name the journal. */
async function connected<T>(
  { url, name }: DatabasePlace,
  attempt: string,
  work: (connection: PostgresConnection) => Promise<T>,
): Promise<T> {
  let connection: PostgresConnection | undefined;
  try {
    connection = await connect(url);
    return await work(connection);
  } catch (error) {
    await connection?.close();
    throw storeError(attempt, titleOf(name), error);
  }
}

function titleOf(name: string): string {
  return `the journal "${name}"`;
}

/** Finds a journal; rejects with StoreError if the database has no such journal, or other tables. */
async function requireJournal(connection: PostgresConnection, name: string): Promise<JournalRow> {
  const isThere = (await schemaVersion(connection, JOURNAL_TABLES.schema)) > 0;
  if (isThere) await requireSchema(connection, JOURNAL_TABLES);
  const row = isThere ? await findJournal(connection, name) : undefined;
  if (row === undefined) throw new StoreError(`no journal "${name}" in PostgreSQL at ${connection.place}`);
  return row;
}

async function own(connection: PostgresConnection, row: JournalRow): Promise<void> {
  if (await tryLock(connection, row.id)) return;
  throw new StoreError(
    `${titleOf(row.name)} is in use by ${row.owner}, since ${row.openedAt}; stop that daemon`,
  );
}

/** Owns and opens a journal. Rejects with StoreError if a daemon is connected to it, or it does not exist. */
export async function openDatabaseSource(place: DatabasePlace): Promise<JournalSource> {
  return connected(place, 'read', async (connection) => {
    const row = await requireJournal(connection, place.name);
    await own(connection, row);
    return readable(connection, row, () => connection.close());
  });
}

async function readable(
  connection: PostgresConnection,
  row: JournalRow,
  close: () => Promise<void>,
): Promise<JournalSource> {
  const journal: StoredJournal = { connection, id: row.id, title: titleOf(row.name) };
  const last = await new JournalSession(connection, row).newest();
  const warnings: string[] = [];
  const snapshots = new Map<number, StateSnapshot>();
  for (const one of (await listSnapshots(journal)).toReversed()) {
    if (one.seq < row.base) continue;
    if (one.seq > last) {
      throw new StoreError(
        `${journal.title} ends with fact ${last}, but a snapshot exists for fact ${one.seq}`,
      );
    }
    try {
      snapshots.set(one.seq, await readStoredSnapshot(journal, one));
    } catch (error) {
      if (!(error instanceof DamageError)) throw error;
      warnings.push(`${error.message}; this snapshot is left out`);
    }
  }
  return {
    title: `${journal.title} in PostgreSQL at ${connection.place}`,
    base: row.base,
    last,
    snapshots: [...snapshots.keys()].sort((a, b) => a - b),
    warnings,
    async *groups() {
      for await (const { facts, text } of readFacts(journal, row.base, last)) {
        yield { first: facts[0]?.seq ?? 0, count: facts.length, text };
      }
    },
    snapshot: async (seq) => {
      const snapshot = snapshots.get(seq);
      if (snapshot === undefined) throw new StoreError(`${journal.title} has no snapshot of fact ${seq}`);
      return snapshot;
    },
    close,
  };
}

/** Owns an empty journal, and creates it if it does not exist. Rejects with StoreError if it has facts. */
export async function openDatabaseTarget(place: DatabasePlace): Promise<JournalTarget> {
  return connected(place, 'write', async (connection) => {
    await requireSchema(connection, JOURNAL_TABLES);
    const row = await findOrCreateJournal(connection, place.name);
    await own(connection, row);
    const stored: StoredJournal = { connection, id: row.id, title: titleOf(row.name) };
    if (
      (await new JournalSession(connection, row).newest()) > 0 ||
      (await listSnapshots(stored)).length > 0
    ) {
      throw new StoreError(
        `${stored.title} in PostgreSQL at ${connection.place} has facts already; copy to a journal with another name`,
      );
    }
    return new DatabaseTarget(connection, row);
  });
}

/** Writes in one transaction. */
class DatabaseTarget implements JournalTarget {
  readonly title: string;
  readonly #connection: PostgresConnection;
  readonly #row: JournalRow;

  constructor(connection: PostgresConnection, row: JournalRow) {
    this.title = `${titleOf(row.name)} in PostgreSQL at ${connection.place}`;
    this.#connection = connection;
    this.#row = row;
  }

  async begin(base: number): Promise<void> {
    await this.#connection.query('BEGIN');
    await this.#connection.query('UPDATE prefixd.journal SET base = $2 WHERE id = $1', [this.#row.id, base]);
  }

  async append({ first, text }: LineGroup): Promise<void> {
    await this.#connection.query(
      `INSERT INTO prefixd.fact (journal, seq, epoch, body)
       SELECT $1::integer, $2::bigint + line.number - 1, 0, line.body
         FROM unnest(string_to_array($3::text, E'\\n')) WITH ORDINALITY AS line(body, number)`,
      [this.#row.id, first, text],
      { name: 'copy' },
    );
  }

  async snapshot(snapshot: StateSnapshot): Promise<void> {
    const { rows } = await this.#connection.query(
      `INSERT INTO prefixd.snapshot (journal, seq, state) VALUES ($1, $2, 'complete') RETURNING id`,
      [this.#row.id, snapshot.seq],
    );
    const id = numberOf(rows[0], 'id');
    let number = 0;
    for await (const piece of encodeSnapshot(snapshot)) {
      await this.#connection.query(
        'INSERT INTO prefixd.snapshot_part (snapshot, number, body) VALUES ($1, $2, $3)',
        [id, ++number, Buffer.from(piece).toString('utf8')],
      );
    }
  }

  async finish(): Promise<void> {
    await this.#connection.query('COMMIT');
  }

  async reread(): Promise<JournalSource> {
    const row = await requireJournal(this.#connection, this.#row.name);
    return readable(this.#connection, row, async () => undefined);
  }

  /** An unfinished transaction ends with its session. */
  async close(): Promise<void> {
    await this.#connection.close();
  }
}

/** Reads and checks every fact and snapshot of a journal; a daemon may be running. Rejects only if it cannot be read. */
export async function verifyDatabase(
  place: DatabasePlace,
  options: Pick<VerifyOptions, 'onProgress'> = {},
): Promise<JournalReport> {
  return connected(place, 'read', async (connection) => {
    const seen = { segments: 0, snapshots: 0, facts: 0, octets: 0, totalOctets: 0, firstSeq: 0, lastSeq: 0 };
    try {
      // One view of everything: a daemon goes on and may remove old facts.
      await connection.query('BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY');
      const row = await requireJournal(connection, place.name);
      const journal: StoredJournal = { connection, id: row.id, title: titleOf(row.name) };
      const snapshots = await listSnapshots(journal);
      const last = await new JournalSession(connection, row).newest();
      for await (const { facts, text } of readFacts(journal, row.base, last)) {
        seen.firstSeq ||= facts[0]?.seq ?? 0;
        seen.lastSeq = facts.at(-1)?.seq ?? seen.lastSeq;
        seen.facts += facts.length;
        seen.octets += Buffer.byteLength(text) + facts.length;
        // Their sizes are estimated from those that were read.
        seen.totalOctets = Math.round((seen.octets / seen.facts) * (last - row.base));
        options.onProgress?.({ ...seen });
      }
      for (const one of snapshots) {
        if (one.seq > last) {
          throw new DamageError(
            journal.title,
            0,
            `it ends with fact ${last}, but a snapshot exists for fact ${one.seq}`,
          );
        }
        await readStoredSnapshot(journal, one);
        seen.snapshots++;
      }
      return { ...seen, warnings: [], damage: null };
    } catch (error) {
      if (!(error instanceof DamageError)) throw error;
      return { ...seen, warnings: [], damage: { file: error.path, line: error.line, detail: error.detail } };
    } finally {
      await connection.close();
    }
  });
}

/** What was done to a database's tables. */
export interface TablesReport {
  /** Host, port and database. */
  readonly place: string;
  readonly schema: string;
  readonly version: number;
  readonly applied: readonly SchemaStep[];
}

/** Creates or updates the tables of journals, or those of another schema. Rejects with StoreError. */
export async function updateTables(url: string, plan: SchemaSteps = JOURNAL_TABLES): Promise<TablesReport> {
  let connection: PostgresConnection | undefined;
  try {
    connection = await connect(url);
    const applied = await migrate(connection, plan);
    const { schema } = plan;
    return { place: connection.place, schema, version: await schemaVersion(connection, schema), applied };
  } catch (error) {
    throw storeError('update', 'the tables of the database', error);
  } finally {
    await connection?.close();
  }
}
