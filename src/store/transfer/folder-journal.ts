/** A folder as source or target of a copied journal. */
import { join } from 'node:path';
import type { StateSnapshot } from '../../core/state/state.ts';
import { createAtomically, type Files, realFiles, removeIfThere, storeError, TEMPORARY } from '../files.ts';
import { acquireLock, type Lock } from '../journal/lock.ts';
import { encodeRecord } from '../journal/record.ts';
import { mendLineFeed, planRecovery } from '../journal/recovery.ts';
import { SegmentFile } from '../journal/segment-file.ts';
import {
  DamageError,
  type Folder,
  readChain,
  readFolder,
  segmentName,
  snapshotName,
} from '../journal/segments.ts';
import { encodeSnapshot, readSnapshot } from '../journal/snapshot.ts';
import type { LineGroup } from '../postgres/written-lines.ts';
import { StoreError } from '../store.ts';
import type { JournalSource, JournalTarget } from './copy-journal.ts';

/** Facts in one segment of a copy, as between two snapshots of a daemon. */
const SEGMENT_FACTS = 100_000;

/** Owns and opens a folder. Rejects with StoreError if a daemon runs on it, it has no journal, or it is damaged. */
export async function openFolderSource(folder: string, files: Files = realFiles): Promise<JournalSource> {
  const found = await foundIn(files, folder);
  if (found.segments.length === 0) throw new StoreError(`no journal in ${folder}`);
  const lock = await acquireLock(folder);
  try {
    return await readable(files, folder, () => lock.release());
  } catch (error) {
    await lock.release();
    throw storeError('read the journal in', folder, error);
  }
}

async function foundIn(files: Files, folder: string): Promise<Folder> {
  return readFolder(files, folder).catch((error: unknown) => {
    throw storeError('read the journal in', folder, error);
  });
}

async function readable(files: Files, folder: string, close: () => Promise<void>): Promise<JournalSource> {
  const found = await readFolder(files, folder);
  const plan = await planRecovery(files, folder, found);
  if (plan.lostLineFeed !== undefined) await mendLineFeed(files, plan.lostLineFeed);
  const { segments } = await readFolder(files, folder);
  const base = (segments[0]?.seq ?? 1) - 1;
  const warnings = [...plan.warnings];
  const snapshots = new Map<number, StateSnapshot>();
  for (const one of found.snapshots) {
    if (one.seq < base) continue;
    try {
      snapshots.set(one.seq, (await readSnapshot(files, one)).snapshot);
    } catch (error) {
      // The plan has warned of it, if it is the newest.
      if (!(error instanceof DamageError)) throw error;
    }
  }
  // Read once to know where it ends; what is read is checked.
  const chain = readChain(files, segments);
  let step = await chain.next();
  while (step.done !== true) step = await chain.next();
  const last = Math.max(base, step.value.lastSeq);
  if (last < plan.reach) {
    throw new StoreError(`the journal ends with fact ${last}, but a snapshot exists for fact ${plan.reach}`);
  }
  if (step.value.torn !== undefined) warnings.push(step.value.torn);
  return {
    title: folder,
    base,
    last,
    snapshots: [...snapshots.keys()],
    warnings,
    groups: () => groupsIn(files, folder),
    snapshot: async (seq) => {
      const snapshot = snapshots.get(seq);
      if (snapshot === undefined) throw new StoreError(`${folder} has no snapshot of fact ${seq}`);
      return snapshot;
    },
    close,
  };
}

async function* groupsIn(files: Files, folder: string): AsyncGenerator<LineGroup> {
  const { segments } = await readFolder(files, folder);
  for await (const facts of readChain(files, segments)) {
    const text = facts.map(encodeRecord).join('').slice(0, -1);
    yield { first: facts[0]?.seq ?? 0, count: facts.length, text };
  }
}

/** Owns a folder without a journal, and creates it if it does not exist. Rejects with StoreError if it has one. */
export async function openFolderTarget(folder: string, files: Files = realFiles): Promise<JournalTarget> {
  try {
    await files.makeFolder(folder);
    const lock = await acquireLock(folder);
    const target = new FolderTarget(files, folder, lock);
    const { segments, snapshots, leftovers } = await readFolder(files, folder);
    if (segments.length === 0 && snapshots.length === 0) {
      for (const path of leftovers) await files.remove(path);
      return target;
    }
    await target.close();
  } catch (error) {
    throw storeError('write the journal in', folder, error);
  }
  throw new StoreError(`${folder} has a journal already; copy to an empty folder`);
}

/**
 * Writes files with names that a daemon removes as leftovers, and renames them at the end, the newest first: what a crash
 * leaves is no journal, or lacks only history.
 */
class FolderTarget implements JournalTarget {
  readonly title: string;
  readonly #files: Files;
  readonly #lock: Lock;
  /** Final names, in the order of creation. */
  #names: string[] = [];
  #segment: SegmentFile | undefined;
  #facts = 0;
  #next = 1;

  constructor(files: Files, folder: string, lock: Lock) {
    this.title = folder;
    this.#files = files;
    this.#lock = lock;
  }

  async begin(base: number): Promise<void> {
    this.#next = base + 1;
    await this.#rotate();
  }

  async append({ count, text }: LineGroup): Promise<void> {
    if (this.#facts >= SEGMENT_FACTS) await this.#rotate();
    await this.#segment?.append(Buffer.from(`${text}\n`));
    this.#facts += count;
    this.#next += count;
  }

  async snapshot(snapshot: StateSnapshot): Promise<void> {
    if (this.#facts > 0) await this.#rotate();
    const name = snapshotName(snapshot.seq);
    this.#names.push(name);
    await createAtomically(this.#files, this.title, `${name}${TEMPORARY}`, encodeSnapshot(snapshot));
  }

  async finish(): Promise<void> {
    await this.#segment?.close();
    this.#segment = undefined;
    for (const name of this.#names.splice(0).reverse()) {
      const path = join(this.title, name);
      await this.#files.rename(`${path}${TEMPORARY}`, path);
    }
    await this.#files.syncFolder(this.title);
  }

  reread(): Promise<JournalSource> {
    return readable(this.#files, this.title, async () => undefined);
  }

  async close(): Promise<void> {
    try {
      await this.#segment?.close();
      this.#segment = undefined;
      for (const name of this.#names.splice(0)) {
        await removeIfThere(this.#files, join(this.title, `${name}${TEMPORARY}`));
      }
    } finally {
      await this.#lock.release();
    }
  }

  async #rotate(): Promise<void> {
    await this.#segment?.close();
    const name = segmentName(this.#next);
    const path = join(this.title, `${name}${TEMPORARY}`);
    this.#names.push(name);
    this.#segment = await SegmentFile.create(this.#files, this.title, { name, path, seq: this.#next });
    this.#facts = 0;
  }
}
