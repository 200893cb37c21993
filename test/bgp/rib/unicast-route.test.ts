import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { type PackContext, packUpdates } from '../../../src/bgp/rib/pack.ts';
import type { OutRoute } from '../../../src/bgp/rib/route.ts';
import { parseUnicastRoute, unicastRoute } from '../../../src/bgp/rib/unicast-route.ts';
import { FAMILIES } from '../../../src/bgp/wire/iana.ts';
import { decodeMessage } from '../../../src/bgp/wire/message.ts';
import { decodeUnicastNlri } from '../../../src/bgp/wire/nlri-list.ts';
import type { UpdateMessage } from '../../../src/bgp/wire/types.ts';
import { endOfRib } from '../../../src/bgp/wire/update.ts';
import { fromHex, toHex } from '../../../src/net/bytes.ts';
import { formatPrefix } from '../../../src/net/prefix.ts';
import { flowRoute } from '../speaker/support.ts';
import { anyUnicastRoute, unicast } from './unicast-routes.ts';

const EXTERNAL: PackContext = {
  localAsn: 65001,
  internal: false,
  fourOctetAs: true,
  extendedMessages: false,
};
const INTERNAL: PackContext = { ...EXTERNAL, internal: true };

const MARKER = 'ff'.repeat(16);
const VICTIM4 = unicast('route 203.0.113.10/32 next-hop 192.0.2.1 community blackhole,no-export');
const VICTIM6 = unicast(
  'route 2001:db8:a::10/128 next-hop 2001:db8::1 community blackhole,no-export,65001:1:2',
);

const announced = (route: OutRoute, context = EXTERNAL): string =>
  packUpdates({ announce: [route], withdraw: [] }, context)
    .messages.map(toHex)
    .join();
const withdrawn = (route: OutRoute): string =>
  packUpdates({ announce: [], withdraw: [route] }, EXTERNAL)
    .messages.map(toHex)
    .join();

function decode(hex: string, context = EXTERNAL): UpdateMessage {
  const message = decodeMessage(fromHex(hex) ?? new Uint8Array(), context);
  assert.ok(message.type === 'update');
  assert.deepEqual(message.problems, []);
  return message;
}

describe('an IPv4 unicast route, octet for octet from RFC 4271 §4.3', () => {
  it('is announced in the NLRI field, with NEXT_HOP', () => {
    assert.equal(
      announced(VICTIM4),
      `${MARKER}003b02` + // length 59, UPDATE
        '0000' + // no withdrawn routes
        '001f' + // 31 octets of attributes
        '40010100' + // ORIGIN IGP
        '4002060201' +
        '0000fde9' + // AS_PATH, one sequence: 65001
        '400304c0000201' + // NEXT_HOP 192.0.2.1
        'c00808ffff029affffff01' + // COMMUNITIES 65535:666 (RFC 7999 §5), NO_EXPORT (RFC 1997)
        '20cb00710a', // 203.0.113.10/32
    );
  });

  it('is announced to an internal peer with an empty AS_PATH and LOCAL_PREF', () => {
    assert.equal(
      announced(VICTIM4, INTERNAL),
      `${MARKER}003c0200000020400101004002` +
        '00' +
        '400304c0000201' +
        '40050400000064' +
        'c00808ffff029affffff01' +
        '20cb00710a',
    );
  });

  it('has only the octets that hold its prefix, and every kind of community', () => {
    const route = unicast('route 10.128.0.0/9 next-hop 192.0.2.1 community 65001:666,rt:65001:7,65001:1:2');
    assert.equal(
      announced(route),
      `${MARKER}004f0200000035` +
        '40010100' +
        '40020602010000fde9' +
        '400304c0000201' +
        'c00804fde9029a' +
        'c010080002fde900000007' + // EXTENDED_COMMUNITIES (RFC 4360)
        'c0200c0000fde90000000100000002' + // LARGE_COMMUNITY (RFC 8092)
        '090a80',
    );
  });

  it('is withdrawn in the Withdrawn Routes field, without attributes', () => {
    assert.equal(withdrawn(VICTIM4), `${MARKER}001c02000520cb00710a0000`);
  });

  it('has the empty UPDATE as its End-of-RIB (RFC 4724 §2)', () => {
    const { withdrawn: routes, nlri, attributes } = endOfRib(FAMILIES['ipv4-unicast']);
    assert.deepEqual([routes.length, nlri.length, attributes], [0, 0, {}]);
  });
});

describe('an IPv6 unicast route, octet for octet from RFC 4760 §3 and RFC 2545 §3', () => {
  it('is announced in MP_REACH_NLRI with a global next hop of 16 octets', () => {
    assert.equal(
      announced(VICTIM6),
      `${MARKER}006802` + // length 104, UPDATE
        '0000' +
        '0051' + // 81 octets of attributes
        '900e0026' + // MP_REACH_NLRI, 38 octets, first (RFC 7606 §5.1)
        '000201' + // AFI 2, SAFI 1
        '1020010db8000000000000000000000001' + // next hop 2001:db8::1
        '00' +
        '8020010db8000a00000000000000000010' + // 2001:db8:a::10/128
        '40010100' +
        '40020602010000fde9' +
        'c00808ffff029affffff01' +
        'c0200c0000fde90000000100000002',
    );
  });

  it('is withdrawn in MP_UNREACH_NLRI and nothing else', () => {
    assert.equal(
      withdrawn(VICTIM6),
      `${MARKER}002f0200000018900f00140002018020010db8000a00000000000000000010`,
    );
  });
});

/** What GoBGP 3.10 and ExaBGP 4.2.21, each as AS 65001, wrote to a socket of ours when told to announce these routes. */
const CAPTURED = {
  gobgp: {
    announced4: '003b020000001f4001010240020602010000fde9400304c0000201c00808ffff029affffff0120cb00710a',
    withdrawn4: '001c02000520cb00710a0000',
    announced6:
      '006702000000504001010240020602010000fde9c00808ffff029affffff01800e260002011020010db8000000000000000000000001008020010db8000a00000000000000000010c0200c0000fde90000000100000002',
    withdrawn6: '002e0200000017800f140002018020010db8000a00000000000000000010',
  },
  exabgp: {
    announced4: '003b020000001f4001010040020602010000fde9400304c0000201c00808ffff029affffff0120cb00710a',
    withdrawn4: '001c02000520cb00710a0000',
    announced6:
      '006702000000504001010040020602010000fde9c00808ffff029affffff01c0200c0000fde90000000100000002800e260002011020010db8000000000000000000000001008020010db8000a00000000000000000010',
  },
} as const;

describe('the same routes as other speakers wrote them', () => {
  it('in IPv4 have our octets (ExaBGP), but for the ORIGIN (GoBGP)', () => {
    assert.equal(announced(VICTIM4), MARKER + CAPTURED.exabgp.announced4);
    assert.equal(
      announced(VICTIM4),
      MARKER + CAPTURED.gobgp.announced4.replace('40010102', '40010100'),
      'ORIGIN INCOMPLETE there',
    );
    for (const { withdrawn4 } of Object.values(CAPTURED))
      assert.equal(withdrawn(VICTIM4), MARKER + withdrawn4);
  });

  it('in IPv6 say the same with the attributes in another order', () => {
    for (const { announced6 } of Object.values(CAPTURED)) {
      const theirs = decode(MARKER + announced6);
      assert.deepEqual({ ...theirs.attributes, origin: 0 }, decode(announced(VICTIM6)).attributes);
    }
    assert.deepEqual(decode(MARKER + CAPTURED.gobgp.withdrawn6), decode(withdrawn(VICTIM6)));
  });
});

/** The routes of an UPDATE as text, and its announced attributes. */
function routesIn(update: UpdateMessage): { readonly announced: string[]; readonly withdrawn: string[] } {
  const { mpReach, mpUnreach } = update.attributes;
  return {
    announced: [
      ...decodeUnicastNlri(update.nlri, 1),
      ...(mpReach === undefined ? [] : decodeUnicastNlri(mpReach.nlri, 2)),
    ].map(formatPrefix),
    withdrawn: [
      ...decodeUnicastNlri(update.withdrawn, 1),
      ...(mpUnreach === undefined ? [] : decodeUnicastNlri(mpUnreach.nlri, 2)),
    ].map(formatPrefix),
  };
}

describe('packing', () => {
  it('decodes to the routes that were packed, with their attributes', () => {
    const none = new Uint8Array(0);
    fc.assert(
      fc.property(fc.array(anyUnicastRoute, { maxLength: 12 }), fc.boolean(), (described, internal) => {
        const routes = described.map((parts) => unicastRoute({ ...parts, owner: 'm' }));
        const context = { ...EXTERNAL, internal };
        const packed = packUpdates({ announce: routes, withdraw: routes }, context);
        assert.deepEqual(packed.tooLong, []);
        const found: string[] = [];
        const gone: string[] = [];
        for (const message of packed.messages) {
          const update = decode(toHex(message), context);
          const { attributes } = update;
          const parts = [
            attributes.nextHop ?? attributes.mpReach?.nextHop ?? none,
            attributes.communities ?? none,
            attributes.extendedCommunities ?? none,
            attributes.largeCommunities ?? none,
          ].map(toHex);
          const texts = routesIn(update);
          found.push(...texts.announced.map((prefix) => [prefix, ...parts].join(' ')));
          gone.push(...texts.withdrawn);
        }
        const wanted = routes.map(({ attributes: a }, i) =>
          [
            formatPrefix(described[i]?.prefix ?? assert.fail()),
            ...[a.nextHop, a.communities, a.extendedCommunities, a.largeCommunities].map(toHex),
          ].join(' '),
        );
        assert.deepEqual(found.sort(), wanted.sort());
        assert.deepEqual(gone.sort(), described.map(({ prefix }) => formatPrefix(prefix)).sort());
      }),
    );
  });

  it('fills messages of 4096 octets, announcing and withdrawing', () => {
    const routes = Array.from({ length: 2000 }, (_, n) =>
      unicast(`route 198.18.${n >>> 8}.${n & 255}/32 next-hop 192.0.2.1 community blackhole,no-export`),
    );
    for (const changes of [
      { announce: routes, withdraw: [] },
      { announce: [], withdraw: routes },
    ]) {
      const { messages } = packUpdates(changes, EXTERNAL);
      const count = messages
        .map((message) => routesIn(decode(toHex(message))))
        .reduce((sum, texts) => sum + texts.announced.length + texts.withdrawn.length, 0);
      assert.equal(count, 2000);
      assert.equal(messages.length, 3);
      for (const message of messages.slice(0, -1)) assert.ok(message.length > 4096 - 5);
      for (const message of messages) assert.ok(message.length <= 4096);
    }
  });

  it('keeps families and kinds of routes apart', () => {
    const { messages } = packUpdates({ announce: [VICTIM4, flowRoute(1), VICTIM6], withdraw: [] }, EXTERNAL);
    assert.deepEqual(
      messages.map((message) => {
        const update = decode(toHex(message));
        return [update.nlri.length, update.attributes.mpReach?.family];
      }),
      [
        [5, undefined],
        [0, FAMILIES['ipv4-flowspec']],
        [0, FAMILIES['ipv6-unicast']],
      ],
    );
  });
});

describe('a unicast route in words', () => {
  it('comes back as the same octets', () => {
    fc.assert(
      fc.property(anyUnicastRoute, (parts) => {
        const route = unicastRoute({ ...parts, owner: 'm' });
        assert.deepEqual(unicast(route.text, 'm'), route);
      }),
    );
  });

  for (const text of [
    'route 203.0.113.10/32 next-hop 192.0.2.1',
    'route 203.0.113.10/32 next-hop 192.0.2.1 community blackhole,no-export',
    'route 203.0.113.0/24 next-hop 192.0.2.1 community 65001:666,no-advertise,no-export-subconfed',
    'route 2001:db8::10/128 next-hop 2001:db8::1 community no-export,rt:65001:7,65001:1:2',
  ]) {
    it(`is written as it is read: ${text}`, () => assert.equal(unicast(text).text, text));
  }

  it('has its communities sorted and once each, so that equal routes have equal octets', () => {
    const said = unicast('route 203.0.113.10 next-hop 192.0.2.1 community no-export, 65535:666 ,no-export');
    assert.deepEqual(said, VICTIM4);
  });

  const wrong: readonly (readonly [text: string, why: RegExp, offset: number])[] = [
    ['', /the text ends, expected route/, 0],
    ['rout 203.0.113.10/32', /did you mean route/, 0],
    ['route 203.0.113.10/24 next-hop 192.0.2.1', /has host bits set; did you mean 203\.0\.113\.0\/24/, 6],
    ['route next-hop 192.0.2.1', /is not an IPv4 or IPv6 prefix/, 6],
    ['route 203.0.113.10/32', /the text ends, expected next-hop/, 21],
    ['route 203.0.113.10/32 nexthop 192.0.2.1', /did you mean next-hop/, 22],
    ['route 203.0.113.10/32 next-hop 2001:db8::1', /expected an IPv4 address/, 31],
    ['route 2001:db8::10/128 next-hop 192.0.2.1', /expected an IPv6 address/, 32],
    ['route 203.0.113.10/32 next-hop 192.0.2.1 community', /the text ends, expected a community/, 50],
    ['route 203.0.113.10/32 next-hop 192.0.2.1 community blackhole,', /the text ends/, 61],
    ['route 203.0.113.10/32 next-hop 192.0.2.1 community no-exprt', /is not a community/, 51],
    ['route 203.0.113.10/32 next-hop 192.0.2.1 community 65536:1', /is not a community/, 51],
    ['route 203.0.113.10/32 next-hop 192.0.2.1 community no-export then', /expected a comma or the end/, 61],
    [`route ${' '.repeat(20_000)}`, /too long/, 0],
  ];
  for (const [text, why, offset] of wrong) {
    it(`is refused: ${text.trim()}`, () => {
      const parsed = parseUnicastRoute(text);
      assert.ok(!parsed.ok);
      assert.match(parsed.error.message, why);
      assert.equal(parsed.error.offset, offset);
    });
  }

  it('cannot have a next hop of the other family, or half a community', () => {
    const { prefix } = anyParts('route 203.0.113.10/32 next-hop 192.0.2.1');
    assert.throws(() => unicastRoute({ prefix, nextHop: new Uint8Array(16), owner: '' }), RangeError);
    const nextHop = Uint8Array.of(192, 0, 2, 1);
    assert.throws(
      () => unicastRoute({ prefix, nextHop, communities: Uint8Array.of(1, 2), owner: '' }),
      RangeError,
    );
  });
});

function anyParts(text: string): Parameters<typeof unicastRoute>[0] {
  const parsed = parseUnicastRoute(text);
  assert.ok(parsed.ok);
  return { ...parsed.value, owner: '' };
}
