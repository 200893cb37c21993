import type { UnicastKind } from '../../src/core/state/indices.ts';
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { type OutRoute, routeAttributes, routeKey } from '../../src/bgp/rib/route.ts';
import { unicastRoute } from '../../src/bgp/rib/unicast-route.ts';
import { parseAnyCommunity, type ParsedCommunity } from '../../src/bgp/wire/communities.ts';
import { FAMILIES } from '../../src/bgp/wire/iana.ts';
import { checkRoute, type EgressGuard } from '../../src/control/egress.ts';
import { checkUnicast, type UnicastForm, type UnicastGuard } from '../../src/control/egress-unicast.ts';
import { fromHex, toHex } from '../../src/net/bytes.ts';
import { covers, hostPrefix, knownPrefix, overlaps, parseAddress } from '../../src/net/prefix.ts';
import { PrefixSet } from '../../src/net/prefix-set.ts';
import { anyUnicastRoute, unicast } from '../bgp/rib/unicast-routes.ts';

const addresses = (...texts: string[]): Uint8Array[] =>
  texts.map((text) => parseAddress(text) ?? assert.fail(text));

function communities(...texts: string[]): ParsedCommunity[] {
  return texts.map((text) => {
    const parsed = parseAnyCommunity(text);
    assert.ok(parsed.ok);
    return parsed.value;
  });
}

const INSIDE = ['203.0.113.0/24', '198.51.100.0/24', '2001:db8::/32', '224.0.1.0/24'];
const UNTOUCHABLE = ['203.0.113.53/32', '198.51.100.128/25', '2001:db8:53::/48'];

const GUARD: UnicastGuard = {
  kinds: {
    divert: [
      {
        lengths: { 4: new Set([24]), 6: new Set([48]) },
        nextHops: addresses('192.0.2.80', '2001:db8:5c::1'),
        communities: communities('65001:80'),
        exportAllowed: false,
      },
    ],
    blackhole: [
      {
        lengths: { 4: new Set(), 6: new Set() },
        nextHops: addresses('192.0.2.1', '203.0.113.9', '100::1'),
        communities: communities('65001:666', '65001:6:6'),
        exportAllowed: false,
      },
    ],
  },
  otherCommunities: communities('65010:1', '65010:0:1', 'rt:65010:1'),
  isInside: (prefix) => INSIDE.some((one) => covers(knownPrefix(one), prefix)),
  untouchable: new PrefixSet(UNTOUCHABLE.map(knownPrefix)),
};

const HOLE = 'next-hop 192.0.2.1 community 65001:666,blackhole,no-export,65001:6:6';
const HOLE6 = 'next-hop 100::1 community 65001:666,blackhole,no-export,65001:6:6';
const DIVERT = 'next-hop 192.0.2.80 community 65001:80,no-export';
const DIVERT6 = 'next-hop 2001:db8:5c::1 community 65001:80,no-export';

/** A route whose octets were written by hand, so that no encoder of ours decides what is judged. */
function raw(
  family: keyof typeof FAMILIES,
  nlriHex: string,
  nextHopHex: string,
  communityHex: string,
): OutRoute {
  const [nlri, nextHop, octets] = [nlriHex, nextHopHex, communityHex].map(
    (hex) => fromHex(hex.replaceAll(' ', '')) ?? assert.fail(hex),
  );
  assert.ok(nlri && nextHop && octets);
  const attributes = routeAttributes({ nextHop, communities: octets });
  return {
    key: routeKey(FAMILIES[family], nlri),
    family: FAMILIES[family],
    nlri,
    attributes,
    owner: 'm',
    text: '',
  };
}

const formsOf = (kind: UnicastKind): readonly UnicastForm[] => GUARD.kinds[kind] ?? assert.fail(kind);

const withExport = (kind: 'divert' | 'blackhole'): UnicastGuard => {
  const forms = formsOf(kind).map((form) => ({ ...form, exportAllowed: true }));
  return { ...GUARD, kinds: { ...GUARD.kinds, [kind]: forms } };
};

describe('the egress check lets through', () => {
  const cases: readonly (readonly [name: string, text: string, guard?: UnicastGuard])[] = [
    ['a blackholed host', `route 203.0.113.10/32 ${HOLE}`],
    ['a blackholed IPv6 host', `route 2001:db8::10/128 ${HOLE6}`],
    ['a diverted host', `route 203.0.113.10/32 ${DIVERT}`],
    ['a diverted IPv6 host', `route 2001:db8::10/128 ${DIVERT6}`],
    ['a diversion of exactly the configured length', `route 203.0.113.0/24 ${DIVERT}`, withoutSafelist()],
    ['a diverted /48', `route 2001:db8:a::/48 ${DIVERT6}`],
    ['no-advertise instead of no-export', `route 203.0.113.10/32 ${DIVERT.replace('export', 'advertise')}`],
    ['communities of the neighbor', `route 203.0.113.10/32 ${DIVERT},65010:1,65010:0:1,rt:65010:1`],
    [
      'a diversion that may be exported',
      'route 203.0.113.10/32 next-hop 192.0.2.80 community 65001:80',
      withExport('divert'),
    ],
    [
      'a blackhole that may be exported',
      'route 203.0.113.10/32 next-hop 192.0.2.1 community 65001:666,blackhole,65001:6:6',
      withExport('blackhole'),
    ],
  ];
  for (const [name, text, guard = GUARD] of cases) {
    it(name, () => assert.equal(checkUnicast(unicast(text), guard), undefined));
  }

  it('octets written by hand from RFC 4271 and RFC 7999', () => {
    const plain: UnicastGuard = {
      ...GUARD,
      kinds: { blackhole: formsOf('blackhole').map((form) => ({ ...form, communities: [] })) },
    };
    const hole = raw('ipv4-unicast', '20 cb00710a', 'c0000201', 'ffff029a ffffff01');
    assert.equal(checkUnicast(hole, plain), undefined);
  });
});

function withoutSafelist(): UnicastGuard {
  return { ...GUARD, untouchable: new PrefixSet([]) };
}

describe('the egress check holds back', () => {
  const NOTHING: UnicastGuard = { ...GUARD, kinds: {} };
  const cases: readonly (readonly [name: string, text: string, why: RegExp, guard?: UnicastGuard])[] = [
    [
      'a kind that is not configured',
      `route 203.0.113.10/32 ${HOLE}`,
      /kind blackhole are not configured/,
      NOTHING,
    ],
    ['the other kind', `route 203.0.113.10/32 ${DIVERT}`, /kind divert are not configured/, NOTHING],
    ['the default route', `route 0.0.0.0/0 ${DIVERT}`, /0\.0\.0\.0\/0 is neither a host nor of a length/],
    ['a wider route', `route 203.0.112.0/23 ${DIVERT}`, /neither a host/],
    ['a narrower one that is no host', `route 203.0.113.0/25 ${DIVERT}`, /neither a host/],
    ['a length of the other kind', `route 203.0.113.0/24 ${HOLE}`, /configured for blackhole/],
    ['a length of the other family', `route 2001:d00::/24 ${DIVERT6}`, /neither a host/],
    [
      'a host outside the inventory',
      `route 192.0.2.99/32 ${HOLE}`,
      /192\.0\.2\.99\/32 is not in the inventory/,
    ],
    ['an IPv6 host outside it', `route 2001:db9::1/128 ${HOLE6}`, /not in the inventory/],
    [
      'a route that covers a prefix of the inventory',
      `route 203.0.112.0/24 ${DIVERT}`,
      /not in the inventory/,
      { ...GUARD, isInside: (prefix) => covers(knownPrefix('203.0.112.128/25'), prefix) },
    ],
    ['a multicast group', `route 224.0.1.1/32 ${HOLE}`, /not a unicast address of a customer: multicast/],
    [
      'a safelisted host',
      `route 203.0.113.53/32 ${HOLE}`,
      /overlaps 203\.0\.113\.53\/32, which is protected/,
    ],
    ['a host in a protected prefix', `route 198.51.100.200/32 ${HOLE}`, /overlaps 198\.51\.100\.128\/25/],
    ['a prefix around a safelisted host', `route 203.0.113.0/24 ${DIVERT}`, /overlaps 203\.0\.113\.53\/32/],
    ['a safelisted IPv6 prefix', `route 2001:db8:53::1/128 ${HOLE6}`, /overlaps 2001:db8:53::\/48/],
    [
      'a next hop that is not configured',
      `route 203.0.113.10/32 ${HOLE.replace('192.0.2.1', '192.0.2.2')}`,
      /next hop 192\.0\.2\.2 is not configured for blackhole/,
    ],
    [
      'a blackhole with the next hop of a scrubber',
      `route 203.0.113.10/32 ${HOLE.replace('192.0.2.1', '192.0.2.80')}`,
      /192\.0\.2\.80 is not configured for blackhole/,
    ],
    [
      'a next hop inside the route',
      `route 203.0.113.9/32 ${HOLE.replace('192.0.2.1', '203.0.113.9')}`,
      /next hop 203\.0\.113\.9 is inside its destination 203\.0\.113\.9\/32/,
    ],
    [
      'a diversion that carries BLACKHOLE, so that routers would discard it',
      `route 203.0.113.10/32 ${DIVERT},blackhole`,
      /not configured for blackhole/,
    ],
    [
      'a blackhole without BLACKHOLE',
      'route 203.0.113.10/32 next-hop 192.0.2.1 community 65001:666,no-export,65001:6:6',
      /not configured for divert/,
    ],
    [
      'a blackhole without its community',
      'route 203.0.113.10/32 next-hop 192.0.2.1 community blackhole,no-export,65001:6:6',
      /lacks the community 65001:666, which blackhole requires/,
    ],
    [
      'one without its large community',
      'route 203.0.113.10/32 next-hop 192.0.2.1 community blackhole,no-export,65001:666',
      /lacks the community 65001:6:6/,
    ],
    ['a diversion without any', 'route 203.0.113.10/32 next-hop 192.0.2.80', /lacks the community 65001:80/],
    [
      'one that would be exported',
      'route 203.0.113.10/32 next-hop 192.0.2.80 community 65001:80',
      /neither no-export nor no-advertise, and export is not switched on for divert/,
    ],
    [
      'no-export-subconfed alone',
      'route 203.0.113.10/32 next-hop 192.0.2.80 community 65001:80,no-export-subconfed',
      /neither no-export/,
    ],
    [
      'export that is switched on for the other kind',
      'route 203.0.113.10/32 next-hop 192.0.2.80 community 65001:80',
      /neither no-export/,
      withExport('blackhole'),
    ],
    ['a community too many', `route 203.0.113.10/32 ${DIVERT},65001:81`, /has the community 65001:81/],
    [
      'a well-known one too many',
      `route 203.0.113.10/32 ${DIVERT},accept-own`,
      /has the community accept-own/,
    ],
    [
      'an extended one too many',
      `route 203.0.113.10/32 ${DIVERT},rt:65001:1`,
      /has the community rt:65001:1/,
    ],
    ['a large one too many', `route 203.0.113.10/32 ${DIVERT},65001:6:6`, /has the community 65001:6:6/],
  ];
  for (const [name, text, why, guard = GUARD] of cases) {
    it(name, () => assert.match(checkUnicast(unicast(text), guard) ?? 'it was let through', why));
  }

  const octets: readonly (readonly [name: string, route: OutRoute, why: RegExp])[] = [
    ['no prefix at all', raw('ipv4-unicast', '', 'c0000250', ''), /0 prefixes instead of one/],
    [
      'two prefixes in one',
      raw('ipv4-unicast', '20cb00710a 20cb00710b', 'c0000250', ''),
      /2 prefixes instead/,
    ],
    ['a cut prefix', raw('ipv4-unicast', '20cb0071', 'c0000250', ''), /cannot be decoded/],
    ['a prefix of 33 bits', raw('ipv4-unicast', '21cb00710a00', 'c0000250', ''), /cannot be decoded/],
    ['bits after the length', raw('ipv4-unicast', '17cb0071', 'c0000250', ''), /not canonical/],
    ['half a community', raw('ipv4-unicast', '20cb00710a', 'c0000250', 'ffff'), /communities have 2 octets/],
    ['no next hop', raw('ipv4-unicast', '20cb00710a', '', ''), /next hop has 0 octets instead of 4/],
    [
      'a link-local next hop behind the global one (RFC 2545 §3)',
      raw(
        'ipv6-unicast',
        '8020010db8000000000000000000000010',
        `${'20010db8005c0000'.padEnd(32, '0')}${'fe80'.padEnd(32, '0')}`,
        '',
      ),
      /next hop has 32 octets instead of 16/,
    ],
    [
      'IPv6 extended communities',
      {
        ...raw('ipv4-unicast', '20cb00710a', 'c0000250', ''),
        attributes: routeAttributes({ ipv6ExtendedCommunities: new Uint8Array(20) }),
      },
      /IPv6 extended communities/,
    ],
    [
      'an address family that is not IP',
      { ...raw('ipv4-unicast', '20cb00710a', 'c0000250', ''), family: { afi: 25, safi: 1 } },
      /neither IPv4 nor IPv6/,
    ],
  ];
  for (const [name, route, why] of octets) {
    it(name, () => assert.match(checkUnicast(route, GUARD) ?? 'it was let through', why));
  }
});

describe('the check of any route', () => {
  const guard: EgressGuard = {
    minLength: { 4: 32, 6: 128 },
    untouchable: GUARD.untouchable,
    protectedPorts: new Set(),
  };
  const route = unicast(`route 203.0.113.10/32 ${HOLE}`);

  it('refuses unicast until it is configured', () => {
    assert.equal(checkRoute(route, guard), 'no decision leads to a route of ipv4-unicast');
    assert.equal(checkRoute(route, { ...guard, unicast: GUARD }), undefined);
  });

  it('lets nothing through that breaks a rule, whatever the octets', () => {
    const inside = INSIDE.map(knownPrefix);
    const untouchable = UNTOUCHABLE.map(knownPrefix);
    const kinds = Object.values(GUARD.kinds).flat();
    const lists = [...kinds.flatMap((kind) => kind.communities), ...GUARD.otherCommunities];
    const wellKnown = communities('blackhole', 'no-export', 'no-advertise', 'accept-own');
    let sent = 0;
    // Near misses: everything taken from what is configured, now and then something else.
    const near = fc
      .record({
        text: fc.constantFrom(
          '203.0.113.10',
          '203.0.113.9',
          '203.0.113.53',
          '198.51.100.7',
          '192.0.2.9',
          '224.0.1.1',
        ),
        length: fc.constantFrom(32, 32, 32, 24, 25),
        nextHop: fc.constantFrom(...kinds.flatMap((kind) => kind.nextHops).filter((one) => one.length === 4)),
        carried: fc.subarray([...lists, ...wellKnown]),
      })
      .map(({ text, length, nextHop, carried }) => {
        const prefix = { ...hostPrefix(parseAddress(text) ?? assert.fail()), length };
        const of = (kind: string): Uint8Array =>
          Uint8Array.from(carried.filter((one) => one.kind === kind).flatMap((one) => [...one.octets]));
        const masked = knownPrefix(`${length === 32 ? text : `${text.replace(/\d+$/, '0')}`}/${length}`);
        return {
          ...{ prefix: length === 32 ? prefix : masked, nextHop },
          ...{
            communities: of('standard'),
            extendedCommunities: of('extended'),
            largeCommunities: of('large'),
          },
        };
      });
    fc.assert(
      fc.property(
        fc.oneof({ weight: 9, arbitrary: near }, { weight: 1, arbitrary: anyUnicastRoute }),
        (parts) => {
          const { attributes, ...out } = unicastRoute({ ...parts, owner: 'm' });
          if (checkUnicast({ attributes, ...out }, GUARD) !== undefined) return;
          sent++;
          const { prefix } = parts;
          const hex: readonly string[] = toHex(attributes.communities).match(/.{8}/g) ?? [];
          const isHole = hex.includes('ffff029a');
          assert.ok(hex.includes('ffffff01') || hex.includes('ffffff02'));
          assert.ok(!hex.includes('ffff0001'));
          assert.ok(hex.includes(isHole ? 'fde9029a' : 'fde90050'));
          assert.ok(
            prefix.length === prefix.address.length * 8 || (!isHole && [24, 48].includes(prefix.length)),
          );
          assert.ok(inside.some((one) => covers(one, prefix)));
          assert.ok(!untouchable.some((one) => overlaps(one, prefix)));
          assert.ok(!covers(prefix, hostPrefix(attributes.nextHop)));
          assert.ok(prefix.address[0] !== 224);
        },
      ),
      { numRuns: 5000 },
    );
    assert.ok(sent > 0, 'some are let through');
  });
});
