import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { describe, it, type TestContext } from 'node:test';
import { realTimers } from '../../src/app/clock.ts';
import { Metrics } from '../../src/app/observe/metrics.ts';
import { openEngine } from '../../src/control/open-engine.ts';
import { Reconciler } from '../../src/control/reconciler.ts';
import { viewOf } from '../../src/control/rule-view.ts';
import { buildApi } from '../../src/http/api.ts';
import { MitigationSchema, RibRouteSchema } from '../../src/http/answer-schemas.ts';
import { EventSchema } from '../../src/view/schemas.ts';
import { MemoryStore } from '../../src/store/memory.ts';
import { neighborPolicy, POLICY } from '../control/support.ts';
import { neverOverloaded } from '../support/overload.ts';
import { bearer, world } from './support.ts';

const BAN = {
  source: 'fnm',
  victim_ip: '203.0.113.10',
  vector: 'udp_flood',
  bps: 1_000_000_000,
  event_id: 'fnm-1',
};

/** The API over the real engine, reconciler and decisions, with two mock neighbors. */
async function running(t: TestContext) {
  const { deps: faked, announcer } = await world();
  const clock = () => Date.now();
  const { engine } = await openEngine({
    store: new MemoryStore(),
    policy: POLICY,
    clock,
    newId: randomUUID,
    snapshotEvery: 0,
  });
  const reconciler = new Reconciler({
    engine,
    announcer,
    neighbors: [neighborPolicy('edge1'), neighborPolicy('edge2')],
    clock,
    timers: realTimers,
    intervalMs: 60_000,
    log: () => undefined,
  });
  const view = viewOf(reconciler, engine, announcer);
  const metrics = new Metrics({
    engine,
    reconciler: view,
    announcer,
    clock,
    version: '0',
    assess: () => ({ status: 'ok', reasons: [] }),
  });
  await announcer.stop({ preserve: true });
  await reconciler.start();
  await announcer.start();
  const deps = { ...faked, engine, reconciler: view, clock, metrics: () => metrics.scrape() };
  const { app, feed } = await buildApi(deps, undefined, neverOverloaded());
  t.after(async () => {
    feed.close();
    await app.close();
    metrics.stop();
    await reconciler.stop();
    await engine.close();
  });
  const ask = async (method: 'GET' | 'POST' | 'DELETE', url: string, payload?: object) => {
    const response = await app.inject({
      method,
      url,
      headers: bearer('admin'),
      ...(payload === undefined ? {} : { payload }),
    });
    return { status: response.statusCode, body: response.body === '' ? null : response.json() };
  };
  /** Requests a mitigation until it matches; the reconciler takes a few turns of the event loop. */
  const until = async (id: string, wanted: (mitigation: { status: string; ending: boolean }) => boolean) => {
    for (let turn = 0; turn < 1_000; turn++) {
      const { body } = await ask('GET', `/v1/mitigations/${id}`);
      if (wanted(body)) return MitigationSchema.parse(body);
      await new Promise((resolve) => setImmediate(resolve));
    }
    throw new Error('the mitigation never became as wanted');
  };
  return { app, ask, until };
}

describe('the API over the real core', () => {
  it('takes a report to a rule on every neighbor, and back', async (t) => {
    const { app, ask, until } = await running(t);
    const { status, body } = await ask('POST', '/v1/events', BAN);
    assert.deepEqual([status, body.status, body.external_event_id], [202, 'accepted', 'fnm-1']);
    const id: string = body.mitigation_id;
    const active = await until(id, (one) => one.status === 'active');
    assert.deepEqual(
      active.rules.map(({ neighbor, state }) => [neighbor, state]),
      [
        ['edge1', 'sent'],
        ['edge2', 'sent'],
      ],
    );
    assert.match(active.rule, /203\.0\.113\.10\/32/);
    assert.equal(active.customer_id, 'acme');

    const rib = await ask('GET', '/v1/rib');
    const route = RibRouteSchema.parse(rib.body.edge1[0]);
    assert.equal(route.mitigation_id, id);
    assert.equal(route.nlri_hex, active.rules[0]?.nlri_hex);
    // traffic-rate-bytes (RFC 8955 §7.1): AS 0, 625,000.0 octets a second as IEEE 754.
    assert.equal(route.actions_hex, '8006000049189680');

    const events = await ask('GET', '/v1/events');
    assert.equal(EventSchema.parse(events.body.events[0]).mitigation_id, id);
    const metrics = await app.inject({ url: '/metrics', headers: bearer('viewer') });
    assert.match(metrics.body, /^prefixd_event_to_update_seconds_count 1$/m);
    assert.match(metrics.body, /^prefixd_announcements_total\{peer="edge2",status="announced"\} 1$/m);

    const withdraw = { operator_id: 'kim', reason: 'false positive' };
    assert.equal((await ask('POST', `/v1/mitigations/${id}/withdraw`, withdraw)).status, 200);
    const gone = await until(id, (one) => one.status === 'withdrawn');
    assert.equal(gone.ending, false);
    assert.notEqual(gone.withdrawn_at, null);
    assert.deepEqual((await ask('GET', '/v1/rib')).body.edge1, []);
    assert.equal((await ask('POST', `/v1/mitigations/${id}/withdraw`, withdraw)).status, 409);
  });

  it('answers duplicates, refusals and ends of attacks as the contract says', async (t) => {
    const { ask } = await running(t);
    assert.equal((await ask('POST', '/v1/events', BAN)).status, 202);
    assert.equal((await ask('POST', '/v1/events', BAN)).status, 409);
    const foreign = await ask('POST', '/v1/events', { ...BAN, event_id: 'x', victim_ip: '198.51.100.1' });
    assert.deepEqual([foreign.status, foreign.body.reason], [422, 'not_in_inventory']);
    const unban = await ask('POST', '/v1/events', { ...BAN, action: 'unban' });
    assert.deepEqual([unban.status, unban.body.status], [202, 'withdrawn']);
    const again = await ask('POST', '/v1/events', { ...BAN, action: 'unban' });
    assert.deepEqual([again.status, again.body.status], [202, 'no_active_mitigation']);
    const none = await ask('POST', '/v1/events', { ...BAN, event_id: 'never', action: 'unban' });
    assert.deepEqual([none.status, none.body.status], [202, 'not_found']);
  });

  it('keeps the safelist, and withdraws what it covers', async (t) => {
    const { ask, until } = await running(t);
    const { body } = await ask('POST', '/v1/events', BAN);
    const entry = { prefix: '203.0.113.0/28', reason: 'ours', operator_id: 'kim' };
    const added = await ask('POST', '/v1/safelist', entry);
    assert.deepEqual([added.status, added.body.withdrawn], [201, [body.mitigation_id]]);
    await until(body.mitigation_id, (one) => one.status === 'withdrawn');
    const refused = await ask('POST', '/v1/events', { ...BAN, event_id: 'fnm-2' });
    assert.deepEqual([refused.status, refused.body.reason], [422, 'safelisted']);
    assert.equal((await ask('DELETE', '/v1/safelist/203.0.113.0%2F28')).status, 204);
    assert.equal((await ask('DELETE', '/v1/safelist/203.0.113.0%2F28')).status, 404);
  });

  it('asks before a safelist entry withdraws more than a tenth of what is active, and does it when that is confirmed', async (t) => {
    const { ask } = await running(t);
    for (const victim of ['203.0.113.10', '203.0.113.11']) {
      await ask('POST', '/v1/events', { ...BAN, event_id: victim, victim_ip: victim });
    }
    const everything = { prefix: '0.0.0.0/0', reason: 'panic' };
    const refused = await ask('POST', '/v1/safelist', everything);
    assert.equal(refused.status, 409);
    assert.equal(refused.body.reason, 'needs_confirmation');
    assert.deepEqual([refused.body.would_withdraw, refused.body.active], [2, 2]);
    assert.match(
      refused.body.detail,
      /^Nothing was changed: .*; repeat the request with "confirm": true to continue$/,
    );
    const network = { prefix: '203.0.113.0/24', reason: 'ours' };
    assert.equal((await ask('POST', '/v1/safelist', network)).status, 409);
    const added = await ask('POST', '/v1/safelist', { ...network, confirm: true });
    assert.equal(added.status, 201);
    assert.equal(added.body.withdrawn.length, 2);
  });

  it("makes an operator's own mitigation, pauses and withdraws all", async (t) => {
    const { ask, until } = await running(t);
    const own = {
      operator_id: 'kim',
      victim_ip: '2001:db8:acd::1',
      protocol: 'udp',
      action_type: 'discard',
      ttl_seconds: 300,
      reason: 'customer called',
    };
    const made = await ask('POST', '/v1/mitigations', own);
    assert.equal(made.status, 201, JSON.stringify(made.body));
    await until(made.body.mitigation_id, (one) => one.status === 'active');
    const long = await ask('POST', '/v1/mitigations', {
      ...own,
      ttl_seconds: 86_400,
      victim_ip: '203.0.113.2',
    });
    assert.deepEqual([long.status, long.body.reason], [422, 'ttl_out_of_bounds']);
    const command = { operator_id: 'kim', reason: 'drill' };
    assert.deepEqual((await ask('POST', '/v1/control/pause', command)).body, { paused: true, affected: [] });
    assert.equal((await ask('POST', '/v1/mitigations', { ...own, victim_ip: '203.0.113.3' })).status, 409);
    assert.deepEqual((await ask('POST', '/v1/control/resume', command)).body, {
      paused: false,
      affected: [],
    });
    const all = await ask('POST', '/v1/control/withdraw-all', command);
    assert.deepEqual(all.body.affected, [made.body.mitigation_id]);
    await until(made.body.mitigation_id, (one) => one.status === 'withdrawn');
  });
});
