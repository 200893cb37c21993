/** What is kept of a report beside what is understood of it: bounded, and in memory of its own. */
import { heapCost } from '../net/heap-cost.ts';
import { copyText, keptText } from '../net/text.ts';

/** Details longer than this (bytes of JSON in UTF-8) are cut, because thousands of events stay in memory. */
export const MAX_DETAILS_LENGTH = 16_384;
/** And those that take more than this (bytes) once they are read: of many small objects, JSON is the smallest part. */
const MAX_DETAILS_COST = 65_536;
/** Characters of one text in details that are too long as a whole: enough for a summary, not for a packet dump. */
const MAX_TEXT_LENGTH = 512;
/** Entries of one list or object, and levels, when details are too long as a whole. */
const MAX_ENTRIES = 64;
const MAX_DEPTH = 4;

/** True for a JSON object. */
export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Details as they are, or the beginning of their JSON under `truncated`; in either case in memory of their own. */
export function boundedDetails(
  details: Readonly<Record<string, unknown>>,
): Readonly<Record<string, unknown>> {
  if (Object.keys(details).length === 0) return {};
  const text = JSON.stringify(details);
  const kept = keptText(text, MAX_DETAILS_LENGTH);
  const fits = kept.length === text.length && heapCost(details, MAX_DETAILS_COST) <= MAX_DETAILS_COST;
  const copy: unknown = fits ? JSON.parse(text) : null;
  return isRecord(copy) ? copy : { truncated: kept };
}

/** The same in form, with its long texts and lists shortened, when it is too long as a whole. */
export function shortened(value: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  if (JSON.stringify(value).length <= MAX_DETAILS_LENGTH) return value;
  const short = shorten(value, 0);
  return isRecord(short) ? short : {};
}

function shorten(value: unknown, depth: number): unknown {
  if (typeof value === 'string') {
    if (value.length <= MAX_TEXT_LENGTH) return value;
    return `${copyText(value.slice(0, MAX_TEXT_LENGTH))}… (${value.length} characters)`;
  }
  if (typeof value !== 'object' || value === null) return value;
  if (depth === MAX_DEPTH) return '…';
  if (Array.isArray(value)) return value.slice(0, MAX_ENTRIES).map((item) => shorten(item, depth + 1));
  return Object.fromEntries(
    Object.entries(value)
      .slice(0, MAX_ENTRIES)
      .map(([key, item]) => [key, shorten(item, depth + 1)]),
  );
}
