/**
 * Brings the facts in the database and those that a daemon has acknowledged together, after a connection was lost: facts
 * whose commit was not answered, facts that were refused, and facts that a failover has lost.
 */
import { StoreError } from '../store.ts';
import type { JournalSession } from './journal-session.ts';
import type { LineGroup, WrittenLines } from './written-lines.ts';

/** What the daemon knows. */
export interface KnownWrites {
  /** Number of the last fact that was acknowledged. */
  readonly durableSeq: number;
  /** Number of the newest fact that was refused without an answer of the database; 0 if there is none. */
  readonly refusedSeq: number;
  /** Facts whose commit was not answered, and which may still be acknowledged. */
  readonly doubtful: LineGroup | undefined;
  /** The newest acknowledged facts. */
  readonly written: WrittenLines;
}

/** What was found and done. */
export interface SettledWrites {
  /** True if the doubtful facts are in the database. */
  readonly doubtfulIsThere: boolean;
  /** Acknowledged facts that were lost and have been written again; 0 if there were none. */
  readonly rewritten: number;
}

/**
 * Settles within a session that has claimed the journal, so that no earlier statement can interfere. Rejects with
 * StoreError, which names the facts, if facts are lost that are not in memory any more.
 */
export async function settleWrites(
  session: JournalSession,
  known: KnownWrites,
  deadlineMs: number,
): Promise<SettledWrites> {
  const { durableSeq, refusedSeq, doubtful, written } = known;
  const newest = await session.newest();
  if (newest > durableSeq) {
    const possible = Math.max(refusedSeq, doubtful === undefined ? 0 : doubtful.first + doubtful.count - 1);
    if (newest > possible) {
      throw new StoreError(
        `the database ends with fact ${newest}, but this daemon has written none after ${Math.max(possible, durableSeq)}; something else writes this journal`,
      );
    }
    const isThere = doubtful !== undefined && (await holdsExactly(session, newest, doubtful));
    if (!isThere) await session.removeAfter(durableSeq);
    return { doubtfulIsThere: isThere, rewritten: 0 };
  }
  if (newest === durableSeq) return { doubtfulIsThere: false, rewritten: 0 };
  await rewrite(session, newest, durableSeq, written, deadlineMs);
  return { doubtfulIsThere: false, rewritten: durableSeq - newest };
}

async function holdsExactly(session: JournalSession, newest: number, group: LineGroup): Promise<boolean> {
  if (newest !== group.first + group.count - 1) return false;
  return (await session.lines(group.first, group.count)) === group.text;
}

/** Writes the acknowledged facts after `newest` again. */
async function rewrite(
  session: JournalSession,
  newest: number,
  durableSeq: number,
  written: WrittenLines,
  deadlineMs: number,
): Promise<void> {
  const lost = `the database has lost facts: it ends with fact ${newest}, but the facts up to ${durableSeq} were acknowledged`;
  const groups = written.from(newest + 1);
  if (groups === undefined) {
    const until = written.first === undefined ? durableSeq : written.first - 1;
    throw new StoreError(
      `${lost}, and ${newest + 1} to ${until} are not in memory any more; let the URL name the server that has them, or restore it`,
    );
  }
  const before = written.from(newest)?.[0]?.text.split('\n', 1)[0];
  if (before !== undefined && (await session.lines(newest, 1)) !== before) {
    throw new StoreError(`${lost}, and fact ${newest} is another one there; this is not the same journal`);
  }
  for (const { first, text } of groups) {
    if (!(await session.append(first - 1, text, deadlineMs))) {
      throw new StoreError(`${lost}; fact ${first} could not be written again`);
    }
  }
}
