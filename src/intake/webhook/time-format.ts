/** Reads times in a sender's own form, from a closed list of tokens such as `YYYY-MM-DD HH:mm:ss UTC`. */
import { readTime } from '../../net/time.ts';
import { failed, ok, type Result } from '../../net/result.ts';

/** Returns milliseconds since the epoch; undefined for a value that has another form. */
export type TimeReader = (value: unknown) => number | undefined;

/** Forms that are no pattern of tokens. */
const NAMED: Readonly<Record<string, TimeReader>> = {
  epoch_seconds: (value) => sinceEpoch(value, 1000),
  epoch_milliseconds: (value) => sinceEpoch(value, 1),
  rfc3339: (value) => (typeof value === 'string' ? readTime(value) : undefined),
};

/** Tokens with the text that each stands for. `T`, `UTC`, `GMT` and characters that are no letters stand for themselves. */
const TOKENS: Readonly<Record<string, string>> = {
  YYYY: '(?<year>\\d{4})',
  MMM: '(?<name>[A-Za-z]{3})',
  MM: '(?<month>\\d{1,2})',
  DD: '(?<day>\\d{1,2})',
  HH: '(?<hour>\\d{1,2})',
  mm: '(?<minute>\\d{2})',
  ss: '(?<second>\\d{2})',
  SSS: '(?<fraction>\\d{1,9})',
  Z: '(?<zone>Z|[+-]\\d{2}:?\\d{2})',
};

/** The tokens and names, for messages. */
export const TIME_TOKENS = `${Object.keys(TOKENS).join(', ')}, or one of ${Object.keys(NAMED).join(', ')}`;

const MONTHS = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];

const MAX_FORMAT = 64;

/** Compiles a form. A time without an offset (`Z`) is UTC. The error says what is wrong. */
export function compileTimeFormat(format: string): Result<TimeReader> {
  const named = Object.hasOwn(NAMED, format) ? NAMED[format] : undefined;
  if (named !== undefined) return ok(named);
  if (format.length > MAX_FORMAT) return failed(`the format is longer than ${MAX_FORMAT} characters`);
  const seen = new Set<string>();
  let source = '';
  for (const [part] of format.matchAll(/YYYY|MMM|MM|DD|HH|mm|ss|SSS|UTC|GMT|Z|./gsu)) {
    const token = Object.hasOwn(TOKENS, part) ? TOKENS[part] : undefined;
    if (token === undefined) {
      if (/^[A-SU-Za-z]$/.test(part)) return failed(`"${part}" in the format is not a token`);
      source += part.replace(/[.*+?^${}()|[\]\\/]/g, '\\$&');
      continue;
    }
    if (seen.has(part)) return failed(`the format has ${part} twice`);
    seen.add(part);
    source += token;
  }
  const missing = ['YYYY', 'DD', 'HH', 'mm'].filter((token) => !seen.has(token));
  if (seen.has('MM') === seen.has('MMM')) missing.push('MM');
  if (missing.length > 0) return failed(`the format needs ${missing.join(', ')} exactly once`);
  const pattern = new RegExp(`^${source}$`, 'u');
  return ok((value) => (typeof value === 'string' ? readParts(pattern, value.trim()) : undefined));
}

function readParts(pattern: RegExp, text: string): number | undefined {
  const parts = text.length > MAX_FORMAT * 2 ? undefined : pattern.exec(text)?.groups;
  if (parts === undefined) return undefined;
  const { year, name, month, day, hour, minute, second = '00', fraction, zone = 'Z' } = parts;
  const number = name === undefined ? month : String(MONTHS.indexOf(name.toLowerCase()) + 1);
  const two = (digits = ''): string => digits.padStart(2, '0');
  const date = `${year}-${two(number)}-${two(day)}`;
  const time = `${two(hour)}:${minute}:${second}${fraction === undefined ? '' : `.${fraction}`}`;
  return readTime(`${date}T${time}${zone}`);
}

function sinceEpoch(value: unknown, factor: number): number | undefined {
  const text = typeof value === 'string' ? value.trim() : value;
  const number = typeof text === 'string' && /^\d{1,16}(\.\d{1,9})?$/.test(text) ? Number(text) : text;
  if (typeof number !== 'number' || !Number.isFinite(number) || number < 0) return undefined;
  const ms = Math.round(number * factor);
  return ms <= 8.64e15 ? ms : undefined;
}
