/** Cuts what a detector sent down to what is worth keeping with the event: a packet dump may be megabytes long. */
import { copyText } from '../net/text.ts';

/** Bounds of what is kept. */
interface Bounds {
  /** Characters of a text. */
  readonly text: number;
  /** Entries of a list. */
  readonly entries: number;
}

/** Members of an object that are kept. */
const MAX_MEMBERS = 128;
/** Characters of JSON that all of it may have. */
const MAX_JSON = 12_000;

/** Tried in this order until the whole is short enough. */
const EVIDENCE_BOUNDS: readonly Bounds[] = [
  { text: 512, entries: 20 },
  { text: 160, entries: 4 },
  { text: 80, entries: 1 },
];

/** The first characters of a text, as a text of their own. */
export function excerpt(text: string, length: number): string {
  return text.length <= length ? text : copyText(text.slice(0, length));
}

/** JSON data with long texts and long lists cut. What was left out is said in its place. */
export function evidence(json: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  let kept: Readonly<Record<string, unknown>> = {};
  for (const bounds of EVIDENCE_BOUNDS) {
    kept = cutObject(json, bounds);
    if (JSON.stringify(kept).length <= MAX_JSON) return kept;
  }
  return kept;
}

function cut(value: unknown, bounds: Bounds): unknown {
  if (typeof value === 'string') {
    if (value.length <= bounds.text) return value;
    return `${excerpt(value, bounds.text)}... (${value.length} characters)`;
  }
  if (Array.isArray(value)) {
    const entries: unknown[] = value.slice(0, bounds.entries).map((entry) => cut(entry, bounds));
    if (value.length > bounds.entries) entries.push(`... (${value.length} entries)`);
    return entries;
  }
  return typeof value === 'object' && value !== null ? cutObject({ ...value }, bounds) : value;
}

function cutObject(
  value: Readonly<Record<string, unknown>>,
  bounds: Bounds,
): Readonly<Record<string, unknown>> {
  const keys = Object.keys(value);
  const kept: Record<string, unknown> = {};
  for (const key of keys.slice(0, MAX_MEMBERS)) kept[excerpt(key, bounds.text)] = cut(value[key], bounds);
  if (keys.length > MAX_MEMBERS) kept['...'] = `${keys.length} members`;
  return kept;
}
