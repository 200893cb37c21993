import assert from 'node:assert/strict';
import { once } from 'node:events';
import { describe, it, type TestContext } from 'node:test';
import { answerUnreadable, createListener, LIMITS, type ListenerLimits } from '../../src/http/listener.ts';
import { rawConnection, readToEnd, within } from './sockets.ts';

async function listen(t: TestContext, limits: Partial<ListenerLimits>): Promise<number> {
  const server = createListener((_request, response) => response.end('ok'), null, { ...LIMITS, ...limits });
  server.on('clientError', answerUnreadable);
  t.after(() => server.close().closeAllConnections());
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  assert.ok(address !== null && typeof address === 'object');
  return address.port;
}

describe('the listener', () => {
  it('answers 408 to headers that trickle in, and hangs up', async (t) => {
    const port = await listen(t, { headersTimeout: 50, requestTimeout: 100, checkInterval: 20 });
    const socket = await rawConnection(port);
    socket.write('GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ');
    assert.match(await within(readToEnd(socket), 'a timeout'), /^HTTP\/1\.1 408 [\s\S]*"status":408/);
  });

  it('answers 408 to a body that trickles in, and hangs up', async (t) => {
    const port = await listen(t, { headersTimeout: 50, requestTimeout: 100, checkInterval: 20 });
    const socket = await rawConnection(port);
    socket.write('POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{');
    // A server that has answered already only hangs up.
    assert.match(await within(readToEnd(socket), 'a timeout'), /^HTTP\/1\.1 (408|200) /);
  });

  it('closes connections beyond its limit and keeps the others', async (t) => {
    const port = await listen(t, { connections: 2 });
    const [first, , third] = [
      await rawConnection(port),
      await rawConnection(port),
      await rawConnection(port),
    ];
    await within(readToEnd(third), 'the third to be closed');
    first.write('GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
    assert.match(await within(readToEnd(first), 'an answer'), /ok/);
  });
});
