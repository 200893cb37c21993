/** Connections over real sockets: limits for silent, slow and many clients. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { describe, it, type TestContext } from 'node:test';
import { connect as connectTls } from 'node:tls';
import { fileURLToPath } from 'node:url';
import { buildApi } from '../../src/http/api.ts';
import type { ClientConnections } from '../../src/http/client-connections.ts';
import type { HttpDependencies } from '../../src/http/dependencies.ts';
import { LIMITS, type ListenerLimits, loadTls } from '../../src/http/http-listener.ts';
import { createServer } from '../../src/http/server.ts';
import { neverOverloaded } from '../support/overload.ts';
import { deferred, plainRequest, rawConnection, readToEnd, tlsRequest, within } from './sockets.ts';
import { bearer, type MemoryLog, world } from './support.ts';

const certPath = (name: string): string => fileURLToPath(new URL(`certs/${name}.pem`, import.meta.url));
const TLS = { certPath: certPath('server'), keyPath: certPath('server.key'), caPath: undefined };

interface Served {
  readonly port: number;
  readonly connections: ClientConnections;
  readonly log: MemoryLog;
}

async function serve(
  t: TestContext,
  limits: Partial<ListenerLimits>,
  changes: Partial<HttpDependencies> = {},
  tls = false,
): Promise<Served> {
  const { deps, log } = await world(changes);
  const material = tls ? await loadTls(TLS) : undefined;
  const { app, feed, connections } = await buildApi(deps, material, neverOverloaded(), {
    ...LIMITS,
    ...limits,
  });
  t.after(async () => {
    feed.close();
    connections.close();
    await app.close();
  });
  await app.listen({ host: '127.0.0.1', port: 0 });
  const address = app.server.address();
  assert.ok(address !== null && typeof address === 'object');
  return { port: address.port, connections, log };
}

/** Opens connections that send nothing. */
async function silent(t: TestContext, port: number, count: number): Promise<readonly Socket[]> {
  const sockets = await Promise.all(Array.from({ length: count }, () => rawConnection(port)));
  for (const socket of sockets) socket.on('error', () => undefined).resume();
  t.after(() => {
    for (const socket of sockets) socket.destroy();
  });
  return sockets;
}

const gone = (sockets: readonly Socket[]): Promise<unknown> =>
  within(
    Promise.all(sockets.map((socket) => socket.closed || closed(socket))),
    'silent connections to be destroyed',
  );

function closed(socket: Socket): Promise<void> {
  return new Promise((resolve) => socket.once('close', () => resolve()));
}

const HEALTH = 'GET /v1/health HTTP/1.1\r\nHost: x\r\n';

describe('silent connections', () => {
  it('do not lock out the health, however many they are, and are destroyed in their time', async (t) => {
    const { port, connections, log } = await serve(t, {
      connections: 200,
      reserve: 20,
      perNetwork: 100,
      perTrustedNetwork: 150,
      firstByte: 4_000,
    });
    const sockets = await silent(t, port, 500);
    for (let i = 0; i < 20; i++) assert.equal((await plainRequest(port, '/v1/health')).status, 200);
    await gone(sockets);
    const { states, closed: closures } = connections.figures;
    assert.equal(closures.evicted + closures.first_byte, 500);
    assert.ok(closures.evicted > 0, 'some made room');
    assert.ok(closures.first_byte > 0, 'some were too slow');
    assert.equal(states.first_byte, 0);
    const lines = log.lines.filter(({ message }) => message.startsWith('too many HTTP connections'));
    assert.ok(lines.length === 1 || lines.length === 2, `${lines.length} lines for hundreds of connections`);
  });

  it('end also when they never read what they are told, and never close themselves', async (t) => {
    const { port } = await serve(t, { headers: 100, request: 200, checkInterval: 50, closing: 100 });
    const socket = connect({ host: '127.0.0.1', port, allowHalfOpen: true });
    t.after(() => socket.destroy());
    socket.on('error', () => undefined);
    socket.write(HEALTH);
    const heard = readToEnd(socket);
    // With allowHalfOpen the server's FIN is not answered: only a reset or our own end closes the socket.
    const trickle = setInterval(() => socket.write('X-Slow: 1\r\n'), 50);
    t.after(() => clearInterval(trickle));
    assert.match(await within(heard, 'the server to destroy it'), /^HTTP\/1\.1 408 /);
  });

  it('end in the middle of a TLS handshake', async (t) => {
    const { port, connections } = await serve(t, { handshake: 300 }, {}, true);
    const sockets = await silent(t, port, 20);
    const ask = { host: '127.0.0.1', port, path: '/v1/health', ca: readFileSync(certPath('ca')) };
    assert.equal((await tlsRequest(ask)).status, 200);
    await gone(sockets);
    assert.equal(connections.figures.closed.handshake, 20);
  });

  it('end after the handshake, before the first request', async (t) => {
    const { port, connections } = await serve(t, { firstByte: 300 }, {}, true);
    const socket = connectTls({
      host: '127.0.0.1',
      port,
      ca: readFileSync(certPath('ca')),
      servername: 'localhost',
      checkServerIdentity: () => undefined,
    });
    await within(readToEnd(socket), 'the server to hang up');
    assert.equal(connections.figures.closed.first_byte, 1);
  });

  it('do not keep the server from closing', async (t) => {
    const { deps } = await world();
    const server = await createServer(deps);
    const { port } = await server.listen({ host: '127.0.0.1', port: 0 });
    await silent(t, port, 10);
    await within(server.close(60_000), 'the server to close long before its time to drain');
  });
});

describe('a connection whose caller is let in', () => {
  it('is not closed to make room while its answer is being made', async (t) => {
    const [asked, answer] = [deferred<void>(), deferred<{ contentType: string; body: string }>()];
    const metrics = () => {
      asked.resolve();
      return answer.promise;
    };
    const limits = { connections: 8, reserve: 2, perNetwork: 4, perTrustedNetwork: 4 };
    const { port } = await serve(t, limits, { metrics });
    const slow = plainRequest(port, '/metrics', bearer('viewer'));
    await within(asked.promise, 'the request to arrive');
    await silent(t, port, 40);
    answer.resolve({ contentType: 'text/plain', body: 'late' });
    assert.equal((await slow).body, 'late');
  });
});

describe('an answer that nobody reads', () => {
  it('is given up', async (t) => {
    const body = 'x'.repeat(32 * 1024 * 1024);
    const metrics = async () => ({ contentType: 'text/plain', body });
    const { port, connections } = await serve(t, { stalled: 500 }, { metrics });
    const socket = await rawConnection(port);
    t.after(() => socket.destroy());
    socket.on('error', () => undefined);
    socket.pause();
    socket.write(
      `GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: ${bearer('viewer').authorization}\r\n\r\n`,
    );
    const end = performance.now() + 15_000;
    while (connections.figures.closed.stalled === 0) {
      assert.ok(performance.now() < end, 'it was never given up');
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    assert.equal(connections.figures.states.request, 0);
  });
});

describe('two Host headers', () => {
  it('are answered 400, whatever the path', async (t) => {
    const { port } = await serve(t, {});
    for (const path of ['/v1/health', '/v1/peers', '/nowhere']) {
      const socket = await rawConnection(port);
      socket.write(`GET ${path} HTTP/1.1\r\nHost: a\r\nhOST: b\r\nConnection: close\r\n\r\n`);
      assert.match(await within(readToEnd(socket), 'an answer'), /^HTTP\/1\.1 400 [\s\S]*more than one Host/);
    }
  });
});
