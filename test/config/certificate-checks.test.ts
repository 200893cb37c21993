import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { load, problemsOf, SHORTEST, sound } from './folder.ts';

const pem = (name: string): string => fileURLToPath(new URL(`../http/certs/${name}.pem`, import.meta.url));
const served = (cert: string, key: string): string =>
  `${SHORTEST}http: { tls: { cert_path: ${cert}, key_path: ${key} } }\n`;

test('a certificate and its key are taken', async (t) => {
  const config = sound(await load(t, served(pem('server'), pem('server.key'))));
  assert.equal(config.http.tls?.certPath, pem('server'));
});

test('a certificate that is not there is a problem at its line, beside the others', async (t) => {
  const result = await load(t, `mode: enforcd\n${served('missing.pem', pem('server.key'))}`);
  const [mode = '', tls = ''] = problemsOf(result);
  assert.match(mode, /mode: invalid value "enforcd"/);
  assert.match(
    tls,
    /^prefixd\.yaml:9:\d+ http\.tls: ENOENT: no such file or directory, open '.*\/missing\.pem'; use PEM files that/,
  );
});

test('a key of another certificate is a problem that names both files', async (t) => {
  const result = await load(t, served(pem('server'), pem('client-fnm.key')));
  assert.match(problemsOf(result).join(), /server\.pem, .*client-fnm\.key\.pem cannot be used for TLS/);
});

test('certificates are not asked for where secrets are not', async (t) => {
  assert.deepEqual(problemsOf(await load(t, served('missing.pem', 'missing.key'), null)), []);
});
