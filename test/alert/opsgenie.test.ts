import assert from 'node:assert/strict';
import { test } from 'node:test';
import { opsgenieRequest } from '../../src/alert/incident-formats.ts';
import { alert, MITIGATION } from './support.ts';

const sent = (...of: Parameters<typeof alert>) => {
  const { url, body, headers } = opsgenieRequest(alert(...of), 'k3y');
  return { url, headers, body: JSON.parse(body) };
};

test('a beginning creates an alert with an alias, a priority and what is known', () => {
  const { url, headers, body } = sent(1);
  assert.equal(url, 'https://api.opsgenie.com/v2/alerts');
  assert.equal(headers.authorization, 'GenieKey k3y');
  assert.deepEqual(body, {
    message: 'alert 1',
    alias: `prefixd:iad1:${MITIGATION.id}`,
    description: 'alert 1\ncustomer ‹acme› & service dns\nplaybook udp, step 0',
    tags: ['prefixd', 'mitigation.created', 'udp_flood'],
    details: {
      event: 'mitigation.created',
      pop: 'iad1',
      subject: MITIGATION.id,
      mitigation_id: MITIGATION.id,
      victim_ip: '203.0.113.10',
      vector: 'udp_flood',
      customer_id: 'acme',
      action: 'police at 10.5 Mbit/s',
      expires_at: '2026-01-02T03:06:05.000Z',
    },
    entity: '203.0.113.10',
    source: 'prefixd iad1',
    user: 'prefixd',
    priority: 'P3',
  });
});

test('an end closes the alert of its beginning, by alias', () => {
  for (const event of ['mitigation.withdrawn', 'mitigation.expired'] as const) {
    const { url, body } = sent(2, { event, summary: 'over' });
    assert.equal(
      url,
      `https://api.opsgenie.com/v2/alerts/prefixd%3Aiad1%3A${MITIGATION.id}/close?identifierType=alias`,
    );
    assert.deepEqual(body, { source: 'prefixd iad1', user: 'prefixd', note: 'over' });
  }
  const refusal = { event: 'mitigation.rejected', incident: 'refused:a/b c', resolves: true } as const;
  assert.match(sent(3, refusal).url, /\/prefixd%3Aiad1%3Arefused%3Aa%2Fb%20c\/close\?identifierType=alias$/);
});

test('the priority follows the severity, and the region has a host of its own', () => {
  assert.equal(sent(1, { event: 'mitigation.escalated' }).body.priority, 'P1');
  assert.equal(sent(1, { mitigation: { ...MITIGATION, dryRun: true } }).body.priority, 'P5');
  const eu = opsgenieRequest(alert(1), 'k3y', 'https://api.eu.opsgenie.com');
  assert.equal(eu.url, 'https://api.eu.opsgenie.com/v2/alerts');
});
