/** Reporters hold their mitigations. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Hold } from '../../src/core/types.ts';
import { MAX_HOLDS, MAX_HOLDS_OF_ALL, withHold } from '../../src/core/state/holds.ts';
import { restoreState } from '../../src/core/state/state.ts';
import { ALICE, type EventOptions, NOON, type PolicyOptions, World } from './scenario.ts';

const BANS_ONCE = { source: 'fastnetmon', hold: 'until_released' } as const;

/** Does the daemon's own work whenever it is due, until some seconds have passed. */
function passes(world: World, seconds: number): void {
  const until = world.now + seconds * 1000;
  for (;;) {
    const due = world.state.earliestDue;
    if (due === undefined || due > until) break;
    world.now = Math.max(world.now, due);
    world.do({ type: 'expire' });
    assert.ok((world.state.earliestDue ?? Number.POSITIVE_INFINITY) > world.now, 'each look gets somewhere');
  }
  world.now = until;
}

function isGone(world: World, id: string): boolean {
  return world.get(id).ending !== null;
}

describe('an end that one reporter reports', () => {
  test('one alert of two about a victim resolves while the other still fires: it stays', () => {
    const world = new World();
    const first = world.attack({ source: 'alertmanager', alertId: 'HighBps' });
    world.event({ source: 'alertmanager', alertId: 'HighPps' });
    const answer = world.event({ source: 'alertmanager', alertId: 'HighPps', action: 'unban' });
    assert.equal(answer.status, 'released');
    assert.equal(answer.mitigation?.id, first.id);
    assert.match(world.why, /stays active, held by alertmanager/);
    assert.ok(!isGone(world, first.id));
    assert.equal(
      world.event({ source: 'alertmanager', alertId: 'HighBps', action: 'unban' }).status,
      'withdrawn',
    );
  });

  test('an alert that resolves and never fired here ends nothing', () => {
    const world = new World();
    const first = world.attack({ source: 'alertmanager', alertId: 'HighBps' });
    const answer = world.event({ source: 'alertmanager', alertId: 'HighPps', action: 'unban' });
    assert.equal(answer.status, 'no_active_mitigation');
    assert.match(world.why, /holds no active mitigation/);
    assert.ok(!isGone(world, first.id));
  });

  test('detector A and detector B ban, B unbans: it stays until A lets go', () => {
    const world = new World();
    const { id } = world.attack({ source: 'a' });
    world.event({ source: 'b' });
    assert.equal(world.event({ source: 'b', action: 'unban' }).status, 'released');
    assert.equal(
      world.event({ source: 'b', action: 'unban' }).status,
      'no_active_mitigation',
      'it holds nothing now',
    );
    assert.match(world.why, /this alert of b does not hold it; held by a/);
    assert.ok(!isGone(world, id));
    assert.equal(world.event({ source: 'a', action: 'unban' }).status, 'withdrawn');
    assert.ok(isGone(world, id));
  });

  test('of the first of two events of a widened mitigation narrows nothing and ends nothing', () => {
    const world = new World();
    const { id } = world.attack({ id: 'e1', ports: [80] });
    assert.equal(world.event({ id: 'e2', ports: [80, 81] }).status, 'widened');
    assert.equal(world.event({ id: 'e1', action: 'unban' }).status, 'released');
    assert.deepEqual(world.get(id).ports, [80, 81]);
    assert.equal(world.event({ id: 'e2', action: 'unban' }).status, 'withdrawn');
  });

  test('who holds nothing can end nothing', () => {
    const world = new World();
    const { id } = world.attack({ source: 'a' });
    assert.equal(world.event({ source: 'stranger', action: 'unban' }).status, 'no_active_mitigation');
    assert.ok(!isGone(world, id));
  });

  test('an operator may end it whoever holds it', () => {
    const world = new World();
    const { id } = world.attack({ source: 'a' });
    world.event({ source: 'b' });
    world.withdraw(id);
    assert.ok(isGone(world, id));
  });

  test('what ended before it began is about another attack', () => {
    const world = new World();
    const alert = { source: 'alertmanager', alertId: 'f1' };
    const { id } = world.attack({ ...alert, beganAt: NOON - 60_000 });
    const answer = world.event({ ...alert, action: 'unban', endedAt: NOON - 61_000 });
    assert.equal(answer.status, 'no_active_mitigation');
    assert.match(world.why, /is an earlier one; the current one began at 2026-01-15T11:59:00/);
    assert.ok(!isGone(world, id));
    assert.equal(world.event({ ...alert, action: 'unban', endedAt: NOON - 60_000 }).status, 'withdrawn');
  });

  test('an attack that began and ended within a second has ended, for a detector that reports whole seconds', () => {
    const world = new World();
    world.wait(0.7).attack({ source: 'script' });
    assert.equal(world.event({ source: 'script', action: 'unban', at: NOON }).status, 'withdrawn');
  });

  test('a late report does not make the attack begin earlier', () => {
    const world = new World();
    const alert = { source: 'alertmanager', alertId: 'f1' };
    const { id } = world.attack({ ...alert, beganAt: NOON - 10_000 });
    world.event({ ...alert, beganAt: NOON - 100_000 });
    assert.equal(
      world.event({ ...alert, action: 'unban', endedAt: NOON - 50_000 }).status,
      'no_active_mitigation',
    );
    assert.ok(!isGone(world, id));
  });

  test('an end is accepted however late it is reported, when it is about this attack', () => {
    const world = new World();
    const alert = { source: 'alertmanager', alertId: 'f1', hold: 'until_released' } as const;
    world.attack({ ...alert, beganAt: NOON - 3_600_000 });
    world.wait(3000);
    world.do({ type: 'expire' });
    assert.equal(world.event({ ...alert, action: 'unban', endedAt: NOON + 1000 }).status, 'withdrawn');
  });

  test('a reporter that fell silent for a TTL holds no longer', () => {
    const world = new World();
    const { id } = world.attack({ source: 'repeats' });
    world.wait(60).event(BANS_ONCE);
    passes(world, 70);
    assert.ok(!isGone(world, id));
    assert.equal(world.event({ ...BANS_ONCE, action: 'unban' }).status, 'withdrawn');
  });
});

describe('a detector that reports the end', () => {
  test('bans once, and the mitigation lasts as long as the attack', () => {
    const world = new World();
    const { id } = world.attack(BANS_ONCE);
    passes(world, 1900);
    assert.ok(!isGone(world, id), 'the shipped rules live 120 s, the ban 1900');
    assert.ok(world.get(id).expiresAt - world.now <= 120_000, 'the TTL on the routers stays short');
    assert.equal(world.event({ ...BANS_ONCE, action: 'unban' }).status, 'withdrawn');
  });

  test('is renewed before its TTL ends, so that no router is without the rule', () => {
    const world = new World();
    const { id } = world.attack(BANS_ONCE);
    for (let i = 0; i < 20; i++) {
      const due = world.state.earliestDue ?? Number.NaN;
      assert.ok(due < world.get(id).expiresAt);
      world.now = due;
      world.do({ type: 'expire' });
      assert.deepEqual(world.facts, ['mitigation.extended']);
    }
  });

  test('that is never reported ends the hold after max_hold_seconds, with the reason', () => {
    const world = new World({ timers: { maxHoldSeconds: 600 } });
    const { id } = world.attack(BANS_ONCE);
    passes(world, 599);
    assert.ok(!isGone(world, id));
    passes(world, 1);
    assert.equal(world.get(id).ending?.to, 'expired');
    assert.match(
      world.get(id).ending?.reason ?? '',
      /no report from fastnetmon for 600 s \(timers.max_hold_seconds\)/,
    );
  });

  test('ends its mitigation for as long as the TTL keeps it, however short max_hold_seconds is', () => {
    const world = new World({ timers: { maxHoldSeconds: 30 } });
    const { id } = world.attack(BANS_ONCE);
    passes(world, 60);
    assert.ok(!isGone(world, id), 'its TTL is 120 s');
    assert.equal(world.event({ ...BANS_ONCE, action: 'unban' }).status, 'withdrawn');
  });

  test('max_hold_seconds counts from its last report', () => {
    const world = new World({ timers: { maxHoldSeconds: 600 } });
    const { id } = world.attack(BANS_ONCE);
    passes(world, 500);
    world.event(BANS_ONCE);
    passes(world, 599);
    assert.ok(!isGone(world, id));
  });

  test('a detector that repeats is not renewed: its TTL ends when it stops', () => {
    const world = new World();
    const { id } = world.attack({ source: 'repeats' });
    passes(world, 120);
    assert.equal(world.get(id).ending?.to, 'expired');
    assert.equal(world.get(id).ending?.reason, 'its TTL has expired');
  });

  test('the configuration may say otherwise, and a token before it', () => {
    const until = (options: PolicyOptions, hold: EventOptions): Hold['mode'] | undefined => {
      const world = new World(options);
      return world.attack(hold).holds?.[0]?.mode;
    };
    const detectors = new Map([['fastnetmon', { hold: 'until_ttl' } as const]]);
    assert.equal(until({ detectors }, BANS_ONCE), 'until_ttl');
    assert.equal(until({}, BANS_ONCE), 'until_released');
    assert.equal(until({}, { source: 'script' }), 'until_ttl');
  });

  test('its last word comes after a restart as if there had been none', () => {
    const world = new World();
    const { id } = world.attack(BANS_ONCE);
    passes(world, 300);
    const after = new World({}, restoreState(JSON.parse(JSON.stringify(world.state.snapshot()))));
    after.skipIds(world);
    after.now = world.now;
    passes(after, 300);
    assert.ok(!isGone(after, id));
    assert.equal(after.event({ ...BANS_ONCE, action: 'unban' }).status, 'withdrawn');
  });

  test('the daemon was down for longer than the TTL: the attack lasts, and so does the mitigation', () => {
    const world = new World();
    const { id } = world.attack(BANS_ONCE);
    world.wait(500).do({ type: 'expire' });
    assert.equal(world.get(id).ending, null);
    assert.ok(world.get(id).expiresAt > world.now);
  });

  test('holds while announcements are paused, and no further step is taken then', () => {
    const world = new World();
    const { id } = world.attack({ ...BANS_ONCE, confidence: 1 });
    world.do({ type: 'pause', actor: ALICE, reason: 'maintenance' });
    passes(world, 600);
    assert.equal(world.get(id).ending, null);
    assert.equal(world.get(id).step, 0);
  });

  test('reaches the next step when the attack lasts, with the confidence of the configuration', () => {
    const detectors = new Map([['fastnetmon', { confidence: 0.8 }]]);
    const world = new World({ detectors });
    const { id } = world.attack(BANS_ONCE);
    passes(world, 119);
    assert.equal(world.get(id).action.type, 'police');
    passes(world, 1);
    assert.equal(world.get(id).action.type, 'discard', 'persistence is 120 s');
    assert.equal(world.get(id).status, 'escalated');
  });

  test('without any confidence stays at the first step', () => {
    const world = new World();
    const { id } = world.attack(BANS_ONCE);
    passes(world, 1000);
    assert.equal(world.get(id).step, 0);
  });

  test('a report that the attack has fallen lets a further step run out', () => {
    const world = new World();
    const { id } = world.attack({ ...BANS_ONCE, confidence: 0.9 });
    passes(world, 120);
    assert.equal(world.get(id).step, 1);
    assert.equal(world.event({ ...BANS_ONCE, confidence: 0.1 }).status, 'accepted_no_mitigation');
    passes(world, 300);
    assert.ok(isGone(world, id));
  });

  test('a report that the attack has fallen lets it run out', () => {
    const playbooks = {
      playbooks: [
        { name: 'p', match: { vector: 'udp_flood', min_bps: 1000 }, steps: [{ action: 'discard' as const }] },
      ],
    };
    const world = new World({ playbooks });
    const { id } = world.attack({ ...BANS_ONCE, bps: 5000 });
    world.wait(10).event({ ...BANS_ONCE, bps: 10 });
    passes(world, 120);
    assert.ok(isGone(world, id));
  });
});

describe('an attack that stops and returns', () => {
  const flaps: PolicyOptions = { timers: { holdDownSeconds: 60 } };

  test('ban, unban, ban within the hold-down time keeps the rule', () => {
    const world = new World(flaps);
    const { id } = world.attack(BANS_ONCE);
    world.wait(100);
    assert.equal(world.event({ ...BANS_ONCE, action: 'unban' }).status, 'released');
    assert.match(world.why, /stays active for 60 s in case the attack returns/);
    world.wait(59);
    assert.equal(world.attack(BANS_ONCE).id, id);
    passes(world, 600);
    assert.equal(world.get(id).ending, null);
  });

  test('is over when it does not return, and the audit log says who reported it', () => {
    const world = new World(flaps);
    const { id } = world.attack(BANS_ONCE);
    world.event({ ...BANS_ONCE, action: 'unban' });
    passes(world, 59);
    assert.ok(!isGone(world, id));
    passes(world, 1);
    assert.equal(world.get(id).ending?.to, 'withdrawn');
    assert.equal(world.get(id).ending?.reason, 'fastnetmon reported the end of the attack');
    assert.equal(world.get(id).ending?.actor.name, 'fnm');
  });

  test('the hold-down time is off unless it is set', () => {
    const world = new World();
    world.attack(BANS_ONCE);
    assert.equal(world.event({ ...BANS_ONCE, action: 'unban' }).status, 'withdrawn');
  });
});

describe("an operator's own mitigation", () => {
  function mitigate(world: World): string {
    const { answer } = world.do({
      type: 'mitigate',
      actor: ALICE,
      victim: '203.0.113.50',
      protocol: 17,
      ports: [],
      action: { type: 'discard', rateBps: null },
      ttlSeconds: 60,
      reason: 'mine',
    });
    assert.ok(answer.type === 'mitigation');
    return answer.mitigation.id;
  }

  test('lasts while a detector reports the attack, and is not ended by that detector', () => {
    const world = new World();
    const id = mitigate(world);
    world.wait(10).event(BANS_ONCE);
    passes(world, 300);
    assert.equal(world.get(id).ending, null);
    assert.equal(world.event({ ...BANS_ONCE, action: 'unban' }).status, 'released');
    assert.equal(world.get(id).ending, null);
    passes(world, 130);
    assert.equal(world.get(id).ending?.to, 'expired');
  });
});

test('a sender of ever new ids does not grow a mitigation without bound, and ends nothing of others', () => {
  const world = new World();
  const { id } = world.attack({ source: 'honest' });
  for (let i = 0; i < MAX_HOLDS + 50; i++) world.event({ source: 'flood', id: `n${i}` });
  const holds = world.get(id).holds ?? [];
  assert.equal(holds.filter(({ source }) => source === 'flood').length, MAX_HOLDS);
  assert.equal(holds.filter(({ source }) => source === 'honest').length, 1);
});

test('nor does a sender under ever new names', () => {
  const [own] = new World().attack().holds ?? [];
  assert.ok(own !== undefined);
  const named = (i: number): Hold => ({ ...own, source: `flood${i}`, reportedAt: NOON + i });
  const full = Array.from({ length: MAX_HOLDS_OF_ALL }, (_, i) => named(i));
  const after = withHold(full, named(MAX_HOLDS_OF_ALL), NOON);
  assert.equal(after.length, MAX_HOLDS_OF_ALL);
  assert.equal(after[0]?.source, 'flood1', 'the oldest lapsed');
});

test('a mitigation of a journal of 0.1 is held by whoever reported it', () => {
  const world = new World();
  const { holds: _, renewAt: __, ...old } = world.attack({ id: 'e1', source: 'a' });
  const before = new World();
  before.record({ type: 'mitigation.created', mitigation: old });
  before.event({ source: 'b' });
  assert.equal(before.event({ source: 'b', action: 'unban' }).status, 'released');
  assert.equal(before.event({ source: 'a', action: 'unban' }).status, 'withdrawn');

  const named = new World();
  for (const { fact } of world.journal) {
    named.record(fact.type === 'mitigation.created' ? { ...fact, mitigation: old } : fact);
  }
  named.skipIds(world);
  named.event({ source: 'b' });
  named.event({ source: 'b', action: 'unban' });
  assert.equal(named.event({ id: 'e1', source: 'a', action: 'unban' }).status, 'withdrawn', 'by its id');
});
