import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { createMetricsListener } from '../../src/http/metrics-listener.ts';
import { plainRequest } from './sockets.ts';
import { MemoryLog } from './support.ts';

async function listen(t: TestContext, body: () => string) {
  const log = new MemoryLog();
  const listener = createMetricsListener(
    async () => ({ contentType: 'text/plain; version=0.0.4', body: body() }),
    log,
  );
  t.after(() => listener.close());
  const { port } = await listener.listen({ host: '127.0.0.1', port: 0 });
  return { listener, port, log };
}

describe('the listener for metrics alone', () => {
  it('answers /metrics without credentials, and nothing else', async (t) => {
    const { port } = await listen(t, () => 'up 1\n');
    const metrics = await plainRequest(port, '/metrics?x=1');
    assert.deepEqual([metrics.status, metrics.body], [200, 'up 1\n']);
    assert.equal(metrics.headers['content-type'], 'text/plain; version=0.0.4');
    for (const path of ['/', '/v1/mitigations', '/metrics/']) {
      assert.equal((await plainRequest(port, path)).status, 404);
    }
  });

  it('answers 500 when metrics cannot be read, and logs why', async (t) => {
    const { port, log } = await listen(t, () => {
      throw new Error('broken');
    });
    assert.equal((await plainRequest(port, '/metrics')).status, 500);
    assert.equal(log.lines[0]?.level, 'error');
  });

  it('rejects with the code of the system when the port is taken', async (t) => {
    const { port } = await listen(t, () => '');
    const second = createMetricsListener(async () => ({ contentType: '', body: '' }), new MemoryLog());
    await assert.rejects(second.listen({ host: '127.0.0.1', port }), { code: 'EADDRINUSE' });
  });
});
