/**
 * One connection of the exchange: takes the POP's lock, opens its epoch, and runs the statements. A session belongs to
 * one daemon of a POP as long as its connection lasts, because the lock does.
 */
import { numberOf, PostgresConnection, type PostgresRow, textOf } from '../postgres/connection.ts';
import { requireSchema } from '../postgres/migrations.ts';
import { PostgresError } from '../postgres/postgres-error.ts';
import { beginSession } from '../postgres/server-session.ts';
import { ageOf, CHANNEL, EXCHANGE_SCHEMA, PRUNE, SCHEMA } from './exchange-tables.ts';
import type { IntentVersion } from '../core/types.ts';
import type { Heartbeat, IntentRow, PopFigures } from './types.ts';

/** Time limits (ms): a POP that is cut off must notice it soon, and try again soon. */
export interface ExchangeDeadlines {
  readonly connectMs: number;
  readonly statementMs: number;
}

export interface PopSessionOptions extends ExchangeDeadlines {
  /** The database's URL; a secret. */
  readonly url: string;
  readonly pop: string;
  /** Identifies this process among daemons of the same name. */
  readonly instance: string;
  readonly version: string;
  readonly onLost: (error: PostgresError) => void;
  readonly onNotification: (payload: string) => void;
  /** Gives up connecting when it aborts. */
  readonly signal?: AbortSignal;
}

/** The epoch of this process, and the number of its newest intent in the database. */
export interface Epoch {
  readonly epoch: number;
  readonly n: number;
}

/** A version to write. */
export interface VersionRow {
  readonly n: number;
  readonly id: string;
  readonly body: string;
  /** Time until the mitigation ends (ms). */
  readonly remainingMs: number;
}

/** Most rows of one POP that one statement reads. */
const MOST_ROWS = 500;
/** Longer bodies are cut, and are then not readable: no daemon writes such. */
const MOST_BODY = 65_536;

/** The server cancels a statement after this time (ms), such as one that waits for a lock of a POP that is cut off. */
const SERVER_TIMEOUT_MS = 5_000;

/** Two numbers that name the lock of a POP: one for the exchange, one for the name. */
const LOCK = `hashtext('${SCHEMA}'), hashtext($1)`;

export class PopSession {
  readonly #connection: PostgresConnection;
  readonly #options: PopSessionOptions;
  readonly #process: number;

  private constructor(connection: PostgresConnection, options: PopSessionOptions, process: number) {
    this.#connection = connection;
    this.#options = options;
    this.#process = process;
  }

  /** Connects, and creates the tables in an empty database. Rejects with PostgresError. */
  static async open(options: PopSessionOptions): Promise<PopSession> {
    const connect = (): Promise<PostgresConnection> =>
      PostgresConnection.connect({
        ...options,
        applicationName: `prefixd exchange ${options.pop}`.slice(0, 63),
        onNotification: (_, payload) => options.onNotification(payload),
      });
    const connection = await connect();
    try {
      const { process } = await beginSession(connection, connect);
      // The server, too, gives up what nobody waits for.
      await connection.query(`SET statement_timeout = ${SERVER_TIMEOUT_MS}`);
      await requireSchema(connection, EXCHANGE_SCHEMA);
      await connection.query(`LISTEN ${CHANNEL}`);
      return new PopSession(connection, options, process);
    } catch (error) {
      await connection.close();
      throw error;
    }
  }

  /** The name whose lock and rows this is about. */
  get pop(): string {
    return this.#options.pop;
  }

  get connection(): PostgresConnection {
    return this.#connection;
  }

  /**
   * Takes the POP's lock. Returns false if another daemon has it. A session of this process that the database has not
   * given up yet, because the network cut it, is ended.
   */
  async lock(): Promise<boolean> {
    const { pop, instance } = this.#options;
    const { rows } = await this.#query(`SELECT pg_try_advisory_lock(${LOCK}) AS mine`, [pop]);
    if (rows[0]?.mine === true) return true;
    await this.#query(
      `SELECT pg_terminate_backend(l.pid)
         FROM pg_locks l JOIN ${SCHEMA}.pop p ON p.name = $1 AND p.process = l.pid
        WHERE p.instance = $2 AND l.locktype = 'advisory' AND l.granted AND l.pid <> pg_backend_pid()
          AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
          AND (l.classid::bigint, l.objid::bigint)
              = (hashtext('${SCHEMA}')::bigint & 4294967295, hashtext($1)::bigint & 4294967295)`,
      [pop, instance],
    );
    const again = await this.#query(`SELECT pg_try_advisory_lock(${LOCK}) AS mine`, [pop]);
    return again.rows[0]?.mine === true;
  }

  /**
   * Opens this process's epoch, or goes on with `known` if the database has exactly what this process wrote in it. An
   * epoch is a time of the database (ms) and only grows, also after a restore of the database.
   */
  async openEpoch(known: Epoch | undefined, figures: PopFigures): Promise<Epoch> {
    const { pop, instance, version } = this.#options;
    const { rows } = await this.#query(
      `INSERT INTO ${SCHEMA}.pop AS p
         (name, epoch, n, instance, process, version, policy_hash, sessions_up, sessions_total, active, at)
       VALUES ($1, floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint, 0, $2, $3, $4, $5, $6, $7, $8,
               clock_timestamp())
       ON CONFLICT (name) DO UPDATE SET
         epoch = CASE WHEN p.instance = $2 AND p.epoch = $9 AND p.n = $10 THEN p.epoch
                      ELSE greatest(p.epoch + 1, excluded.epoch, $9 + 1) END,
         n = CASE WHEN p.instance = $2 AND p.epoch = $9 AND p.n = $10 THEN p.n ELSE 0 END,
         instance = $2, process = $3, version = $4, policy_hash = $5,
         sessions_up = $6, sessions_total = $7, active = $8, at = clock_timestamp()
       RETURNING epoch, n`,
      [pop, instance, this.#process, version, ...figureValues(figures), known?.epoch ?? 0, known?.n ?? 0],
    );
    return { epoch: numberOf(rows[0], 'epoch'), n: numberOf(rows[0], 'n') };
  }

  /**
   * Writes versions, which are durable and seen by others when this resolves. `databaseTime` is the database's time (ms)
   * at which `remainingMs` was right, as far as this daemon knows: a statement that arrives late must not prolong
   * anything. Rejects with PostgresError `unsuitable` if another process has taken over the POP, or the database has not
   * what this process wrote.
   */
  async publish(
    { epoch, n }: Epoch,
    rows: readonly VersionRow[],
    databaseTime: number,
    isForOthers: boolean,
  ): Promise<void> {
    const { pop, instance } = this.#options;
    const last = rows.at(-1);
    if (last === undefined) return;
    const { rows: written } = await this.#query(
      `WITH own AS (
         UPDATE ${SCHEMA}.pop SET n = $4
          WHERE name = $1 AND epoch = $2 AND instance = $3 AND n = $7 RETURNING name
       ), version AS (
         INSERT INTO ${SCHEMA}.intent (pop, epoch, n, id, body, remaining_ms, at)
         SELECT $1, $2, v.n, v.id, v.body, v.remaining_ms,
                least(to_timestamp($6::float8 / 1000), clock_timestamp())
           FROM json_to_recordset($5::json) AS v(n bigint, id text, body text, remaining_ms bigint), own
         RETURNING pop, epoch, n, id, body, remaining_ms, at
       ), newest AS (
         SELECT DISTINCT ON (id) * FROM version ORDER BY id, n DESC
       ), kept AS (
         INSERT INTO ${SCHEMA}.live (pop, epoch, n, id, body, remaining_ms, at)
         SELECT pop, epoch, n, id, body, remaining_ms, at FROM newest
         ON CONFLICT (pop, id) DO UPDATE SET
           epoch = excluded.epoch, n = excluded.n, body = excluded.body,
           remaining_ms = excluded.remaining_ms, at = excluded.at
       )
       SELECT count(*) AS count, ${isForOthers ? `pg_notify('${CHANNEL}', 'intent ' || $1::text)` : 'NULL'} AS told
         FROM version`,
      [
        pop,
        epoch,
        instance,
        last.n,
        JSON.stringify(rows.map((row) => ({ ...row, remaining_ms: Math.round(row.remainingMs) }))),
        databaseTime,
        n,
      ],
    );
    if (numberOf(written[0], 'count') !== rows.length) throw takenOver(pop);
  }

  /** Writes this POP's heartbeat, and reads those of all POPs with the database's time (ms). */
  async beat(
    { epoch }: Epoch,
    figures: PopFigures,
  ): Promise<{ readonly databaseTime: number; readonly pops: readonly Heartbeat[] }> {
    const { pop, instance } = this.#options;
    const { rows } = await this.#query(
      `WITH own AS (
         UPDATE ${SCHEMA}.pop SET policy_hash = $4, sessions_up = $5, sessions_total = $6, active = $7,
                at = clock_timestamp()
          WHERE name = $1 AND epoch = $2 AND instance = $3 RETURNING 1
       )
       SELECT p.*, ${ageOf('p')}::float8 AS age, (SELECT count(*) FROM own) AS own,
              extract(epoch FROM clock_timestamp())::float8 * 1000 AS time
         FROM ${SCHEMA}.pop AS p`,
      [pop, epoch, instance, ...figureValues(figures)],
    );
    if (numberOf(rows[0], 'own') === 0) throw takenOver(pop);
    return { databaseTime: Number(rows[0]?.time), pops: rows.map(heartbeatOf) };
  }

  /** Reads the versions after the cursors, in order for each POP; at most MOST_ROWS of one POP. */
  async readAfter(cursors: readonly IntentVersion[]): Promise<readonly IntentRow[]> {
    const { rows } = await this.#query(
      `SELECT i.pop, i.epoch, i.n, i.id, left(i.body, ${MOST_BODY}) AS body, i.remaining_ms, ${ageOf('i')}::float8 AS age
         FROM json_to_recordset($1::json) AS c(pop text, epoch bigint, n bigint)
        CROSS JOIN LATERAL (
          SELECT * FROM ${SCHEMA}.intent
           WHERE pop = c.pop AND epoch = c.epoch AND n > c.n ORDER BY n LIMIT ${MOST_ROWS}
        ) AS i
        ORDER BY i.pop, i.n`,
      [JSON.stringify(cursors)],
    );
    return rows.map(intentOf);
  }

  /**
   * Reads the last version of everything that a POP's current epoch announced, with the number up to which that is
   * complete. Undefined if there is no such POP.
   */
  async readLive(
    name: string,
  ): Promise<{ readonly cursor: IntentVersion; readonly rows: readonly IntentRow[] } | undefined> {
    const { rows } = await this.#query(
      `SELECT p.name AS pop, p.epoch, p.n AS newest, l.n, l.id, left(l.body, ${MOST_BODY}) AS body, l.remaining_ms,
              coalesce(${ageOf('l')}, 0)::float8 AS age
         FROM ${SCHEMA}.pop AS p LEFT JOIN ${SCHEMA}.live AS l ON l.pop = p.name AND l.epoch = p.epoch
        WHERE p.name = $1
        ORDER BY l.n`,
      [name],
    );
    const [first] = rows;
    if (first === undefined) return undefined;
    return {
      cursor: { pop: name, epoch: numberOf(first, 'epoch'), n: numberOf(first, 'newest') },
      rows: rows.filter((row) => row.id !== null).map(intentOf),
    };
  }

  /** Deletes rows that nobody needs. */
  async prune(): Promise<void> {
    await this.#query(PRUNE, [this.#options.pop]);
  }

  /** Ends the session, which frees the lock. Never rejects. */
  async close(): Promise<void> {
    await this.#connection.close();
  }

  #query(text: string, values: readonly (string | number)[]) {
    return this.#connection.query(text, values);
  }
}

function figureValues({ policyHash, sessionsUp, sessionsTotal, active }: PopFigures) {
  return [policyHash, sessionsUp, sessionsTotal, active] as const;
}

function takenOver(pop: string): PostgresError {
  return new PostgresError(
    'unsuitable',
    `POP ${pop}'s row in the exchange was changed by another process, or the database has lost it`,
  );
}

function heartbeatOf(row: PostgresRow): Heartbeat {
  return {
    name: textOf(row, 'name'),
    epoch: numberOf(row, 'epoch'),
    n: numberOf(row, 'n'),
    version: textOf(row, 'version'),
    policyHash: textOf(row, 'policy_hash'),
    sessionsUp: numberOf(row, 'sessions_up'),
    sessionsTotal: numberOf(row, 'sessions_total'),
    active: numberOf(row, 'active'),
    ageMs: Number(row.age),
  };
}

function intentOf(row: PostgresRow): IntentRow {
  const age = Number(row.age);
  return {
    pop: textOf(row, 'pop'),
    epoch: numberOf(row, 'epoch'),
    n: numberOf(row, 'n'),
    id: textOf(row, 'id'),
    body: textOf(row, 'body'),
    remainingMs: numberOf(row, 'remaining_ms') - age,
    ageMs: age,
  };
}
