import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { decodeFlowSpec, encodeFlowSpec } from '../../../src/bgp/flowspec/nlri.ts';
import {
  compareFlowSpecs as compareSent,
  type SentFlowSpec,
  sentFlowSpec,
} from '../../../src/bgp/flowspec/precedence.ts';
import type { FlowSpec } from '../../../src/bgp/flowspec/types.ts';
import { toHex } from '../../../src/net/bytes.ts';
import { anyFlowSpec } from './arbitraries.ts';
import { decoded, octets, rule } from './octets.ts';

/** Rules as this encoder sends them. */
function compareFlowSpecs(a: FlowSpec, b: FlowSpec): number {
  return compareSent(sentFlowSpec(encodeFlowSpec(a), a), sentFlowSpec(encodeFlowSpec(b), b));
}

/** A rule as a router sent it. */
function sent(hex: string, afi: 1 | 2 = 1): SentFlowSpec {
  const nlri = octets(hex);
  return sentFlowSpec(nlri, decoded(decodeFlowSpec(nlri, afi, 133)).spec);
}

/** The first rule of each pair is tried before the second. */
const BEFORE: readonly (readonly [why: string, first: string, second: string])[] = [
  ['a rule with the lower type', 'match dst 192.0.2.0/24', 'match src 192.0.2.0/24'],
  [
    'a rule with a component that the other lacks',
    'match dst 192.0.2.0/24 proto udp',
    'match dst 192.0.2.0/24',
  ],
  ['a lower type in the middle', 'match dst 192.0.2.0/24 proto udp port 9', 'match dst 192.0.2.0/24 port 9'],
  ['the more specific destination', 'match dst 192.0.2.128/25', 'match dst 192.0.2.0/24'],
  ['the more specific of equal addresses', 'match dst 192.0.2.0/25', 'match dst 192.0.2.0/24'],
  ['the lower of disjoint destinations', 'match dst 192.0.2.0/24', 'match dst 192.0.3.0/32'],
  ['a destination at all against any', 'match dst 192.0.2.0/24', 'match dst 0.0.0.0/0'],
  [
    'the destination before the source',
    'match dst 192.0.2.1/32 src 9.0.0.0/8',
    'match dst 192.0.2.2/32 src 1.0.0.0/8',
  ],
  ['the lower value as octets', 'match proto tcp', 'match proto udp'],
  ['the lower operator octet', 'match port >53', 'match port <53'],
  ['a list that goes on, its operator without end-of-list', 'match port 53,80', 'match port 53'],
  ['the narrower value, its operator being lower', 'match port 255', 'match port 256'],
  ['octets, not numbers: two ports before a smaller one', 'match port 80,443', 'match port 79'],
  ['the lower flags', 'match tcp-flags =syn', 'match tcp-flags =ack'],
  ['the lower offset (RFC 8956 §4)', 'match src 1::/64 offset 8', 'match src 1::/96 offset 16'],
  [
    'the more specific behind equal offsets',
    'match src ::1234:0:0:0/96 offset 64',
    'match src ::1234:0:0:0/80 offset 64',
  ],
  ['the lower bits behind equal offsets', 'match src 0:1::/32 offset 16', 'match src 0:2::/48 offset 16'],
  ['IPv4', 'match dst 203.0.113.0/24', 'match dst 2001:db8::/32'],
  ['the rule that is of no VPN', 'match dst 192.0.2.0/24', 'match rd 1:1 dst 192.0.2.0/24'],
  ['the lower route distinguisher', 'match rd 1:1 dst 192.0.2.0/24', 'match rd 1:2 dst 192.0.2.0/24'],
  [
    'its components, whatever the route distinguisher',
    'match rd 9:9 dst 192.0.2.0/25',
    'match rd 1:1 dst 192.0.2.0/24',
  ],
];

describe('of two rules comes first', () => {
  for (const [why, first, second] of BEFORE) {
    it(`${why}: ${first}`, () => {
      assert.ok(compareFlowSpecs(rule(first), rule(second)) < 0);
      assert.ok(compareFlowSpecs(rule(second), rule(first)) > 0);
    });
  }
});

/** The octets of the last component behind its type, as the standard hands them to memcmp(). */
function memcmp(a: Uint8Array, b: Uint8Array): number {
  for (let i = 0; i < Math.min(a.length, b.length); i++) {
    const order = (a[i] ?? 0) - (b[i] ?? 0);
    if (order !== 0) return order;
  }
  return b.length - a.length;
}

const sameSide = (a: number, b: number): boolean => Math.sign(a) === Math.sign(b);

describe('the order of rules', () => {
  const sameRule = (a: FlowSpec, b: FlowSpec): boolean =>
    a.afi === b.afi && a.safi === b.safi && toHex(encodeFlowSpec(a)) === toHex(encodeFlowSpec(b));

  it('is antisymmetric, and undecided only between a rule and itself', () => {
    fc.assert(
      fc.property(anyFlowSpec, anyFlowSpec, (a, b) => {
        assert.ok(sameSide(compareFlowSpecs(a, b), -compareFlowSpecs(b, a)));
        assert.equal(compareFlowSpecs(a, b) === 0, sameRule(a, b));
        assert.equal(compareFlowSpecs(a, a), 0);
      }),
    );
  });

  it('is transitive', () => {
    fc.assert(
      fc.property(fc.array(anyFlowSpec, { minLength: 3, maxLength: 6 }), (rules) => {
        const sorted = rules.toSorted(compareFlowSpecs);
        for (let i = 0; i < sorted.length; i++) {
          for (let j = i; j < sorted.length; j++) {
            const [first, second] = [sorted[i], sorted[j]];
            assert.ok(first && second && compareFlowSpecs(first, second) <= 0);
          }
        }
      }),
    );
  });

  it('is that of memcmp() where components are no prefixes', () => {
    const single = anyFlowSpec
      .map((spec): FlowSpec => ({ afi: spec.afi, safi: 133, components: spec.components.slice(-1) }))
      .filter((spec) => (spec.components[0]?.type ?? 0) > 2);
    const pairs = fc
      .tuple(single, single)
      .filter(([a, b]) => a.afi === b.afi && a.components[0]?.type === b.components[0]?.type);
    fc.assert(
      fc.property(pairs, ([a, b]) => {
        const expected = memcmp(encodeFlowSpec(a).subarray(2), encodeFlowSpec(b).subarray(2));
        assert.ok(sameSide(compareFlowSpecs(a, b), expected));
      }),
    );
  });
});

describe('octets that are not canonical', () => {
  it('sort by the octets that were sent: port 53 in two octets (91 0035) after port 64 in one (81 40)', () => {
    const wide = sent('04 05 91 0035');
    const narrow = sent('03 05 81 40');
    assert.ok(compareSent(narrow, wide) < 0);
    assert.ok(compareSent(wide, narrow) > 0);
    assert.ok(compareSent(sent('03 05 81 35'), narrow) < 0);
  });

  it('sort by reserved bits of an operator, which memcmp() sees too', () => {
    assert.ok(compareSent(sent('03 05 81 40'), sent('03 05 89 35')) < 0);
  });

  it('sort prefixes by the bits within both lengths: bits behind a length do not count', () => {
    const clean = sent('04 01 10 0a00');
    assert.equal(compareSent(sent('04 01 0f 0a01'), sent('04 01 0f 0a00')), 0);
    assert.ok(compareSent(clean, sent('04 01 0f 0a01')) < 0);
    assert.ok(compareSent(sent('04 01 0f 0a01 '), sent('04 01 10 0a02')) < 0);
  });

  it('are found whatever the length octets, the offset and the components before them', () => {
    const short = sent('0b 01 30 08 0db8000000 05 81 35', 2);
    assert.deepEqual(
      short.data.map((data) => toHex(data)),
      ['30080db8000000', '8135'],
    );
    const long = sent('f003 05 81 35');
    assert.deepEqual(
      long.data.map((data) => toHex(data)),
      ['8135'],
    );
  });
});
