/** The sources of reports from limited callers, so that none of them can speak for another detector. */
import { createHash } from 'node:crypto';
import type { Detection, HoldMode } from '../core/types.ts';
import type { Policy } from '../core/policy/policy.ts';
import type { Caller } from './caller.ts';

/** Longest name of a caller in a source; longer ones are told apart by a digest. */
const MAX_KEY = 128;

/** A report as it goes to the core. */
export interface OwnReport {
  readonly detection: Detection;
  readonly hold: HoldMode | undefined;
}

/**
 * Returns a caller's report. That of a limited caller gets the source `CALLER/SOURCE`: alerts, duplicates and holds belong
 * to a source, and a source in a body proves nothing, so the caller could otherwise end what others hold. The settings in
 * `detectors` for the source as written still apply, unless there are some for the whole name.
 */
export function ownReport(
  caller: Pick<Caller, 'name' | 'person' | 'scope' | 'hold'>,
  detection: Detection,
  { detectors }: Pick<Policy, 'detectors'>,
): OwnReport {
  if (caller.scope === undefined) return { detection, hold: caller.hold };
  const source = `${callerKey(caller)}/${detection.source}`;
  const usual = detectors.get(source) ?? detectors.get(detection.source);
  return {
    detection: { ...detection, source, confidence: detection.confidence ?? usual?.confidence ?? null },
    hold: caller.hold ?? usual?.hold,
  };
}

/** Returns a text that no other caller has: a name does not contain `/`, and only a person's contains `:`. */
function callerKey({ name, person }: Pick<Caller, 'name' | 'person'>): string {
  const key = person === undefined ? escaped(name) : `${escaped(person.issuer)}:${escaped(person.subject)}`;
  if (key.length <= MAX_KEY) return key;
  return `:${createHash('sha256').update(key).digest('hex')}`;
}

function escaped(text: string): string {
  return text.replace(/[%/:]/g, encodeURIComponent);
}
