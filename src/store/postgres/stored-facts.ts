/** Reads a journal's facts and snapshots from PostgreSQL. */
import type { RecordedFact } from '../../core/facts.ts';
import type { StateSnapshot } from '../../core/state/state.ts';
import { numberOf, type PostgresConnection, textOf } from '../../postgres/connection.ts';
import { decodeRecords } from '../journal/record.ts';
import { DamageError } from '../journal/segments.ts';
import { decodeSnapshot } from '../journal/snapshot.ts';
import { StoreError } from '../store.ts';

/** Facts in one slice. */
const SLICE = 1_000;
/** Time limit for one slice, or one piece of a snapshot (ms). */
const READ_MS = 60_000;

/** Facts as they were read, and their lines. */
export interface FactSlice {
  readonly facts: readonly RecordedFact[];
  /** Joined by line feeds. */
  readonly text: string;
}

/** What is read: a connection, a journal's id, and its name in errors. */
export interface StoredJournal {
  readonly connection: PostgresConnection;
  readonly id: number;
  /** `the journal "ams1"`. */
  readonly title: string;
}

/** Yields the facts after `after` up to `last`, in order. Throws DamageError at the first damage or gap. */
export async function* readFacts(
  { connection, id, title }: StoredJournal,
  after: number,
  last: number,
): AsyncGenerator<FactSlice> {
  const read = async (from: number): Promise<string> => {
    const { rows } = await connection.query(
      'SELECT body FROM prefixd.fact WHERE journal = $1 AND seq > $2 AND seq <= $3 ORDER BY seq LIMIT $4',
      [id, from, last, SLICE],
      { name: 'facts', deadlineMs: READ_MS },
    );
    return rows.map((row) => textOf(row, 'body')).join('\n');
  };
  let done = after;
  while (done < last) {
    const text = await read(done);
    const facts = text === '' ? [] : decodeRecords(Buffer.from(`${text}\n`));
    if ('detail' in facts) throw new DamageError(`${title}, fact ${done + facts.line + 1}`, 0, facts.detail);
    for (const { seq } of facts) {
      if (seq !== ++done) throw new DamageError(title, 0, `found fact ${seq}, but expected fact ${done}`);
    }
    if (facts.length === 0) {
      throw new DamageError(title, 0, `fact ${done + 1} is missing, but fact ${last} exists`);
    }
    yield { facts, text };
  }
}

/** A snapshot in the database. */
export interface StoredSnapshot {
  readonly id: number;
  readonly seq: number;
}

/** Lists the complete snapshots, newest first. */
export async function listSnapshots({ connection, id }: StoredJournal): Promise<readonly StoredSnapshot[]> {
  const { rows } = await connection.query(
    `SELECT id, seq FROM prefixd.snapshot WHERE journal = $1 AND state = 'complete' ORDER BY id DESC`,
    [id],
  );
  return rows.map((row) => ({ id: numberOf(row, 'id'), seq: numberOf(row, 'seq') }));
}

/** Reads a snapshot. Throws DamageError if it is damaged. */
export function readStoredSnapshot(
  journal: StoredJournal,
  { id, seq }: StoredSnapshot,
): Promise<StateSnapshot> {
  return decodeSnapshot(`${journal.title}, snapshot of fact ${seq}`, seq, piecesOf(journal, id));
}

async function* piecesOf({ connection }: StoredJournal, snapshot: number): AsyncGenerator<Buffer> {
  for (let number = 1; ; number++) {
    const { rows } = await connection.query(
      'SELECT body FROM prefixd.snapshot_part WHERE snapshot = $1 AND number = $2',
      [snapshot, number],
      { deadlineMs: READ_MS },
    );
    if (rows[0] === undefined) return;
    yield Buffer.from(textOf(rows[0], 'body'));
  }
}

/** The snapshot that a start begins with, and what was noticed. */
export interface ChosenSnapshot {
  readonly snapshot: StateSnapshot | undefined;
  readonly warnings: readonly string[];
}

/**
 * Chooses the newest intact snapshot. Skips a damaged one with a warning if an older one, or none, still has all the
 * facts after it; otherwise rejects with StoreError. The facts after `base`, up to `last`, are there.
 */
export async function chooseSnapshot(
  journal: StoredJournal,
  base: number,
  last: number,
): Promise<ChosenSnapshot> {
  const stored = await listSnapshots(journal);
  const newest = stored[0]?.seq ?? 0;
  if (newest > last) {
    throw new StoreError(
      `${journal.title} ends with fact ${last}, but a snapshot exists for fact ${newest}; restore the database from a backup`,
    );
  }
  const warnings: string[] = [];
  for (const one of stored.filter(({ seq }) => seq >= base)) {
    try {
      return { snapshot: await readStoredSnapshot(journal, one), warnings };
    } catch (error) {
      if (!(error instanceof DamageError)) throw error;
      warnings.push(`${error.message}; this snapshot is skipped and older facts are read instead`);
    }
  }
  if (base > 0) {
    const why = warnings.length === 0 ? 'no snapshot replaces them' : warnings.join('; ');
    throw new StoreError(
      `${journal.title}: the facts 1 to ${base} are missing and ${why}; restore the database from a backup`,
    );
  }
  return { snapshot: undefined, warnings };
}
