import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pagerdutyRequest } from '../../src/alert/incident-formats.ts';
import { alert, MITIGATION } from './support.ts';

const sent = (...of: Parameters<typeof alert>): { url: string; body: Record<string, unknown> } => {
  const { url, body } = pagerdutyRequest(alert(...of), 'R0UT1NG');
  return { url, body: JSON.parse(body) };
};

test('a beginning triggers an incident with all that the API asks for', () => {
  const { url, body } = sent(1);
  assert.equal(url, 'https://events.pagerduty.com/v2/enqueue');
  assert.equal(body.routing_key, 'R0UT1NG');
  assert.equal(body.event_action, 'trigger');
  const payload = body.payload as Record<string, unknown>;
  assert.deepEqual(
    [
      payload.summary,
      payload.source,
      payload.severity,
      payload.timestamp,
      payload.component,
      payload.group,
      payload.class,
    ],
    ['alert 1', 'prefixd iad1', 'warning', '2026-01-02T03:04:05.000Z', '203.0.113.10', 'acme', 'udp_flood'],
  );
});

test('a victim that is cut off is an error, and one that is cleaned a warning', () => {
  for (const [action, severity] of [
    [{ type: 'blackhole', rateBps: null }, 'error'],
    [{ type: 'divert', rateBps: null, scrubber: 'fra' }, 'warning'],
    [{ type: 'redirect', rateBps: null, target: { scrubber: 'fra' } }, 'warning'],
  ] as const) {
    const { payload } = sent(1, { mitigation: { ...MITIGATION, action } }).body;
    const { severity: said, custom_details } = Object(payload);
    assert.equal(said, severity);
    assert.equal(custom_details.scrubber, action.type === 'blackhole' ? null : 'fra');
  }
});

test('changes and the end of a mitigation bear the dedup key of its beginning', () => {
  const key = sent(1).body.dedup_key;
  assert.equal(key, `prefixd:iad1:${MITIGATION.id}`);
  const discard = { ...MITIGATION, action: { type: 'discard', rateBps: null } } as const;
  const escalated = sent(2, { event: 'mitigation.escalated', mitigation: discard }).body;
  assert.deepEqual([escalated.event_action, escalated.dedup_key], ['trigger', key]);
  assert.equal((escalated.payload as Record<string, unknown>).severity, 'error');
  for (const event of ['mitigation.withdrawn', 'mitigation.expired'] as const) {
    const { event_action, dedup_key, payload } = sent(3, { event }).body;
    assert.deepEqual([event_action, dedup_key, payload], ['resolve', key, undefined]);
  }
});

test('a dry run is information, and a summary is cut to what the API takes', () => {
  const { payload } = sent(1, {
    mitigation: { ...MITIGATION, dryRun: true },
    summary: 'x'.repeat(3000),
  }).body;
  const { severity, summary } = payload as { severity: string; summary: string };
  assert.deepEqual([severity, summary.length], ['info', 1024]);
});

test('a pause is an incident that the resumption resolves; a change of the configuration is a change event', () => {
  const paused = sent(1, { event: 'control.paused', mitigation: undefined, subject: 'announcements' }).body;
  const resumed = sent(2, { event: 'control.resumed', mitigation: undefined, subject: 'announcements' }).body;
  assert.deepEqual([paused.event_action, resumed.event_action], ['trigger', 'resolve']);
  assert.equal(paused.dedup_key, resumed.dedup_key);
  const change = sent(3, { event: 'policy.loaded', mitigation: undefined, subject: 'configuration' });
  assert.equal(change.url, 'https://events.pagerduty.com/v2/change/enqueue');
  assert.equal(change.body.event_action, undefined);
});
