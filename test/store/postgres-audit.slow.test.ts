/** An audit log in PostgreSQL. */
import assert from 'node:assert/strict';
import { describe, test, type TestContext } from 'node:test';
import { AuditLog } from '../../src/store/audit/audit.ts';
import { PostgresAudit } from '../../src/store/postgres/postgres-audit.ts';
import type { StoreError } from '../../src/store/store.ts';
import { until } from '../support/children.ts';
import { PostgresProxy } from '../support/postgres-proxy.ts';
import { missingPostgres } from '../support/postgres-server.ts';
import { undo } from '../support/undo.ts';
import { journalOf, SHORT, sharedPostgres } from './postgres-support.ts';
import { fact, facts, openAndRead } from './support.ts';

const ada = { kind: 'operator', name: 'ada' } as const;

describe('an audit log in PostgreSQL', { skip: missingPostgres() }, () => {
  const postgres = sharedPostgres();

  async function opened(t: TestContext, name = postgres.newName()) {
    const proxy = await PostgresProxy.start(postgres.server().socket);
    undo(t, () => proxy.close());
    const journal = journalOf(t, { url: postgres.server().url(), name });
    await openAndRead(journal);
    const options = {
      url: postgres.server().url(proxy.at),
      journal: journal.claimed,
      deadlines: SHORT,
      clock: () => 1_000,
    };
    const storage = await PostgresAudit.open(options);
    undo(t, () => storage.close());
    const errors: StoreError[] = [];
    const log = new AuditLog(storage, { clock: () => 1_000, onError: (error) => errors.push(error) });
    return { proxy, journal, log, name, storage, errors };
  }

  const seqs = async (log: AuditLog): Promise<readonly (number | null)[]> =>
    (await log.newest(100)).map(({ seq }) => seq);

  test('returns the newest entries first, whatever their text, and goes on after a restart', async (t) => {
    const { log, journal, name, storage } = await opened(t);
    log.record([fact(1), fact(2, '\0\ud83d\ude80\n"')]);
    log.recordAction({ type: 'config.printed', at: 5, actor: ada, target: 'x', reason: 'why' });
    assert.deepEqual(await seqs(log), [null, 2, 1]);
    const [, second] = await log.newest(2);
    assert.match(second?.reason ?? '', /\0\ud83d\ude80\n"/);
    await log.close();
    await journal.close();
    await storage.close();
    const next = await opened(t, name);
    assert.equal(next.log.lastSeq, 2);
    next.log.record([fact(2), fact(3)]);
    assert.deepEqual(await seqs(next.log), [3, null, 2, 1]);
    assert.equal(await next.log.outlived(2, fact(2).at), true);
    assert.equal(await next.log.outlived(3, fact(3).at), false);
  });

  test('has each entry once, although the answer to writing it was lost', async (t) => {
    const { log, proxy, errors } = await opened(t);
    log.record([fact(1)]);
    log.recordAction({ type: 'config.printed', at: 5, actor: ada, target: 'x', reason: 'why' });
    await log.flush();
    const swallowed = proxy.swallowAnswer(/^SELECT/);
    log.record([fact(2)]);
    log.recordAction({ type: 'config.printed', at: 6, actor: ada, target: 'y', reason: 'why' });
    await log.flush();
    await swallowed;
    assert.equal(errors.length, 1);
    log.record([fact(3)]);
    assert.deepEqual(await seqs(log), [3, null, 2, null, 1]);
  });

  test('keeps what cannot be written while the database is away', async (t) => {
    const { log, proxy, errors } = await opened(t);
    proxy.mode = 'refuse';
    proxy.reset();
    await until('writing fails', async () => {
      log.record([fact(log.lastSeq + 1)]);
      await log.flush();
      return errors.length > 0;
    });
    assert.match(log.condition.failure?.message ?? '', /the audit log of the journal "j\d+": /);
    proxy.mode = 'pass';
    const last = log.lastSeq + 1;
    log.record([fact(last)]);
    assert.deepEqual(
      await seqs(log),
      facts(1, last)
        .map(({ seq }) => seq)
        .reverse(),
    );
  });

  test('writes nothing once another daemon has the journal', async (t) => {
    const { log, journal, name, errors } = await opened(t);
    await journal.close();
    const second = journalOf(t, { url: postgres.server().url(), name });
    await openAndRead(second);
    log.record([fact(1)]);
    await log.flush();
    assert.match(errors[0]?.message ?? '', /another daemon has taken the journal/);
  });
});
