import assert from 'node:assert/strict';
import { test } from 'node:test';
import { defaultConfig } from '../../src/config/default.ts';
import { formatPrefix } from '../../src/net/prefix.ts';
import { problemsOf, sound, warningsOf } from './folder.ts';

test('what is built in passes its own checks, with the shipped playbooks', async () => {
  const result = await defaultConfig();
  const config = sound(result);
  assert.deepEqual(warningsOf(result), []);
  assert.deepEqual(config.http.listen, { host: '127.0.0.1', port: 8080 });
  assert.deepEqual(config.bgp.speaker.neighbors[0]?.address, { kind: 'tcp', host: '127.0.0.1', port: 1790 });
  assert.ok(config.policy.playbooks.names.length >= 9);
  assert.ok(config.policy.inventory.size > 0);
  assert.equal(config.directory, null);
});

test('overrides are laid over section by section, lists replace', async () => {
  const config = sound(
    await defaultConfig({
      settings: { http: { listen: '127.0.0.1:0' }, bgp: { neighbors: [] } },
      inventory: { customers: [] },
      folder: '/srv/demo',
    }),
  );
  assert.equal(config.http.listen.port, 0);
  assert.equal(config.bgp.speaker.localAsn, 65010);
  assert.deepEqual(config.bgp.speaker.neighbors, []);
  assert.equal(config.policy.inventory.size, 0);
  assert.equal(config.storage.path, '/srv/demo/data');
});

test('overrides are checked like a file', async () => {
  const result = await defaultConfig({ settings: { http: { listen: '0.0.0.0:80' } } });
  assert.match(problemsOf(result).join('\n'), /built-in prefixd\.yaml.*mode none is not allowed/);
});

test('IPv4 that is written as IPv6 is the IPv4 it names, so that a safelist protects it', async () => {
  const config = sound(
    await defaultConfig({ settings: { safelist: { prefixes: ['::ffff:203.0.113.53/128'] } } }),
  );
  assert.deepEqual(config.policy.safelist.map(formatPrefix), ['203.0.113.53/32']);
});
