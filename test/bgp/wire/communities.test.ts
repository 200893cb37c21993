import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import {
  formatCommunity,
  formatExtendedCommunity,
  formatLargeCommunity,
  parseAnyCommunity,
  parseCommunity,
  parseExtendedCommunity,
  parseLargeCommunity,
  splitCommunities,
} from '../../../src/bgp/wire/communities.ts';
import { toHex } from '../../../src/net/bytes.ts';
import { ok, type Result } from '../../../src/net/result.ts';
import { octets } from './support.ts';

const hexOf = (parsed: Result<Uint8Array>): string =>
  parsed.ok ? toHex(parsed.value) : `refused: ${parsed.error}`;

describe('communities', () => {
  const STANDARD: readonly (readonly [text: string, hex: string])[] = [
    ['65010:666', 'fdf2029a'],
    ['0:0', '00000000'],
    ['65535:0', 'ffff0000'],
    ['65534:65535', 'fffeffff'],
    ['blackhole', 'ffff029a'],
    ['no-export', 'ffffff01'],
    ['no-advertise', 'ffffff02'],
    ['no-export-subconfed', 'ffffff03'],
    ['no-peer', 'ffffff04'],
    ['graceful-shutdown', 'ffff0000'],
    ['accept-own', 'ffff0001'],
    ['llgr-stale', 'ffff0006'],
    ['no-llgr', 'ffff0007'],
  ];
  for (const [text, hex] of STANDARD) {
    it(`${text} is ${hex}`, () => {
      assert.equal(hexOf(parseCommunity(text)), hex);
    });
  }

  it('well-known ones are read in any case and as numbers, and written by name', () => {
    assert.equal(hexOf(parseCommunity('BLACKHOLE')), 'ffff029a');
    assert.equal(hexOf(parseCommunity('65535:666')), 'ffff029a');
    assert.equal(formatCommunity(octets('ffff029a')), 'blackhole');
    assert.equal(formatCommunity(octets('fdf2029a')), '65010:666');
  });

  const LARGE: readonly (readonly [text: string, hex: string])[] = [
    ['65010:1:2', '0000fdf20000000100000002'],
    ['4200000000:4294967295:0', 'fa56ea00ffffffff00000000'],
  ];
  for (const [text, hex] of LARGE) {
    it(`${text} is ${hex} (RFC 8092 §3), and back`, () => {
      assert.equal(hexOf(parseLargeCommunity(text)), hex);
      assert.equal(formatLargeCommunity(octets(hex)), text);
    });
  }

  /** RFC 4360 §4, §5; RFC 5668 §2. */
  const EXTENDED: readonly (readonly [text: string, hex: string])[] = [
    ['rt:65010:100', '0002fdf200000064'],
    ['rt:65010:4294967295', '0002fdf2ffffffff'],
    ['ro:65010:1', '0003fdf200000001'],
    ['rt:192.0.2.1:100', '0102c00002010064'],
    ['rt:4200000000:100', '0202fa56ea000064'],
    ['rt:65010L:100', '02020000fdf20064'],
    ['ro:4200000000:65535', '0203fa56ea00ffff'],
    ['0x8006000047435000', '8006000047435000'],
    ['0x4002fdf200000064', '4002fdf200000064'],
  ];
  for (const [text, hex] of EXTENDED) {
    it(`${text} is ${hex}, and back`, () => {
      assert.equal(hexOf(parseExtendedCommunity(text)), hex);
      assert.equal(formatExtendedCommunity(octets(hex)), text);
    });
  }

  it('say what they should have been', () => {
    for (const text of [
      '',
      '65010',
      '65010:',
      ':1',
      '65536:1',
      '1:65536',
      '-1:1',
      '01:1',
      '1:2:3',
      'blackholes',
      '1.5:1',
      ' 1:1',
    ]) {
      assert.match(hexOf(parseCommunity(text)), /^refused: ".*" is not a community/, text);
    }
    for (const text of ['', '1:2', '1:2:3:4', '4294967296:0:0', '1::2', '0x1:2:3']) {
      assert.match(hexOf(parseLargeCommunity(text)), /^refused: ".*" is not a large community/, text);
    }
    for (const text of [
      'rt:1',
      'rt::',
      'rt:65536:65536',
      'rt:192.0.2.1:65536',
      'rt:2001:db8::1:1',
      'xx:1:1',
      '0x00',
      '0x80060000474350zz',
      'rt:4294967296:1',
      'rt:L:1',
      'rt:192.0.2.1L:1',
    ]) {
      assert.match(hexOf(parseExtendedCommunity(text)), /^refused: ".*" is not an extended community/, text);
    }
  });

  it('of any kind are told apart by their form', () => {
    for (const [text, kind] of [
      ['65010:666', 'standard'],
      ['no-export', 'standard'],
      ['65010:1:2', 'large'],
      ['rt:65010:1', 'extended'],
      ['RT:65010:1', 'extended'],
      ['0x8006000000000000', 'extended'],
    ] as const) {
      const parsed = parseAnyCommunity(text);
      assert.equal(parsed.ok ? parsed.value.kind : parsed.error, kind);
    }
    assert.ok(!parseAnyCommunity('a:b:c:d').ok);
  });

  it('any octets can be written and read back', () => {
    const of = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });
    fc.assert(
      fc.property(of(4), (bytes) => assert.deepEqual(parseCommunity(formatCommunity(bytes)), ok(bytes))),
    );
    fc.assert(
      fc.property(of(12), (bytes) =>
        assert.deepEqual(parseLargeCommunity(formatLargeCommunity(bytes)), ok(bytes)),
      ),
    );
    const typed = fc
      .tuple(fc.constantFrom(0, 1, 2, 0x40, 0x80), fc.constantFrom(2, 3, 6), of(6))
      .map(([type, subtype, value]) => Uint8Array.of(type, subtype, ...value));
    fc.assert(
      fc.property(typed, (bytes) =>
        assert.deepEqual(parseExtendedCommunity(formatExtendedCommunity(bytes)), ok(bytes)),
      ),
    );
  });

  it('are split by their width, and refused when they do not come out even', () => {
    assert.deepEqual(splitCommunities(octets('fdf2029affffff01'), 4), [
      octets('fdf2029a'),
      octets('ffffff01'),
    ]);
    assert.deepEqual(splitCommunities(octets(''), 8), []);
    assert.throws(() => splitCommunities(octets('fdf2029aff'), 4), RangeError);
    assert.throws(() => formatCommunity(octets('fdf2')), RangeError);
  });
});
