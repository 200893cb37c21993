import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { FAMILIES } from '../../src/bgp/wire/iana.ts';
import { openEngine } from '../../src/control/open-engine.ts';
import { MockAnnouncer } from '../../src/control/mock-announcer.ts';
import { forecastFor } from '../../src/control/neighbor-forecast.ts';
import { Reconciler } from '../../src/control/reconciler.ts';
import type { NeighborPolicy } from '../../src/control/render-rule.ts';
import { countNeighbors, viewOf } from '../../src/control/rule-view.ts';
import { UnenforcedWatch } from '../../src/control/shortfall.ts';
import type { Unenforced } from '../../src/control/types.ts';
import { RULE_KINDS } from '../../src/core/action.ts';
import { buildInventory } from '../../src/core/policy/inventory.ts';
import { buildPlaybooks } from '../../src/core/policy/playbook.ts';
import type { Policy } from '../../src/core/policy/policy.ts';
import { NO_TARGETS, type Targets } from '../../src/core/policy/scrubbers.ts';
import { MemoryStore } from '../../src/store/memory.ts';
import { FakeTime, idle } from './fake-time.ts';
import { ban, neighborPolicy, neighborSettings, OPERATOR, POLICY } from './support.ts';

const SEVEN = [1000, 2000, 3000, 4000, 5000, 6000, 7000];

/** Everything between a command and the mock routers, with what watches over it. */
async function house(t: TestContext, neighbors: readonly NeighborPolicy[], changes: Partial<Policy> = {}) {
  const time = new FakeTime();
  let ids = 0;
  const later: { reconciler?: Reconciler } = {};
  const { engine } = await openEngine({
    store: new MemoryStore(),
    policy: { ...POLICY, forecast: forecastFor(neighbors, [179]), ...changes },
    clock: () => time.now,
    newId: () => `00000000-0000-4000-8000-${String(++ids).padStart(12, '0')}`,
    snapshotEvery: 0,
    room: (neighbor, action) =>
      later.reconciler?.neighbors.roomOn(neighbor, action) ?? Number.POSITIVE_INFINITY,
  });
  const announcer = new MockAnnouncer(
    neighbors.map((one) => neighborSettings(one.name, { families: one.families })),
    () => time.now,
  );
  const made = new Reconciler({
    engine,
    announcer,
    neighbors,
    clock: () => time.now,
    timers: time,
    intervalMs: 30_000,
    log: () => undefined,
  });
  later.reconciler = made;
  const told: Unenforced[] = [];
  const watch = new UnenforcedWatch({
    lacking: () => made.lacking(),
    timers: time,
    onUnenforced: (mitigations) => told.push(...mitigations),
  });
  engine.follow(() => watch.soon());
  await made.start();
  await announcer.start();
  await idle();
  t.after(async () => {
    watch.stop();
    await made.stop();
    await engine.close();
  });
  const view = viewOf(made, engine, announcer);
  const attack = async (victim: string, what = {}) => {
    const answer = await engine.submit(ban(victim, what));
    assert.ok(answer.type === 'event' && answer.mitigation !== undefined, JSON.stringify(answer));
    await idle();
    return { id: answer.mitigation.id, status: answer.status, why: answer.why.join('\n') };
  };
  const rules = (peer: string): readonly string[] =>
    [...announcer.ribOut(peer).sentRoutes()].map(({ route }) => route.text).sort();
  return { time, engine, announcer, view, told, attack, rules };
}

describe('a police of seven named ports', () => {
  it('ends in rules on the router that share the rate', async (t) => {
    const at = await house(t, [neighborPolicy('edge1')]);
    const { id, status } = await at.attack('203.0.113.10', { ports: SEVEN });
    assert.equal(status, 'accepted');
    assert.deepEqual(at.rules('edge1'), [
      'match dst 203.0.113.10/32 proto udp dst-port 1000,2000,3000,4000,5000 then rate-limit 2500kbps',
      'match dst 203.0.113.10/32 proto udp dst-port 6000,7000 then rate-limit 2500kbps',
    ]);
    assert.deepEqual(countNeighbors(at.view.rulesOf(id)), {
      sent: 1,
      pending: 0,
      unsupported: 0,
      overBudget: 0,
    });
  });

  it('is one rule again where fewer ports are attacked by another', async (t) => {
    const at = await house(t, [neighborPolicy('edge1')]);
    await at.attack('203.0.113.11', { ports: [1000] });
    assert.deepEqual(at.rules('edge1'), [
      'match dst 203.0.113.11/32 proto udp dst-port 1000 then rate-limit 5mbps',
    ]);
  });
});

describe('a mitigation that some neighbors do not enforce', () => {
  const fleet = [neighborPolicy('edge1'), neighborPolicy('old', { dialect: 'arista' })];

  it('is accepted, and the answer, the counts and the watch say so', async (t) => {
    const at = await house(t, fleet);
    const { id, why } = await at.attack('203.0.113.10');
    assert.match(why, /not enforced by 1 of 2 neighbors: old: arista: rate-limit is accepted/);
    assert.deepEqual(countNeighbors(at.view.rulesOf(id)), {
      sent: 1,
      pending: 0,
      unsupported: 1,
      overBudget: 0,
    });
    const reason = 'arista: rate-limit is accepted but not applied on some models';
    assert.deepEqual(at.view.shortfalls(), [
      { neighbor: 'old', state: 'unsupported', why: reason, count: 1 },
    ]);
    assert.deepEqual(at.view.ruleCounts(), [
      { neighbor: 'edge1', sent: 1, pending: 0, unsupported: 0, overBudget: 0 },
      { neighbor: 'old', sent: 0, pending: 0, unsupported: 1, overBudget: 0 },
    ]);
    await at.time.advance(1_000);
    assert.deepEqual(at.told, [
      { mitigationId: id, neighbors: [{ neighbor: 'old', state: 'unsupported', why: reason }] },
    ]);
  });

  it('is told once, however often it is extended, and no more when it has ended', async (t) => {
    const at = await house(t, fleet);
    const { id } = await at.attack('203.0.113.10');
    await at.time.advance(1_000);
    await at.attack('203.0.113.10');
    await at.time.advance(1_000);
    assert.equal(at.told.length, 1);
    await at.engine.submit({ type: 'withdraw', id, actor: OPERATOR, reason: 'over' });
    await at.time.advance(1_000);
    assert.deepEqual(at.view.shortfalls(), []);
    assert.equal(at.told.length, 1);
    await at.attack('203.0.113.10');
    await at.time.advance(1_000);
    assert.equal(at.told.length, 2);
  });

  it('is not held against a neighbor that an operator has disabled', async (t) => {
    const at = await house(t, fleet);
    await at.attack('203.0.113.10');
    at.announcer.setEnabled('old', false);
    assert.deepEqual(at.view.shortfalls(), []);
    await at.time.advance(1_000);
    assert.equal(at.told.length, 0, 'and raises no alert');
  });

  it('counts what waits for a session as pending', async (t) => {
    const at = await house(t, [neighborPolicy('edge1')]);
    at.announcer.setEnabled('edge1', false);
    const { id } = await at.attack('203.0.113.10');
    assert.deepEqual(countNeighbors(at.view.rulesOf(id)), {
      sent: 0,
      pending: 1,
      unsupported: 0,
      overBudget: 0,
    });
    assert.equal(at.view.ruleCounts()[0]?.pending, 1);
    assert.deepEqual(at.view.shortfalls(), []);
  });

  it('is seen where a session did not negotiate the family', async (t) => {
    const both = neighborPolicy('edge1');
    const at = await house(t, [both]);
    const { id } = await at.attack('2001:db8:acd::1');
    const settings = neighborSettings('edge1', { families: [FAMILIES['ipv4-flowspec']] });
    await at.announcer.reconfigure([settings]);
    await idle();
    assert.deepEqual(countNeighbors(at.view.rulesOf(id)), {
      sent: 0,
      pending: 0,
      unsupported: 1,
      overBudget: 0,
    });
    assert.deepEqual(
      at.view.shortfalls().map(({ why, count }) => [why, count]),
      [['the session did not negotiate ipv6-flowspec', 1]],
    );
  });

  it('is seen where the egress check holds its rule back', async (t) => {
    const { inventory } = buildInventory({
      customers: [
        {
          customer_id: 'acme',
          services: [
            { service_id: 'bgp', assets: [{ ip: '203.0.113.10' }], allowed_ports: { tcp: [178, 180] } },
          ],
        },
      ],
    });
    const at = await house(t, [neighborPolicy('edge1')], { inventory, forecast: () => [] });
    const { id } = await at.attack('203.0.113.10', { vector: 'syn_flood', protocol: 6 });
    const why = 'held back by the egress check: it names port 179, which is protected';
    assert.deepEqual(at.view.shortfalls(), [{ neighbor: 'edge1', state: 'unsupported', why, count: 1 }]);
    await at.engine.submit({ type: 'withdraw', id, actor: OPERATOR, reason: 'over' });
    await idle();
    assert.deepEqual(at.view.shortfalls(), []);
  });
});

describe('a rule that the egress check holds back', () => {
  it('leaves its room to another, and takes it back when it may be sent', async (t) => {
    const { inventory } = buildInventory({
      customers: [
        {
          customer_id: 'acme',
          prefixes: ['203.0.113.0/24'],
          services: [
            { service_id: 'bgp', assets: [{ ip: '203.0.113.10' }], allowed_ports: { tcp: [178, 180] } },
          ],
        },
      ],
    });
    const policy = { ...POLICY, inventory, forecast: () => [] };
    const at = await house(t, [neighborPolicy('edge1', { maxRules: 1 })], policy);
    const held = await at.attack('203.0.113.10', { vector: 'syn_flood', protocol: 6 });
    at.time.now++;
    const other = await at.attack('203.0.113.11', { vector: 'syn_flood', protocol: 6 });
    const states = () => [held, other].map(({ id }) => at.view.rulesOf(id)[0]?.state);
    assert.deepEqual(states(), ['unsupported', 'sent']);
    const guardrails = { ...policy.guardrails, protectedPorts: [] };
    const summary = 'no port is protected any more';
    await at.engine.adopt({ ...policy, guardrails }, { type: 'policy-loaded', actor: OPERATOR, summary });
    await idle();
    assert.deepEqual(states(), ['sent', 'over_budget']);
    await at.engine.adopt(policy, { type: 'policy-loaded', actor: OPERATOR, summary: 'and again' });
    await idle();
    assert.deepEqual(states(), ['unsupported', 'sent']);
  });
});

describe('a group of commands', () => {
  const soon = { require_confidence_at_least: 0.5, require_persistence_seconds: 60 };
  const { playbooks } = buildPlaybooks({
    playbooks: [
      {
        name: 'udp',
        match: { vector: 'udp_flood' },
        steps: [
          { action: 'police', rate_bps: 5_000_000, ttl_seconds: 600 },
          { action: 'blackhole', ttl_seconds: 600, ...soon },
        ],
      },
    ],
  });
  const targets: Targets = { ...NO_TARGETS, blackhole: { ...NO_TARGETS.blackhole, allowed: true } };
  const neighbor = neighborPolicy('edge1', {
    announce: RULE_KINDS,
    families: Object.values(FAMILIES),
    maxUnicast: 1,
  });

  it('counts a rule that became a route in it', async (t) => {
    const at = await house(t, [neighbor], {
      targets,
      playbooks,
      forecast: forecastFor([neighbor], [], targets),
    });
    for (const host of [10, 11]) await at.attack(`203.0.113.${host}`);
    at.time.now += 60_000;
    const answers = await Promise.all(
      [10, 11].map((host) => at.engine.submit(ban(`203.0.113.${host}`, { confidence: 0.9 }))),
    );
    assert.deepEqual(
      answers.map((one) => 'why' in one && /no room on edge1: max_unicast/.test(one.why.join('\n'))),
      [false, true],
    );
    await idle();
    assert.deepEqual(at.rules('edge1'), [
      'route 203.0.113.10/32 next-hop 192.0.2.1 community blackhole,no-export',
    ]);
  });

  it('does not pass the quota of blackholes together', async (t) => {
    const quotas = { ...POLICY.quotas, maxBlackholedPerCustomer: 1 };
    const at = await house(t, [neighbor], { targets, playbooks, quotas, forecast: () => [] });
    const hosts = [10, 11, 12];
    for (const host of hosts) await at.attack(`203.0.113.${host}`);
    at.time.now += 60_000;
    const answers = await Promise.all(
      hosts.map((host) => at.engine.submit(ban(`203.0.113.${host}`, { confidence: 0.9 }))),
    );
    const actions = answers.map((one) => one.type === 'event' && one.mitigation?.action.type);
    assert.deepEqual(actions, ['blackhole', 'police', 'police']);
  });
});

describe('twenty victims and a neighbor with max_rules: 10', () => {
  const fleet = [neighborPolicy('edge1', { maxRules: 10 })];

  it('leaves ten of them waiting, and says so everywhere', async (t) => {
    const at = await house(t, fleet);
    const made: Awaited<ReturnType<typeof at.attack>>[] = [];
    for (let host = 1; host <= 20; host++) {
      at.time.now++;
      made.push(await at.attack(`203.0.113.${host}`));
    }
    const states = made.map(({ id }) =>
      at.view
        .rulesOf(id)
        .map(({ state }) => state)
        .join(),
    );
    assert.deepEqual(states, [...Array(10).fill('sent'), ...Array(10).fill('over_budget')]);
    assert.deepEqual(
      made.map(({ why }) => /no room on edge1/.test(why)),
      [...Array(10).fill(false), ...Array(10).fill(true)],
    );
    const why = 'max_rules (10) is used up by stricter or older rules';
    assert.deepEqual(at.view.shortfalls(), [{ neighbor: 'edge1', state: 'over_budget', why, count: 10 }]);
    assert.deepEqual(at.view.ruleCounts(), [
      { neighbor: 'edge1', sent: 10, pending: 0, unsupported: 0, overBudget: 10 },
    ]);
    await at.time.advance(1_000);
    assert.deepEqual(
      at.told.map(({ mitigationId }) => mitigationId),
      made.slice(10).map(({ id }) => id),
    );
  });

  it('says so in the answers of one group, which are decided before any table has changed', async (t) => {
    const at = await house(t, fleet);
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, i) => at.engine.submit(ban(`203.0.113.${i + 1}`))),
    );
    const waiting = answers.filter((one) => 'why' in one && /no room on edge1/.test(one.why.join('\n')));
    assert.equal(waiting.length, 10);
  });

  it('says that a displaced rule is not enforced any more, and gives it its place back', async (t) => {
    const at = await house(t, [neighborPolicy('edge1', { maxRules: 1 })]);
    const police = await at.attack('203.0.113.1');
    await at.time.advance(1_000);
    assert.equal(at.told.length, 0);
    const discard = await at.attack('203.0.113.2', { vector: 'syn_flood', protocol: 6 });
    assert.doesNotMatch(discard.why, /no room/, 'it is the stricter one');
    await at.time.advance(1_000);
    assert.deepEqual(
      at.told.map(({ mitigationId, neighbors }) => [mitigationId, neighbors[0]?.state]),
      [[police.id, 'over_budget']],
    );
    await at.engine.submit({ type: 'withdraw', id: discard.id, actor: OPERATOR, reason: 'over' });
    await idle();
    assert.deepEqual(countNeighbors(at.view.rulesOf(police.id)), {
      sent: 1,
      pending: 0,
      unsupported: 0,
      overBudget: 0,
    });
  });
});

describe('two mitigations with one match', () => {
  it('are told in the form that more neighbors can enforce, where the rate is the same', async (t) => {
    const at = await house(t, [neighborPolicy('edge1')], { forecast: () => [] });
    const ask = async (shared: boolean) => {
      const answer = await at.engine.submit({
        type: 'mitigate',
        actor: OPERATOR,
        victim: '203.0.113.10',
        protocol: 17,
        ports: SEVEN,
        action: { type: 'police', rateBps: 5_000_000, ...(shared ? { shared: true } : {}) },
        ttlSeconds: 600,
        reason: 'test',
      });
      assert.ok(answer.type === 'mitigation');
      await idle();
      return answer.mitigation.id;
    };
    const old = await ask(false);
    assert.deepEqual(at.rules('edge1'), []);
    await ask(true);
    assert.equal(at.rules('edge1').length, 2);
    assert.equal(at.view.rulesOf(old)[0]?.state, 'pending');
  });
});
