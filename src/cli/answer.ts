/** Reads answers without trusting their form: another version of the daemon may say more, or less. */
import { printable } from './render.ts';

export type Fields = Readonly<Record<string, unknown>>;

/** The value as an object; one without keys when it is none. */
export function record(value: unknown): Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Fields) : {};
}

/** The value as a list; an empty one when it is none. */
export function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

/** The value as a list of objects. */
export function records(value: unknown): readonly Fields[] {
  return list(value).map(record);
}

/** The value as text on one line, fit for a terminal; empty for null and for what is no plain value. */
export function text(value: unknown): string {
  if (typeof value === 'string') return printable(value);
  return typeof value === 'number' || typeof value === 'boolean' ? String(value) : '';
}

/** The value as a number; 0 when it is none. */
export function number(value: unknown): number {
  return typeof value === 'number' ? value : 0;
}
