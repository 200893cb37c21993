/** A whole daemon with destinations of alerts: routing, digests, tests, records over a reload, metrics and secrets. */
import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { pino } from 'pino';
import { request } from 'undici';
import { startDaemon } from '../../src/app/daemon.ts';
import { defaultConfig } from '../../src/config/default.ts';
import { server } from '../alert/support.ts';
import { PATIENCE_MS, until } from '../support/children.ts';
import { neverOverloaded } from '../support/overload.ts';

const SECRET = 'hooks-never-shown';

async function configOf(folder: string, url: string, name: string) {
  const result = await defaultConfig({
    folder,
    environment: { NOC: `${url}/slack/${SECRET}`, DIGEST: `${url}/digest/${SECRET}` },
    settings: {
      http: { listen: '127.0.0.1:0' },
      bgp: { mode: 'mock', neighbors: [{ name: 'edge1', address: '127.0.0.1', port: 9, peer_asn: 65001 }] },
      storage: { path: 'data' },
      observability: { audit_log_path: 'data/audit.jsonl', log_level: 'trace' },
      shutdown: { drain_timeout_seconds: 2 },
      alerting: {
        allow_private_addresses: true,
        destinations: [
          { type: 'slack', webhook_url_env: 'NOC', name, events: ['safelist.added'] },
          { type: 'slack', webhook_url_env: 'DIGEST', digest_seconds: 3600 },
        ],
        events: ['control.paused', 'control.resumed'],
      },
    },
  });
  assert.ok(result.ok, result.ok ? '' : JSON.stringify(result.problems));
  return result.config;
}

async function started(t: TestContext, url: string) {
  const folder = await mkdtemp(join(tmpdir(), 'prefixd-alerts-'));
  const lines: string[] = [];
  const daemon = await startDaemon({
    config: await configOf(folder, url, 'noc'),
    logger: pino({ level: 'trace' }, { write: (line: string) => lines.push(line) }),
    watchOverload: neverOverloaded,
    load: async () => ({ ok: true, config: await configOf(folder, url, 'noc'), warnings: [] }),
  });
  t.after(async () => {
    await daemon.stop();
    await rm(folder, { recursive: true, force: true });
  });
  const call = async (path: string, body?: unknown) => {
    const answer = await request(`http://127.0.0.1:${daemon.http.port}${path}`, {
      method: body === undefined ? 'GET' : 'POST',
      headers: { 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    return answer.body.text();
  };
  return { daemon, folder, lines, call };
}

const BY = { operator_id: 'kim', reason: 'test' };

test('alerts go by their rules, tests are answered and audited, and a stop sends what was gathered', {
  timeout: PATIENCE_MS,
}, async (t) => {
  const { url, received } = await server(t, (response) => response.end(`ok ${SECRET}`));
  const { daemon, folder, lines, call } = await started(t, url);
  const of = (path: string): readonly string[] =>
    received.filter((one) => one.path.startsWith(path)).map(({ body }) => JSON.parse(body).text);

  const trial = await call('/v1/alerts/noc/test', { operator_id: 'kim' });
  assert.deepEqual(JSON.parse(trial), {
    name: 'noc',
    type: 'slack',
    delivered: true,
    answers: [{ request: 'message', delivered: true, status: 200, detail: 'ok [secret]' }],
  });
  assert.match(
    of('/slack')[0] ?? '',
    /^:information_source: \*\[test\] This is a test message .* sent by kim/,
  );

  await call('/v1/safelist', { ...BY, prefix: '203.0.113.53/32' });
  for (const what of ['pause', 'resume', 'pause', 'resume']) await call(`/v1/control/${what}`, BY);
  await until('the alert about the safelist', async () => of('/slack').length === 2);
  const listed = JSON.parse(await call('/v1/alerts')).destinations;
  assert.deepEqual(
    listed.map((one: Record<string, unknown>) => [one.name, one.events, one.waiting, one.delivered]),
    [
      ['noc', ['safelist.added'], 0, 1],
      ['slack-2', ['control.paused', 'control.resumed'], 4, 0],
    ],
  );
  const metrics = await call('/metrics');
  assert.match(metrics, /^prefixd_alerts_waiting\{destination="slack-2"\} 4$/m);
  assert.match(metrics, /^prefixd_alerts_sent_total\{destination="noc",outcome="delivered"\} 1$/m);

  await call('/v1/config/reload', {});
  await until('the digest of the old configuration', async () => of('/digest').length === 1);
  assert.equal(of('/digest')[0]?.match(/Announcements (paused|resumed) by kim/g)?.length, 4);
  await until('its record', async () => {
    const [, digest] = JSON.parse(await call('/v1/alerts')).destinations;
    return digest.delivered === 4 && digest.last_delivered_at !== null;
  });

  await daemon.stop();
  const audit = await readFile(join(folder, 'data/audit.jsonl'), 'utf8');
  const entry = audit
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line))
    .find(({ action }) => action === 'alert.tested');
  assert.deepEqual(
    [entry.actor.name, entry.target, entry.reason],
    ['kim', { type: 'alert', id: 'noc' }, 'delivered'],
  );
  for (const text of [trial, JSON.stringify(listed), metrics, audit, ...lines]) {
    assert.ok(!text.includes(SECRET), text);
  }
});
