/** The health assessment. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Health, type HealthSources } from '../../../src/app/observe/assess-health.ts';
import { MockAnnouncer } from '../../../src/control/mock-announcer.ts';
import type { EngineView, Shortfall } from '../../../src/control/types.ts';
import { initialState } from '../../../src/core/state/state.ts';
import type { Assessment } from '../../../src/view/health.ts';
import { neighborSettings, POLICY } from '../../control/support.ts';

const STARTED = 1_000_000;
const KIM = { kind: 'operator', name: 'kim' } as const;

/** A daemon with one established neighbor and no problems by default. */
class House {
  now = STARTED + 60_000;
  ahead = 0;
  readonly state = initialState();
  readonly announcer = new MockAnnouncer([neighborSettings('edge1')], () => this.now);
  policy = POLICY;
  shortfalls: readonly Shortfall[] = [];
  readonly health: Health;

  constructor(changes: Partial<HealthSources> = {}) {
    const engine: EngineView = {
      state: this.state,
      get policy() {
        return POLICY;
      },
      submit: () => Promise.reject(new Error('not asked')),
      adopt: () => Promise.reject(new Error('not asked')),
      follow: () => () => undefined,
      followFirst: () => () => undefined,
      recent: () => [],
    };
    const policyNow = () => this.policy;
    this.health = new Health({
      announcer: this.announcer,
      clock: () => this.now,
      clockAhead: () => this.ahead,
      isMock: false,
      recording: () => ({
        phase: 'ready',
        writingSince: undefined,
        snapshottingSince: undefined,
        unrecorded: 0,
        unrecordedSince: undefined,
      }),
      audit: () => ({ failure: undefined, writingSince: undefined }),
      engine: () => ({ ...engine, policy: policyNow() }),
      shortfalls: () => this.shortfalls,
      ...changes,
    });
  }

  static async started(changes: Partial<HealthSources> = {}): Promise<House> {
    const house = new House(changes);
    await house.announcer.start();
    return house;
  }

  get assessment(): Assessment {
    return this.health.assess();
  }

  get texts(): readonly string[] {
    return this.assessment.reasons.map(({ text }) => text);
  }
}

describe('the daemon is', () => {
  test('healthy while every session is up and every rule is where it should be', async () => {
    const house = await House.started();
    assert.deepEqual(house.assessment, { status: 'ok', reasons: [] });
  });

  test('not enforcing in mock mode, since its start', async () => {
    const house = await House.started({ isMock: true });
    assert.equal(house.assessment.status, 'not_enforcing');
    assert.deepEqual(house.assessment.reasons, [
      { code: 'mock', text: 'bgp.mode is mock: no rule is sent to any router', since: STARTED + 60_000 },
    ]);
  });

  test('not enforcing in a dry run', async () => {
    const house = await House.started();
    house.policy = { ...POLICY, mode: 'dry-run' };
    assert.equal(house.assessment.status, 'not_enforcing');
    assert.equal(house.assessment.reasons[0]?.code, 'dry_run');
  });

  test('not enforcing while paused: by whom, why, and since when', async () => {
    const house = await House.started();
    const fact = { type: 'control.paused', actor: KIM, reason: 'maintenance' } as const;
    house.state.apply({ seq: 1, at: STARTED + 5_000, fact });
    assert.equal(house.assessment.status, 'not_enforcing');
    const text = 'paused by kim: maintenance; nothing new is announced';
    assert.deepEqual(house.assessment.reasons, [{ code: 'paused', text, since: STARTED + 5_000 }]);
  });

  test('degraded with a disabled neighbor: by whom, why, and since when', async () => {
    const house = await House.started();
    house.announcer.setEnabled('edge1', false);
    const fact = { type: 'peer.disabled', peer: 'edge1', actor: KIM, reason: 'line card' } as const;
    house.state.apply({ seq: 1, at: STARTED + 7_000, fact });
    assert.equal(house.assessment.status, 'degraded');
    const text = 'edge1 is disabled by kim: line card';
    assert.deepEqual(house.assessment.reasons, [{ code: 'session_disabled', text, since: STARTED + 7_000 }]);
  });

  test('degraded without any neighbor', () => {
    const house = new House({ announcer: new MockAnnouncer([], () => 0) });
    assert.equal(house.assessment.status, 'degraded');
    assert.equal(house.assessment.reasons[0]?.code, 'no_neighbors');
  });

  test('degraded while the journal cannot be written', async () => {
    const house = await House.started();
    house.health.storeFails(new Error('no space left'));
    assert.match(house.texts[0] ?? '', /journal cannot be written, events are refused: no space left/);
    house.health.storeWorks();
    assert.equal(house.assessment.status, 'ok');
  });

  test('degraded while the database of the journal is away, in its own words, also when nothing is written', async () => {
    let trouble: { readonly text: string; readonly since: number } | undefined;
    const house = await House.started({ trouble: () => trouble });
    assert.equal(house.assessment.status, 'ok');
    trouble = { text: 'cannot connect to PostgreSQL at db:5432', since: STARTED + 5_000 };
    house.health.storeFails(new Error('the last write'));
    const text = 'the journal cannot be written, events are refused: cannot connect to PostgreSQL at db:5432';
    assert.deepEqual(house.assessment.reasons, [{ code: 'journal', text, since: STARTED + 5_000 }]);
  });
});

test('mitigations that a neighbor does not enforce are one line for each reason', async () => {
  const house = await House.started();
  house.shortfalls = [
    { neighbor: 'edge1', state: 'over_budget', why: 'max_rules (10) is used up', count: 10 },
    { neighbor: 'old', state: 'unsupported', why: 'arista: no rate-limit', count: 1 },
  ];
  assert.deepEqual(house.texts, [
    'edge1 has no room for 10 active mitigations: max_rules (10) is used up',
    'old cannot enforce 1 active mitigation: arista: no rate-limit',
  ]);
});

test('a reason keeps the time at which it was noticed, and a new time when it comes back', async () => {
  const house = await House.started();
  const short = { neighbor: 'edge1', state: 'unsupported', why: 'no', count: 1 } as const;
  house.shortfalls = [short];
  const first = house.now;
  assert.equal(house.assessment.reasons[0]?.since, first);
  house.now += 30_000;
  house.shortfalls = [{ ...short, count: 2 }];
  assert.equal(house.assessment.reasons[0]?.since, first, 'two instead of one is the same trouble');
  house.shortfalls = [];
  assert.equal(house.assessment.status, 'ok');
  house.now += 30_000;
  house.shortfalls = [short];
  assert.equal(house.assessment.reasons[0]?.since, house.now);
});

test('a thousand neighbors in trouble do not make a thousand lines', async () => {
  const house = await House.started();
  house.shortfalls = Array.from({ length: 1000 }, (_, i): Shortfall => {
    return { neighbor: `edge${i}`, state: 'unsupported', why: 'no', count: 1 };
  });
  assert.equal(house.texts.length, 11);
  assert.match(house.texts[10] ?? '', /990 more/);
});

test('a clock that was set is a reason from a minute on, in either direction', async () => {
  const house = await House.started();
  house.ahead = 59_999;
  assert.equal(house.assessment.status, 'ok');
  house.ahead = 1_780_000;
  assert.equal(house.assessment.status, 'degraded');
  assert.match(house.texts.join(), /^the system's clock is 1780 s behind prefixd's, .* correct it, /);
  assert.equal(house.assessment.reasons[0]?.code, 'clock');
  house.ahead = -60_000;
  assert.match(house.texts.join(), /^the system's clock is 60 s ahead of prefixd's/);
});
