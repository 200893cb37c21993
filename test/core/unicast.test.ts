import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { awayFor, returnState } from '../../src/core/decide/unicast-rule.ts';
import type { MitigationAction } from '../../src/core/action.ts';
import type { PlaybooksData } from '../../src/core/policy/playbook-schema.ts';
import { DEFAULT_RETURN, NO_TARGETS, type Targets } from '../../src/core/policy/scrubbers.ts';
import { initialState } from '../../src/core/state/state.ts';
import { ALICE, policyOf, type PolicyOptions, World } from './scenario.ts';

const UNICAST = NO_TARGETS.blackhole.target;
const RETURN = DEFAULT_RETURN;
/** A diversion without a further report ends after this (s). */
const SILENT = RETURN.minSeconds + RETURN.quietSeconds;

/** Scrubber fra takes redirects and up to two diversions; blackholing is allowed for acme. */
const TARGETS: Targets = {
  scrubbers: new Map([
    ['fra', { name: 'fra', redirect: { ipv4: '192.0.2.50' }, divert: UNICAST, maxDiverted: 2 }],
    ['ams', { name: 'ams', redirect: { vrf: '65010:666' }, maxDiverted: 10 }],
  ]),
  blackhole: { allowed: true, target: UNICAST, customers: ['acme'] },
};

const playbooks = (...steps: NonNullable<PlaybooksData['playbooks']>[number]['steps'][]): PlaybooksData => ({
  playbooks: steps.map((list, i) => ({
    name: `book ${i}`,
    match: { vector: i === 0 ? 'udp_flood' : 'syn_flood' },
    steps: list,
  })),
});

const soon = { require_confidence_at_least: 0.5, require_persistence_seconds: 60 };
const ESCALATING = playbooks([
  { action: 'police', rate_bps: 5_000_000, ttl_seconds: 120 },
  { action: 'redirect', to: 'fra', ttl_seconds: 120, ...soon },
  { action: 'blackhole', ttl_seconds: 120, ...soon },
]);
const DIVERTING = playbooks(
  [{ action: 'divert', to: 'fra', ttl_seconds: 120 }],
  [{ action: 'divert', to: 'fra', ttl_seconds: 120 }],
);

const world = (options: PolicyOptions = {}): World =>
  new World({ targets: TARGETS, playbooks: DIVERTING, ...options });

describe('a playbook from police over redirect to blackhole', () => {
  test('is one mitigation, whose last step covers all traffic to its victim', () => {
    const at = world({ playbooks: ESCALATING });
    const report = { ports: [80], confidence: 0.9 };
    const { id } = at.attack(report);
    at.wait(60).event(report);
    assert.deepEqual(at.get(id).action, { type: 'redirect', rateBps: null, target: { scrubber: 'fra' } });
    assert.deepEqual(at.get(id).match.dstPorts, [[80, 80]]);
    assert.equal(at.get(id).away ?? null, null, 'a redirect leaves the victim its other traffic');
    at.wait(60).event(report);
    const blackholed = at.get(id);
    assert.deepEqual(blackholed.action, { type: 'blackhole', rateBps: null });
    assert.deepEqual(blackholed.match, {
      dstPrefix: '203.0.113.50/32',
      protocol: null,
      dstPorts: [],
      srcPorts: [],
    });
    assert.deepEqual(blackholed.away, { since: at.now, minSeconds: RETURN.minSeconds });
    assert.match(at.why, /escalated to step 3 \(blackhole\)/);
  });

  test('stays at its step, with the reason, where a customer must not be blackholed', () => {
    const at = world({ playbooks: ESCALATING });
    const report = { victim: '198.51.100.200', confidence: 0.95 };
    const { id } = at.attack(report);
    for (let i = 0; i < 4; i++) at.wait(80).event(report);
    assert.equal(at.get(id).action.type, 'redirect');
    assert.match(at.why, /not escalating to step 3 \(blackhole\).*customer carol must not be blackholed/);
  });
});

describe('traffic that is diverted', () => {
  test('stays away although its detector is silent, and returns once', () => {
    const at = world();
    const { id, expiresAt } = at.attack({ confidence: 0.9 });
    assert.equal(expiresAt, at.now + SILENT * 1000, 'its TTL of 120 s would be over long before');
    assert.equal(returnState(at.get(id), at.now), 'diverted');
    at.wait(RETURN.minSeconds).do({ type: 'expire' });
    assert.equal(returnState(at.get(id), at.now), 'quiet');
    at.wait(RETURN.quietSeconds - 1).do({ type: 'expire' });
    assert.equal(at.get(id).ending, null);
    at.wait(1).do({ type: 'expire' });
    assert.equal(at.get(id).ending?.to, 'expired');
    assert.equal(returnState(at.get(id), at.now), 'returning');
  });

  test('stays away after an unban: the detector does not see it', () => {
    const at = world();
    const { id } = at.attack({ id: 'a1', hold: 'until_released' });
    at.wait(10);
    assert.equal(at.event({ id: 'a1', action: 'unban' }).status, 'released');
    assert.equal(at.get(id).ending, null);
    assert.equal(at.get(id).expiresAt, at.now + (SILENT - 10) * 1000);
    at.wait(SILENT - 10).do({ type: 'expire' });
    assert.equal(at.get(id).ending?.to, 'withdrawn');
  });

  test('returns only when nothing was reported for quiet_seconds, after min_seconds', () => {
    const at = world();
    const { id } = at.attack();
    at.wait(RETURN.minSeconds + 10).event();
    assert.equal(at.get(id).expiresAt, at.now + RETURN.quietSeconds * 1000);
    assert.equal(returnState(at.get(id), at.now), 'quiet');
    at.wait(RETURN.quietSeconds - 1).do({ type: 'expire' });
    assert.equal(at.get(id).ending, null);
    at.wait(1).do({ type: 'expire' });
    assert.equal(at.get(id).ending?.to, 'expired');
  });

  test('stays away longer if the attack comes back within an hour of its return, up to max_seconds', () => {
    const at = world();
    const lasts = (): number => {
      const { id, away } = at.attack();
      at.wait(RETURN.maxSeconds * 2).do({ type: 'expire' });
      at.do({ type: 'confirm-ended', ids: [id] });
      at.wait(60);
      return away?.minSeconds ?? 0;
    };
    assert.deepEqual([lasts(), lasts(), lasts()], [3600, 7200, 14_400]);
    for (let i = 0; i < 5; i++) lasts();
    assert.equal(lasts(), RETURN.maxSeconds);
    at.wait(3600);
    assert.equal(lasts(), RETURN.minSeconds, 'an hour without it is another attack');
  });

  test('returns when its scrubber says that it is clean, but not before min_seconds are over', () => {
    const at = world();
    const { id } = at.attack({ id: 'a1', hold: 'until_released' });
    const clean = { type: 'scrubber-clean', scrubber: 'fra', victim: '203.0.113.50', actor: ALICE } as const;
    at.wait(10).do({ ...clean, scrubber: 'ams' });
    assert.deepEqual(at.facts, [], 'it is not diverted there');
    at.do(clean);
    assert.equal(at.get(id).expiresAt, at.now + (RETURN.minSeconds - 10) * 1000);
    at.wait(10).event({ id: 'a2', hold: 'until_released' });
    assert.equal(at.get(id).away?.cleanAt, undefined, 'the attack goes on');
    at.wait(RETURN.minSeconds).do({ type: 'expire' });
    assert.equal(at.get(id).ending, null);
    at.do(clean);
    at.do({ type: 'expire' });
    assert.equal(at.get(id).ending?.reason, 'scrubber fra reported clean traffic');
  });

  test('does not flap in an attack of several hours that its detector sees only while it is not diverted', () => {
    for (const hold of ['until_ttl', 'until_released'] as const) {
      const at = world();
      const HOURS = 10;
      let [left, diverted] = [0, false];
      for (let second = 0; second < (HOURS + 30) * 3600; second += 30) {
        const [active] = [...at.state.live].map((one) => at.get(one));
        const isAway = active !== undefined && active.ending === null;
        if (diverted && !isAway) left++;
        diverted = isAway;
        if (active !== undefined && active.ending !== null)
          at.do({ type: 'confirm-ended', ids: [active.id] });
        if (second < HOURS * 3600 && !isAway) at.event({ hold });
        else if (isAway && hold === 'until_released') at.event({ hold, action: 'unban' });
        at.wait(30).do({ type: 'expire' });
      }
      assert.equal(at.state.live.size, 0);
      // After 1 h, 2 h, 4 h and 8 h: each return too early doubles the next absence.
      assert.ok(left <= 4, `${hold}: returned ${left} times`);
    }
  });

  test('stays away no longer than the TTL allows', () => {
    const divert = { ...UNICAST, maxTtlSeconds: 300 };
    const scrubbers = new Map([['fra', { name: 'fra', redirect: {}, divert, maxDiverted: 2 }]]);
    const at = world({ targets: { ...TARGETS, scrubbers } });
    assert.equal(at.attack().expiresAt, at.now + 300_000);
  });

  test('is not shortened to the longest TTL of a rule', () => {
    const at = world({ timers: { maxTtlSeconds: 200 } });
    const { id } = at.attack();
    at.wait(1).do({ type: 'expire' });
    assert.equal(at.get(id).expiresAt, at.now + (SILENT - 1) * 1000);
  });
});

describe('a diversion or a blackhole is refused', () => {
  const ask = (action: MitigationAction, victim = '203.0.113.50') =>
    ({
      type: 'mitigate',
      actor: ALICE,
      victim,
      protocol: null,
      ports: [],
      action,
      ttlSeconds: 600,
      reason: 'test',
    }) as const;
  const refusal = (at: World, action: MitigationAction, victim?: string): string => {
    const { answer } = at.do(ask(action, victim));
    return answer.type === 'refused' ? `${answer.reason}: ${answer.detail}` : answer.type;
  };
  const DIVERT: MitigationAction = { type: 'divert', rateBps: null, scrubber: 'fra' };
  const BLACKHOLE: MitigationAction = { type: 'blackhole', rateBps: null };

  test('for a scrubber that is not configured, or to which nothing can be diverted', () => {
    const at = world();
    assert.equal(
      refusal(at, { ...DIVERT, scrubber: 'lon' }),
      'action_not_allowed: scrubber lon is not configured',
    );
    assert.match(refusal(at, { ...DIVERT, scrubber: 'ams' }), /^action_not_allowed: nothing can be diverted/);
    const redirect = { type: 'redirect', rateBps: null, target: { scrubber: 'lon' } } as const;
    assert.match(refusal(at, redirect), /scrubber lon is not configured/);
  });

  test('unless blackholing is allowed, and for this customer', () => {
    assert.equal(refusal(world(), BLACKHOLE), 'mitigation');
    assert.match(refusal(world(), BLACKHOLE, '198.51.100.200'), /^action_not_allowed: customer carol/);
    assert.match(
      refusal(world({ targets: NO_TARGETS }), BLACKHOLE),
      /^action_not_allowed: blackholing is not allowed/,
    );
  });

  test('outside the inventory, even if rules need none', () => {
    const at = world({ guardrails: { requireInventory: false } });
    assert.match(refusal(at, DIVERT, '8.8.8.8'), /^not_in_inventory/);
  });

  test('for safelisted and protected addresses', () => {
    const at = world();
    at.safelist('203.0.113.50/32');
    assert.match(refusal(at, BLACKHOLE), /^safelisted/);
  });

  test('beyond the quotas of a customer and of a scrubber', () => {
    const at = world({ quotas: { maxDivertedPerCustomer: 1 } });
    assert.equal(refusal(at, DIVERT), 'mitigation');
    assert.match(
      refusal(at, DIVERT, '203.0.113.51'),
      /^quota_diverted: diversions for customer acme: 1 of at most 1/,
    );
    assert.equal(refusal(at, DIVERT, '198.51.100.1'), 'mitigation');
    assert.match(
      refusal(at, DIVERT, '198.51.100.200'),
      /^quota_diverted: diversions to fra \(max_diverted\): 2/,
    );
  });

  test('for one protocol or port: it concerns all traffic', () => {
    const at = world();
    const { answer } = at.do({ ...ask(BLACKHOLE), protocol: 17, ports: [80] });
    assert.equal(answer.type === 'refused' && answer.reason, 'rule_too_broad');
  });

  test('with a TTL that is longer than the target allows', () => {
    const at = world();
    const { answer } = at.do({ ...ask(DIVERT), ttlSeconds: 100_000 });
    assert.equal(answer.type === 'refused' && answer.reason, 'ttl_out_of_bounds');
  });
});

describe('several attacks and steps', () => {
  const soonest = { require_confidence_at_least: 0.5, require_persistence_seconds: 1 };

  test('that come due at one time do not pass the quotas together', () => {
    const at = world({
      quotas: { maxDivertedPerCustomer: 1 },
      playbooks: playbooks([
        { action: 'police', rate_bps: 1_000_000, ttl_seconds: 300 },
        { action: 'divert', to: 'fra', ttl_seconds: 300, ...soonest, require_persistence_seconds: 60 },
      ]),
    });
    for (let i = 50; i < 54; i++) {
      at.event({ id: `a${i}`, victim: `203.0.113.${i}`, hold: 'until_released', confidence: 0.9 });
    }
    at.wait(60);
    for (let i = 0; i < 6; i++) at.do({ type: 'expire' });
    assert.deepEqual([...at.state.live].map((id) => at.get(id).action.type).sort(), [
      'divert',
      'police',
      'police',
      'police',
    ]);
  });

  test('share a route, which takes one place', () => {
    const at = world({ quotas: { maxDivertedPerCustomer: 1 } });
    const first = at.attack();
    at.do({
      type: 'mitigate',
      actor: ALICE,
      victim: '203.0.113.50',
      protocol: null,
      ports: [],
      action: { type: 'divert', rateBps: null, scrubber: 'fra' },
      ttlSeconds: 600,
      reason: 'test',
    });
    assert.deepEqual(
      [...at.state.live].map((id) => at.get(id).action.type),
      ['divert', 'divert'],
    );
    const count = (): number => at.state.activeUnicast('divert', 'customer', 'acme', false);
    assert.equal(count(), 1);
    at.withdraw(first.id);
    assert.equal(count(), 1);
    for (const id of at.state.live) at.withdraw(id);
    assert.equal(count(), 0);
  });

  test('a diversion that becomes a blackhole is away for as long as a blackhole should be', () => {
    const at = world({
      playbooks: playbooks([
        { action: 'divert', to: 'fra' },
        { action: 'blackhole', ...soonest },
      ]),
    });
    const { id } = at.attack({ confidence: 0.9 });
    at.wait(2).event({ confidence: 0.9 });
    assert.deepEqual([at.get(id).action.type, at.get(id).away?.since], ['blackhole', at.now]);
    assert.equal(at.get(id).expiresAt, at.now + SILENT * 1000);
  });

  test('a rule after a diversion matches what the newest report says', () => {
    const at = world({
      playbooks: playbooks([
        { action: 'police', rate_bps: 1_000_000 },
        { action: 'divert', to: 'fra', ...soonest },
        { action: 'discard', ttl_seconds: 120, ...soonest },
      ]),
    });
    const report = { ports: [9999], confidence: 0.9 };
    const { id } = at.attack(report);
    for (let i = 0; i < 2; i++) at.wait(2).event(report);
    const { action, match, away, expiresAt } = at.get(id);
    assert.deepEqual(
      [action.type, match.protocol, match.dstPorts, away],
      ['discard', 17, [[9999, 9999]], null],
    );
    assert.equal(expiresAt, at.now + 120_000, 'a rule does not inherit the life of a diversion');
  });

  test('a prefix that is wider than the route, or a neighbor that is safelisted, leads to the next step', () => {
    const steps = playbooks([
      { action: 'divert', to: 'fra' },
      { action: 'police', rate_bps: 1_000_000 },
    ]);
    const wide = world({ playbooks: steps, guardrails: { dstPrefixMinLen: 24 } });
    assert.equal(wide.attack({ victim: '203.0.113.64/28' }).action.type, 'police');
    const divert = { ...UNICAST, lengthV4: 24 };
    const scrubbers = new Map([['fra', { name: 'fra', redirect: {}, divert, maxDiverted: 2 }]]);
    const at = world({ playbooks: steps, targets: { ...TARGETS, scrubbers }, safelist: ['203.0.113.1'] });
    assert.equal(at.attack().action.type, 'police');
    assert.match(at.why, /divert is not possible: 203\.0\.113\.0\/24 overlaps safelisted prefix/);
  });

  test('many hosts under attack do not replace diversions by one rule', () => {
    const at = world({
      playbooks: playbooks([
        { action: 'divert', to: 'fra' },
        { action: 'police', rate_bps: 1_000_000 },
      ]),
      quotas: { maxDivertedPerCustomer: 2 },
      guardrails: { dstPrefixMinLen: 24 },
      aggregation: { hosts: 3 },
    });
    const ids = [50, 51, 52].map((host) => at.attack({ victim: `203.0.113.${host}` }).id);
    assert.deepEqual(
      ids.slice(0, 2).map((id) => at.get(id).ending),
      [null, null],
    );
  });
});

describe('when a step is not possible', () => {
  test('the next step is tried, and the reason is told', () => {
    const at = world({
      targets: NO_TARGETS,
      playbooks: playbooks([
        { action: 'redirect', to: 'fra' },
        { action: 'police', rate_bps: 1_000_000 },
      ]),
    });
    const { action } = at.attack();
    assert.equal(action.type, 'police');
    assert.match(at.why, /redirect is not possible: scrubber fra is not configured/);
  });

  test('and none is left, the event is refused with the reason', () => {
    const at = world({ targets: NO_TARGETS });
    const answer = at.event();
    assert.deepEqual([answer.status, answer.refusal], ['rejected', 'action_not_allowed']);
  });

  test('a full scrubber leads to the next step', () => {
    const at = world({
      quotas: { maxDivertedPerCustomer: 1 },
      playbooks: playbooks([
        { action: 'divert', to: 'fra' },
        { action: 'police', rate_bps: 1_000_000 },
      ]),
    });
    assert.equal(at.attack().action.type, 'divert');
    assert.equal(at.attack({ victim: '203.0.113.51' }).action.type, 'police');
  });
});

test('two attacks on one victim share a route, and a reload that forbids it ends both', () => {
  const at = world();
  const first = at.attack();
  const second = at.attack({ vector: 'syn_flood' });
  assert.equal(first.id, second.id, 'the route covers every attack on the victim');
  at.policy = policyOf({ playbooks: DIVERTING, targets: NO_TARGETS });
  at.do({ type: 'policy-loaded', actor: ALICE, summary: 'reload' });
  assert.equal(at.get(first.id).ending?.to, 'withdrawn');
});

test('a redirect has no absence of its own', () => {
  const action: MitigationAction = { type: 'redirect', rateBps: null, target: { ip: '192.0.2.50' } };
  const context = { now: 0, policy: policyOf({ targets: TARGETS }) };
  assert.deepEqual(awayFor(action, { victim: '203.0.113.50' }, initialState(), context), {
    away: undefined,
    why: [],
  });
});
