/** Makes samples of /metrics for tests of rules and dashboards. */
import assert from 'node:assert/strict';
import { pino } from 'pino';
import { request } from 'undici';
import { defaultConfig } from '../../src/config/default.ts';
import { startDaemon } from '../../src/app/daemon.ts';
import { Metrics } from '../../src/app/observe/metrics.ts';
import { mitigation, world } from '../http/support.ts';
import { neverOverloaded } from './overload.ts';

/** /metrics of a daemon that has mitigated one attack and refused another. */
export async function daemonMetrics(folder: string): Promise<string> {
  const result = await defaultConfig({
    folder,
    settings: {
      http: { listen: '127.0.0.1:0' },
      bgp: {
        mode: 'mock',
        local_asn: 65010,
        router_id: '192.0.2.10',
        neighbors: [{ name: 'edge1', address: '192.0.2.1', peer_asn: 65001 }],
      },
      storage: { path: 'data' },
      observability: { audit_log_path: 'data/audit.jsonl' },
    },
  });
  assert.ok(result.ok);
  const daemon = await startDaemon({
    config: result.config,
    logger: pino({ level: 'silent' }),
    watchOverload: neverOverloaded,
  });
  try {
    const base = `http://127.0.0.1:${daemon.http.port}`;
    for (const victim of ['203.0.113.77', '192.0.2.200']) {
      const { body } = await request(`${base}/v1/events`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ source: 'test', victim_ip: victim, vector: 'udp_flood', confidence: 0.9 }),
      });
      await body.dump();
    }
    return await (await request(`${base}/metrics`)).body.text();
  } finally {
    await daemon.stop();
  }
}

/** Returns /metrics with the series that exist only after their first count. */
export async function everySeries(): Promise<string> {
  const { engine, reconciler, announcer, deps } = await world();
  const metrics = new Metrics({
    engine,
    reconciler,
    announcer,
    clock: deps.clock,
    version: '1.2.3',
    assess: () => ({ status: 'ok', reasons: [] }),
    protections: () => [
      {
        scrubber: 'fra',
        prefix: '203.0.113.10/32',
        mitigationId: mitigation().id,
        state: 'failed',
        request: 'start',
        since: 0,
        attempts: 5,
      },
    ],
    source: () => ({
      source: 'netbox',
      from: 'https://netbox.example.net',
      copy: {
        digest: 'sha256:0',
        readAt: 0,
        apiVersion: '4.6',
        size: { customers: 1, prefixes: 2, assets: 3, safelist: 0 },
        notes: [],
      },
      lastSuccessAt: 0,
      nextReadAt: 0,
      reading: undefined,
      failure: undefined,
      waiting: undefined,
    }),
  });
  const action = { type: 'divert', rateBps: null, scrubber: 'fra' } as const;
  engine.record({ type: 'mitigation.created', mitigation: mitigation({ action }) });
  metrics.onAlert('slack', 'delivered');
  metrics.onScrubberRequest('fra', 'start', 'accepted');
  metrics.onInventoryRead('unchanged');
  metrics.onAppended(1, 2);
  metrics.onRequest({ method: 'GET', route: '/v1/health', status: 200, seconds: 0.001 });
  const { body } = await metrics.scrape();
  metrics.stop();
  return body;
}
