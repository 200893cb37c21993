import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Alert, type AlertEvent, alertOf } from '../../src/alert/alert.ts';
import type { Fact } from '../../src/core/facts.ts';
import type { Actor, Mitigation } from '../../src/core/types.ts';
import { MITIGATION, NOW } from './support.ts';

const OPERATOR: Actor = { kind: 'operator', name: 'ada' };
const DEFAULT: ReadonlySet<AlertEvent> = new Set<AlertEvent>([
  'mitigation.created',
  'mitigation.escalated',
  'mitigation.withdrawn',
  'mitigation.expired',
]);

function of(fact: Fact, wanted = DEFAULT, now: Mitigation | undefined = MITIGATION): Alert | undefined {
  return alertOf({ seq: 5, at: NOW, fact }, wanted, 'iad1', () => now);
}

test('only what the configuration names raises an alert', () => {
  const extended: Fact = { type: 'mitigation.extended', id: MITIGATION.id, change: { expiresAt: NOW } };
  assert.equal(of(extended), undefined);
  assert.equal(of(extended, new Set<AlertEvent>(['mitigation.extended']))?.event, 'mitigation.extended');
  const ending = { to: 'expired', at: NOW, actor: OPERATOR, reason: 'TTL' } as const;
  assert.equal(of({ type: 'mitigation.ending', id: MITIGATION.id, ending }), undefined);
  assert.equal(of({ type: 'control.paused', actor: OPERATOR, reason: 'x' }), undefined);
});

test('the summary says what, on whom, how, whose and where', () => {
  const created = of({ type: 'mitigation.created', mitigation: MITIGATION });
  assert.equal(
    created?.summary,
    'Mitigation started: udp_flood on 203.0.113.10, police at 10.5 Mbit/s, customer acme (pop iad1)',
  );
  assert.equal(created?.subject, MITIGATION.id);
});

test('an escalation is reported with the mitigation as it is now, a dry run is marked', () => {
  const now: Mitigation = { ...MITIGATION, action: { type: 'discard', rateBps: null }, dryRun: true };
  const escalated = of({ type: 'mitigation.escalated', id: MITIGATION.id, change: {} }, DEFAULT, now);
  assert.equal(
    escalated?.summary,
    '[dry run] Mitigation escalated: udp_flood on 203.0.113.10, discard, customer acme (pop iad1)',
  );
});

test('an end names who ended it and why', () => {
  const ending = { to: 'withdrawn', at: NOW, actor: OPERATOR, reason: 'false alarm' } as const;
  const withdrawn = of({ type: 'mitigation.withdrawn', id: MITIGATION.id }, DEFAULT, {
    ...MITIGATION,
    ending,
  });
  assert.equal(withdrawn?.actor?.name, 'ada');
  assert.match(withdrawn?.summary ?? '', /^Mitigation withdrawn: .*: false alarm$/);
});

test('a mitigation that is not remembered any more is named by its id', () => {
  const alert = alertOf(
    { seq: 1, at: NOW, fact: { type: 'mitigation.expired', id: 'm9' } },
    DEFAULT,
    'iad1',
    () => undefined,
  );
  assert.equal(alert?.summary, 'Mitigation expired: m9 (pop iad1)');
});

test("operators' actions can be alerts too", () => {
  const wanted = new Set<AlertEvent>([
    'safelist.added',
    'safelist.removed',
    'control.paused',
    'control.resumed',
    'policy.loaded',
  ]);
  const entry = { prefix: '10.0.0.0/8', reason: 'ours', addedAt: NOW, addedBy: OPERATOR, configured: false };
  for (const [fact, summary] of [
    [{ type: 'safelist.added', entry }, '10.0.0.0/8 added to the safelist by ada (pop iad1): ours'],
    [
      { type: 'safelist.removed', prefix: '10.0.0.0/8', actor: OPERATOR },
      '10.0.0.0/8 removed from the safelist by ada (pop iad1)',
    ],
    [{ type: 'control.paused', actor: OPERATOR, reason: 'x' }, 'Announcements paused by ada (pop iad1): x'],
    [{ type: 'control.resumed', actor: OPERATOR, reason: '' }, 'Announcements resumed by ada (pop iad1)'],
    [
      { type: 'policy.loaded', actor: OPERATOR, summary: '3 playbooks' },
      'Configuration loaded by ada (pop iad1): 3 playbooks',
    ],
  ] as const) {
    assert.equal(of(fact, wanted)?.summary, summary);
  }
});
