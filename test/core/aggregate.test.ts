/**
 * Carpet bombing: many hosts of one inventory prefix become one rule for the prefix, and hosts again when it narrows.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { isActive } from '../../src/core/state/indices.ts';
import { restoreState } from '../../src/core/state/state.ts';
import type { Mitigation } from '../../src/core/types.ts';
import { ALICE, detection, type EventOptions, FNM, policyOf, type PolicyOptions, World } from './scenario.ts';
import { visible } from './visible.ts';

const ALLOWED: PolicyOptions = { guardrails: { dstPrefixMinLen: 24, dstPrefixMinLenV6: 56 } };
const BANS_ONCE = { source: 'fastnetmon', hold: 'until_released' } as const;

/** Reports hosts first, first + 1, ... of 203.0.113.0/24, one every tenth of a second. Returns the statuses. */
function bomb(world: World, hosts: number, options: EventOptions = {}, first = 30): readonly string[] {
  return Array.from({ length: hosts }, (_, i) => {
    world.now += 100;
    return world.event({ ...options, victim: `203.0.113.${first + i}` }).status;
  });
}

function active(world: World): readonly Mitigation[] {
  return [...world.state.mitigations.values()].filter(isActive);
}

function only(world: World): Mitigation {
  const [one, ...others] = active(world);
  assert.ok(one !== undefined && others.length === 0, `1 active mitigation, not ${others.length + 1}`);
  return one;
}

function end(world: World, host: number): string {
  return world.event({ ...BANS_ONCE, victim: `203.0.113.${host}`, action: 'unban' }).status;
}

describe('200 hosts of one customer in one batch with default quotas', () => {
  test('become one rule for their prefix', () => {
    const world = new World(ALLOWED);
    const statuses = bomb(world, 200);
    assert.deepEqual(statuses.slice(0, 5), Array(5).fill('accepted'));
    assert.deepEqual(statuses.slice(5, 23), Array(18).fill('rejected'), 'the quota is 5 for a customer');
    assert.equal(statuses[23], 'accepted', 'the 24th host makes it one rule');
    assert.deepEqual(new Set(statuses.slice(24)), new Set(['extended']));
    const mitigation = only(world);
    assert.equal(mitigation.victim, '203.0.113.0/24');
    assert.equal(mitigation.match.dstPrefix, '203.0.113.0/24');
    assert.equal(mitigation.customerId, 'acme');
    assert.equal(mitigation.holds?.length, 200);
  });

  test('in one replace: the rule for the prefix begins when the others end', () => {
    const world = new World(ALLOWED);
    bomb(world, 24);
    assert.deepEqual(world.facts, [
      'event.received',
      'mitigation.created',
      ...Array(5).fill('mitigation.ending'),
    ]);
  });

  test('which free room for it on every neighbor', () => {
    const world = new World({ ...ALLOWED, forecast: () => [{ neighbor: 'edge1', ok: true, routes: 1 }] });
    world.room = () => 0;
    bomb(world, 24);
    assert.doesNotMatch(world.why, /no room on edge1/);
  });

  test('explained: how many hosts, whose prefix, what it replaces, and which ports are spared', () => {
    const world = new World(ALLOWED);
    bomb(world, 24);
    assert.match(
      world.why,
      /24 hosts of 203\.0\.113\.0\/24 are under the same attack: one rule covers the prefix/,
    );
    assert.match(world.why, /203\.0\.113\.0\/24 belongs to customer acme/);
    assert.match(world.why, /replaces 5 mitigations/);
    assert.match(world.why, /except the allowed ports 53, 123/);
  });

  test('with the allowed ports of every asset inside it spared', () => {
    const world = new World(ALLOWED);
    bomb(world, 24);
    assert.deepEqual(only(world).excludedPorts, [53, 123], 'dns allows 53, ntp 53 and 123');
    assert.deepEqual(only(world).match.dstPorts, [
      [0, 52],
      [54, 122],
      [124, 65535],
    ]);
  });

  test('stay rules for hosts unless the guardrails allow that length', () => {
    const world = new World();
    const statuses = bomb(world, 30);
    assert.equal(statuses.filter((status) => status === 'accepted').length, 5);
    assert.ok(active(world).every(({ match }) => match.dstPrefix.endsWith('/32')));
  });
});

describe('hosts count together', () => {
  test('within the window, and not beyond it', () => {
    const world = new World({ ...ALLOWED, quotas: { maxActivePerCustomer: 100, maxNewPerMinute: 100 } });
    bomb(world, 20);
    world.wait(61);
    bomb(world, 4, {}, 60);
    assert.equal(active(world).length, 24);
    assert.ok(active(world).every(({ victim }) => !victim.includes('/')));
  });

  test('when they are attacked alike: by vector and protocol', () => {
    const world = new World({ ...ALLOWED, quotas: { maxActivePerCustomer: 100, maxNewPerMinute: 100 } });
    bomb(world, 20);
    bomb(world, 20, { vector: 'syn_flood' }, 60);
    assert.ok(active(world).every(({ victim }) => !victim.includes('/')));
  });

  test('when they are different hosts: one that is reported often is one', () => {
    const world = new World(ALLOWED);
    for (let i = 0; i < 50; i++) world.event({});
    assert.equal(only(world).victim, '203.0.113.50');
  });

  test('in IPv6 by its own length', () => {
    const world = new World(ALLOWED);
    for (let i = 1; i <= 24; i++) world.event({ victim: `2001:db8:acd::${i}` });
    assert.equal(only(world).victim, '2001:db8:acd::/56');
  });

  test("within the customer's own prefix where that is narrower", () => {
    const world = new World(ALLOWED);
    for (let i = 1; i <= 24; i++) world.event({ victim: `198.51.100.${i}` });
    assert.equal(only(world).victim, '198.51.100.0/25', 'the other half is of another customer');
  });

  test('but not those whose attack is over', () => {
    const world = new World({ ...ALLOWED, quotas: { maxActivePerCustomer: 3 } });
    bomb(world, 23, BANS_ONCE);
    for (let i = 0; i < 10; i++) end(world, 30 + i);
    bomb(world, 1, BANS_ONCE, 90);
    assert.ok(active(world).every(({ victim }) => !victim.includes('/')));
  });
});

describe('a rule for a prefix', () => {
  test('never covers what is safelisted inside it: the hosts keep their own', () => {
    const world = new World({ ...ALLOWED, safelist: ['203.0.113.250/32'] });
    bomb(world, 40);
    assert.ok(active(world).every(({ victim }) => !victim.includes('/')));
  });

  test('keeps what has been discarded discarded', () => {
    const world = new World({ ...ALLOWED, quotas: { maxActivePerCustomer: 3 } });
    const { id } = world.attack({ victim: '203.0.113.200', confidence: 1 });
    world.wait(60).event({ victim: '203.0.113.200', confidence: 1 });
    world.wait(60).event({ victim: '203.0.113.200', confidence: 1 });
    assert.equal(world.get(id).action.type, 'discard');
    bomb(world, 24);
    assert.equal(world.get(id).ending, null, 'its rule is stricter than the one for the prefix');
    assert.equal(active(world).length, 2);
  });

  test('names the ports of all hosts when every report names some, and none otherwise', () => {
    const named = new World(ALLOWED);
    for (let i = 0; i < 24; i++)
      named.event({ victim: `203.0.113.${30 + i}`, ports: [i % 2 === 0 ? 80 : 8080] });
    assert.deepEqual(only(named).ports, [80, 8080]);
    const some = new World(ALLOWED);
    for (let i = 0; i < 24; i++) some.event({ victim: `203.0.113.${30 + i}`, ports: i === 3 ? [] : [80] });
    assert.deepEqual(only(some).ports, []);
  });

  test('is held by every report, the refused ones too', () => {
    const world = new World(ALLOWED);
    bomb(world, 24, BANS_ONCE);
    assert.equal(new Set(only(world).holds?.map(({ victim }) => victim)).size, 24);
  });

  test("is held by refused reports in their token's mode", () => {
    const world = new World(ALLOWED);
    for (let i = 0; i < 24; i++) {
      const victim = `203.0.113.${30 + i}`;
      world.do({ type: 'event', detection: detection({ victim }), actor: FNM, hold: 'until_released' });
    }
    assert.ok(only(world).holds?.every(({ mode }) => mode === 'until_released'));
  });

  test('gives way to rules for hosts when it narrows, in one replace', () => {
    const world = new World({ ...ALLOWED, quotas: { maxActivePerCustomer: 20 } });
    bomb(world, 24, BANS_ONCE);
    const { id } = only(world);
    for (let i = 0; i < 12; i++) assert.equal(end(world, 30 + i), 'released');
    assert.equal(only(world).id, id, 'twelve are left, half of what it takes');
    end(world, 42);
    assert.deepEqual(world.facts, [
      'event.received',
      'mitigation.released',
      ...Array(11).fill('mitigation.created'),
      'mitigation.ending',
    ]);
    assert.match(world.get(id).ending?.reason ?? '', /11 hosts are still under attack/);
    const hosts = active(world);
    assert.equal(hosts.length, 11);
    assert.ok(hosts.every(({ victim, holds }) => holds?.length === 1 && holds[0]?.victim === victim));
    assert.equal(end(world, 50), 'withdrawn');
  });

  test('answers the report of a host that narrows it with the rule that the host has then', () => {
    const world = new World(ALLOWED);
    bomb(world, 24);
    world.wait(100).event({ victim: '203.0.113.40' });
    world.wait(30);
    const answer = world.event({ victim: '203.0.113.40' });
    assert.equal(answer.mitigation?.victim, '203.0.113.40', 'the others have fallen silent');
    assert.match(world.why, /1 host is still under attack in 203\.0\.113\.0\/24/);
    assert.equal(only(world).id, answer.mitigation?.id);
  });

  test('escalates to a discard that leaves alone the allowed ports of every asset, whichever host is reported', () => {
    const world = new World(ALLOWED);
    bomb(world, 24, { ...BANS_ONCE, confidence: 0.1 });
    world.wait(115).do({ type: 'expire' });
    world.wait(6).event({ ...BANS_ONCE, victim: '203.0.113.40', confidence: 1 });
    assert.equal(only(world).action.type, 'discard');
    assert.deepEqual(only(world).excludedPorts, [53, 123]);
  });

  test('leaves the rules for ports that it spares, where quotas have room for both', () => {
    const roomy = new World({ ...ALLOWED, quotas: { maxActivePerCustomer: 100, maxNewPerMinute: 100 } });
    bomb(roomy, 12, { ports: [53] });
    bomb(roomy, 12, { ports: [8080] }, 60);
    const left = active(roomy);
    assert.deepEqual(left.find(({ victim }) => victim === '203.0.113.0/24')?.ports, [8080]);
    assert.equal(left.filter(({ ports }) => ports.includes(53)).length, 12, 'port 53 is allowed for others');

    const full = new World(ALLOWED);
    bomb(full, 12, { ports: [53] });
    bomb(full, 12, { ports: [8080] }, 60);
    assert.deepEqual(only(full).ports, [8080], 'twelve hosts protected rather than five');
  });

  test('begins once, however many hosts are attacked at ports that it leaves alone', () => {
    const world = new World({ ...ALLOWED, quotas: { maxActivePerCustomer: 100, maxNewPerMinute: 100 } });
    for (let i = 0; i < 40; i++) world.event({ victim: `203.0.113.${30 + i}`, ports: [53, 1000 + i] });
    const ofPrefix = active(world).filter(({ victim }) => victim.includes('/'));
    assert.equal(ofPrefix.length, 1);
  });

  test('that a new policy forbids gives way to rules for the hosts, as many as quotas have room for', () => {
    const world = new World(ALLOWED);
    bomb(world, 24, BANS_ONCE);
    const { id } = only(world);
    world.policy = policyOf();
    world.do({ type: 'policy-loaded', actor: ALICE, summary: 'no prefixes any more' });
    assert.match(world.get(id).ending?.reason ?? '', /the new policy forbids it/);
    assert.equal(active(world).length, 5);
    assert.ok(active(world).every(({ victim, holds }) => holds?.[0]?.victim === victim));
  });

  test('that touches what is added to the safelist gives way to rules for the other hosts', () => {
    const world = new World({ ...ALLOWED, quotas: { maxActivePerCustomer: 100 } });
    bomb(world, 24, BANS_ONCE);
    world.safelist('203.0.113.30/32');
    assert.deepEqual(
      active(world).map(({ victim }) => victim),
      Array.from({ length: 23 }, (_, i) => `203.0.113.${31 + i}`),
    );
  });

  test('ends when a new inventory gives a part of the prefix to another customer', () => {
    const world = new World({ ...ALLOWED, quotas: { maxActivePerCustomer: 100 } });
    bomb(world, 24, BANS_ONCE, 115);
    const inventory = {
      customers: [
        { customer_id: 'acme', prefixes: ['203.0.113.0/25'] },
        { customer_id: 'zed', prefixes: ['203.0.113.128/25'] },
      ],
    };
    world.policy = policyOf({ ...ALLOWED, inventory, quotas: { maxActivePerCustomer: 100 } });
    world.do({ type: 'policy-loaded', actor: ALICE, summary: 'zed moved in' });
    assert.equal(active(world).length, 24);
    for (const { victim, customerId } of active(world)) {
      assert.equal(customerId, Number(victim.split('.')[3]) < 128 ? 'acme' : 'zed');
    }
  });

  test('stays while quotas have no room for the hosts that are left', () => {
    const world = new World(ALLOWED);
    bomb(world, 24, BANS_ONCE);
    for (let i = 0; i < 18; i++) end(world, 30 + i);
    assert.equal(only(world).victim, '203.0.113.0/24', 'six are left, and the quota is 5');
    end(world, 48);
    assert.equal(active(world).length, 5);
  });

  test('ends with the last of its holds', () => {
    const world = new World({ ...ALLOWED, quotas: { maxActivePerCustomer: 1 } });
    bomb(world, 24, BANS_ONCE);
    for (let i = 0; i < 23; i++) end(world, 30 + i);
    assert.equal(end(world, 53), 'withdrawn');
    assert.equal(active(world).length, 0);
  });

  test('is the same after a restart, from the journal and from a snapshot', () => {
    const world = new World(ALLOWED);
    bomb(world, 20, BANS_ONCE);
    const restored = restoreState(JSON.parse(JSON.stringify(world.state.snapshot())));
    assert.deepEqual(visible(restored), visible(world.state));
    const after = new World(ALLOWED, restored);
    after.skipIds(world);
    after.now = world.now;
    bomb(after, 4, BANS_ONCE, 60);
    assert.equal(only(after).victim, '203.0.113.0/24');
  });
});

describe('a report that names a prefix', () => {
  test('is mitigated as the guardrails allow', () => {
    const world = new World(ALLOWED);
    const { match, customerId, excludedPorts } = world.attack({ victim: '203.0.113.0/25' });
    assert.equal(match.dstPrefix, '203.0.113.0/25');
    assert.equal(customerId, 'acme');
    assert.deepEqual(excludedPorts, [53, 123]);
  });

  test('is refused with a reason where they do not', () => {
    const answer = new World().event({ victim: '203.0.113.0/24' });
    assert.equal(answer.status, 'rejected');
    assert.equal(answer.refusal, 'rule_too_broad');
  });

  test('is refused when several customers own parts of it, inventory required or not', () => {
    for (const requireInventory of [true, false]) {
      const world = new World({ guardrails: { ...ALLOWED.guardrails, requireInventory } });
      const answer = world.event({ victim: '198.51.100.0/24' });
      assert.equal(answer.refusal, 'not_in_inventory');
      assert.match(world.why, /no customer of the inventory owns all of 198\.51\.100\.0\/24/);
    }
  });

  test('replaces the rules for hosts inside it, so that it needs no extra room', () => {
    const world = new World(ALLOWED);
    const hosts = [1, 2, 3, 4, 5].map((host) =>
      world.attack({ ...BANS_ONCE, victim: `203.0.113.${30 + host}` }),
    );
    const answer = world.event({ source: 'groups', hold: 'until_released', victim: '203.0.113.0/24' });
    assert.equal(answer.status, 'accepted');
    assert.match(world.why, /replaces 5 mitigations/);
    assert.ok(hosts.every(({ id }) => world.get(id).ending !== null));
    assert.equal(only(world).holds?.length, 6);
    world.event({ source: 'groups', victim: '203.0.113.0/24', action: 'unban' });
    assert.deepEqual(
      active(world).map(({ victim }) => victim),
      ['203.0.113.31', '203.0.113.32', '203.0.113.33', '203.0.113.34', '203.0.113.35'],
      'the group is no longer under attack, the hosts are',
    );
  });

  test('leaves a host rule that matches more than its own', () => {
    const world = new World(ALLOWED);
    const { id } = world.attack({ victim: '203.0.113.40' });
    world.event({ victim: '203.0.113.0/24', ports: [80] });
    assert.equal(world.get(id).ending, null);
  });

  test('keeps hosts inside it from getting their own rules', () => {
    const world = new World(ALLOWED);
    const { id } = world.attack({ victim: '203.0.113.0/24' });
    assert.equal(world.event({ victim: '203.0.113.77' }).mitigation?.id, id);
    assert.equal(world.event({ victim: '203.0.113.77', action: 'unban' }).status, 'released');
    assert.equal(world.event({ victim: '203.0.113.0/24', action: 'unban' }).status, 'withdrawn');
  });

  test('gives way to rules for the hosts that are attacked still when it is over, whichever came first', () => {
    const world = new World(ALLOWED);
    const { id } = world.attack({ ...BANS_ONCE, victim: '203.0.113.0/24' });
    world.event({ ...BANS_ONCE, victim: '203.0.113.77' });
    world.event({ ...BANS_ONCE, victim: '203.0.113.0/24', action: 'unban' });
    assert.notEqual(world.get(id).ending, null);
    assert.equal(only(world).match.dstPrefix, '203.0.113.77/32');
    assert.equal(end(world, 77), 'withdrawn');
  });
});

test("every rule's destination is a customer's unicast address, whatever require_inventory is", () => {
  const victims = [
    '0.0.0.0',
    '127.0.0.1',
    '169.254.1.1',
    '224.0.0.1',
    '255.255.255.255',
    '240.0.0.1',
    '0.1.2.3',
  ];
  const v6 = ['::', '::1', 'fe80::1', 'ff02::1'];
  for (const victim of [...victims, ...v6]) {
    const world = new World({ guardrails: { requireInventory: false } });
    const answer = world.event({ victim });
    assert.equal(answer.refusal, 'not_unicast', victim);
  }
});
