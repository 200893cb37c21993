/** The files of the audit log: one that is written, and rotated ones beside it with the time of their end in their names. */
import { basename, dirname, join } from 'node:path';
import { timeText } from '../../net/time.ts';
import type { AuditEntry } from './audit-entry.ts';
import { errorCode, type Files, type OpenFile } from '../files.ts';
import { linesFromEnd, unterminatedOctets } from '../journal/lines.ts';

const TIME = /^(\d{4}-\d\d-\d\dT\d\d)-(\d\d)-(\d\d\.\d{3}Z)$/;

/** Paths of the rotated files of the log at `path`, oldest first. */
export async function rotatedFiles(files: Files, path: string): Promise<readonly string[]> {
  const folder = dirname(path);
  const start = `${basename(path)}.`;
  const names = await files.list(folder);
  return names
    .filter((name) => name.startsWith(start) && TIME.test(name.slice(start.length)))
    .sort()
    .map((name) => join(folder, name));
}

/**
 * Where a file that ends now goes: behind all that ended before it, whatever the clock says. One that was set back would
 * otherwise put it among older ones, or in the very place of one.
 */
export function rotatedPath(path: string, rotated: readonly string[], now: number): string {
  const [, hour, minute, second] = TIME.exec(rotated.at(-1)?.slice(path.length + 1) ?? '') ?? [];
  const newest = hour === undefined ? Number.NEGATIVE_INFINITY : Date.parse(`${hour}:${minute}:${second}`);
  const at = Math.max(now, newest + 1);
  return `${path}.${timeText(at).replaceAll(':', '-')}`;
}

/** Whole lines of a file, last line first. */
export async function* linesBackwards(files: Files, path: string): AsyncGenerator<string> {
  const file = await files.open(path, 'read');
  try {
    const size = await file.size();
    yield* linesFromEnd(file, size - (await unterminatedOctets(file, size)));
  } finally {
    await file.close();
  }
}

/** The number of the newest fact in the log; 0 when there is none. Behind it there may be any number of operators' actions. */
export async function lastFactIn(files: Files, path: string): Promise<number> {
  for await (const { seq } of factsBackwards(files, path)) return seq;
  return 0;
}

/** When a fact was decided, as the log has it (RFC 3339); undefined when it does not hold it. */
export async function timeOfFactIn(files: Files, path: string, wanted: number): Promise<string | undefined> {
  for await (const { seq, time } of factsBackwards(files, path)) {
    if (seq === wanted) return time;
    if (seq < wanted) return undefined;
  }
  return undefined;
}

/** Number and time of each fact in the log and its rotated files, newest first. */
async function* factsBackwards(
  files: Files,
  path: string,
): AsyncGenerator<{ readonly seq: number; readonly time: string }> {
  for (const one of [...(await rotatedFiles(files, path)), path].reverse()) {
    try {
      for await (const line of linesBackwards(files, one)) {
        const entry = parseEntry(line);
        if (typeof entry?.seq === 'number') yield { seq: entry.seq, time: entry.time };
      }
    } catch (error) {
      // A crash in the middle of a rotation leaves none under the log's own name.
      if (errorCode(error) !== 'ENOENT') throw error;
    }
  }
}

/** Octets of a line that a crash cut off at the end of the file; undefined when there is no file. */
export async function unfinishedOctets(files: Files, path: string): Promise<number | undefined> {
  let file: OpenFile;
  try {
    file = await files.open(path, 'read');
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined;
    throw error;
  }
  try {
    return await unterminatedOctets(file, await file.size());
  } finally {
    await file.close();
  }
}

/** Undefined when somebody has laid hands on the line. */
export function parseEntry(line: string): AuditEntry | undefined {
  try {
    const entry: unknown = JSON.parse(line);
    return isEntry(entry) ? entry : undefined;
  } catch {
    return undefined;
  }
}

function isEntry(value: unknown): value is AuditEntry {
  return typeof value === 'object' && value !== null && 'seq' in value && 'action' in value;
}
