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

/** `redirects` of a scrubber with every kind of target. */
const TO_SCRUBBER: EgressGuard = {
  ...GUARD,
  redirects: {
    targets: [
      { type: 'ip', address: Uint8Array.of(198, 51, 100, 80) },
      { type: 'ip', address: fromHex('20010db8005c00000000000000000001') ?? assert.fail() },
      { type: 'vrf', target: { form: 'as2', asn: 65001, value: 80 } },
      { type: 'vrf', target: { form: 'ipv4', address: Uint8Array.of(198, 51, 100, 80), value: 80 } },
      { type: 'vrf', target: { form: 'as4', asn: 4_200_000_001, value: 80 } },
      {
        type: 'vrf-ipv6',
        address: fromHex('20010db8005c00000000000000000001') ?? assert.fail(),
        value: 80,
      },
    ],
  },
};

describe('a redirect', () => {
  const NO_OCTETS = '';
  const RATE = '8006000047f42400';
  const RULE4 = '06 01 20 cb00710a';
  const RULE6 = '13 01 80 00 20010db80acd00000000000000000010';

  /** A rule with these extended communities, those for IPv6 addresses and next hop, all in hexadecimal. */
  function redirect(nlri: string, short: string, long = NO_OCTETS, nextHop = NO_OCTETS): OutRoute {
    const [extendedCommunities, ipv6ExtendedCommunities, hop] = [short, long, nextHop].map(
      (hex) => fromHex(hex.replaceAll(' ', '')) ?? assert.fail(hex),
    );
    assert.ok(extendedCommunities && ipv6ExtendedCommunities && hop);
    return {
      ...raw(nlri, extendedCommunities, nlri === RULE6),
      attributes: routeAttributes({ extendedCommunities, ipv6ExtendedCommunities, nextHop: hop }),
    };
  }

  const IP = '010c c6336450 0000';
  const allowed: readonly [name: string, route: OutRoute][] = [
    ['to an address', redirect(RULE4, IP)],
    ['of a copy', redirect(RULE4, '010c c6336450 0001')],
    ['with a rate above 0', redirect(RULE4, IP + RATE)],
    ['with the rate first', redirect(RULE4, RATE + IP)],
    ['in the form of draft-00', redirect(RULE4, '0800000000000000', NO_OCTETS, 'c6336450')],
    [
      'in the form of draft-00 with a rate',
      redirect(RULE4, `0800000000000000${RATE}`, NO_OCTETS, 'c6336450'),
    ],
    ['to an IPv6 address', redirect(RULE6, NO_OCTETS, '000c 20010db8005c00000000000000000001 0000')],
    [
      'to an IPv6 address in the form of draft-00',
      redirect(RULE6, '0800000000000001', NO_OCTETS, '20010db8005c00000000000000000001'),
    ],
    ['to a VRF', redirect(RULE4, '8008 fde9 00000050')],
    ['to a VRF by an address', redirect(RULE4, '8108 c6336450 0050')],
    ['to a VRF of a 4-octet AS', redirect(RULE4, '8208 fa56ea01 0050')],
    ['to a VRF by an IPv6 address', redirect(RULE6, NO_OCTETS, '000d 20010db8005c00000000000000000001 0050')],
  ];
  for (const [name, route] of allowed) {
    it(`${name} passes if its target is configured`, () => {
      assert.equal(checkRoute(route, TO_SCRUBBER), undefined);
      assert.match(checkRoute(route, GUARD) ?? '', /traffic rates instead of one|no target is configured/);
      const elsewhere = { ...TO_SCRUBBER, redirects: { targets: [] } };
      assert.match(checkRoute(route, elsewhere) ?? '', /not to a configured target/);
    });
  }

  const refused: readonly [name: string, route: OutRoute, why: RegExp][] = [
    ['to another address', redirect(RULE4, '010c c6336451 0000'), /redirect ip 198\.51\.100\.81/],
    ['to another VRF', redirect(RULE4, '8008 fde9 00000051'), /redirect vrf 65001:81/],
    ['to the VRF in another form', redirect(RULE4, '8208 0000fde9 0050'), /redirect vrf 2:65001:80/],
    ['of what it discards', redirect(RULE4, `${IP}8006000000000000`), /redirects traffic that it discards/],
    ['beside another', redirect(RULE4, `${IP}8008fde900000050`), /more than one redirect/],
    ['with two rates', redirect(RULE4, IP + RATE + RATE), /more than one rate-limit/],
    ['with a rate in packets', redirect(RULE4, `${IP}800c0000447a0000`), /no known combination/],
    ['with a mark', redirect(RULE4, `${IP}800900000000002e`), /no known combination: redirect ip .* mark ef/],
    ['with sampling', redirect(RULE4, `${IP}8007000000000002`), /no known combination/],
    ['with an unknown action', redirect(RULE4, `${IP}807f000000000000`), /does not know/],
    ['to no address', redirect(RULE4, '0800000000000000'), /not to a configured target/],
    ['with a stray next hop', redirect(RULE4, IP, NO_OCTETS, 'c6336450'), /next hop is not the address/],
    [
      'with a second next hop',
      redirect(
        RULE6,
        '0800000000000000',
        NO_OCTETS,
        `20010db8005c00000000000000000001${'fe80'.padEnd(32, '0')}`,
      ),
      /next hop is not the address/,
    ],
    [
      'to an address of the other family',
      redirect(RULE4, NO_OCTETS, '000c 20010db8005c00000000000000000001 0000'),
      /other family/,
    ],
    ['to its own destination', redirect('06 01 20 c6336450', IP), /inside its destination 198\.51\.100\.80/],
  ];
  for (const [name, route, why] of refused) {
    it(`${name} is held back`, () =>
      assert.match(checkRoute(route, TO_SCRUBBER) ?? 'it was let through', why));
  }

  it('is no part of a rule with a rate alone', () => {
    assert.equal(checkRoute(raw(RULE4), TO_SCRUBBER), undefined);
    assert.match(checkRoute(redirect(RULE4, `${RATE}800900000000002e`), GUARD) ?? '', /no known combination/);
    assert.match(checkRoute(redirect(RULE4, RATE, NO_OCTETS, 'c6336450'), GUARD) ?? '', /next hop/);
  });
});
