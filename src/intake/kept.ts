/** Keeps a report's further data: bounded, and in memory of its own. */
import type { Detection } from '../core/types.ts';
import { heapCost } from '../net/heap-cost.ts';
import { copyText, keptText } from '../net/text.ts';
import { readVector } from './vector-names.ts';
import { unreadableVictim } from './read-victim.ts';

/** Longer details (bytes of JSON in UTF-8) are cut, because thousands of events stay in memory. */
export const MAX_DETAILS_LENGTH = 16_384;
/** Details that take more memory than this (bytes) are cut, too: many small objects take far more than their JSON. */
const MAX_DETAILS_COST = 65_536;
/** Characters of one text in details that are too long in total: enough for a summary, not for a packet dump. */
const MAX_TEXT_LENGTH = 512;
/** Entries of one list or object, and levels, in details that are too long in total. */
const MAX_ENTRIES = 64;
const MAX_DEPTH = 4;

/** True for a JSON object. */
export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Returns the details unchanged, or the beginning of their JSON under `truncated`; both in memory of their own. */
export function boundedDetails(
  details: Readonly<Record<string, unknown>>,
): Readonly<Record<string, unknown>> {
  if (Object.keys(details).length === 0) return {};
  const text = JSON.stringify(details);
  const kept = keptText(text, MAX_DETAILS_LENGTH);
  const fits = kept.length === text.length && heapCost(details, MAX_DETAILS_COST) <= MAX_DETAILS_COST;
  const copy: unknown = fits ? JSON.parse(text) : undefined;
  return isRecord(copy) ? copy : { truncated: kept };
}

/** Shortens long texts and lists of details that are too long in total; keeps their structure. */
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

// Bounds a detection's texts: thousands of detections stay in memory, so each text is limited, and in memory of its
// own.

/**
 * Bytes of UTF-8 that are kept. Ids and sources (255 and 128 characters of any script) are never cut: two different
 * ones must not become equal.
 */
const BOUNDS = { id: 4 * 255, source: 4 * 128, victim: 256, vector: 64, note: 600 } as const;

/**
 * Returns the same detection without references to the message that it came with. Its details are bounded on reading.
 */
export function keptDetection(detection: Detection): Detection {
  const { externalId, alertId, source, victim, vector, notes } = detection;
  return {
    ...detection,
    externalId: externalId === null ? null : keptText(externalId, BOUNDS.id),
    ...(typeof alertId === 'string' ? { alertId: keptText(alertId, BOUNDS.id) } : {}),
    source: keptText(source, BOUNDS.source),
    victim: keptText(victim, BOUNDS.victim),
    vector: keptText(vector, BOUNDS.vector),
    ...(notes === undefined ? {} : { notes: notes.map((note) => keptText(note, BOUNDS.note)) }),
  };
}

// Records a report that cannot be read: only as much as finding its sender and its error needs.

/** Bytes kept of the report's JSON, and of its source. */
const MAX_REPORT = 1024;
const MAX_SOURCE = 128;

/**
 * Returns the record of a report in the form of a generic event, as far as it can be read. It has no id, so that the
 * corrected report is not a duplicate of it.
 */
export function remainsOf(report: unknown, source?: string): Detection {
  const fields = isRecord(report) ? report : {};
  const vector = typeof fields.vector === 'string' ? readVector(fields.vector) : undefined;
  return {
    externalId: null,
    source: keptText(source ?? nameOf(fields.source), MAX_SOURCE),
    action: fields.action === 'unban' ? 'unban' : 'ban',
    victim: unreadableVictim(fields.victim_ip ?? fields.victim_prefix),
    vector: keptText(vector ?? 'unknown', MAX_SOURCE),
    protocol: null,
    bps: null,
    pps: null,
    confidence: null,
    ports: [],
    at: null,
    details: { report: keptText(textOf(report), MAX_REPORT) },
  };
}

function nameOf(source: unknown): string {
  return typeof source === 'string' && source.trim() !== '' ? source : 'unknown';
}

function textOf(report: unknown): string {
  if (typeof report === 'string') return report;
  return JSON.stringify(report) ?? 'nothing';
}

// Reduces a detector's data to what is worth keeping with the event: a packet dump may be megabytes long.

/** Limits of the kept data. */
interface Bounds {
  /** Characters of a text. */
  readonly text: number;
  /** Entries of a list. */
  readonly entries: number;
}

/** Limits the members of an object. */
const MAX_MEMBERS = 128;
/** Limits the characters of the whole JSON. */
const MAX_JSON = 12_000;

/** Used in this order until the whole is short enough. */
const EVIDENCE_BOUNDS: readonly Bounds[] = [
  { text: 512, entries: 20 },
  { text: 160, entries: 4 },
  { text: 80, entries: 1 },
];

/** Returns a text's first characters in memory of their own. */
export function excerpt(text: string, length: number): string {
  return text.length <= length ? text : copyText(text.slice(0, length));
}

/** Cuts long texts and long lists in JSON data, and marks each cut. */
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
