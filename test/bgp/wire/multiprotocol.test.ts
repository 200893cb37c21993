import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { decodeMpReach, decodeMpUnreach } from '../../../src/bgp/wire/multiprotocol.ts';
import { octets } from './support.ts';

describe('MP_REACH_NLRI (RFC 4760 §3)', () => {
  it('has a family, a next hop, a reserved octet and NLRI', () => {
    assert.deepEqual(decodeMpReach(octets('0002 01 10 20010db8000000000000000000000001 00 20 20010db8')), {
      family: { afi: 2, safi: 1 },
      nextHop: octets('20010db8000000000000000000000001'),
      nlri: octets('2020010db8'),
    });
  });

  it('of FlowSpec may have a next hop of any length (RFC 8955 §4)', () => {
    for (const nextHop of ['', 'c0000201', '20010db8000000000000000000000001', 'ff']) {
      const length = (nextHop.length / 2).toString(16).padStart(2, '0');
      assert.deepEqual(decodeMpReach(octets(`0001 85 ${length} ${nextHop} 00 03 038106`)), {
        family: { afi: 1, safi: 133 },
        nextHop: octets(nextHop),
        nlri: octets('03038106'),
      });
    }
  });

  it('of a family that is not known is opaque', () => {
    assert.deepEqual(decodeMpReach(octets('4004 47 04 c0000201 00 ffff')), {
      family: { afi: 16388, safi: 71 },
      nextHop: octets('c0000201'),
      nlri: octets('ffff'),
    });
  });

  /** RFC 7606 §5.3 and §7.11. */
  for (const [what, hex] of [
    ['fewer than 5 octets', '0001 85 00'],
    ['a next hop that overruns', '0001 85 05 c0000201'],
    ['no reserved octet', '0001 85 04 c0000201'],
    ['an IPv4 next hop of 16 octets', '0001 01 10 20010db8000000000000000000000001 00 08 0a'],
    ['an IPv6 next hop of 4 octets', '0002 01 04 c0000201 00 20 20010db8'],
    ['an IPv6 unicast next hop of 0 octets', '0002 01 00 00 20 20010db8'],
    ['an IPv4 prefix longer than 32', '0001 01 04 c0000201 00 21 0a000000 00'],
    ['an IPv6 prefix that is cut off', '0002 01 10 20010db8000000000000000000000001 00 40 20010db8'],
  ] as const) {
    it(`with ${what} is incorrect`, () => {
      assert.equal(typeof decodeMpReach(octets(hex)), 'string');
    });
  }
});

describe('MP_UNREACH_NLRI (RFC 4760 §4)', () => {
  it('has a family and withdrawn NLRI', () => {
    assert.deepEqual(decodeMpUnreach(octets('0001 85 03 038106')), {
      family: { afi: 1, safi: 133 },
      nlri: octets('03038106'),
    });
    assert.deepEqual(decodeMpUnreach(octets('0002 01')), { family: { afi: 2, safi: 1 }, nlri: octets('') });
  });

  it('with fewer than 3 octets or NLRI out of bounds is incorrect (RFC 7606 §5.3)', () => {
    for (const hex of ['', '0001', '0001 01 21', '0002 01 81', '0002 01 20 20']) {
      assert.equal(typeof decodeMpUnreach(octets(hex)), 'string', hex);
    }
  });
});
