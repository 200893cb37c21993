/** Makes samples of /metrics for tests of rules and dashboards. */
import assert from 'node:assert/strict';
import { pino } from 'pino';
import { request } from 'undici';
import { defaultConfig } from '../../src/config/default.ts';
import { startDaemon } from '../../src/app/daemon.ts';
import { Metrics } from '../../src/app/observe/metrics.ts';
import type { ExchangeView } from '../../src/exchange/types.ts';
import { NO_TARGETS } from '../../src/core/policy/scrubbers.ts';
import { mitigation, world } from '../http/support.ts';
import { neverOverloaded } from './overload.ts';

/** /metrics of a daemon that has mitigated one attack and refused another. */
export async function daemonMetrics(folder: string): Promise<string> {
  const result = await defaultConfig({
    folder,
    // Nobody listens there, which hinders nothing.
    environment: { PREFIXD_DATABASE_URL: 'postgresql://prefixd@127.0.0.1:1/prefixd' },
    settings: {
      exchange: { url_env: 'PREFIXD_DATABASE_URL', accept: ['fra'] },
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

/** A journal in a database that has seen everything. */
const DATABASE = {
  trouble: () => undefined,
  counts: { reconnects: 2, found: 1, repeated: 3, refused: 4, rewritten: 10 },
};

/** An exchange with a POP that is heard of. */
const EXCHANGE: ExchangeView = {
  condition: { state: 'connected', since: 0, problem: undefined },
  importFailure: undefined,
  pops: () => [
    {
      name: 'fra',
      isSelf: false,
      isAccepted: true,
      lagMs: 400,
      heartbeat: undefined,
      imported: 2,
      unreadable: 0,
    },
  ],
  elsewhere: () => [],
  openRequests: () => [],
  nextRequest: () => ({ pop: 'iad1', epoch: 1, n: 1 }),
  ask: () => Promise.resolve([]),
};

/** Returns /metrics with the series that exist only after their first count. */
export async function everySeries(): Promise<string> {
  const { engine, reconciler, announcer, deps } = await world();
  const probe = {
    url: 'http://192.0.2.9/',
    intervalSeconds: 10,
    timeoutSeconds: 3,
    failures: 3,
    successes: 2,
  };
  const fra = { name: 'fra', redirect: {}, maxDiverted: 10, probe };
  engine.policy = { ...engine.policy, targets: { ...NO_TARGETS, scrubbers: new Map([['fra', fra]]) } };
  const metrics = new Metrics({
    engine,
    reconciler,
    announcer,
    clock: deps.clock,
    version: '1.2.3',
    assess: () => ({ status: 'ok', reasons: [] }),
    database: DATABASE,
    exchange: EXCHANGE,
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
    alerts: () => [
      {
        name: 'slack',
        type: 'slack',
        events: [],
        customers: undefined,
        minSeverity: 'info',
        digestSeconds: undefined,
        waiting: 2,
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
  metrics.onWebhook('kentik', 'events');
  metrics.onInventoryRead('unchanged');
  metrics.onAppended(1, 2);
  metrics.onImported(20);
  metrics.onPublished(1);
  engine.record({
    type: 'import.refused',
    origin: { pop: 'fra', epoch: 1, n: 1 },
    mitigationId: mitigation().id,
    victim: '203.0.113.10',
    vector: 'udp_flood',
    reason: 'quota_imported',
    detail: 'too many',
  });
  metrics.onRequest({ method: 'GET', route: '/v1/health', status: 200, seconds: 0.001 });
  const { body } = await metrics.scrape();
  metrics.stop();
  return body;
}
