import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { encodeFlowSpec } from '../../../src/bgp/flowspec/nlri.ts';
import { toHex } from '../../../src/net/bytes.ts';
import { octets, rule } from './octets.ts';

describe('values are written in the smallest width that holds them', () => {
  for (const [text, hex] of [
    ['length 0', '03 0a81 00'],
    ['length 255', '03 0a81 ff'],
    ['length 256', '04 0a91 0100'],
    ['length 65535', '04 0a91 ffff'],
    ['length 65536', '06 0aa1 00010000'],
    ['length 4294967295', '06 0aa1 ffffffff'],
    ['length 4294967296', '0a 0ab1 0000000100000000'],
    ['length 9007199254740991', '0a 0ab1 001fffffffffffff'],
    ['length 9007199254740993', '0a 0ab1 0020000000000001'],
    ['flow-label 0', '06 0da1 00000000'],
    ['flow-label 1048575', '06 0da1 000fffff'],
    ['tcp-flags 0xff', '03 0980 ff'],
    ['tcp-flags 0x100', '04 0990 0100'],
  ] as const) {
    it(`${text} is ${hex}`, () => {
      assert.equal(toHex(encodeFlowSpec(rule(`match ${text}`))), toHex(octets(hex)));
    });
  }
});

describe('the bits of an operator (RFC 8955 §4.2.1)', () => {
  for (const [text, hex] of [
    ['port 1', '81'],
    ['port >1', '82'],
    ['port >=1', '83'],
    ['port <1', '84'],
    ['port <=1', '85'],
    ['port !=1', '86'],
    ['port true:1', '87'],
    ['port false:1', '80'],
    ['tcp-flags fin', '80'],
    ['tcp-flags =fin', '81'],
    ['tcp-flags !fin', '82'],
    ['tcp-flags !=fin', '83'],
  ] as const) {
    it(`${text} is 0x${hex}`, () => {
      assert.equal(toHex(encodeFlowSpec(rule(`match ${text}`)).subarray(2)), `${hex}01`);
    });
  }

  it('AND stands on the second of two, end-of-list on the last alone', () => {
    assert.equal(toHex(encodeFlowSpec(rule('match port >1&<9,20'))), '07' + '04' + '0201' + '4409' + '8114');
  });
});
