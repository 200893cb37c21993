import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { describe, it, type TestContext } from 'node:test';
import type { CallerScope } from '../../src/access/caller-scope.ts';
import type { Role } from '../../src/access/role.ts';
import { openEngine } from '../../src/control/open-engine.ts';
import { buildInventory } from '../../src/core/policy/inventory.ts';
import { buildPlaybooks } from '../../src/core/policy/playbook.ts';
import { buildApi } from '../../src/http/api.ts';
import { MemoryStore } from '../../src/store/memory.ts';
import { neverOverloaded } from '../support/overload.ts';
import { NOON, POLICY, world } from './support.ts';

const CALLERS: Readonly<Record<string, { readonly role: Role; readonly scope?: CallerScope }>> = {
  detector: { role: 'detector' },
  admin: { role: 'admin' },
  acme: { role: 'operator', scope: { customers: ['acme'] } },
  'acme/kentik': { role: 'operator', scope: { customers: ['acme'] } },
  rival: { role: 'operator', scope: { customers: ['rival'] } },
  police: { role: 'operator', scope: { actions: ['police'] } },
  here: { role: 'admin', scope: { pops: ['iad1', 'fra1'] } },
  elsewhere: { role: 'operator', scope: { pops: ['ams1'] } },
  everything: { role: 'admin', scope: { actions: ['police', 'discard'] } },
};

/** The API over the real core, with two customers. */
async function twoCustomers(t: TestContext) {
  const { playbooks, problems } = buildPlaybooks({
    playbooks: [
      {
        name: 'special',
        match: { vector: 'udp_flood', customer: ['rival'] },
        steps: [{ action: 'discard', ttl_seconds: 300 }],
      },
      { name: 'udp', match: { vector: 'udp_flood', min_bps: 1000 }, steps: [{ action: 'discard' }] },
    ],
  });
  assert.deepEqual(problems, []);
  const { inventory } = buildInventory({
    customers: [
      { customer_id: 'acme', prefixes: ['203.0.113.0/24'] },
      { customer_id: 'rival', prefixes: ['198.51.100.0/24'] },
    ],
  });
  const { deps } = await world();
  const clock = () => NOON;
  const policy = { ...POLICY, playbooks, inventory, safelist: [] };
  const { engine } = await openEngine({
    store: new MemoryStore(),
    policy,
    clock,
    newId: randomUUID,
    snapshotEvery: 0,
  });
  const tokens = Object.entries(CALLERS).map(([name, caller]) => ({ name, token: `${name}-x`, ...caller }));
  const auth = () => ({ mode: 'bearer' as const, tokens });
  const { app, feed } = await buildApi({ ...deps, engine, clock, auth }, undefined, neverOverloaded());
  t.after(async () => {
    feed.close();
    await app.close();
    await engine.close();
  });
  const call = async (name: string, method: 'GET' | 'POST' | 'DELETE', url: string, payload?: object) => {
    const headers = { authorization: `Bearer ${name}-x` };
    const answer = await app.inject({ method, url, headers, ...(payload === undefined ? {} : { payload }) });
    return { status: answer.statusCode, text: answer.body, body: answer.body === '' ? {} : answer.json() };
  };
  const ban = (name: string, victim: string, id: string, more: object = {}) =>
    call(name, 'POST', '/v1/events', {
      source: 'kentik',
      victim_ip: victim,
      vector: 'udp_flood',
      bps: 1e9,
      event_id: id,
      ...more,
    });
  const active = () => [...engine.state.live].length;
  return { app, engine, call, ban, active };
}

describe('reports of a limited caller', () => {
  it("do not end another customer's mitigation by its alert's id, at any intake", async (t) => {
    const { call, ban, engine } = await twoCustomers(t);
    const { body } = await ban('detector', '198.51.100.7', '1001');
    const mitigation = () => engine.state.mitigations.get(body.mitigation_id);
    assert.equal(mitigation()?.status, 'active');
    const unban = { action: 'unban', source: 'kentik', victim_ip: '203.0.113.10', vector: 'udp_flood' };
    const named = { ...unban, event_id: '1001' };
    assert.equal((await call('acme', 'POST', '/v1/events', named)).body.status, 'not_found');
    const batch = await call('acme', 'POST', '/v1/events/batch', [named, { ...named, alert_id: '1001' }]);
    assert.equal(batch.status, 207);
    const alert = {
      status: 'resolved',
      labels: { source: 'kentik', victim_ip: '203.0.113.10', vector: 'udp_flood', event_id: '1001' },
      annotations: {},
      fingerprint: '1001',
      startsAt: '2026-11-23T11:00:00Z',
      endsAt: '2026-11-23T12:00:00Z',
    };
    await call('acme', 'POST', '/v1/signals/alertmanager', { version: '4', alerts: [alert] });
    assert.equal(mitigation()?.status, 'active');
    assert.equal(mitigation()?.ending, null);
    assert.equal(mitigation()?.holds?.length, 1);
  });

  it("do not shorten another customer's hold with values that no playbook answers", async (t) => {
    const { ban, engine } = await twoCustomers(t);
    const { body } = await ban('detector', '198.51.100.7', '1001', { alert_id: 'a1' });
    const before = engine.state.mitigations.get(body.mitigation_id);
    await ban('acme', '203.0.113.10', '1002', { alert_id: 'a1', bps: 1 });
    assert.deepEqual(engine.state.mitigations.get(body.mitigation_id), before);
  });

  it("neither learn of another's event by its id, nor take that id away", async (t) => {
    const { ban } = await twoCustomers(t);
    const first = await ban('detector', '198.51.100.7', '1001');
    const claimed = await ban('acme', '203.0.113.10', '1001');
    assert.equal(claimed.status, 202);
    assert.ok(!claimed.text.includes(first.body.mitigation_id));
    await ban('acme', '203.0.113.11', '1002');
    assert.equal((await ban('detector', '198.51.100.8', '1002')).status, 202);
  });

  it('end what the same caller reported, and nothing of a caller whose name looks alike', async (t) => {
    const { ban, active, engine } = await twoCustomers(t);
    const { body } = await ban('acme', '203.0.113.10', '1');
    assert.equal(engine.state.events.get(body.event_id)?.detection.source, 'acme/kentik');
    await ban('acme/kentik', '203.0.113.10', '1', { action: 'unban' });
    await ban('acme/kentik', '203.0.113.10', '1', { action: 'unban', source: 'acme/kentik' });
    await ban('rival', '198.51.100.7', '1', { action: 'unban', source: 'acme/kentik' });
    assert.equal(active(), 1);
    assert.equal((await ban('acme', '203.0.113.10', '1', { action: 'unban' })).body.status, 'withdrawn');
  });
});

describe('a report from a caller with other limits', () => {
  it('is refused if the caller is limited to some actions, because a playbook chooses', async (t) => {
    const { ban, call, active } = await twoCustomers(t);
    await ban('detector', '203.0.113.10', '1');
    for (const name of ['police', 'everything']) {
      for (const action of ['ban', 'unban']) {
        const { status, body } = await ban(name, '203.0.113.10', '1', { action });
        assert.deepEqual([status, body.reason], [403, 'out_of_scope']);
      }
    }
    const event = { source: 'x', victim_ip: '203.0.113.11', vector: 'udp_flood', bps: 1e9 };
    const { body } = await call('police', 'POST', '/v1/events/batch', [event]);
    assert.deepEqual([body.results[0].code, body.results[0].status], [403, 'rejected']);
    assert.equal(active(), 1);
  });

  it('is refused for POPs outside the scope, and wherever this POP is outside', async (t) => {
    const { ban, active } = await twoCustomers(t);
    for (const pops of [['ams1'], ['iad1', 'ams1']]) {
      const { status, body } = await ban('here', '203.0.113.10', '1', { pops });
      assert.deepEqual([status, body.reason], [403, 'out_of_scope'], pops.join());
    }
    assert.equal((await ban('elsewhere', '203.0.113.10', '1')).status, 403);
    assert.equal(active(), 0);
    assert.equal((await ban('here', '203.0.113.10', '1', { pops: ['iad1', 'fra1'] })).status, 202);
  });
});

describe('commands about everything', () => {
  it('are refused to callers who are limited in any way, even to this POP', async (t) => {
    const { ban, call, active, engine } = await twoCustomers(t);
    await ban('detector', '203.0.113.10', '1');
    const command = { operator_id: 'kim', reason: 'r' };
    for (const [method, url, payload] of [
      ['POST', '/v1/control/withdraw-all', command],
      ['POST', '/v1/control/pause', command],
      ['POST', '/v1/control/resume', command],
      ['POST', '/v1/safelist', { ...command, prefix: '203.0.113.10/32' }],
      ['DELETE', '/v1/safelist/203.0.113.10%2F32', undefined],
      ['POST', '/v1/scrubbers/fra/signal', { state: 'clean' }],
      ['POST', '/v1/config/reload', {}],
    ] as const) {
      for (const name of ['acme', 'here', 'everything']) {
        const { status, body } = await call(name, method, url, payload);
        assert.equal(status, 403, `${name}: ${url}`);
        if (name !== 'acme' || !url.endsWith('reload')) assert.equal(body.reason, 'out_of_scope');
      }
    }
    assert.equal(active(), 1);
    assert.equal(engine.state.paused, undefined);
    assert.equal(engine.state.safelist.size, 0);
    assert.equal((await call('admin', 'POST', '/v1/control/withdraw-all', command)).status, 200);
  });
});

describe('texts for a limited caller', () => {
  it('name no other customer, and no safelisted prefix around its own, wherever they are shown', async (t) => {
    const { ban, call } = await twoCustomers(t);
    await ban('detector', '198.51.100.7', '1');
    const { body, text } = await ban('acme', '203.0.113.10', '1');
    assert.equal(body.status, 'accepted');
    assert.ok(body.why.includes('not shown, because it concerns others'));
    assert.match(body.why[0], /^203\.0\.113\.10 belongs to customer acme/);
    const around = { operator_id: 'noc', reason: 'for rival', prefix: '203.0.112.0/22', confirm: true };
    assert.equal((await call('admin', 'POST', '/v1/safelist', around)).status, 201);
    const refused = await ban('acme', '203.0.113.200', '2');
    assert.equal(refused.body.detail, 'not shown, because it concerns others');
    assert.equal(refused.body.reason, 'safelisted');
    await ban('detector', '203.0.113.11', '3');
    const mitigate = {
      operator_id: 'kim',
      reason: 'r',
      victim_ip: '203.0.113.201',
      action_type: 'discard',
      ttl_seconds: 300,
    };
    const created = await call('acme', 'POST', '/v1/mitigations', mitigate);
    assert.equal(created.body.reason, 'safelisted');
    const mitigation = await call('acme', 'GET', `/v1/mitigations/${body.mitigation_id}`);
    assert.ok(mitigation.body.history.length > 0);
    const texts = [text, refused.text, created.text, mitigation.text];
    for (const url of ['/v1/mitigations', '/v1/events']) texts.push((await call('acme', 'GET', url)).text);
    for (const shown of texts) assert.doesNotMatch(shown, /rival|special|198\.51|203\.0\.112\./);
    assert.match((await call('admin', 'GET', '/v1/events')).text, /it is for customer rival/);
  });
});
