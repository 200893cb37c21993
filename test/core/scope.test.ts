/** A mitigation is for the POPs that its step, the inventory, the report or the operator names. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { deservesRule } from '../../src/control/desired.ts';
import { concernsOthers } from '../../src/core/own-intents.ts';
import type { InventoryData } from '../../src/core/policy/inventory-schema.ts';
import { buildPlaybooks } from '../../src/core/policy/playbook.ts';
import type { PlaybookData, StepData } from '../../src/core/policy/playbook-schema.ts';
import { buildInventory } from '../../src/core/policy/inventory.ts';
import type { Mitigation } from '../../src/core/types.ts';
import { ALICE, type EventOptions, prefix, World } from './scenario.ts';

type Scope = NonNullable<StepData['scope']>;

/** acme is reached through fra1; one prefix through ams1, the DNS server through ams1 and sin1; bob through any POP. */
const INVENTORY: InventoryData = {
  customers: [
    {
      customer_id: 'acme',
      pops: ['fra1'],
      prefixes: ['203.0.113.0/24', { prefix: '203.0.113.128/25', pops: ['ams1'] }],
      services: [
        { service_id: 'dns', pops: ['sin1', 'ams1'], assets: [{ ip: '203.0.113.10' }] },
        { service_id: 'web', assets: [{ ip: '203.0.113.200' }, { ip: '192.0.3.1' }] },
      ],
    },
    { customer_id: 'bob', prefixes: ['198.51.100.0/24'] },
  ],
};

function stepsOf(...scopes: readonly (Scope | undefined)[]): PlaybookData['steps'] {
  return scopes.map((scope, i) => ({
    action: i === 0 ? ('police' as const) : ('discard' as const),
    ...(i === 0
      ? { rate_bps: 1_000_000 }
      : { require_persistence_seconds: 0, require_confidence_at_least: 0 }),
    ...(scope === undefined ? {} : { scope }),
  }));
}

function worldOf(...scopes: readonly (Scope | undefined)[]): World {
  const playbooks = [{ name: 'udp', match: { vector: 'udp_flood' }, steps: stepsOf(...scopes) }];
  return new World({ inventory: INVENTORY, playbooks: { playbooks } });
}

function attacked(scope: Scope | undefined, options: EventOptions = {}): Mitigation {
  return worldOf(scope).attack(options);
}

describe('a step', () => {
  test('without a scope, or with scope here, is for this POP alone', () => {
    for (const scope of [undefined, 'here' as const, ['iad1']]) {
      const mitigation = attacked(scope);
      assert.ok(!('pops' in mitigation));
      assert.ok(!concernsOthers(mitigation));
    }
  });

  test('with scope everywhere is for all POPs', () => {
    const mitigation = attacked('everywhere');
    assert.deepEqual(mitigation.pops, ['*']);
    assert.ok(concernsOthers(mitigation));
    assert.ok(deservesRule(mitigation, mitigation.createdAt));
    assert.match(mitigation.why.join('\n'), /the rule is for the routers of every POP \(scope: everywhere\)/);
  });

  test('with a list is for these POPs; left out, this one gives its routers no rule', () => {
    const mitigation = attacked(['fra1', 'ams1', 'fra1']);
    assert.deepEqual(mitigation.pops, ['ams1', 'fra1']);
    assert.ok(concernsOthers(mitigation));
    assert.ok(!deservesRule(mitigation, mitigation.createdAt));
  });

  test('with scope victim is for the POPs of the most specific entry', () => {
    const pops = (victim: string): Mitigation['pops'] => attacked('victim', { victim }).pops;
    assert.deepEqual(pops('203.0.113.10'), ['ams1', 'sin1'], 'its service');
    assert.deepEqual(pops('203.0.113.130'), ['ams1'], 'its prefix');
    assert.deepEqual(pops('203.0.113.200'), ['ams1'], 'the prefix around its asset');
    assert.deepEqual(pops('203.0.113.50'), ['fra1'], 'its customer');
    assert.deepEqual(pops('198.51.100.1'), ['*'], 'none is named, so traffic may enter anywhere');
  });

  test('with scope reported is for the POPs that the report names, or for this one', () => {
    assert.deepEqual(attacked('reported', { pops: ['ams1', 'iad1'] }).pops, ['ams1', 'iad1']);
    assert.ok(!('pops' in attacked('reported')));
  });

  test('with scope reported reaches further with each report that names another POP', () => {
    const world = worldOf('reported', undefined);
    world.policy = { ...world.policy, escalation: { ...world.policy.escalation, enabled: false } };
    const { id } = world.attack({ pops: ['ams1'] });
    assert.equal(world.event({ pops: ['fra1'] }).status, 'widened');
    assert.deepEqual(world.get(id).pops, ['ams1', 'fra1']);
    assert.equal(world.event({ pops: ['ams1'] }).status, 'extended');
    assert.deepEqual(world.get(id).pops, ['ams1', 'fra1']);
  });

  test('takes its own scope when the mitigation escalates to it, also back to this POP alone', () => {
    const world = worldOf(['ams1'], 'everywhere', 'here');
    const { id } = world.attack({ confidence: 0.9 });
    world.wait(10).event({ confidence: 0.9 });
    assert.deepEqual(world.get(id).pops, ['*']);
    world.wait(10).event({ confidence: 0.9 });
    assert.equal(world.get(id).step, 2);
    assert.equal(world.get(id).pops, null);
    assert.ok(deservesRule(world.get(id), world.now));
  });
});

describe('one rule for a prefix', () => {
  test('is for all POPs where one of its hosts was reported', () => {
    const playbooks = [{ name: 'udp', match: { vector: 'udp_flood' }, steps: stepsOf('reported') }];
    const world = new World({
      inventory: INVENTORY,
      playbooks: { playbooks },
      guardrails: { dstPrefixMinLen: 24 },
      aggregation: { hosts: 3 },
    });
    world.attack({ victim: '203.0.113.50', pops: ['ams1'] });
    world.attack({ victim: '203.0.113.51' });
    const wide = world.attack({ victim: '203.0.113.52', pops: ['fra1'] });
    assert.equal(wide.victim, '203.0.113.0/24');
    assert.deepEqual(wide.pops, ['ams1', 'fra1', 'iad1']);
  });
});

describe("an operator's own mitigation", () => {
  test('is for the POPs that the request names', () => {
    const world = worldOf('here');
    const ask = {
      type: 'mitigate',
      actor: ALICE,
      victim: '203.0.113.50',
      protocol: 17,
      ports: [],
      action: { type: 'discard', rateBps: null },
      ttlSeconds: 60,
      reason: 'ticket',
    } as const;
    world.do({ ...ask, pops: ['fra1', 'iad1'] });
    world.do({ ...ask, victim: '203.0.113.51', pops: ['*', 'fra1'] });
    world.do({ ...ask, victim: '203.0.113.52' });
    const pops = [...world.state.mitigations.values()].map((one) => one.pops);
    assert.deepEqual(pops, [['fra1', 'iad1'], ['*'], undefined]);
  });
});

describe('a playbook for certain POPs', () => {
  const steps = stepsOf(undefined);
  const match = { vector: 'udp_flood' };
  const playbooks = [
    { name: 'usual', match, steps },
    { name: 'ours', match, steps, pops: ['iad1', 'sin1'] },
    { name: 'theirs', match, steps, pops: ['fra1'] },
  ];

  test('comes before one for all, and is ignored elsewhere', () => {
    const names = (pop: string | undefined): readonly string[] => [
      ...(buildPlaybooks({ playbooks }, pop).playbooks.byVector.get('udp_flood') ?? []).map(
        ({ name }) => name,
      ),
    ];
    assert.deepEqual(names('iad1'), ['ours', 'usual']);
    assert.deepEqual(names('fra1'), ['theirs', 'usual']);
    assert.deepEqual(names('ams1'), ['usual']);
    assert.equal(new World({ playbooks: { playbooks } }).attack().playbook, 'ours');
  });

  test('needs a name of its own, wherever it applies', () => {
    const twice = [...playbooks, { name: 'theirs', match, steps, pops: ['ams1'] }];
    for (const pop of ['iad1', 'fra1', 'ams1']) {
      const { problems } = buildPlaybooks({ playbooks: twice }, pop);
      assert.deepEqual(
        problems.map(({ message }) => message),
        ['the name "theirs" is used twice'],
        pop,
      );
    }
  });
});

describe("the inventory's POPs", () => {
  test("are found for an asset outside its customer's prefixes, and for a prefix", () => {
    const { inventory } = buildInventory(INVENTORY);
    assert.deepEqual(inventory.popsOf(prefix('192.0.3.1/32')), ['fra1']);
    assert.deepEqual(inventory.popsOf(prefix('203.0.113.128/26')), ['ams1']);
    assert.deepEqual(inventory.popsOf(prefix('203.0.113.0/24')), ['fra1']);
    assert.equal(inventory.popsOf(prefix('8.8.8.8/32')), undefined);
  });
});
