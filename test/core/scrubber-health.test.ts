import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { PlaybooksData } from '../../src/core/policy/playbook-schema.ts';
import { NO_TARGETS, type Scrubber, type Targets } from '../../src/core/policy/scrubbers.ts';
import { initialState, restoreState } from '../../src/core/state/state.ts';
import { standingIntent } from '../../src/core/own-intents.ts';
import { EXCHANGE, importedId, takeOver, version } from './intents.ts';
import { ALICE, FNM, type PolicyOptions, World } from './scenario.ts';

const UNICAST = NO_TARGETS.blackhole.target;
const PROBE = { url: 'http://192.0.2.9/', intervalSeconds: 10, timeoutSeconds: 2, failures: 3, successes: 2 };
const FRA: Scrubber = {
  name: 'fra',
  redirect: { ipv4: '192.0.2.50' },
  divert: UNICAST,
  maxDiverted: 10,
  probe: PROBE,
};
const TARGETS: Targets = {
  scrubbers: new Map([['fra', FRA]]),
  blackhole: { allowed: true, target: UNICAST, customers: [] },
};
const soon = { require_confidence_at_least: 0.5, require_persistence_seconds: 60 };
type Steps = NonNullable<PlaybooksData['playbooks']>[number]['steps'];
const playbooks = (steps: Steps, ways?: ['next_step']): PlaybooksData => ({
  playbooks: [
    { name: 'flood', match: { vector: 'udp_flood' }, steps, ...(ways ? { when_unenforceable: ways } : {}) },
  ],
});
const POLICE = { action: 'police', rate_bps: 5_000_000, ttl_seconds: 120 } as const;
const REDIRECT = { action: 'redirect', to: 'fra', ttl_seconds: 120 } as const;
const DIVERT = { action: 'divert', to: 'fra', ttl_seconds: 120 } as const;
const BLACKHOLE = { action: 'blackhole', ttl_seconds: 120 } as const;

const world = (steps: Steps, options: PolicyOptions & { readonly ways?: ['next_step'] } = {}): World =>
  new World({ targets: TARGETS, playbooks: playbooks(steps, options.ways), ...options });

const REPORT = { ports: [9999], confidence: 0.9 };

const health = (at: World, healthy: boolean): void => {
  const detail = healthy ? '' : 'connection refused';
  at.do({ type: 'scrubber-health', scrubber: 'fra', healthy, detail, actor: FNM });
};
/** The scrubber fails, and the daemon looks at what is due. */
const fail = (at: World): void => {
  health(at, false);
  at.wait(1).do({ type: 'expire' });
};

describe('a mitigation whose scrubber fails its health probe', () => {
  test('goes back from its diversion to the rule it had, under the same id and with the life of a rule', () => {
    const at = world([POLICE, { ...DIVERT, ...soon }]);
    const { id, match } = at.attack(REPORT);
    at.wait(60).event(REPORT);
    assert.equal(at.get(id).action.type, 'divert');
    assert.deepEqual(at.get(id).filter?.match, match);
    fail(at);
    const after = at.get(id);
    assert.deepEqual(
      [after.action, after.match, after.step],
      [{ type: 'police', rateBps: 5_000_000 }, match, 0],
    );
    assert.deepEqual([after.away, after.filter], [null, null]);
    assert.equal(after.expiresAt, at.now + 120_000);
    assert.match(
      after.why[0] ?? '',
      /scrubber fra does not answer its health probe: connection refused; changed to step 1/,
    );
  });

  test('goes back from a redirect, too', () => {
    const at = world([POLICE, { ...REDIRECT, ...soon }]);
    const { id } = at.attack(REPORT);
    at.wait(60).event(REPORT);
    fail(at);
    assert.equal(at.get(id).action.type, 'police');
  });

  test('takes the next step where its playbook allows that', () => {
    const at = world([POLICE, { ...DIVERT, ...soon }, BLACKHOLE], { ways: ['next_step'] });
    const { id } = at.attack(REPORT);
    at.wait(60).event(REPORT);
    fail(at);
    assert.equal(at.get(id).action.type, 'blackhole');
    assert.equal(at.get(id).away?.since, at.now, 'its absence begins again, as a blackhole');
    assert.equal(at.get(id).filter?.action.type, 'police');
  });

  test('that began with a diversion gets the rule that its last report describes', () => {
    const at = world([DIVERT, POLICE], { ways: ['next_step'] });
    const { id } = at.attack(REPORT);
    assert.equal(at.get(id).action.type, 'divert');
    fail(at);
    assert.deepEqual([at.get(id).action.type, at.get(id).match.dstPorts], ['police', [[9999, 9999]]]);
  });

  test('stays, and says so, if no other step is possible', () => {
    const at = world([DIVERT]);
    const { id, expiresAt } = at.attack(REPORT);
    fail(at);
    assert.deepEqual([at.get(id).action.type, at.get(id).expiresAt], ['divert', expiresAt]);
    assert.match(
      at.get(id).why.join(),
      /no other step of flood is possible, so its traffic still goes there/,
    );
    at.wait(1).do({ type: 'expire' });
    assert.deepEqual(at.facts, [], 'it is said once');
  });

  test('stays if an operator asked for it', () => {
    const at = world([POLICE]);
    const action = { type: 'divert', rateBps: null, scrubber: 'fra' } as const;
    const { answer } = at.do({
      type: 'mitigate',
      actor: ALICE,
      victim: '203.0.113.50',
      protocol: null,
      ports: [],
      action,
      ttlSeconds: 600,
      reason: 'test',
    });
    assert.ok(answer.type === 'mitigation');
    fail(at);
    assert.equal(at.get(answer.mitigation.id).action.type, 'divert');
  });

  test('escalates to it again when it has recovered', () => {
    const at = world([POLICE, { ...DIVERT, ...soon }]);
    const { id } = at.attack(REPORT);
    at.wait(60).event(REPORT);
    fail(at);
    at.wait(61).event(REPORT);
    assert.equal(at.get(id).action.type, 'police');
    assert.match(at.why, /not escalating to step 2 .*scrubber fra does not answer its health probe/);
    health(at, true);
    at.wait(1).event(REPORT);
    assert.equal(at.get(id).action.type, 'divert');
  });
});

describe('a scrubber that fails its health probe', () => {
  test('is not used for new attacks: the next step is tried, or the report is refused with the reason', () => {
    const next = world([DIVERT, POLICE], { ways: ['next_step'] });
    health(next, false);
    assert.equal(next.attack(REPORT).action.type, 'police');
    const none = world([DIVERT]);
    health(none, false);
    assert.equal(none.event(REPORT).refusal, 'scrubber_unhealthy');
  });

  test('is recorded once, and again when it has recovered', () => {
    const at = world([DIVERT]);
    health(at, false);
    assert.deepEqual(at.facts, ['scrubber.down']);
    health(at, false);
    assert.deepEqual(at.facts, []);
    health(at, true);
    assert.deepEqual(at.facts, ['scrubber.up']);
    health(at, true);
    assert.deepEqual(at.facts, []);
  });

  test('is remembered across a restart, from facts and from a snapshot', () => {
    const at = world([DIVERT]);
    health(at, false);
    const replayed = initialState();
    for (const [i, fact] of at.last.facts.entries()) replayed.apply({ seq: i + 1, at: at.now, fact });
    assert.equal(replayed.downScrubbers.get('fra')?.reason, 'connection refused');
    const json = JSON.parse(JSON.stringify(replayed.snapshot())) as ReturnType<typeof replayed.snapshot>;
    assert.deepEqual([...restoreState(json).downScrubbers], [...replayed.downScrubbers]);
  });

  test('counts as healthy once its probe is no longer configured', () => {
    const { probe: _, ...unprobed } = FRA;
    const at = world([DIVERT], { targets: { ...TARGETS, scrubbers: new Map([['fra', unprobed]]) } });
    health(at, false);
    assert.equal(at.attack(REPORT).action.type, 'divert');
  });
});

describe('a blackhole with probe_seconds', () => {
  const target = { ...UNICAST, return: { ...UNICAST.return, probeSeconds: 30 } };
  const targets: Targets = { ...TARGETS, blackhole: { allowed: true, target, customers: [] } };
  const AWAY = target.return.minSeconds + target.return.quietSeconds;

  test('is lifted for that long before it ends', () => {
    const at = world([BLACKHOLE], { targets });
    const { id } = at.attack(REPORT);
    at.wait(AWAY).do({ type: 'expire' });
    assert.equal(at.get(id).ending, null);
    assert.deepEqual(at.get(id).away?.probeUntil, at.now + 30_000);
    at.wait(29).do({ type: 'expire' });
    assert.equal(at.get(id).ending, null);
    at.wait(1).do({ type: 'expire' });
    assert.equal(at.get(id).ending?.reason, 'no attack was reported while the blackhole was lifted');
  });

  test('is announced again, for twice as long, when the attack is reported meanwhile', () => {
    const at = world([BLACKHOLE], { targets });
    const { id } = at.attack(REPORT);
    at.wait(AWAY).do({ type: 'expire' });
    at.wait(10).event(REPORT);
    const { away, expiresAt, ending } = at.get(id);
    assert.deepEqual([away, ending], [{ since: at.now, minSeconds: 2 * target.return.minSeconds }, null]);
    assert.equal(expiresAt, at.now + (2 * target.return.minSeconds + target.return.quietSeconds) * 1000);
  });

  test('ends without a probe if an operator asked for it, or withdraws it', () => {
    const at = world([BLACKHOLE], { targets });
    const { answer } = at.do({
      type: 'mitigate',
      actor: ALICE,
      victim: '203.0.113.50',
      protocol: null,
      ports: [],
      action: { type: 'blackhole', rateBps: null },
      ttlSeconds: 600,
      reason: 'test',
    });
    assert.ok(answer.type === 'mitigation');
    at.wait(600).do({ type: 'expire' });
    assert.equal(at.get(answer.mitigation.id).ending?.to, 'expired');
    const other = at.attack({ ...REPORT, victim: '203.0.113.51' });
    at.withdraw(other.id);
    assert.notEqual(at.get(other.id).ending, null);
  });

  test('is lifted at the other POPs, too, and comes back there with its next version', () => {
    const at = world([BLACKHOLE], { targets, exchange: EXCHANGE });
    const blackhole = (n: number, change = {}) =>
      version(n, { action: { type: 'blackhole', rateBps: null }, match: HOST, ...change });
    const HOST = { dstPrefix: '203.0.113.50/32', protocol: null, dstPorts: [], srcPorts: [] };
    assert.equal(takeOver(at, blackhole(1)).outcome, 'imported');
    const id = importedId(1);
    takeOver(at, blackhole(2, { lifted: true }));
    assert.notEqual(at.get(id).away?.probeUntil, undefined);
    takeOver(at, blackhole(3));
    assert.equal(at.get(id).away, null);
    const own = at.attack({ ...REPORT, victim: '203.0.113.51' });
    at.wait(AWAY).do({ type: 'expire' });
    assert.equal(standingIntent(at.get(own.id), at.now).intent.lifted, true);
  });
});
