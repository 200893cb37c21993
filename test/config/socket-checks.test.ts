import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { socketWarnings } from '../../src/config/validate/socket-checks.ts';
import { parseYaml } from '../../src/config/yaml/yaml.ts';
import { SHORTEST } from './folder.ts';

const WHY = "koffi's library for linux-s390x cannot be loaded (no such module): install prefixd again";

/** Returns the warnings if sockets lack options for the reason `why`, or lack none. */
async function warnings(settings: string, why: string | undefined): Promise<readonly string[]> {
  const found = await socketWarnings(parseYaml('prefixd.yaml', settings), () => Promise.resolve(why));
  return found.map(({ path, message, fix }) => `${path}: ${message}; ${fix}`);
}

describe('without the library that sets options of sockets', () => {
  test('a neighbor with TCP MD5 or GTSM is warned of, and what sent means', async () => {
    const settings = `${SHORTEST}      md5_password_env: KEY
    - { name: edge2, address: 192.0.2.2, peer_asn: 65002, ttl_security_hops: 1 }
`;
    const [sent = '', md5 = '', gtsm = '', ...others] = await warnings(settings, WHY);
    assert.match(sent, /^bgp\.neighbors: rules will count as sent before .*koffi's library for linux-s390x/);
    assert.match(
      md5,
      /^bgp\.neighbors\[0\]\.md5_password_env: the neighbor would stay down: .*koffi's library.*; do so, or remove md5/,
    );
    assert.match(gtsm, /^bgp\.neighbors\[1\]\.ttl_security_hops: the neighbor would stay down: /);
    assert.deepEqual(others, []);
  });

  test('a neighbor that needs neither stays up', async () => {
    assert.equal((await warnings(SHORTEST, WHY)).length, 1);
  });

  test('nothing is asked and said where no neighbor is spoken to', async () => {
    const mock = SHORTEST.replace('bgp:\n', 'bgp:\n  mode: mock\n');
    const ask = (): never => assert.fail('it was asked');
    assert.deepEqual(await socketWarnings(parseYaml('prefixd.yaml', mock), ask), []);
    assert.deepEqual(await socketWarnings(parseYaml('prefixd.yaml', 'bgp: { neighbors: [] }\n'), ask), []);
  });
});

test('with the library nothing is warned of', async () => {
  assert.deepEqual(await warnings(`${SHORTEST}      ttl_security_hops: 1\n`, undefined), []);
});

test('this machine has it, or says what it lacks', async () => {
  const found = await socketWarnings(parseYaml('prefixd.yaml', SHORTEST));
  if (process.platform === 'linux') assert.deepEqual(found, []);
  else assert.match(String(found[0]?.message), /they need Linux/);
});
