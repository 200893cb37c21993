/**
 * Measures the lower bound of batches: formats the facts that prefixd wrote for events again, as lines of the
 * journal and of the audit log. Nothing is read, judged, folded or written to the disk.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { AuditTrail } from '../../src/store/audit/audit-entry.ts';
import { decodeRecords, encodeRecord } from '../../src/store/journal/record.ts';
import { perSecond } from '../per-second.ts';
import type { ConfigFolder } from '../prefixd/config-folder.ts';

/** The newest facts of the journal that are put into words. */
const FACTS = 2_000;

/** Events a second of processor time, for each round. */
export function writtenDown(folder: ConfigFolder, rounds: number): readonly number[] {
  const data = join(folder.path, 'data');
  const newest = readdirSync(data)
    .filter((name) => name.startsWith('journal-'))
    .sort()
    .at(-1);
  const block = readFileSync(join(data, newest ?? ''));
  const all = decodeRecords(block.subarray(0, block.lastIndexOf('\n') + 1));
  if ('detail' in all) throw new Error(all.detail);
  const facts = all.slice(-FACTS);
  const trail = new AuditTrail();
  // So that it knows what the mitigations were before.
  for (const fact of all) trail.entryOf(fact);
  let octets = 0;
  const rates = perSecond(rounds, facts.filter(({ fact }) => fact.type === 'event.received').length, () => {
    octets += Buffer.from(facts.map(encodeRecord).join('')).length;
    octets += Buffer.from(facts.map((fact) => `${JSON.stringify(trail.entryOf(fact))}\n`).join('')).length;
  });
  if (octets === 0) throw new Error('nothing was written down');
  return rates;
}
