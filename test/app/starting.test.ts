import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { type AddressInfo, connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { after, describe, it, type TestContext } from 'node:test';
import { pino } from 'pino';
import { defaultConfig } from '../../src/config/default.ts';
import type { LoadedConfig } from '../../src/config/types.ts';
import { startDaemon } from '../../src/app/daemon.ts';
import { progressText, serveStart, Starting } from '../../src/app/serve.ts';
import type { StartingServer, TlsSettings } from '../../src/http/dependencies.ts';
import { createServer as createApi } from '../../src/http/server.ts';
import { Journal } from '../../src/store/journal/journal.ts';
import { cli } from '../cli/harness.ts';
import { tlsRequest } from '../http/sockets.ts';
import { world } from '../http/support.ts';
import { packaged } from '../packaging/files.ts';
import { start, until } from '../support/children.ts';
import { missingProgram } from '../support/daemons.ts';

const folders: string[] = [];
after(async () => {
  for (const folder of folders) await rm(folder, { recursive: true, force: true });
});

const TOKEN = 'a-token-of-32-characters-for-test';

async function configuration(listen: string): Promise<LoadedConfig> {
  const folder = await mkdtemp(join(tmpdir(), 'prefixd-starting-'));
  folders.push(folder);
  const result = await defaultConfig({
    folder,
    settings: {
      http: { listen },
      bgp: { local_asn: 65010, router_id: '192.0.2.10', neighbors: [] },
      storage: { path: 'data' },
    },
  });
  assert.ok(result.ok);
  return result.config;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Makes a start that lasts until the test ends it; it is asked with a bearer token. */
async function begun(
  t: TestContext,
  tls?: TlsSettings,
): Promise<{ base: string; port: number; starting: Starting; server: StartingServer }> {
  const port = await freePort();
  const config = await configuration(`127.0.0.1:${port}`);
  const auth = { mode: 'bearer', tokens: [{ name: 'jane', role: 'viewer', token: TOKEN }] } as const;
  const starting = new Starting(Date.now());
  const http = { ...config.http, auth, tls };
  const server = await serveStart({ ...config, http }, starting, Date.now, pino({ level: 'silent' }));
  t.after(() => server.close());
  return { base: `${tls === undefined ? 'http' : 'https'}://127.0.0.1:${port}`, port, starting, server };
}

/** Returns a JSON answer's members. */
const body = async (response: Response) => Object(await response.json());

const certificate = (name: string): string =>
  fileURLToPath(new URL(`../http/certs/${name}.pem`, import.meta.url));
const TLS: TlsSettings = {
  certPath: certificate('server'),
  keyPath: certificate('server.key'),
  caPath: undefined,
};

const withToken = { headers: { authorization: `Bearer ${TOKEN}` } };

describe('a daemon that starts', () => {
  it('says so, and how far it is, under the rules of who may ask what', async (t) => {
    const { base, starting } = await begun(t);
    const health = await fetch(`${base}/v1/health`);
    assert.equal(health.status, 200);
    const { status, ready, starting: progress } = await body(health);
    assert.deepEqual([status, ready], ['starting', false]);
    assert.deepEqual(progress, { phase: 'opening', facts_read: 0, facts_about: null });
    assert.equal((await fetch(`${base}/v1/health/detail`)).status, 401);
    starting.read(1_200_000, 3_000_000);
    const detail = await body(await fetch(`${base}/v1/health/detail`, withToken));
    assert.deepEqual(detail.starting, { phase: 'reading', facts_read: 1_200_000, facts_about: 3_000_000 });
    assert.equal(detail.reasons[0].code, 'starting');
    assert.equal(detail.problems[0], 'read 1,200,000 of about 3,000,000 journal facts');
  });

  it('answers 503 to everything else, in words and with a time to try again, and serves the dashboard', async (t) => {
    const { base } = await begun(t);
    for (const [method, path] of [
      ['POST', '/v1/events'],
      ['GET', '/v1/mitigations'],
      ['GET', '/metrics'],
      ['GET', '/v1/feed'],
    ] as const) {
      const answer = await fetch(base + path, { method });
      assert.equal(answer.status, 503, path);
      assert.equal(answer.headers.get('retry-after'), '2');
      assert.match((await body(answer)).detail, /^prefixd is starting: opening the journal; try again$/);
    }
    const page = await fetch(`${base}/`);
    assert.equal(page.status, 200);
    assert.match(await page.text(), /<html/);
  });

  it('hands its socket over: who connects later is answered by the API, and nobody is refused', async (t) => {
    const { base, port, server } = await begun(t);
    const made = await world();
    const api = await createApi(made.deps);
    // Connects before the hand-over, and sends its request afterwards.
    const early = connect(port, '127.0.0.1');
    await new Promise((resolve) => early.once('connect', resolve));
    const bound = api.takeOver(server);
    assert.equal(bound.port, port);
    const health = await body(await fetch(`${base}/v1/health`));
    assert.equal(health.ready, true);
    early.destroy();
    await api.close(0);
    await assert.rejects(fetch(`${base}/v1/health`));
  });
});

describe('who asks a daemon that starts', () => {
  it('with the command line is told how far it is, once and for all other commands, too', async (t) => {
    const { base, starting } = await begun(t);
    starting.read(1_200, 3_000);
    const asked = ['--api', base, '--token', TOKEN];
    const { code, stdout, stderr } = await cli(['status', ...asked]);
    assert.deepEqual([code, stderr], [0, '']);
    assert.match(stdout, /^status +starting$/m);
    assert.match(stdout, /^! read 1,200 of about 3,000 journal facts \(for \d+s\)$/m);
    assert.doesNotMatch(stdout, /mitigations|NEIGHBOR|peer/i);
    const json: unknown = JSON.parse((await cli(['status', '-f', 'json', ...asked])).stdout);
    assert.deepEqual(Object(json).health.starting, {
      phase: 'reading',
      facts_read: 1_200,
      facts_about: 3_000,
    });
    const other = await cli(['mitigations', 'list', ...asked]);
    assert.notEqual(other.code, 0);
    assert.match(other.stderr, /prefixd is starting: read 1,200 of about 3,000 journal facts/);
  });

  it('over TLS has the certificate of the API, before and after it takes over', async (t) => {
    const { port, server } = await begun(t, TLS);
    const ask = {
      host: '127.0.0.1',
      port,
      path: '/v1/health',
      ca: await readFile(certificate('ca')),
      agent: false,
    };
    const before = await tlsRequest(ask);
    assert.deepEqual([before.status, JSON.parse(before.body).ready], [200, false]);
    const api = await createApi((await world({ tls: TLS })).deps);
    api.takeOver(server);
    const afterwards = await tlsRequest(ask);
    assert.deepEqual([afterwards.status, JSON.parse(afterwards.body).ready], [200, true]);
    await api.close(0);
  });

  it('as the watchdog does not restart it', { skip: missingProgram('curl', 'curl') }, async (t) => {
    const { base } = await begun(t, TLS);
    const watchdog = start('/bin/sh', [packaged('systemd/prefixd-watchdog')], {
      env: {
        PREFIXD_HEALTH_URL: `${base}/v1/health`,
        PREFIXD_WATCHDOG_PAUSE: '0',
        PREFIXD_WATCHDOG_RESTART: 'echo would restart',
      },
    });
    await until('the script has ended', () => watchdog.ended);
    await watchdog.stop('SIGKILL');
    assert.equal(watchdog.log(), '');
  });

  it('is held to the rules for requests at once', async (t) => {
    const { port } = await begun(t);
    const silent = connect(port, '127.0.0.1');
    await new Promise((resolve) => silent.once('connect', resolve));
    silent.write('GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n');
    const answer = await new Promise<string>((resolve) =>
      silent.once('data', (octets) => resolve(String(octets))),
    );
    assert.match(answer, /^HTTP\/1\.1 400 /);
    silent.destroy();
  });
});

describe('the progress of a start', () => {
  it('is never more than there is', () => {
    assert.equal(
      progressText({ phase: 'opening', factsRead: 0, factsAbout: undefined }),
      'opening the journal',
    );
    assert.equal(
      progressText({ phase: 'applying', factsRead: 5, factsAbout: 5 }),
      'journal read; applying the policy',
    );
    assert.equal(
      progressText({ phase: 'reading', factsRead: 12, factsAbout: 10 }),
      'read 12 of about 12 journal facts',
    );
  });

  it('is estimated from the names and sizes of the files', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'prefixd-about-'));
    folders.push(folder);
    const facts = Array.from({ length: 300 }, (_, i) => ({
      seq: i + 1,
      at: 1_000_000 + i,
      fact: {
        type: 'peer.disabled',
        peer: 'edge1',
        actor: { kind: 'operator', name: 'jane' },
        reason: 'r'.repeat(400),
      } as const,
    }));
    const journal = new Journal({ folder });
    const empty = await journal.open();
    assert.equal(empty.about, 0);
    for await (const _ of empty.facts);
    await journal.append(facts);
    await journal.close();
    const again = new Journal({ folder });
    const { about, facts: found } = await again.open();
    assert.ok(about > 150 && about < 600, `${about}`);
    for await (const _ of found);
    await again.close();
  });
});

describe('certificates that cannot be read', () => {
  it('are named as what they are, and not as a port that may not be bound', async () => {
    const config = await configuration('127.0.0.1:1');
    const tls = { ...TLS, keyPath: '/nowhere/key.pem' };
    const http = { ...config.http, tls };
    const served = serveStart(
      { ...config, http },
      new Starting(Date.now()),
      Date.now,
      pino({ level: 'silent' }),
    );
    await assert.rejects(served, { code: 'ENOENT', message: /\/nowhere\/key\.pem/ });
  });
});

describe('a port in use', () => {
  it('is said before the journal is opened', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => other.once('listening', resolve));
    const { port } = other.address() as AddressInfo;
    const config = await configuration(`127.0.0.1:${port}`);
    // A folder that cannot be opened: its path names a file.
    const storage = { ...config.storage, path: '/dev/null/journal' };
    const started = startDaemon({ config: { ...config, storage }, logger: pino({ level: 'silent' }) });
    await assert.rejects(started, { name: 'StartError', message: /^127\.0\.0\.1:\d+ is in use: stop/ });
    await new Promise((resolve) => other.close(resolve));
  });
});
