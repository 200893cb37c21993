import assert from 'node:assert/strict';
import { type AddressInfo, createServer } from 'node:net';
import { test } from 'node:test';
import { connectionError, openTransport } from '../../src/cli/client.ts';
import { cli, fakeApi } from './harness.ts';

const codes: readonly (readonly [status: number, code: number])[] = [
  [400, 5],
  [401, 3],
  [403, 3],
  [404, 4],
  [409, 1],
  [413, 5],
  [422, 5],
  [429, 1],
  [500, 1],
  [503, 1],
];

for (const [status, code] of codes) {
  test(`an answer of ${status} is exit code ${code}, and its detail is told`, async (t) => {
    const problem = { status, title: 'T', detail: 'what went wrong', error: 'what went wrong' };
    const api = await fakeApi(t, () => ({ status, body: problem }));
    const outcome = await cli(['peers', '--api', api.url]);
    assert.equal(outcome.code, code);
    assert.match(outcome.stderr, /^prefixd: what went wrong/);
    assert.equal(outcome.stdout, '');
  });
}

test('a refusal shows its reason code', async (t) => {
  const body = { status: 422, detail: 'the victim is on the safelist', reason: 'safelisted' };
  const api = await fakeApi(t, () => ({ status: 422, body }));
  const { stderr } = await cli(['peers', '--api', api.url]);
  assert.match(stderr, /the victim is on the safelist \(safelisted\)/);
});

test('a missing token is told how to give one', async (t) => {
  const api = await fakeApi(t, () => ({ status: 401, body: { detail: 'who are you?' } }));
  assert.match((await cli(['peers', '--api', api.url])).stderr, /--token or PREFIXD_API_TOKEN/);
});

test('an answer that is not JSON is no success', async (t) => {
  const api = await fakeApi(t, () => ({ status: 200, body: '<html>a proxy</html>' }));
  const outcome = await cli(['peers', '--api', api.url]);
  assert.equal(outcome.code, 1);
  assert.match(outcome.stderr, /not JSON/);
});

test('an error page of a proxy still gives a clear error', async (t) => {
  const api = await fakeApi(t, () => ({ status: 502, body: '<html>bad gateway</html>' }));
  const outcome = await cli(['peers', '--api', api.url]);
  assert.equal(outcome.code, 1);
  assert.match(outcome.stderr, /the daemon answered 502/);
});

test('nobody listening is exit code 2 and names the address', async () => {
  const outcome = await cli(['peers', '--api', 'http://127.0.0.1:1']);
  assert.equal(outcome.code, 2);
  assert.match(
    outcome.stderr,
    /cannot connect to http:\/\/127\.0\.0\.1:1: connection refused; is the daemon running\?/,
  );
});

test('an API that never answers, or stops in the middle, is told apart by its name', async (t) => {
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.once('data', (request) => {
      if (request.includes('/half')) socket.write('HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n[');
    });
    t.after(() => socket.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => server.close());
  const { port } = server.address() as AddressInfo;
  for (const [path, says] of [
    ['/never', /it accepted the connection, but sent no response before the timeout/],
    ['/half', /the response stopped before it was complete/],
  ] as const) {
    const transport = await openTransport('http://', {}, { connectMs: 30_000, answerMs: 20 });
    const sent = transport.send(`http://127.0.0.1:${port}${path}`, { method: 'GET', headers: {} });
    const error: unknown = await sent.then(
      () => undefined,
      (reason: unknown) => reason,
    );
    transport.close();
    assert.match((await connectionError('http://127.0.0.1', error)).message, says);
  }
});

test('an API that closes the connection without an answer is no success', async (t) => {
  const server = createServer((socket) => void socket.once('data', () => socket.destroy()));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => server.close());
  const { port } = server.address() as AddressInfo;
  const outcome = await cli(['peers', '--api', `http://127.0.0.1:${port}`]);
  assert.equal(outcome.code, 2);
  assert.match(outcome.stderr, /it closed the connection without a response/);
});

test('an address that is none is invalid input', async () => {
  assert.equal((await cli(['peers', '--api', 'ftp://x'])).code, 5);
  assert.equal((await cli(['peers', '--api', 'http://'])).code, 5);
});

test('address and token come from the options, else from the environment', async (t) => {
  const api = await fakeApi(t, { 'GET /v1/peers': { status: 200, body: [] } });
  const env = { PREFIXD_API: api.url, PREFIXD_API_TOKEN: 'from-env' };
  assert.equal((await cli(['peers'], { env })).code, 0);
  assert.equal((await cli(['peers', '--token', 'from-option'], { env })).code, 0);
  assert.deepEqual(
    api.requests.map(({ headers }) => headers.authorization),
    ['Bearer from-env', 'Bearer from-option'],
  );
});

test('an empty PREFIXD_API is none', async () => {
  const { stderr } = await cli(['peers', '--cert', 'x.pem'], { env: { PREFIXD_API: '' } });
  assert.equal(stderr, 'prefixd: --cert and --key must be used together\n');
});

test('what the detail of an answer says already is not said again', async (t) => {
  const problems = ['a.yaml:1:1: one', 'a.yaml:2:1: two'];
  const detail = `Nothing was changed: ${problems[0]} (and 1 more)`;
  const bad = await fakeApi(t, { 'POST /v1/config/reload': { status: 422, body: { detail, problems } } });
  const reload = await cli(['reload', '--api', bad.url]);
  assert.equal(reload.stderr, `prefixd: ${detail}\n  a.yaml:2:1: two\n`);

  const refusal = { detail: 'refused (safelisted): the victim is', reason: 'safelisted' };
  const api = await fakeApi(t, { 'GET /v1/peers': { status: 422, body: refusal } });
  assert.equal((await cli(['peers', '--api', api.url])).stderr, `prefixd: ${refusal.detail}\n`);
});

test('an address without a scheme, with a path and a trailing slash, is understood', async (t) => {
  const api = await fakeApi(t, { 'GET /prefixd/v1/peers': { status: 200, body: [] } });
  assert.equal((await cli(['peers', '--api', `${api.url.slice('http://'.length)}/prefixd/`])).code, 0);
});

test('global options may stand before and behind the command', async (t) => {
  const api = await fakeApi(t, { 'GET /v1/peers': { status: 200, body: [] } });
  assert.equal((await cli(['-f', 'json', '--api', api.url, 'peers'])).stdout, '[]\n');
  assert.equal((await cli(['peers', 'list', '--api', api.url, '-f', 'json'])).stdout, '[]\n');
});

test('text from the daemon cannot speak to the terminal', async (t) => {
  const api = await fakeApi(t, () => ({ status: 400, body: { detail: 'a\u001b[2Jb\u0007c' } }));
  const { stderr } = await cli(['peers', '--api', api.url]);
  assert.match(stderr, /^prefixd: a \[2Jb c$/m);
});

test('a certificate without its key is invalid input', async () => {
  assert.equal((await cli(['peers', '--cert', 'x.pem'])).code, 5);
  assert.equal((await cli(['peers', '--cacert', '/nonexistent.pem'])).code, 5);
});
