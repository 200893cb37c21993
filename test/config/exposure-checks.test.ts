import assert from 'node:assert/strict';
import { chmod, copyFile, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { exposureWarnings } from '../../src/config/validate/exposure-checks.ts';
import { parseYaml } from '../../src/config/yaml/yaml.ts';
import { folder, load, SHORTEST } from './folder.ts';

const pem = (name: string): string => fileURLToPath(new URL(`../http/certs/${name}.pem`, import.meta.url));
const TLS = `${SHORTEST}http: { tls: { cert_path: cert.pem, key_path: key.pem } }\n`;

/** Returns the warnings at a time about a folder with a certificate and its key. */
async function warnings(
  t: TestContext,
  cert: string,
  keyMode: number,
  now?: number,
): Promise<readonly string[]> {
  const path = await folder(t, { 'prefixd.yaml': TLS });
  await copyFile(pem(cert), join(path, 'cert.pem'));
  await copyFile(pem('server.key'), join(path, 'key.pem'));
  await chmod(join(path, 'key.pem'), keyMode);
  const found = await exposureWarnings(parseYaml('prefixd.yaml', TLS), path, now);
  return found.map(({ path: at, message }) => `${at}: ${message}`);
}

describe('what lies open', () => {
  test('is nothing where the key is for one user and the certificate is good', async (t) => {
    assert.deepEqual(await warnings(t, 'server', 0o600), []);
  });

  test('is a key that every user may read or change', async (t) => {
    for (const mode of [0o644, 0o602]) {
      const [first = '', ...rest] = await warnings(t, 'server', mode);
      assert.match(
        first,
        /^http\.tls\.key_path: every user of this machine can read or change the private key key\.pem/,
      );
      assert.deepEqual(rest, []);
    }
    assert.deepEqual(await warnings(t, 'server', 0o640), [], 'its group is its own');
  });

  test('is a certificate that has expired, is about to, or is not valid yet', async (t) => {
    assert.match(String(await warnings(t, 'client-expired', 0o600)), /^http\.tls\.cert_path: .* expired at /);
    assert.match(String(await warnings(t, 'server', 0o600, 0)), / is not valid before /);
  });

  test('is a folder of data, or of the configuration, in which every user may write', async (t) => {
    const path = await folder(t, { 'prefixd.yaml': SHORTEST });
    const source = parseYaml('prefixd.yaml', SHORTEST);
    assert.deepEqual(
      await exposureWarnings(source, path),
      [],
      'a folder that is not there is made for one user',
    );
    await mkdir(join(path, 'data'));
    await chmod(join(path, 'data'), 0o777);
    await chmod(path, 0o757);
    const messages = (await exposureWarnings(source, path)).map(({ message }) => message);
    assert.match(messages[0] ?? '', /can write to .*\/data and so change the daemon's data$/);
    assert.match(messages[1] ?? '', /and so change the configuration$/);
  });

  test('is a token that can be guessed', async (t) => {
    const settings = `${SHORTEST}http: { auth: { mode: bearer, bearer_token_env: T } }\n`;
    const short = await load(t, settings, { T: 'x' });
    assert.match(JSON.stringify(short.warnings), /the token in T has only 1 character and can be guessed/);
    const long = await load(t, settings, { T: '4f1c0b9d2e7a4f1c0b9d2e7a' });
    assert.doesNotMatch(JSON.stringify(long.warnings), /guessed/);
  });
});
