import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Signal } from '../../src/intake/signal.ts';
import {
  alertReaders,
  DEFAULT_LABELS,
  type LabelMap,
  MAX_ALERTS,
  unreadAlerts,
} from '../../src/intake/alertmanager.ts';
import type { Detection } from '../../src/core/types.ts';

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
    const worse = { ...ALERT, labels: { ...ALERT.labels, victim_ip: 'nobody' } };
    const signals = parseAlertmanager({ ...WEBHOOK, alerts: [bad, worse, ALERT] });
    assert.deepEqual(
      signals.map((signal) => (signal.kind === 'invalid' ? signal.problems[0]?.path : signal.kind)),
      ['alerts[0].labels', 'alerts[1].victim_ip', 'detection'],
    );
  });

  test('that is none is refused', () => {
    for (const json of [null, {}, { alerts: 7 }]) assert.equal(parseAlertmanager(json)[0]?.kind, 'invalid');
    assert.deepEqual(parseAlertmanager({ alerts: [] }), []);
  });
});

/** The one alert of a message, with these labels on top. */
function one(labels: object = {}, change: object = {}, message: object = {}): Signal {
  const alert = { ...ALERT, labels: { ...ALERT.labels, ...labels }, ...change };
  const [signal] = parseAlertmanager({ ...WEBHOOK, ...message, alerts: [alert] });
  assert.ok(signal);
  return signal;
}

function detected(signal: Signal): Detection {
  assert.ok(signal.kind === 'detection', JSON.stringify(signal));
  return signal.detection;
}

function ignored(signal: Signal): string {
  assert.ok(signal.kind === 'ignored', JSON.stringify(signal));
  return signal.why;
}

describe('an alert holds its mitigation', () => {
  test('under its fingerprint, from its beginning to its end', () => {
    const firing = detected(one());
    assert.deepEqual([firing.alertId, firing.hold], [ALERT.fingerprint, 'until_released']);
    assert.equal(firing.beganAt, Date.UTC(2026, 0, 15, 8));
    assert.equal(firing.endedAt, undefined);
    const resolved = detected(one({}, { status: 'resolved', endsAt: '2026-01-15T08:05:00Z' }));
    assert.equal(resolved.alertId, ALERT.fingerprint);
    assert.equal(resolved.beganAt, Date.UTC(2026, 0, 15, 8));
    assert.equal(resolved.endedAt, Date.UTC(2026, 0, 15, 8, 5));
  });

  test('under its labels where it has no fingerprint', () => {
    const [first, same, other] = [{}, {}, { rule: 'HighPps' }].map(
      (labels) => detected(one(labels, { fingerprint: undefined })).alertId,
    );
    assert.equal(first, same);
    assert.notEqual(first, other);
    const long = ['a', 'b'].map(
      (end) => detected(one({ note: `${'x'.repeat(400)}${end}` }, { fingerprint: '' })).alertId,
    );
    assert.notEqual(long[0], long[1]);
    assert.ok((long[0]?.length ?? 999) <= 255);
  });

  test('since its arrival where the times are zero', () => {
    const zero = '0001-01-01T00:00:00Z';
    const detection = detected(one({}, { status: 'resolved', startsAt: zero, endsAt: zero }));
    assert.deepEqual([detection.beganAt, detection.endedAt], [undefined, undefined]);
  });
});

describe('a value other than the victim that cannot be read', () => {
  test('is ignored with a note', () => {
    const detection = detected(
      one({
        bps: 'NaN',
        pps: '+Inf',
        confidence: '7',
        top_dst_ports: '80, https, 99999',
        protocol: 'pigeon',
        vector: '???',
        tcp_flags: 'sparkling',
      }),
    );
    assert.equal(detection.victim, '203.0.113.10');
    assert.equal(detection.vector, 'unknown');
    assert.deepEqual(
      [detection.bps, detection.pps, detection.confidence, detection.protocol],
      [null, null, null, null],
    );
    assert.deepEqual(detection.ports, [80]);
    const notes = detection.notes?.join('\n') ?? '';
    for (const key of ['bps', 'pps', 'confidence', 'top_dst_ports', 'protocol', 'vector', 'tcp_flags']) {
      assert.match(notes, new RegExp(key));
    }
  });

  test('of a protocol that its vector contradicts', () => {
    const detection = detected(one({ protocol: 'tcp' }));
    assert.equal(detection.protocol, 17);
    assert.match(detection.notes?.[0] ?? '', /protocol tcp ignored/);
  });

  test('is read where it is certain', () => {
    const detection = detected(
      one({ victim_ip: ' [203.0.113.14]:443 ', vector: 'UDP Flood', bps: '4.2 Gbps' }),
    );
    assert.deepEqual(
      [detection.victim, detection.vector, detection.bps],
      ['203.0.113.14', 'udp_flood', 4.2e9],
    );
    assert.equal(detection.notes, undefined);
  });

  test('goes by the vector map of the source, else of the kind of detector', () => {
    const maps = new Map([
      ['grafana', new Map([['boom', 'udp_flood']])],
      ['ours', new Map([['boom', 'syn_flood']])],
    ]);
    const read = (labels: object, orgId: object): string => {
      const alert = { ...ALERT, labels: { ...ALERT.labels, vector: 'Boom', ...labels } };
      const [reader] = alertReaders({ ...orgId, alerts: [alert] }, undefined, maps);
      assert.ok(reader);
      return detected(reader()).vector;
    };
    assert.equal(read({}, { orgId: 1 }), 'udp_flood');
    assert.equal(read({ source: 'ours' }, { orgId: 1 }), 'syn_flood');
    assert.equal(read({}, {}), 'boom');
  });
});

describe('no attack, and no end of one, is', () => {
  test('a rule of Grafana without data, or with an error', () => {
    for (const [labels, change] of [
      [{ alertname: 'DatasourceNoData' }, {}],
      [{ alertname: 'DatasourceError' }, {}],
      [{ grafana_state_reason: 'NoData' }, {}],
      [{}, { annotations: { grafana_state_reason: 'Error' } }],
      [{}, { annotations: { grafana_state_reason: 'NoData, KeepLast' } }],
      [{}, { valueString: "[ var='B0' metric='NoData' labels={} value=null ]" }],
      [{ state: 'No Data' }, {}],
    ] as const) {
      for (const status of ['firing', 'resolved']) {
        assert.match(ignored(one(labels, { ...change, status })), /no data|query failed|last state/);
      }
    }
    assert.match(ignored(one({}, {}, { state: 'no_data' })), /no data/);
  });

  test('an alert that is resolved because its rule was paused, changed or deleted', () => {
    for (const reason of ['Paused', 'Updated', 'RuleDeleted']) {
      const change = { status: 'resolved', annotations: { grafana_state_reason: reason } };
      assert.match(ignored(one({}, change)), /its rule was/);
    }
  });

  test('but an alert whose series vanished has ended', () => {
    const change = { status: 'resolved', annotations: { grafana_state_reason: 'MissingSeries' } };
    assert.equal(detected(one({}, change)).action, 'unban');
  });

  test("Grafana's Test button, whatever labels were added to it", () => {
    assert.match(ignored(one({ alertname: 'TestAlert', instance: 'Grafana' })), /it arrived/);
  });

  test('a watchdog without a victim; with one, any alert counts', () => {
    assert.match(ignored(one({ alertname: 'Watchdog', victim_ip: '' })), /it arrived/);
    assert.equal(detected(one({ alertname: 'Watchdog' })).action, 'ban');
  });
});

describe('a message that is too long', () => {
  const many = { ...WEBHOOK, alerts: Array.from({ length: MAX_ALERTS + 200 }, () => ALERT) };

  test('is read as far as 1,000 alerts, and the rest is reported', () => {
    assert.equal(parseAlertmanager(many).length, MAX_ALERTS);
    const unread = unreadAlerts(many);
    assert.ok(unread?.kind === 'invalid');
    assert.match(
      unread.problems[0]?.message ?? '',
      /has 1200 alerts; the first 1000 were read and 200 were not/,
    );
    assert.equal(unread.remains?.source, 'alertmanager');
  });

  test('for its sender says so, too', () => {
    const unread = unreadAlerts({ ...WEBHOOK, truncatedAlerts: 7 });
    assert.ok(unread?.kind === 'invalid');
    assert.match(unread.problems[0]?.message ?? '', /7 more were dropped by alertmanager/);
    assert.equal(unreadAlerts({ ...WEBHOOK, truncatedAlerts: 0 }), undefined);
  });

  test('keeps of long annotations what fits, and of the others all', () => {
    const annotations = { summary: 'x'.repeat(2_000_000), runbook: 'short' };
    const { details } = detected(one({}, { annotations }));
    assert.ok(JSON.stringify(details).length < 4_000);
    assert.equal(details.fingerprint, ALERT.fingerprint);
    assert.match(JSON.stringify(details.annotations), /2000000 characters.*short/);
  });
});

describe('an alert that cannot be read', () => {
  test('is recorded with its victim where it names one', () => {
    const [signal] = parseAlertmanager({ ...WEBHOOK, alerts: [{ ...ALERT, status: 'pending' }] });
    assert.ok(signal?.kind === 'invalid');
    assert.equal(signal.remains?.victim, '203.0.113.10');
    assert.equal(signal.remains?.vector, 'udp_flood');
  });
});
