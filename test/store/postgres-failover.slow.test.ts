/** A journal in PostgreSQL whose standby takes over without the newest facts. */
import assert from 'node:assert/strict';
import { describe, test, type TestContext } from 'node:test';
import type { PostgresJournal, PostgresJournalOptions } from '../../src/store/postgres/postgres-journal.ts';
import { StoreError } from '../../src/store/store.ts';
import { until } from '../support/children.ts';
import { PostgresProxy } from '../support/postgres-proxy.ts';
import { missingPostgres, type PostgresStandby, startPostgres } from '../support/postgres-server.ts';
import { undo } from '../support/undo.ts';
import { journalOf } from './postgres-support.ts';
import { fact, facts, openAndRead } from './support.ts';

describe('a journal in PostgreSQL after a failover', { skip: missingPostgres() }, () => {
  /** The journal with facts 1 to 10 on both servers, and 11 to 20 on the primary alone, which has crashed. */
  async function failover(
    t: TestContext,
    options: Partial<PostgresJournalOptions> = {},
    between: (standby: PostgresStandby) => Promise<unknown> = async () => undefined,
  ): Promise<{
    readonly journal: PostgresJournal;
    readonly standby: PostgresStandby;
    readonly notices: readonly string[];
  }> {
    const primary = await startPostgres();
    undo(t, () => primary.remove());
    const proxy = await PostgresProxy.start(primary.socket);
    undo(t, () => proxy.close());
    const notices: string[] = [];
    const journal = journalOf(t, {
      url: primary.url(proxy.at),
      name: 'ams1',
      onNotice: (text) => notices.push(text),
      ...options,
    });
    await openAndRead(journal);
    await journal.append(facts(1, 10));
    const standby = await primary.standby();
    undo(t, () => standby.remove());
    await until(
      'the standby has the facts',
      async () => (await standby.sql('SELECT count(*) FROM prefixd.fact')) === '10',
    );
    await standby.stop();
    await journal.append(facts(11, 15));
    await journal.append(facts(16, 20));
    await primary.stop('SIGKILL');
    await standby.start();
    await standby.promote();
    await between(standby);
    proxy.target = standby.socket;
    proxy.reset();
    return { journal, standby, notices };
  }

  async function found(standby: PostgresStandby, t: TestContext): Promise<readonly unknown[]> {
    const next = journalOf(t, { url: standby.url(), name: 'ams1' });
    return (await openAndRead(next)).facts;
  }

  test('writes the facts that were lost again from memory', async (t) => {
    const { journal, standby, notices } = await failover(t);
    await until(
      'the journal works again',
      () => journal.trouble === undefined && journal.counts.reconnects > 0,
    );
    assert.equal(journal.counts.rewritten, 10);
    assert.match(
      notices.join('\n'),
      /had lost the facts 11 to 20, which were acknowledged; they were written again/,
    );
    await journal.append([fact(21)]);
    await journal.close();
    assert.deepEqual(await found(standby, t), facts(1, 21));
  });

  test('refuses to write when some of them are not in memory any more, and names them', async (t) => {
    const { journal, standby } = await failover(t, { written: { facts: 6, characters: 1 << 20 } });
    const text = await until('the loss is noticed', () =>
      journal.trouble?.text.includes('lost') ? journal.trouble.text : undefined,
    );
    assert.match(
      text,
      /has lost facts: it ends with fact 10, but the facts up to 20 were acknowledged, and 11 to 15 are not in memory any more/,
    );
    await assert.rejects(journal.append([fact(21)]), StoreError);
    await journal.close();
    assert.deepEqual(await found(standby, t), facts(1, 10));
  });

  test('does not mistake another history for its own', async (t) => {
    const { journal } = await failover(t, {}, (standby) =>
      standby.sql("UPDATE prefixd.fact SET body = replace(body, 'n10', 'other') WHERE seq = 10"),
    );
    const text = await until('the difference is noticed', () =>
      journal.trouble?.text.includes('another') ? journal.trouble.text : undefined,
    );
    assert.match(text, /fact 10 is another one there; this is not the same journal/);
    await assert.rejects(journal.append([fact(21)]), StoreError);
  });

  test('is fenced by a daemon that opened the journal on the new primary', async (t) => {
    let second: PostgresJournal | undefined;
    const { journal } = await failover(t, {}, async (standby) => {
      second = journalOf(t, { url: standby.url(), name: 'ams1', owner: 'process 8 on edge2' });
      await openAndRead(second);
      await second.append([fact(11, ' second')]);
    });
    const text = await until('it is fenced', () =>
      journal.trouble?.text.includes('epoch') ? journal.trouble.text : undefined,
    );
    assert.match(text, /another daemon has taken the journal "ams1": process 8 on edge2/);
    await second?.append([fact(12)]);
  });
});
