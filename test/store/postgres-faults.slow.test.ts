/** A journal in PostgreSQL behind a connection that is cut, silent and slow, and a server that crashes. */
import assert from 'node:assert/strict';
import { describe, test, type TestContext } from 'node:test';
import { PostgresJournal, type PostgresJournalOptions } from '../../src/store/postgres/postgres-journal.ts';
import { StoreError } from '../../src/store/store.ts';
import { until } from '../support/children.ts';
import { PostgresProxy } from '../support/postgres-proxy.ts';
import { missingPostgres } from '../support/postgres-server.ts';
import { undo } from '../support/undo.ts';
import { journalOf, sharedPostgres } from './postgres-support.ts';
import { fact, facts, openAndRead } from './support.ts';

describe('a journal in PostgreSQL', { skip: missingPostgres() }, () => {
  const postgres = sharedPostgres();

  async function behindProxy(
    t: TestContext,
    options: Partial<PostgresJournalOptions> = {},
  ): Promise<{ readonly proxy: PostgresProxy; readonly journal: PostgresJournal; readonly name: string }> {
    const proxy = await PostgresProxy.start(postgres.server().socket);
    undo(t, () => proxy.close());
    const name = postgres.newName();
    const journal = journalOf(t, { url: postgres.server().url(proxy.at), name, ...options });
    await openAndRead(journal);
    return { proxy, journal, name };
  }

  /** All facts, as the next daemon finds them. */
  async function found(name: string): Promise<readonly unknown[]> {
    const next = new PostgresJournal({ url: postgres.server().url(), name });
    try {
      return (await openAndRead(next)).facts;
    } finally {
      await next.close();
    }
  }

  test('finds a commit whose answer was lost', async (t) => {
    const { proxy, journal, name } = await behindProxy(t);
    await journal.append(facts(1, 2));
    const swallowed = proxy.swallowAnswer(/^INSERT/);
    await journal.append(facts(3, 4));
    assert.equal(await swallowed, 'INSERT 0 2');
    assert.equal(journal.counts.found, 1);
    await journal.append([fact(5)]);
    await journal.close();
    assert.deepEqual(await found(name), facts(1, 5));
  });

  test('inserts again what was cut before it was committed', async (t) => {
    const { proxy, journal, name } = await behindProxy(t);
    await journal.append([fact(1)]);
    proxy.cutAfter(20);
    await journal.append([fact(2)]);
    assert.equal(journal.counts.repeated, 1);
    await journal.close();
    assert.deepEqual(await found(name), facts(1, 2));
  });

  test('refuses a commit whose answer was lost when the database stays away, and removes it before the next append', async (t) => {
    const { proxy, journal, name } = await behindProxy(t, { deadlines: { resolveMs: 500 } });
    await journal.append([fact(1)]);
    const swallowed = proxy.swallowAnswer(/^INSERT/);
    const refused = journal.append([fact(2, ' refused')]);
    proxy.mode = 'refuse';
    await assert.rejects(refused, StoreError);
    await swallowed;
    assert.equal(
      await postgres
        .server()
        .sql(`SELECT count(*) FROM prefixd.fact JOIN prefixd.journal ON id = journal WHERE name = '${name}'`),
      '2',
      'the refused fact was committed',
    );
    assert.equal(journal.counts.refused, 1);
    proxy.mode = 'pass';
    await until('the journal works again', () => journal.trouble === undefined);
    await journal.append([fact(2, ' accepted')]);
    await journal.close();
    assert.deepEqual(await found(name), [fact(1), fact(2, ' accepted')]);
  });

  test('removes a refused fact at closing, although no append follows', async (t) => {
    const { proxy, journal, name } = await behindProxy(t, { deadlines: { resolveMs: 500 } });
    const swallowed = proxy.swallowAnswer(/^INSERT/);
    const refused = journal.append([fact(1)]);
    proxy.mode = 'refuse';
    await assert.rejects(refused, StoreError);
    await swallowed;
    proxy.mode = 'pass';
    await journal.close();
    assert.deepEqual(await found(name), []);
  });

  test('says at closing which facts the next start would take for its own', async (t) => {
    const notices: string[] = [];
    const { proxy, journal } = await behindProxy(t, {
      deadlines: { resolveMs: 300, connectMs: 300 },
      onNotice: (text) => notices.push(text),
    });
    const swallowed = proxy.swallowAnswer(/^INSERT/);
    const refused = journal.append([fact(1)]);
    proxy.mode = 'refuse';
    await assert.rejects(refused, StoreError);
    await swallowed;
    await journal.close();
    assert.match(notices.at(-1) ?? '', /facts after 0 were refused, but the database may have them/);
  });

  test('refuses at once while the database is known to be away', async (t) => {
    const { proxy, journal } = await behindProxy(t, { deadlines: { resolveMs: 600_000 } });
    proxy.mode = 'refuse';
    proxy.reset();
    await until('the loss is known', () => journal.trouble !== undefined);
    await assert.rejects(journal.append([fact(1)]), /cannot connect to PostgreSQL at 127\.0\.0\.1/);
    assert.match(journal.trouble?.text ?? '', /cannot connect/);
    proxy.mode = 'pass';
    await until('the journal works again', () => journal.trouble === undefined);
    await journal.append([fact(1)]);
  });

  test('notices a connection that has gone silent, without an append', async (t) => {
    const { proxy, journal } = await behindProxy(t, { deadlines: { heartbeatMs: 50, statementMs: 200 } });
    await journal.append([fact(1)]);
    proxy.mode = 'silent';
    const text = await until('the silence is noticed', () => journal.trouble?.text);
    assert.match(text, /did not answer within 0\.2 s/);
    proxy.mode = 'pass';
    await until('the journal works again', () => journal.trouble === undefined);
    await journal.append([fact(2)]);
  });

  test('refuses within its deadline while the connection is silent, and works again after it', async (t) => {
    const { proxy, journal, name } = await behindProxy(t, {
      deadlines: { resolveMs: 600, statementMs: 200, connectMs: 200 },
    });
    await journal.append([fact(1)]);
    proxy.mode = 'silent';
    const from = performance.now();
    await assert.rejects(journal.append([fact(2, ' refused')]), StoreError);
    assert.ok(performance.now() - from >= 200);
    proxy.mode = 'pass';
    await until('the journal works again', () => journal.trouble === undefined);
    await journal.append([fact(2)]);
    await journal.close();
    assert.deepEqual(await found(name), facts(1, 2));
  });

  test('waits for an answer that is slow', async (t) => {
    const { proxy, journal } = await behindProxy(t);
    proxy.delayMs = 300;
    await journal.append([fact(1)]);
    assert.deepEqual(journal.counts, { reconnects: 0, found: 0, repeated: 0, refused: 0, rewritten: 0 });
  });

  test('keeps a statement that waits in the server from being committed later', async (t) => {
    const { journal, name } = await behindProxy(t, { deadlines: { resolveMs: 800, statementMs: 300 } });
    await journal.append([fact(1)]);
    // Another session holds the owner's row, so that the insert waits in the server beyond its deadline.
    const held = postgres
      .server()
      .sql(
        `BEGIN; SELECT FROM prefixd.journal WHERE name = '${name}' FOR UPDATE; SELECT pg_sleep(2); COMMIT`,
      );
    await until('the row is held', async () => {
      const waits = await postgres
        .server()
        .sql(
          "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(2)%' AND wait_event = 'PgSleep'",
        );
      return waits === '1';
    });
    await assert.rejects(journal.append([fact(2, ' refused')]), StoreError);
    await held;
    await until('the journal works again', () => journal.trouble === undefined);
    await journal.append([fact(2)]);
    await journal.close();
    assert.deepEqual(await found(name), facts(1, 2));
  });

  test('survives a crash of the server: what was acknowledged is there, what was refused is not', async (t) => {
    const { journal, name } = await behindProxy(t);
    const server = postgres.server();
    const acknowledged: unknown[] = [];
    let next = 1;
    let crashed: Promise<void> | undefined;
    while (next <= 400) {
      const one = fact(next, ` try ${acknowledged.length}`);
      if (next === 150) crashed ??= server.stop('SIGKILL').then(() => server.start());
      await journal.append([one]).then(
        () => {
          acknowledged.push(one);
          next++;
        },
        (error: unknown) => assert.ok(error instanceof StoreError, String(error)),
      );
    }
    await crashed;
    await journal.close();
    assert.deepEqual(await found(name), acknowledged);
  });

  test('has one owner: a second daemon is refused and told who has it', async (t) => {
    const { name } = await behindProxy(t, { owner: 'process 7 on edge1' });
    const second = journalOf(t, { url: postgres.server().url(), name, deadlines: { lockMs: 200 } });
    await assert.rejects(second.open(), /in use by process 7 on edge1, since 20\d\d-/);
  });

  test('is fenced for good once another daemon has opened it, and names that one', async (t) => {
    const { proxy, journal, name } = await behindProxy(t, { deadlines: { heartbeatMs: 50 } });
    await journal.append([fact(1)]);
    proxy.mode = 'silent';
    // Its host seems to be gone: the server has ended the session.
    await postgres
      .server()
      .sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'prefixd/%'");
    const second = journalOf(t, { url: postgres.server().url(), name, owner: 'process 8 on edge2' });
    await openAndRead(second);
    await second.append([fact(2, ' second')]);
    proxy.mode = 'pass';
    proxy.reset();
    const text = await until('it is fenced', () =>
      journal.trouble?.text.includes('epoch') ? journal.trouble.text : undefined,
    );
    assert.match(text, /another daemon has taken the journal .* process 8 on edge2, at 20.* \(epoch 2\)/);
    await assert.rejects(journal.append([fact(2)]), /another daemon has taken/);
    await second.close();
    await assert.rejects(journal.append([fact(2)]), /another daemon has taken/);
    assert.deepEqual(await found(name), [fact(1), fact(2, ' second')]);
  });

  test('inserts nothing under an epoch that is over, although its connection is sound', async (t) => {
    const { journal, name } = await behindProxy(t);
    await journal.append([fact(1)]);
    await postgres
      .server()
      .sql(
        `UPDATE prefixd.journal SET epoch = epoch + 1, writer = 'x', owner = 'edge3' WHERE name = '${name}'`,
      );
    await assert.rejects(journal.append([fact(2)]), /another daemon has taken .*edge3/);
    assert.deepEqual(await found(name), [fact(1)]);
  });

  test('does not remove facts that it has not written', async (t) => {
    const { proxy, journal, name } = await behindProxy(t);
    await journal.append([fact(1)]);
    await postgres
      .server()
      .sql(
        `INSERT INTO prefixd.fact SELECT id, 2, epoch, 'by hand' FROM prefixd.journal WHERE name = '${name}'`,
      );
    proxy.reset();
    const text = await until('it is noticed', () =>
      journal.trouble?.text.includes('ends') ? journal.trouble.text : undefined,
    );
    assert.match(text, /ends with fact 2, but this daemon has written none after 1/);
    await assert.rejects(journal.append([fact(2)]), StoreError);
  });
});
