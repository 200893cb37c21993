/** Whenever reports and unbans arrive, clocks are set back and prefixd restarts: traffic that is away returns once, and in time. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import type { PlaybooksData } from '../../src/core/policy/playbook-schema.ts';
import {
  DEFAULT_RETURN,
  NO_TARGETS,
  type ReturnTimes,
  type Targets,
} from '../../src/core/policy/scrubbers.ts';
import { restoreState } from '../../src/core/state/state.ts';
import type { Mitigation } from '../../src/core/types.ts';
import { ALICE, FNM, type PolicyOptions, World } from './scenario.ts';

const VICTIM = '203.0.113.50';
/** The shortest TTL, so that only the times of the return count. */
const TTL_SECONDS = 30;

function settings(type: 'divert' | 'blackhole', times: ReturnTimes): PolicyOptions {
  const target = { ...NO_TARGETS.blackhole.target, return: times };
  const targets: Targets = {
    scrubbers: new Map([['fra', { name: 'fra', redirect: {}, divert: target, maxDiverted: 9 }]]),
    blackhole: { allowed: true, target, customers: [] },
  };
  const ttl = { ttl_seconds: TTL_SECONDS };
  const step = type === 'divert' ? { action: type, to: 'fra', ...ttl } : { action: type, ...ttl };
  const playbooks: PlaybooksData = {
    playbooks: [{ name: 'book', match: { vector: ['udp_flood', 'syn_flood'] }, steps: [step] }],
  };
  return { targets, playbooks };
}

/** A moment of the attack. `at`: where in the time that is left until the return, from 0 to 1. */
type Moment =
  | {
      readonly does: 'report';
      readonly at: number;
      readonly vector: 'udp_flood' | 'syn_flood';
      readonly hold: 'until_ttl' | 'until_released';
    }
  | { readonly does: 'unban' | 'tick' | 'restart'; readonly at: number }
  | { readonly does: 'set back'; readonly seconds: number };

const at = fc.double({ min: 0, max: 1, noNaN: true });
const moment: fc.Arbitrary<Moment> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      does: fc.constant('report' as const),
      at,
      vector: fc.constantFrom('udp_flood' as const, 'syn_flood' as const),
      hold: fc.constantFrom('until_ttl' as const, 'until_released' as const),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      does: fc.constantFrom('unban' as const, 'tick' as const, 'restart' as const),
      at,
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      does: fc.constant('set back' as const),
      seconds: fc.integer({ min: 1, max: 3600 }),
    }),
  },
);

const anyTimes: fc.Arbitrary<ReturnTimes> = fc
  .record({
    minSeconds: fc.integer({ min: TTL_SECONDS, max: 5000 }),
    quietSeconds: fc.integer({ min: TTL_SECONDS, max: 1500 }),
    backoff: fc.constantFrom(1, 2, 4),
    further: fc.nat(20_000),
  })
  .map(({ further, ...times }) => ({ ...times, maxSeconds: times.minSeconds + further }));

/** A daemon that may restart, with all facts of its lives, and when its traffic may return as this test computes it. */
class Absence {
  readonly #settings: PolicyOptions;
  readonly #times: ReturnTimes;
  world: World;
  readonly #began: number;
  #reported: number;
  /** Alerts, each of another number. */
  #alerts = 0;
  readonly #counts = new Map<string, number>();

  constructor(type: 'divert' | 'blackhole', times: ReturnTimes) {
    this.#settings = settings(type, times);
    this.#times = times;
    this.world = new World(this.#settings);
    this.#began = this.world.now;
    this.#reported = this.#began;
    this.#report('udp_flood', 'until_ttl');
    assert.equal(this.only().action.type, type);
  }

  /** The last second in which the traffic must be away. */
  get until(): number {
    const least = this.#began + this.#times.minSeconds * 1000;
    return Math.max(this.#reported, least) + this.#times.quietSeconds * 1000 - 1000;
  }

  /** Counts the facts of a type. */
  count(type: string): number {
    return this.#counts.get(type) ?? 0;
  }

  only(): Mitigation {
    const [id, another] = this.world.state.live;
    assert.equal(another, undefined, 'one route for the victim');
    return this.world.get(id ?? assert.fail('nothing is active'));
  }

  act(one: Moment): void {
    if (one.does === 'set back') {
      this.world.wait(-one.seconds);
      this.#do({ type: 'expire' });
      return;
    }
    const left = Math.max(0, this.until - this.world.now) / 1000;
    this.wait(Math.floor(one.at * left));
    switch (one.does) {
      case 'report':
        this.#report(one.vector, one.hold);
        break;
      case 'unban':
        this.#unban(this.#alerts);
        break;
      case 'restart':
        this.restart();
        break;
      default:
    }
  }

  /** Lets time pass, with the expiry timer at the end of it. */
  wait(seconds: number): void {
    this.world.wait(seconds);
    this.#do({ type: 'expire' });
  }

  /** Goes on from a snapshot on disk, and expires what is due as a start does. */
  restart(): void {
    const { state, now } = this.world;
    const next = new World(this.#settings, restoreState(JSON.parse(JSON.stringify(state.snapshot()))));
    next.skipIds(this.world);
    next.now = now;
    this.world = next;
    this.#do({ type: 'policy-loaded', actor: ALICE, summary: 'start' });
    this.#do({ type: 'expire' });
  }

  confirmEnded(): void {
    this.#do({ type: 'confirm-ended', ids: [this.only().id] });
  }

  #report(vector: 'udp_flood' | 'syn_flood', hold: 'until_ttl' | 'until_released'): void {
    this.world.event({ id: `alert ${++this.#alerts}`, victim: VICTIM, vector, hold });
    this.#reported = Math.max(this.#reported, this.world.now);
    this.#noted();
  }

  /** The detector reports the end of all its alerts. */
  unbanAll(): void {
    for (let alert = 1; alert <= this.#alerts; alert++) this.#unban(alert);
  }

  #unban(alert: number): void {
    this.world.event({ id: `alert ${alert}`, victim: VICTIM, action: 'unban' });
    // The last of them says that the attack lasted until now.
    const isLast = this.world.last.facts.some((fact) => 'release' in fact && fact.expiresAt !== undefined);
    if (isLast) this.#reported = this.world.now;
    this.#noted();
  }

  #do(command: Parameters<World['do']>[0]): void {
    this.world.do(command);
    this.#noted();
  }

  #noted(): void {
    for (const type of this.world.facts) this.#counts.set(type, this.count(type) + 1);
  }
}

describe('the traffic of an attacked host, diverted or blackholed,', () => {
  test('stays away while reports come, however far apart, and returns exactly once after them', () => {
    fc.assert(
      fc.property(
        fc.constantFrom('divert' as const, 'blackhole' as const),
        anyTimes,
        fc.array(moment, { maxLength: 30 }),
        (type, times, moments) => {
          const absence = new Absence(type, times);
          for (const one of moments) {
            absence.act(one);
            assert.equal(absence.only().ending, null, `it returned during the attack, after ${one.does}`);
          }
          absence.unbanAll();
          absence.wait(Math.max(0, absence.until - absence.world.now) / 1000);
          assert.equal(absence.only().ending, null, 'the last second');
          absence.wait(1);
          assert.notEqual(absence.only().ending, null, 'the attack is over');
          absence.confirmEnded();
          for (let hour = 0; hour < 30; hour++) {
            if (hour % 7 === 0) absence.restart();
            absence.wait(3600);
          }
          assert.equal(absence.world.state.live.size, 0);
          const counts = ['created', 'ending'].map((name) => absence.count(`mitigation.${name}`));
          assert.deepEqual(counts, [1, 1], 'one diversion, one return');
        },
      ),
      { numRuns: 400, includeErrorInReport: true },
    );
  });

  test('is away through an hour of silence and of unbans, whenever its detector looks', () => {
    fc.assert(
      fc.property(
        fc.constantFrom('divert' as const, 'blackhole' as const),
        fc.array(
          fc.record({
            seconds: fc.integer({ min: 1, max: 900 }),
            does: fc.constantFrom('nothing', 'unban', 'restart'),
          }),
          { maxLength: 20 },
        ),
        (type, looks) => {
          const absence = new Absence(type, DEFAULT_RETURN);
          let left = 3600;
          for (const { seconds, does } of looks) {
            const now = Math.min(seconds, left);
            left -= now;
            absence.wait(now);
            if (does === 'unban') absence.unbanAll();
            if (does === 'restart') absence.restart();
          }
          absence.wait(left);
          assert.equal(absence.only().ending, null);
          assert.deepEqual([absence.count('mitigation.created'), absence.count('mitigation.ending')], [1, 0]);
        },
      ),
      { numRuns: 200 },
    );
  });

  test('returns once, early, when its scrubber says so, and a report after that keeps it', () => {
    const absence = new Absence('divert', DEFAULT_RETURN);
    const clean = { type: 'scrubber-clean', scrubber: 'fra', victim: VICTIM, actor: FNM } as const;
    absence.wait(DEFAULT_RETURN.minSeconds - 10);
    absence.world.do(clean);
    absence.act({ does: 'report', at: 0, vector: 'udp_flood', hold: 'until_ttl' });
    absence.wait(DEFAULT_RETURN.quietSeconds);
    assert.equal(absence.only().ending, null);
    absence.world.do(clean);
    absence.wait(0);
    assert.notEqual(absence.only().ending, null);
  });
});
