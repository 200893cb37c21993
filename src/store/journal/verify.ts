/** Reads a journal without owning it, for `prefixd journal verify` and replays; the daemon may be running. */
import type { RecordedFact } from '../../core/facts.ts';
import { type Files, realFiles, storeError } from '../files.ts';
import { StoreError } from '../store.ts';
import { planRecovery } from './recovery.ts';
import { DamageError, type Folder, readChain, readFolder } from './segments.ts';
import { readSnapshot } from './snapshot.ts';

/** Counts what has been read so far. */
export interface JournalProgress {
  readonly segments: number;
  readonly snapshots: number;
  readonly facts: number;
  /** Bytes of the segments read, and of all segments. */
  readonly octets: number;
  readonly totalOctets: number;
}

export interface JournalReport extends JournalProgress {
  /** 0 if there are no facts. */
  readonly firstSeq: number;
  readonly lastSeq: number;
  /** Findings that do not prevent a start, such as a torn last line. */
  readonly warnings: readonly string[];
  /** The first damage; null if the journal is intact. `line` is 0 if the whole file is affected. */
  readonly damage: { readonly file: string; readonly line: number; readonly detail: string } | null;
}

export interface VerifyOptions {
  /** Called after each slice of some thousand facts. */
  readonly onProgress?: (progress: JournalProgress) => void;
  readonly files?: Files;
}

/**
 * Reads and checks every segment and snapshot in a folder. Rejects with StoreError only if the folder cannot be read.
 */
export async function verifyJournal(folder: string, options: VerifyOptions = {}): Promise<JournalReport> {
  const files = options.files ?? realFiles;
  const found = await folderOf(files, folder);
  const seen = {
    segments: 0,
    snapshots: 0,
    facts: 0,
    octets: 0,
    totalOctets: found.segments.reduce((sum, { octets }) => sum + octets, 0),
    firstSeq: 0,
    lastSeq: 0,
  };
  let warnings: readonly string[] = [];
  try {
    let done = 0;
    let reading = 0;
    const chain = readChain(files, found.segments, (segment) => {
      done += reading;
      reading = segment.octets;
      seen.segments++;
    });
    for await (const facts of chain) {
      seen.firstSeq ||= facts[0]?.seq ?? 0;
      seen.lastSeq = facts.at(-1)?.seq ?? seen.lastSeq;
      seen.facts += facts.length;
      seen.octets = done;
      options.onProgress?.({ ...seen });
    }
    seen.octets = seen.totalOctets;
    for (const snapshot of found.snapshots) {
      await readSnapshot(files, snapshot);
      seen.snapshots++;
      options.onProgress?.({ ...seen });
    }
    const plan = await planRecovery(files, folder, found);
    warnings = plan.warnings;
    if (seen.lastSeq < plan.reach) {
      const detail = `the journal ends with fact ${seen.lastSeq}, but a snapshot exists for fact ${plan.reach}`;
      throw new DamageError(folder, 0, detail);
    }
  } catch (error) {
    if (!(error instanceof StoreError)) throw storeError('verify', folder, error);
    const damage =
      error instanceof DamageError
        ? { file: error.path, line: error.line, detail: error.detail }
        : { file: folder, line: 0, detail: error.message };
    return { ...seen, warnings, damage };
  }
  return { ...seen, warnings, damage: null };
}

/** Yields all facts in the folder in slices, oldest first. Throws DamageError at a damaged fact. */
export async function* readFacts(
  folder: string,
  files: Files = realFiles,
): AsyncGenerator<readonly RecordedFact[]> {
  yield* readChain(files, (await folderOf(files, folder)).segments);
}

async function folderOf(files: Files, folder: string): Promise<Folder> {
  try {
    return await readFolder(files, folder);
  } catch (error) {
    throw storeError('read the journal in', folder, error);
  }
}
