/** State and errors shared by the readers and writers of components. */
import { FlowSpecError } from './errors.ts';

/** The position of the decoder. Reading advances `at`; `failure` is set once and ends the reading. */
export interface Cursor {
  readonly bytes: Uint8Array;
  at: number;
  /** One past the last octet of this NLRI. */
  readonly end: number;
  readonly afi: 1 | 2;
  failure: string | undefined;
  /** Forms that the standard would encode otherwise; undefined while there are none. */
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

/** Returns the error for a rule longer than the 4095 octets that its length field can express (RFC 8955 §4.1). */
export function tooLong(): FlowSpecError {
  return new FlowSpecError('the rule is longer than 4095 octets, the maximum of an NLRI');
}
