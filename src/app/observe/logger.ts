/**
 * Structured logs with pino: one line an operator can act on for each decision and each session change.
 *
 * Field names, the same everywhere: `event_id`, `mitigation_id`, `customer_id`, `victim_ip`, `vector`, `rule`, `status`, `reason`, `why`,
 * `peer`, `actor`, `source`, `request_id`, `prefix`, `file`, `err`. Text from outside travels in fields, never in `msg`.
 */
import { type Logger, destination as openFile, pino, stdSerializers } from 'pino';
import { REDACTED, redactText } from '../../config/secrets.ts';
import type { LogLevel } from '../../config/types.ts';
import { timeText } from '../../net/time.ts';

/** Where finished lines go, each with its line feed. */
export interface LogDestination {
  write(line: string): void;
}

export interface LoggerOptions {
  readonly format: 'json' | 'text';
  readonly level: LogLevel;
  /** Asked at every line: values that must not appear in it. */
  readonly secrets?: () => readonly string[];
  /** Absent: standard output, written without holding up the event loop. */
  readonly destination?: LogDestination;
}

export interface LogSink {
  readonly logger: Logger;
  /** Resolves when what waits is written, before the process ends; with false when that takes longer (ms). */
  flush(patienceMs: number): Promise<boolean>;
}

/** Octets that may wait for a reader of standard output that does not read; more are dropped. */
const MAX_WAITING = 16 * 1024 * 1024;

/** Makes the daemon's logger. */
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
 * Standard output; a reader that went away (EPIPE) ends the lines and not the daemon, and one that does not read is not
 * waited for.
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

/** A secret is looked for as it is, and as JSON writes it. */
function withoutSecrets(line: string, secrets: readonly string[]): string {
  if (secrets.length === 0) return line;
  return redactText(line, [...secrets, ...secrets.map((secret) => JSON.stringify(secret).slice(1, -1))]);
}

/** `2026-01-01T00:00:00.000Z WARN  session down peer=edge1 why="hold timer expired"` */
function formatText(json: string): string {
  const { time, level, msg, err, ...fields } = JSON.parse(json) as Record<string, unknown>;
  const parts = [String(time), String(level).toUpperCase().padEnd(5), plain(String(msg ?? ''))];
  for (const [key, value] of Object.entries(fields)) {
    if (value !== null && value !== undefined) parts.push(`${key}=${shown(value)}`);
  }
  if (typeof err === 'object' && err !== null && 'message' in err) parts.push(`err=${shown(err.message)}`);
  return `${parts.join(' ')}\n`;
}

/** Words stand as they are; everything else is quoted, so that a value can neither break the line nor look like a key. */
function shown(value: unknown): string {
  if (typeof value === 'string') return /^[\w.:/@%+-]+$/.test(value) ? value : JSON.stringify(plain(value));
  return plain(JSON.stringify(value));
}

/** Control characters, the C1 ones and the line separators too, as spaces. */
function plain(text: string): string {
  return text.replaceAll(/[\p{Cc}\u2028\u2029]/gu, ' ');
}

// Blots out what stands under the keys of secrets in the fields of a log line: a second line of defence, nothing logs them
// on purpose. pino can do it by itself, and took longer for it than for all the rest of a line.

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

/** So many objects inside each other are looked through. */
const DEPTH = 3;

/** The fields with `***` for every value under a secret's key; the very same object when there is none. */
export function withoutSecretKeys<T extends object>(fields: T): T {
  return cleaned(fields, DEPTH) as T;
}

function cleaned(value: unknown, depth: number): unknown {
  // An error has a serializer of its own, whose result comes here.
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
