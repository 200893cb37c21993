import assert from 'node:assert/strict';
import { once } from 'node:events';
import { describe, it, type TestContext } from 'node:test';
import { ClientConnections } from '../../src/http/client-connections.ts';
import { createListener, LIMITS, type ListenerLimits } from '../../src/http/http-listener.ts';
import { MemoryLog } from './support.ts';
import { rawConnection, readToEnd, within } from './sockets.ts';

async function listen(t: TestContext, limits: Partial<ListenerLimits>): Promise<number> {
  const all = { ...LIMITS, ...limits };
  const server = createListener((_request, response) => response.end('ok'), undefined, all);
  const options = { limits: all, logger: new MemoryLog(), listener: 'test', sweepMs: 20 };
  const connections = new ClientConnections(server, options);
  server.on('clientError', (error, socket) => connections.unreadable(error, socket));
  t.after(() => {
    server.close();
    connections.close();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  assert.ok(address !== null && typeof address === 'object');
  return address.port;
}

describe('the listener', () => {
  it('answers 408 to headers that trickle in, and hangs up', async (t) => {
    const port = await listen(t, { headers: 50, request: 100, checkInterval: 20 });
    const socket = await rawConnection(port);
    socket.write('GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ');
    assert.match(await within(readToEnd(socket), 'a timeout'), /^HTTP\/1\.1 408 [\s\S]*"status":408/);
  });

  it('answers 408 to a body that trickles in, and hangs up', async (t) => {
    const port = await listen(t, { headers: 50, request: 100, checkInterval: 20 });
    const socket = await rawConnection(port);
    socket.write('POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{');
    // A server that has already answered only closes the connection.
    assert.match(await within(readToEnd(socket), 'a timeout'), /^HTTP\/1\.1 (408|200) /);
  });

  it('makes room beyond its limit by closing the connection that has asked nothing for longest', async (t) => {
    const port = await listen(t, { connections: 2, reserve: 0 });
    const first = await rawConnection(port);
    const second = await rawConnection(port);
    const third = await rawConnection(port);
    await within(readToEnd(first), 'the first to be closed');
    for (const socket of [second, third]) {
      socket.write('GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
      assert.match(await within(readToEnd(socket), 'an answer'), /ok/);
    }
  });
});
