import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Command } from '../../src/core/commands.ts';
import { ALICE, detection, INVENTORY, NOON, policyOf, World } from './scenario.ts';

type Mitigate = Extract<Command, { type: 'mitigate' }>;

function ask(change: Partial<Mitigate> = {}): Mitigate {
  return {
    type: 'mitigate',
    actor: ALICE,
    victim: '203.0.113.50',
    protocol: 17,
    ports: [80],
    action: { type: 'discard', rateBps: null },
    ttlSeconds: 600,
    reason: 'customer called',
    ...change,
  };
}

describe('withdrawing', () => {
  test('sends a mitigation on its way out; it has ended when every session was sent the withdrawal', () => {
    const world = new World();
    const { id } = world.attack({});
    const { answer } = world.withdraw(id);
    assert.equal(answer.type, 'mitigation');
    assert.deepEqual(world.get(id).ending, {
      to: 'withdrawn',
      at: NOON,
      actor: ALICE,
      reason: 'false alarm',
    });
    assert.ok(world.state.live.has(id));
    world.wait(1).do({ type: 'confirm-ended', ids: [id] });
    assert.deepEqual(world.facts, ['mitigation.withdrawn']);
    assert.equal(world.get(id).status, 'withdrawn');
    assert.equal(world.get(id).endedAt, NOON + 1000);
    assert.equal(world.state.live.size, 0);
  });

  test('what is not there is not found; what has ended, is ending or was refused is a conflict', () => {
    const world = new World();
    assert.equal(world.withdraw('nobody').answer.type, 'not-found');
    const { id } = world.attack({});
    world.withdraw(id);
    assert.equal(world.withdraw(id).answer.type, 'conflict');
    world.do({ type: 'confirm-ended', ids: [id] });
    assert.equal(world.withdraw(id).answer.type, 'conflict');
    const refused = world.event({ victim: '8.8.8.8' }).mitigation?.id ?? '';
    assert.equal(world.withdraw(refused).answer.type, 'conflict');
  });

  test('everything at once', () => {
    const world = new World();
    const ids = ['203.0.113.1', '203.0.113.2'].map((victim) => world.attack({ victim }).id);
    world.do({ type: 'withdraw-all', actor: ALICE, reason: 'panic' });
    assert.deepEqual(world.last.answer, { type: 'done', affected: ids });
    assert.equal(world.state.earliestDue, undefined);
    world.do({ type: 'withdraw-all', actor: ALICE, reason: 'panic' });
    assert.deepEqual(world.facts, [], 'nothing is left to withdraw');
  });

  test('confirming what is unknown, active or confirmed already changes nothing', () => {
    const world = new World();
    const { id } = world.attack({});
    // It began again after this was sent, and has ended again.
    world.do({ type: 'confirm-ended', ids: [id], isHeld: (one) => one === id });
    assert.deepEqual(world.facts, []);
    world.do({ type: 'confirm-ended', ids: [id, 'nobody'] });
    assert.deepEqual(world.facts, []);
    world.withdraw(id);
    world.do({ type: 'confirm-ended', ids: [id, id] });
    assert.deepEqual(world.facts, ['mitigation.withdrawn']);
    world.do({ type: 'confirm-ended', ids: [id] });
    assert.deepEqual(world.facts, []);
  });
});

describe('expiry', () => {
  test('ends what is past its TTL, and nothing else', () => {
    const world = new World();
    const early = world.attack({ victim: '203.0.113.1' });
    world.wait(60);
    const late = world.attack({ victim: '203.0.113.2' });
    assert.equal(world.state.earliestDue, NOON + 120_000);
    world.wait(59).do({ type: 'expire' });
    assert.deepEqual(world.facts, []);
    world.wait(1).do({ type: 'expire' });
    assert.deepEqual(world.facts, ['mitigation.ending']);
    assert.equal(world.get(early.id).ending?.to, 'expired');
    assert.equal(world.state.earliestDue, late.expiresAt);
    world.do({ type: 'confirm-ended', ids: [early.id] });
    assert.equal(world.get(early.id).status, 'expired');
  });

  test('goes by the last extension', () => {
    const world = new World();
    const { id } = world.attack({});
    world.wait(100).event({});
    world.wait(20).do({ type: 'expire' });
    assert.equal(world.get(id).ending, null);
    world.wait(100).do({ type: 'expire' });
    assert.equal(world.get(id).ending?.to, 'expired');
  });

  test('thousands that expire at once are ended in slices', () => {
    const unbounded = { maxActivePerCustomer: 1000, maxActivePerPop: 1000, maxActiveGlobal: 1000 };
    const world = new World({ quotas: { ...unbounded, maxNewPerMinute: 1000 } });
    for (let host = 0; host < 250; host++) world.attack({ victim: `203.0.113.${host}` });
    world.wait(121).do({ type: 'expire' });
    assert.equal(world.facts.length, 200);
    assert.ok((world.state.earliestDue ?? Number.POSITIVE_INFINITY) <= world.now, 'the others are due');
    world.do({ type: 'expire' });
    assert.equal(world.facts.length, 50);
    assert.equal(world.state.earliestDue, undefined);
  });

  test('a clock set back keeps nothing longer than the longest TTL', () => {
    const world = new World();
    const { id } = world.attack({});
    world.now = NOON - 24 * 3600 * 1000;
    world.do({ type: 'expire' });
    assert.equal(world.get(id).expiresAt, world.now + 1_800_000);
    world.wait(1800).do({ type: 'expire' });
    assert.equal(world.get(id).ending?.to, 'expired');
  });

  test('nor does it when something was decided since', () => {
    const world = new World();
    const { id } = world.attack({});
    world.now = NOON - 24 * 3600 * 1000;
    world.attack({ victim: '203.0.113.51' });
    world.do({ type: 'expire' });
    assert.equal(world.get(id).expiresAt, world.now + 1_800_000);
    world.do({ type: 'expire' });
    assert.deepEqual(world.facts, []);
  });

  test('a lowered maximum TTL applies to active mitigations', () => {
    const world = new World();
    const { id } = world.attack({});
    world.policy = policyOf({ timers: { maxTtlSeconds: 60 } });
    world.do({ type: 'expire' });
    assert.equal(world.get(id).expiresAt, NOON + 60_000);
  });
});

describe('the safelist', () => {
  test('withdraws mitigations that overlap a new prefix', () => {
    const world = new World();
    const inside = world.attack({ victim: '203.0.113.1' });
    const outside = world.attack({ victim: '203.0.113.200' });
    world.safelist('203.0.113.0/25');
    assert.deepEqual(world.facts, ['safelist.added', 'mitigation.ending']);
    const { answer } = world.last;
    assert.ok(answer.type === 'safelist');
    assert.deepEqual(answer.withdrawn, [inside.id]);
    assert.equal(world.get(outside.id).ending, null);
  });

  test('lets events through again when an entry is removed', () => {
    const world = new World();
    world.safelist('203.0.113.0/24');
    assert.equal(world.event({}).refusal, 'safelisted');
    world.do({ type: 'safelist-remove', prefix: '203.0.113.0/24', actor: ALICE });
    assert.deepEqual(world.facts, ['safelist.removed']);
    assert.equal(world.event({}).status, 'accepted');
  });

  test('knows what is not on it, and what only the file can take away', () => {
    const world = new World({ safelist: ['10.0.0.0/8'] });
    const remove = (prefix: string) =>
      world.do({ type: 'safelist-remove', prefix, actor: ALICE }).answer.type;
    assert.equal(remove('10.0.0.0/8'), 'conflict');
    assert.equal(remove('10.0.0.0/9'), 'not-found');
  });

  test('works for IPv6', () => {
    const world = new World();
    const { id } = world.attack({ victim: '2001:db8:acd::1' });
    world.safelist('2001:db8::/32');
    assert.equal(world.get(id).ending?.to, 'withdrawn');
    assert.equal(world.event({ victim: '2001:db8:acd::1' }).refusal, 'safelisted');
  });
});

describe('pause', () => {
  test('records events and announces nothing new; TTLs go on; resume ends it', () => {
    const world = new World();
    const standing = world.attack({});
    world.do({ type: 'pause', actor: ALICE, reason: 'panic' });
    assert.deepEqual(world.facts, ['control.paused']);
    const answer = world.event({ victim: '203.0.113.2' });
    assert.equal(answer.status, 'accepted_no_mitigation');
    assert.match(world.why, /paused by alice \(panic\)/);
    assert.equal(world.event({}).status, 'accepted_no_mitigation', 'nor is anything extended');
    world.wait(120).do({ type: 'expire' });
    assert.equal(world.get(standing.id).ending?.to, 'expired');
    world.do({ type: 'resume', actor: ALICE, reason: 'over' });
    assert.equal(world.event({ victim: '203.0.113.2' }).status, 'accepted');
  });

  test('lets an operator withdraw, and refuses an operator’s own mitigation', () => {
    const world = new World();
    const { id } = world.attack({});
    world.do({ type: 'pause', actor: ALICE, reason: 'panic' });
    assert.equal(world.do(ask()).answer.type, 'conflict');
    assert.equal(world.withdraw(id).answer.type, 'mitigation');
  });

  test('twice is once', () => {
    const world = new World();
    world.do({ type: 'resume', actor: ALICE, reason: '' });
    assert.deepEqual(world.facts, []);
    world.do({ type: 'pause', actor: ALICE, reason: 'a' });
    world.do({ type: 'pause', actor: ALICE, reason: 'b' });
    assert.deepEqual(world.facts, []);
    assert.equal(world.state.paused?.reason, 'a');
  });
});

describe("an operator's own mitigation", () => {
  test('is active as requested', () => {
    const world = new World();
    const { answer } = world.do(ask());
    assert.ok(answer.type === 'mitigation');
    const mitigation = world.get(answer.mitigation.id);
    assert.equal(mitigation.playbook, null);
    assert.equal(mitigation.vector, 'manual');
    assert.deepEqual(mitigation.createdBy, ALICE);
    assert.equal(mitigation.reason, 'customer called');
    assert.equal(mitigation.expiresAt, NOON + 600_000);
    assert.deepEqual(mitigation.match.dstPorts, [[80, 80]]);
  });

  for (const [what, change, reason] of [
    ['a TTL below the bounds', { ttlSeconds: 29 }, 'ttl_out_of_bounds'],
    ['a TTL above the bounds', { ttlSeconds: 1801 }, 'ttl_out_of_bounds'],
    ['a TTL that is no number', { ttlSeconds: Number.NaN }, 'ttl_out_of_bounds'],
    ['a stranger', { victim: '8.8.8.8' }, 'not_in_inventory'],
    ['the control plane', { victim: '192.0.2.1' }, 'protected'],
    ['a protected port', { protocol: 6, ports: [179] }, 'protected'],
    ['too many ports', { ports: [1, 2, 3, 4, 5, 6, 7, 8, 9] }, 'too_many_ports'],
    ['ports of a protocol without', { protocol: 1, ports: [80] }, 'rule_too_broad'],
    ['a discard of nothing but allowed ports', { victim: '203.0.113.10', ports: [53] }, 'protected'],
  ] as const) {
    test(`is refused for ${what}`, () => {
      const world = new World();
      const { answer } = world.do(ask(change));
      assert.ok(answer.type === 'refused', answer.type);
      assert.equal(answer.reason, reason);
      assert.deepEqual(world.facts, ['mitigation.rejected']);
    });
  }

  test('spares allowed ports in a discard, and may police them', () => {
    const world = new World();
    world.do(ask({ victim: '203.0.113.10', ports: [53, 80] }));
    world.do(ask({ victim: '203.0.113.10', ports: [53], action: { type: 'police', rateBps: 1e6 } }));
    const rules = [...world.state.mitigations.values()].map(({ ports, action }) => [action.type, ports]);
    assert.deepEqual(rules, [
      ['discard', [80]],
      ['police', [53]],
    ]);
  });

  test('that polices needs a rate', () => {
    for (const rateBps of [0, -1, Number.NaN]) {
      assert.throws(() => new World().do(ask({ action: { type: 'police', rateBps } })), RangeError);
    }
  });

  test('counts against the quotas', () => {
    const world = new World({ quotas: { maxActivePerCustomer: 1 } });
    world.attack({});
    const { answer } = world.do(ask());
    assert.ok(answer.type === 'refused');
    assert.equal(answer.reason, 'quota_customer');
  });
});

describe('a new policy', () => {
  const load = { type: 'policy-loaded', actor: ALICE, summary: 'reload' } as const;

  test('is recorded, and ends what its safelist or its protected prefixes touch', () => {
    const world = new World();
    const { id } = world.attack({});
    const other = world.attack({ victim: '203.0.113.51' });
    world.policy = policyOf({ safelist: ['203.0.113.50/32'] });
    world.do(load);
    assert.deepEqual(world.facts, ['policy.loaded', 'mitigation.ending']);
    assert.equal(world.get(id).ending?.to, 'withdrawn');
    assert.match(world.get(id).ending?.reason ?? '', /safelist/);
    assert.equal(world.get(other.id).ending, null);
  });

  test('ends a discard of a port that it allows', () => {
    const world = new World();
    const { id } = world.attack({ vector: 'ack_flood', ports: [8443] });
    const spare = { service_id: 'spare', assets: [{ ip: '203.0.113.50' }], allowed_ports: { tcp: [8443] } };
    const [acme, ...others] = INVENTORY.customers;
    assert.ok(acme !== undefined);
    const customers = [{ ...acme, services: [...(acme.services ?? []), spare] }, ...others];
    world.policy = policyOf({ inventory: { customers } });
    world.do(load);
    assert.match(world.get(id).ending?.reason ?? '', /now allowed/);
  });

  test('ends a rule that names a port which it protects, in either direction', () => {
    const world = new World({ guardrails: { protectedPorts: [] } });
    const named = world.attack({ vector: 'syn_flood', ports: [178, 179, 180] });
    const replies = world.attack({ vector: 'dns_amplification' });
    const other = world.attack({ vector: 'syn_flood', ports: [8080] });
    world.policy = policyOf({ guardrails: { protectedPorts: [53, 179] } });
    world.do(load);
    for (const { id } of [named, replies])
      assert.match(world.get(id).ending?.reason ?? '', /names protected port/);
    assert.equal(world.get(other.id).ending, null);
  });

  test('takes a mitigation along with a victim that moves to another customer: quotas, alerts and lists', () => {
    const world = new World();
    const { id } = world.attack({ victim: '203.0.113.50' });
    const customers = [
      { customer_id: 'acme', prefixes: ['203.0.113.0/25'] },
      {
        customer_id: 'dora',
        prefixes: ['203.0.113.128/25'],
        services: [{ service_id: 'shop', assets: [{ ip: '203.0.113.50' }] }],
      },
    ];
    world.policy = policyOf({ inventory: { customers } });
    world.do(load);
    assert.deepEqual(world.facts, ['policy.loaded', 'mitigation.moved']);
    assert.equal(world.get(id).customerId, 'dora');
    assert.equal(world.get(id).serviceId, 'shop');
    assert.equal(world.state.activeOfCustomer('acme', false), 0);
    assert.equal(world.state.activeOfCustomer('dora', false), 1);
    world.do(load);
    assert.deepEqual(world.facts, ['policy.loaded'], 'once');
  });

  test('that is a dry run ends mitigations that routers have, and nothing else', () => {
    const world = new World();
    const { id } = world.attack({});
    world.policy = policyOf({ mode: 'dry-run' });
    world.do(load);
    assert.match(world.get(id).ending?.reason ?? '', /dry-run/);
    const dry = world.attack({});
    assert.ok(dry.dryRun);
    world.do(load);
    assert.deepEqual(world.facts, ['policy.loaded']);
    world.policy = policyOf();
    world.do(load);
    assert.deepEqual(world.facts, ['policy.loaded']);
  });

  test('with other playbooks still extends active mitigations', () => {
    const world = new World();
    const { id } = world.attack({});
    world.policy = policyOf({
      playbooks: { default_playbook: { steps: [{ action: 'police', rate_bps: 1e6, ttl_seconds: 200 }] } },
    });
    world.do(load);
    assert.equal(world.event(detection()).status, 'extended');
    assert.equal(world.get(id).expiresAt, NOON + 200_000);
  });
});
