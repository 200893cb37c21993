/** What the readers and writers of components share. */
import { FlowSpecError } from './errors.ts';

/** Where decoding stands. Reading moves `at`; `failure` is set once and ends the reading. */
export interface Cursor {
  readonly bytes: Uint8Array;
  at: number;
  /** One past the last octet of this NLRI. */
  readonly end: number;
  readonly afi: 1 | 2;
  failure: string | undefined;
  /** Forms that the standard would write otherwise; undefined as long as there are none. */
  tolerated: string[] | undefined;
}

/** Notes a tolerated form, once. */
export function tolerate(cursor: Cursor, note: string): void {
  if (cursor.tolerated === undefined) cursor.tolerated = [note];
  else if (!cursor.tolerated.includes(note)) cursor.tolerated.push(note);
}

/** Ends the reading with a reason. */
export function fail(cursor: Cursor, reason: string): undefined {
  cursor.failure = reason;
  return undefined;
}

/** The error for a rule that does not fit into the 4095 octets which its length can express (RFC 8955 §4.1). */
export function tooLong(): FlowSpecError {
  return new FlowSpecError('the rule is longer than the 4095 octets that an NLRI can have');
}
