import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { HealthDetailSchema, StatsSchema } from '../../src/http/answer-schemas.ts';
import { api, bearer, MITIGATION_ID, mitigation, NOON } from './support.ts';

describe('the health', () => {
  it('is public and says little', async () => {
    const { app } = await api();
    const response = await app.inject({ url: '/v1/health' });
    assert.deepEqual(response.json(), { status: 'ok', ready: true, version: '1.2.3', uptime_seconds: 60 });
  });

  it('is degraded while something is wrong, and says what to those who may know', async () => {
    const reason = {
      code: 'journal',
      text: 'the journal cannot be written: disk full',
      since: NOON,
    } as const;
    const { app } = await api({ assess: () => ({ status: 'degraded', reasons: [reason] }) });
    assert.equal((await app.inject({ url: '/v1/health' })).json().status, 'degraded');
    const detail = await app.inject({ url: '/v1/health/detail', headers: bearer('viewer') });
    assert.deepEqual(detail.json().problems, ['the journal cannot be written: disk full']);
    assert.deepEqual(detail.json().reasons, [{ ...reason, since: new Date(NOON).toISOString() }]);
  });

  it('tells in detail what runs', async () => {
    const { app, engine, announcer } = await api();
    engine.record({ type: 'mitigation.created', mitigation: mitigation() });
    const kim = { kind: 'operator', name: 'kim' } as const;
    engine.record({ type: 'control.paused', actor: kim, reason: 'maintenance' });
    announcer.setEnabled('edge2', false);
    const response = await app.inject({ url: '/v1/health/detail', headers: bearer('viewer') });
    const detail = HealthDetailSchema.parse(response.json());
    assert.deepEqual(detail.paused, { at: '2026-11-23T12:00:00.000Z', by: 'kim', reason: 'maintenance' });
    assert.deepEqual(detail.peers, { configured: 2, established: 1 });
    assert.deepEqual(detail.mitigations, { live: 1 });
    assert.equal(detail.journal?.seq, 2);
  });
});

describe('statistics, configuration, audit and metrics', () => {
  it('counts mitigations by what they are', async () => {
    const { app, engine } = await api();
    engine.record({ type: 'mitigation.created', mitigation: mitigation() });
    const ended = mitigation({ id: '00000000-0000-4000-8000-000000000002' });
    engine.record({ type: 'mitigation.created', mitigation: ended });
    const actor = { kind: 'system', name: 'prefixd' } as const;
    const ending = { to: 'expired', at: NOON, actor, reason: 'TTL' } as const;
    engine.record({ type: 'mitigation.ending', id: ended.id, ending });
    engine.record({ type: 'mitigation.expired', id: ended.id });
    const stats = StatsSchema.parse(
      (await app.inject({ url: '/v1/stats', headers: bearer('viewer') })).json(),
    );
    assert.equal(stats.total_active, 1);
    assert.equal(stats.total_expired, 1);
    assert.deepEqual(stats.by_customer, { acme: 1 });
    assert.deepEqual(stats.by_action, { police: 1 });
  });

  it('shows the configuration as it was given', async () => {
    const { app } = await api();
    const settings = await app.inject({ url: '/v1/config/settings', headers: bearer('viewer') });
    assert.deepEqual(settings.json(), { pop: 'iad1' });
  });

  it('shows as much of the audit log as is asked for', async () => {
    const { app } = await api();
    const response = await app.inject({ url: '/v1/audit?limit=1', headers: bearer('viewer') });
    assert.deepEqual(response.json(), { entries: [{ type: 'mitigation.created' }] });
  });

  it('says that the audit log cannot be read, and not that the journal cannot be written', async () => {
    const broken = new Error('EIO');
    broken.name = 'StoreError';
    const { app, log } = await api({ audit: () => Promise.reject(broken) });
    const response = await app.inject({ url: '/v1/audit', headers: bearer('viewer') });
    assert.equal(response.statusCode, 503);
    assert.match(response.json().detail, /^The audit log cannot be read/);
    assert.deepEqual(
      log.lines.filter(({ level }) => level === 'error').map(({ fields }) => fields.err),
      [broken],
    );
  });

  it('passes metrics on as they are', async () => {
    const { app } = await api();
    const response = await app.inject({ url: '/metrics', headers: bearer('detector') });
    assert.equal(response.body, 'prefixd_build_info 1\n');
    assert.match(String(response.headers['content-type']), /^text\/plain; version=0\.0\.4/);
  });

  it('observes each request by the pattern of its route, never by its path', async () => {
    const { app, requests } = await api();
    await app.inject({ url: `/v1/mitigations/${MITIGATION_ID}`, headers: bearer('viewer') });
    await app.inject({ url: '/no/such/path', headers: bearer('viewer') });
    assert.deepEqual(
      requests.map(({ method, route, status }) => [method, route, status]),
      [
        ['GET', '/v1/mitigations/:id', 404],
        ['GET', '(none)', 404],
      ],
    );
    assert.ok(requests.every(({ seconds }) => seconds >= 0));
  });
});

describe('POST /v1/config/reload', () => {
  it('tells what was loaded', async () => {
    const { app } = await api();
    const response = await app.inject({ method: 'POST', url: '/v1/config/reload', headers: bearer('admin') });
    assert.equal(response.statusCode, 200);
    assert.deepEqual(response.json(), { summary: '1 customer, 2 playbooks', warnings: [] });
  });

  it('answers 422 with every problem when the files are wrong, and leaves that to the audit', async () => {
    const problems = ['prefixd.yaml:3:1: unknown key "htpp"', 'inventory.yaml:9:4: not a prefix'];
    const { app, actions } = await api({ reload: async () => ({ ok: false, problems }) });
    const response = await app.inject({ method: 'POST', url: '/v1/config/reload', headers: bearer('admin') });
    assert.equal(response.statusCode, 422);
    assert.equal(response.json().reason, 'invalid_configuration');
    assert.deepEqual(response.json().problems, problems);
    assert.equal(actions[0]?.type, 'config.reload_failed');
  });

  it('answers 409 to a reload that would withdraw many mitigations, until it is confirmed', async () => {
    const effect = 'the new configuration would withdraw 3 of 4 active mitigations';
    const { app } = await api({
      reload: async (_actor, confirmed) =>
        confirmed
          ? { ok: true, summary: 'mode enforced' }
          : { ok: false, effect, wouldWithdraw: 3, active: 4 },
    });
    const reload = (payload?: object) =>
      app.inject({
        method: 'POST',
        url: '/v1/config/reload',
        headers: bearer('admin'),
        ...(payload === undefined ? {} : { payload }),
      });
    const refused = await reload();
    assert.equal(refused.statusCode, 409);
    const { reason, effect: told, would_withdraw, active } = refused.json();
    assert.deepEqual([reason, told, would_withdraw, active], ['needs_confirmation', effect, 3, 4]);
    assert.equal((await reload({ confirm: false })).statusCode, 409);
    assert.equal((await reload({ confirm: true })).statusCode, 200);
  });
});

describe('POST /v1/control', () => {
  it('passes pause, resume and withdraw-all on, with who and why', async () => {
    const { app, engine } = await api();
    engine.answer = () => ({ type: 'done', affected: [MITIGATION_ID] });
    for (const type of ['pause', 'resume', 'withdraw-all']) {
      const response = await app.inject({
        method: 'POST',
        url: `/v1/control/${type}`,
        headers: bearer('operator'),
        payload: { operator_id: 'kim', reason: 'wrong rules' },
      });
      assert.equal(response.statusCode, 200);
      assert.deepEqual(response.json(), { paused: false, affected: [MITIGATION_ID] });
      assert.equal(engine.commands.at(-1)?.type, type);
    }
  });
});
