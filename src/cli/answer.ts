/** Reads API answers without trusting their shape: a daemon of another version may send more fields, or fewer. */
import { printable } from './tables.ts';

export type Fields = Readonly<Record<string, unknown>>;

/** Returns the value if it is an object, else an empty object. */
export function record(value: unknown): Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Fields) : {};
}

/** Returns the value if it is a list, else an empty list. */
export function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

/** Returns the value as a list of objects. */
export function records(value: unknown): readonly Fields[] {
  return list(value).map(record);
}

/** Returns a string, number or boolean as one line that is safe to print on a terminal; for anything else, ''. */
export function text(value: unknown): string {
  if (typeof value === 'string') return printable(value);
  return typeof value === 'number' || typeof value === 'boolean' ? String(value) : '';
}

/** Returns the value if it is a number, else 0. */
export function number(value: unknown): number {
  return typeof value === 'number' ? value : 0;
}
