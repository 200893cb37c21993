/** A real daemon whose journal is in PostgreSQL: what it does to a router is the same as with a disk. */
import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import { after, before, describe, it, type TestContext } from 'node:test';
import { until } from '../support/children.ts';
import { PostgresProxy } from '../support/postgres-proxy.ts';
import { missingPostgres, type PostgresServer, startPostgres } from '../support/postgres-server.ts';
import { undo } from '../support/undo.ts';
import { House } from './house.ts';

describe('a journal in a database', { timeout: 300_000, skip: missingPostgres() }, () => {
  let server: PostgresServer;
  let houses = 0;
  before(async () => {
    server = await startPostgres();
  });
  after(() => server.remove());

  async function build(t: TestContext): Promise<{ readonly house: House; readonly proxy: PostgresProxy }> {
    const proxy = await PostgresProxy.start(server.socket);
    undo(t, () => proxy.close());
    const name = `house${++houses}`;
    const storage = [`storage: { driver: postgres, url_env: DATABASE, journal: ${name} }`];
    const environment = { DATABASE: server.url(proxy.at) };
    const house = await House.build(t, { drainSeconds: 10, storage, environment });
    undo(t, () => house.signal('SIGKILL'));
    await house.run();
    return { house, proxy };
  }

  const audited = async (house: House): Promise<readonly unknown[]> => {
    const { body } = await house.call('GET', '/v1/audit');
    return (body.entries as { action: string }[]).map(({ action }) => action);
  };

  it('returns rules, history and audit log after a crash and after a stop, and leaves nothing on the disk', async (t) => {
    const { house } = await build(t);
    const { body } = await house.report(10);
    await house.report(11);
    await until('the rules', () => house.rules.length === 2);
    assert.equal((await house.withdraw(body.mitigation_id)).status, 200);
    await house.signal('SIGKILL');
    await house.run();
    await until('the rule that is left', () => house.rules.join() === '11');
    assert.ok((await audited(house)).includes('mitigation.ending'));
    await house.signal('SIGTERM');
    await house.run();
    await until('the rule that is left', () => house.rules.join() === '11');
    const files = (await readdir(house.folder)).sort();
    assert.deepEqual(files, ['hang.fifo', 'inventory.yaml', 'playbooks.yaml', 'prefixd.yaml']);
  });

  it('withdraws and expires rules while the database is away, in the words of a full disk, and records it afterwards', async (t) => {
    const { house, proxy } = await build(t);
    const { body } = await house.report(10);
    await house.report(11, 'icmp_flood');
    await until('both rules', () => house.rules.length === 2);
    proxy.mode = 'refuse';
    proxy.reset();
    await until('health says so', async () => (await house.reasons()).includes('journal'));
    const refused = await house.report(12);
    assert.deepEqual([refused.status, refused.retryAfter], [503, '5']);
    assert.equal(refused.body.detail, 'The journal cannot be written, so nothing was changed; try again');
    await until('the TTL takes the brief rule away', () => house.rules.join() === '10');
    const withdrawn = await house.withdraw(body.mitigation_id);
    assert.deepEqual([withdrawn.status, withdrawn.body.recorded], [200, false]);
    await until('the rule goes', () => house.rules.length === 0);
    assert.ok((await house.reasons()).includes('unrecorded'));
    proxy.mode = 'pass';
    await until('all is well', async () => (await house.reasons()).length === 0);
    await house.signal('SIGKILL');
    await house.run();
    await house.report(13);
    await until('the new rule', () => house.rules.includes('13'));
    assert.deepEqual(house.rules, ['13'], 'what was withdrawn was recorded when the database came back');
  });

  it('announces nothing of a report that hangs in the database, and answers it', async (t) => {
    const { house, proxy } = await build(t);
    await house.report(10);
    await until('the rule', () => house.rules.length === 1);
    proxy.mode = 'silent';
    const unknown = await house.report(11);
    assert.equal(unknown.status, 503);
    assert.match(String(unknown.body.detail), /not known yet|nothing was changed/);
    assert.ok((await house.reasons()).includes('journal_stalled'));
    assert.deepEqual(house.rules, ['10']);
    proxy.mode = 'pass';
    await until('all is well', async () => (await house.reasons()).length === 0);
    await until('reports are accepted', async () => (await house.report(12)).status === 202);
    await until('the new rule', () => house.rules.includes('12'));
  });

  it('keeps its rules until their TTL when another daemon takes the journal, and health names that one', async (t) => {
    const { house } = await build(t);
    await house.report(10);
    await house.report(11, 'icmp_flood');
    await until('both rules', () => house.rules.length === 2);
    await server.sql(
      "UPDATE prefixd.journal SET epoch = epoch + 1, writer = 'x', owner = 'process 8 on edge2'",
    );
    await until('health names it', async () => {
      const { body } = await house.call('GET', '/v1/health/detail');
      return JSON.stringify(body).includes('process 8 on edge2');
    });
    assert.equal((await house.report(12)).status, 503);
    await until('the TTL takes the brief rule away', () => house.rules.join() === '10');
    assert.equal((await house.call('GET', '/v1/mitigations')).status, 200);
  });
});
