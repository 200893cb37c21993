import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Signal } from '../../src/ingest/signal.ts';
import { alertReaders, DEFAULT_LABELS, type LabelMap } from '../../src/ingest/alertmanager.ts';

function parseAlertmanager(json: unknown, labels?: LabelMap): readonly Signal[] {
  return alertReaders(json, labels).map((read) => read());
}

const ALERT = {
  status: 'firing',
  labels: { alertname: 'UdpFlood', victim_ip: '203.0.113.10', vector: 'udp_flood', confidence: '0.9' },
  annotations: { bps: '1500000000', top_dst_ports: '80, 443' },
  startsAt: '2026-01-15T08:00:00Z',
  endsAt: '0001-01-01T00:00:00Z',
  fingerprint: 'c6b1f2d2a3e4f5a6',
};

const WEBHOOK = {
  version: '4',
  groupKey: '{}:{alertname="UdpFlood"}',
  status: 'firing',
  receiver: 'prefixd',
  alerts: [ALERT, { ...ALERT, status: 'resolved', labels: { ...ALERT.labels, victim_ip: '203.0.113.11' } }],
};

describe("Alertmanager's webhook", () => {
  test('is one event an alert: firing bans, resolved unbans', () => {
    const signals = parseAlertmanager(WEBHOOK);
    const read = signals.map((signal) =>
      signal.kind === 'detection' ? [signal.detection.action, signal.detection.victim] : signal,
    );
    assert.deepEqual(read, [
      ['ban', '203.0.113.10'],
      ['unban', '203.0.113.11'],
    ]);
  });

  test('takes figures and ports from labels and annotations', () => {
    const [first] = parseAlertmanager(WEBHOOK);
    assert.ok(first?.kind === 'detection');
    const { detection } = first;
    assert.equal(detection.source, 'alertmanager');
    assert.equal(detection.bps, 1.5e9);
    assert.equal(detection.confidence, 0.9);
    assert.deepEqual(detection.ports, [80, 443]);
    assert.equal(detection.details.fingerprint, ALERT.fingerprint);
  });

  test('repeats an alert without becoming a duplicate or stale, so that its mitigation is extended', () => {
    const [first] = parseAlertmanager(WEBHOOK);
    assert.ok(first?.kind === 'detection');
    assert.equal(first.detection.externalId, null);
    assert.equal(first.detection.at, null);
  });

  test('of Grafana says so', () => {
    const [first] = parseAlertmanager({ ...WEBHOOK, orgId: 1, title: '[FIRING:1]' });
    assert.ok(first?.kind === 'detection');
    assert.equal(first.detection.source, 'grafana');
  });

  test('may use other labels', () => {
    const labels = { target: '203.0.113.12', kind: 'syn_flood' };
    const map = { ...DEFAULT_LABELS, victim_ip: ['target'], vector: ['kind'] };
    const [first] = parseAlertmanager({ alerts: [{ status: 'firing', labels }] }, map);
    assert.ok(first?.kind === 'detection');
    assert.equal(first.detection.victim, '203.0.113.12');
    assert.equal(first.detection.vector, 'syn_flood');
  });

  test('says which alert is wrong, and the others count', () => {
    const { victim_ip: _, ...labels } = ALERT.labels;
    const bad = { ...ALERT, labels };
    const worse = { ...ALERT, labels: { ...ALERT.labels, confidence: 'high' } };
    const signals = parseAlertmanager({ ...WEBHOOK, alerts: [bad, worse, ALERT] });
    assert.deepEqual(
      signals.map((signal) => (signal.kind === 'invalid' ? signal.problems[0]?.path : signal.kind)),
      ['alerts[0].labels', 'alerts[1].confidence', 'detection'],
    );
  });

  test('that is none is refused', () => {
    for (const json of [null, {}, { alerts: 7 }]) assert.equal(parseAlertmanager(json)[0]?.kind, 'invalid');
    assert.deepEqual(parseAlertmanager({ alerts: [] }), []);
  });
});
