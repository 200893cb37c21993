/** A mitigation's history, and its cost. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Fact } from '../../src/core/facts.ts';
import type { Life, LifeEntry } from '../../src/core/state/life.ts';
import {
  shortestLife,
  KEPT_RENEWALS,
  KEPT_REPORTS,
  KEPT_REPORTS_ENDED,
  KEPT_TURNS,
  LIVES_SIZE,
  sizeOf,
} from '../../src/core/state/lives.ts';
import { initialState, restoreState } from '../../src/core/state/state.ts';
import { ALICE, NOON, World } from './scenario.ts';
import { visible } from './visible.ts';

function lifeOf(world: World, id: string): Life {
  const life = world.state.lifeOf(id);
  assert.ok(life !== undefined);
  return life;
}

/** Returns all entries in the order of time. */
function entries(world: World, id: string): readonly LifeEntry[] {
  const { turns, reports, renewals } = lifeOf(world, id);
  return [...turns, ...reports, ...renewals].sort((a, b) => a.seq - b.seq);
}

const kinds = (world: World, id: string): readonly string[] => entries(world, id).map(({ kind }) => kind);

describe('the life of a mitigation', () => {
  test('keeps its first reasons when it escalates, and each report with its values', () => {
    const world = new World();
    const { id, why } = world.attack({ bps: 4e9, pps: 1e6, confidence: 0.9 });
    world.wait(60).event({ bps: 3e9, confidence: 0.8 });
    world.wait(70).event({ bps: 2e9, confidence: 0.9 });
    const [created, extended, escalated] = entries(world, id);
    assert.deepEqual(kinds(world, id), ['created', 'extended', 'escalated']);
    assert.deepEqual(created?.why, why);
    assert.deepEqual(
      [created?.report?.bps, created?.report?.pps, created?.report?.status],
      [4e9, 1e6, 'accepted'],
    );
    assert.deepEqual(
      [extended?.report?.bps, extended?.report?.confidence, extended?.report?.status],
      [3e9, 0.8, 'extended'],
    );
    assert.equal(extended?.expiresAt, NOON + 180_000);
    assert.deepEqual([escalated?.step, escalated?.action?.type], [1, 'discard']);
    assert.match(escalated?.why?.join() ?? '', /escalated to step 2 \(discard\)/);
  });

  test('says when a step was taken, and not as a reason until when it lasts', () => {
    const world = new World();
    const { id } = world.attack({ confidence: 0.9 });
    for (const _ of [1, 2, 3]) world.wait(60).event({ confidence: 0.9 });
    const { why, status } = world.get(id);
    assert.equal(status, 'escalated');
    assert.doesNotMatch(why.join('\n'), /extended to/, 'it would be untrue with the next report');
    assert.match(world.why, /extended to/, 'the answer to the report does say it');
  });

  test('says who withdrew it and why, and when the routers had the withdrawal', () => {
    const world = new World();
    const { id } = world.attack();
    world.wait(5).withdraw(id);
    world.wait(1).do({ type: 'confirm-ended', ids: [id] });
    const [, ending, ended] = entries(world, id);
    assert.deepEqual(
      [ending?.kind, ending?.actor, ending?.reason, ending?.to, ending?.at],
      ['ending', ALICE, 'false alarm', 'withdrawn', NOON + 5000],
    );
    assert.deepEqual([ended?.kind, ended?.at], ['withdrawn', NOON + 6000]);
  });

  test('names the report of the detector that ended it', () => {
    const world = new World();
    const { id } = world.attack({ id: 'a' });
    world.wait(5).event({ id: 'a', action: 'unban' });
    const ending = entries(world, id)[1];
    assert.deepEqual(
      [ending?.kind, ending?.report?.action, ending?.report?.source],
      ['ending', 'unban', 'fnm'],
    );
    assert.equal(ending?.report?.eventId, [...world.state.events.keys()].at(-1));
  });

  test('has a release that is held down, and the end that follows from it', () => {
    const world = new World({ timers: { holdDownSeconds: 60 } });
    const { id } = world.attack({ id: 'a' });
    world.wait(5).event({ id: 'a', action: 'unban' });
    world.wait(60).do({ type: 'expire' });
    const [, released, ending] = entries(world, id);
    assert.deepEqual([released?.kind, released?.expiresAt], ['released', NOON + 65_000]);
    assert.deepEqual([ending?.to, ending?.report?.action], ['withdrawn', 'unban']);
  });

  test('has reports that changed nothing: an attack that has fallen, and an unban without a hold', () => {
    const world = new World({
      playbooks: {
        playbooks: [
          {
            name: 'udp',
            match: { vector: 'udp_flood', min_bps: 1e9 },
            steps: [{ action: 'police', rate_bps: 5e6 }],
          },
        ],
        default_playbook: { steps: [{ action: 'police', rate_bps: 1e6 }] },
      },
    });
    const { id } = world.attack({ bps: 4e9 });
    assert.equal(world.wait(5).event({ bps: 1e3 }).status, 'accepted_no_mitigation');
    assert.equal(world.wait(5).event({ action: 'unban', source: 'other' }).status, 'no_active_mitigation');
    assert.deepEqual(
      entries(world, id).map(({ kind, report }) => [kind, report?.source, report?.status, report?.bps]),
      [
        ['created', 'fnm', 'accepted', 4e9],
        ['reported', 'fnm', 'accepted_no_mitigation', 1e3],
        ['reported', 'other', 'no_active_mitigation', null],
      ],
    );
  });

  test('has renewals by the daemon, and a time that was cut', () => {
    const world = new World();
    const { id } = world.attack({ hold: 'until_released' });
    for (let i = 0; i < 8; i++) world.wait(55).do({ type: 'expire' });
    const { renewals, leftOut } = lifeOf(world, id);
    assert.equal(renewals.length, KEPT_RENEWALS);
    assert.ok(renewals.every(({ kind, actor }) => kind === 'renewed' && actor.kind === 'system'));
    assert.ok((leftOut?.renewals ?? 0) > 0);
    world.now -= 3_600_000;
    world.do({ type: 'expire' });
    assert.equal(lifeOf(world, id).renewals.at(-1)?.kind, 'shortened');
  });

  test("of an operator's and of a refused one are kept as well", () => {
    const world = new World();
    world.do({
      type: 'mitigate',
      actor: ALICE,
      victim: '203.0.113.60',
      protocol: 17,
      ports: [],
      action: { type: 'discard', rateBps: null },
      ttlSeconds: 300,
      reason: 'asked for by the customer',
    });
    const [own] = world.state.mitigations.values();
    assert.deepEqual(
      entries(world, own?.id ?? '').map(({ kind, actor, reason }) => [kind, actor, reason]),
      [['created', ALICE, 'asked for by the customer']],
    );
    const refused = world.event({ victim: '8.8.8.8' }).mitigation;
    assert.deepEqual(
      entries(world, refused?.id ?? '').map(({ kind, reason }) => [kind, reason]),
      [['rejected', 'not_in_inventory']],
    );
  });

  test('has the replacement by a rule for the prefix', () => {
    const world = new World({ aggregation: { hosts: 2 }, guardrails: { dstPrefixMinLen: 24 } });
    const { id } = world.attack({ victim: '203.0.113.50' });
    const wide = world.wait(5).attack({ victim: '203.0.113.51' });
    const ending = entries(world, id).at(-1);
    assert.deepEqual(
      [ending?.kind, ending?.reason, ending?.report?.victim],
      ['ending', `covered by mitigation ${wide.id} for 203.0.113.0/24`, '203.0.113.51'],
    );
  });

  test('survives a restart, from facts and from a snapshot', () => {
    const world = new World();
    const { id } = world.attack({ bps: 4e9 });
    world.wait(60).event({ bps: 3e9 });
    world.withdraw(id);
    const life = lifeOf(world, id);
    const replayed = initialState();
    for (const recorded of world.journal) replayed.apply(recorded);
    assert.deepEqual(replayed.lifeOf(id), life);
    assert.deepEqual(restoreState(JSON.parse(JSON.stringify(world.state.snapshot()))).lifeOf(id), life);
  });

  test('is built from the mitigation itself when an older version kept none', () => {
    const world = new World();
    const { id } = world.attack();
    world.wait(60).event();
    world.withdraw(id);
    const { schema, seq, data } = world.state.snapshot();
    const old = Object.fromEntries(Object.entries(Object(data)).filter(([key]) => key !== 'lives'));
    const restored = restoreState({ schema, seq, data: old });
    const life = restored.lifeOf(id);
    assert.deepEqual(
      life?.turns.map(({ kind, reason }) => [kind, reason]),
      [
        ['created', 'udp_flood reported by fnm'],
        ['ending', 'false alarm'],
      ],
    );
    assert.equal(life?.unknownUntil, world.now);
    const fact: Fact = { type: 'mitigation.withdrawn', id };
    restored.apply({ seq: seq + 1, at: world.now, fact });
    assert.equal(restored.lifeOf(id)?.turns.at(-1)?.kind, 'withdrawn');
  });

  test('is taken back with the group that a disk could not write', () => {
    const world = new World();
    const { id } = world.attack({ id: 'a' });
    const before = visible(world.state);
    world.state.begin();
    world.wait(10).event({ id: 'b', ports: [] });
    world.event({ action: 'unban', source: 'other' });
    world.attack({ victim: '203.0.113.77' });
    world.withdraw(id);
    world.state.rollback();
    assert.deepEqual(visible(world.state), before);
  });
});

describe('the memory of lives', () => {
  test('keeps the newest reports and turns of one, the first always, and counts the rest', () => {
    const world = new World();
    const { id } = world.attack({ bps: 1e9 });
    for (let i = 1; i <= KEPT_REPORTS + 37; i++) world.wait(1).event({ bps: i === 3 ? 9e9 : 1e9 });
    const life = lifeOf(world, id);
    assert.equal(life.reports.length, KEPT_REPORTS);
    assert.equal(life.reports.at(-1)?.at, world.now);
    assert.equal(life.turns[0]?.kind, 'created');
    assert.deepEqual(
      [life.leftOut?.reports, life.leftOut?.maxBps, life.leftOut?.from, life.leftOut?.to],
      [37, 9e9, NOON + 1000, NOON + 37_000],
    );
  });

  test('keeps few reports of one that has ended', () => {
    const world = new World();
    const { id } = world.attack();
    for (let i = 0; i < KEPT_REPORTS; i++) world.wait(1).event();
    world.withdraw(id);
    world.do({ type: 'confirm-ended', ids: [id] });
    const { reports, turns, leftOut } = lifeOf(world, id);
    assert.equal(reports.length, KEPT_REPORTS_ENDED);
    assert.equal(leftOut?.reports, KEPT_REPORTS - KEPT_REPORTS_ENDED);
    assert.deepEqual(
      turns.map(({ kind }) => kind),
      ['created', 'ending', 'withdrawn'],
    );
  });

  test('never forgets how one began, however often it was widened', () => {
    const world = new World({ guardrails: { maxPorts: 60 } });
    const { id } = world.attack({ ports: [1000] });
    for (let i = 1; i < KEPT_TURNS + 5; i++) {
      world.wait(1).event({ ports: Array.from({ length: i + 1 }, (_, port) => 1000 + port) });
    }
    const { turns, leftOut } = lifeOf(world, id);
    assert.equal(turns.length, KEPT_TURNS);
    assert.deepEqual([turns[0]?.kind, turns[1]?.kind], ['created', 'widened']);
    assert.equal(leftOut?.turns, 5);
  });

  test('holds no more entries than its bound, and cuts the lives of ended ones first', () => {
    const world = new World();
    const { id } = world.attack();
    for (let i = 0; i < KEPT_REPORTS; i++) world.wait(1).event();
    const whole = sizeOf(lifeOf(world, id));
    const template = world.get(id);
    const { state } = world;
    const apply = (fact: Fact): void => state.apply({ seq: state.seq + 1, at: world.now, fact });
    let most = 0;
    const each = 2 + KEPT_RENEWALS;
    for (let i = 0; i * each < LIVES_SIZE * 1.2; i++) {
      const other = `other-${i}`;
      apply({ type: 'mitigation.created', mitigation: { ...template, id: other, holds: [] } });
      for (let j = 1; j <= 3; j++) {
        const change = { expiresAt: template.expiresAt + j };
        apply({ type: 'mitigation.extended', id: other, change });
      }
      const ending = { to: 'expired', at: world.now, actor: ALICE, reason: 'x' } as const;
      apply({ type: 'mitigation.ending', id: other, ending });
      apply({ type: 'mitigation.expired', id: other });
      if (i % 500 === 0) most = Math.max(most, kept(state));
    }
    assert.ok(most <= LIVES_SIZE && most > LIVES_SIZE / 2, `${most} entries`);
    assert.equal(sizeOf(lifeOf(world, id)), whole, 'the one that lives is as it was');
  });

  test('cuts a text that somebody made long', () => {
    const world = new World();
    const long = 'x'.repeat(1_000_000);
    const { id } = world.attack({ source: long, bps: 1 });
    world.do({ type: 'withdraw', id, actor: { kind: 'operator', name: long }, reason: long });
    assert.ok(JSON.stringify(lifeOf(world, id)).length < 5_000);
  });

  test('keeps at the least how it began and how it ended', () => {
    const world = new World();
    const { id } = world.attack();
    for (let i = 0; i < 5; i++) world.wait(1).event();
    world.withdraw(id);
    world.do({ type: 'confirm-ended', ids: [id] });
    const { turns, reports, leftOut } = shortestLife(lifeOf(world, id));
    assert.deepEqual(
      turns.map(({ kind }) => kind),
      ['created', 'ending', 'withdrawn'],
    );
    assert.deepEqual([reports.length, leftOut?.reports], [0, 5]);
  });
});

function kept(state: World['state']): number {
  let size = 0;
  for (const id of state.mitigations.keys()) {
    const life = state.lifeOf(id);
    if (life !== undefined) size += sizeOf(life);
  }
  return size;
}
