/** Measures the files of a benchmarked daemon. */
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { ConfigFolder } from './config-folder.ts';

/** Octets of its journal alone: what an event waits for. */
export function journalOctets(folder: ConfigFolder): number {
  return octetsOf(folder, (name) => name.startsWith('journal-'));
}

/** Octets of everything that it appends to: the journal and the audit log, with the files that were rotated. */
export function appendedOctets(folder: ConfigFolder): number {
  return octetsOf(folder, (name) => name.startsWith('journal-') || name.startsWith('audit.jsonl'));
}

function octetsOf(folder: ConfigFolder, counts: (name: string) => boolean): number {
  const data = join(folder.path, 'data');
  return readdirSync(data)
    .filter(counts)
    .reduce((sum, name) => sum + statSync(join(data, name)).size, 0);
}
