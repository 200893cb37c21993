import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { api, bearer, MITIGATION_ID, NOON } from './support.ts';

const ENTRY = {
  prefix: '2001:db8::/32',
  reason: 'our own',
  addedAt: NOON,
  addedBy: { kind: 'operator', name: 'kim' },
  configured: false,
} as const;

describe('the safelist', () => {
  it('lists the configured prefixes, then those added over the API', async () => {
    const { app, engine } = await api();
    engine.record({ type: 'safelist.added', entry: ENTRY });
    const response = await app.inject({ url: '/v1/safelist', headers: bearer('viewer') });
    assert.deepEqual(response.json(), [
      {
        prefix: '10.0.0.0/8',
        reason: 'from the configuration file',
        added_at: null,
        added_by: 'prefixd',
        configured: true,
      },
      {
        prefix: '2001:db8::/32',
        reason: 'our own',
        added_at: '2026-11-23T12:00:00.000Z',
        added_by: 'kim',
        configured: false,
      },
    ]);
  });

  it('adds a prefix in its canonical text and tells what that withdrew', async () => {
    const { app, engine } = await api();
    engine.answer = () => ({ type: 'safelist', entry: ENTRY, withdrawn: [MITIGATION_ID] });
    const response = await app.inject({
      method: 'POST',
      url: '/v1/safelist',
      headers: bearer('operator'),
      payload: { prefix: '2001:DB8:0::/32', reason: 'our own' },
    });
    assert.equal(response.statusCode, 201);
    assert.equal(response.headers.location, '/v1/safelist/2001%3Adb8%3A%3A%2F32');
    assert.deepEqual(response.json().withdrawn, [MITIGATION_ID]);
    const [command] = engine.commands;
    assert.equal(command?.type === 'safelist-add' && command.prefix, '2001:db8::/32');
    assert.equal(command?.type === 'safelist-add' && command.actor.name, 'the-operator');
  });

  it('takes IPv4 written as IPv6 for the IPv4 that packets carry', async () => {
    const { app, engine } = await api();
    engine.answer = () => ({ type: 'safelist', entry: ENTRY, withdrawn: [] });
    for (const prefix of ['::ffff:203.0.113.10', '::ffff:203.0.113.0/120', '::ffff:0:0/95']) {
      const payload = { prefix, reason: 'r' };
      await app.inject({ method: 'POST', url: '/v1/safelist', headers: bearer('operator'), payload });
    }
    assert.deepEqual(
      engine.commands.map((command) => (command.type === 'safelist-add' ? command.prefix : '')),
      ['203.0.113.10/32', '203.0.113.0/24'],
      'and nothing that would hold more than IPv4',
    );
  });

  it('answers 409 to what is there already', async () => {
    const { app, engine } = await api();
    engine.answer = () => ({ type: 'conflict', detail: 'it is there' });
    const payload = { prefix: '192.0.2.1', reason: 'r' };
    const response = await app.inject({
      method: 'POST',
      url: '/v1/safelist',
      headers: bearer('operator'),
      payload,
    });
    assert.equal(response.statusCode, 409);
  });

  it('refuses what is no prefix and proposes what was meant', async () => {
    const { app, engine } = await api();
    for (const prefix of ['203.0.113.7/24', 'example.net', '10.0.0.0/33', '']) {
      const response = await app.inject({
        method: 'POST',
        url: '/v1/safelist',
        headers: bearer('operator'),
        payload: { prefix, reason: 'r' },
      });
      assert.equal(response.statusCode, 400, prefix);
      assert.equal(response.json().errors[0].field, 'prefix');
    }
    const response = await app.inject({
      method: 'DELETE',
      url: '/v1/safelist/203.0.113.7%2F24',
      headers: bearer('operator'),
    });
    assert.match(response.json().detail, /did you mean 203\.0\.113\.0\/24/);
    assert.equal(engine.commands.length, 0);
  });

  it('removes a prefix that is named URL-encoded', async () => {
    const { app, engine } = await api();
    engine.answer = () => ({ type: 'done', affected: [] });
    const response = await app.inject({
      method: 'DELETE',
      url: '/v1/safelist/2001%3ADB8%3A%3A%2F32',
      headers: bearer('operator'),
    });
    assert.equal(response.statusCode, 204);
    assert.equal(response.body, '');
    const [command] = engine.commands;
    assert.equal(command?.type === 'safelist-remove' && command.prefix, '2001:db8::/32');
    engine.answer = () => ({ type: 'not-found', detail: 'it is not there' });
    const again = await app.inject({
      method: 'DELETE',
      url: '/v1/safelist/2001%3Adb8%3A%3A%2F32',
      headers: bearer('operator'),
    });
    assert.equal(again.statusCode, 404);
  });

  it('is not fooled by tricks with the path', async () => {
    const { app, engine } = await api();
    for (const [path, status] of [
      ['..%2f..%2fconfig', 400],
      ['%2e%2e%2f', 400],
      ['10.0.0.0/8', 404],
      ['..', 404],
      ['%zz', 400],
      ['%00', 400],
      ['x'.repeat(300), 414],
      ['10.0.0.0%252F8', 400],
      ['', 400],
    ] as const) {
      const response = await app.inject({
        method: 'DELETE',
        url: `/v1/safelist/${path}`,
        headers: bearer('operator'),
      });
      assert.ok([status, 404].includes(response.statusCode), `${path}: ${response.statusCode}`);
      assert.match(String(response.headers['content-type']), /problem\+json/, path);
    }
    assert.equal(engine.commands.length, 0);
  });
});
