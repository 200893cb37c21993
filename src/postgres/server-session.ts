/** Checks that a server can keep a journal's promises, and sets up the session. */
import type { PostgresConnection, PostgresRow } from './connection.ts';
import { numberOf, textOf } from './connection.ts';
import { PostgresError } from './postgres-error.ts';

/** Oldest version that is accepted, as server_version_num has it. */
const OLDEST_VERSION = 120_000;

/** How often a second session tries to take the first one's server process, when a pooler is between. */
const POOLER_PROBES = 3;

/**
 * Settings of the session. The server notices a dead client within half a minute, so that its advisory locks are free
 * again, and never ends an idle session. Settings that a server does not know are left out.
 */
const SETTINGS: Readonly<Record<string, string>> = {
  tcp_keepalives_idle: '10',
  tcp_keepalives_interval: '5',
  tcp_keepalives_count: '3',
  tcp_user_timeout: '20000',
  // So that a statement that waits for a lock ends when its client is gone.
  client_connection_check_interval: '5000',
  idle_session_timeout: '0',
  idle_in_transaction_session_timeout: '30000',
  client_min_messages: 'warning',
};

/** What is known of a session that can be used. */
export interface SessionFacts {
  /** The server's process that serves it. */
  readonly process: number;
  /** Warnings for the operator. */
  readonly warnings: readonly string[];
}

/**
 * Checks the server and the path to it, and sets the session's settings. `another` opens a second connection to the same
 * place; it is called only if a pooler is between, and closed again. Rejects with PostgresError, `unsuitable`, that says
 * what to change.
 */
export async function beginSession(
  connection: PostgresConnection,
  another: () => Promise<PostgresConnection>,
): Promise<SessionFacts> {
  const { place } = connection;
  const { rows } = await connection.query(
    `SELECT pg_backend_pid() AS process, pg_is_in_recovery() AS standby,
            current_setting('server_version_num') AS version,
            current_setting('transaction_read_only') AS read_only,
            current_setting('server_encoding') AS encoding,
            current_setting('synchronous_commit') AS synchronous,
            current_setting('fsync') AS fsync`,
  );
  const server = rows[0];
  const unsuitable = (why: string): PostgresError =>
    new PostgresError('unsuitable', `PostgreSQL at ${place} cannot be used: ${why}`);
  const wrong = flawOf(server);
  if (wrong !== undefined) throw unsuitable(wrong);
  const process = numberOf(server, 'process');
  if (connection.announcedProcess !== process && (await loanedOut(connection, process, another))) {
    throw unsuitable(
      'a pooler in transaction mode is between, and a session does not keep its server process; connect to the server itself, or set pool_mode = session for this database',
    );
  }
  const synchronous = textOf(server, 'synchronous');
  await connection.query(
    `SELECT set_config(name, value, false) FROM jsonb_each_text($1::jsonb) AS wanted(name, value)
      WHERE name IN (SELECT name FROM pg_settings)`,
    // Its current value, so that a later change of the server's configuration does not reach this session.
    [JSON.stringify({ ...SETTINGS, synchronous_commit: synchronous })],
  );
  return { process, warnings: warningsOf(server, place) };
}

function flawOf(server: PostgresRow | undefined): string | undefined {
  if (numberOf(server, 'version') < OLDEST_VERSION) {
    return `it is older than version ${OLDEST_VERSION / 10_000}`;
  }
  if (server?.standby === true) {
    return 'it is a standby and read-only; let the URL name the primary';
  }
  if (textOf(server, 'read_only') === 'on') {
    return 'it is read-only; remove default_transaction_read_only for this user and database';
  }
  if (textOf(server, 'synchronous') === 'off') {
    return 'synchronous_commit is off, so it acknowledges what a crash would lose; set it to on for this user or database (ALTER ROLE ... SET synchronous_commit = on)';
  }
  const encoding = textOf(server, 'encoding');
  if (encoding !== 'UTF8') {
    return `the encoding of the database is ${encoding}; create it with ENCODING 'UTF8'`;
  }
  return undefined;
}

function warningsOf(server: PostgresRow | undefined, place: string): readonly string[] {
  if (textOf(server, 'fsync') !== 'off') return [];
  return [
    `PostgreSQL at ${place} has fsync = off: unless its storage is durable in another way, a crash of that machine can lose or damage what it has acknowledged`,
  ];
}

/**
 * True if a pooler gives the server process of this session to others between transactions. A second session holds a
 * transaction open; in session mode that cannot move the first one to another process.
 */
async function loanedOut(
  connection: PostgresConnection,
  process: number,
  another: () => Promise<PostgresConnection>,
): Promise<boolean> {
  const processOf = async (one: PostgresConnection): Promise<number> =>
    numberOf((await one.query('SELECT pg_backend_pid() AS process')).rows[0], 'process');
  const second = await another();
  try {
    for (let probe = 0; probe < POOLER_PROBES; probe++) {
      await second.query('BEGIN');
      if ((await processOf(second)) === process) return true;
      if ((await processOf(connection)) !== process) return true;
      await second.query('COMMIT');
    }
    return false;
  } finally {
    await second.close();
  }
}
