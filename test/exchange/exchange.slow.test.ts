import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { OPERATOR } from '../control/support.ts';
import { until } from '../support/children.ts';
import { missingPostgres } from '../support/postgres-server.ts';
import { undo } from '../support/undo.ts';
import { sharedPostgres } from '../store/postgres-support.ts';
import { type PopOptions, SOON_MS, TestPop } from './support.ts';

const A = '203.0.113.10';
const B = '203.0.113.11';
const C = '203.0.113.12';

describe('the exchange between POPs', { skip: missingPostgres() }, () => {
  const postgres = sharedPostgres();

  async function start(t: TestContext, options: Omit<PopOptions, 'url'>): Promise<TestPop> {
    const pop = await TestPop.start({ url: postgres.server().url(), ...options });
    undo(t, () => pop.stop());
    return pop.connected();
  }

  /** Starts POPs that accept each other. */
  async function pops(t: TestContext, ...names: readonly string[]): Promise<readonly TestPop[]> {
    await postgres.server().sql('DROP SCHEMA IF EXISTS prefixd_exchange CASCADE');
    const started: TestPop[] = [];
    for (const name of names) {
      started.push(await start(t, { name, accept: names.filter((one) => one !== name) }));
    }
    return started;
  }

  it('takes a mitigation to the POPs that it is for, and to no other', async (t) => {
    const [ber, fra, par] = await pops(t, 'ber', 'fra', 'par');
    assert.ok(ber && fra && par);
    const everywhere = await ber.mitigate(A, ['*']);
    const some = await ber.mitigate(B, ['ber', 'fra']);
    await ber.mitigate(C, ['ber']);
    await fra.holds(A, B);
    await par.holds(A);
    const imported = fra.of(A);
    assert.equal(imported?.id, everywhere.id);
    assert.equal(imported.origin?.pop, 'ber');
    assert.equal(fra.of(B)?.id, some.id);
    await until('the list of all POPs is complete', () => par.exchange.elsewhere().length === 3, SOON_MS);
  });

  it('ends it everywhere when its owner withdraws it, and here alone when this POP does', async (t) => {
    const [ber, fra] = await pops(t, 'ber', 'fra');
    assert.ok(ber && fra);
    const [one, other] = [await ber.mitigate(A), await ber.mitigate(B)];
    await fra.holds(A, B);
    await fra.withdraw(one.id);
    await ber.withdraw(other.id);
    await fra.holds();
    assert.deepEqual(ber.victims, [A]);
  });

  it('begins a new epoch at a restart, after which everything stands as before', async (t) => {
    const [ber, fra] = await pops(t, 'ber', 'fra');
    assert.ok(ber && fra);
    const kept = await ber.mitigate(A);
    const gone = await ber.mitigate(B);
    await fra.holds(A, B);
    const { epoch } = fra.of(A)?.origin ?? { epoch: 0 };
    await ber.exchange.stop();
    await ber.withdraw(gone.id);
    await until('the withdrawal is confirmed', () => !ber.engine.state.live.has(gone.id), SOON_MS);
    await ber.engine.close();
    const again = await start(t, { name: 'ber', accept: ['fra'], store: ber.store });
    await fra.holds(A);
    assert.deepEqual(again.victims, [A]);
    const { origin } = await until('the new epoch arrives', () => {
      const one = fra.of(A);
      return one?.origin !== undefined && one.origin.epoch > epoch ? one : undefined;
    });
    assert.equal(fra.of(A)?.id, kept.id);
    assert.equal(origin?.pop, 'ber');
  });

  it('lets a POP that comes late hold what is for it, with what is left of the TTL', async (t) => {
    const [ber] = await pops(t, 'ber');
    assert.ok(ber);
    const made = await ber.mitigate(A, ['*'], 60);
    const intents = (count: number) =>
      until(`${count} versions are published`, async () => {
        const found = await postgres.server().sql('SELECT count(*) FROM prefixd_exchange.intent');
        return Number(found) === count;
      });
    const over = await ber.mitigate(B);
    await intents(2);
    await ber.withdraw(over.id);
    await intents(3);
    const fra = await start(t, { name: 'fra', accept: ['ber'] });
    await fra.holds(A);
    const end = fra.of(A)?.expiresAt ?? 0;
    assert.ok(end <= made.expiresAt + 20 && end > made.expiresAt - 1_000, `${end - made.expiresAt} ms`);
  });

  it('ends no rule later because clocks differ by ten minutes', async (t) => {
    await pops(t);
    const ahead = await start(t, { name: 'ahead', accept: ['behind', 'right'], clockAheadMs: 600_000 });
    const behind = await start(t, { name: 'behind', accept: ['ahead', 'right'], clockAheadMs: -600_000 });
    const right = await start(t, { name: 'right', accept: ['ahead', 'behind'] });
    const from = performance.now();
    await ahead.mitigate(A, ['*'], 30);
    await behind.mitigate(B, ['*'], 30);
    for (const pop of [ahead, behind, right]) await pop.holds(A, B);
    const soonest = performance.now() - from;
    // What is left is a span, and is the same by every clock.
    for (const [pop, clock] of [
      [ahead, Date.now() + 600_000],
      [behind, Date.now() - 600_000],
      [right, Date.now()],
    ] as const) {
      for (const { victim, expiresAt } of pop.active) {
        const left = expiresAt - clock;
        assert.ok(left < 30_100 && left > 30_000 - soonest - 2_000, `${pop.name} ${victim}: ${left} ms`);
      }
    }
  });

  it('lets one of two daemons with one name take part, and the other say so', async (t) => {
    const [ber, fra] = await pops(t, 'ber', 'fra');
    assert.ok(ber && fra);
    const second = await TestPop.start({ url: postgres.server().url(), name: 'ber', accept: ['fra'] });
    undo(t, () => second.stop());
    await until('it notices', () => second.exchange.condition.state === 'rival', SOON_MS);
    assert.match(second.exchange.condition.problem ?? '', /another daemon is POP ber .* decides locally/);
    assert.match(second.lines.join('\n'), /error: exchange: another daemon is POP ber/);
    await second.mitigate(A);
    await ber.mitigate(B);
    await fra.mitigate(C);
    await fra.holds(B, C);
    assert.deepEqual(second.victims, [A]);
    // It takes over when the first one goes.
    await ber.stop();
    await fra.holds(A, B, C);
    await second.holds(A, C);
  });

  it('withdraws what a safelist entry covers at every POP, and names those that have not confirmed', async (t) => {
    const [ber, fra, par] = await pops(t, 'ber', 'fra', 'par');
    assert.ok(ber && fra && par);
    await ber.mitigate(A);
    await par.holds(A);
    await par.stop();
    const from = performance.now();
    const tag = ber.exchange.nextRequest();
    const reason = 'resolver';
    await ber.engine.submit({ type: 'safelist-add', prefix: `${A}/32`, actor: OPERATOR, reason, tag });
    const request = {
      type: 'safelist-add',
      prefix: `${A}/32`,
      operator: 'kim',
      reason,
      confirmed: false,
    } as const;
    const confirmations = await ber.exchange.ask(tag, request, 'all');
    const took = performance.now() - from;
    assert.deepEqual(fra.victims, []);
    assert.ok(took < 1_500, `${took} ms`);
    const [ofFra, ofPar] = confirmations;
    assert.deepEqual(ofFra, { pop: 'fra', state: 'done', detail: '1 mitigation withdrawn' });
    assert.equal(ofPar?.state, 'unconfirmed');
    assert.match(ofPar?.detail ?? '', /has not answered yet; it does this when it returns/);
    assert.equal(ber.exchange.openRequests().length, 1);
    // It does when it returns.
    const back = await start(t, { name: 'par', accept: ['ber', 'fra'], store: par.store });
    await until('par has the entry', () => back.engine.state.safelist.has(`${A}/32`), SOON_MS);
    assert.deepEqual(back.victims, []);
    await until('it is confirmed', () => ber.exchange.openRequests().length === 0, SOON_MS);
  });

  it('refuses requests of a POP that is not accepted, and imports nothing of it', async (t) => {
    await pops(t);
    const ber = await start(t, { name: 'ber', accept: ['fra'] });
    const fra = await start(t, { name: 'fra', accept: [] });
    await ber.mitigate(A);
    await fra.mitigate(B);
    await ber.holds(A, B);
    assert.deepEqual(fra.victims, [B]);
    await until('ber knows fra', () => ber.exchange.pops().length === 2, SOON_MS);
    const id = ber.exchange.nextRequest();
    const [answer] = await ber.exchange.ask(id, { type: 'pause', operator: 'kim', reason: 'test' }, ['fra']);
    assert.equal(answer?.state, 'refused');
    assert.match(answer?.detail ?? '', /POP fra accepts nothing from POP ber \(exchange\.accept\)/);
    assert.equal(fra.engine.state.paused, undefined);
  });

  it('imports later what a pause refused', async (t) => {
    const [ber, fra] = await pops(t, 'ber', 'fra');
    assert.ok(ber && fra);
    await fra.engine.submit({ type: 'pause', actor: OPERATOR, reason: 'maintenance' });
    await ber.mitigate(A);
    await until('fra has read it', () => fra.exchange.elsewhere().length === 1, SOON_MS);
    assert.deepEqual(fra.victims, []);
    await fra.engine.submit({ type: 'resume', actor: OPERATOR, reason: 'done' });
    await fra.holds(A);
  });

  it('publishes nothing new during a pause, and everything after it', async (t) => {
    const [ber, fra] = await pops(t, 'ber', 'fra');
    assert.ok(ber && fra);
    const before = await ber.mitigate(A);
    await fra.holds(A);
    await ber.engine.submit({ type: 'pause', actor: OPERATOR, reason: 'maintenance' });
    await ber.mitigate(B).catch(() => undefined);
    await ber.withdraw(before.id);
    await fra.holds();
    await ber.engine.submit({ type: 'resume', actor: OPERATOR, reason: 'done' });
    await ber.mitigate(C);
    await until('the others follow', () => fra.victims.join() === ber.victims.join(), SOON_MS);
  });

  it('counts what other POPs decided, once', async (t) => {
    const [ber, fra] = await pops(t, 'ber', 'fra');
    assert.ok(ber && fra);
    await fra.mitigate(A, ['*']);
    await fra.mitigate(B, ['fra']);
    await ber.holds(A);
    await until('ber counts what it does not hold', () => ber.exchange.othersActive()?.active === 1, SOON_MS);
    assert.deepEqual(ber.exchange.othersActive()?.stale, []);
  });

  it('skips a message that it cannot read, and counts it', async (t) => {
    const [ber, fra] = await pops(t, 'ber', 'fra');
    assert.ok(ber && fra);
    await ber.mitigate(A);
    await fra.holds(A);
    await postgres.server().sql(
      `WITH own AS (UPDATE prefixd_exchange.pop SET n = n + 1 WHERE name = 'ber' RETURNING epoch, n)
       INSERT INTO prefixd_exchange.intent (pop, epoch, n, id, body, remaining_ms)
       SELECT 'ber', epoch, n, gen_random_uuid(), '{"kind":"standing","victim":"::/0"}', 60000 FROM own`,
    );
    const unreadable = () => fra.exchange.pops().find(({ name }) => name === 'ber')?.unreadable;
    await until('fra has read it', () => unreadable() === 1, SOON_MS);
    assert.match(fra.lines.join('\n'), /an intent of another POP cannot be read and is skipped/);
    // The database has a number that ber did not write, so ber begins a new epoch at its next statement or connection.
    await ber.mitigate(B);
    await fra.holds(A, B);
  });
});
