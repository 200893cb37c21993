/** Writes snapshots to PostgreSQL piece by piece, between the appends, and removes what no start needs. */
import type { StateSnapshot } from '../../core/state/state.ts';
import { numberOf } from '../../postgres/connection.ts';
import { encodeSnapshot } from '../journal/snapshot.ts';
import { StoreError } from '../store.ts';
import type { JournalSession } from './journal-session.ts';

/** Limits on facts that are kept although a restart does not need them: number, and age of the snapshot after them (ms). */
export interface FactRetention {
  readonly facts: number;
  readonly ageMs: number;
}

export const FACT_RETENTION: FactRetention = { facts: 10_000_000, ageMs: 30 * 24 * 3_600_000 };

/** Facts removed by one statement, so that appends do not wait long. */
const REMOVED_AT_ONCE = 5_000;

/** Writes a snapshot completely or not at all: an incomplete one is never read. */
export async function storeSnapshot(session: JournalSession, snapshot: StateSnapshot): Promise<void> {
  const { connection, row } = session;
  const { rows } = await connection.query(
    `INSERT INTO prefixd.snapshot (journal, seq, state) VALUES ($1, $2, 'writing') RETURNING id`,
    [row.id, snapshot.seq],
  );
  const id = numberOf(rows[0], 'id');
  let number = 0;
  for await (const piece of encodeSnapshot(snapshot)) {
    await connection.query(
      'INSERT INTO prefixd.snapshot_part (snapshot, number, body) VALUES ($1, $2, $3)',
      [id, ++number, Buffer.from(piece).toString('utf8')],
      { name: 'snapshot_part' },
    );
  }
  const { count } = await connection.query(
    `WITH owner AS MATERIALIZED (
       SELECT id FROM prefixd.journal WHERE id = $1 AND epoch = $2 AND writer = $3 FOR SHARE)
     UPDATE prefixd.snapshot SET state = 'complete', taken_at = now() FROM owner WHERE snapshot.id = $4`,
    [row.id, row.epoch, row.writer, id],
  );
  if (count === 0) throw new StoreError('another daemon has taken the journal; the snapshot is not kept');
}

/** Removes snapshots that were not completed, after a crash. */
export async function removeIncomplete({ connection, row }: JournalSession): Promise<void> {
  await connection.query(`DELETE FROM prefixd.snapshot WHERE journal = $1 AND state = 'writing'`, [row.id]);
}

/**
 * Keeps two snapshots, in case one is damaged, and removes the facts that both of them contain beyond the retention.
 * `newest` is the number of the newest fact.
 */
export async function applyRetention(
  session: JournalSession,
  newest: number,
  retention: FactRetention,
): Promise<void> {
  const { connection, row } = session;
  await connection.query(
    `WITH old AS (
       UPDATE prefixd.snapshot SET state = 'milestone'
        WHERE journal = $1 AND state = 'complete' AND id NOT IN (
          SELECT id FROM prefixd.snapshot WHERE journal = $1 AND state = 'complete' ORDER BY id DESC LIMIT 2)
       RETURNING id)
     DELETE FROM prefixd.snapshot_part USING old WHERE snapshot = old.id`,
    [row.id],
  );
  const { rows } = await connection.query(
    `WITH kept AS (
       SELECT min(seq) AS fallback, count(*) AS snapshots
         FROM prefixd.snapshot WHERE journal = $1 AND state = 'complete')
     SELECT CASE WHEN kept.snapshots < 2 THEN 0 ELSE least(kept.fallback, greatest($2::bigint, (
              SELECT max(seq) FROM prefixd.snapshot
               WHERE journal = $1 AND state <> 'writing'
                 AND taken_at < now() - $3 * interval '1 millisecond'))) END AS cut
       FROM kept`,
    [row.id, Math.max(0, newest - retention.facts), retention.ageMs],
  );
  await removeFacts(session, numberOf(rows[0], 'cut'));
  await connection.query(
    `DELETE FROM prefixd.snapshot USING prefixd.journal
      WHERE journal.id = $1 AND snapshot.journal = $1 AND state = 'milestone' AND seq <= base`,
    [row.id],
  );
}

/** Removes the facts up to `cut`, oldest first; `base` says in the same statement that they are gone. */
async function removeFacts({ connection, row }: JournalSession, cut: number): Promise<void> {
  const { rows } = await connection.query('SELECT base FROM prefixd.journal WHERE id = $1', [row.id]);
  for (let base = numberOf(rows[0], 'base'); base < cut; ) {
    base = Math.min(cut, base + REMOVED_AT_ONCE);
    const { rows: removed } = await connection.query(
      `WITH owner AS (
         UPDATE prefixd.journal SET base = $4
          WHERE id = $1 AND epoch = $2 AND writer = $3 AND base < $4 RETURNING id),
       gone AS (DELETE FROM prefixd.fact USING owner WHERE fact.journal = owner.id AND seq <= $4)
       SELECT count(*) AS owners FROM owner`,
      [row.id, row.epoch, row.writer, base],
      { name: 'remove_facts' },
    );
    if (numberOf(removed[0], 'owners') === 0) return;
  }
}
