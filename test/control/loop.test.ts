import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Engine } from '../../src/control/engine.ts';
import { openEngine } from '../../src/control/open-engine.ts';
import { Reconciler } from '../../src/control/reconciler.ts';
import { MockAnnouncer } from '../../src/control/mock-announcer.ts';
import type { NeighborPolicy } from '../../src/control/render-rule.ts';
import { viewOf } from '../../src/control/rule-view.ts';
import type { ReconcilerView } from '../../src/control/types.ts';
import { MemoryStore } from '../../src/store/memory.ts';
import { FakeTime, idle } from './fake-time.ts';
import { ban, neighborPolicy, neighborSettings, OPERATOR, POLICY } from './support.ts';

interface House {
  readonly time: FakeTime;
  readonly store: MemoryStore;
  readonly engine: Engine;
  readonly announcer: MockAnnouncer;
  readonly reconciler: Reconciler;
  readonly view: ReconcilerView;
  readonly log: string[];
  /** What was written to each peer, in order: `edge1 + match ...`. */
  readonly written: string[];
  readonly rules: (peer: string) => readonly string[];
}

async function house(neighbors: readonly NeighborPolicy[] = [neighborPolicy('edge1')]): Promise<House> {
  const time = new FakeTime();
  const store = new MemoryStore();
  let ids = 0;
  const { engine } = await openEngine({
    store,
    policy: POLICY,
    clock: () => time.now,
    newId: () => `00000000-0000-4000-8000-${String(++ids).padStart(12, '0')}`,
    snapshotEvery: 0,
  });
  const announcer = new MockAnnouncer(
    neighbors.map((one) => neighborSettings(one.name, { families: one.families })),
    () => time.now,
  );
  const log: string[] = [];
  const written: string[] = [];
  announcer.subscribe({
    onSent: (peer, announced, withdrawn) => {
      for (const route of announced) written.push(`${peer} + ${route.text}`);
      for (const route of withdrawn) written.push(`${peer} - ${route.text}`);
    },
  });
  const reconciler = new Reconciler({
    engine,
    announcer,
    neighbors,
    clock: () => time.now,
    timers: time,
    intervalMs: 30_000,
    log: (level, text) => log.push(`${level} ${text}`),
  });
  await reconciler.start();
  await announcer.start();
  await idle();
  return {
    time,
    store,
    engine,
    announcer,
    reconciler,
    view: viewOf(reconciler, engine, announcer),
    log,
    written,
    rules: (peer) => [...announcer.ribOut(peer).sentRoutes()].map(({ route }) => route.text).sort(),
  };
}

async function banned(at: House, victim: string, changes = {}): Promise<string> {
  const answer = await at.engine.submit(ban(victim, changes));
  assert.ok(answer.type === 'event' && answer.mitigation !== undefined, JSON.stringify(answer));
  await idle();
  return answer.mitigation.id;
}

const UDP_10 = 'match dst 203.0.113.10/32 proto udp then rate-limit 5mbps';

describe('Reconciler', () => {
  it('announces a mitigation to every neighbor as soon as it is durable', async () => {
    const at = await house([neighborPolicy('edge1'), neighborPolicy('edge2')]);
    const id = await banned(at, '203.0.113.10');
    assert.deepEqual(at.rules('edge1'), [UDP_10]);
    assert.deepEqual(at.rules('edge2'), [UDP_10]);
    assert.deepEqual(
      at.view.rulesOf(id).map(({ neighbor, state }) => `${neighbor} ${state}`),
      ['edge1 sent', 'edge2 sent'],
    );
    assert.equal(at.view.ruleText(id), UDP_10);
  });

  it('withdraws what an operator withdraws, and records the end only then', async () => {
    const at = await house();
    const id = await banned(at, '203.0.113.10');
    await at.engine.submit({ type: 'withdraw', id, actor: OPERATOR, reason: 'false positive' });
    await idle();
    assert.deepEqual(at.rules('edge1'), []);
    assert.deepEqual(at.written, [`edge1 + ${UDP_10}`, `edge1 - ${UDP_10}`]);
    assert.equal(at.engine.state.mitigations.get(id)?.status, 'withdrawn');
  });

  it('withdraws at the end of the TTL, to the millisecond, without waiting for the interval', async () => {
    const at = await house();
    const id = await banned(at, '203.0.113.10');
    await at.time.advance(119_999);
    assert.deepEqual(at.rules('edge1'), [UDP_10]);
    await at.time.advance(1);
    assert.deepEqual(at.rules('edge1'), []);
    assert.equal(at.engine.state.mitigations.get(id)?.status, 'expired');
  });

  it('keeps the rule while a detector that reports the end has not reported it, with no word to the neighbor', async () => {
    const at = await house();
    const id = await banned(at, '203.0.113.10', { hold: 'until_released' });
    await at.time.advance(1_900_000);
    assert.deepEqual(at.written, [`edge1 + ${UDP_10}`], 'announced once, and never again in half an hour');
    assert.ok((at.engine.state.mitigations.get(id)?.expiresAt ?? 0) <= at.time.now + 120_000);
    await at.engine.submit(ban('203.0.113.10', { action: 'unban' }));
    await idle();
    assert.deepEqual(at.rules('edge1'), []);
  });

  it('lets a held rule end with its TTL when the disk is full: nothing is renewed that is not on disk', async () => {
    const at = await house();
    await banned(at, '203.0.113.10', { hold: 'until_released' });
    const append = at.store.append.bind(at.store);
    at.store.append = () => Promise.reject(new Error('no space left on the disk'));
    await at.time.advance(119_999);
    assert.deepEqual(at.rules('edge1'), [UDP_10]);
    await at.time.advance(1_001);
    assert.deepEqual(at.rules('edge1'), []);
    at.store.append = append;
    await at.time.advance(1_000);
    assert.deepEqual(at.rules('edge1'), [UDP_10], 'it is held still');
  });

  it('brings the rule for a prefix before it takes away those of its hosts', async () => {
    const at = await house();
    await at.engine.adopt(
      {
        ...POLICY,
        guardrails: { ...POLICY.guardrails, dstPrefixMinLen: 24 },
        aggregation: { ...POLICY.aggregation, hosts: 3 },
      },
      { type: 'policy-loaded', actor: OPERATOR, summary: 'reload' },
    );
    for (const host of [11, 12, 13]) await banned(at, `203.0.113.${host}`);
    assert.deepEqual(at.rules('edge1'), ['match dst 203.0.113.0/24 proto udp then rate-limit 5mbps']);
    const added = at.written.findIndex((line) => line.includes('+ match dst 203.0.113.0/24'));
    const removed = at.written.findIndex((line) => line.includes('- match'));
    assert.ok(added >= 0 && added < removed, at.written.join('\n'));
  });

  it('keeps the rule when events extend the TTL', async () => {
    const at = await house();
    await banned(at, '203.0.113.10');
    await at.time.advance(100_000);
    await banned(at, '203.0.113.10');
    await at.time.advance(60_000);
    assert.deepEqual(at.rules('edge1'), [UDP_10]);
    assert.equal(at.written.length, 1, 'an extension writes nothing');
  });

  it('withdraws expired rules although the disk is full, and records it once there is room', async () => {
    const at = await house();
    const id = await banned(at, '203.0.113.10');
    const append = at.store.append.bind(at.store);
    at.store.append = () => Promise.reject(new Error('no space left on the disk'));
    await at.time.advance(120_000);
    assert.deepEqual(at.rules('edge1'), []);
    assert.equal(at.engine.state.mitigations.get(id)?.status, 'active', 'nothing was recorded');
    assert.ok(at.log.some((line) => line.startsWith('error cannot record expired mitigations')));
    at.store.append = append;
    await at.time.advance(40_000);
    assert.equal(at.engine.state.mitigations.get(id)?.status, 'expired');
  });

  it('gives a session that comes back everything', async () => {
    const at = await house();
    await banned(at, '203.0.113.10');
    await banned(at, '203.0.113.11');
    at.announcer.clear('edge1', 'hard');
    assert.equal(at.rules('edge1').length, 2);
  });

  it('does not give a session that comes back what ended meanwhile', async () => {
    const at = await house();
    const id = await banned(at, '203.0.113.10');
    at.announcer.setEnabled('edge1', false);
    await at.engine.submit({ type: 'withdraw', id, actor: OPERATOR, reason: 'over' });
    await idle();
    assert.equal(at.engine.state.mitigations.get(id)?.status, 'withdrawn', 'nobody was left to be told');
    at.announcer.setEnabled('edge1', true);
    await idle();
    assert.deepEqual(at.rules('edge1'), []);
  });

  it('shows a rule as pending while its session is down', async () => {
    const at = await house();
    at.announcer.setEnabled('edge1', false);
    const id = await banned(at, '203.0.113.10');
    assert.deepEqual(
      at.view.rulesOf(id).map(({ state }) => state),
      ['pending'],
    );
  });

  it('replaces a widened rule without a gap: the new one is written before the old one goes', async () => {
    const at = await house();
    const id = await banned(at, '203.0.113.10', { ports: [80] });
    assert.equal(await banned(at, '203.0.113.10', { ports: [80, 443] }), id);
    assert.deepEqual(
      at.written.map((line) => line.slice(0, 7)),
      ['edge1 +', 'edge1 +', 'edge1 -'],
    );
    assert.deepEqual(at.rules('edge1'), [
      'match dst 203.0.113.10/32 proto udp dst-port 80,443 then rate-limit 5mbps',
    ]);
  });

  it('withdraws what a new safelist entry covers', async () => {
    const at = await house();
    await banned(at, '203.0.113.10');
    await banned(at, '203.0.113.99');
    await at.engine.submit({
      type: 'safelist-add',
      prefix: '203.0.113.0/28',
      actor: OPERATOR,
      reason: 'dns',
    });
    await idle();
    assert.deepEqual(at.rules('edge1'), ['match dst 203.0.113.99/32 proto udp then rate-limit 5mbps']);
  });

  it('puts right what was changed behind its back, and counts it as drift', async () => {
    const at = await house();
    await banned(at, '203.0.113.10');
    const stray = [...at.announcer.ribOut('edge1').sentRoutes()][0]?.route;
    assert.ok(stray !== undefined);
    at.announcer.apply('edge1', [], [stray.key]);
    at.announcer.apply(
      'edge1',
      [{ ...stray, key: '1/133/0601200a000001', nlri: Uint8Array.of(6, 1, 32, 10, 0, 0, 1) }],
      [],
    );
    await at.time.advance(30_000);
    assert.deepEqual(
      [...at.announcer.ribOut('edge1').sentRoutes()].map(({ route }) => route.key),
      [stray.key],
    );
    assert.equal(at.view.stats.drift, 2);
    await at.time.advance(30_000);
    assert.equal(at.view.stats.drift, 2, 'a run that finds everything in order counts nothing');
  });

  it('says why a neighbor does not get a rule, and gives it to the others', async () => {
    const v4 = { afi: 1, safi: 133 } as const;
    const at = await house([neighborPolicy('both'), neighborPolicy('v4only', { families: [v4] })]);
    const id = await banned(at, '2001:db8:acd::10');
    assert.equal(at.rules('both').length, 1);
    assert.equal(at.rules('v4only').length, 0);
    const [, refused] = at.view.rulesOf(id);
    assert.equal(refused?.state, 'unsupported');
    assert.match(refused?.why ?? '', /ipv6-flowspec is not one of/);
  });

  it('leaves out what exceeds a budget, says so, and sends it when there is room', async () => {
    const at = await house([neighborPolicy('small', { maxRules: 1 })]);
    const first = await banned(at, '203.0.113.10');
    at.time.now += 1;
    const second = await banned(at, '203.0.113.11');
    assert.deepEqual(at.rules('small'), [UDP_10]);
    assert.match(at.view.rulesOf(second)[0]?.why ?? '', /max_rules \(1\)/);
    await at.engine.submit({ type: 'withdraw', id: first, actor: OPERATOR, reason: 'over' });
    await idle();
    assert.deepEqual(at.rules('small'), ['match dst 203.0.113.11/32 proto udp then rate-limit 5mbps']);
  });

  it('announces nothing while nothing can be written down', async () => {
    const at = await house();
    at.store.append = () => Promise.reject(new Error('no space left on the disk'));
    await assert.rejects(at.engine.submit(ban('203.0.113.10')));
    await at.time.advance(60_000);
    assert.deepEqual(at.written, []);
  });

  it('gives a session that comes up before its table is whole no End-of-RIB, and everything once it is', async () => {
    const at = await house();
    await banned(at, '203.0.113.10');
    const ended: string[] = [];
    at.announcer.endOfRib = (peer) => {
      ended.push(`${peer}: ${at.rules(peer).length}`);
    };
    let open = (): void => {};
    const gate = new Promise<void>((resolve) => {
      open = resolve;
    });
    const append = at.store.append.bind(at.store);
    at.store.append = async (facts) => {
      await gate;
      await append(facts);
    };
    // While a group is not durable no table is filled.
    const slow = at.engine.submit(ban('203.0.113.11'));
    await idle();
    await at.announcer.reconfigure([neighborSettings('edge1'), neighborSettings('edge2')]);
    const adopted = at.reconciler.setNeighbors([neighborPolicy('edge1'), neighborPolicy('edge2')]);
    at.announcer.clear('edge2', 'hard');
    await idle();
    assert.deepEqual(ended, []);
    open();
    await Promise.all([slow, adopted]);
    await idle();
    assert.deepEqual(ended, ['edge2: 2']);
  });

  it('adopts neighbors that are added and forgets those that are removed', async () => {
    const at = await house();
    await banned(at, '203.0.113.10');
    await at.announcer.reconfigure([neighborSettings('edge2')]);
    await at.reconciler.setNeighbors([neighborPolicy('edge2')]);
    await idle();
    assert.deepEqual(at.reconciler.neighbors.names, ['edge2']);
    assert.deepEqual(at.rules('edge2'), [UDP_10]);
  });
});
