/** Tests which destinations get an alert. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ALERT_EVENTS, type Alert, type AlertEvent } from '../../src/alert/alert.ts';
import { type AlertDestination, destinationNames } from '../../src/alert/alert-destination.ts';
import { alertSeverity, customerOf, isRouted, routeOf } from '../../src/alert/routing.ts';
import { alert, MITIGATION } from './support.ts';

const EVENTS: readonly AlertEvent[] = ['mitigation.created', 'mitigation.withdrawn', 'control.paused'];
const SLACK = { type: 'slack', webhookUrl: 'https://x.example/' } as const;
const PAGERDUTY = { type: 'pagerduty', routingKey: 'k' } as const;

const gets = (destination: AlertDestination, one: Alert, events = EVENTS): boolean =>
  isRouted(one, routeOf(destination, events));

const rejected = (reason: string, customerId: string | null = 'acme'): Alert =>
  alert(1, { event: 'mitigation.rejected', mitigation: { ...MITIGATION, reason, customerId } });

test('a destination without rules gets the events of alerting, and one with events gets its own', () => {
  assert.equal(gets(SLACK, alert()), true);
  assert.equal(gets(SLACK, alert(1, { event: 'mitigation.expired' })), false);
  const own = { ...SLACK, events: ['mitigation.expired'] } as const;
  assert.equal(gets(own, alert(1, { event: 'mitigation.expired' })), true);
  assert.equal(gets(own, alert()), false);
});

test('a destination for customers gets their alerts only, and none that is about nobody', () => {
  const acme = { ...SLACK, customers: ['acme'] };
  const of = (customerId: string | null): Alert => alert(1, { mitigation: { ...MITIGATION, customerId } });
  assert.deepEqual(
    [of('acme'), of('other'), of(null)].map((one) => gets(acme, one)),
    [true, false, false],
  );
  assert.equal(gets(acme, alert(1, { event: 'control.paused', mitigation: undefined })), false);
});

test('refusals that were gathered for several customers are about none of them', () => {
  assert.equal(customerOf(rejected('quota_customer')), 'acme');
  assert.equal(customerOf(rejected('not_in_inventory')), 'acme');
  assert.equal(customerOf(rejected('quota_pop')), undefined);
  assert.equal(customerOf(rejected('quota_customer', null)), undefined);
});

test('every event has a severity; a dry run is information, an unprotected victim is critical', () => {
  for (const event of ALERT_EVENTS) {
    const severity = alertSeverity(alert(1, { event, mitigation: undefined }));
    assert.match(severity, /^(info|warning|critical)$/, event);
  }
  assert.equal(alertSeverity(alert()), 'warning');
  assert.equal(alertSeverity(alert(1, { event: 'mitigation.escalated' })), 'critical');
  assert.equal(alertSeverity(alert(1, { event: 'mitigation.expired' })), 'info');
  const dryRun = { ...MITIGATION, dryRun: true };
  assert.equal(alertSeverity(alert(1, { event: 'mitigation.escalated', mitigation: dryRun })), 'info');
  assert.equal(alertSeverity(rejected('safelisted')), 'info');
  assert.equal(alertSeverity(rejected('quota_pop')), 'critical');
  assert.equal(alertSeverity(rejected('not_enforceable')), 'critical');
});

test('a severity keeps out what is below it', () => {
  const passed = (minSeverity: 'info' | 'warning' | 'critical') =>
    (['mitigation.withdrawn', 'mitigation.created', 'mitigation.escalated'] as const).map((event) =>
      gets({ ...SLACK, minSeverity }, alert(1, { event }), ALERT_EVENTS),
    );
  assert.deepEqual(passed('info'), [true, true, true]);
  assert.deepEqual(passed('warning'), [false, true, true]);
  assert.deepEqual(passed('critical'), [false, false, true]);
});

test('an incident is closed whatever the severity of its end, but not for another customer', () => {
  const duty = { ...PAGERDUTY, minSeverity: 'critical', customers: ['acme'] } as const;
  const end = alert(1, { event: 'mitigation.withdrawn' });
  assert.equal(gets(duty, end), true);
  assert.equal(gets(duty, alert()), false);
  const others = { ...MITIGATION, customerId: 'other' };
  assert.equal(gets(duty, { ...end, mitigation: others }), false);
});

test('the end of a refusal goes only where there are incidents', () => {
  const over: Alert = { ...rejected('quota_customer'), resolves: true };
  const events: readonly AlertEvent[] = ['mitigation.rejected'];
  assert.equal(gets(SLACK, over, events), false);
  assert.equal(gets(PAGERDUTY, over, events), true);
  assert.equal(gets({ type: 'opsgenie', apiKey: 'k', minSeverity: 'critical' }, over, events), true);
});

test('changes of what another POP decided go only where imports are wanted', () => {
  const origin = { ...MITIGATION, origin: { pop: 'fra1', epoch: 'e', n: 1 } } as unknown;
  const expired = alert(1, { event: 'mitigation.expired', mitigation: origin as typeof MITIGATION });
  assert.equal(gets({ ...SLACK, events: ['mitigation.expired'] }, expired), false);
  assert.equal(gets({ ...SLACK, events: ['mitigation.expired', 'mitigation.imported'] }, expired), true);
});

test('destinations are named by type and place, unless they have a name', () => {
  const of = (...types: readonly ('slack' | 'webhook')[]) =>
    destinationNames(types.map((type) => ({ type })));
  assert.deepEqual(of('slack', 'webhook', 'slack'), ['slack', 'webhook', 'slack-2']);
  assert.deepEqual(destinationNames([{ type: 'slack', name: 'noc' }, { type: 'slack' }]), ['noc', 'slack-2']);
});
