import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Role } from '../../src/http/dependencies.ts';
import { api, bearer, MITIGATION_ID, mitigation, ROLES } from './support.ts';

const COMMAND = { operator_id: 'kim', reason: 'false positive' };
const BAN = { source: 'fnm', victim_ip: '203.0.113.10', vector: 'udp_flood' };

/** Every route with the access that it requires. */
const ROUTES: readonly (readonly [
  method: 'GET' | 'POST' | 'DELETE',
  url: string,
  roles: string,
  body?: object,
])[] = [
  ['POST', '/v1/events', 'detector operator admin', BAN],
  ['POST', '/v1/events/batch', 'detector operator admin', [BAN]],
  ['POST', '/v1/signals/fastnetmon', 'detector operator admin', {}],
  ['POST', '/v1/signals/alertmanager', 'detector operator admin', {}],
  ['POST', '/v1/signals/webhook/kentik', 'detector operator admin', {}],
  ['GET', '/v1/events', 'viewer operator admin'],
  ['GET', '/v1/mitigations', 'viewer operator admin'],
  ['GET', `/v1/mitigations/${MITIGATION_ID}`, 'viewer operator admin'],
  ['POST', '/v1/mitigations', 'operator admin', {}],
  ['POST', `/v1/mitigations/${MITIGATION_ID}/withdraw`, 'operator admin', COMMAND],
  ['POST', '/v1/control/pause', 'operator admin', COMMAND],
  ['POST', '/v1/control/resume', 'operator admin', COMMAND],
  ['POST', '/v1/control/withdraw-all', 'operator admin', COMMAND],
  ['GET', '/v1/safelist', 'viewer operator admin'],
  ['POST', '/v1/safelist', 'operator admin', {}],
  ['DELETE', '/v1/safelist/192.0.2.1%2F32', 'operator admin'],
  ['GET', '/v1/peers', 'viewer operator admin'],
  ['GET', '/v1/pops', 'viewer operator admin'],
  ['POST', '/v1/peers/edge1/enable', 'operator admin', {}],
  ['POST', '/v1/peers/edge1/disable', 'operator admin', {}],
  ['POST', '/v1/peers/edge1/clear', 'operator admin', {}],
  ['GET', '/v1/rib', 'viewer operator admin'],
  ['GET', '/v1/health', 'public'],
  ['GET', '/v1/health/detail', 'viewer operator admin'],
  ['GET', '/v1/scrubbers', 'viewer operator admin'],
  ['POST', '/v1/scrubbers/fra/signal', 'detector operator admin', { state: 'clean' }],
  ['GET', '/v1/alerts', 'viewer operator admin'],
  ['POST', '/v1/alerts/edge1/test', 'operator admin', {}],
  ['GET', '/v1/stats', 'viewer operator admin'],
  ['GET', '/v1/audit', 'viewer operator admin'],
  ['GET', '/v1/config/settings', 'viewer operator admin'],
  ['GET', '/v1/config/inventory', 'viewer operator admin'],
  ['GET', '/v1/config/playbooks', 'viewer operator admin'],
  ['POST', '/v1/config/reload', 'admin', {}],
  ['GET', '/v1/openapi.json', 'detector viewer operator admin'],
  ['GET', '/metrics', 'detector viewer operator admin'],
];

describe('bearer authentication', () => {
  it('lets nobody without a token, or with one it does not know, past anything but the health', async () => {
    const { app, engine } = await api();
    for (const [method, url, roles, payload] of ROUTES) {
      for (const headers of [
        {},
        { authorization: 'Bearer nobody' },
        { authorization: 'Basic YWRtaW4tc2VjcmV0' },
        { authorization: 'admin-secret' },
        { authorization: 'Bearer admin-secret2' },
      ]) {
        const response = await app.inject({ method, url, headers, ...(payload ? { payload } : {}) });
        assert.equal(response.statusCode, roles === 'public' ? 200 : 401, `${method} ${url}`);
        if (roles !== 'public') assert.match(String(response.headers['www-authenticate']), /^Bearer /);
      }
    }
    assert.equal(engine.commands.length, 0);
  });

  it('answers 403 to a role that is too small, and never to one that is not', async () => {
    const { app, engine } = await api();
    engine.record({ type: 'mitigation.created', mitigation: mitigation() });
    for (const [method, url, roles, payload] of ROUTES) {
      for (const role of ROLES) {
        const request = { method, url, headers: bearer(role), ...(payload ? { payload } : {}) };
        const { statusCode } = await app.inject(request);
        const welcome = roles === 'public' || roles.split(' ').includes(role);
        if (welcome)
          assert.ok(statusCode !== 401 && statusCode !== 403, `${role}: ${method} ${url}: ${statusCode}`);
        else assert.equal(statusCode, 403, `${role}: ${method} ${url}`);
      }
    }
  });

  it('names every route of the API in the table above', async () => {
    const { app } = await api();
    const document = await app.inject({ url: '/v1/openapi.json', headers: bearer('admin') });
    const paths: Record<string, Record<string, unknown>> = document.json().paths;
    const described = Object.entries(paths).flatMap(([path, operations]) =>
      Object.keys(operations).map((method) => `${method.toUpperCase()} ${path}`),
    );
    const tested = ROUTES.map(
      ([method, url]) =>
        `${method} ${url
          .replace(MITIGATION_ID, '{id}')
          .replace(/edge1|fra(?=\/)|kentik/, '{name}')
          .replace('192.0.2.1%2F32', '{prefix}')}`,
    );
    assert.deepEqual(described.sort(), [...tested, 'GET /v1/feed'].sort());
  });

  it('takes new tokens and drops old ones at the next request after a reload', async () => {
    const role: Role = 'viewer';
    let token = 'old';
    const settings = { current: { mode: 'bearer' as const, tokens: [{ name: 'v', role, token }] } };
    const { app } = await api({ auth: () => settings.current });
    const ask = () => app.inject({ url: '/v1/peers', headers: { authorization: `Bearer ${token}` } });
    assert.equal((await ask()).statusCode, 200);
    settings.current = { mode: 'bearer', tokens: [{ name: 'v', role, token: 'new' }] };
    assert.equal((await ask()).statusCode, 401);
    token = 'new';
    assert.equal((await ask()).statusCode, 200);
  });

  it('logs a refusal without the token that was presented', async () => {
    const { app, log } = await api();
    await app.inject({ url: '/v1/peers', headers: { authorization: 'Bearer s3cr3t-typo' } });
    assert.equal(log.lines.at(-1)?.level, 'warn');
    assert.doesNotMatch(JSON.stringify(log.lines), /s3cr3t/);
  });
});

describe('no authentication', () => {
  const open = () => api({ auth: () => ({ mode: 'none' }) });

  it('lets everybody do everything, as anonymous', async () => {
    const { app, engine } = await open();
    engine.answer = () => ({ type: 'done', affected: [] });
    const response = await app.inject({ method: 'POST', url: '/v1/control/pause', payload: COMMAND });
    assert.equal(response.statusCode, 200);
    const [command] = engine.commands;
    assert.ok(command !== undefined && 'actor' in command);
    assert.equal(command.actor.name, 'kim');
    assert.equal(command.actor.via, 'anonymous');
  });

  it('refuses pages of other origins', async () => {
    const { app } = await open();
    const ask = (headers: Record<string, string>) => app.inject({ url: '/v1/peers', headers });
    assert.equal((await ask({ host: '127.0.0.1:8080', origin: 'https://evil.example' })).statusCode, 403);
    assert.equal((await ask({ host: '127.0.0.1:8080', origin: 'null' })).statusCode, 403);
    assert.equal((await ask({ host: '127.0.0.1:8080', origin: 'http://127.0.0.1:8080' })).statusCode, 200);
  });
});
