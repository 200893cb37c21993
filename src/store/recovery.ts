/** Which snapshot and which segments to read after a restart, and reading them. */
import type { RecordedFact } from '../core/facts.ts';
import type { StateSnapshot } from '../core/state.ts';
import { type Files, type OpenFile, storeError } from './files.ts';
import { unterminatedOctets } from './lines.ts';
import { type ChainEnd, readChain } from './chain.ts';
import { DamageError, type Folder, type NumberedFile, type Segment } from './segments.ts';
import { readSnapshot } from './snapshot.ts';
import { StoreError } from './store.ts';

export interface RecoveryPlan {
  readonly snapshot: StateSnapshot | null;
  /** Those with facts after the snapshot, ascending; empty only for a new folder. */
  readonly segments: readonly Segment[];
  /** Facts up to here were durable once, so the segments must reach it. */
  readonly reach: number;
  readonly warnings: readonly string[];
}

/**
 * Chooses the newest snapshot that is whole. One that is damaged is passed over with a warning when an older one, or
 * none, still has all the facts that follow it; otherwise the store refuses.
 */
export async function planRecovery(
  files: Files,
  folder: string,
  { segments, snapshots }: Folder,
): Promise<RecoveryPlan> {
  const warnings: string[] = [];
  const damages: string[] = [];
  let snapshot: StateSnapshot | null = null;
  for (const candidate of snapshots.toReversed()) {
    try {
      snapshot = await readSnapshot(files, candidate);
      break;
    } catch (error) {
      if (!(error instanceof DamageError)) throw error;
      damages.push(error.message);
      warnings.push(`${error.message}; the snapshot is left out and older facts are read instead`);
    }
  }
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
  const written = segments.findLast(({ octets }) => octets > 0);
  if (written !== undefined) {
    const octets = await tailOf(files, written);
    if (octets > 0) {
      warnings.push(
        `${written.path}: an unterminated last line of ${octets} octets is dropped; it was never acknowledged`,
      );
    }
  }
  return {
    snapshot,
    segments: segments.slice(Math.max(0, start)),
    reach: snapshots.at(-1)?.seq ?? 0,
    warnings,
  };
}

async function tailOf(files: Files, segment: NumberedFile): Promise<number> {
  let file: OpenFile;
  try {
    file = await files.open(segment.path, 'read');
  } catch (error) {
    throw storeError('read', segment.path, error);
  }
  try {
    return await unterminatedOctets(file, await file.size());
  } catch (error) {
    throw storeError('read', segment.path, error);
  } finally {
    await file.close();
  }
}

const NOWHERE: ChainEnd = { lastSeq: 0, current: null, unterminated: 0, strays: [] };

/** The facts that follow the snapshot, in slices. Throws DamageError at the first place that is not as it was written. */
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
    // A reader that turns away in the middle leaves no file open.
    if (step.done !== true) await chain.return(NOWHERE);
  }
  const end = step.value;
  const newest = end.current;
  if (newest !== null && end.lastSeq < plan.reach) {
    throw new StoreError(
      `${newest.path}: the journal ends with fact ${end.lastSeq}, but there is a snapshot of fact ${plan.reach}; restore the folder from a backup`,
    );
  }
  return end;
}
