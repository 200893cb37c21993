/** Reads one field of an event from a part of a document, as its mapping says. */
import { cutText } from '../../net/text.ts';
import { readFigure } from '../report-fields.ts';
import type { MappedField, MappedValue } from './adapter-settings.ts';
import { type CompiledField, wordKey } from './compile-adapter.ts';
import { patternMatches } from './safe-pattern.ts';

/** Most values of one field. */
const MAX_VALUES_OF_FIELD = 256;

/** A field as it was read, with its way, for `prefixd adapters test`. */
export interface FieldReading {
  readonly field: MappedField;
  /** The path that gave the value; undefined: none did. */
  readonly path: string | undefined;
  /** The values that the path gave. */
  readonly given: readonly unknown[];
  /** The values in the event; none if the field is absent. */
  readonly values: readonly unknown[];
  /** Says which rule of the mapping made the values. */
  readonly by: 'path' | 'constant' | 'otherwise' | 'none';
  /** Says why something was ignored. */
  readonly note?: string;
}

/** Reads a field from a value, at most `most` values of it. */
export function readField(compiled: CompiledField, from: unknown, most = MAX_VALUES_OF_FIELD): FieldReading {
  const { field, constant, otherwise } = compiled;
  const base = { field, path: undefined, given: [] };
  if (constant !== undefined) return { ...base, values: [constant], by: 'constant' };
  const { path, given } = findGiven(compiled, from, most);
  const values = given.flatMap((value) => parts(value, compiled.split)).filter(isPresent);
  const converted = values.slice(0, most).map((value) => convert(value, compiled));
  const known = converted.filter((one) => one.known).map(({ value }) => value);
  if (otherwise !== undefined && known.length === 0) {
    return { ...base, path, given, values: [otherwise], by: 'otherwise' };
  }
  const all = otherwise === undefined ? converted.map(({ value }) => value) : known;
  const note = converted.find((one) => one.note !== undefined)?.note;
  const kept = all.filter((value) => value !== undefined);
  return {
    ...base,
    path,
    given,
    values: kept,
    by: kept.length === 0 ? 'none' : 'path',
    ...(note === undefined ? {} : { note }),
  };
}

/** Finds the first path that gives a value other than null, an empty text or an empty list. */
function findGiven(
  { paths }: CompiledField,
  from: unknown,
  most: number,
): { readonly path: string | undefined; readonly given: readonly unknown[] } {
  for (const { text, select } of paths) {
    const given = select(from, most).flatMap((value) =>
      Array.isArray(value) ? value.slice(0, most) : [value],
    );
    const present = given.filter(isPresent).slice(0, most);
    if (present.length > 0) return { path: text, given: present };
  }
  return { path: undefined, given: [] };
}

function isPresent(value: unknown): boolean {
  return value !== undefined && value !== null && !(typeof value === 'string' && value.trim() === '');
}

function parts(value: unknown, separator: string | undefined): readonly unknown[] {
  if (separator === undefined || typeof value !== 'string') return [value];
  return value.split(separator, MAX_VALUES_OF_FIELD).map((part) => part.trim());
}

interface Converted {
  readonly value: unknown;
  /** False if `map` or `match` exist and do not know the value. */
  readonly known: boolean;
  readonly note?: string;
}

function convert(value: unknown, compiled: CompiledField): Converted {
  if (typeof value === 'object') {
    return { value: undefined, known: false, note: `${compiled.field} ignored: it is not a single value` };
  }
  const named = namedValue(value, compiled);
  if (named !== undefined) return { value: named, known: true };
  const known = compiled.map === undefined && compiled.match === undefined;
  if (compiled.time !== undefined) return { ...convertTime(value, compiled.time), known };
  return { value: scaled(value, compiled), known };
}

/** Returns what `map`, else `match`, makes of a value; undefined if neither knows it. */
function namedValue(value: unknown, { map, match = [] }: CompiledField): MappedValue | undefined {
  const text = String(value);
  return map?.get(wordKey(text)) ?? match.find(({ pattern }) => patternMatches(pattern, text))?.value;
}

function convertTime(
  value: unknown,
  read: NonNullable<CompiledField['time']>,
): Pick<Converted, 'value' | 'note'> {
  const at = read(value);
  if (at !== undefined) return { value: at };
  const shown = cutText(String(value), 40);
  return { value: undefined, note: `timestamp ignored: "${shown}" does not have the configured format` };
}

/** Applies the factor to a number, or to a text that is only a number: one with a unit of its own keeps it. */
function scaled(value: unknown, { field, factor }: CompiledField): unknown {
  if (factor === undefined) return value;
  const number = typeof value === 'string' ? bareNumber(value) : value;
  if (typeof number !== 'number' || !Number.isFinite(number)) return value;
  // Rounds, because 0.07 * 100 is not exactly 7.
  const product = Number((number * factor).toPrecision(15));
  return field === 'confidence' ? Math.min(1, product) : product;
}

function bareNumber(text: string): number | undefined {
  if (!/^[\s\d.,'_+-]+(?:e[+-]?\d{1,3})?\s*$/i.test(text.slice(0, 64))) return undefined;
  const read = readFigure(text, 'bps');
  return read.ok ? read.value : undefined;
}
