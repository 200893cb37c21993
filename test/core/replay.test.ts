/** A state is a function of its facts and their times: not of groups, snapshots between them, or groups undone. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Fact, RecordedFact } from '../../src/core/facts.ts';
import { IMPORT_MEMORY_MS, IMPORT_MEMORY_SIZE } from '../../src/core/state/imports.ts';
import { KEPT_REPORTS, KEPT_TURNS, LIVES_SIZE, sizeOf } from '../../src/core/state/lives.ts';
import { BLOCK_MEMORY_SIZE } from '../../src/core/state/recent.ts';
import { DETAILS_BYTES, HISTORY_SIZE } from '../../src/core/state/remembered-events.ts';
import {
  initialState,
  restoreState,
  type StateHandle,
  type StateSnapshot,
} from '../../src/core/state/state.ts';
import type { EventRecord, Mitigation } from '../../src/core/types.ts';
import { ALICE, detection, FNM, NOON, World } from './scenario.ts';

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

const TEMPLATE = new World().attack();

/** What was decided, and when (ms after noon; clocks may be set back). */
type Timed = readonly [at: number, fact: Fact];

function numbered(timed: readonly Timed[], after = 0): readonly RecordedFact[] {
  return timed.map(([at, fact], i) => ({ seq: after + i + 1, at: NOON + at, fact }));
}

function created(id: string, at: number, change: Partial<Mitigation> = {}): Timed {
  const times = { createdAt: NOON + at, updatedAt: NOON + at, expiresAt: NOON + at + MINUTE };
  return [at, { type: 'mitigation.created', mitigation: { ...TEMPLATE, ...times, id, ...change } }];
}

function rejected(id: string, at: number): Timed {
  const mitigation = { ...TEMPLATE, id, status: 'rejected', endedAt: NOON + at } as const;
  return [at, { type: 'mitigation.rejected', mitigation }];
}

function expired(id: string, at: number): Timed {
  return [at, { type: 'mitigation.expired', id }];
}

function reported(
  id: string,
  at: number,
  options: Parameters<typeof detection>[0] = {},
  change: Partial<EventRecord> = {},
): Timed {
  const event: EventRecord = {
    id,
    receivedAt: NOON + at,
    detection: detection(options),
    actor: FNM,
    status: 'accepted',
    refusal: null,
    mitigationId: null,
    why: [],
    ...change,
  };
  return [at, { type: 'event.received', event }];
}

function paused(at: number): Timed {
  return [at, { type: 'control.paused', actor: ALICE, reason: '' }];
}

function throughJson(state: StateHandle): StateSnapshot {
  return JSON.parse(JSON.stringify(state.snapshot()));
}

/** Everything that a restart keeps, and what it says of attacked hosts. */
function kept(state: StateHandle, block = ''): string {
  const attacked = [...state.reportedIn(block, 'udp_flood')];
  return JSON.stringify({ snapshot: state.snapshot(), attacked, live: [...state.live] });
}

function assertKept(state: StateHandle, expected: string, block: string | undefined, how: string): void {
  const actual = kept(state, block);
  // Comparing texts is much faster.
  if (actual !== expected) assert.deepEqual(JSON.parse(actual), JSON.parse(expected), how);
  assert.ok(actual === expected, how);
}

/** Applies facts in groups of a size. `undone` is decided before each group and could not be recorded. */
function inGroups(
  state: StateHandle,
  facts: readonly RecordedFact[],
  size: number,
  undone: readonly Timed[],
): void {
  for (let i = 0; i < facts.length; i += size) {
    if (undone.length > 0) {
      state.begin();
      for (const fact of numbered(undone, state.seq)) state.apply(fact);
      state.rollback();
    }
    state.begin();
    for (const fact of facts.slice(i, i + size)) state.apply(fact);
    state.commit();
  }
}

interface Comparison {
  readonly before?: readonly Timed[];
  readonly facts: readonly Timed[];
  readonly undone: readonly Timed[];
  readonly block?: string;
}

/** Returns the replayed state, which all other ways must have led to. */
function assertOneState({ before = [], facts, undone, block }: Comparison): StateHandle {
  const replayed = initialState();
  for (const fact of numbered(before)) replayed.apply(fact);
  const base = throughJson(replayed);
  const later = numbered(facts, before.length);
  const halfway = Math.floor(later.length / 2);
  for (const fact of later) replayed.apply(fact);
  const expected = kept(replayed, block);
  for (const size of [1, 2, 5, later.length]) {
    const live = restoreState(base);
    inGroups(live, later, size, size === 1 ? [] : undone);
    assertKept(live, expected, block, `in groups of ${size}`);
  }
  const stopped = restoreState(base);
  inGroups(stopped, later.slice(0, halfway), 3, undone);
  const restarted = restoreState(throughJson(stopped));
  inGroups(restarted, later.slice(halfway), 3, undone);
  assertKept(restarted, expected, block, 'with a snapshot halfway');
  return replayed;
}

function dataOf(state: StateHandle): {
  readonly bans: readonly unknown[];
  readonly creations: readonly unknown[];
} {
  return state.snapshot().data as ReturnType<typeof dataOf>;
}

/** Times of facts (ms after noon) around which something that is remembered so long is forgotten, with clock steps. */
function stepsAround(span: number): readonly (readonly number[])[] {
  return [
    [0, 1.5 * span, 2 * span, 2.5 * span],
    [0, 0.5 * span, 3 * span, 1.2 * span, 1.3 * span],
    [0, 10 * span, span, 1.1 * span, 11 * span, 2 * span, 4 * span],
    [0, -5 * span, -4.5 * span, -2 * span, 0, -4 * span, 2.2 * span],
  ];
}

describe('one state, live, replayed and restored:', () => {
  for (const [i, times] of stepsAround(MINUTE).entries()) {
    test(`creations of the last minute, clock ${i + 1}`, () => {
      for (const dryRun of [false, true]) {
        const facts = times.flatMap((at, n) => [
          created(`a${n}`, at, { dryRun }),
          created(`b${n}`, at, { dryRun: n % 2 === 0 }),
          paused(at + SECOND),
        ]);
        assertOneState({ facts, undone: [created('x', 5 * MINUTE), created('y', -MINUTE), paused(HOUR)] });
      }
    });
  }

  test('a creation that a later fact of its group would have forgotten', () => {
    const facts = [created('a', 0), created('b', 89 * SECOND), paused(120 * SECOND), paused(150 * SECOND)];
    assert.equal(dataOf(assertOneState({ facts, undone: [paused(HOUR)] })).creations.length, 1);
  });

  for (const [i, times] of stepsAround(24 * HOUR).entries()) {
    test(`ids of bans of the last day, clock ${i + 1}`, () => {
      const facts = times.flatMap((at, n) => [
        reported(`a${n}`, at, { id: `own-${n}` }),
        reported(`b${n}`, at, { id: 'repeated' }),
        paused(at + SECOND),
      ]);
      const undone = [reported('x', 48 * HOUR, { id: 'repeated' }), paused(72 * HOUR), paused(-HOUR)];
      assertOneState({ facts, undone });
    });
  }

  test('a ban whose id is forgotten while the clock is ahead, and those after it', () => {
    const day = 24 * HOUR;
    const facts = [
      reported('a', 0, { id: 'a' }),
      paused(day + HOUR),
      reported('b', HOUR, { id: 'b' }),
      reported('c', HOUR, { id: 'a' }),
    ];
    const state = assertOneState({ facts, undone: [paused(HOUR)] });
    assert.equal(state.recentBan('fnm', 'a')?.eventId, 'c');
    assert.equal(dataOf(state).bans.length, 2);
  });

  test('ended mitigations beyond the limit, with their histories', () => {
    const before = Array.from({ length: HISTORY_SIZE - 3 }, (_, i) => [
      created(`m${i}`, i),
      expired(`m${i}`, i),
    ]).flat();
    const facts = Array.from({ length: 6 }, (_, i) => [
      rejected(`r${i}`, i),
      created(`n${i}`, -i),
      expired(`n${i}`, HOUR),
    ]);
    const undone = [
      created('x', 0),
      expired('x', 0),
      rejected('y', 0),
      rejected('z', 0),
      rejected('w', 0),
      rejected('v', 0),
    ];
    const state = assertOneState({ before, facts: facts.flat(), undone });
    assert.equal(state.mitigations.size, HISTORY_SIZE);
  });

  test('histories of which there are too many', () => {
    const before: Timed[] = [created('live', 0)];
    for (let i = 0; before.length < LIVES_SIZE - 60; i++) {
      const id = `m${i}`;
      const moved: Fact = { type: 'mitigation.moved', id, customerId: null, serviceId: null, actor: ALICE };
      before.push(
        created(id, i),
        ...Array.from({ length: KEPT_TURNS - 2 }, (): Timed => [i, moved]),
        expired(id, i),
      );
    }
    const reports = (name: string, about: string): readonly Timed[] =>
      Array.from({ length: 30 }, (_, i) => [
        reported(`${name}-e${i}`, -i, {}, { about: ['live', about] }),
        created(`${name}-${i}`, i),
        expired(`${name}-${i}`, i),
      ]).flat();
    const state = assertOneState({ before, facts: reports('a', 'm0'), undone: reports('b', 'm0') });
    const lives = [...state.mitigations.keys()].flatMap((id) => state.lifeOf(id) ?? []);
    const total = lives.reduce((sum, life) => sum + sizeOf(life), 0);
    assert.ok(total < LIVES_SIZE && total > 0.8 * LIVES_SIZE, `${total} entries`);
    assert.equal(state.lifeOf('live')?.reports.length, KEPT_REPORTS, 'the one that lives is as it was');
    assert.deepEqual(
      ['m0', 'm3000'].map((id) => state.lifeOf(id)?.turns.length),
      [3, KEPT_TURNS],
      'the oldest were cut',
    );
  });

  test('events beyond the limit, and a fact that refers to one of them', () => {
    const before = [created('m', 0), reported('first', 0), reported('second', 0)];
    while (before.length < HISTORY_SIZE) before.push(reported(`e${before.length}`, before.length));
    const ending = (eventId: string): Fact => ({
      type: 'mitigation.ending',
      id: 'm',
      ending: { to: 'withdrawn', at: NOON, actor: FNM, reason: 'released', eventId },
    });
    const facts = [reported('a', 0), reported('b', -HOUR), reported('c', HOUR)];
    const undone = [reported('x', HOUR), reported('y', 0), reported('z', 0), reported('w', 0)];
    const gone = assertOneState({ before, facts: [...facts, [0, ending('second')]], undone });
    assert.equal(gone.lifeOf('m')?.turns.at(-1)?.report, undefined);
    const there = assertOneState({ before, facts: [...facts, [0, ending('e3')]], undone });
    assert.equal(there.lifeOf('m')?.turns.at(-1)?.report?.eventId, 'e3');
  });

  test("events' details beyond the limit", () => {
    const large = (id: string, at: number): Timed =>
      reported(id, at, { details: { text: 'x'.repeat(2_000_000) } });
    const before = Array.from({ length: Math.floor(DETAILS_BYTES / 2_000_100) }, (_, i) => large(`e${i}`, i));
    const facts = [
      large('a', 0),
      reported('b', HOUR),
      large('c', -HOUR),
      reported('d', 0, { details: { x: 1 } }),
    ];
    const state = assertOneState({ before, facts, undone: [large('x', 0), large('y', 0)] });
    assert.ok('forgotten' in (state.events.get('e0')?.detection.details ?? {}));
  });

  test('hosts that are counted for a prefix', () => {
    const block = '203.0.113.0/24';
    const host = (i: number): string => `2001:db8::${i.toString(16)}`;
    const of = (i: number, action: 'ban' | 'unban', at = 0): Timed =>
      reported(`${action}-${i}-${at}`, at, { victim: host(i), action }, { block });
    const before = [of(1, 'ban'), of(2, 'ban'), of(3, 'ban')];
    for (let i = 0; i < HISTORY_SIZE - BLOCK_MEMORY_SIZE; i++) before.push(reported(`e${i}`, i));
    for (let i = 4; before.length < HISTORY_SIZE; i++) before.push(of(i, 'ban'));
    const facts = [
      of(2, 'ban', HOUR),
      of(5000, 'ban'),
      of(3, 'unban'),
      of(9, 'unban', -HOUR),
      of(5001, 'ban'),
    ];
    const undone = [of(4, 'unban', 1), of(1, 'ban', 1), of(6000, 'ban'), of(6001, 'ban')];
    const state = assertOneState({ before, facts, undone, block });
    const victims = [...state.reportedIn(block, 'udp_flood')].map((event) => event.detection.victim);
    assert.deepEqual(victims.slice(-3), [host(2), host(5000), host(5001)]);
    assert.ok(!victims.includes(host(1)) && !victims.includes(host(3)) && !victims.includes(host(9)));
  });

  test('holds that lapse', () => {
    const hold = (alertId: string, at: number): Fact => ({
      type: 'mitigation.extended',
      id: 'm',
      change: {
        hold: {
          source: 'fnm',
          alertId,
          vector: 'udp_flood',
          victim: '203.0.113.50',
          mode: 'until_ttl',
          confidence: null,
          beganAt: NOON + at,
          reportedAt: NOON + at,
          until: NOON + at + MINUTE,
        },
      },
    });
    for (const times of stepsAround(MINUTE)) {
      const facts = times.map((at, i): Timed => [at, hold(`${i % 3}`, at)]);
      assertOneState({ before: [created('m', 0)], facts, undone: [[HOUR, hold('x', HOUR)]] });
    }
  });

  test('neighbors that are disabled and prefixes that are safe, in their order', () => {
    const peer = (type: 'peer.disabled' | 'peer.enabled', name: string): Timed => [
      0,
      { type, peer: name, actor: ALICE, reason: '' },
    ];
    const safe = (text: string): Timed => [
      0,
      {
        type: 'safelist.added',
        entry: { prefix: text, reason: '', addedAt: NOON, addedBy: ALICE, configured: false },
      },
    ];
    const unsafe = (text: string): Timed => [0, { type: 'safelist.removed', prefix: text, actor: ALICE }];
    const [a, b] = ['192.0.2.0/24', '198.51.100.0/24'];
    const facts = [
      peer('peer.disabled', 'a'),
      peer('peer.disabled', 'b'),
      safe(a),
      safe(b),
      peer('peer.disabled', 'c'),
    ];
    const undone = [
      peer('peer.enabled', 'a'),
      peer('peer.disabled', 'a'),
      peer('peer.enabled', 'b'),
      unsafe(a),
      safe(a),
    ];
    assertOneState({ facts, undone });
  });

  test("another POP's mitigation that expired, began again, and outlasts the memory of ended ones", () => {
    const origin = { pop: 'ams1', epoch: 1, n: 1 };
    const imported = (at: number, n: number): Timed => {
      const mitigation = { ...TEMPLATE, id: 'theirs', origin: { ...origin, n }, createdAt: NOON + at };
      return [at, { type: 'mitigation.imported', mitigation }];
    };
    const ending = {
      to: 'expired',
      at: NOON,
      actor: { kind: 'system', name: 'prefixd' },
      reason: '',
    } as const;
    const before: readonly Timed[] = [
      created('first', 0),
      imported(0, 1),
      created('second', 0),
      [MINUTE, { type: 'mitigation.ending', id: 'theirs', ending }],
      expired('theirs', MINUTE),
      ...Array.from({ length: HISTORY_SIZE - 2 }, (_, i) => rejected(`r${i}`, MINUTE)),
    ];
    const facts: readonly Timed[] = [
      rejected('last', 2 * MINUTE),
      imported(3 * MINUTE, 2),
      ...Array.from({ length: 6 }, (_, i) => rejected(`more${i}`, 4 * MINUTE)),
    ];
    const state = assertOneState({ before, facts, undone: [imported(2 * MINUTE, 9)] });
    assert.equal(state.mitigations.get('theirs')?.origin?.n, 2);
    assert.deepEqual([...state.mitigations.keys()].at(-7), 'theirs', 'it is new in the order of creation');
    assert.ok(!state.mitigations.has('r0'), 'others were forgotten in its place');
    const late = assertOneState({
      before,
      facts: [...Array.from({ length: 5 }, (_, i) => rejected(`m${i}`, 2 * MINUTE)), imported(3 * MINUTE, 2)],
      undone: [imported(2 * MINUTE, 9)],
    });
    assert.equal(late.mitigations.get('theirs')?.status, 'active', 'also when its record was forgotten');
  });

  test("what is remembered of other POPs' mitigations, by time and by number", () => {
    const refused = (id: string, at: number): Timed => {
      const about = { mitigationId: id, victim: '203.0.113.1', vector: 'udp_flood', detail: '' };
      const origin = { pop: 'ams1', epoch: 1, n: 1 };
      return [at, { type: 'import.refused', origin, reason: 'paused', ...about }];
    };
    for (const times of stepsAround(IMPORT_MEMORY_MS)) {
      const facts = times.flatMap((at, i) => [refused(`a${i}`, at), refused('again', at)]);
      const state = assertOneState({ facts, undone: [refused('again', 0), refused('undone', 9 * HOUR)] });
      assert.equal(state.imports.get('undone', NOON), undefined);
    }
    const many = Array.from({ length: IMPORT_MEMORY_SIZE + 3 }, (_, i) => refused(`m${i}`, 0));
    const state = initialState();
    for (const fact of numbered(many)) state.apply(fact);
    const kept = [0, 2, 3].map((i) => state.imports.get(`m${i}`, NOON) !== undefined);
    assert.deepEqual(kept, [false, false, true], 'the oldest are forgotten first');
  });
});
