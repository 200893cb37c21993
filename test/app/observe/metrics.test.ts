import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { LabelBudget, Metrics } from '../../../src/app/observe/metrics.ts';
import { routeAttributes, routeKey } from '../../../src/bgp/rib/route.ts';
import { NO_TARGETS } from '../../../src/core/policy/scrubbers.ts';
import { everySeries } from '../../support/metrics-sample.ts';
import { eventRecord, mitigation, MITIGATION_ID, NOON, type World, world } from '../../http/support.ts';

/** Every metric in the contract, and those that a dashboard may rely on. */
const NAMES = [
  'prefixd_events_ingested_total',
  'prefixd_mitigations_active',
  'prefixd_announcements_total',
  'prefixd_bgp_session_up',
  'prefixd_guardrail_rejections_total',
  'prefixd_event_to_update_seconds',
  'prefixd_journal_fsync_seconds',
  'prefixd_http_requests_total',
  'prefixd_http_request_duration_seconds',
  'prefixd_reconciliation_runs_total',
  'prefixd_reconciliation_drift_total',
  'prefixd_egress_refusals_total',
  'prefixd_event_loop_delay_seconds',
  'prefixd_alerts_sent_total',
  'prefixd_webhook_documents_total',
  'prefixd_build_info',
];

async function measured(): Promise<World & { metrics: Metrics; line: (start: string) => Promise<string> }> {
  const made = await world();
  const { engine, reconciler, announcer, deps } = made;
  const metrics = new Metrics({
    engine,
    reconciler,
    announcer,
    clock: deps.clock,
    version: '1.2.3',
    assess: () => ({ status: 'ok', reasons: [] }),
  });
  /** Returns the only line that starts with this text. */
  const line = async (start: string) => {
    const { body } = await metrics.scrape();
    const lines = body.split('\n').filter((candidate) => candidate.startsWith(start));
    assert.equal(lines.length, 1, `${start} is in ${lines.length} lines`);
    return lines[0] ?? '';
  };
  return Object.assign(made, { metrics, line });
}

const FAMILY = { afi: 1, safi: 133 };
const NLRI = Uint8Array.of(6, 1, 32, 203, 0, 113, 10);
const ROUTE = {
  key: routeKey(FAMILY, NLRI),
  family: FAMILY,
  nlri: NLRI,
  attributes: routeAttributes({}),
  owner: MITIGATION_ID,
  text: 'match dst 203.0.113.10/32 then discard',
};

describe('metrics', () => {
  it('tells of the database of the journal only where there is one', async () => {
    const { metrics } = await measured();
    assert.doesNotMatch((await metrics.scrape()).body, /journal_database/);
    metrics.stop();
    const text = await everySeries();
    assert.match(text, /^prefixd_journal_database_up 1$/m);
    assert.match(text, /^prefixd_journal_database_reconnects_total 2$/m);
    assert.match(text, /^prefixd_journal_commits_resolved_total\{outcome="found"\} 1$/m);
    assert.match(text, /^prefixd_journal_commits_resolved_total\{outcome="refused"\} 4$/m);
    assert.match(text, /^prefixd_journal_facts_rewritten_total 10$/m);
  });

  it('has the names that dashboards and alert rules rely on', async () => {
    const { metrics } = await measured();
    const { body, contentType } = await metrics.scrape();
    for (const name of NAMES) assert.match(body, new RegExp(`^# TYPE ${name} `, 'm'));
    assert.match(contentType, /^text\/plain/);
    metrics.stop();
  });

  it('counts events by source and vector', async () => {
    const { engine, metrics, line } = await measured();
    engine.record({ type: 'event.received', event: eventRecord() });
    engine.record({
      type: 'event.received',
      event: eventRecord({ id: '00000000-0000-4000-8000-0000000000e2' }),
    });
    const counted = await line('prefixd_events_ingested_total{source="fnm"');
    assert.equal(counted, 'prefixd_events_ingested_total{source="fnm",vector="udp_flood"} 2');
    metrics.stop();
  });

  it('keeps the number of series bounded, whatever detectors call themselves', async () => {
    const { engine, metrics } = await measured();
    for (let n = 0; n < 500; n++) {
      const id = `00000000-0000-4000-8000-${String(n).padStart(12, '0')}`;
      const { detection } = eventRecord();
      const odd = { ...detection, source: `s${n}`, vector: `v${n}` };
      engine.record({ type: 'event.received', event: eventRecord({ id, detection: odd }) });
    }
    const { body } = await metrics.scrape();
    const series = body.split('\n').filter((text) => text.startsWith('prefixd_events_ingested_total{'));
    assert.ok(series.length <= 34, `${series.length} series`);
    assert.ok(series.some((text) => text.includes('source="other",vector="other"')));
    metrics.stop();
  });

  it('escapes what comes from outside', async () => {
    const { engine, metrics } = await measured();
    const { detection } = eventRecord();
    const source = 'a"} 1\nprefixd_bgp_session_up{peer="fake';
    engine.record({ type: 'event.received', event: eventRecord({ detection: { ...detection, source } }) });
    const { body } = await metrics.scrape();
    assert.doesNotMatch(body, /^prefixd_bgp_session_up\{peer="fake/m);
    metrics.stop();
  });

  it('shows mitigations in force by action and POP, zero when there are none', async () => {
    const { engine, metrics, line } = await measured();
    engine.record({ type: 'mitigation.created', mitigation: mitigation() });
    assert.match(await line('prefixd_mitigations_active{action_type="police",pop="iad1"}'), / 1$/);
    assert.match(await line('prefixd_mitigations_active{action_type="discard",pop="iad1"}'), / 0$/);
    metrics.stop();
  });

  it('shows diversions by scrubber, and blackholes', async () => {
    const { engine, metrics, line } = await measured();
    const fra = { name: 'fra', redirect: {}, maxDiverted: 5 };
    engine.policy = { ...engine.policy, targets: { ...NO_TARGETS, scrubbers: new Map([['fra', fra]]) } };
    assert.match(await line('prefixd_diversions_active{scrubber="fra"}'), / 0$/);
    assert.match(await line('prefixd_blackholes_active'), / 0$/);
    const ids = [1, 2, 3].map((n) => `00000000-0000-4000-8000-00000000000${n}`);
    for (const [i, action] of [
      { type: 'divert', rateBps: null, scrubber: 'fra' } as const,
      // Still active after its scrubber left the configuration.
      { type: 'divert', rateBps: null, scrubber: 'old' } as const,
      { type: 'blackhole', rateBps: null } as const,
    ].entries()) {
      const match = { ...mitigation().match, dstPrefix: `203.0.113.${i}/32` };
      engine.record({
        type: 'mitigation.created',
        mitigation: mitigation({ id: ids[i] ?? '', match, action }),
      });
    }
    assert.match(await line('prefixd_diversions_active{scrubber="fra"}'), / 1$/);
    assert.match(await line('prefixd_diversions_active{scrubber="old"}'), / 1$/);
    assert.match(await line('prefixd_blackholes_active'), / 1$/);
    assert.match(await line('prefixd_mitigations_active{action_type="divert",pop="iad1"}'), / 2$/);
    assert.match(await line('prefixd_mitigations_active{action_type="redirect",pop="iad1"}'), / 0$/);
    metrics.stop();
  });

  it('counts a refusal once, of an event or of an operator', async () => {
    const { engine, metrics, line } = await measured();
    const refused = mitigation({ status: 'rejected', reason: 'safelisted' });
    engine.record(
      { type: 'event.received', event: eventRecord({ status: 'rejected', refusal: 'safelisted' }) },
      { type: 'mitigation.rejected', mitigation: refused },
    );
    assert.match(await line('prefixd_guardrail_rejections_total{reason="safelisted"}'), / 1$/);
    const own = mitigation({
      id: '00000000-0000-4000-8000-000000000002',
      status: 'rejected',
      reason: 'protected',
      triggeringEventId: null,
    });
    engine.record({ type: 'mitigation.rejected', mitigation: own });
    assert.match(await line('prefixd_guardrail_rejections_total{reason="protected"}'), / 1$/);
    assert.match(await line('prefixd_guardrail_rejections_total{reason="quota_pop"}'), / 0$/);
    metrics.stop();
  });

  it('shows sessions and counts what is written to them', async () => {
    const { announcer, metrics, line } = await measured();
    announcer.apply('edge1', [ROUTE], []);
    announcer.apply('edge1', [], [ROUTE.key]);
    announcer.setEnabled('edge2', false);
    assert.match(await line('prefixd_bgp_session_up{peer="edge1"}'), / 1$/);
    assert.match(await line('prefixd_bgp_session_up{peer="edge2"}'), / 0$/);
    assert.match(await line('prefixd_announcements_total{peer="edge1",status="announced"}'), / 1$/);
    assert.match(await line('prefixd_announcements_total{peer="edge1",status="withdrawn"}'), / 1$/);
    metrics.stop();
  });

  it('measures from the decision to the first UPDATE, once a decision', async () => {
    const made = await measured();
    const { engine, announcer, metrics, line } = made;
    engine.record({ type: 'mitigation.created', mitigation: mitigation() });
    made.now = NOON + 7;
    announcer.apply('edge1', [ROUTE], []);
    announcer.apply('edge2', [ROUTE], []);
    assert.match(await line('prefixd_event_to_update_seconds_count'), / 1$/);
    assert.match(await line('prefixd_event_to_update_seconds_sum'), / 0\.007$/);
    metrics.stop();
  });

  it('counts requests, fsyncs and alerts', async () => {
    const { metrics, line } = await measured();
    metrics.onRequest({ method: 'POST', route: '/v1/events', status: 202, seconds: 0.002 });
    metrics.onAppended(3, 4);
    metrics.onAlert('slack', 'failed');
    assert.match(
      await line('prefixd_http_requests_total{'),
      /\{method="POST",route="\/v1\/events",code="202"\} 1$/,
    );
    assert.match(await line('prefixd_journal_fsync_seconds_sum'), / 0\.004$/);
    assert.match(await line('prefixd_alerts_sent_total{'), /\{destination="slack",outcome="failed"\} 1$/);
    metrics.stop();
  });

  it('counts documents of webhooks by outcome', async () => {
    const { metrics, line } = await measured();
    metrics.onWebhook('kentik', 'events');
    metrics.onWebhook('kentik', 'events');
    assert.match(await line('prefixd_webhook_documents_total{'), /\{webhook="kentik",outcome="events"\} 2$/);
    metrics.stop();
  });

  it('counts nothing after it was stopped', async () => {
    const { engine, metrics } = await measured();
    metrics.stop();
    engine.record({ type: 'event.received', event: eventRecord() });
    const { body } = await metrics.scrape();
    assert.doesNotMatch(body, /^prefixd_events_ingested_total\{/m);
  });
});

describe('a label budget', () => {
  it('lets the known values through when the budget is spent', () => {
    const budget = new LabelBudget(1, ['udp_flood']);
    assert.deepEqual(
      ['a', 'b', 'a', 'udp_flood'].map((value) => budget.label(value)),
      ['a', 'other', 'a', 'udp_flood'],
    );
  });
});
