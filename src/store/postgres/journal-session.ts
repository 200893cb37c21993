/**
 * One session of the daemon that owns a journal in PostgreSQL. Each statement that writes checks the owner in the same
 * statement: the epoch, which each daemon raises when it opens the journal, the writer, who raised it, and the link, which
 * each connection of that writer raises. So neither another daemon nor an earlier connection of this one, whose statement
 * still waits in the server, can write. The lock FOR SHARE on the owner's row is held until the facts are committed:
 * whoever raises a number afterwards sees them.
 */
import { numberOf, type PostgresConnection, type PostgresRow, textOf } from '../../postgres/connection.ts';
import { StoreError } from '../store.ts';

/** First key of the advisory locks; the second one is the journal's id. */
const LOCK_CLASS = 0x7066_7864;

/** Who writes a journal. */
export interface JournalWriter {
  /** Unique for each opening. */
  readonly id: string;
  /** For people: process and host. */
  readonly owner: string;
}

/** A row of the table of journals. */
export interface JournalRow {
  readonly id: number;
  readonly name: string;
  readonly epoch: number;
  readonly link: number;
  readonly writer: string;
  readonly owner: string;
  /** RFC 3339, UTC. */
  readonly openedAt: string;
  readonly base: number;
}

const COLUMNS = `id, name, epoch, link, writer, owner, base,
  to_char(opened_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS opened_at`;

/** Finds a journal by its name; undefined if there is none. */
export async function findJournal(
  connection: PostgresConnection,
  name: string,
): Promise<JournalRow | undefined> {
  const { rows } = await connection.query(`SELECT ${COLUMNS} FROM prefixd.journal WHERE name = $1`, [name]);
  return rows[0] === undefined ? undefined : journalRow(rows[0]);
}

/** Finds a journal by its name, and creates an empty one if there is none. */
export async function findOrCreateJournal(connection: PostgresConnection, name: string): Promise<JournalRow> {
  await connection.query('INSERT INTO prefixd.journal (name) VALUES ($1) ON CONFLICT (name) DO NOTHING', [
    name,
  ]);
  const found = await findJournal(connection, name);
  if (found === undefined)
    throw new StoreError(`the journal "${name}" was removed while it was being opened`);
  return found;
}

function journalRow(row: PostgresRow): JournalRow {
  return {
    id: numberOf(row, 'id'),
    name: textOf(row, 'name'),
    epoch: numberOf(row, 'epoch'),
    link: numberOf(row, 'link'),
    writer: textOf(row, 'writer'),
    owner: textOf(row, 'owner'),
    openedAt: textOf(row, 'opened_at'),
    base: numberOf(row, 'base'),
  };
}

/** Tries once to take the session's lock on a journal; the server releases it when the session ends. */
export async function tryLock(connection: PostgresConnection, journal: number): Promise<boolean> {
  const { rows } = await connection.query('SELECT pg_try_advisory_lock($1, $2) AS locked', [
    LOCK_CLASS,
    journal,
  ]);
  return rows[0]?.locked === true;
}

/** Ends earlier sessions of this application name that still hold the lock because the server has not noticed their end. */
export async function endOwnSessions(
  connection: PostgresConnection,
  journal: number,
  applicationName: string,
): Promise<void> {
  await connection.query(
    `SELECT pg_terminate_backend(pid) FROM pg_locks JOIN pg_stat_activity USING (pid)
      WHERE locktype = 'advisory' AND classid = $1 AND objid = $2 AND objsubid = 2
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
        AND application_name = $3 AND pid <> pg_backend_pid()`,
    [LOCK_CLASS, journal, applicationName],
  );
}

/** Raises the epoch, so that no earlier owner can write any more. */
export async function raiseEpoch(
  connection: PostgresConnection,
  journal: number,
  writer: JournalWriter,
): Promise<JournalRow> {
  const { rows } = await connection.query(
    `UPDATE prefixd.journal
        SET epoch = epoch + 1, link = 1, writer = $2, owner = $3, opened_at = now()
      WHERE id = $1 RETURNING ${COLUMNS}`,
    [journal, writer.id, writer.owner],
  );
  const [row] = rows;
  if (row === undefined) throw new StoreError('the journal was removed while it was being opened');
  return journalRow(row);
}

/** How a journal was opened: the owner before, and the new one. */
export interface JournalOpening {
  readonly before: JournalRow;
  readonly opened: JournalRow;
}

/**
 * Claims the journal for a new connection of its owner, after every statement of earlier connections has been committed
 * or cannot be any more. Undefined if another daemon has raised the epoch. A failover may have lost this daemon's own
 * opening, which is then repeated.
 */
export async function claimAgain(
  connection: PostgresConnection,
  { before, opened }: JournalOpening,
): Promise<JournalRow | undefined> {
  const { rows } = await connection.query(
    `UPDATE prefixd.journal SET epoch = $2, link = link + 1, writer = $3, owner = $4
      WHERE id = $1 AND ((epoch = $2 AND writer = $3) OR (epoch = $5 AND writer = $6)) RETURNING ${COLUMNS}`,
    [opened.id, opened.epoch, opened.writer, opened.owner, before.epoch, before.writer],
  );
  return rows[0] === undefined ? undefined : journalRow(rows[0]);
}

const APPEND = `
  WITH owner AS MATERIALIZED (
    SELECT id FROM prefixd.journal
     WHERE id = $1::integer AND epoch = $2::bigint AND writer = $3::text AND link = $4::bigint
       AND (base = $5::bigint
            OR EXISTS (SELECT 1 FROM prefixd.fact WHERE journal = $1::integer AND seq = $5::bigint))
       FOR SHARE)
  INSERT INTO prefixd.fact (journal, seq, epoch, body)
  SELECT $1::integer, $5::bigint + line.number, $2::bigint, line.body
    FROM owner, unnest(string_to_array($6::text, E'\\n')) WITH ORDINALITY AS line(body, number)`;

/** A session that may write, as long as the owner's row is the one that it was given. */
export class JournalSession {
  readonly connection: PostgresConnection;
  readonly row: JournalRow;

  constructor(connection: PostgresConnection, row: JournalRow) {
    this.connection = connection;
    this.row = row;
  }

  /**
   * Inserts lines, joined by line feeds, as the facts after `previous`, and commits: one round trip. False if nothing was
   * inserted, because this session is not the owner any more or the fact before is missing.
   */
  async append(previous: number, lines: string, deadlineMs: number): Promise<boolean> {
    const { id, epoch, writer, link } = this.row;
    const { count } = await this.connection.query(APPEND, [id, epoch, writer, link, previous, lines], {
      name: 'append',
      deadlineMs,
    });
    return count > 0;
  }

  /** True if this session is still the owner and its newest fact is `seq`. */
  async holds(seq: number): Promise<boolean> {
    const { id, epoch, writer, link } = this.row;
    const { rows } = await this.connection.query(
      `SELECT epoch = $2 AND writer = $3 AND link = $4 AS mine, greatest(base,
              (SELECT max(seq) FROM prefixd.fact WHERE journal = $1)) AS newest
         FROM prefixd.journal WHERE id = $1`,
      [id, epoch, writer, link],
      { name: 'holds' },
    );
    return rows[0]?.mine === true && numberOf(rows[0], 'newest') === seq;
  }

  /** Returns the number of the newest fact; 0 if there is none. */
  async newest(): Promise<number> {
    const { rows } = await this.connection.query(
      `SELECT greatest(base, (SELECT max(seq) FROM prefixd.fact WHERE journal = $1)) AS newest
         FROM prefixd.journal WHERE id = $1`,
      [this.row.id],
    );
    return numberOf(rows[0], 'newest');
  }

  /** Returns the lines of the facts from `first` on, at most `count`, joined by line feeds. */
  async lines(first: number, count: number): Promise<string> {
    const { rows } = await this.connection.query(
      'SELECT body FROM prefixd.fact WHERE journal = $1 AND seq >= $2 ORDER BY seq LIMIT $3',
      [this.row.id, first, count],
    );
    return rows.map((row) => textOf(row, 'body')).join('\n');
  }

  /** Removes the facts after `seq`, which were refused. */
  async removeAfter(seq: number): Promise<void> {
    const { id, epoch, writer, link } = this.row;
    await this.connection.query(
      `DELETE FROM prefixd.fact USING prefixd.journal AS owner
        WHERE owner.id = $1 AND owner.epoch = $2 AND owner.writer = $3 AND owner.link = $4
          AND fact.journal = owner.id AND fact.seq > $5`,
      [id, epoch, writer, link, seq],
    );
  }
}
