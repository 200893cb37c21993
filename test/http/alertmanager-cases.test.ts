/** Messages of Alertmanager and Grafana that once failed, with the real engine and decisions. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { describe, it, type TestContext } from 'node:test';
import { Metrics } from '../../src/app/observe/metrics.ts';
import { openEngine } from '../../src/control/open-engine.ts';
import { buildApi } from '../../src/http/api.ts';
import { MemoryStore } from '../../src/store/memory.ts';
import { EventSchema } from '../../src/view/schemas.ts';
import { policyOf } from '../core/scenario.ts';
import { neverOverloaded } from '../support/overload.ts';
import { bearer, world } from './support.ts';

/** A time at which the cases' alerts are active. */
const NOW = Date.parse('2026-11-27T10:06:00Z');

function message(name: string): object {
  const json: unknown = JSON.parse(
    readFileSync(new URL(`../intake/samples/${name}.json`, import.meta.url), 'utf8'),
  );
  assert.ok(typeof json === 'object' && json !== null);
  return json;
}

async function running(t: TestContext) {
  const { deps: faked, announcer, reconciler } = await world();
  const time = { now: NOW };
  const clock = () => time.now;
  const { engine } = await openEngine({
    store: new MemoryStore(),
    policy: policyOf({ quotas: { maxActivePerCustomer: 100 } }),
    clock,
    newId: randomUUID,
    snapshotEvery: 0,
  });
  const metrics = new Metrics({
    engine,
    reconciler,
    announcer,
    clock,
    version: '0',
    assess: () => ({ status: 'ok', reasons: [] }),
  });
  const deps = { ...faked, engine, clock };
  const { app, feed } = await buildApi(deps, undefined, neverOverloaded());
  t.after(async () => {
    feed.close();
    await app.close();
    metrics.stop();
    await engine.close();
  });
  const post = async (payload: object) => {
    const url = '/v1/signals/alertmanager';
    const response = await app.inject({ method: 'POST', url, headers: bearer('detector'), payload });
    return { status: response.statusCode, body: response.json() };
  };
  const events = async () => {
    const response = await app.inject({ url: '/v1/events', headers: bearer('viewer') });
    return EventSchema.array().parse(response.json().events);
  };
  /** Returns the victims of mitigations that are not ending. */
  const mitigated = () =>
    [...engine.state.mitigations.values()]
      .filter(({ status, ending }) => status === 'active' && ending === null)
      .map(({ victim, vector }) => [victim, vector]);
  const line = async (start: string) =>
    (await metrics.scrape()).body.split('\n').find((text) => text.startsWith(start));
  return { post, events, mitigated, line, time };
}

describe('a message', () => {
  it('of which one alert cannot be read protects the victims of the others, and shows that one', async (t) => {
    const { post, events, mitigated, line } = await running(t);
    const { status, body } = await post(message('alertmanager-unreadable-in-group'));
    assert.equal(status, 207);
    assert.deepEqual(
      body.results.map((result: { code: number }) => result.code),
      [202, 202, 202, 202, 400],
    );
    assert.deepEqual(mitigated(), [
      ['203.0.113.12', 'udp_flood'],
      ['203.0.113.13', 'udp_flood'],
      ['203.0.113.14', 'syn_flood'],
      ['203.0.113.15', 'udp_flood'],
    ]);
    const all = await events();
    const refused = all.filter(({ reason }) => reason === 'invalid_report');
    assert.deepEqual(
      refused.map(({ victim_ip, source, status: how }) => [victim_ip, source, how]),
      [['not-an-address', 'alertmanager', 'rejected']],
    );
    assert.match(refused[0]?.why.join('\n') ?? '', /alerts\[4\]\.victim_ip: must be an IPv4 or IPv6 address/);
    assert.equal(refused[0]?.event_id, body.results[4].event_id);
    const useless = all.find(({ victim_ip }) => victim_ip === '203.0.113.15');
    assert.deepEqual([useless?.bps, useless?.why[0]], [null, 'bps ignored: "NaN" is not a number']);
    assert.equal(
      await line('prefixd_guardrail_rejections_total{reason="invalid_report"}'),
      'prefixd_guardrail_rejections_total{reason="invalid_report"} 1',
    );
    assert.match((await line('prefixd_events_ingested_total{source="alertmanager"')) ?? '', / 4$/);
  });

  it('in which one of two alerts of a victim resolves leaves it mitigated; so do two messages', async (t) => {
    const { post, mitigated, time } = await running(t);
    await post(message('alertmanager-one-of-two-resolves'));
    assert.deepEqual(mitigated(), [['203.0.113.11', 'udp_flood']]);
    const alert = (fingerprint: string, status: string) => ({
      status,
      labels: { rule: fingerprint, victim_ip: '203.0.113.11', vector: 'udp_flood' },
      startsAt: '2026-11-27T10:00:00Z',
      endsAt: '2026-11-27T10:10:00Z',
      fingerprint,
    });
    await post({ alerts: [alert('bbbb', 'firing')] });
    time.now += 300_000;
    await post({ alerts: [alert('bbbb', 'resolved')] });
    assert.equal(mitigated().length, 1, 'aaaa still fires');
    await post({ alerts: [alert('aaaa', 'resolved')] });
    assert.deepEqual(mitigated(), []);
  });

  it('of a rule of Grafana without data is no attack, and does not end one', async (t) => {
    const { post, events, mitigated } = await running(t);
    const { status, body } = await post(message('grafana-nodata'));
    assert.equal(status, 200);
    assert.match(body.results[0].why[0], /no attack: its rule has no data/);
    assert.deepEqual([mitigated(), await events()], [[], []]);

    const victim = { alertname: 'High', victim_ip: '203.0.113.16', vector: 'udp_flood' };
    const firing = { status: 'firing', labels: victim, startsAt: '2026-11-27T10:00:00Z', fingerprint: 'g2' };
    await post({ orgId: 1, alerts: [firing] });
    for (const reason of ['NoData', 'Error', 'Paused', 'Updated']) {
      const over = { ...firing, status: 'resolved', annotations: { grafana_state_reason: reason } };
      await post({ orgId: 1, alerts: [{ ...over, endsAt: '2026-11-27T10:05:00Z' }] });
      assert.equal(mitigated().length, 1, reason);
    }
    await post({ orgId: 1, alerts: [{ ...firing, status: 'resolved', endsAt: '2026-11-27T10:05:30Z' }] });
    assert.deepEqual(mitigated(), []);
  });

  it('about a prefix is decided by the guardrails, not answered 400', async (t) => {
    const { post, events } = await running(t);
    const labels = { victim_prefix: '203.0.113.0/24', vector: 'udp_flood' };
    const { body } = await post({ alerts: [{ status: 'firing', labels, fingerprint: 'p' }] });
    assert.deepEqual([body.results[0].code, body.results[0].reason], [422, 'rule_too_broad']);
    assert.equal((await events())[0]?.victim_ip, '203.0.113.0/24');
  });
});
