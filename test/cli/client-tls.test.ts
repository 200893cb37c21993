import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createServer as createPlainServer } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { cli } from './harness.ts';

/** The certificates that the tests of the API use; see the README beside them. */
function certificate(name: string): string {
  return fileURLToPath(new URL(`../http/certs/${name}.pem`, import.meta.url));
}

const CA = certificate('ca');

/** An API that answers only callers whose certificate its CA signed. */
async function secureApi(t: TestContext): Promise<string> {
  const server = createServer(
    {
      cert: readFileSync(certificate('server')),
      key: readFileSync(certificate('server.key')),
      ca: readFileSync(CA),
      requestCert: true,
      rejectUnauthorized: true,
    },
    (_request, response) => response.end('[]'),
  );
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

test('a client certificate and the CA of the API open the door', async (t) => {
  const api = await secureApi(t);
  const tls = ['--cacert', CA, '--cert', certificate('client-fnm'), '--key', certificate('client-fnm.key')];
  const { code, stdout, stderr } = await cli(['peers', '-f', 'json', '--api', api, ...tls]);
  assert.deepEqual({ code, stdout, stderr }, { code: 0, stdout: '[]\n', stderr: '' });
});

test('without a certificate of its own the caller is not authorised', async (t) => {
  const { code, stderr } = await cli(['peers', '--api', await secureApi(t), '--cacert', CA]);
  assert.equal(code, 3);
  assert.match(stderr, /--cert and --key/);
});

test('a certificate that nobody vouches for is no connection', async (t) => {
  const { code, stderr } = await cli(['peers', '--api', await secureApi(t)]);
  assert.equal(code, 2);
  assert.match(stderr, /not trusted: name its CA with --cacert/);
});

test('a CA that is another is named as such', async (t) => {
  const { code, stderr } = await cli([
    'peers',
    '--api',
    await secureApi(t),
    '--cacert',
    certificate('client-foreign'),
  ]);
  assert.equal(code, 2);
  assert.match(stderr, /not trusted: it was not signed by the CA in --cacert/);
});

test('a certificate and a key that do not belong together are invalid input', async (t) => {
  const own = ['--cert', certificate('client-fnm'), '--key', certificate('client-foreign.key')];
  const { code, stderr } = await cli(['peers', '--api', await secureApi(t), '--cacert', CA, ...own]);
  assert.equal(code, 5);
  assert.match(
    stderr,
    /^prefixd: --cert and --key cannot be used: both must be PEM files, and the key must match the certificate/,
  );
});

test('http:// where TLS is spoken, and https:// where it is not, say what to write', async (t) => {
  const secure = (await secureApi(t)).replace('https:', 'http:');
  const hungUp = await cli(['peers', '--api', secure]);
  assert.equal(hungUp.code, 2);
  assert.match(
    hungUp.stderr,
    /it closed the connection without a response; try https:\/\/ if the server uses TLS/,
  );

  const plain = createPlainServer((_request, response) => response.end('[]'));
  await new Promise<void>((resolve) => plain.listen(0, '127.0.0.1', resolve));
  t.after(() => plain.close());
  const port = (plain.address() as AddressInfo).port;
  const noTls = await cli(['peers', '--api', `https://127.0.0.1:${port}`]);
  assert.equal(noTls.code, 2);
  assert.match(noTls.stderr, /: the server does not use TLS; try http:\/\/ instead of https:\/\/ \(/);
});
