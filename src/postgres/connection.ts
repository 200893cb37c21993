/** One connection to PostgreSQL. Every statement has a deadline; a connection that misses one is closed. */
import { Socket } from 'node:net';
import type { Client } from 'pg';
import { endpointText, secondsWords } from '../net/text.ts';
import { connectError, PostgresError, statementError } from './postgres-error.ts';

/** Time limits (ms). */
export interface PostgresDeadlines {
  /** To look up the name, connect, negotiate TLS and authenticate. */
  readonly connectMs: number;
  /** For one statement and its answer, unless it says otherwise. */
  readonly statementMs: number;
}

export interface PostgresOptions extends PostgresDeadlines {
  /** `postgresql://user:password@host:port/database?...`; never shown. */
  readonly url: string;
  /** Shown in pg_stat_activity. */
  readonly applicationName: string;
  /** Called once when the connection breaks or is given up, also between statements; not after `close`. */
  readonly onLost?: (error: PostgresError) => void;
  /** Called for each NOTIFY on a channel that this connection listens on. */
  readonly onNotification?: (channel: string, payload: string) => void;
  /** Gives up connecting when it aborts; without effect after that. */
  readonly signal?: AbortSignal;
}

/** A row by its columns' names. PostgreSQL's bigint and numeric are texts here: see `numberOf`. */
export type PostgresRow = Readonly<Record<string, unknown>>;

export interface StatementResult {
  readonly rows: readonly PostgresRow[];
  /** Number of rows returned, inserted, updated or deleted. */
  readonly count: number;
}

export interface StatementOptions {
  /** Prepares the statement once for the connection, under this name. */
  readonly name?: string;
  /** Time limit (ms) instead of `statementMs`. */
  readonly deadlineMs?: number;
}

/** A silent connection is probed after this time (ms), then every second; Linux gives up after ten probes. */
const KEEPALIVE_MS = 5_000;
/** Time for an orderly end of the session (ms). */
const CLOSE_MS = 1_000;

export class PostgresConnection {
  readonly #client: Client;
  readonly #options: PostgresOptions;
  readonly #socket: Socket;
  readonly #place: string;
  #lost: PostgresError | undefined;
  #closed = false;
  /** Settles when the last statement has; the package takes one at a time. */
  #last: Promise<unknown> = Promise.resolve();

  private constructor(client: Client, socket: Socket, options: PostgresOptions) {
    this.#client = client;
    this.#socket = socket;
    this.#options = options;
    this.#place = placeOf(client);
    // Without a listener, an error between statements would end the process.
    client.on('error', (error) => this.#lose(statementError(this.#place, error)));
    client.on('end', () =>
      this.#lose(statementError(this.#place, new Error('the server closed the connection'))),
    );
    client.on('notification', ({ channel, payload = '' }) => options.onNotification?.(channel, payload));
  }

  /** Connects within the deadline. Rejects with PostgresError. */
  static async connect(options: PostgresOptions): Promise<PostgresConnection> {
    const { Client } = await import('pg');
    const socket = new Socket();
    const client = makeClient(() => {
      return new Client({
        connectionString: options.url,
        application_name: options.applicationName,
        keepAlive: true,
        keepAliveInitialDelayMillis: KEEPALIVE_MS,
        stream: () => socket,
      });
    });
    const place = placeOf(client);
    const ignore = (): void => undefined;
    client.on('error', ignore);
    const late = new PostgresError(
      'unreachable',
      `cannot connect to PostgreSQL at ${place}: no answer within ${secondsWords(options.connectMs / 1000)}`,
    );
    try {
      const connecting = Promise.race([client.connect(), aborted(options.signal)]);
      await before(options.connectMs, late, connecting, () => endAtOnce(client, socket));
      return new PostgresConnection(client, socket, options);
    } catch (error) {
      endAtOnce(client, socket);
      throw connectError(place, error);
    }
  }

  /** Host, port and database, for people. */
  get place(): string {
    return this.#place;
  }

  /** Why the connection cannot be used any more; undefined while it can. */
  get lost(): PostgresError | undefined {
    return this.#lost;
  }

  /** The process id that the other side announced at connecting; a pooler announces one of its own. */
  get announcedProcess(): number | undefined {
    const { processID } = this.#client as Client & { readonly processID?: unknown };
    return typeof processID === 'number' ? processID : undefined;
  }

  /**
   * Runs one statement, after those before it. Rejects with PostgresError: `refused` if it had no effect, `lost` if that
   * is not known. After a missed deadline the connection is lost, because the answer may still arrive. The deadline
   * counts from the statement's turn.
   */
  query(
    text: string,
    values: readonly (string | number | boolean | null)[] = [],
    options: StatementOptions = {},
  ): Promise<StatementResult> {
    const answer = this.#last.then(() => this.#run(text, values, options));
    this.#last = answer.catch(() => undefined);
    return answer;
  }

  async #run(
    text: string,
    values: readonly (string | number | boolean | null)[],
    { name, deadlineMs = this.#options.statementMs }: StatementOptions,
  ): Promise<StatementResult> {
    if (this.#lost !== undefined) throw this.#lost;
    const running = this.#client.query({
      text,
      values: [...values],
      ...(name === undefined ? {} : { name }),
    });
    const late = new PostgresError(
      'lost',
      `PostgreSQL at ${this.#place} did not answer within ${secondsWords(deadlineMs / 1000)}`,
    );
    try {
      const { rows, rowCount } = await before(deadlineMs, late, running, () => this.#lose(late));
      return { rows, count: rowCount ?? 0 };
    } catch (error) {
      const failure = statementError(this.#place, error);
      if (failure.failure === 'lost') this.#lose(failure);
      throw failure;
    }
  }

  /** Runs statements in one transaction, and rolls it back if `work` rejects. Nothing else may run meanwhile. */
  async inTransaction<T>(work: () => Promise<T>): Promise<T> {
    await this.query('BEGIN');
    let result: T;
    try {
      result = await work();
    } catch (error) {
      // The work's error is the one to report; a connection that is lost has rolled back by itself.
      if (this.#lost === undefined) await this.query('ROLLBACK').catch(() => undefined);
      throw error;
    }
    await this.query('COMMIT');
    return result;
  }

  /** Ends the session; breaks the connection if the server does not answer. Never rejects. */
  async close(): Promise<void> {
    this.#closed = true;
    if (this.#lost !== undefined) return;
    const late = new PostgresError('lost', `the connection to PostgreSQL at ${this.#place} is closed`);
    await before(CLOSE_MS, late, this.#client.end(), () => undefined).catch(() => undefined);
    this.#lost = late;
    endAtOnce(this.#client, this.#socket);
  }

  #lose(error: PostgresError): void {
    if (this.#lost !== undefined) return;
    this.#lost = error;
    endAtOnce(this.#client, this.#socket);
    if (!this.#closed) this.#options.onLost?.(error);
  }
}

/** Reads a column that holds a whole number, also one of the type bigint. */
export function numberOf(row: PostgresRow | undefined, column: string): number {
  const value = row?.[column];
  const number = typeof value === 'string' ? Number(value) : value;
  if (typeof number !== 'number' || !Number.isSafeInteger(number)) {
    throw new PostgresError('unsuitable', `the database returned no number as ${column}`);
  }
  return number;
}

/** Reads a column that holds a text. */
export function textOf(row: PostgresRow | undefined, column: string): string {
  const value = row?.[column];
  if (typeof value !== 'string') {
    throw new PostgresError('unsuitable', `the database returned no text as ${column}`);
  }
  return value;
}

function makeClient(make: () => Client): Client {
  try {
    return make();
  } catch {
    // The error would contain the URL.
    throw new PostgresError('unreachable', 'the URL of the database is not valid');
  }
}

/** Rejects when the signal aborts. */
function aborted(signal: AbortSignal | undefined): Promise<never> {
  return new Promise((_, reject) => {
    const give = (): void => reject(new Error('the attempt to connect was given up'));
    if (signal?.aborted === true) give();
    else signal?.addEventListener('abort', give, { once: true });
  });
}

function placeOf({ host, port, database }: Client): string {
  const where = host.startsWith('/') ? `${host}/.s.PGSQL.${port}` : endpointText(host, port);
  return database === undefined ? where : `${where}, database ${database}`;
}

function endAtOnce(client: Client, socket: Socket): void {
  client.connection.stream.destroy();
  socket.destroy();
}

/** Settles like `work`, or rejects with `late` after the time (ms) and calls `onLate`. */
async function before<T>(
  milliseconds: number,
  late: PostgresError,
  work: Promise<T>,
  onLate: () => void,
): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const expired = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(late);
      onLate();
    }, milliseconds);
  });
  try {
    return await Promise.race([work, expired]);
  } finally {
    clearTimeout(timer);
    work.catch(() => undefined);
  }
}
