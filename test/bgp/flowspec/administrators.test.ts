import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  formatRouteDistinguisher,
  formatRouteTarget,
  parseRouteDistinguisher,
  parseRouteTarget,
} from '../../../src/bgp/flowspec/action-communities.ts';
import { toHex } from '../../../src/net/bytes.ts';
import { octets } from './octets.ts';

describe('route distinguishers', () => {
  for (const [text, hex] of [
    ['65535:65536', '0000ffff00010000'],
    ['0:0', '0000000000000000'],
    ['65000:4294967295', '0000fde8ffffffff'],
    ['192.0.2.1:100', '0001c00002010064'],
    ['4200000000:65535', '0002fa56ea00ffff'],
    ['2:65000:100', '00020000fde80064'],
    ['0x0009000000000001', '0009000000000001'],
  ] as const) {
    it(`${text} are ${hex}`, () => {
      assert.equal(formatRouteDistinguisher(octets(hex)), text);
      assert.equal(toHex(parseRouteDistinguisher(text) ?? new Uint8Array()), hex);
    });
  }

  for (const text of [
    '',
    '65000',
    ':1',
    '1:',
    '1:2:3',
    '65536:65536',
    '192.0.2.1:65536',
    '192.0.2:1',
    '01:1',
    '-1:1',
    '4294967296:1',
    '1:4294967296',
    '2:192.0.2.1:1',
    '0x00',
    '0xzz09000000000001',
  ]) {
    it(`"${text}" is none`, () => assert.equal(parseRouteDistinguisher(text), undefined));
  }
});

describe('route targets', () => {
  it('have the three forms of route distinguishers', () => {
    for (const text of ['65000:100', '192.0.2.1:100', '4200000000:100', '2:65000:100']) {
      const target = parseRouteTarget(text);
      assert.ok(target);
      assert.equal(formatRouteTarget(target), text);
    }
  });

  it('of small AS numbers are in the 2-octet form unless told otherwise', () => {
    assert.deepEqual(parseRouteTarget('65000:100'), { form: 'as2', asn: 65000, value: 100 });
    assert.deepEqual(parseRouteTarget('2:65000:100'), { form: 'as4', asn: 65000, value: 100 });
  });
});
