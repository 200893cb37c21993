/** Times as text: RFC 3339 §5.6, in UTC, with milliseconds. */

/** Texts of seconds, up to the point: an attack's events, and the times they lead to, fall into few of them. */
const seconds = new Map<number, string>();
const MAX_SECONDS = 1000;

/**
 * `2026-01-31T12:00:00.000Z` for whole milliseconds since the epoch. The same as `Date.prototype.toISOString` at a
 * twentieth of the time, which every event pays several times. Throws RangeError for what is no time (beyond ±8.64e15).
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
