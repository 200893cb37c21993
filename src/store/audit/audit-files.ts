/** Reads the audit log's files: the current one, and rotated ones beside it, named by the time of their rotation. */
import { basename, dirname, join } from 'node:path';
import { timeText } from '../../net/time.ts';
import type { AuditEntry } from './audit-entry.ts';
import { errorCode, type Files, type OpenFile } from '../files.ts';
import { linesFromEnd, unterminatedOctets } from '../journal/lines.ts';

const TIME = /^(\d{4}-\d\d-\d\dT\d\d)-(\d\d)-(\d\d\.\d{3}Z)$/;

/** Returns the paths of the log's rotated files, oldest first. */
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
 * Returns the name for a file that is rotated now. It sorts after all earlier ones even if the clock was set back, so
 * that no older file is reordered or overwritten.
 */
export function rotatedPath(path: string, rotated: readonly string[], now: number): string {
  const [, hour, minute, second] = TIME.exec(rotated.at(-1)?.slice(path.length + 1) ?? '') ?? [];
  const newest = hour === undefined ? Number.NEGATIVE_INFINITY : Date.parse(`${hour}:${minute}:${second}`);
  const at = Math.max(now, newest + 1);
  return `${path}.${timeText(at).replaceAll(':', '-')}`;
}

/** Yields a file's complete lines, last line first. */
export async function* linesBackwards(files: Files, path: string): AsyncGenerator<string> {
  const file = await files.open(path, 'read');
  try {
    const size = await file.size();
    yield* linesFromEnd(file, size - (await unterminatedOctets(file, size)));
  } finally {
    await file.close();
  }
}

/** Returns the number of the log's newest fact; 0 if there is none. Operators' actions may follow it. */
export async function lastFactIn(files: Files, path: string): Promise<number> {
  for await (const { seq } of factsBackwards(files, path)) return seq;
  return 0;
}

/** Returns a fact's time as recorded in the log (RFC 3339); undefined if the log does not contain the fact. */
export async function timeOfFactIn(files: Files, path: string, wanted: number): Promise<string | undefined> {
  for await (const { seq, time } of factsBackwards(files, path)) {
    if (seq === wanted) return time;
    if (seq < wanted) return undefined;
  }
  return undefined;
}

/** Yields number and time of each fact in the log and its rotated files, newest first. */
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
      // After a crash during a rotation there is no current file.
      if (errorCode(error) !== 'ENOENT') throw error;
    }
  }
}

/** Returns the bytes of an incomplete last line after a crash; undefined if there is no file. */
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

/** Parses a line; undefined if it is damaged. */
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
