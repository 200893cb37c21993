import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { PopSession } from '../../src/exchange/pop-session.ts';
import { sharedPostgres } from '../store/postgres-support.ts';
import { output, until } from '../support/children.ts';
import { PostgresProxy } from '../support/postgres-proxy.ts';
import { missingPostgres } from '../support/postgres-server.ts';
import { prefixdWords } from '../support/program.ts';
import { undo } from '../support/undo.ts';
import { type PopOptions, SOON_MS, TestPop } from './support.ts';

const A = '203.0.113.10';
const B = '203.0.113.11';
const C = '203.0.113.12';

describe('the exchange when something fails', { skip: missingPostgres() }, () => {
  const postgres = sharedPostgres();

  /** Starts a POP behind a proxy of its own. */
  async function start(
    t: TestContext,
    options: Omit<PopOptions, 'url'>,
  ): Promise<{ readonly pop: TestPop; readonly proxy: PostgresProxy }> {
    const proxy = await PostgresProxy.start(postgres.server().socket);
    undo(t, () => proxy.close());
    const pop = await TestPop.start({ url: postgres.server().url(proxy.at), ...options });
    undo(t, () => pop.stop());
    await pop.connected();
    return { pop, proxy };
  }

  async function two(t: TestContext) {
    await postgres.server().sql('DROP SCHEMA IF EXISTS prefixd_exchange CASCADE');
    const ber = await start(t, { name: 'ber', accept: ['fra'] });
    const fra = await start(t, { name: 'fra', accept: ['ber'] });
    return { ber, fra };
  }

  it('goes on alone while the database is dead, and catches up when it is back', async (t) => {
    const { ber, fra } = await two(t);
    const before = await ber.pop.mitigate(A);
    await fra.pop.holds(A);
    await postgres.server().stop('SIGKILL');
    await until('it is noticed', () => ber.pop.exchange.condition.state === 'connecting', SOON_MS);
    await ber.pop.mitigate(B);
    await fra.pop.mitigate(C);
    await ber.pop.withdraw(before.id);
    assert.deepEqual(ber.pop.victims, [B]);
    assert.deepEqual(fra.pop.victims, [A, C]);
    await postgres.server().start();
    await ber.pop.holds(B, C);
    await fra.pop.holds(B, C);
  });

  for (const mode of ['silent', 'refuse'] as const) {
    it(`lets a POP that is cut off (${mode}) decide and expire, and heals within 3 s`, async (t) => {
      const { ber, fra } = await two(t);
      const short = await ber.pop.mitigate(A, ['*'], 30);
      const over = await ber.pop.mitigate(B);
      await fra.pop.holds(A, B);
      fra.proxy.mode = mode;
      if (mode === 'refuse') fra.proxy.reset();
      await until('fra notices', () => fra.pop.exchange.condition.state === 'connecting', SOON_MS);
      assert.match(fra.pop.exchange.condition.problem ?? '', /PostgreSQL at 127\.0\.0\.1/);
      await ber.pop.withdraw(over.id);
      await fra.pop.mitigate(C, ['ber', 'fra']);
      // Its operator still withdraws there, and the owner's withdrawal waits.
      await fra.pop.withdraw(short.id);
      assert.deepEqual(fra.pop.victims, [B, C]);
      assert.deepEqual(ber.pop.victims, [A]);
      await until(
        'ber sees that fra is silent',
        () => (ber.pop.exchange.pops().find(({ name }) => name === 'fra')?.lagMs ?? 0) > 3_000,
        SOON_MS,
      );
      fra.proxy.mode = 'pass';
      const healed = performance.now();
      await fra.pop.holds(C);
      await ber.pop.holds(A, C);
      const took = performance.now() - healed;
      assert.ok(took < 3_000, `${took} ms`);
    });
  }

  it('holds nothing that began and ended while it was cut off', async (t) => {
    const { ber, fra } = await two(t);
    const versions = (count: number) =>
      until(`${count} versions are published`, async () => {
        return (await postgres.server().sql('SELECT count(*) FROM prefixd_exchange.intent')) === `${count}`;
      });
    fra.proxy.delayMs = 1_000;
    await ber.pop.mitigate(A);
    await versions(1);
    await ber.pop.mitigate(B).then(({ id }) => versions(2).then(() => ber.pop.withdraw(id)));
    await versions(3);
    fra.proxy.delayMs = 0;
    await fra.pop.holds(A);
    await until('fra has read everything', () => {
      const known = fra.pop.exchange.pops().find(({ name }) => name === 'ber');
      return known?.heartbeat?.n === 3 && (known.lagMs ?? Number.POSITIVE_INFINITY) < 1_500;
    });
    assert.deepEqual(fra.pop.victims, [A]);
  });

  it('is not prolonged by a database that answers slowly', async (t) => {
    const { ber, fra } = await two(t);
    for (const { proxy } of [ber, fra]) proxy.delayMs = 300;
    const made = await ber.pop.mitigate(A, ['*'], 30);
    await fra.pop.holds(A);
    const end = fra.pop.of(A)?.expiresAt ?? 0;
    assert.ok(end <= made.expiresAt + 50, `${end - made.expiresAt} ms`);
    assert.ok(end > made.expiresAt - 3_000, `${end - made.expiresAt} ms`);
  });

  it('says in words that the database is read-only, and goes on', async (t) => {
    const { ber } = await two(t);
    const server = postgres.server();
    await server.sql('ALTER DATABASE prefixd SET default_transaction_read_only = on', 'postgres');
    undo(t, () => server.sql('ALTER DATABASE prefixd RESET default_transaction_read_only', 'postgres'));
    ber.proxy.reset();
    await until('it says so', () => /read-only/.test(ber.pop.exchange.condition.problem ?? ''), SOON_MS);
    await ber.pop.mitigate(A);
    assert.deepEqual(ber.pop.victims, [A]);
  });

  it('publishes again what a database that lost its rows does not have', async (t) => {
    const { ber, fra } = await two(t);
    const gone = await ber.pop.mitigate(A);
    await ber.pop.mitigate(B);
    await fra.pop.holds(A, B);
    // A restore: the epoch is an older one, and so are the numbers.
    await postgres.server().sql(
      `DELETE FROM prefixd_exchange.intent; DELETE FROM prefixd_exchange.live;
         UPDATE prefixd_exchange.pop SET n = 1 WHERE name = 'ber'`,
    );
    ber.proxy.reset();
    await ber.pop.withdraw(gone.id);
    await fra.pop.holds(B);
    const fresh = await start(t, { name: 'par', accept: ['ber'] });
    await fresh.pop.holds(B);
  });

  it('resolves a publication whose answer was lost by a new epoch', async (t) => {
    const { ber, fra } = await two(t);
    await ber.pop.mitigate(A);
    await fra.pop.holds(A);
    const swallowed = ber.proxy.swallowAnswer(/^SELECT 1$/);
    await ber.pop.mitigate(B);
    await swallowed;
    await ber.pop.connected();
    await ber.pop.mitigate(C);
    await fra.pop.holds(A, B, C);
  });

  it('ends a session of its own that the database still holds after a cut', async (t) => {
    await two(t);
    const open = () =>
      PopSession.open({
        url: postgres.server().url(),
        pop: 'zrh',
        instance: 'one',
        version: 'test',
        connectMs: 5_000,
        statementMs: 5_000,
        onLost: () => undefined,
        onNotification: () => undefined,
      });
    const figures = { sessionsUp: 0, sessionsTotal: 0, active: 0, policyHash: '' };
    const first = await open();
    undo(t, () => first.close());
    assert.equal(await first.lock(), true);
    const epoch = await first.openEpoch(undefined, figures);
    const second = await open();
    undo(t, () => second.close());
    await until('the lock is free', () => second.lock(), SOON_MS);
    assert.deepEqual(await second.openEpoch(epoch, figures), epoch);
  });

  it('refuses tables that are older or newer than it knows, and names the command', async (t) => {
    const { ber } = await two(t);
    const server = postgres.server();
    const [program, ...words] = prefixdWords();
    const environment = `PREFIXD_DATABASE_URL=${server.url()}`;
    const args = ['db', 'migrate', '--exchange', '--url-env', 'PREFIXD_DATABASE_URL'];
    const text = await output('env', [environment, program, ...words, ...args]);
    assert.match(text, /schema prefixd_exchange has version 1, up to date/);
    await server.sql("INSERT INTO prefixd_exchange.migration (number, title) VALUES (2, 'of tomorrow')");
    ber.proxy.reset();
    await until(
      'it says so',
      () => /has version 2 and this prefixd knows 1/.test(ber.pop.exchange.condition.problem ?? ''),
      SOON_MS,
    );
  });
});
