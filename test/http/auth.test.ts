import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Role } from '../../src/access/role.ts';
import { ROUTES, SIGNED_ROUTE } from './route-table.ts';
import { api, bearer, mitigation, ROLES } from './support.ts';

const COMMAND = { operator_id: 'kim', reason: 'false positive' };

/** The feed does not end by itself; its own tests read it. Public routes that sign people in have theirs. */
const WITHOUT_FEED = ROUTES.filter(
  ({ url }) => url !== '/v1/feed' && url !== SIGNED_ROUTE && !url.startsWith('/v1/sign-in'),
);

describe('bearer authentication', () => {
  it('opens no webhook with a token: only a signature does', async () => {
    const { app } = await api();
    for (const role of ROLES) {
      const request = { method: 'POST', url: SIGNED_ROUTE, headers: bearer(role), payload: {} } as const;
      assert.equal((await app.inject(request)).statusCode, 401, role);
    }
  });

  it('lets nobody without a token, or with one it does not know, past anything but the health', async () => {
    const { app, engine } = await api();
    for (const { method, url, roles, payload } of WITHOUT_FEED) {
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
    for (const { method, url, roles, payload } of WITHOUT_FEED) {
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
