/**
 * Security of the whole daemon over sockets, with its real log and audit log: callers' permissions, their input, and
 * secrets that must never be visible. Roles route by route are in auth.test.ts; timeouts and certificates in
 * listener.test.ts and server.test.ts.
 */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { request as httpRequest } from 'node:http';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { loadConfig } from '../../src/config/load.ts';
import type { Daemon } from '../../src/app/daemon.ts';
import { startDaemon } from '../../src/app/daemon.ts';
import { createLogger } from '../../src/app/observe/logger.ts';
import { INVENTORY, PLAYBOOKS, sound, temporaryFolder } from '../config/folder.ts';
import { cli } from '../cli/harness.ts';
import { neverOverloaded } from '../support/overload.ts';
import { rawConnection, rawExchange, readToEnd, within } from './sockets.ts';

const SECRETS = {
  DETECTOR_TOKEN: 'detector-token-7f3a91',
  VIEWER_TOKEN: 'viewer-token-"quoted"-c2',
  OPERATOR_TOKEN: 'operator-token-51bd0e',
  ADMIN_TOKEN: 'admin-token-99ac42',
  EDGE1_MD5: 'md5-of-edge1-0d1e',
  SLACK_URL: 'https://hooks.slack.test/services/T0/B0/slack-secret-path',
  PD_KEY: 'pagerduty-routing-key-1234',
  HOOK_SECRET: 'hmac-of-the-hook-5678',
};

/** The part of a secret that must not be visible: of a URL, its path. */
const NEVER_SEEN = [
  ...Object.values(SECRETS).filter((secret) => !secret.startsWith('https:')),
  'slack-secret-path',
  'path-secret-of-hook',
];

const SETTINGS = `pop: iad1
http:
  listen: "127.0.0.1:0"
  auth:
    mode: bearer
    tokens:
      - { name: fnm, role: detector, token_env: DETECTOR_TOKEN }
      - { name: wall, role: viewer, token_env: VIEWER_TOKEN }
      - { name: noc, role: operator, token_env: OPERATOR_TOKEN }
      - { name: root, role: admin, token_env: ADMIN_TOKEN }
bgp:
  mode: mock
  local_asn: 65010
  router_id: "192.0.2.10"
  neighbors: [{ name: edge1, address: "192.0.2.1", peer_asn: 65001, md5_password_env: EDGE1_MD5 }]
alerting:
  events: []
  destinations:
    - { type: slack, webhook_url_env: SLACK_URL }
    - { type: pagerduty, routing_key_env: PD_KEY }
    - { type: webhook, url: "https://hook.test/path-secret-of-hook?k=1", secret_env: HOOK_SECRET }
`;

type Role = 'detector' | 'viewer' | 'operator' | 'admin';
const TOKEN: Readonly<Record<Role, string>> = {
  detector: SECRETS.DETECTOR_TOKEN,
  viewer: SECRETS.VIEWER_TOKEN,
  operator: SECRETS.OPERATOR_TOKEN,
  admin: SECRETS.ADMIN_TOKEN,
};

interface Reply {
  readonly status: number;
  readonly type: string;
  readonly body: string;
}

/** A webhook, which is signed instead: a token changes nothing. */
const SIGNED = '/v1/inventory/hook';

describe('the daemon, attacked over HTTP', () => {
  let folder: { readonly path: string; remove(): Promise<void> };
  let daemon: Daemon;
  const lines: string[] = [];
  const answers: string[] = [];

  before(async () => {
    folder = await temporaryFolder({
      'prefixd.yaml': SETTINGS,
      'inventory.yaml': INVENTORY,
      'playbooks.yaml': PLAYBOOKS,
    });
    const config = sound(await loadConfig(folder.path, SECRETS));
    const { logger } = createLogger({
      format: 'text',
      level: 'trace',
      secrets: () => config.secrets,
      destination: { write: (line) => lines.push(line) },
    });
    daemon = await startDaemon({
      config,
      logger,
      load: () => loadConfig(folder.path, SECRETS),
      watchOverload: neverOverloaded,
    });
  });
  after(async () => {
    await daemon.stop();
    await folder.remove();
  });

  /** Sends one request; the path is sent as written. Bodies that are not strings are sent as JSON. */
  function ask(method: string, path: string, role: Role | null, body?: unknown): Promise<Reply> {
    const payload = body === undefined || typeof body === 'string' ? body : JSON.stringify(body);
    const answer = new Promise<Reply>((resolve, reject) => {
      const request = httpRequest(
        {
          host: '127.0.0.1',
          port: daemon.http.port,
          method,
          path,
          agent: false,
          headers: {
            ...(role === null ? {} : { authorization: `Bearer ${TOKEN[role]}` }),
            ...(payload === undefined
              ? {}
              : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(payload) }),
          },
        },
        (response) => {
          let text = '';
          const done = (): void => {
            answers.push(text);
            const type = String(response.headers['content-type']);
            resolve({ status: response.statusCode ?? 0, type, body: text });
          };
          response.setEncoding('utf8').on('data', (chunk: string) => {
            text += chunk;
          });
          response.on('end', done);
          // The feed does not close by itself.
          if (String(response.headers['content-type']).startsWith('text/event-stream')) {
            response.destroy();
            done();
          }
        },
      );
      request.on('error', reject);
      request.end(payload);
    });
    return within(answer, `${method} ${path.slice(0, 80)}`);
  }

  /** Returns every operation in the daemon's own OpenAPI document. */
  async function operations(): Promise<readonly { readonly method: string; readonly path: string }[]> {
    const { body } = await ask('GET', '/v1/openapi.json', 'viewer');
    const paths: Record<string, object> = JSON.parse(body).paths;
    return Object.entries(paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => ({
        method: method.toUpperCase(),
        path: path
          .replace('{id}', '00000000-0000-4000-8000-000000000001')
          .replace('{name}', 'edge1')
          .replace('{prefix}', '198.51.100.0%2F24'),
      })),
    );
  }

  const REPORT = { source: 'fnm', victim_ip: '203.0.113.7', vector: 'udp_flood', confidence: 0.9 };

  /** What anybody is answered who wants to sign in here, where nobody can: the ways, of which there are none. */
  const SIGNING_IN: Readonly<Record<string, number>> = {
    'GET /v1/sign-in': 200,
    'POST /v1/sign-in': 400,
    'GET /v1/sign-in/oidc': 409,
    'GET /v1/sign-in/oidc/callback': 409,
    'POST /v1/sign-in/oidc/token': 400,
  };

  describe('without the right role', () => {
    it('lets nobody without a token do anything but ask whether it lives, and how to sign in', async () => {
      const all = await operations();
      assert.ok(all.length >= 30);
      const { seq } = daemon.engine.state;
      for (const { method, path } of all) {
        const wanted = SIGNING_IN[`${method} ${path}`] ?? (path === '/v1/health' ? 200 : 401);
        assert.equal((await ask(method, path, null, method === 'GET' ? undefined : {})).status, wanted, path);
        const hasHead = path !== '/v1/feed' && !path.startsWith('/v1/sign-in/');
        if (method === 'GET') assert.equal((await ask('HEAD', path, null)).status, hasHead ? wanted : 405);
      }
      assert.equal(daemon.engine.state.seq, seq, 'nothing was decided');
    });

    it('gives a detector nothing to read and nothing to command', async () => {
      const open =
        /^\/(v1\/(events(\/batch)?|signals\/(webhook\/)?\w+|scrubbers\/[^/]+\/signal|health|openapi\.json|me|sign-(in|out).*)|metrics)$/;
      for (const { method, path } of await operations()) {
        const allowed = open.test(path) && !(method === 'GET' && path === '/v1/events');
        const { status } = await ask(method, path, 'detector', method === 'GET' ? undefined : {});
        if (path === SIGNED) assert.equal(status, 401, path);
        else assert.equal(status === 403, !allowed, `${method} ${path}: ${status}`);
      }
    });

    it('lets a viewer change nothing', async () => {
      const { seq } = daemon.engine.state;
      for (const { method, path } of await operations()) {
        if (method === 'GET') continue;
        // A token has no session to end.
        const wanted =
          SIGNING_IN[`${method} ${path}`] ?? (path === SIGNED ? 401 : path === '/v1/sign-out' ? 409 : 403);
        assert.equal((await ask(method, path, 'viewer', {})).status, wanted, `${method} ${path}`);
      }
      assert.equal(daemon.engine.state.seq, seq);
    });

    it('lets an operator do everything but reload', async () => {
      assert.equal((await ask('POST', '/v1/config/reload', 'operator', {})).status, 403);
      assert.equal((await ask('POST', '/v1/config/reload', 'admin', {})).status, 200);
    });

    it('takes no token from the query, a cookie or a second header', async () => {
      const token = SECRETS.ADMIN_TOKEN;
      assert.equal((await ask('GET', `/v1/peers?token=${token}&access_token=${token}`, null)).status, 401);
      const raw = (headers: string): Promise<string> =>
        rawExchange(
          daemon.http.port,
          `GET /v1/peers HTTP/1.1\r\nHost: x\r\nConnection: close\r\n${headers}\r\n\r\n`,
        );
      assert.match(await raw(`Cookie: token=${token}`), /^HTTP\/1\.1 401 /);
      assert.match(
        await raw(`Authorization: Bearer x\r\nAuthorization: Bearer ${token}`),
        /^HTTP\/1\.1 401 /,
      );
      assert.match(await raw(`Proxy-Authorization: Bearer ${token}`), /^HTTP\/1\.1 401 /);
    });
  });

  describe('bodies', () => {
    it('refuses what is larger than 1 MiB, or 8 MiB of a signal, said or not said beforehand, and goes on', async () => {
      const limits = [
        ['/v1/events', 1],
        ['/v1/events/batch', 1],
        ['/v1/signals/alertmanager', 8],
        ['/v1/signals/fastnetmon', 8],
      ] as const;
      for (const [path, mebibytes] of limits) {
        const large = JSON.stringify({ ...REPORT, note: 'x'.repeat(mebibytes * 1024 * 1024) });
        const reply = await ask('POST', path, 'detector', large).catch((error: Error) => error);
        // The daemon may close the connection while the rest is still being sent.
        if (!(reply instanceof Error)) assert.equal(reply.status, 413, path);
      }
      const said = await rawExchange(
        daemon.http.port,
        `POST /v1/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${TOKEN.detector}\r\n` +
          'Content-Type: application/json\r\nContent-Length: 99999999999\r\n\r\n{',
      );
      assert.match(said, /^HTTP\/1\.1 413 /);
      const socket = await rawConnection(daemon.http.port);
      const end = readToEnd(socket);
      socket.write(
        `POST /v1/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${TOKEN.detector}\r\n` +
          'Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n',
      );
      const chunk = `10000\r\n${'['.repeat(0x10000)}\r\n`;
      for (let n = 0; n < 17 && socket.writable; n++) socket.write(chunk);
      assert.match(await within(end, 'the answer to an endless body'), /^(HTTP\/1\.1 413 |$)/);
      assert.equal((await ask('GET', '/v1/health', null)).status, 200);
    });

    it('refuses what is nested deeply, wherever it stands', async () => {
      const deep = (n: number): string => `${'{"a":'.repeat(n)}1${'}'.repeat(n)}`;
      const inside = JSON.stringify(REPORT).replace('}', `,"raw_details":${deep(100)}}`);
      for (const [path, body] of [
        ['/v1/events', deep(50_000)],
        ['/v1/events', '['.repeat(100_000)],
        ['/v1/events', inside],
        ['/v1/events/batch', `[${inside}]`],
        ['/v1/signals/alertmanager', deep(1000)],
        ['/v1/signals/fastnetmon', deep(1000)],
      ] as const) {
        const { status, type } = await ask('POST', path, 'detector', body);
        assert.equal(status, 400, path);
        assert.match(type, /problem\+json/);
      }
    });

    it('takes JSON only as JSON, so that no form of a web page can send it', async () => {
      const raw = await rawExchange(
        daemon.http.port,
        `POST /v1/events HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer ${TOKEN.detector}\r\n` +
          'Content-Type: text/plain\r\nContent-Length: 2\r\n\r\n{}',
      );
      assert.match(raw, /^HTTP\/1\.1 415 /);
    });

    it('answers others while many bodies stand still half-way', async () => {
      const sockets = await Promise.all(Array.from({ length: 100 }, () => rawConnection(daemon.http.port)));
      try {
        for (const socket of sockets) {
          socket.on('error', () => undefined);
          socket.write(
            `POST /v1/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${TOKEN.detector}\r\n` +
              'Content-Type: application/json\r\nContent-Length: 1000\r\n\r\n{"source":',
          );
        }
        assert.equal((await ask('POST', '/v1/events', 'detector', REPORT)).status, 202);
      } finally {
        for (const socket of sockets) socket.destroy();
      }
    });
  });

  describe('headers', () => {
    it('refuses floods of them, few and long or many and short', async () => {
      const floods = [
        `X-Long: ${'a'.repeat(100_000)}`,
        Array.from({ length: 5000 }, (_, n) => `X-${n}: b`).join('\r\n'),
        `Authorization: Bearer ${'t'.repeat(20_000)}`,
      ];
      for (const flood of floods) {
        const text = await rawExchange(
          daemon.http.port,
          `GET /v1/peers HTTP/1.1\r\nHost: x\r\n${flood}\r\n\r\n`,
        );
        assert.match(text, /^(HTTP\/1\.1 431 |$)/);
      }
      assert.equal((await ask('GET', '/v1/health', null)).status, 200);
    });

    it('does not take one request for two', async () => {
      const { seq } = daemon.engine.state;
      for (const smuggled of [
        'Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
        'Content-Length: 4\r\nContent-Length: 6\r\n\r\n{}',
        'Transfer-Encoding: xchunked\r\n\r\n{}',
      ]) {
        const text = await rawExchange(
          daemon.http.port,
          `POST /v1/control/pause HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer ${TOKEN.operator}\r\n` +
            `Content-Type: application/json\r\n${smuggled}`,
        );
        assert.match(text, /^HTTP\/1\.1 400 /, smuggled);
      }
      assert.equal(daemon.engine.state.seq, seq);
    });
  });

  it('is not fooled by tricks with the path of a safelist entry', async () => {
    const added = await ask('POST', '/v1/safelist', 'operator', { prefix: '198.51.100.0/24', reason: 'r' });
    assert.equal(added.status, 201);
    const { seq } = daemon.engine.state;
    for (const path of [
      '/v1/safelist/../safelist/198.51.100.0%2F24',
      '/v1/safelist/%2e%2e/safelist/198.51.100.0%2F24',
      '/v1/safelist/..%2f..%2fconfig%2freload',
      '/v1/safelist/198.51.100.0/24',
      '/v1/safelist/198.51.100.0%252F24',
      '/v1/safelist/198.51.100.0%2F24%00',
      '/v1/safelist/198.51.100.0%2F24;x',
      '/v1/safelist/198.51.100.0%2F24/',
      '/v1/safelist/198.51.100.0%5C24',
      '/v1/safelist/198.51.100.0%c0%af24',
      '/v1/safelist/198.51.100.0%2F024',
      '/v1/safelist/0198.51.100.0%2F24',
      '/v1/safelist/%20198.51.100.0%2F24',
      '/v1/safelist/198.51.100.0%2F24%0d%0aX-Injected:%201',
      '//v1/safelist/198.51.100.0%2F24',
      '/v1//safelist/198.51.100.0%2F24',
      '/V1/SAFELIST/198.51.100.0%2F24',
      `/v1/safelist/${'9'.repeat(5000)}`,
    ]) {
      const { status, type } = await ask('DELETE', path, 'operator');
      assert.ok(status >= 400 && status < 500, `${path}: ${status}`);
      assert.match(type, /problem\+json/, path);
    }
    assert.equal(daemon.engine.state.seq, seq, 'nothing was removed');
    for (const path of [
      '/dashboard/../../package.json',
      '/dashboard/%2e%2e%2f%2e%2e%2fpackage.json',
      '/dashboard/..%5cx',
    ]) {
      assert.equal((await ask('GET', path, null)).status, 404, path);
    }
    assert.equal((await ask('DELETE', '/v1/safelist/198.51.100.0%2F24', 'operator')).status, 204);
  });

  it('writes one line for each thing that happened, whatever callers write into names and reasons', async () => {
    const forged =
      'x\n2026-01-01T00:00:00.000Z INFO  prefixd is running forged=1\r\u2028{"level":"info","msg":"forged"}\u001b[2J';
    await ask('POST', '/v1/events', 'detector', {
      ...REPORT,
      victim_ip: '203.0.113.8',
      source: `fnm${forged}`.slice(0, 120),
      event_id: forged,
      note: forged,
    });
    for (const body of [
      { operator_id: 'kim', reason: forged },
      { operator_id: forged.slice(0, 60), reason: 'r' },
    ]) {
      assert.equal((await ask('POST', '/v1/control/pause', 'operator', body)).status, 400);
    }
    for (const control of ['pause', 'resume']) {
      const body = { operator_id: 'kim', reason: 'INFO prefixd is running' };
      assert.equal((await ask('POST', `/v1/control/${control}`, 'operator', body)).status, 200);
    }
    await ask('GET', '/v1/mitigations/%0A2026%20forged?victim_ip=%0Aforged', 'viewer');
    await rawExchange(
      daemon.http.port,
      'GET /v1/peers HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-Request-Id: a b\tforged\r\nUser-Agent: \u001b[2J\r\n\r\n',
    );
    assert.ok(lines.length > 10);
    for (const line of lines) {
      assert.match(line, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (TRACE|DEBUG|INFO|WARN|ERROR|FATAL) /);
      for (const forger of ['\n', '\r', '\u2028', '\u2029', '\u001b']) {
        assert.equal(line.slice(0, -1).includes(forger), false, JSON.stringify(line));
      }
      assert.doesNotMatch(line, /^\S+ \S+ +prefixd is running forged/);
    }
  });

  it('keeps an audit log of whole lines of JSON that names who did what', async () => {
    const { body } = await ask('GET', '/v1/audit?limit=1000', 'viewer');
    const actors = JSON.stringify(JSON.parse(body));
    assert.match(actors, /kim/);
    assert.match(actors, /noc/, 'the token is named beside the operator');
    const text = await readFile(join(folder.path, 'data/audit.jsonl'), 'utf8');
    const written = text.split('\n').filter((line) => line !== '');
    assert.ok(written.length > 3);
    for (const line of written) assert.equal(typeof JSON.parse(line), 'object', line);
  });

  it('shows no secret in any answer, log line, audit entry, metric, file of its own, or output of check', async () => {
    for (const { method, path } of await operations()) {
      if (path !== '/v1/feed') await ask(method, path, 'admin', method === 'GET' ? undefined : {});
    }
    // People put secrets in wrong places: another scheme's header, a wrong path, a wrong field.
    await ask('GET', `/v1/peers/${SECRETS.ADMIN_TOKEN}`, 'viewer');
    await rawExchange(
      daemon.http.port,
      `GET /v1/peers HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Basic ${SECRETS.ADMIN_TOKEN}\r\n\r\n`,
    );
    const checks = await Promise.all([
      cli(['check', '--print', '--config', folder.path], { env: SECRETS }),
      cli(['-f', 'json', 'check', '--config', folder.path], { env: SECRETS }),
    ]);
    for (const { code, stdout } of checks) {
      assert.equal(code, 0);
      assert.match(stdout, /EDGE1_MD5/, 'names of variables are shown');
    }
    const files = await Promise.all(
      ['audit.jsonl', 'journal-000000000001.jsonl'].map((name) =>
        readFile(join(folder.path, 'data', name), 'utf8'),
      ),
    );
    const own = new Map([
      ['log', lines.join('')],
      ['files', files.join('')],
      ['check', checks.map(({ stdout, stderr }) => stdout + stderr).join('')],
      ['answers', answers.join('')],
    ]);
    for (const [where, text] of own) {
      assert.ok(text.length > 100, where);
      for (const secret of NEVER_SEEN) {
        const at = [secret, JSON.stringify(secret).slice(1, -1)]
          .map((form) => text.indexOf(form))
          .find((i) => i >= 0);
        assert.equal(
          at,
          undefined,
          `${secret} is in the ${where}: ${text.slice((at ?? 0) - 120, (at ?? 0) + 60)}`,
        );
      }
    }
  });

  it('shows no secret in what is wrong with a configuration that holds one where a name belongs', async () => {
    const misplaced = await temporaryFolder({
      'prefixd.yaml': SETTINGS.replace('token_env: ADMIN_TOKEN', `token_env: "${SECRETS.ADMIN_TOKEN}"`)
        .replace('md5_password_env: EDGE1_MD5', `md5_password: "${SECRETS.EDGE1_MD5}"`)
        .replace('routing_key_env: PD_KEY', `routing_key_env: "${SECRETS.PD_KEY}"`),
      'inventory.yaml': INVENTORY,
      'playbooks.yaml': PLAYBOOKS,
    });
    try {
      for (const format of ['table', 'json']) {
        const { code, stdout, stderr } = await cli(
          ['-f', format, 'check', '--print', '--config', misplaced.path],
          {
            env: SECRETS,
          },
        );
        assert.equal(code, 5);
        for (const secret of NEVER_SEEN)
          assert.ok(!(stdout + stderr).includes(secret), `${secret}: ${stdout}${stderr}`);
      }
    } finally {
      await misplaced.remove();
    }
  });
});
