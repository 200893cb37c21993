/** A whole daemon notices that a scrubber has died, and its router has a rule at every moment. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { pino } from 'pino';
import { request } from 'undici';
import { startDaemon } from '../../src/app/daemon.ts';
import { defaultConfig } from '../../src/config/default.ts';
import { LabRouter } from '../../src/lab/router.ts';
import { until } from '../support/children.ts';
import { neverOverloaded } from '../support/overload.ts';
import { undo } from '../support/undo.ts';

const PLAYBOOKS = `playbooks:
  - name: udp
    match: { vector: udp_flood }
    steps:
      - { action: police, rate_bps: 5000000, ttl_seconds: 60 }
      - { action: redirect, to: fra, ttl_seconds: 60, require_confidence_at_least: 0.5, require_persistence_seconds: 1 }
`;

test('a daemon takes its mitigations off a scrubber that no longer answers', async (t) => {
  const scrubber = createServer((_, response) => response.end('ok'));
  scrubber.listen(0, '127.0.0.1');
  await once(scrubber, 'listening');
  const { port: probePort } = scrubber.address() as AddressInfo;
  const router = new LabRouter({ host: '127.0.0.1', port: 0, asn: 65001, routerId: '192.0.2.1' });
  const { port } = await router.start();
  undo(t, () => router.close());
  const folder = await mkdtemp(join(tmpdir(), 'prefixd-scrubber-'));
  undo(t, () => rm(folder, { recursive: true, force: true }));
  await mkdir(join(folder, 'playbooks'));
  await writeFile(join(folder, 'playbooks', 'udp.yaml'), PLAYBOOKS);
  const config = await defaultConfig({
    folder,
    playbooksIn: folder,
    settings: {
      http: { listen: '127.0.0.1:0' },
      storage: { path: 'data' },
      bgp: {
        local_asn: 65010,
        router_id: '192.0.2.10',
        neighbors: [{ name: 'lab', address: '127.0.0.1', port, peer_asn: 65001 }],
      },
      scrubbers: [
        {
          name: 'fra',
          redirect: { ipv4: '192.0.2.80' },
          probe: { url: `http://127.0.0.1:${probePort}/`, interval_seconds: 1, failures: 2, successes: 1 },
        },
      ],
    },
  });
  assert.ok(config.ok, config.ok ? '' : JSON.stringify(config.problems));
  const daemon = await startDaemon({
    config: config.config,
    logger: pino({ level: 'silent' }),
    watchOverload: neverOverloaded,
  });
  undo(t, () => daemon.stop());
  const base = `http://${daemon.http.host}:${daemon.http.port}`;
  const get = async (path: string) => JSON.parse(await (await request(`${base}${path}`)).body.text());
  const report = JSON.stringify({
    source: 'test',
    victim_ip: '203.0.113.50',
    vector: 'udp_flood',
    confidence: 0.9,
  });
  const post = async () => {
    const headers = { 'content-type': 'application/json' };
    await (await request(`${base}/v1/events`, { method: 'POST', headers, body: report })).body.dump();
  };
  const rules = () => router.rules().map(({ text }) => text.replace(/^.* then /, ''));

  await until('established', () => daemon.announcer.isEstablished('lab'));
  await until('the attack is redirected', async () => {
    await post();
    return rules().includes('redirect ip 192.0.2.80');
  });
  assert.equal((await get('/v1/scrubbers')).scrubbers[0].healthy, true);

  scrubber.closeAllConnections();
  scrubber.close();
  await until('the attack is policed again', () => rules().includes('rate-limit 5mbps'));
  assert.equal(rules().length, 1);
  const [{ healthy, unhealthy_reason: why, redirected }] = (await get('/v1/scrubbers')).scrubbers;
  assert.deepEqual([healthy, redirected], [false, 0]);
  assert.match(why, /ECONNREFUSED/);
  const { reasons } = await get('/v1/health/detail');
  assert.ok(reasons.some(({ code }: { readonly code: string }) => code === 'scrubber_down'));

  const again = createServer((_, response) => response.end('ok'));
  again.listen(probePort, '127.0.0.1');
  undo(t, () => again.close());
  await until('the attack is redirected again', async () => {
    await post();
    return rules().includes('redirect ip 192.0.2.80');
  });
});
