import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Fact } from '../../src/core/facts.ts';
import { DETAILS_BYTES, ENDED_BYTES, HISTORY_SIZE } from '../../src/core/state/remembered-events.ts';
import { initialState, matchKey, restoreState, type StateHandle } from '../../src/core/state/state.ts';
import type { Match, Mitigation } from '../../src/core/types.ts';
import { ALICE, NOON, prefix, World } from './scenario.ts';
import { visible } from './visible.ts';

function mitigationOf(id: string, change: Partial<Mitigation> = {}): Mitigation {
  const template = new World().attack({});
  return { ...template, id, ...change };
}

function apply(state: StateHandle, ...facts: Fact[]): void {
  for (const fact of facts) state.apply({ seq: state.seq + 1, at: NOON, fact });
}

/** A world with every kind of kept data. */
function busyWorld(): World {
  const world = new World();
  world.attack({ id: 'a', ports: [80] });
  world.attack({ id: 'b', victim: '203.0.113.51' });
  world.attack({ id: 'c', victim: '2001:db8:acd::1' });
  world.event({ victim: '8.8.8.8' });
  world.wait(10);
  world.event({ id: 'd', ports: [80, 81] });
  world.event({ action: 'unban', id: 'b' });
  world.safelist('198.51.100.0/24');
  world.do({ type: 'pause', actor: ALICE, reason: 'test' });
  world.do({ type: 'peer-disable', peer: 'edge1', actor: ALICE, reason: 'line card' });
  return world;
}

describe('the state', () => {
  test('takes facts only in order, without gaps', () => {
    const state = initialState();
    const fact: Fact = { type: 'control.paused', actor: ALICE, reason: '' };
    assert.throws(() => state.apply({ seq: 2, at: NOON, fact }), RangeError);
    state.apply({ seq: 1, at: NOON, fact });
    assert.throws(() => state.apply({ seq: 1, at: NOON, fact }), RangeError);
    assert.equal(state.seq, 1);
    assert.equal(state.lastAt, NOON);
  });

  test('refuses facts about mitigations that are not live, and keeps what it had', () => {
    const state = initialState();
    const fact: Fact = { type: 'mitigation.withdrawn', id: 'x' };
    assert.throws(() => state.apply({ seq: 1, at: NOON, fact }), /mitigation x, which is not live/);
    assert.equal(state.seq, 0);
    apply(state, { type: 'mitigation.created', mitigation: mitigationOf('x') });
    assert.throws(
      () => apply(state, { type: 'mitigation.created', mitigation: mitigationOf('x') }),
      /second time/,
    );
  });

  test('finds live mitigations by their match, also after it changed', () => {
    const world = new World();
    const { id, match } = world.attack({ ports: [80] });
    assert.deepEqual([...world.state.withMatch(matchKey(match))], [id]);
    world.event({ ports: [80, 81] });
    assert.equal(world.state.withMatch(matchKey(match)).size, 0);
    assert.deepEqual([...world.state.withMatch(matchKey(world.get(id).match))], [id]);
    world.withdraw(id);
    assert.equal(world.state.withMatch(matchKey(world.get(id).match)).size, 1, 'ending ones are live');
    world.do({ type: 'confirm-ended', ids: [id] });
    assert.equal(world.state.withMatch(matchKey(world.get(id).match)).size, 0);
  });

  test('knows the earliest expiry through creations, extensions and endings', () => {
    const world = new World();
    assert.equal(world.state.earliestDue, undefined);
    const a = world.attack({ victim: '203.0.113.1' });
    world.wait(10);
    const b = world.attack({ victim: '203.0.113.2' });
    assert.equal(world.state.earliestDue, a.expiresAt);
    world.wait(20).event({ victim: '203.0.113.1' });
    assert.equal(world.state.earliestDue, b.expiresAt);
    world.withdraw(b.id);
    assert.equal(world.state.earliestDue, world.get(a.id).expiresAt);
  });

  test('remembers all that are live and the newest 10,000 ended ones, in order of creation', () => {
    const state = initialState();
    apply(state, { type: 'mitigation.created', mitigation: mitigationOf('live') });
    const rejected = mitigationOf('r', { status: 'rejected', endedAt: NOON });
    for (let i = 0; i < HISTORY_SIZE + 5; i++) {
      apply(state, { type: 'mitigation.rejected', mitigation: { ...rejected, id: `r${i}` } });
    }
    assert.equal(state.mitigations.size, HISTORY_SIZE + 1);
    assert.deepEqual([...state.mitigations.keys()].slice(0, 2), ['live', 'r5']);
    assert.deepEqual([...state.live], ['live']);
  });

  test('remembers the newest 10,000 events', () => {
    const world = new World();
    world.event({ vector: 'nothing' });
    const [event] = world.state.events.values();
    assert.ok(event !== undefined);
    const state = initialState();
    for (let i = 0; i < HISTORY_SIZE + 3; i++) {
      apply(state, { type: 'event.received', event: { ...event, id: `e${i}` } });
    }
    assert.equal(state.events.size, HISTORY_SIZE);
    assert.equal([...state.events.keys()][0], 'e3');
  });

  test('keeps the details of the newest events, up to a number of bytes, and every event', () => {
    const world = new World();
    world.event({ vector: 'nothing' });
    const [event] = world.state.events.values();
    assert.ok(event !== undefined);
    const details = { text: 'x'.repeat(16_000) };
    const state = initialState();
    const count = Math.ceil((2 * DETAILS_BYTES) / 16_000);
    for (let i = 0; i < count; i++) {
      const detection = { ...event.detection, details };
      apply(state, { type: 'event.received', event: { ...event, id: `e${i}`, detection } });
    }
    const kept = [...state.events.values()].filter(({ detection }) => 'text' in detection.details);
    assert.equal(state.events.size, count);
    assert.ok(kept.length * 16_000 < DETAILS_BYTES && kept.length * 17_000 > DETAILS_BYTES, `${kept.length}`);
    assert.equal(kept.at(-1)?.id, `e${count - 1}`);
    assert.match(String(state.events.get('e0')?.detection.details.forgotten), /journal has the details/);
    assert.deepEqual(restoreState(state.snapshot()).snapshot(), state.snapshot());
  });

  test('forgets details only once a group is durable, and takes them back as they were', () => {
    const world = new World();
    world.event({ vector: 'nothing' });
    const [event] = world.state.events.values();
    assert.ok(event !== undefined);
    const state = initialState();
    const before = state.snapshot();
    state.begin();
    for (let i = 0; i < 1000; i++) {
      const detection = { ...event.detection, details: { text: `${i}`.padEnd(60_000) } };
      apply(state, { type: 'event.received', event: { ...event, id: `e${i}`, detection } });
    }
    assert.ok([...state.events.values()].every(({ detection }) => 'text' in detection.details));
    state.rollback();
    assert.deepEqual(state.snapshot(), before);
  });

  test('remembers fewer ended mitigations when each is large', () => {
    const state = initialState();
    const why = Array.from({ length: 100 }, () => 'x'.repeat(1000));
    const rejected = mitigationOf('r', { status: 'rejected', endedAt: NOON, why });
    for (let i = 0; i < 1000; i++) {
      apply(state, { type: 'mitigation.rejected', mitigation: { ...rejected, id: `r${i}` } });
    }
    assert.ok(state.mitigations.size * 100_000 < ENDED_BYTES, `${state.mitigations.size} are remembered`);
    assert.ok(state.mitigations.has('r999'));
  });

  test('finds safelisted prefixes in both directions', () => {
    const { state } = busyWorld();
    assert.equal(state.safelisted(prefix('198.51.100.7'))?.prefix, '198.51.100.0/24');
    assert.equal(state.safelisted(prefix('198.51.0.0/16'))?.prefix, '198.51.100.0/24');
    assert.equal(state.safelisted(prefix('198.51.101.0/24')), undefined);
  });
});

describe('disabled neighbors', () => {
  test('are remembered with who, when and why, through a snapshot, until they are enabled', () => {
    const world = busyWorld();
    const said = { actor: ALICE, at: world.state.lastAt, reason: 'line card' };
    assert.deepEqual([...world.state.disabledPeers], [['edge1', said]]);
    const restored = restoreState(JSON.parse(JSON.stringify(world.state.snapshot())));
    assert.deepEqual([...restored.disabledPeers], [['edge1', said]]);
    world.do({ type: 'peer-enable', peer: 'edge1', actor: ALICE, reason: '' });
    assert.equal(world.state.disabledPeers.size, 0);
  });

  test('are none in a snapshot of a version that did not keep them', () => {
    const { schema, seq, data } = busyWorld().state.snapshot();
    const old = Object.fromEntries(Object.entries(Object(data)).filter(([key]) => key !== 'disabledPeers'));
    assert.equal(restoreState({ schema, seq, data: old }).disabledPeers.size, 0);
  });
});

describe('a group of facts', () => {
  test('that is rolled back leaves everything as it was', () => {
    const world = busyWorld();
    world.do({ type: 'resume', actor: ALICE, reason: '' });
    const before = visible(world.state);
    world.state.begin();
    world.attack({ id: 'e', victim: '203.0.113.99' });
    world.attack({ ports: [80, 81, 82] });
    world.do({ type: 'withdraw-all', actor: ALICE, reason: '' });
    world.do({ type: 'confirm-ended', ids: [...world.state.live] });
    world.do({ type: 'peer-enable', peer: 'edge1', actor: ALICE, reason: '' });
    world.do({ type: 'peer-disable', peer: 'edge2', actor: ALICE, reason: '' });
    world.safelist('203.0.113.0/24');
    world.do({ type: 'safelist-remove', prefix: '198.51.100.0/24', actor: ALICE });
    world.event({ victim: '8.8.4.4' });
    world.do({ type: 'pause', actor: ALICE, reason: 'later' });
    assert.notDeepEqual(visible(world.state), before);
    world.state.rollback();
    assert.deepEqual(visible(world.state), before);
  });

  test('that is committed stays', () => {
    const world = new World();
    world.state.begin();
    world.attack({});
    world.state.commit();
    assert.equal(world.state.live.size, 1);
    assert.throws(() => world.state.rollback(), /no group is open/);
  });

  test('does not nest', () => {
    const state = initialState();
    state.begin();
    assert.throws(() => state.begin(), /do not nest/);
  });

  test('forgets nothing until it is committed, so that even a full history is restored', () => {
    const state = initialState();
    const rejected = mitigationOf('r', { status: 'rejected', endedAt: NOON });
    for (let i = 0; i < HISTORY_SIZE; i++) {
      apply(state, { type: 'mitigation.rejected', mitigation: { ...rejected, id: `r${i}` } });
    }
    const before = visible(state);
    state.begin();
    apply(state, { type: 'mitigation.rejected', mitigation: { ...rejected, id: 'one-more' } });
    state.rollback();
    assert.deepEqual(visible(state), before);
  });
});

describe('a snapshot', () => {
  test('gives the same state back, through JSON', () => {
    const { state } = busyWorld();
    const restored = restoreState(JSON.parse(JSON.stringify(state.snapshot())));
    assert.deepEqual(visible(restored), visible(state));
    assert.deepEqual(restored.snapshot(), state.snapshot());
  });

  test('does not change with the state it was taken from', () => {
    const world = busyWorld();
    const snapshot = world.state.snapshot();
    const text = JSON.stringify(snapshot);
    world.do({ type: 'withdraw-all', actor: ALICE, reason: '' });
    assert.equal(JSON.stringify(snapshot), text);
  });

  test('of another schema is refused', () => {
    assert.throws(() => restoreState({ schema: 1, seq: 3, data: { mitigations: [] } }), TypeError);
    assert.throws(() => restoreState({ schema: 1, seq: 3, data: null }), TypeError);
  });

  test('continues where it stopped: ids of bans, quotas and expiries are remembered', () => {
    const world = busyWorld();
    const later = new World({ quotas: { maxActivePerCustomer: 2 } }, restoreState(world.state.snapshot()));
    later.now = world.now;
    later.skipIds(world);
    later.do({ type: 'resume', actor: ALICE, reason: '' });
    assert.equal(later.event({ id: 'a' }).status, 'duplicate');
    assert.equal(later.event({ victim: '203.0.113.9' }).refusal, 'quota_customer');
    assert.equal(later.state.earliestDue, NOON + 120_000);
  });
});

describe('the key of a match', () => {
  const match: Match = { dstPrefix: '203.0.113.1/32', protocol: 17, dstPorts: [[53, 53]], srcPorts: [] };

  test('is equal for matches that mean one rule', () => {
    const { dstPrefix, protocol, dstPorts, srcPorts } = match;
    const spelled: Match = {
      srcPorts,
      dstPorts,
      protocol,
      dstPrefix,
      packetLengths: [],
      tcpFlags: 0,
      fragments: false,
    };
    assert.equal(matchKey(spelled), matchKey(match));
  });

  test('differs as soon as anything does', () => {
    const others: Partial<Match>[] = [
      { dstPrefix: '203.0.113.2/32' },
      { srcPrefix: '203.0.113.1/32' },
      { protocol: 6 },
      { protocol: null },
      { dstPorts: [] },
      { dstPorts: [[53, 54]] },
      { dstPorts: [], srcPorts: [[53, 53]] },
      { packetLengths: [[53, 53]] },
      { tcpFlags: 2 },
      { tcpFlags: 2, tcpFlagsClear: 16 },
      { fragments: true },
    ];
    const keys = new Set([match, ...others.map((other) => ({ ...match, ...other }))].map(matchKey));
    assert.equal(keys.size, others.length + 1);
  });
});
