import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { NOON, policyOf, World } from './scenario.ts';

for (const victim of ['203.0.113.50', '2001:db8:acd::50']) {
  describe(`events of one victim and protocol (${victim})`, () => {
    test('equal ports: the TTL is extended, the id stays', () => {
      const world = new World();
      const first = world.attack({ victim, ports: [80] });
      world.wait(60);
      const answer = world.event({ victim, ports: [80] });
      assert.equal(answer.status, 'extended');
      assert.equal(answer.mitigation?.id, first.id);
      assert.equal(world.get(first.id).expiresAt, NOON + 180_000);
      assert.equal(world.get(first.id).lastEventId, answer.eventId);
      assert.deepEqual(world.facts, ['event.received', 'mitigation.extended']);
    });

    test('fewer ports: the TTL is extended, the rule stays as wide', () => {
      const world = new World();
      const first = world.attack({ victim, ports: [80, 443] });
      world.wait(60);
      assert.equal(world.event({ victim, ports: [443] }).status, 'extended');
      assert.deepEqual(world.get(first.id).ports, [80, 443]);
    });

    test('named ports within a rule for the whole protocol: extended', () => {
      const world = new World();
      const first = world.attack({ victim });
      assert.equal(world.event({ victim, ports: [7, 9] }).mitigation?.id, first.id);
    });

    test('more ports: the rule is widened in place, the id stays', () => {
      const world = new World();
      const first = world.attack({ victim, ports: [80] });
      world.wait(60);
      const answer = world.event({ victim, ports: [80, 443] });
      assert.equal(answer.status, 'widened');
      assert.equal(answer.mitigation?.id, first.id);
      const after = world.get(first.id);
      assert.deepEqual(after.ports, [80, 443]);
      assert.deepEqual(after.match.dstPorts, [
        [80, 80],
        [443, 443],
      ]);
      assert.equal(after.expiresAt, NOON + 180_000);
    });

    test('no ports after some: the rule is widened to the protocol', () => {
      const world = new World();
      const first = world.attack({ victim, ports: [80] });
      assert.equal(world.event({ victim }).status, 'widened');
      assert.deepEqual(world.get(first.id).match.dstPorts, []);
    });

    test('disjoint ports: a second mitigation in parallel', () => {
      const world = new World();
      const first = world.attack({ victim, ports: [80] });
      const answer = world.event({ victim, ports: [443] });
      assert.equal(answer.status, 'accepted');
      assert.notEqual(answer.mitigation?.id, first.id);
      assert.equal(world.state.live.size, 2);
    });

    test('partly new ports: the overlapping one is extended, the new ones get their own, which the answer names', () => {
      const world = new World();
      const first = world.attack({ victim, ports: [80, 81] });
      world.wait(60);
      const answer = world.event({ victim, ports: [81, 82] });
      assert.equal(answer.status, 'accepted');
      assert.deepEqual(world.facts, ['event.received', 'mitigation.extended', 'mitigation.created']);
      assert.notEqual(answer.mitigation?.id, first.id);
      assert.deepEqual(answer.mitigation?.ports, [82]);
      assert.equal(world.get(first.id).expiresAt, NOON + 180_000);
      assert.deepEqual(world.get(first.id).ports, [80, 81]);
    });

    test('ports that two mitigations hold between them: both are extended', () => {
      const world = new World();
      world.attack({ victim, ports: [80, 22] });
      world.attack({ victim, ports: [443, 25] });
      const answer = world.event({ victim, ports: [80, 443] });
      assert.equal(answer.status, 'extended');
      assert.deepEqual(world.facts, ['event.received', 'mitigation.extended', 'mitigation.extended']);
    });
  });
}

describe('correlation', () => {
  test('does not reach across protocols', () => {
    const world = new World();
    const udp = world.attack({ ports: [80] });
    const tcp = world.attack({ vector: 'syn_flood', ports: [80] });
    assert.notEqual(udp.id, tcp.id);
  });

  test('joins events of several sources', () => {
    const world = new World();
    const first = world.attack({ source: 'a', ports: [80] });
    assert.equal(world.event({ source: 'b', ports: [80] }).mitigation?.id, first.id);
  });

  test('never shortens: an earlier timestamp arriving late extends from its arrival', () => {
    const world = new World();
    const first = world.attack({ at: NOON });
    world.wait(30);
    world.event({ at: NOON - 60_000 });
    assert.equal(world.get(first.id).expiresAt, NOON + 150_000);
  });

  test('beyond the window more ports get their own mitigation', () => {
    const world = new World({ timers: { correlationWindowSeconds: 60 } });
    const first = world.attack({ ports: [80] });
    world.wait(61);
    const answer = world.event({ ports: [80, 81] });
    assert.equal(answer.status, 'accepted');
    assert.notEqual(answer.mitigation?.id, first.id);
  });

  test('beyond the window an equal rule is still the same mitigation, because a router holds it only once', () => {
    const world = new World({ timers: { correlationWindowSeconds: 60 } });
    const first = world.attack({ ports: [80] });
    world.wait(61);
    assert.equal(world.event({ ports: [80] }).mitigation?.id, first.id);
  });

  test('passes over a mitigation that is ending: the attack gets a new one', () => {
    const world = new World();
    const first = world.attack({});
    world.withdraw(first.id);
    const second = world.attack({});
    assert.notEqual(second.id, first.id);
    assert.equal(world.get(first.id).ending?.to, 'withdrawn');
  });

  test('passes over a mitigation whose time is up, even before that was noticed', () => {
    const world = new World();
    const first = world.attack({});
    world.wait(120);
    assert.notEqual(world.attack({}).id, first.id);
  });

  test("extends an operator's own mitigation and never widens it", () => {
    const world = new World();
    world.do({
      type: 'mitigate',
      actor: { kind: 'operator', name: 'alice' },
      victim: '203.0.113.50',
      protocol: 17,
      ports: [80],
      action: { type: 'discard', rateBps: null },
      ttlSeconds: 60,
      reason: 'customer called',
    });
    const [own] = world.state.live;
    assert.equal(world.event({ ports: [80] }).mitigation?.id, own);
    const wider = world.event({ ports: [80, 81] });
    assert.notEqual(wider.mitigation?.id, own);
  });

  test('never widens a discard over ports that are allowed', () => {
    const world = new World();
    const victim = '203.0.113.50';
    const discard = world.attack({ vector: 'ack_flood', ports: [8443] });
    const spare = { service_id: 'spare', assets: [{ ip: victim }], allowed_ports: { tcp: [8443, 8444] } };
    world.policy = policyOf({
      inventory: { customers: [{ customer_id: 'acme', prefixes: ['203.0.113.0/24'], services: [spare] }] },
    });
    const police = world.attack({ vector: 'syn_flood', ports: [8443, 8444] });
    assert.deepEqual(world.get(discard.id).ports, [8443]);
    assert.notEqual(police.id, discard.id);
    assert.equal(police.action.type, 'police');
  });
});
