import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { decodeUnicastNlri, encodeUnicastNlri, unicastNlriFault } from '../../../src/bgp/wire/nlri-list.ts';
import { toHex } from '../../../src/net/bytes.ts';
import { formatPrefix, makePrefix, knownPrefix } from '../../../src/net/prefix.ts';
import { notificationOf, octets } from './support.ts';

describe('unicast NLRI', () => {
  const BOTH_WAYS: readonly (readonly [afi: 1 | 2, hex: string, prefixes: readonly string[]])[] = [
    [1, '', []],
    [1, '00', ['0.0.0.0/0']],
    [1, '20 c0000201', ['192.0.2.1/32']],
    [1, '18 c00002 09 0a80 19 cb007180', ['192.0.2.0/24', '10.128.0.0/9', '203.0.113.128/25']],
    [2, '20 20010db8 00 80 20010db8000000000000000000000001', ['2001:db8::/32', '::/0', '2001:db8::1/128']],
    [2, '31 20010db80001 80', ['2001:db8:1:8000::/49']],
  ];
  for (const [afi, hex, texts] of BOTH_WAYS) {
    it(`${hex || 'nothing'} is ${texts.join(', ') || 'no prefix'} (RFC 4271 §4.3)`, () => {
      assert.deepEqual(decodeUnicastNlri(octets(hex), afi).map(formatPrefix), texts);
      const prefixes = texts.map(knownPrefix);
      assert.equal(toHex(encodeUnicastNlri(prefixes)), toHex(octets(hex)));
    });
  }

  it('clears the bits behind a length, which mean nothing (RFC 4271 §4.3)', () => {
    assert.deepEqual(decodeUnicastNlri(octets('09 0aff'), 1).map(formatPrefix), ['10.128.0.0/9']);
  });

  it('of other octets is 3/10 (RFC 7606 §5.3)', () => {
    for (const [afi, hex] of [
      [1, '21 c000020100'],
      [1, 'ff c0000201'],
      [1, '20 c00002'],
      [1, '08'],
      [1, '18 c00002 10 0a'],
      [2, '81 20010db800000000000000000000000100'],
      [2, '40 20010db8'],
    ] as const) {
      assert.equal(
        notificationOf(() => decodeUnicastNlri(octets(hex), afi)),
        '3/10',
        hex,
      );
      assert.equal(typeof unicastNlriFault(octets(hex), afi === 1 ? 32 : 128), 'string');
    }
  });

  it('comes back as it was written', () => {
    const prefix = fc
      .tuple(fc.uint8Array({ minLength: 16, maxLength: 16 }), fc.nat(128))
      .map(([address, length]) => makePrefix(address, length));
    fc.assert(
      fc.property(fc.array(prefix), (prefixes) => {
        assert.deepEqual(decodeUnicastNlri(encodeUnicastNlri(prefixes), 2), prefixes);
      }),
    );
  });
});
