import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ALICE, World } from './scenario.ts';

describe('an unban', () => {
  test('by the id of its ban withdraws what that ban led to', () => {
    const world = new World();
    const mitigation = world.attack({ id: 'a1' });
    const answer = world.event({ id: 'a1', action: 'unban' });
    assert.equal(answer.status, 'withdrawn');
    assert.equal(answer.mitigation?.id, mitigation.id);
    assert.deepEqual(world.facts, ['event.received', 'mitigation.ending']);
    assert.deepEqual(world.get(mitigation.id).ending?.to, 'withdrawn');
    assert.equal(world.get(mitigation.id).status, 'active', 'until every session was sent the withdrawal');
  });

  test('by an id that is not known is not found', () => {
    const world = new World();
    world.attack({ id: 'a1' });
    assert.equal(world.event({ id: 'a2', action: 'unban' }).status, 'not_found');
    assert.equal(world.event({ id: 'a1', source: 'other', action: 'unban' }).status, 'not_found');
  });

  test('of what has ended, or of a ban that led to nothing, finds nothing active', () => {
    const world = new World();
    world.attack({ id: 'a1' });
    world.event({ id: 'a1', action: 'unban' });
    assert.equal(world.event({ id: 'a1', action: 'unban' }).status, 'no_active_mitigation');
    world.event({ id: 'b1', vector: 'carrier_pigeons' });
    assert.equal(world.event({ id: 'b1', action: 'unban' }).status, 'no_active_mitigation');
  });

  test('without an id goes by victim and vector', () => {
    const world = new World();
    const udp = world.attack({ ports: [80] });
    const second = world.attack({ ports: [443] });
    const syn = world.attack({ vector: 'syn_flood' });
    assert.equal(world.event({ action: 'unban' }).status, 'withdrawn');
    assert.ok(world.get(udp.id).ending !== null && world.get(second.id).ending !== null);
    assert.equal(world.get(syn.id).ending, null);
  });

  test('without an id and with nothing standing finds nothing active', () => {
    const world = new World();
    assert.equal(world.event({ action: 'unban' }).status, 'no_active_mitigation');
    world.attack({});
    assert.equal(world.event({ action: 'unban', victim: '203.0.113.51' }).status, 'no_active_mitigation');
  });

  test('of a detector that never names the vector means all that it reported for the victim, and no more', () => {
    const world = new World();
    const ours = world.attack({ source: 'fastnetmon', ports: [80] });
    const theirs = world.attack({ source: 'grafana', vector: 'syn_flood' });
    const unban = { source: 'fastnetmon', action: 'unban', vector: 'unknown' } as const;
    const answer = world.event({ ...unban, anyVector: true });
    assert.equal(answer.mitigation?.id, ours.id);
    assert.equal(world.get(theirs.id).ending, null);
  });

  test('of an alert with its parts releases those, and not what has another id', () => {
    const world = new World();
    const part = world.attack({ alertId: 'a1/udp', ports: [80] });
    const whole = world.attack({ alertId: 'a1', vector: 'icmp_flood' });
    const other = world.attack({ alertId: 'a10/syn', vector: 'syn_flood' });
    world.event({ alertId: 'a1', action: 'unban', withParts: true });
    assert.ok(world.get(part.id).ending !== null && world.get(whole.id).ending !== null);
    assert.equal(world.get(other.id).ending, null);
  });

  test('of vector unknown is about that vector, and about no other', () => {
    const world = new World();
    const udp = world.attack({ source: 'script' });
    assert.equal(
      world.event({ source: 'script', action: 'unban', vector: 'unknown' }).status,
      'no_active_mitigation',
    );
    assert.equal(world.get(udp.id).ending, null);
  });

  test('ends the mitigation of its own source when two are active', () => {
    const world = new World();
    const a = world.attack({ source: 'a', ports: [80] });
    const b = world.attack({ source: 'b', ports: [81] });
    world.event({ source: 'b', action: 'unban' });
    assert.equal(world.get(a.id).ending, null);
    assert.notEqual(world.get(b.id).ending, null);
  });

  test("never withdraws an operator's own mitigation", () => {
    const world = new World();
    world.do({
      type: 'mitigate',
      actor: ALICE,
      victim: '203.0.113.50',
      protocol: 17,
      ports: [],
      action: { type: 'discard', rateBps: null },
      ttlSeconds: 60,
      reason: 'mine',
    });
    assert.equal(world.event({ action: 'unban', vector: 'manual' }).status, 'no_active_mitigation');
  });

  test('works while paused', () => {
    const world = new World();
    world.attack({ id: 'a1' });
    world.do({ type: 'pause', actor: ALICE, reason: 'panic' });
    assert.equal(world.event({ id: 'a1', action: 'unban' }).status, 'withdrawn');
  });
});
