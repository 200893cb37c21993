/** Reading a journal without owning it: for `prefixd journal verify`, for replays, while the daemon may be running. */
import type { RecordedFact } from '../../core/facts.ts';
import { type Files, realFiles, storeError } from '../files.ts';
import { StoreError } from '../store.ts';
import { planRecovery } from './recovery.ts';
import { DamageError, type Folder, readChain, readFolder } from './segments.ts';
import { readSnapshot } from './snapshot.ts';

/** What was read of a journal so far. */
export interface JournalProgress {
  readonly segments: number;
  readonly snapshots: number;
  readonly facts: number;
  /** Octets of the segments read, and of all of them. */
  readonly octets: number;
  readonly totalOctets: number;
}

export interface JournalReport extends JournalProgress {
  /** 0 when there is no fact. */
  readonly firstSeq: number;
  readonly lastSeq: number;
  /** Nothing that keeps the daemon from starting, such as a torn last line. */
  readonly warnings: readonly string[];
  /** The first place that is not as it was written; null when all is well. `line` is 0 when it concerns the whole file. */
  readonly damage: { readonly file: string; readonly line: number; readonly detail: string } | null;
}

export interface VerifyOptions {
  /** Called after each slice of some thousand facts. */
  readonly onProgress?: (progress: JournalProgress) => void;
  readonly files?: Files;
}

/** Reads every segment and snapshot in a folder and checks all of it. Rejects with StoreError only when it cannot be read at all. */
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
      const detail = `the journal ends with fact ${seen.lastSeq}, but there is a snapshot of fact ${plan.reach}`;
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

/** All facts that the folder still has, oldest first, in slices. Throws DamageError where one is not as it was written. */
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
