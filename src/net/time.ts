/** Formats and parses times: RFC 3339 §5.6, in UTC, with milliseconds. */

/** Caches the texts of seconds up to the decimal point: an attack's events use few different ones. */
const seconds = new Map<number, string>();
const MAX_SECONDS = 1000;

/**
 * Formats whole milliseconds since the epoch as `2026-01-31T12:00:00.000Z`. Equal to `Date.prototype.toISOString` in a
 * twentieth of the time, because every event needs it several times. Throws RangeError beyond ±8.64e15.
 */
export function timeText(ms: number): string {
  const second = Math.floor(ms / 1000);
  const rest = Math.floor(ms - second * 1000);
  const zeros = rest < 10 ? '00' : rest < 100 ? '0' : '';
  return `${seconds.get(second) ?? secondText(second)}${zeros}${rest}Z`;
}

function secondText(second: number): string {
  const text = new Date(second * 1000).toISOString().slice(0, -'000Z'.length);
  if (seconds.size >= MAX_SECONDS) seconds.clear();
  seconds.set(second, text);
  return text;
}

// Parses times as detectors write them: RFC 3339 and its usual variants, and numbers since the epoch.

/** `2026-01-31T12:00:00.123Z`: date, separator, time to the minute at least, and an offset. */
const TIME =
  /^(\d{4})-(\d{2})-(\d{2})(?:[Tt_]| +)(\d{2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,18}))?)? ?(?:([Zz]|UTC|GMT)|([+-])(\d{2})(?::?(\d{2}))?)$/;

/**
 * Numbers from these on are milliseconds, microseconds and nanoseconds; smaller ones are seconds (until the year 5138).
 */
const MILLISECONDS_FROM = 1e11;
const MICROSECONDS_FROM = 1e14;
const NANOSECONDS_FROM = 1e17;
/** The last day that a Date can hold (ms). */
const LAST = 8.64e15;

/**
 * Returns milliseconds since the epoch for a text or a number; undefined if it is invalid or has no offset. Accepts
 * `+0100`, a space for the `T`, lower-case `t` and `z`, a leap second, and seconds, milliseconds, microseconds or
 * nanoseconds since the epoch, also as text.
 */
export function readTime(value: string | number): number | undefined {
  if (typeof value === 'number') return sinceEpoch(value);
  const text = value.trim();
  return /^\d{1,20}(\.\d{1,9})?$/.test(text) ? sinceEpoch(Number(text)) : readText(text);
}

/** True for times that programs write when they have none: 0, and Go's `0001-01-01T00:00:00Z`. */
export function isZeroTime(ms: number): boolean {
  return ms === 0 || ms === GO_ZERO;
}

const GO_ZERO = Date.parse('0001-01-01T00:00:00Z');

function sinceEpoch(value: number): number | undefined {
  if (!Number.isFinite(value) || value < 0) return undefined;
  let ms = value;
  if (value < MILLISECONDS_FROM) ms = value * 1000;
  else if (value >= NANOSECONDS_FROM) ms = value / 1e6;
  else if (value >= MICROSECONDS_FROM) ms = value / 1000;
  return ms > LAST ? undefined : Math.round(ms);
}

function readText(text: string): number | undefined {
  const match = TIME.exec(text);
  if (match === null) return undefined;
  const [
    ,
    year,
    month,
    day,
    hour,
    minute,
    second = '0',
    fraction = '',
    zulu,
    sign,
    hours = '0',
    minutes = '0',
  ] = match;
  const [h, m, s] = [Number(hour), Number(minute), Number(second)];
  if (h > 23 || m > 59 || s > 60 || Number(hours) > 23 || Number(minutes) > 59) return undefined;
  const midnight = Date.parse(`${year}-${month}-${day}T00:00:00Z`);
  // Some invalid dates are parsed as others: 30 February becomes 2 March.
  if (Number.isNaN(midnight) || new Date(midnight).getUTCDate() !== Number(day)) return undefined;
  const offset = zulu === undefined ? (Number(hours) * 60 + Number(minutes)) * (sign === '-' ? -1 : 1) : 0;
  const ms = Number(fraction.slice(0, 3).padEnd(3, '0'));
  return midnight + ((h * 60 + m - offset) * 60 + s) * 1000 + ms;
}

// HTTP.

/**
 * Returns the time to wait (ms) from Retry-After: seconds or a date (RFC 9110 §10.2.3). A date counts from the
 * response's own Date, so that a wrong local clock does not matter; without one, from `now` (ms). Undefined if the
 * header is absent or invalid.
 */
export function retryAfter(headers: Readonly<Record<string, unknown>>, now: number): number | undefined {
  const wanted = headers['retry-after'];
  if (typeof wanted !== 'string') return undefined;
  if (/^\d{1,9}$/.test(wanted)) return Number(wanted) * 1000;
  const until = httpDate(wanted);
  return until === undefined ? undefined : Math.max(0, until - (httpDate(headers.date) ?? now));
}

/** Parses a date in any format of RFC 9110 §5.6.7 (ms since the epoch); undefined if invalid. */
function httpDate(value: unknown): number | undefined {
  if (typeof value !== 'string' || !/^[A-Z][a-z]{2,8},? .*\d\d:\d\d:\d\d/.test(value)) return undefined;
  // The asctime() format has no zone and means GMT.
  const time = Date.parse(value.endsWith(' GMT') ? value : `${value} GMT`);
  return Number.isNaN(time) ? undefined : time;
}
