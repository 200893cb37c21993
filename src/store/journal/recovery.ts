/** Chooses the snapshot and the segments to read after a restart, and reads them. */
import type { RecordedFact } from '../../core/facts.ts';
import type { StateSnapshot } from '../../core/state/state.ts';
import { type Files, type OpenFile, storeError } from '../files.ts';
import { StoreError } from '../store.ts';
import { LONGEST_LINE, unterminatedOctets } from './lines.ts';
import { decodeRecord } from './record.ts';
import {
  type ChainEnd,
  DamageError,
  type Folder,
  type NumberedFile,
  readChain,
  type Segment,
} from './segments.ts';
import { readSnapshot, type SnapshotFile } from './snapshot.ts';

export interface RecoveryPlan {
  readonly snapshot: StateSnapshot | undefined;
  /** Segments with facts after the snapshot, ascending; empty only for a new folder. */
  readonly segments: readonly Segment[];
  /** Estimated number of facts after the snapshot; the last segment is estimated by its size. */
  readonly about: number;
  /** Newest fact that is known to have been durable; the segments must reach it. */
  readonly reach: number;
  /** Position of a damaged line feed at the end of the newest segment, after an intact line. */
  readonly lostLineFeed: { readonly path: string; readonly position: number } | undefined;
  /** Grows while the facts are read. */
  readonly warnings: string[];
}

/**
 * Chooses the newest intact snapshot. Skips a damaged one with a warning if an older one, or none, still has all the
 * facts after it; otherwise rejects with StoreError.
 */
export async function planRecovery(
  files: Files,
  folder: string,
  { segments, snapshots }: Folder,
): Promise<RecoveryPlan> {
  const warnings: string[] = [];
  const damages: string[] = [];
  let newestSnapshot: SnapshotFile | undefined;
  for (const candidate of snapshots.toReversed()) {
    try {
      newestSnapshot = await readSnapshot(files, candidate);
      break;
    } catch (error) {
      if (!(error instanceof DamageError)) throw error;
      damages.push(error.message);
      warnings.push(`${error.message}; this snapshot is skipped and older facts are read instead`);
    }
  }
  const snapshot = newestSnapshot?.snapshot;
  const from = (snapshot?.seq ?? 0) + 1;
  const start = segments.findLastIndex(
    ({ seq, octets }, i) => seq <= from && (octets > 0 || i === segments.length - 1),
  );
  const newest = segments.at(-1);
  const isNew = newest === undefined && snapshots.length === 0;
  if (!isNew && start < 0) {
    const first = segments[0];
    const missing = first === undefined ? `${from} and later` : `${from} to ${first.seq - 1}`;
    const why = damages.length > 0 ? ` (${damages.join('; ')})` : '';
    throw new StoreError(
      `${folder}: the journal's facts ${missing} are missing${why}; restore the folder from a backup`,
    );
  }
  if (newestSnapshot?.followed === true && !segments.some(({ seq }) => seq >= from)) {
    throw new StoreError(
      `${folder}: the journal ends with ${newest?.name ?? 'no segment'}, but a newer segment existed when the snapshot of fact ${from - 1} was written: the facts after it are missing; restore the newest journal-*.jsonl from a backup`,
    );
  }
  const written = segments.findLast(({ octets }) => octets > 0);
  const tail = written === undefined ? NO_TAIL : await tailOf(files, written);
  const lostLineFeed =
    written !== undefined && tail.isIntactRecord
      ? { path: written.path, position: written.octets - 1 }
      : undefined;
  if (lostLineFeed !== undefined) {
    warnings.push(
      `${lostLineFeed.path}: the line feed after the last fact is damaged; the fact is intact and kept; check the disk`,
    );
  } else if (tail.octets > 0) {
    warnings.push(
      `${written?.path}: an unterminated last line of ${tail.octets} bytes is dropped; it was never acknowledged`,
    );
  }
  return {
    snapshot,
    segments: segments.slice(Math.max(0, start)),
    about: aboutHowMany(segments, from),
    reach: snapshots.at(-1)?.seq ?? 0,
    lostLineFeed,
    warnings,
  };
}

/** Estimated bytes per fact if no complete segment exists. */
const USUAL_FACT = 500;

/** Estimates the facts from `from` on. The names of the segments count all but the last one's facts. */
function aboutHowMany(segments: readonly Segment[], from: number): number {
  const [first, last] = [segments[0], segments.at(-1)];
  if (first === undefined || last === undefined) return 0;
  const counted = last.seq - first.seq;
  const octets = segments.reduce((sum, segment) => sum + segment.octets, 0) - last.octets;
  const each = counted > 0 && octets > 0 ? octets / counted : USUAL_FACT;
  return Math.max(0, Math.round(last.seq + last.octets / each) - from);
}

/** The end of a segment after its last line feed. */
interface Tail {
  readonly octets: number;
  /** True for a complete record and one more byte: the line was written completely, and its line feed is damaged. */
  readonly isIntactRecord: boolean;
}

const NO_TAIL: Tail = { octets: 0, isIntactRecord: false };

async function tailOf(files: Files, segment: NumberedFile): Promise<Tail> {
  let file: OpenFile;
  try {
    file = await files.open(segment.path, 'read');
  } catch (error) {
    throw storeError('read', segment.path, error);
  }
  try {
    const size = await file.size();
    const octets = await unterminatedOctets(file, size);
    if (octets < 2 || octets > LONGEST_LINE) return { octets, isIntactRecord: false };
    const line = Buffer.alloc(octets - 1);
    const count = await file.read(line, size - octets);
    return { octets, isIntactRecord: count === line.length && typeof decodeRecord(line) !== 'string' };
  } catch (error) {
    throw storeError('read', segment.path, error);
  } finally {
    await file.close();
  }
}

/** Repairs the line feed durably. The journal must be owned. Rejects with StoreError. */
export async function mendLineFeed(
  files: Files,
  { path, position }: { readonly path: string; readonly position: number },
): Promise<void> {
  try {
    await files.overwrite(path, position, Buffer.from('\n'));
  } catch (error) {
    throw storeError('repair the last line of', path, error);
  }
}

const NOWHERE: ChainEnd = { lastSeq: 0, current: undefined, unterminated: 0, leftovers: [], torn: undefined };

/** Yields the facts after the snapshot in slices. Throws DamageError at the first damage. */
export async function* readFactsAfter(
  files: Files,
  plan: RecoveryPlan,
): AsyncGenerator<readonly RecordedFact[], ChainEnd> {
  const after = plan.snapshot?.seq ?? 0;
  const chain = readChain(files, plan.segments);
  let step = await chain.next();
  try {
    while (step.done !== true) {
      const facts = step.value;
      const fresh = (facts[0]?.seq ?? 0) > after ? facts : facts.filter(({ seq }) => seq > after);
      if (fresh.length > 0) yield fresh;
      step = await chain.next();
    }
  } finally {
    // Close the file even if the reader stops early.
    if (step.done !== true) await chain.return(NOWHERE);
  }
  const end = step.value;
  if (end.torn !== undefined) plan.warnings.push(end.torn);
  const newest = end.current;
  if (newest !== undefined && end.lastSeq < plan.reach) {
    throw new StoreError(
      `${newest.path}: the journal ends with fact ${end.lastSeq}, but a snapshot exists for fact ${plan.reach}; restore the folder from a backup`,
    );
  }
  return end;
}
