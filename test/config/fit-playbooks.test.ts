import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { describe, it } from 'node:test';
import { parse } from 'yaml';
import type { FirstConfiguration } from '../../src/config/init/first-folder.ts';
import { firstConfiguration } from '../../src/config/init/first-folder.ts';
import type { Platform } from '../../src/config/init/router-snippets.ts';

const names = (await readdir('playbooks')).sort();
const SHIPPED = new Map(
  await Promise.all(names.map(async (name) => [name, await readFile(`playbooks/${name}`, 'utf8')] as const)),
);

function configurationFor(platform: Platform): FirstConfiguration {
  const neighbor = {
    ...{ name: 'edge1', address: '192.0.2.1', port: 179, localAddress: '192.0.2.10', peerAsn: 65001 },
    platform,
  };
  return firstConfiguration(
    {
      ...{
        localAsn: 65010,
        routerId: '192.0.2.10',
        neighbor,
        listen: '127.0.0.1:8080',
        storagePath: './data',
      },
      customer: { id: 'acme', prefixes: ['203.0.113.0/24', '2001:db8:acd::/48'] },
    },
    SHIPPED,
    'token',
  );
}

/** Returns the playbooks of a file. */
function playbooksOf(configuration: FirstConfiguration, file: string) {
  const text = configuration.files.get(`playbooks/${file}`);
  return text === undefined ? [] : parse(text).playbooks;
}

describe('the playbooks of a first configuration', () => {
  it('are the shipped ones to the letter where the router can enforce them all', () => {
    for (const platform of ['juniper', 'nokia', 'huawei', 'bird', 'generic'] as const) {
      const { files, omitted } = configurationFor(platform);
      assert.deepEqual(omitted, []);
      for (const [name, text] of SHIPPED) assert.equal(files.get(`playbooks/${name}`), text);
    }
  });

  it('lose the steps that the router cannot enforce, and say so', () => {
    const { files, omitted } = configurationFor('arista');
    assert.ok(omitted.some(({ step }) => step === 'step 1 of udp_flood (police at 5 Mbit/s)'));
    assert.match(
      files.get('playbooks/udp-flood.yaml') ?? '',
      /^# Omitted by "prefixd init", .*step 1 of udp_flood \(police at 5 Mbit\/s\)\./,
    );
    assert.equal(files.has('playbooks/default.yaml'), false, 'a file without a playbook is not written');
  });

  it('match no more than before when the step is gone that narrowed the rule', () => {
    const [flood] = playbooksOf(configurationFor('arista'), 'syn-flood.yaml');
    assert.deepEqual(flood.steps, [
      { action: 'discard', ttl_seconds: 300, match: { tcp_flags: 'syn,!ack' } },
    ]);
  });

  it('do not discard ICMPv6 for want of a rate limit', () => {
    const playbooks = playbooksOf(configurationFor('arista'), 'icmp-flood.yaml');
    assert.deepEqual(
      playbooks.map(({ match }: { match: unknown }) => match),
      [{ vector: 'icmp_flood', protocol: 'icmp' }],
    );
  });
});
