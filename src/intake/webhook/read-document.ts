/**
 * Reads another system's JSON into events by a compiled mapping. Each event then passes the reader of `POST /v1/events`, so
 * every limit and word of that applies.
 */
import type { Detection } from '../../core/types.ts';
import { failed, ok, type Result } from '../../net/result.ts';
import { cutText } from '../../net/text.ts';
import { parseGenericEvent } from '../generic.ts';
import { isRecord, shortened } from '../kept.ts';
import { addNote, type FieldNotes } from '../report-fields.ts';
import type { Signal } from '../signal.ts';
import type { VectorMaps } from '../vector-names.ts';
import type { MappedField } from './adapter-settings.ts';
import type { Adapter } from './compile-adapter.ts';
import { documentFlaw } from './json-path.ts';
import { type FieldReading, readField } from './read-field.ts';

/** One event of a document: what each path gave, the event, and the result of reading it. */
export interface AdapterReading {
  readonly fields: readonly FieldReading[];
  readonly event: Readonly<Record<string, unknown>>;
  readonly signal: Signal;
}

/** Fields that keep all values. */
const LISTS: ReadonlySet<MappedField> = new Set(['top_dst_ports', 'top_src_ports', 'tcp_flags']);
/** Fields whose numbers are texts in an event. */
const TEXTS: ReadonlySet<MappedField> = new Set([
  'source',
  'event_id',
  'victim_ip',
  'victim_prefix',
  'vector',
  'action',
]);

/** Why a document cannot be read. */
export interface DocumentFlaw {
  readonly message: string;
  /** True if it has too many values or levels. */
  readonly isTooLarge: boolean;
}

/**
 * Returns the parts of a document that `each` selects, at most `most`; the error says why the document cannot be read.
 */
export function selectParts(
  adapter: Adapter,
  document: unknown,
  most: number,
): Result<readonly unknown[], DocumentFlaw> {
  const flaw = documentFlaw(document);
  if (flaw !== undefined) return failed({ message: flaw, isTooLarge: true });
  try {
    return ok(adapter.each.select(document, most));
  } catch (error) {
    // The library recurses and spreads lists, so a strange document could exhaust the stack.
    if (!(error instanceof Error)) throw error;
    const message = `each (${adapter.each.text}) cannot be applied: ${error.message}`;
    return failed({ message, isTooLarge: false });
  }
}

/** Says that a document has no event. */
export function nothingSelected({ name, each }: Adapter): string {
  return `each (${each.text}) of webhook ${name} matches nothing in this document: it has no event`;
}

/** Reads one part of a document: an event for each victim that it names, at most `most`. Never throws. */
export function readPart(
  adapter: Adapter,
  part: unknown,
  vectorMaps: VectorMaps | undefined,
  most: number,
): readonly AdapterReading[] {
  const fields = adapter.fields.map((field) => {
    try {
      return readField(field, part, field.field === 'victim_ip' ? most : undefined);
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      const note = `${field.field} ignored: ${error.message}`;
      return { field: field.field, path: undefined, given: [], values: [], by: 'none', note } as const;
    }
  });
  const victims = valuesOf(fields, 'victim_ip');
  return (victims.length === 0 ? [undefined] : [...new Set(victims)]).map((victim) => {
    const event = eventOf(fields, victim, part);
    return { fields, event, signal: signalOf(adapter, fields, event, vectorMaps) };
  });
}

function valuesOf(fields: readonly FieldReading[], field: MappedField): readonly unknown[] {
  return fields.find((one) => one.field === field)?.values ?? [];
}

/** Builds the event as it could be sent to `POST /v1/events`. */
function eventOf(
  fields: readonly FieldReading[],
  victim: unknown,
  part: unknown,
): Readonly<Record<string, unknown>> {
  const event: Record<string, unknown> = {};
  for (const { field, values } of fields) {
    const value = field === 'victim_ip' ? victim : LISTS.has(field) && values.length > 1 ? values : values[0];
    if (value === undefined) continue;
    event[field] = TEXTS.has(field) ? String(value) : value;
  }
  event.vector ??= 'unknown';
  event.raw_details = isRecord(part) ? shortened(part) : { value: part };
  return event;
}

function signalOf(
  { name, reportsEnd }: Adapter,
  fields: readonly FieldReading[],
  event: Readonly<Record<string, unknown>>,
  vectorMaps: VectorMaps | undefined,
): Signal {
  if (event.action === 'ignore') {
    const reading = fields.find(({ field }) => field === 'action');
    const given = reading?.given[0];
    const said = given === undefined ? '' : ` "${cutText(String(given), 40)}"`;
    return { kind: 'ignored', why: `webhook ${name} ignores the action${said}: nothing is decided` };
  }
  const signal = parseGenericEvent(event, { vectorMaps, notes: notesOf(fields) });
  if (signal.kind !== 'detection') return signal;
  return { kind: 'detection', detection: asAlert(signal.detection, reportsEnd) };
}

function notesOf(fields: readonly FieldReading[]): FieldNotes {
  const notes: FieldNotes = [];
  for (const { field, values, note } of fields) {
    if (note !== undefined) addNote(notes, note);
    if (values.length < 2 || field === 'victim_ip' || LISTS.has(field)) continue;
    addNote(notes, `${field}: the first of ${values.length} values is used`);
  }
  return notes;
}

/**
 * Turns an event into a report of an alert. Senders repeat an alarm under its id and with the time of its beginning, so the id
 * identifies the hold and the time is the beginning of the attack: a repetition is neither a duplicate nor too old. The
 * victim is a part of the identity, because one alarm may be about several victims, and about fewer of them later.
 */
function asAlert(detection: Detection, reportsEnd: boolean): Detection {
  const { externalId: id, victim, at, action } = detection;
  const time = at === null ? {} : action === 'ban' ? { beganAt: at } : { endedAt: at };
  return {
    ...detection,
    externalId: null,
    at: null,
    ...(id === null ? {} : { alertId: `${id}/${victim}` }),
    ...time,
    ...(reportsEnd ? { hold: 'until_released' } : {}),
  };
}
