/**
 * Writes structured logs with pino: one actionable line for each decision and each session change.
 *
 * Field names, the same everywhere: `event_id`, `mitigation_id`, `customer_id`, `victim_ip`, `vector`, `rule`,
 * `status`, `reason`, `why`, `peer`, `actor`, `source`, `request_id`, `prefix`, `file`, `err`. Text from outside goes
 * into fields, never into `msg`.
 */
import { type Logger, destination as openFile, pino, stdSerializers } from 'pino';
import { REDACTED, redactText } from '../../config/secrets.ts';
import type { LogLevel } from '../../config/types.ts';
import { timeText } from '../../net/time.ts';
import { withoutControls } from '../../net/text.ts';

/** Receives finished lines, each with its line feed. */
export interface LogDestination {
  write(line: string): void;
}

export interface LoggerOptions {
  readonly format: 'json' | 'text';
  readonly level: LogLevel;
  /** Returns values that must not appear in a log line; called for every line. */
  readonly secrets?: () => readonly string[];
  /** Default: standard output, written without blocking the event loop. */
  readonly destination?: LogDestination;
}

export interface LogSink {
  readonly logger: Logger;
  /** Waits until buffered lines are written; resolves with false if that takes longer than `patienceMs`. */
  flush(patienceMs: number): Promise<boolean>;
}

/** Bytes buffered for a reader of standard output that does not read; lines beyond it are dropped. */
const MAX_WAITING = 16 * 1024 * 1024;

/** Creates the daemon's logger. */
export function createLogger(options: LoggerOptions): LogSink {
  const standard = options.destination === undefined ? standardOutput() : undefined;
  const into: LogDestination = options.destination ?? standard ?? { write: () => undefined };
  const logger = pino(
    {
      level: options.level,
      base: null,
      timestamp: () => `,"time":"${timeText(Date.now())}"`,
      formatters: { level: (label) => ({ level: label }), log: withoutSecretKeys },
      serializers: { err: (error: Error) => withoutSecretKeys(stdSerializers.err(error)) },
    },
    {
      write(line: string) {
        const clean = withoutSecrets(line, options.secrets?.() ?? []);
        into.write(options.format === 'text' ? formatText(clean) : clean);
      },
    },
  );
  return { logger, flush: async (patienceMs) => (await standard?.flush(patienceMs)) ?? true };
}

/**
 * Opens standard output. A reader that has closed it (EPIPE) stops the lines and not the daemon; a reader that does not
 * read is not waited for.
 */
function standardOutput(): LogDestination & Pick<LogSink, 'flush'> {
  const stream = openFile({ dest: 1, sync: false, maxLength: MAX_WAITING });
  let isOpen = true;
  let isWaiting = false;
  let written = (): void => undefined;
  const idle = (): void => {
    isWaiting = false;
    written();
  };
  stream.on('drain', idle);
  stream.on('error', () => {
    isOpen = false;
    idle();
  });
  return {
    write(line) {
      if (!isOpen) return;
      isWaiting = true;
      stream.write(line);
    },
    flush(patienceMs) {
      if (!isWaiting) return Promise.resolve(true);
      return new Promise((resolve) => {
        const timer = setTimeout(() => resolve(false), patienceMs);
        written = () => {
          clearTimeout(timer);
          resolve(true);
        };
      });
    },
  };
}

/** Redacts secrets in a line, both in plain form and as JSON escapes them. */
function withoutSecrets(line: string, secrets: readonly string[]): string {
  if (secrets.length === 0) return line;
  return redactText(line, [...secrets, ...secrets.map((secret) => JSON.stringify(secret).slice(1, -1))]);
}

/** `2026-01-01T00:00:00.000Z WARN  session down peer=edge1 why="hold timer expired"` */
function formatText(json: string): string {
  const { time, level, msg, err, ...fields } = JSON.parse(json) as Record<string, unknown>;
  const parts = [String(time), String(level).toUpperCase().padEnd(5), withoutControls(String(msg ?? ''))];
  for (const [key, value] of Object.entries(fields)) {
    if (value !== null && value !== undefined) parts.push(`${key}=${shown(value)}`);
  }
  if (typeof err === 'object' && err !== null && 'message' in err) parts.push(`err=${shown(err.message)}`);
  return `${parts.join(' ')}\n`;
}

/**
 * Prints simple words as they are and quotes everything else, so that a value can neither break the line nor look like
 * a key.
 */
function shown(value: unknown): string {
  if (typeof value === 'string')
    return /^[\w.:/@%+-]+$/.test(value) ? value : JSON.stringify(withoutControls(value));
  return withoutControls(JSON.stringify(value));
}

// Redacts values stored under secret keys in a line's fields, as a second line of defense: nothing logs them on
// purpose. pino's own redaction took longer than all the rest of a line.

const SECRET_KEYS: ReadonlySet<string> = new Set([
  'token',
  'password',
  'md5Password',
  'secret',
  'routingKey',
  'webhookUrl',
  'authorization',
  'cookie',
]);

/** Depth of nested objects that are searched. */
const DEPTH = 3;

/** Returns the fields with `***` for every value under a secret key; the same object if there is none. */
export function withoutSecretKeys<T extends object>(fields: T): T {
  return cleaned(fields, DEPTH) as T;
}

function cleaned(value: unknown, depth: number): unknown {
  // An error has its own serializer, whose result is cleaned.
  if (typeof value !== 'object' || value === null || depth === 0 || value instanceof Error) return value;
  let copy: Record<string, unknown> | undefined;
  for (const [key, inner] of Object.entries(value)) {
    const clean = SECRET_KEYS.has(key) ? REDACTED : cleaned(inner, depth - 1);
    if (clean === inner) continue;
    copy ??= { ...value };
    copy[key] = clean;
  }
  if (copy === undefined) return value;
  return Array.isArray(value) ? Object.values(copy) : copy;
}
