import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { knownPrefix, parseAddress, type Prefix } from '../../src/net/prefix.ts';
import { isLoopbackAddress, notGlobal, notUnicast, specialRangeOf } from '../../src/net/special-addresses.ts';

function prefix(text: string): Prefix {
  return knownPrefix(text);
}

describe('special addresses', () => {
  test('are named by the narrowest range that covers them', () => {
    for (const [text, name] of [
      ['0.0.0.0', 'unspecified'],
      ['0.1.2.3', 'this network'],
      ['10.1.2.3', 'private'],
      ['100.64.0.1', 'shared'],
      ['127.255.255.255', 'loopback'],
      ['169.254.169.254', 'link-local'],
      ['192.0.0.8', 'reserved for protocols'],
      ['198.19.255.255', 'benchmarking'],
      ['239.1.1.1', 'multicast'],
      ['240.0.0.1', 'reserved (class E)'],
      ['255.255.255.255', 'broadcast'],
      ['::', 'unspecified'],
      ['::1', 'loopback'],
      ['::2', 'IPv4-compatible'],
      ['::ffff:10.0.0.1', 'IPv4-mapped'],
      ['64:ff9b::a00:1', 'IPv4 behind NAT64'],
      ['64:ff9b:1::1', 'local NAT64'],
      ['2001::1', 'Teredo'],
      ['2002:a00:1::', '6to4'],
      ['fd00::1', 'unique local'],
      ['fe80::1', 'link-local'],
      ['ff02::1', 'multicast'],
      ['127.0.0.0/24', 'loopback'],
      ['ff00::/8', 'multicast'],
    ] as const) {
      assert.equal(specialRangeOf(prefix(text))?.name, name, text);
    }
    const octets = parseAddress('127.0.0.1');
    assert.equal(octets === undefined ? undefined : specialRangeOf(octets)?.name, 'loopback');
  });

  test('are not the ordinary ones, and not those of documentation', () => {
    for (const text of [
      '1.1.1.1',
      '9.255.255.255',
      '11.0.0.0/8',
      '172.15.255.255',
      '172.32.0.0',
      '223.255.255.255',
      '192.0.1.1',
      '192.0.2.1',
      '198.51.100.0/24',
      '203.0.113.7',
      '2001:db8::1',
      '2001:db8::/32',
      '2606:4700::1111',
      '2a00::/12',
    ]) {
      assert.equal(specialRangeOf(prefix(text)), undefined, text);
      assert.equal(notUnicast(prefix(text)), undefined, text);
      assert.equal(notGlobal(prefix(text)), undefined, text);
    }
  });
});

describe('addresses that no host has', () => {
  test('are unspecified, loopback, link-local, multicast, broadcast and class E, in any disguise', () => {
    for (const text of [
      '0.0.0.0',
      '0.0.0.0/8',
      '127.0.0.1',
      '169.254.1.1',
      '224.0.0.1',
      '255.255.255.255',
      '250.0.0.0/8',
      '::',
      '::1',
      '::7f00:1',
      'fe80::1',
      'ff02::1',
      'ff00::/8',
      '::ffff:127.0.0.1',
      '::ffff:224.0.0.1',
      '64:ff9b::127.0.0.1',
      '64:ff9b::e000:1',
      '2002:7f00:1::1',
      '2002:e000:1::/48',
    ]) {
      assert.ok(notUnicast(prefix(text)) !== undefined, text);
    }
  });

  test('are found inside of a prefix that is wider than their range', () => {
    assert.equal(notUnicast(prefix('224.0.0.0/3'))?.name, 'multicast');
    assert.equal(notUnicast(prefix('126.0.0.0/7'))?.name, 'loopback');
    assert.ok(notUnicast(prefix('0.0.0.0/0')) !== undefined);
    assert.ok(notUnicast(prefix('::/0')) !== undefined);
    assert.equal(notUnicast(prefix('fe00::/8'))?.name, 'link-local');
    assert.ok(notUnicast(prefix('2002::/16')) !== undefined);
  });

  test('are not the private ones: their hosts can be attacked', () => {
    for (const text of [
      '10.0.0.1',
      '172.16.0.0/16',
      '192.168.1.0/24',
      '100.64.0.1',
      '198.18.0.1',
      'fd00::1',
      '::ffff:203.0.113.10',
      '::ffff:10.0.0.1',
      '64:ff9b::8.8.8.8',
      '2002:cb00:7101::/48',
    ]) {
      assert.equal(notUnicast(prefix(text)), undefined, text);
    }
  });
});

describe('addresses that the public Internet does not lead to', () => {
  test('are those and the private ones, in any disguise', () => {
    for (const text of [
      '10.0.0.1',
      '172.31.255.255',
      '192.168.1.1',
      '169.254.169.254',
      '198.18.0.1',
      '224.0.0.1',
      'fd12:3456::1',
      'fec0::1',
      '100::1',
      '2001::1',
      '::ffff:10.0.0.1',
      '::10.0.0.1',
      '64:ff9b::10.0.0.1',
      '2002:a00:1::',
    ]) {
      assert.ok(notGlobal(prefix(text)) !== undefined, text);
    }
    for (const text of ['8.8.8.8', '::ffff:8.8.8.8', '2001:4860:4860::8888']) {
      assert.equal(notGlobal(prefix(text)), undefined, text);
    }
  });

  test('are those that a translator or a tunnel here turns into another address, whichever that is', () => {
    for (const text of ['64:ff9b::8.8.8.8', '64:ff9b:1::1', '2002:808:808::1', '::8.8.8.8', '2001::1']) {
      assert.ok(notGlobal(prefix(text)) !== undefined, text);
    }
  });
});

test('loopback is 127.0.0.0/8 and ::1, also when it is written as IPv6', () => {
  for (const [text, expected] of [
    ['127.0.0.1', true],
    ['127.9.9.9', true],
    ['::1', true],
    ['::ffff:127.0.0.1', true],
    ['128.0.0.1', false],
    ['::2', false],
    ['::ffff:10.0.0.1', false],
  ] as const) {
    assert.equal(isLoopbackAddress(prefix(text).address), expected, text);
  }
});
