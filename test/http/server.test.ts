import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { HttpDependencies, HttpServer, TlsSettings } from '../../src/http/dependencies.ts';
import { createServer } from '../../src/http/server.ts';
import { deferred, plainRequest, rawConnection, rawExchange, tlsRequest, within } from './sockets.ts';
import { bearer, world } from './support.ts';

const certPath = (name: string): string => fileURLToPath(new URL(`certs/${name}.pem`, import.meta.url));
const cert = (name: string): Buffer => readFileSync(certPath(name));

const tlsOf = (name: string, caPath?: string): TlsSettings => ({
  certPath: certPath(name),
  keyPath: certPath(`${name}.key`),
  caPath,
});

async function serve(
  t: TestContext,
  changes: Partial<HttpDependencies> = {},
): Promise<{ server: HttpServer; port: number }> {
  const { deps } = await world(changes);
  const server = await createServer(deps);
  t.after(() => server.close(0));
  const { port } = await server.listen({ host: '127.0.0.1', port: 0 });
  return { server, port };
}

describe('the server', () => {
  it('says where it listens, and answers there', async (t) => {
    const { server, port } = await serve(t);
    assert.deepEqual(server.address, { host: '127.0.0.1', port });
    const { status, headers } = await plainRequest(port, '/v1/health', { 'x-request-id': 'abc-1' });
    assert.equal(status, 200);
    assert.equal(headers['x-request-id'], 'abc-1');
    assert.equal(headers['x-content-type-options'], 'nosniff');
    assert.equal(headers['cache-control'], 'no-store');
  });

  it('rejects with the code of the system when the port is taken', async (t) => {
    const { port } = await serve(t);
    const second = await createServer((await world()).deps);
    t.after(() => second.close(0));
    await assert.rejects(second.listen({ host: '127.0.0.1', port }), { code: 'EADDRINUSE' });
  });

  it('finishes the answer under way when it closes, and takes no new connection', async (t) => {
    const [asked, answer] = [deferred<void>(), deferred<{ contentType: string; body: string }>()];
    const metrics = () => {
      asked.resolve();
      return answer.promise;
    };
    const { server, port } = await serve(t, { metrics });
    const slow = plainRequest(port, '/metrics', bearer('viewer'));
    await within(asked.promise, 'the request to arrive');
    const closed = server.close();
    await assert.rejects(plainRequest(port, '/v1/health'));
    answer.resolve({ contentType: 'text/plain', body: 'done' });
    assert.equal((await slow).body, 'done');
    await within(closed, 'the server to close');
    assert.equal(server.address, undefined);
  });

  it('cuts what will not end when the time to drain is over', async (t) => {
    const { server, port } = await serve(t, { metrics: () => new Promise(() => undefined) });
    const stuck = plainRequest(port, '/metrics', bearer('viewer'));
    const gone = assert.rejects(stuck);
    await plainRequest(port, '/v1/health');
    await within(server.close(50), 'the server to close');
    await gone;
  });

  it('answers 431 to a flood of headers and hangs up', async (t) => {
    const { port } = await serve(t);
    const flood = `GET /v1/health HTTP/1.1\r\nHost: x\r\nX-Flood: ${'a'.repeat(20_000)}\r\n\r\n`;
    assert.match(await rawExchange(port, flood), /^HTTP\/1\.1 431 [\s\S]*application\/problem\+json/);
  });

  it('answers 400 to what is no HTTP and hangs up', async (t) => {
    const { port } = await serve(t);
    assert.match(await rawExchange(port, 'BGP hello\r\n\r\n'), /^HTTP\/1\.1 400 [\s\S]*"status":400/);
  });

  it('survives a client that goes away in the middle of its body', async (t) => {
    const { port } = await serve(t);
    const socket = await rawConnection(port);
    socket.write(
      `POST /v1/events HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer detector-secret\r\n` +
        'Content-Type: application/json\r\nContent-Length: 1000\r\n\r\n{"source":',
    );
    socket.destroy();
    assert.equal((await plainRequest(port, '/v1/health')).status, 200);
  });
});

describe('TLS', () => {
  it('serves with its certificate, and with a new one after a reload', async (t) => {
    const { server, port } = await serve(t, { tls: tlsOf('server') });
    const trusting = { host: '127.0.0.1', port, path: '/v1/health' };
    assert.equal((await tlsRequest({ ...trusting, ca: cert('ca') })).status, 200);
    await assert.rejects(tlsRequest(trusting), { code: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE' });

    const seen = deferred<string>();
    await server.reloadTls(tlsOf('server-renewed'));
    const checkServerIdentity = (_host: string, { raw }: { raw: Buffer }): undefined => {
      seen.resolve(raw.toString('base64'));
      return undefined;
    };
    await tlsRequest({ ...trusting, ca: cert('ca'), checkServerIdentity });
    const renewed = cert('server-renewed')
      .toString()
      .replace(/-----[^-]+-----|\s/g, '');
    assert.equal(await seen.promise, renewed);
  });

  it('keeps the old certificate when the new one is unusable, and says which file', async (t) => {
    const { server, port } = await serve(t, { tls: tlsOf('server') });
    const mismatch = { certPath: certPath('server'), keyPath: certPath('client-fnm.key'), caPath: undefined };
    await assert.rejects(server.reloadTls(mismatch), /client-fnm\.key\.pem.* cannot be used for TLS/);
    await assert.rejects(server.reloadTls(tlsOf('missing')), /missing/);
    assert.equal(
      (await tlsRequest({ host: '127.0.0.1', port, path: '/v1/health', ca: cert('ca') })).status,
      200,
    );
  });

  it('offers TLS 1.2 only with forward secrecy and authenticated encryption', async (t) => {
    const { port } = await serve(t, { tls: tlsOf('server') });
    const at = {
      host: '127.0.0.1',
      port,
      path: '/v1/health',
      ca: cert('ca'),
      maxVersion: 'TLSv1.2',
    } as const;
    assert.equal((await tlsRequest(at)).status, 200);
    for (const ciphers of [
      'AES128-GCM-SHA256',
      'AES256-SHA',
      'ECDHE-ECDSA-AES128-SHA:ECDHE-RSA-AES128-SHA256',
      'kDHE',
    ]) {
      await assert.rejects(tlsRequest({ ...at, ciphers }), ciphers);
    }
    await assert.rejects(tlsRequest({ ...at, minVersion: 'TLSv1', maxVersion: 'TLSv1.1' }));
  });

  it('refuses to start with a certificate that cannot be read', async () => {
    const { deps } = await world({ tls: tlsOf('missing') });
    await assert.rejects(createServer(deps), /missing\.pem/);
  });
});

describe('mTLS', () => {
  const roles = new Map([['fnm', 'detector' as const]]);
  const serveMtls = (t: TestContext, map: ReadonlyMap<string, 'detector'> | undefined) =>
    serve(t, { tls: tlsOf('server', certPath('ca')), auth: () => ({ mode: 'mtls', roles: map }) });
  const ask = (port: number, path: string, client?: string) =>
    tlsRequest({
      host: '127.0.0.1',
      port,
      path,
      ca: cert('ca'),
      ...(client === undefined ? {} : { cert: cert(client), key: cert(`${client}.key`) }),
    });

  it('knows the caller by the CN and gives it the role of the map', async (t) => {
    const { port } = await serveMtls(t, roles);
    assert.equal((await ask(port, '/metrics', 'client-fnm')).status, 200);
    assert.equal((await ask(port, '/v1/peers', 'client-fnm')).status, 403);
  });

  it('makes everybody admin when there is no map', async (t) => {
    const { port } = await serveMtls(t, undefined);
    assert.equal((await ask(port, '/v1/peers', 'client-fnm')).status, 200);
  });

  it('refuses a CN that the map does not name, and a certificate without CN', async (t) => {
    const { port } = await serveMtls(t, new Map());
    assert.equal((await ask(port, '/metrics', 'client-fnm')).status, 403);
    assert.equal((await ask(port, '/metrics', 'client-nobody')).status, 403);
  });

  it('hangs up on clients without certificate, with an expired one, or with one of a foreign CA', async (t) => {
    const { port } = await serveMtls(t, undefined);
    for (const client of [undefined, 'client-expired', 'client-foreign']) {
      await assert.rejects(ask(port, '/v1/health', client), `${client}`);
    }
    assert.equal((await ask(port, '/v1/health', 'client-fnm')).status, 200);
  });
});
