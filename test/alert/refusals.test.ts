import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Alert } from '../../src/alert/alert.ts';
import { pagerdutyRequest } from '../../src/alert/incident-formats.ts';
import { DEFAULT_REFUSAL_LIMITS, Refusals } from '../../src/alert/refusal-digest.ts';
import { alert, MITIGATION, NOW } from './support.ts';

/** Timers that fire when the test advances the time. */
class Clock {
  #now = 0;
  #due: { at: number; callback: () => void }[] = [];
  after = (milliseconds: number, callback: () => void): (() => void) => {
    const entry = { at: this.#now + milliseconds, callback };
    this.#due.push(entry);
    return () => {
      this.#due = this.#due.filter((one) => one !== entry);
    };
  };
  pass(milliseconds: number): void {
    const until = this.#now + milliseconds;
    for (;;) {
      const [next] = this.#due.filter(({ at }) => at <= until).sort((a, b) => a.at - b.at);
      if (next === undefined) break;
      this.#due = this.#due.filter((one) => one !== next);
      this.#now = next.at;
      next.callback();
    }
    this.#now = until;
  }
}

function bench(capacity = 1_000) {
  const clock = new Clock();
  const told: Alert[] = [];
  const refusals = new Refusals(clock, { capacity });
  refusals.tellTo((one) => told.push(one));
  return { clock, told, refusals };
}

let seq = 0;
function refusal(victim: string, reason = 'not_in_inventory', customerId: string | null = 'acme'): Alert {
  const mitigation = { ...MITIGATION, victim, reason, customerId, status: 'rejected' } as const;
  return alert(++seq, { event: 'mitigation.rejected', mitigation, subject: `m${seq}` });
}

const { gatherMs, quietMs } = DEFAULT_REFUSAL_LIMITS;
const outline = (told: readonly Alert[]) =>
  told.map(({ incident, resolves }) => `${resolves === true ? 'over' : 'refused'} ${incident}`);

test('refusals of one victim are one alert, and one incident that is over when nothing is refused for a while', () => {
  const { clock, told, refusals } = bench();
  for (let report = 0; report < 20; report++) {
    refusals.refused(refusal('203.0.113.10'));
    clock.pass(60_000);
  }
  const incident = 'refused:203.0.113.10:not_in_inventory';
  assert.deepEqual(outline(told), [`refused ${incident}`]);
  clock.pass(2 * quietMs);
  assert.deepEqual(outline(told), [`refused ${incident}`, `over ${incident}`]);
  refusals.refused(refusal('203.0.113.10'));
  assert.equal(told.length, 3, 'a later attack is another incident');
});

test('they are told apart by victim and by reason', () => {
  const { told, refusals } = bench();
  refusals.refused(refusal('203.0.113.10', 'safelisted'));
  refusals.refused(refusal('203.0.113.10', 'too_many_ports'));
  refusals.refused(refusal('203.0.113.11', 'safelisted'));
  assert.equal(new Set(told.map(({ incident }) => incident)).size, 3);
});

test('they are over when the victim is mitigated, also by a rule for its prefix', () => {
  for (const victim of ['203.0.113.10', '203.0.113.0/24']) {
    const { told, refusals } = bench();
    refusals.refused(refusal('203.0.113.10', 'not_enforceable'));
    refusals.mitigated('203.0.113.99', NOW);
    assert.equal(told.length, 1);
    refusals.mitigated(victim, NOW);
    assert.equal(told[1]?.resolves, true);
  }
});

test('200 hosts of one customer refused by its quota are one alert that says how many', () => {
  const { clock, told, refusals } = bench();
  for (let host = 0; host < 195; host++) refusals.refused(refusal(`203.0.113.${host}`, 'quota_customer'));
  assert.equal(told.length, 0, 'they are gathered first');
  clock.pass(gatherMs);
  assert.equal(told.length, 1);
  assert.deepEqual(told[0]?.refused, { reports: 195, victims: 195 });
  assert.equal(
    told[0]?.summary,
    'Quota of customer acme reached (quota_customer): 195 reports refused for 195 victims; first: udp_flood on 203.0.113.0 (pop iad1)',
  );
  for (let report = 0; report < 30; report++) {
    refusals.refused(refusal('203.0.113.7', 'quota_customer'));
    clock.pass(10_000);
  }
  refusals.mitigated('203.0.113.7', NOW);
  assert.equal(told.length, 1, 'the attack continues, and so does the one alert');
  clock.pass(2 * quietMs);
  assert.deepEqual(outline(told), [
    'refused refused:quota_customer:acme',
    'over refused:quota_customer:acme',
  ]);
});

test('customers have an alert each; the quotas of the POP, of all and of the rate are one each', () => {
  const { clock, told, refusals } = bench();
  for (const reason of ['quota_customer', 'quota_pop', 'quota_global', 'quota_rate']) {
    for (const customer of ['acme', 'umbrella', null])
      refusals.refused(refusal('203.0.113.1', reason, customer));
  }
  clock.pass(gatherMs);
  assert.deepEqual(told.map(({ incident }) => incident).sort(), [
    'refused:quota_customer:(none)',
    'refused:quota_customer:acme',
    'refused:quota_customer:umbrella',
    'refused:quota_global',
    'refused:quota_pop',
    'refused:quota_rate',
  ]);
});

test('what is open is bounded, and closing tells what is gathered and leaves no incident open', () => {
  const { told, refusals } = bench(2);
  for (let host = 1; host <= 3; host++) refusals.refused(refusal(`203.0.113.${host}`));
  assert.equal(told.filter(({ resolves }) => resolves === true).length, 1);
  refusals.refused(refusal('203.0.113.9', 'quota_pop'));
  refusals.close();
  const triggered = told.filter(({ resolves }) => resolves !== true).map(({ incident }) => incident);
  const resolved = told.filter(({ resolves }) => resolves === true).map(({ incident }) => incident);
  assert.deepEqual(triggered.sort(), resolved.sort());
});

test('PagerDuty sees one incident: every trigger and the end have the same key', () => {
  const { clock, told, refusals } = bench();
  refusals.refused(refusal('203.0.113.10'));
  clock.pass(2 * quietMs);
  const sent = told.map((one) => JSON.parse(pagerdutyRequest(one, 'key').body));
  assert.deepEqual(
    sent.map(({ event_action, dedup_key }) => [event_action, dedup_key]),
    [
      ['trigger', 'prefixd:iad1:refused:203.0.113.10:not_in_inventory'],
      ['resolve', 'prefixd:iad1:refused:203.0.113.10:not_in_inventory'],
    ],
  );
});
