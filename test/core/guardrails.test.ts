import { DISCARD } from '../../src/core/action.ts';
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { checkPorts, checkTarget } from '../../src/core/policy/guardrails.ts';
import { initialState } from '../../src/core/state/state.ts';
import type { Match } from '../../src/core/types.ts';
import { type EventAnswer, policyOf, prefix, World } from './scenario.ts';

function assertRefused(world: World, answer: EventAnswer, reason: string): void {
  assert.equal(answer.status, 'rejected');
  assert.equal(answer.refusal, reason);
  assert.deepEqual(world.facts, ['event.received', 'mitigation.rejected']);
  assert.equal(answer.mitigation?.status, 'rejected');
  assert.equal(answer.mitigation?.reason, reason);
  assert.match(world.why, new RegExp(`refused \\(${reason}\\)`));
  assert.equal(world.state.live.size, 0);
  assert.equal(world.state.events.get(answer.eventId)?.refusal, reason);
}

describe('an event is refused', () => {
  test('when the safelist covers the victim', () => {
    const world = new World();
    world.safelist('203.0.113.0/26');
    assertRefused(world, world.event({}), 'safelisted');
  });

  test("when the configuration's safelist covers the victim", () => {
    const world = new World({ safelist: ['203.0.113.50/32'] });
    assertRefused(world, world.event({}), 'safelisted');
  });

  test('when the victim is protected', () => {
    const world = new World();
    assertRefused(world, world.event({ victim: '192.0.2.10' }), 'protected');
  });

  test('when it names a protected port', () => {
    const world = new World();
    assertRefused(world, world.event({ vector: 'syn_flood', ports: [80, 179] }), 'protected');
  });

  test('when the victim belongs to nobody', () => {
    const world = new World();
    assertRefused(world, world.event({ victim: '8.8.8.8' }), 'not_in_inventory');
  });

  test('but not when the inventory is not required', () => {
    const world = new World({ guardrails: { requireInventory: false } });
    const answer = world.event({ victim: '8.8.8.8' });
    assert.equal(answer.status, 'accepted');
    assert.equal(answer.mitigation?.customerId, null);
  });

  test('when the destination is longer than allowed', () => {
    const world = new World({ guardrails: { dstPrefixMinLen: 24, dstPrefixMaxLen: 24 } });
    assertRefused(world, world.event({}), 'prefix_length');
  });
});

describe('an attack on more ports than a rule may name', () => {
  const NINE = [1, 2, 3, 4, 5, 6, 7, 8, 9];

  test('is one on no particular port: the rule covers the protocol', () => {
    const world = new World();
    const mitigation = world.attack({ ports: NINE });
    assert.deepEqual([mitigation.ports, mitigation.match.dstPorts], [[], []]);
    assert.match(world.why, /9 ports are more than a rule may name \(guardrails.max_ports: 8\)/);
  });

  test('spares the allowed ports, which do not count', () => {
    const world = new World();
    const mitigation = world.attack({ victim: '203.0.113.10', ports: [...NINE, 53] });
    assert.deepEqual(mitigation.excludedPorts, [53]);
    assert.deepEqual(mitigation.match.dstPorts, [
      [0, 52],
      [54, 65535],
    ]);
    const eight = new World().attack({ victim: '203.0.113.10', ports: [...NINE.slice(1), 53] });
    assert.deepEqual(eight.ports, NINE.slice(1));
  });

  test('polices every port where those that are attacked are allowed ones', () => {
    const world = new World({ guardrails: { maxPorts: 1 } });
    const mitigation = world.attack({ victim: '203.0.113.12', ports: [53, 123] });
    assert.deepEqual([mitigation.action.type, mitigation.match.dstPorts], ['police', []]);
  });

  test('widens the active rule to the protocol; its id does not change', () => {
    const world = new World({ guardrails: { maxPorts: 2 } });
    const first = world.attack({ ports: [1, 2] });
    assert.equal(world.wait(100).event({ ports: [1, 2, 3] }).status, 'widened');
    assert.deepEqual(world.get(first.id).match.dstPorts, []);
  });
});

describe('quotas', () => {
  test('per customer', () => {
    const world = new World({ quotas: { maxActivePerCustomer: 2 } });
    world.attack({ victim: '203.0.113.1' });
    world.attack({ victim: '203.0.113.2' });
    assert.equal(world.event({ victim: '203.0.113.3' }).refusal, 'quota_customer');
    assert.equal(world.event({ victim: '198.51.100.1' }).status, 'accepted', 'another customer');
  });

  test('per POP', () => {
    const world = new World({ quotas: { maxActivePerPop: 1 } });
    world.attack({});
    assert.equal(world.event({ victim: '198.51.100.1' }).refusal, 'quota_pop');
  });

  test('in all', () => {
    const world = new World({ quotas: { maxActiveGlobal: 1 } });
    world.attack({});
    assert.equal(world.event({ victim: '198.51.100.1' }).refusal, 'quota_global');
  });

  test('new within a minute', () => {
    const world = new World({ quotas: { maxNewPerMinute: 2, maxActivePerCustomer: 100 } });
    world.attack({ victim: '203.0.113.1' });
    world.wait(30).attack({ victim: '203.0.113.2' });
    assert.equal(world.event({ victim: '203.0.113.3' }).refusal, 'quota_rate');
    world.wait(29);
    assert.equal(world.event({ victim: '203.0.113.3' }).refusal, 'quota_rate');
    world.wait(1);
    assert.equal(world.event({ victim: '203.0.113.3' }).status, 'accepted', 'the first is a minute ago');
  });

  test('a minute go by the clock of now, though it was set back: neither stuck nor lifted', () => {
    const world = new World({ quotas: { maxNewPerMinute: 2 } });
    world.attack({ victim: '203.0.113.1' });
    world.attack({ victim: '203.0.113.2' });
    world.now -= 3600 * 1000;
    world.attack({ victim: '203.0.113.3' });
    world.wait(10).attack({ victim: '203.0.113.4' });
    assert.equal(world.event({ victim: '203.0.113.5' }).refusal, 'quota_rate');
    world.wait(50);
    assert.equal(world.event({ victim: '203.0.113.5' }).status, 'accepted');
  });

  test('of zero allow none', () => {
    assert.equal(new World({ quotas: { maxActiveGlobal: 0 } }).event({}).refusal, 'quota_global');
  });

  test('do not prevent extending and widening', () => {
    const world = new World({ quotas: { maxActivePerCustomer: 1 } });
    world.attack({ ports: [80] });
    assert.equal(world.event({ ports: [80] }).status, 'extended');
    assert.equal(world.event({ ports: [80, 81] }).status, 'widened');
    const partly = world.event({ ports: [81, 82] });
    assert.equal(partly.refusal, 'quota_customer', 'the new port would need a mitigation of its own');
    assert.deepEqual(world.facts, ['event.received', 'mitigation.extended', 'mitigation.rejected']);
  });

  test('count neither what is ending nor what was refused', () => {
    const world = new World({ quotas: { maxActivePerCustomer: 1 } });
    const first = world.attack({});
    assert.equal(world.event({ victim: '203.0.113.2' }).refusal, 'quota_customer');
    world.withdraw(first.id);
    assert.equal(world.event({ victim: '203.0.113.2' }).status, 'accepted');
  });

  test('of dry-run are their own', () => {
    const world = new World({ quotas: { maxActiveGlobal: 1 }, mode: 'dry-run' });
    world.attack({});
    assert.equal(world.event({ victim: '198.51.100.1' }).refusal, 'quota_global');
    world.policy = policyOf({ quotas: { maxActiveGlobal: 1 } });
    assert.equal(world.event({ victim: '198.51.100.1' }).status, 'accepted');
  });
});

describe('a rule is checked by itself', () => {
  const match: Match = { dstPrefix: '203.0.113.50/32', protocol: 17, dstPorts: [], srcPorts: [] };
  const judge = (change: Partial<Match>, options = {}) =>
    checkTarget(initialState(), policyOf(options), { ...match, ...change }, DISCARD)?.reason ?? null;

  test('destination and protocol are enough', () => {
    assert.equal(judge({}), null);
  });

  test('a destination shorter than allowed is too broad', () => {
    assert.equal(judge({ dstPrefix: '203.0.113.0/24' }), 'rule_too_broad');
    assert.equal(judge({ dstPrefix: '2001:db8::/64' }), 'rule_too_broad');
  });

  test('an invalid destination is too broad', () => {
    assert.equal(judge({ dstPrefix: '' }), 'rule_too_broad');
  });

  test('a source prefix needs permission, and may not touch what is safe or protected', () => {
    const guardrails = { allowSrcPrefixMatch: true };
    assert.equal(judge({ srcPrefix: '9.0.0.0/8' }), 'rule_too_broad');
    assert.equal(judge({ srcPrefix: '9.0.0.0/8' }, { guardrails }), null);
    assert.equal(judge({ srcPrefix: '192.0.0.0/8' }, { guardrails }), 'protected');
    assert.equal(judge({ srcPrefix: '9.0.0.0/8' }, { guardrails, safelist: ['9.9.9.9'] }), 'safelisted');
  });

  test('a safelisted prefix inside a wider rule is as safe as one that covers it', () => {
    const wide = { guardrails: { dstPrefixMinLen: 8 }, safelist: ['203.0.113.77'] };
    assert.equal(judge({ dstPrefix: '203.0.113.0/24' }, wide), 'safelisted');
    const guardrails = { dstPrefixMinLen: 8, protectedPrefixes: [prefix('203.0.113.77')] };
    assert.equal(judge({ dstPrefix: '203.0.113.0/24' }, { guardrails }), 'protected');
  });
});

describe('incidents that must not repeat', () => {
  test('2020-08-30, a wildcard rule blocked BGP itself: a rule has a destination, and none names port 179 in either direction', () => {
    const policy = policyOf();
    const wildcard: Match = { dstPrefix: '0.0.0.0/0', protocol: null, dstPorts: [], srcPorts: [] };
    assert.equal(checkTarget(initialState(), policy, wildcard, DISCARD)?.reason, 'protected');
    const unprotected = policyOf({ guardrails: { protectedPrefixes: [] } });
    assert.equal(checkTarget(initialState(), unprotected, wildcard, DISCARD)?.reason, 'rule_too_broad');
    const host = { ...wildcard, dstPrefix: '203.0.113.50/32' };
    const rule = { match: host, ports: [179], excludedPorts: [] };
    assert.equal(checkPorts(policy.guardrails, rule)?.reason, 'protected');
    const reply = { match: { ...host, srcPorts: [[179, 179]] as const }, ports: [], excludedPorts: [] };
    assert.equal(checkPorts(policy.guardrails, reply)?.reason, 'protected');
  });
});
