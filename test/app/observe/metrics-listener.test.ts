import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { listenForScrapes, type ScrapeListener } from '../../../src/app/observe/metrics-listener.ts';
import { LIMITS } from '../../../src/http/http-listener.ts';
import { plainRequest, rawConnection, rawExchange, readToEnd, within } from '../../http/sockets.ts';
import { MemoryLog } from '../../http/support.ts';

async function listen(t: TestContext): Promise<ScrapeListener> {
  const listener = await listenForScrapes({
    address: { host: '127.0.0.1', port: 0 },
    metrics: async () => ({ contentType: 'text/plain', body: 'prefixd_build_info 1\n' }),
    logger: new MemoryLog(),
    limits: { ...LIMITS, connections: 8, reserve: 0, perTrustedNetwork: 4, firstByte: 500 },
  });
  t.after(() => listener.close());
  return listener;
}

describe('the listener for scrapes', () => {
  it('answers /metrics, by its address or as localhost, and nothing else', async (t) => {
    const { port } = await listen(t);
    for (const host of [`127.0.0.1:${port}`, 'localhost']) {
      const { status, body } = await plainRequest(port, '/metrics', { host });
      assert.deepEqual([status, body], [200, 'prefixd_build_info 1\n']);
    }
    assert.equal((await plainRequest(port, '/v1/peers')).status, 404);
  });

  it('answers no page of a browser, under whatever name its own server has', async (t) => {
    const { port } = await listen(t);
    assert.equal((await plainRequest(port, '/metrics', { host: 'evil.example' })).status, 403);
    const origin = 'https://evil.example';
    assert.equal((await plainRequest(port, '/metrics', { host: '127.0.0.1', origin })).status, 403);
    const two = 'GET /metrics HTTP/1.1\r\nHost: a\r\nHost: b\r\nConnection: close\r\n\r\n';
    assert.match(await rawExchange(port, two), /^HTTP\/1\.1 400 /);
  });

  it('keeps answering beside many silent connections, and destroys them', async (t) => {
    const { port } = await listen(t);
    const ends = Array.from({ length: 40 }, async () => readToEnd(await rawConnection(port)));
    assert.equal((await plainRequest(port, '/metrics')).status, 200);
    await within(Promise.all(ends), 'the silent ones to be destroyed');
  });
});
