/** A daemon, a scrubber that is slow and fails before it accepts, and restarts in between. */
import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import type { ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { pino } from 'pino';
import { request } from 'undici';
import { type Daemon, startDaemon } from '../../src/app/daemon.ts';
import { formatProblem } from '../../src/config/config-problem.ts';
import { defaultConfig } from '../../src/config/default.ts';
import { server } from '../alert/support.ts';
import { until } from '../support/children.ts';
import { neverOverloaded } from '../support/overload.ts';

const TOKEN = 'tok-3c5f0aa1-never-shown';
const KEY = 'key-77d1e2b0-never-shown';

interface Place {
  readonly folder: string;
  readonly scrubber: string;
  readonly mode?: 'mock';
}

/** Starts a daemon whose neighbor is not there: nothing here depends on a session. */
async function start(
  t: TestContext,
  { folder, scrubber, mode }: Place,
): Promise<{ daemon: Daemon; lines: string[] }> {
  const result = await defaultConfig({
    folder,
    environment: { CLOUD_TOKEN: TOKEN, CLOUD_KEY: KEY },
    settings: {
      http: { listen: '127.0.0.1:0' },
      bgp: {
        local_asn: 65010,
        router_id: '192.0.2.10',
        ...(mode === undefined ? {} : { mode }),
        neighbors: [
          { name: 'edge1', address: '127.0.0.1', port: 9, peer_asn: 65001, announce: ['flowspec', 'divert'] },
        ],
      },
      storage: { path: 'data' },
      observability: { audit_log_path: 'data/audit.jsonl', log_level: 'trace' },
      shutdown: { drain_timeout_seconds: 2 },
      scrubbers: [
        {
          name: 'cloud',
          divert: { next_hop_v4: '192.0.2.51' },
          requests: {
            stop_delay_seconds: 0,
            auth: { bearer_env: 'CLOUD_TOKEN', header: 'X-Api-Key', value_env: 'CLOUD_KEY' },
            start: {
              url: `${scrubber}/v1/protect?zone=7`,
              headers: { 'X-Zone': 'seven' },
              body: { prefix: '{prefix}', customer: '{customer_id}', id: '{mitigation_id}' },
            },
            stop: { url: `${scrubber}/v1/protect/{mitigation_id}/{prefix}` },
          },
        },
      ],
    },
  });
  assert.ok(result.ok, result.ok ? '' : result.problems.map(formatProblem).join('\n'));
  const lines: string[] = [];
  const daemon = await startDaemon({
    config: result.config,
    logger: pino({ level: 'trace' }, { write: (line: string) => lines.push(line) }),
    watchOverload: neverOverloaded,
  });
  t.after(() => daemon.stop());
  return { daemon, lines };
}

async function call(daemon: Daemon, path: string, body?: unknown) {
  const answer = await request(`http://${daemon.http.host}:${daemon.http.port}${path}`, {
    method: body === undefined ? 'GET' : 'POST',
    ...(body === undefined
      ? {}
      : { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
  });
  return answer.body.text();
}

const DIVERT = {
  victim_ip: '203.0.113.77',
  action_type: 'divert',
  to: 'cloud',
  ttl_seconds: 600,
  operator_id: 'kim',
  reason: 'test',
};

async function protections(daemon: Daemon) {
  return JSON.parse(await call(daemon, '/v1/scrubbers')).protections;
}

async function newFolder(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'prefixd-cloud-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

describe('a cloud scrubber', () => {
  it('that is slow and fails before it accepts protects a prefix once, across restarts, until the mitigation ends', async (t) => {
    const folder = await newFolder(t);
    // Fails twice, hangs until the daemon is gone, accepts; fails once to stop, and then has stopped already.
    const codes = [503, 502, undefined, 201, 500, 404];
    const cloud = await server(t, (response: ServerResponse, count) => {
      const code = codes[count - 1];
      const answer = (): unknown => response.writeHead(code ?? 200).end(`token ${TOKEN}, key ${KEY}`);
      if (code !== undefined) setTimeout(answer, 50);
    });
    const first = await start(t, { folder, scrubber: cloud.url });
    const { mitigation_id: id } = JSON.parse(await call(first.daemon, '/v1/mitigations', DIVERT));
    const requested = await until('the third attempt', async () => {
      const [one] = await protections(first.daemon);
      return cloud.received.length === 3 && one;
    });
    assert.deepEqual(
      [requested.state, requested.request, requested.attempts, requested.mitigation_id],
      ['requested', 'start', 2, id],
    );
    assert.equal(requested.last_error, 'HTTP 502: token [secret], key [secret]');
    const shown = JSON.parse(await call(first.daemon, `/v1/mitigations/${id}`));
    assert.equal(shown.protection.state, 'requested', 'requested is not confirmed');
    await first.daemon.stop();

    const second = await start(t, { folder, scrubber: cloud.url });
    await until('confirmation', async () => (await protections(second.daemon))[0]?.state === 'confirmed');
    const [one, ...others] = cloud.received.slice(0, 4);
    assert.deepEqual([one?.method, one?.path], ['POST', '/v1/protect?zone=7']);
    assert.deepEqual(JSON.parse(one?.body ?? ''), { prefix: '203.0.113.77/32', customer: 'acme', id });
    const { headers = {} } = one ?? {};
    assert.deepEqual(
      [headers.authorization, headers['x-api-key'], headers['x-zone'], headers['content-type']],
      [`Bearer ${TOKEN}`, KEY, 'seven', 'application/json'],
    );
    for (const other of others) assert.deepEqual([other.path, other.body], [one?.path, one?.body]);

    const views = [
      '/v1/scrubbers',
      '/v1/config',
      '/metrics',
      `/v1/mitigations/${id}`,
      '/v1/audit',
      '/v1/health/detail',
    ];
    const texts = await Promise.all(views.map((path) => call(second.daemon, path)));
    assert.match(texts[2] ?? '', /^prefixd_scrubber_protections\{scrubber="cloud",state="confirmed"\} 1$/m);
    assert.match(
      texts[2] ?? '',
      /^prefixd_scrubber_requests_total\{scrubber="cloud",request="start",result="accepted"\} 1$/m,
    );

    await call(second.daemon, `/v1/mitigations/${id}/withdraw`, { operator_id: 'kim', reason: 'over' });
    await until('the stop', async () => (await protections(second.daemon)).length === 0);
    assert.equal(cloud.received.length, 6);
    for (const { method, path } of cloud.received.slice(4)) {
      assert.deepEqual([method, path], ['DELETE', `/v1/protect/${id}/203.0.113.77%2F32`]);
    }
    await second.daemon.stop();
    const kept = await Promise.all(
      ['audit.jsonl', 'scrubber-requests.json'].map((name) => readFile(join(folder, 'data', name), 'utf8')),
    );
    const all = [...texts, ...kept, ...first.lines, ...second.lines].join('\n');
    assert.ok(all.includes('a scrubber has accepted the stop'), 'the log was kept');
    for (const secret of [TOKEN, KEY, 'zone=7', 'seven'])
      assert.ok(!all.includes(secret), `${secret} is shown`);
  });

  it('is asked for nothing in mode mock', async (t) => {
    const cloud = await server(t, (response) => response.end());
    const { daemon } = await start(t, { folder: await newFolder(t), scrubber: cloud.url, mode: 'mock' });
    const { protection } = JSON.parse(await call(daemon, '/v1/mitigations', DIVERT));
    assert.equal(protection, null);
    await daemon.stop();
    assert.deepEqual(cloud.received, []);
  });
});
