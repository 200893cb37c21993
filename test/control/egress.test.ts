import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { OutRoute } from '../../src/bgp/rib/route.ts';
import { routeAttributes, routeKey } from '../../src/bgp/rib/route.ts';
import { FAMILIES } from '../../src/bgp/wire/iana.ts';
import type { EgressGuard } from '../../src/control/egress.ts';
import { checkRoute } from '../../src/control/egress.ts';
import { fromHex } from '../../src/net/bytes.ts';
import { knownPrefix, type Prefix } from '../../src/net/prefix.ts';
import { PrefixSet } from '../../src/net/prefix-set.ts';
import { DISCARD, POLICE_1M } from './support.ts';

function prefixes(...texts: string[]): PrefixSet {
  return new PrefixSet(
    texts.map((text): Prefix => {
      return knownPrefix(text);
    }),
  );
}

const GUARD: EgressGuard = {
  minLength: { 4: 32, 6: 128 },
  untouchable: prefixes('192.0.2.0/24', '203.0.113.53/32', '2001:db8:53::/48'),
  protectedPorts: new Set([179]),
};

/** A route of octets written by hand, so that no encoder of ours has a say in it. */
function raw(nlriHex: string, actions: Uint8Array = DISCARD, v6 = false): OutRoute {
  const nlri = fromHex(nlriHex.replaceAll(' ', ''));
  assert.ok(nlri !== undefined);
  const family = v6 ? FAMILIES['ipv6-flowspec'] : FAMILIES['ipv4-flowspec'];
  return {
    key: routeKey(family, nlri),
    family,
    nlri,
    attributes: routeAttributes({ extendedCommunities: actions }),
    owner: 'm',
    text: 'as in the test',
  };
}

describe('the egress check lets through', () => {
  it('a host prefix with a discard or a police', () => {
    assert.equal(checkRoute(raw('06 01 20 cb00710a'), GUARD), undefined);
    assert.equal(checkRoute(raw('06 01 20 cb00710a', POLICE_1M), GUARD), undefined);
  });

  it('all UDP of a victim but its allowed ports, although the ranges contain protected ones', () => {
    // dst 203.0.113.10/32, proto =17, dst-port <53 , >53 & <123 , >123
    assert.equal(checkRoute(raw('12 01 20 cb00710a 03 81 11 05 04 35 02 35 44 7b 82 7b'), GUARD), undefined);
  });

  it('an IPv6 host', () => {
    assert.equal(
      checkRoute(raw('13 01 80 00 20010db80acd0000000000000000 0010', DISCARD, true), GUARD),
      undefined,
    );
  });
});

describe('the egress check holds back', () => {
  const cases: readonly [name: string, route: OutRoute, why: RegExp][] = [
    ['a rule without a destination (2020-08-30, a wildcard rule)', raw('03 03 81 11'), /no destination/],
    ['an empty rule', raw('00'), /./],
    [
      'a unicast route to a host',
      { ...raw('20 cb00710a'), family: FAMILIES['ipv4-unicast'] },
      /no decision leads to a route of ipv4-unicast/,
    ],
    ['the default route as a destination', raw('02 01 00'), /wider than \/32/],
    ['a destination wider than allowed', raw('05 01 18 cb0071'), /203\.0\.113\.0\/24 is wider than \/32/],
    ['a host inside a protected prefix', raw('06 01 20 c0000201'), /overlaps 192\.0\.2\.0\/24/],
    ['a safelisted host', raw('06 01 20 cb007135'), /overlaps 203\.0\.113\.53\/32/],
    [
      'a safelisted IPv6 host',
      raw('13 01 80 00 20010db8005300000000000000000010', DISCARD, true),
      /2001:db8:53::/,
    ],
    ['a safelisted source', raw('0c 01 20 cb00710a 02 20 cb007135'), /source 203\.0\.113\.53\/32 overlaps/],
    ['a source that holds protected hosts', raw('0a 01 20 cb00710a 02 10 c000'), /overlaps 192\.0\.2\.0\/24/],
    ['a rule that names the BGP port as destination', raw('09 01 20 cb00710a 05 81 b3'), /port 179/],
    ['a rule that names the BGP port in either direction', raw('09 01 20 cb00710a 04 81 b3'), /port 179/],
    ['a rule that names the BGP port as source', raw('09 01 20 cb00710a 06 81 b3'), /port 179/],
    ['a packet length no packet has (2013-03-03)', raw('11 01 20 cb00710a 0a 23 00018683 e5 00018691'), /./],
    ['octets that do not decode', raw('06 01 20 cb0071'), /cannot be decoded/],
    ['octets behind the rule', raw('06 01 20 cb00710a ff'), /cannot be decoded|not canonical/],
    ['a form that the standard writes otherwise', raw('f006 01 20 cb00710a'), /not canonical/],
    ['a rule without an action', raw('06 01 20 cb00710a', new Uint8Array(0)), /0 traffic rates/],
    [
      'a rule with two rates',
      raw('06 01 20 cb00710a', Uint8Array.of(...DISCARD, ...POLICE_1M)),
      /more than one rate-limit|2 traffic rates/,
    ],
    [
      'an unknown action beside the rate',
      raw('06 01 20 cb00710a', Uint8Array.of(...DISCARD, 0x80, 0x7f, 0, 0, 0, 0, 0, 0)),
      /does not know/,
    ],
  ];
  for (const [name, route, why] of cases) {
    it(name, () => assert.match(checkRoute(route, GUARD) ?? 'it was let through', why));
  }
});
