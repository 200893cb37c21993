import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { type ActionOctets, decodeActions, encodeActions } from '../../../src/bgp/flowspec/actions.ts';
import { FlowSpecError } from '../../../src/bgp/flowspec/errors.ts';
import { formatActions } from '../../../src/bgp/flowspec/notation/format.ts';
import type { Action } from '../../../src/bgp/flowspec/types.ts';
import { toHex } from '../../../src/net/bytes.ts';
import { anyActions } from './arbitraries.ts';
import { octets } from './octets.ts';

function parts(short: string, long = '', nextHop = ''): ActionOctets {
  return {
    extendedCommunities: octets(short),
    ipv6ExtendedCommunities: octets(long),
    nextHop: octets(nextHop),
  };
}

/** Octets put together by hand from the tables of RFC 8955 §7, RFC 8956 §6 and the redirect drafts. */
const VECTORS: readonly (readonly [text: string, short: string, long?: string, nextHop?: string])[] = [
  ['discard', '8006 0000 00000000'],
  // 10 Mbit/s are 1,250,000 bytes/s: 0x49989680 as IEEE 754 binary32.
  ['rate-limit 10mbps', '8006 0000 49989680'],
  ['rate-limit 1gbps asn 65001', '8006 fde9 4cee6b28'],
  ['rate-limit 1000pps', '800c 0000 447a0000'],
  ['discard-packets', '800c 0000 00000000'],
  ['sample', '8007 000000000002'],
  ['terminal', '8007 000000000001'],
  ['sample terminal', '8007 000000000003'],
  ['traffic-action none', '8007 000000000000'],
  ['mark ef', '8009 00000000002e'],
  ['redirect vrf 65000:100', '8008 fde8 00000064'],
  ['redirect vrf 192.0.2.1:100', '8108 c0000201 0064'],
  ['redirect vrf 4200000000:100', '8208 fa56ea00 0064'],
  ['redirect vrf 2:65000:100', '8208 0000fde8 0064'],
  ['redirect ip 192.0.2.1', '010c c0000201 0000'],
  ['redirect ip 192.0.2.1 copy', '010c c0000201 0001'],
  ['redirect ip 2001:db8::1', '', '000c 20010db8000000000000000000000001 0000'],
  ['redirect ip 2001:db8::1 copy', '', '000c 20010db8000000000000000000000001 0001'],
  ['redirect next-hop 192.0.2.1', '0800 000000000000', '', 'c0000201'],
  ['redirect next-hop 2001:db8::1 copy', '0800 000000000001', '', '20010db8000000000000000000000001'],
  ['redirect vrf [2001:db8::1]:100', '', '000d 20010db8000000000000000000000001 0064'],
  ['discard sample mark cs1', '8006 0000 00000000 8007 000000000002 8009 000000000008'],
  ['community 0x0002fde800000064', '0002 fde8 00000064'],
];

describe('known octets of actions', () => {
  for (const [text, short, long, nextHop] of VECTORS) {
    it(text, () => {
      const wire = parts(short, long, nextHop);
      const result = decodeActions(wire);
      assert.ok(result.ok);
      assert.equal(formatActions(result.value.actions), text);
      assert.deepEqual(result.value.tolerated, []);
      const again = encodeActions(result.value.actions);
      assert.equal(toHex(again.extendedCommunities), toHex(wire.extendedCommunities));
      assert.equal(toHex(again.ipv6ExtendedCommunities), toHex(wire.ipv6ExtendedCommunities));
      assert.equal(toHex(again.nextHop), toHex(wire.nextHop));
    });
  }
});

const TOLERATED: readonly (readonly [what: string, wire: ActionOctets, text: string, note: RegExp])[] = [
  ['a negative rate', parts('8006 0000 c9989680'), 'discard', /negative/],
  ['a rate of minus infinity', parts('8006 0000 ff800000'), 'discard', /negative/],
  ['minus zero', parts('8006 0000 80000000'), 'discard', /negative/],
  ['a negative packet rate', parts('800c 0000 c47a0000'), 'discard-packets', /negative/],
  ['reserved bits of a traffic-action', parts('8007 000000000082'), 'sample', /reserved/],
  ['reserved octets of a marking', parts('8009 0100000000ee'), 'mark ef', /reserved/],
  ['reserved bits of a redirect', parts('010c c0000201 0003'), 'redirect ip 192.0.2.1 copy', /reserved/],
  [
    "GoBGP's redirect to an IPv6 route target",
    parts('', '800b 20010db8000000000000000000000001 0064'),
    'redirect vrf [2001:db8::1]:100',
    /0x800b/,
  ],
  [
    'two rates in one rule',
    parts('8006 0000 00000000 8006 0000 49989680'),
    'discard rate-limit 10mbps',
    /more than one/,
  ],
];

describe('actions that the standard would write otherwise', () => {
  for (const [what, wire, text, note] of TOLERATED) {
    it(`${what}: read and noted`, () => {
      const result = decodeActions(wire);
      assert.ok(result.ok);
      assert.equal(formatActions(result.value.actions), text);
      assert.equal(result.value.tolerated.length, 1);
      assert.match(result.value.tolerated[0] ?? '', note);
    });
  }
});

describe('malformed actions', () => {
  for (const [what, wire] of [
    ['a rate that is no number', parts('8006 0000 7fc00000')],
    ['an infinite rate', parts('8006 0000 7f800000')],
    ['an infinite packet rate', parts('800c 0000 7f800000')],
    ['half an extended community', parts('8006 0000')],
    ['half an IPv6 extended community', parts('', '000c 20010db8')],
  ] as const) {
    it(`${what}: treat-as-withdraw`, () => {
      const result = decodeActions(wire);
      assert.ok(!result.ok);
      assert.equal(result.error.treatment, 'treat-as-withdraw');
    });
  }
});

describe('the next hop of a redirect in the form of draft 00', () => {
  it('is absent when the communities are read alone', () => {
    const result = decodeActions({ extendedCommunities: octets('0800 000000000001') });
    assert.ok(result.ok);
    assert.deepEqual(result.value.actions, [{ type: 'redirect-ip', form: 'draft-00', copy: true }]);
  });

  it('is the global address where a link-local one follows', () => {
    const global = '20010db8000000000000000000000001';
    const result = decodeActions(parts('0800 000000000000', '', `${global}fe800000000000000000000000000001`));
    assert.ok(result.ok);
    assert.equal(formatActions(result.value.actions), 'redirect next-hop 2001:db8::1');
  });

  it('means nothing to other actions', () => {
    const result = decodeActions(parts('8006 0000 00000000', '', 'c0000201'));
    assert.ok(result.ok);
    assert.equal(formatActions(result.value.actions), 'discard');
  });
});

const rate = (bitsPerSecond: number): Action => ({ type: 'traffic-rate', bitsPerSecond, asn: 0 });

const REFUSED: readonly (readonly [what: string, actions: readonly Action[], message: RegExp])[] = [
  ['a rate that is no number', [rate(Number.NaN)], /not a rate/],
  ['an infinite rate', [rate(Number.POSITIVE_INFINITY)], /not a rate/],
  ['a negative rate', [rate(-8)], /not a rate/],
  ['a rate beyond float32', [rate(1e300)], /too large/],
  ['a police rate that would be a discard on the wire', [rate(1e-60)], /discard everything/],
  [
    'a packet rate that would be a discard on the wire',
    [{ type: 'traffic-rate-packets', packetsPerSecond: 1e-60, asn: 0 }],
    /discard everything/,
  ],
  ['an id of more than two octets', [{ ...rate(8), asn: 65536 } as Action], /from 0 to 65535/],
  ['a DSCP of 64', [{ type: 'marking', dscp: 64 }], /from 0 to 63/],
  ['a DSCP of -1', [{ type: 'marking', dscp: -1 }], /from 0 to 63/],
  ['two rates', [rate(0), rate(8)], /more than one rate-limit or discard/],
  ['two equal rates', [rate(8), rate(8)], /more than one/],
  [
    'two redirects',
    [
      { type: 'redirect-vrf', target: { form: 'as2', asn: 1, value: 1 } },
      { type: 'redirect-ip', form: 'ietf', address: octets('c0000201'), copy: false },
    ],
    /more than one redirect/,
  ],
  ['a redirect to nowhere', [{ type: 'redirect-ip', form: 'draft-00', copy: false }], /address is missing/],
  [
    'a redirect to half an address',
    [{ type: 'redirect-ip', form: 'ietf', address: octets('c000'), copy: false }],
    /2 octets, must be 4 or 16/,
  ],
  [
    'a route target with a number too large for its form',
    [{ type: 'redirect-vrf', target: { form: 'as4', asn: 1, value: 65536 } }],
    /from 0 to 65535/,
  ],
  ['a community of 7 octets', [{ type: 'unknown', octets: new Uint8Array(7) }], /8 octets/],
  [
    'a rate disguised as an unknown community',
    [rate(8), { type: 'unknown', octets: octets('8006 0000 00000000') }],
    /is the action traffic-rate/,
  ],
  [
    'a rate that is no number, disguised',
    [{ type: 'unknown', octets: octets('8006 0000 7fc00000') }],
    /the rate is NaN/,
  ],
];

describe('actions that are not encoded', () => {
  for (const [what, actions, message] of REFUSED) {
    it(what, () => {
      assert.throws(
        () => encodeActions(actions),
        (error) => error instanceof FlowSpecError && message.test(error.message),
      );
    });
  }
});

describe('properties of actions', () => {
  it('decode(encode(actions)) are the actions', () => {
    fc.assert(
      fc.property(anyActions, (actions) => {
        const result = decodeActions(encodeActions(actions));
        assert.ok(result.ok);
        const shortFirst = actions.toSorted((a, b) => Number(isLong(a)) - Number(isLong(b)));
        assert.deepEqual(result.value.actions, shortFirst);
        assert.deepEqual(result.value.tolerated, []);
      }),
      { numRuns: 500 },
    );
  });

  it('any octets end in a value, and what is canonical encodes to itself', () => {
    const known = fc.constantFrom(
      '8006',
      '8007',
      '8008',
      '8009',
      '800c',
      '8108',
      '8208',
      '010c',
      '0800',
      '0002',
    );
    const short = fc
      .tuple(known, fc.uint8Array({ minLength: 6, maxLength: 6 }))
      .map(([type, rest]) => octets(type + toHex(rest)));
    fc.assert(
      fc.property(short, (community) => {
        const wire = { ...parts('', '', 'c0000201'), extendedCommunities: community };
        const result = decodeActions(wire);
        if (!result.ok || result.value.tolerated.length > 0) return;
        assert.equal(toHex(encodeActions(result.value.actions).extendedCommunities), toHex(community));
      }),
      { numRuns: 1000 },
    );
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), fc.uint8Array({ maxLength: 64 }), (a, b) => {
        const result = decodeActions({ extendedCommunities: a, ipv6ExtendedCommunities: b, nextHop: a });
        assert.equal(typeof result.ok, 'boolean');
      }),
    );
  });
});

function isLong(action: Action): boolean {
  if (action.type === 'unknown') return action.octets.length === 20;
  if (action.type === 'redirect-vrf-ipv6') return true;
  return action.type === 'redirect-ip' && action.form === 'ietf' && action.address?.length === 16;
}
