import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ALICE, policyOf, World } from './scenario.ts';

/** A world with this many mitigations of acme's hosts, one for each host: 203.0.113.50, .51, ... */
function attacked(hosts: number): World {
  const world = new World({ quotas: { maxActivePerCustomer: 100, maxNewPerMinute: 100 } });
  for (let i = 0; i < hosts; i++) world.attack({ victim: `203.0.113.${50 + i}` });
  return world;
}

function add(world: World, prefix: string, ask = true) {
  return world.do({ type: 'safelist-add', prefix, actor: ALICE, reason: 'ours', ask }).answer;
}

describe('taking much down at once', () => {
  test('is asked about when a safelist entry would end more than a tenth of what is active; nothing changes', () => {
    const world = attacked(10);
    const answer = add(world, '203.0.113.50/31');
    assert.deepEqual(answer, {
      type: 'needs-confirmation',
      detail: 'adding 203.0.113.50/31 to the safelist would withdraw 2 of 10 active mitigations',
      ends: 2,
      active: 10,
    });
    assert.deepEqual(world.facts, []);
    assert.equal(add(world, '203.0.113.50/31', false).type, 'safelist');
  });

  test('is not asked about when it is a tenth or less, or the mitigations of one victim', () => {
    assert.equal(add(attacked(20), '203.0.113.50/31').type, 'safelist');
    const one = attacked(1);
    assert.equal(add(one, '203.0.113.0/24').type, 'safelist');
    const twice = new World();
    twice.attack({ ports: [80] });
    twice.attack({ ports: [443] });
    assert.equal(twice.state.live.size, 2);
    assert.equal(add(twice, '203.0.113.50/32').type, 'safelist');
  });

  test('is asked about for prefixes that cover a large part of all addresses, even when nothing is active', () => {
    for (const prefix of ['0.0.0.0/0', '::/0', '128.0.0.0/7', '2000::/15']) {
      const world = new World();
      const answer = add(world, prefix);
      assert.ok(answer.type === 'needs-confirmation', prefix);
      assert.match(answer.detail, /would rule out mitigations for more than a \/(8|16) and withdraw 0 of 0/);
      assert.equal(world.state.safelist.size, 0);
    }
    for (const prefix of ['10.0.0.0/8', '2001::/16']) assert.equal(add(new World(), prefix).type, 'safelist');
  });

  test('is asked about for a configuration that would end more than a tenth', () => {
    const world = attacked(3);
    world.policy = policyOf({ safelist: ['203.0.113.50/31'] });
    const load = (ask: boolean) => world.do({ type: 'policy-loaded', actor: ALICE, summary: '', ask }).answer;
    assert.deepEqual(load(true), {
      type: 'needs-confirmation',
      detail: 'the new configuration would withdraw 2 of 3 active mitigations',
      ends: 2,
      active: 3,
    });
    assert.deepEqual(world.facts, []);
    assert.equal(load(false).type, 'done');
  });
});
