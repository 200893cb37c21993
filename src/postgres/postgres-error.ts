/** Explains what failed between prefixd and PostgreSQL, and whether a statement may have taken effect. */
import { errorText } from '../net/text.ts';

/**
 * - `unreachable`: no connection could be made; nothing was sent.
 * - `unsuitable`: the server or its settings cannot be used; the message says which.
 * - `refused`: the server answered a statement with an error, and it had no effect.
 * - `lost`: the connection broke, or the deadline passed; whether the statement took effect is not known.
 */
export type PostgresFailure = 'unreachable' | 'unsuitable' | 'refused' | 'lost';

/** A failure of a connection or a statement. Its message never contains the URL's user or password. */
export class PostgresError extends Error {
  override readonly name = 'PostgresError';
  readonly failure: PostgresFailure;
  /** The server's SQLSTATE, or the code of a system error. */
  readonly code: string | undefined;

  constructor(failure: PostgresFailure, message: string, options: { code?: string; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? {} : { cause: options.cause });
    this.failure = failure;
    this.code = options.code;
  }
}

/** What to do about an error of the server, by SQLSTATE, or of the system. */
const ADVICE: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connection refused; is PostgreSQL running there?',
  ENOENT: 'the socket does not exist; is PostgreSQL running?',
  EACCES: 'this user may not open the socket',
  ENOTFOUND: 'the host name is not known',
  EAI_AGAIN: 'the host name cannot be looked up now',
  EHOSTUNREACH: 'no route to the host',
  ENETUNREACH: 'no route to the network',
  ETIMEDOUT: 'the connection timed out',
  ECONNRESET: 'the connection was reset',
  EPIPE: 'the connection was closed',
  '28P01': 'the password is wrong; correct the URL in the environment',
  '28000': 'the server does not let this user in; see pg_hba.conf',
  '3D000': 'the database does not exist; create it with createdb',
  '42501': 'the user lacks a privilege; GRANT it, or let the user own the database',
  '53100': 'the disk of the database is full',
  '53200': 'the database is out of memory',
  '53300': 'the database has no free connection; raise max_connections',
  '57P03': 'the database is starting or stopping',
  '25006': 'the database is read-only',
  '57014': 'the statement took longer than its deadline',
  '55P03': 'another session holds a lock',
};

/** SQLSTATE 40003: the server itself does not know whether the statement took effect. */
const COMPLETION_UNKNOWN = '40003';

/** Wraps an error of a connection attempt. `place` is shown to people. */
export function connectError(place: string, error: unknown): PostgresError {
  if (error instanceof PostgresError) return error;
  return new PostgresError('unreachable', `cannot connect to PostgreSQL at ${place}: ${reason(error)}`, {
    ...coded(error),
    cause: error,
  });
}

/** Wraps an error of a statement on a connection that is still in use. */
export function statementError(place: string, error: unknown): PostgresError {
  if (error instanceof PostgresError) return error;
  const more = { ...coded(error), cause: error };
  // An ERROR ends the statement's transaction. A FATAL ends the session, and its commit may have been done before.
  const answered = severityOf(error) === 'ERROR' && codeOf(error) !== COMPLETION_UNKNOWN;
  return answered
    ? new PostgresError('refused', `PostgreSQL at ${place} refused: ${reason(error)}`, more)
    : new PostgresError('lost', `the connection to PostgreSQL at ${place} was lost: ${reason(error)}`, more);
}

function reason(error: unknown): string {
  const code = codeOf(error);
  const advice = code === undefined ? undefined : ADVICE[code];
  if (advice === undefined) return `${errorText(error)}${code === undefined ? '' : ` (${code})`}`;
  return severityOf(error) === undefined ? `${advice} (${code})` : `${errorText(error)}; ${advice} (${code})`;
}

function coded(error: unknown): { readonly code?: string } {
  const code = codeOf(error);
  return code === undefined ? {} : { code };
}

function codeOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error) || typeof error.code !== 'string') return undefined;
  return error.code;
}

/** ERROR, FATAL or PANIC if the server sent the error; undefined otherwise. */
function severityOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('severity' in error) || typeof error.severity !== 'string') {
    return undefined;
  }
  return error.severity;
}
