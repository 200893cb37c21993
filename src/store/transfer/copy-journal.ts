/** Copies a journal from one place to another, whatever holds it, and compares the copy with the original. */
import { createHash, type Hash } from 'node:crypto';
import type { StateSnapshot } from '../../core/state/state.ts';
import { storeError } from '../files.ts';
import { encodeSnapshot } from '../journal/snapshot.ts';
import type { LineGroup } from '../postgres/written-lines.ts';
import { StoreError } from '../store.ts';

/** A journal that is owned, so that no daemon writes it, and read. */
export interface JournalSource {
  /** For people: a folder, or a journal in a database. */
  readonly title: string;
  /** The facts base + 1 to `last` are there. */
  readonly base: number;
  readonly last: number;
  /** Numbers of the facts of the intact snapshots, ascending. */
  readonly snapshots: readonly number[];
  /** Found while it was opened. */
  readonly warnings: readonly string[];
  /** Yields all facts' lines in order, each checked. Throws StoreError. */
  groups(): AsyncIterable<LineGroup>;
  snapshot(seq: number): Promise<StateSnapshot>;
  /** Releases it. */
  close(): Promise<void>;
}

/** An empty place that becomes a journal: completely, or not at all. */
export interface JournalTarget {
  readonly title: string;
  /** Called first: facts up to `base` are missing. */
  begin(base: number): Promise<void>;
  append(group: LineGroup): Promise<void>;
  /** `snapshot` is of the last fact that was appended. */
  snapshot(snapshot: StateSnapshot): Promise<void>;
  /** Makes the journal valid. It is durable when this resolves. */
  finish(): Promise<void>;
  /** Opens what was written, to compare it. */
  reread(): Promise<JournalSource>;
  /** Releases it, and removes an unfinished one. */
  close(): Promise<void>;
}

export interface CopyReport {
  readonly from: string;
  readonly to: string;
  readonly facts: number;
  /** 0 if there are no facts. */
  readonly firstSeq: number;
  readonly lastSeq: number;
  readonly snapshots: number;
  /** SHA-256 of the facts' lines. */
  readonly sha256: string;
  readonly warnings: readonly string[];
}

/** Called with the number of facts copied so far, and of all. */
export type OnCopied = (facts: number, all: number) => void;

/**
 * Copies all facts that are kept and all intact snapshots, reads the copy and compares both. Rejects with StoreError if
 * anything differs.
 */
export async function copyJournal(
  source: JournalSource,
  target: JournalTarget,
  onCopied: OnCopied = () => undefined,
): Promise<CopyReport> {
  try {
    return await copyAll(source, target, onCopied);
  } catch (error) {
    throw storeError('copy', `${source.title} to ${target.title}`, error);
  }
}

async function copyAll(
  source: JournalSource,
  target: JournalTarget,
  onCopied: OnCopied,
): Promise<CopyReport> {
  const { base, last } = source;
  const sums = new JournalSums();
  const snapshots = [...source.snapshots];
  let done = base;
  const copySnapshots = async (): Promise<void> => {
    while (snapshots[0] === done) {
      const snapshot = await source.snapshot(done);
      await sums.addSnapshot(snapshot);
      await target.snapshot(snapshot);
      snapshots.shift();
    }
  };
  await target.begin(base);
  await copySnapshots();
  for await (const group of source.groups()) {
    for (const part of splitAt(group, snapshots)) {
      sums.addLines(part);
      await target.append(part);
      done += part.count;
      await copySnapshots();
    }
    onCopied(done - base, last - base);
  }
  if (done !== last || snapshots.length > 0) {
    throw new StoreError(`${source.title} ended with fact ${done} while it was being copied, not ${last}`);
  }
  await target.finish();
  const expected = sums.result();
  const found = await sumsOf(target);
  if (found.base !== base || found.facts !== expected.facts || found.snapshots !== expected.snapshots) {
    throw new StoreError(`${target.title} does not have what ${source.title} has; remove it and copy again`);
  }
  const facts = last - base;
  return {
    from: source.title,
    to: target.title,
    facts,
    firstSeq: facts === 0 ? 0 : base + 1,
    lastSeq: facts === 0 ? 0 : last,
    snapshots: source.snapshots.length,
    sha256: expected.facts,
    warnings: source.warnings,
  };
}

async function sumsOf(target: JournalTarget): Promise<{
  readonly base: number;
  readonly facts: string;
  readonly snapshots: string;
}> {
  const copy = await target.reread();
  const sums = new JournalSums();
  for await (const group of copy.groups()) sums.addLines(group);
  for (const seq of copy.snapshots) await sums.addSnapshot(await copy.snapshot(seq));
  return { base: copy.base, ...sums.result() };
}

/** Sums of what a journal holds, which do not depend on how it is cut. */
class JournalSums {
  readonly #facts: Hash = createHash('sha256');
  readonly #snapshots: Hash = createHash('sha256');

  addLines({ text }: LineGroup): void {
    this.#facts.update(`${text}\n`);
  }

  async addSnapshot(snapshot: StateSnapshot): Promise<void> {
    for await (const piece of encodeSnapshot(snapshot)) this.#snapshots.update(piece);
  }

  result(): { readonly facts: string; readonly snapshots: string } {
    return { facts: this.#facts.digest('hex'), snapshots: this.#snapshots.digest('hex') };
  }
}

/** Cuts a group behind each of these facts, so that snapshots can be written between. */
function splitAt(group: LineGroup, seqs: readonly number[]): readonly LineGroup[] {
  const { first, count } = group;
  const cuts = seqs.filter((seq) => seq >= first && seq < first + count - 1);
  if (cuts.length === 0) return [group];
  const lines = group.text.split('\n');
  const starts = [first, ...cuts.map((seq) => seq + 1)];
  return starts.map((start, i) => {
    const part = lines.slice(start - first, (starts[i + 1] ?? first + count) - first);
    return { first: start, count: part.length, text: part.join('\n') };
  });
}
