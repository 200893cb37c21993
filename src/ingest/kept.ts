/** What is kept of a detection: thousands of them stay in memory, so each text has its bound in bytes and memory of its own. */
import type { Detection } from '../core/types.ts';
import { keptText } from '../net/text.ts';

/**
 * Bytes of UTF-8 that are kept. Ids and sources may have 255 and 128 characters, whatever their script, and are never cut: two
 * that differ must not become one.
 */
const BOUNDS = { id: 4 * 255, source: 4 * 128, victim: 256, vector: 64, note: 600 } as const;

/** The same detection, nothing of which keeps the message alive that it came with. Its details are bounded when they are read. */
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
