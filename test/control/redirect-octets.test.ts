/** A redirect is rendered to exactly the octets that the standards ask for, on every platform, or not at all. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { DIALECTS } from '../../src/bgp/flowspec/dialect.ts';
import { packUpdates } from '../../src/bgp/rib/pack.ts';
import type { OutRoute } from '../../src/bgp/rib/route.ts';
import { toHex } from '../../src/net/bytes.ts';
import { REDIRECT_CASES } from '../support/redirect-vectors.ts';
import { redirected } from './redirected.ts';

const words = (target: object): string => Object.entries(target).flat().join(' ');

for (const dialect of DIALECTS) {
  describe(`${dialect}: a rule of one family with a redirect`, () => {
    for (const { family, target, copy, octets } of REDIRECT_CASES) {
      const wanted = octets[dialect];
      const what = `IPv${family}, to ${words(target)}${copy === true ? ', a copy' : ''}`;
      it(wanted === undefined ? `cannot be told: ${what}` : `is told in its octets: ${what}`, () => {
        const said = redirected(dialect, family, target, copy);
        if (wanted === undefined) return assert.equal(said.ok, false);
        assert.ok(said.ok, JSON.stringify(said));
        const [{ attributes } = assert.fail(), another] = said.routes;
        assert.equal(another, undefined);
        assert.equal(toHex(attributes.extendedCommunities), wanted.extendedCommunities ?? '');
        assert.equal(toHex(attributes.ipv6ExtendedCommunities), wanted.ipv6ExtendedCommunities ?? '');
        assert.equal(toHex(attributes.nextHop), wanted.nextHop ?? '');
      });
    }
  });
}

/** RFC 4271 §4.3, RFC 4760 §3, RFC 8955 §4 and RFC 8956 §3, written by hand. */
describe('the UPDATE of a redirect, octet for octet', () => {
  const MARKER = 'ff'.repeat(16);
  const NLRI4 = '060120cb00710a'; // dst 203.0.113.10/32
  const NLRI6 = '13018000' + '20010db80acd00000000000000000010'; // dst 2001:db8:acd::10/128, offset 0
  const ORIGIN_AND_PATH = '40010100' + '40020602010000fdf2'; // IGP; AS_PATH, one sequence: 65010

  const hex = (route: OutRoute | undefined): string =>
    packUpdates(
      { announce: [route ?? assert.fail()], withdraw: [] },
      { localAsn: 65010, internal: false, fourOctetAs: true, extendedMessages: false },
    )
      .messages.map(toHex)
      .join();
  const told = (...args: Parameters<typeof redirected>): string => {
    const said = redirected(...args);
    assert.ok(said.ok);
    return hex(said.routes[0]);
  };

  it('to an address in the community', () => {
    assert.equal(
      told('juniper', 4, { ip: '192.0.2.80' }),
      `${MARKER}003f02` + // length 63
        '00000028' + // 40 octets of attributes
        `900e000c0001850000${NLRI4}` + // MP_REACH_NLRI, AFI 1, SAFI 133, no next hop
        ORIGIN_AND_PATH +
        'c01008010cc00002500000', // EXTENDED_COMMUNITIES
    );
  });

  it('to the next hop', () => {
    assert.equal(
      told('cisco-xr', 4, { ip: '192.0.2.80' }),
      `${MARKER}0043020000002c` +
        `900e001000018504c000025000${NLRI4}` + // a next hop of 4 octets
        ORIGIN_AND_PATH +
        'c010080800000000000000',
    );
  });

  it('to an IPv6 next hop', () => {
    assert.equal(
      told('cisco-xr', 6, { ip: '2001:db8::80' }),
      `${MARKER}005c0200000045` +
        `900e0029000285102001${'0db8000000000000000000000080'}00${NLRI6}` + // a next hop of 16 octets
        ORIGIN_AND_PATH +
        'c010080800000000000000',
    );
  });

  it('to an IPv6 address in the community', () => {
    assert.equal(
      told('nokia', 6, { ip: '2001:db8::80' }),
      `${MARKER}00580200000041` +
        `900e00190002850000${NLRI6}` +
        ORIGIN_AND_PATH +
        'c01914000c20010db80000000000000000000000800000', // IPv6 address specific (RFC 5701 §2)
    );
  });
});
