import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { request } from 'node:https';
import { describe, it, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { AuthSettings } from '../../src/http/dependencies.ts';
import { createServer } from '../../src/http/server.ts';
import { tlsRequest, within } from './sockets.ts';
import { world } from './support.ts';

const certPath = (name: string): string => fileURLToPath(new URL(`certs/${name}.pem`, import.meta.url));
const cert = (name: string): Buffer => readFileSync(certPath(name));

/** A daemon whose machines have certificates, and whose people sign in over its own TLS. */
async function serve(t: TestContext) {
  const auth: AuthSettings = {
    mode: 'mtls',
    roles: new Map([['fnm', 'operator']]),
    scopes: new Map([['fnm', { customers: ['acme'] }]]),
    signIn: {
      users: [{ name: 'alice', role: 'admin', passwordHash: 'hash' }],
      idleSeconds: 3600,
      absoluteSeconds: 43_200,
    },
  };
  const tls = {
    certPath: certPath('server'),
    keyPath: certPath('server.key'),
    caPath: certPath('ca'),
    clientsOptional: true as const,
  };
  const { deps } = await world({
    auth: () => auth,
    tls,
    checkPassword: async (word) => word === 'wonderland',
  });
  const server = await createServer(deps);
  t.after(() => server.close(0));
  const { port } = await server.listen({ host: '127.0.0.1', port: 0 });
  const ask = (path: string, client: string | undefined, headers: Record<string, string> = {}) =>
    tlsRequest({
      host: '127.0.0.1',
      port,
      path,
      headers,
      ca: cert('ca'),
      ...(client === undefined ? {} : { cert: cert(client), key: cert(`${client}.key`) }),
    });
  const signIn = () =>
    within(
      new Promise<string>((resolve, reject) => {
        const headers = {
          'content-type': 'application/json',
          'x-prefixd-request': '1',
          origin: `https://127.0.0.1:${port}`,
        };
        const sent = request(
          {
            host: '127.0.0.1',
            port,
            path: '/v1/sign-in',
            method: 'POST',
            headers,
            ca: cert('ca'),
            agent: false,
          },
          (response) => {
            response.resume();
            resolve(response.headers['set-cookie']?.[0] ?? '');
          },
        );
        sent.on('error', reject);
        sent.end(JSON.stringify({ name: 'alice', password: 'wonderland' }));
      }),
      'the sign-in',
    );
  return { ask, signIn };
}

describe('people beside machines with certificates', () => {
  it('sign in without a certificate, and are nobody until then', async (t) => {
    const { ask, signIn } = await serve(t);
    assert.equal((await ask('/v1/me', undefined)).status, 401);
    const cookie = await signIn();
    assert.match(cookie, /^__Host-prefixd-session=pxs_.*Secure/);
    const me = await ask('/v1/me', undefined, {
      cookie: cookie.split(';')[0] ?? '',
      'x-prefixd-request': '1',
    });
    assert.equal(me.status, 200);
    assert.deepEqual([JSON.parse(me.body).name, JSON.parse(me.body).role], ['alice', 'admin']);
  });

  it('leave machines as they are: by CN, with role and scope, and not with a certificate of a stranger', async (t) => {
    const { ask } = await serve(t);
    const { status, body } = await ask('/v1/me', 'client-fnm');
    assert.equal(status, 200);
    assert.deepEqual(JSON.parse(body).scope.customers, ['acme']);
    assert.equal((await ask('/v1/peers', 'client-fnm')).status, 403);
    for (const client of ['client-foreign', 'client-expired']) {
      assert.equal((await ask('/v1/me', client)).status, 401, client);
    }
    assert.equal((await ask('/v1/me', 'client-nobody')).status, 403);
  });
});
