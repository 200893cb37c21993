/**
 * FastNetMon's call as a script passes it on without a JSON encoder: the arguments as fields, and standard input as it came,
 * which is text or a JSON document.
 */

import { isRecord } from './details.ts';
import { excerpt } from './evidence.ts';
import { parseFastNetMonJson, parseFastNetMonNotify } from './fastnetmon.ts';
import { parseDocument } from './fastnetmon-advanced.ts';
import { invalid, type Signal } from './signal.ts';
import type { VectorMaps } from './vector-names.ts';

/** The arguments by name; Advanced passes `ip` and `action` alone, or none. */
export interface NotifyFields {
  readonly ip?: string | undefined;
  readonly direction?: string | undefined;
  readonly pps?: string | undefined;
  readonly action?: string | undefined;
}

/** Characters of an unreadable document that are kept. */
const KEPT_RAW_TEXT = 512;

/**
 * Reads a call. `parseJson` gives the value of a JSON text, and throws for what is none. A document that cannot be read (one
 * that was cut off) does not lose its victim when the arguments name it.
 */
export function parseFastNetMonCall(
  fields: NotifyFields,
  text: string,
  parseJson: (text: string) => unknown,
  maps?: VectorMaps,
): readonly Signal[] {
  const { ip, direction, pps, action } = fields;
  const named = { ...(ip === undefined ? {} : { ip }), ...(action === undefined ? {} : { action }) };
  if (/^\s*[{[]/.test(text)) {
    let json: unknown;
    try {
      json = parseJson(text);
    } catch (error) {
      if (ip === undefined || action === undefined) throw error;
      return parseDocument({ ...named, unreadable: excerpt(text, KEPT_RAW_TEXT) }, maps);
    }
    return parseFastNetMonJson(isRecord(json) ? { ...named, ...json } : json, maps);
  }
  if (ip === undefined || action === undefined) {
    const why = 'is missing: give ip, direction, pps and action, or a JSON document that names them';
    return [invalid(ip === undefined ? 'ip' : 'action', why)];
  }
  if (direction === undefined && pps === undefined && text.trim() === '') return parseDocument(named, maps);
  return parseFastNetMonNotify([ip, direction ?? 'incoming', pps ?? '0', action], text, maps);
}
