/** What is recorded of a report that cannot be read: enough to find its sender and its fault, and no more. */
import type { Detection } from '../core/types.ts';
import { keptText } from '../net/text.ts';
import { isRecord } from './details.ts';
import { readVector } from './vector-names.ts';
import { unreadableVictim } from './victim.ts';

/** Bytes of the report's JSON that are kept, and of its source. */
const MAX_REPORT = 1024;
const MAX_SOURCE = 128;

/**
 * The record of a report in the form of a generic event, as far as it can be read. It has no id of its own: the report,
 * once corrected, is no duplicate of it.
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
