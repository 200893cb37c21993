/**
 * Blots out what stands under the keys of secrets in the fields of a log line: a second line of defence, nothing logs them
 * on purpose. pino can do it by itself, and took longer for it than for all the rest of a line.
 */
import { REDACTED } from './config/redact.ts';

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
