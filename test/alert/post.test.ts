import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { makePoster, type Poster, type PosterOptions, RefusedAddressError } from '../../src/alert/post.ts';
import { PATIENCE_MS } from '../support/children.ts';
import { server } from './support.ts';

const NEVER = new AbortController().signal;

function poster(t: TestContext, options: Partial<PosterOptions> = {}): Poster {
  const made = makePoster({ allowPrivateAddresses: true, connectTimeoutMs: PATIENCE_MS, ...options });
  t.after(() => made.close());
  return made;
}

const to = (url: string): { url: string; headers: Record<string, string>; body: string } => ({
  url,
  headers: { 'content-type': 'application/json', 'x-test': '1' },
  body: '{"a":1}',
});

test('a request arrives as it was made, and the answer comes back', async (t) => {
  const { url, received } = await server(t, (response) =>
    response.writeHead(429, { 'retry-after': '7' }).end('slow down'),
  );
  assert.deepEqual(await poster(t).post(to(`${url}/hook?x=1`), NEVER), {
    status: 429,
    retryAfterMs: 7_000,
    text: 'slow down',
  });
  const [request] = received;
  assert.deepEqual([request?.method, request?.path, request?.body], ['POST', '/hook?x=1', '{"a":1}']);
  assert.equal(request?.headers['x-test'], '1');
});

test('a redirect is not followed', async (t) => {
  const target = await server(t, (response) => response.end('got it'));
  const { url } = await server(t, (response) =>
    response.writeHead(307, { location: `${target.url}/` }).end(),
  );
  assert.equal((await poster(t).post(to(url), NEVER)).status, 307);
  assert.equal(target.received.length, 0);
});

test('of a long answer only the beginning is read', async (t) => {
  const { url } = await server(t, (response) => response.end('x'.repeat(1_000_000)));
  const { text } = await poster(t).post(to(url), NEVER);
  assert.equal(text.length, 4096);
});

test('an aborted request rejects, while connecting, waiting and reading', {
  timeout: PATIENCE_MS,
}, async (t) => {
  const silent = await server(t, () => undefined);
  const dripping = await server(t, (response) => response.writeHead(200).write('x'));
  for (const { url } of [silent, dripping]) {
    const controller = new AbortController();
    const answer = poster(t).post(to(url), controller.signal);
    setTimeout(() => controller.abort(new Error('enough')), 100);
    await assert.rejects(answer, /enough|aborted/i);
  }
});

test('no request goes to a private address, whether named, written out, or resolved', async (t) => {
  const { port, received } = await server(t, (response) => response.end());
  const guarded = poster(t, {
    allowPrivateAddresses: false,
    resolve: (host, callback) =>
      callback(
        null,
        host === 'both.example'
          ? [
              { address: '10.0.0.1', family: 4 },
              { address: '::1', family: 6 },
            ]
          : [{ address: '127.0.0.1', family: 4 }],
      ),
  });
  for (const host of [
    '127.0.0.1',
    '[::1]',
    '[::ffff:127.0.0.1]',
    '0x7f.1',
    '2130706433',
    'rebind.example',
    'both.example',
  ]) {
    await assert.rejects(guarded.post(to(`http://${host}:${port}/`), NEVER), RefusedAddressError, host);
  }
  assert.equal(received.length, 0);
});

test("the system's own names are checked by their addresses", async (t) => {
  const { port, received } = await server(t, (response) => response.end());
  const guarded = poster(t, { allowPrivateAddresses: false });
  await assert.rejects(
    guarded.post(to(`http://localhost:${port}/`), NEVER),
    /localhost is a private address; alerts are sent there only with/,
  );
  assert.equal(received.length, 0);
  assert.equal((await poster(t).post(to(`http://localhost:${port}/`), NEVER)).status, 200);
});

test('a name that does not resolve, and a port without a listener, reject', async (t) => {
  const lost = poster(t, {
    resolve: (host, callback) => callback(new Error(`getaddrinfo ENOTFOUND ${host}`), []),
  });
  await assert.rejects(lost.post(to('http://nowhere.example/'), NEVER), /ENOTFOUND nowhere\.example/);
  await assert.rejects(poster(t).post(to('http://127.0.0.1:1/'), NEVER), /ECONNREFUSED/);
});

test('Retry-After may be a date, which counts from the date of the answer', async (t) => {
  for (const [header, date, expected] of [
    ['Sun, 06 Nov 1994 08:49:37 GMT', 'Sun, 06 Nov 1994 08:49:07 GMT', 30_000],
    ['Sunday, 06-Nov-94 08:49:37 GMT', 'Sun, 06 Nov 1994 08:49:07 GMT', 30_000],
    ['Sun Nov  6 08:49:37 1994', 'Sun, 06 Nov 1994 08:49:07 GMT', 30_000],
    ['Sun, 06 Nov 1994 08:49:37 GMT', 'Sun, 06 Nov 1994 09:00:00 GMT', 0],
    ['Sun, 06 Nov 1994 08:49:37 GMT', '', 7_000],
    ['soon', 'Sun, 06 Nov 1994 08:49:07 GMT', undefined],
    ['2030', 'Sun, 06 Nov 1994 08:49:07 GMT', 2_030_000],
  ] as const) {
    const { url } = await server(t, (response) => {
      response.sendDate = false;
      response.writeHead(503, { 'retry-after': header, ...(date === '' ? {} : { date }) }).end();
    });
    const now = () => Date.UTC(1994, 10, 6, 8, 49, 30);
    assert.equal((await poster(t, { now }).post(to(url), NEVER)).retryAfterMs, expected, header);
  }
});
