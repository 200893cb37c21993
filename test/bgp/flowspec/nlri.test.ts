import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { FlowSpecError } from '../../../src/bgp/flowspec/errors.ts';
import { decodeFlowSpec, decodeFlowSpecList, encodeFlowSpec } from '../../../src/bgp/flowspec/nlri.ts';
import { formatMatch } from '../../../src/bgp/flowspec/notation/format.ts';
import type { FlowSpec, NumericOp } from '../../../src/bgp/flowspec/types.ts';
import { toHex } from '../../../src/net/bytes.ts';
import { knownPrefix } from '../../../src/net/prefix.ts';
import { anyFlowSpec } from './arbitraries.ts';
import { decoded, octets } from './octets.ts';

/** Octets that the standards print, and octets put together by hand from their tables. */
const VECTORS: readonly (readonly [
  source: string,
  afi: 1 | 2,
  safi: 133 | 134,
  hex: string,
  text: string,
])[] = [
  ['RFC 8955 §4.3.1', 1, 133, '0b 0118c00002 038106 048119', 'match dst 192.0.2.0/24 proto tcp port 25'],
  [
    'RFC 8955 §4.3.2',
    1,
    133,
    '12 0118c00002 0218cb0071 04 0389 458b 911f90',
    'match dst 192.0.2.0/24 src 203.0.113.0/24 port >=137&<=139,8080',
  ],
  [
    'RFC 8955 §4.3.3',
    1,
    133,
    '09 0120c0000201 0c8005',
    'match dst 192.0.2.1/32 fragment dont-fragment|first-fragment',
  ],
  [
    'RFC 8956 §3.8.1',
    2,
    133,
    '12 0120 00 20010db8 0268 40 123456789a 038106',
    'match dst 2001:db8::/32 src ::1234:5678:9a00:0/104 offset 64 proto tcp',
  ],
  [
    'RFC 8956 §3.8.2',
    2,
    133,
    '0f 0120 00 20010db8 0268 41 2468acf134',
    'match dst 2001:db8::/32 src ::1234:5678:9a00:0/104 offset 65',
  ],
  ['a prefix of no bits', 1, 133, '02 0100', 'match dst 0.0.0.0/0'],
  ['a prefix of no bits in IPv6', 2, 133, '03 010000', 'match dst ::/0'],
  ['a prefix that ends within an octet', 1, 133, '04 010b cbe0', 'match dst 203.224.0.0/11'],
  [
    'ports around allowed ones',
    1,
    133,
    '12 0120cb00710a 038111 05 0435 0235 447b 827b',
    'match dst 203.0.113.10/32 proto udp dst-port <53,>53&<123,>123',
  ],
  ['a flow label, in 4 octets even when small', 2, 133, '06 0da1 00000007', 'match flow-label 7'],
  ['TCP flags in one octet', 1, 133, '05 09 0112 c202', 'match tcp-flags =syn+ack&!syn'],
  ['TCP flags in two octets', 1, 133, '04 0990 0101', 'match tcp-flags 0x101'],
  ['DSCP and packet length', 1, 133, '07 0a 9405dc 0b 812e', 'match length <1500 dscp ef'],
  ['a value of eight octets', 1, 133, '0a 0ab1 ffffffffffffffff', 'match length 18446744073709551615'],
  [
    'a route distinguisher of type 0',
    1,
    134,
    '0e 0000ffff00010000 0120cb00710a',
    'match rd 65535:65536 dst 203.0.113.10/32',
  ],
  [
    'the operators always true and always false',
    1,
    133,
    '05 05 0750 8051',
    'match dst-port true:80,false:81',
  ],
];

describe('known octets', () => {
  for (const [source, afi, safi, hex, text] of VECTORS) {
    it(`${source}: decode to the rule and encode to themselves`, () => {
      const { spec, tolerated, canonical } = decoded(decodeFlowSpec(octets(hex), afi, safi));
      assert.equal(formatMatch(spec), text);
      assert.deepEqual(tolerated, []);
      assert.equal(toHex(encodeFlowSpec(spec)), toHex(octets(hex)));
      assert.equal(toHex(canonical), toHex(octets(hex)));
    });
  }
});

/** What is malformed, why, and what RFC 7606 makes of it. */
const MALFORMED: readonly (readonly [
  what: string,
  afi: number,
  safi: number,
  hex: string,
  reason: RegExp,
  treatment: string,
])[] = [
  ['nothing at all', 1, 133, '', /not even a length/, 'afi-safi-disable'],
  ['half a length', 1, 133, 'f0', /second octet of the length/, 'afi-safi-disable'],
  [
    'a length beyond the field',
    1,
    133,
    '0b 0118c00002',
    /is 11 octets, but only 5 are left/,
    'afi-safi-disable',
  ],
  ['a long length beyond the field', 1, 133, 'f0f0 0118', /is 240 octets/, 'afi-safi-disable'],
  ['octets behind the NLRI', 1, 133, '05 0118c00002 00', /1 octets follow/, 'afi-safi-disable'],
  ['a family that is none', 25, 133, '05 0118c00002', /AFI 25/, 'session-reset'],
  ['a SAFI that is none', 1, 1, '05 0118c00002', /SAFI 1 /, 'session-reset'],
  ['no components', 1, 133, '00', /no components/, 'treat-as-withdraw'],
  ['types out of order', 1, 133, '08 038106 0118c00002', /dst follows proto/, 'treat-as-withdraw'],
  ['a type twice', 1, 133, '06 038106 038111', /proto appears twice/, 'treat-as-withdraw'],
  ['type 0', 1, 133, '03 008106', /type 0 is unknown/, 'treat-as-withdraw'],
  ['an unknown type', 1, 133, '03 0e8106', /type 14 is unknown/, 'treat-as-withdraw'],
  ['a flow label in IPv4', 1, 133, '06 0da100000007', /type 13 is unknown for IPv4/, 'treat-as-withdraw'],
  ['an IPv4 prefix length of 33', 1, 133, '07 0121c000020000', /33 is above 32/, 'treat-as-withdraw'],
  ['an IPv6 prefix length of 129', 2, 133, '03 018100', /129 is above 128/, 'treat-as-withdraw'],
  [
    'an offset that is not below the length',
    2,
    133,
    '03 012020',
    /offset 32 is not below/,
    'treat-as-withdraw',
  ],
  ['an offset with no length', 2, 133, '03 010001', /offset 1 is not below/, 'treat-as-withdraw'],
  [
    'a prefix cut off',
    1,
    133,
    '04 0118c000',
    /3 octets of prefix are needed, but only 2/,
    'treat-as-withdraw',
  ],
  ['no prefix length', 1, 133, '01 01', /before the prefix length/, 'treat-as-withdraw'],
  ['no prefix offset', 2, 133, '02 0120', /before the prefix offset/, 'treat-as-withdraw'],
  ['an operator without its value', 1, 133, '02 0381', /needs 1 octets, but only 0/, 'treat-as-withdraw'],
  ['a value cut off', 1, 133, '03 05911f', /needs 2 octets, but only 1/, 'treat-as-withdraw'],
  ['no operator', 1, 133, '01 03', /ends without an end-of-list operator/, 'treat-as-withdraw'],
  ['no end-of-list', 1, 133, '03 030106', /end-of-list/, 'treat-as-withdraw'],
  ['octets behind the end-of-list', 1, 133, '04 038106 ff', /type 255 is unknown/, 'treat-as-withdraw'],
  ['TCP flags in 4 octets', 1, 133, '06 09a0 00000002', /4 octets, at most 2/, 'treat-as-withdraw'],
  ['DSCP in 2 octets', 1, 133, '04 0b91 002e', /2 octets, must be 1/, 'treat-as-withdraw'],
  ['fragment in 2 octets', 1, 133, '04 0c91 0002', /2 octets, at most 1/, 'treat-as-withdraw'],
  ['a flow label above 4 octets', 2, 133, '0a 0db1 0000000100000000', /4294967296/, 'treat-as-withdraw'],
  ['half a route distinguisher', 1, 134, '04 00000001', /route distinguisher/, 'treat-as-withdraw'],
  ['a route distinguisher alone', 1, 134, '08 0000ffff00010000', /no components/, 'treat-as-withdraw'],
];

describe('malformed octets', () => {
  for (const [what, afi, safi, hex, reason, treatment] of MALFORMED) {
    it(`${what}: refused, ${treatment}`, () => {
      const result = decodeFlowSpec(octets(hex), afi, safi);
      assert.ok(!result.ok);
      assert.match(result.error.reason, reason);
      assert.equal(result.error.treatment, treatment);
    });
  }
});

/** What others send and the standard would write otherwise. */
const TOLERATED: readonly (readonly [
  what: string,
  afi: 1 | 2,
  hex: string,
  canonical: string,
  note: RegExp,
])[] = [
  ['a value wider than needed', 1, '04 0591 0035', '03 0581 35', /dst-port: a value takes 2 octets/],
  ['a value much wider than needed', 1, '0a 05b1 0000000000000035', '03 0581 35', /8 octets/],
  ['TCP flags wider than needed', 1, '04 0991 0002', '03 0981 02', /tcp-flags: a value takes 2/],
  ['a flow label narrower than 4 octets', 2, '03 0d81 07', '06 0da1 00000007', /the canonical form is 4/],
  ['a two-octet length below 240', 1, 'f003 0381 06', '03 0381 06', /takes two octets/],
  ['bits behind an IPv4 prefix', 1, '05 0117 c00003', '05 0117 c00002', /dst: bits after/],
  ['bits behind an IPv6 prefix with an offset', 2, '04 02 0c 05 ff', '04 02 0c 05 fe', /src: bits after/],
  ['a reserved bit of a numeric operator', 1, '03 0389 06', '03 0381 06', /proto: reserved bits/],
  ['reserved bits of a bitmask operator', 1, '03 098d 02', '03 0981 02', /tcp-flags: reserved bits/],
  ['AND on the first operator', 1, '03 03c1 06', '03 0381 06', /proto: the first operator has its AND/],
  ['AND on the first bitmask operator', 1, '03 09c1 02', '03 0981 02', /tcp-flags: the first operator/],
  ['bits above a DSCP', 1, '03 0b81 ee', '03 0b81 2e', /dscp: bits above/],
  ['reserved bits of a fragment mask', 1, '03 0c81 f2', '03 0c81 02', /fragment: reserved bits/],
  ['DF in IPv6', 2, '03 0c80 03', '03 0c80 02', /fragment: reserved bits/],
];

describe('forms that the standard would write otherwise', () => {
  for (const [what, afi, hex, canonical, note] of TOLERATED) {
    it(`${what}: read, noted, and written canonically`, () => {
      const result = decoded(decodeFlowSpec(octets(hex), afi, 133));
      assert.equal(result.tolerated.length, 1);
      assert.match(result.tolerated[0] ?? '', note);
      assert.equal(toHex(result.canonical), toHex(octets(canonical)));
      assert.equal(result.consumed, octets(hex).length);
      const again = decoded(decodeFlowSpec(result.canonical, afi, 133));
      assert.deepEqual(again.tolerated, []);
      assert.deepEqual(again.spec, result.spec);
    });
  }

  it('a rule that fits only in its tolerated form is refused', () => {
    // 2,000 flow labels in one octet each: canonical they would take 10,001 octets.
    const value = new Uint8Array(4001).fill(1);
    value[0] = 13;
    value[3999] = 0x81;
    const result = decodeFlowSpec(Uint8Array.of(0xff, 0xa1, ...value), 2, 133);
    assert.ok(!result.ok);
    assert.match(result.error.reason, /no canonical form.*4095/);
    assert.equal(result.error.treatment, 'treat-as-withdraw');
  });
});

/** A rule whose value takes exactly this many octets, in destination ports of one and two octets. */
function ruleOfLength(length: number): FlowSpec {
  const ops: NumericOp[] = [];
  for (let left = length - 1; left > 0; ) {
    const value = left === 2 || left === 4 ? 1 : 1000;
    ops.push({ and: false, lt: false, gt: false, eq: true, value });
    left -= value === 1 ? 2 : 3;
  }
  return { afi: 1, safi: 133, components: [{ type: 5, ops }] };
}

describe('the length in front', () => {
  for (const [length, head] of [
    [239, 'ef'],
    [240, 'f0f0'],
    [241, 'f0f1'],
    [256, 'f100'],
    [4095, 'ffff'],
  ] as const) {
    it(`of ${length} octets is ${head}`, () => {
      const nlri = encodeFlowSpec(ruleOfLength(length));
      assert.equal(nlri.length, head.length / 2 + length);
      assert.equal(toHex(nlri).slice(0, head.length), head);
      const { spec, tolerated } = decoded(decodeFlowSpec(nlri, 1, 133));
      assert.deepEqual(spec, ruleOfLength(length));
      assert.deepEqual(tolerated, []);
    });
  }

  it('cannot express 4096 octets, nor many more', () => {
    assert.throws(() => encodeFlowSpec(ruleOfLength(4096)), /4095 octets/);
    assert.throws(() => encodeFlowSpec(ruleOfLength(4104)), /4095 octets/);
    assert.throws(() => encodeFlowSpec(ruleOfLength(100_000)), /4095 octets/);
  });
});

describe('what cannot be encoded', () => {
  const eq = { and: false, lt: false, gt: false, eq: true };
  const prefix = knownPrefix('203.0.113.10/32');
  const prefix6 = knownPrefix('2001:db8::/32');
  const base = { afi: 1, safi: 133 } as const;
  const CASES: readonly (readonly [what: string, spec: FlowSpec, message: RegExp])[] = [
    ['no components', { ...base, components: [] }, /every packet/],
    [
      'a type twice',
      { ...base, components: [3, 3].map((type) => ({ type: type as 3, ops: [{ ...eq, value: 6 }] })) },
      /proto appears twice/,
    ],
    [
      'types out of order',
      { ...base, components: [5, 3].map((type) => ({ type: type as 3, ops: [{ ...eq, value: 6 }] })) },
      /proto must precede dst-port/,
    ],
    ['no operators', { ...base, components: [{ type: 3, ops: [] }] }, /the operator is missing/],
    ['no bitmask operators', { ...base, components: [{ type: 9, ops: [] }] }, /the operator is missing/],
    [
      'AND on the first operator',
      { ...base, components: [{ type: 3, ops: [{ ...eq, and: true, value: 6 }] }] },
      /first operator cannot have AND/,
    ],
    ['a negative value', { ...base, components: [{ type: 3, ops: [{ ...eq, value: -1 }] }] }, /whole number/],
    ['a fraction', { ...base, components: [{ type: 3, ops: [{ ...eq, value: 1.5 }] }] }, /whole number/],
    [
      'no number',
      { ...base, components: [{ type: 3, ops: [{ ...eq, value: Number.NaN }] }] },
      /whole number/,
    ],
    [
      'a number that lost digits',
      { ...base, components: [{ type: 3, ops: [{ ...eq, value: 2 ** 60 }] }] },
      /whole/,
    ],
    ['2^64', { ...base, components: [{ type: 3, ops: [{ ...eq, value: 2n ** 64n }] }] }, /above/],
    ['a DSCP of 64', { ...base, components: [{ type: 11, ops: [{ ...eq, value: 64 }] }] }, /above 63/],
    [
      'a flow label in IPv4',
      { ...base, components: [{ type: 13, ops: [{ ...eq, value: 1 }] }] },
      /IPv6 only/,
    ],
    [
      'DF in IPv6',
      {
        afi: 2,
        safi: 133,
        components: [{ type: 12, ops: [{ and: false, not: false, match: true, value: 1 }] }],
      },
      /0xe/,
    ],
    [
      'an IPv6 prefix in IPv4',
      { ...base, components: [{ type: 1, prefix: prefix6, offset: 0 }] },
      /not an IPv4/,
    ],
    ['an offset in IPv4', { ...base, components: [{ type: 1, prefix, offset: 8 }] }, /IPv6 only/],
    [
      'an offset at the length',
      { afi: 2, safi: 133, components: [{ type: 1, prefix: prefix6, offset: 32 }] },
      /not below/,
    ],
    [
      'a route distinguisher without SAFI 134',
      { ...base, rd: new Uint8Array(8), components: [{ type: 1, prefix, offset: 0 }] },
      /needs SAFI 134/,
    ],
    [
      'SAFI 134 without a route distinguisher',
      { afi: 1, safi: 134, components: [{ type: 1, prefix, offset: 0 }] },
      /of 8 octets/,
    ],
  ];
  for (const [what, spec, message] of CASES) {
    it(what, () => {
      assert.throws(
        () => encodeFlowSpec(spec),
        (error) => error instanceof FlowSpecError && message.test(error.message),
      );
    });
  }
});

describe('the NLRI field of an UPDATE', () => {
  it('is empty in End-of-RIB', () => {
    assert.deepEqual(decodeFlowSpecList(octets(''), 1, 133), []);
  });

  it('is read on behind a malformed NLRI', () => {
    const list = decodeFlowSpecList(octets('03 038106  03 030106  03 038111'), 1, 133);
    assert.deepEqual(
      list.map(({ octets: each, result }) => [toHex(each), result.ok]),
      [
        ['03038106', true],
        ['03030106', false],
        ['03038111', true],
      ],
    );
  });

  it('ends where the boundaries are lost', () => {
    const list = decodeFlowSpecList(octets('03 038106  09 0381'), 1, 133);
    assert.deepEqual(
      list.map(({ octets: each, result }) => [toHex(each), result.ok ? 'ok' : result.error.treatment]),
      [
        ['03038106', 'ok'],
        ['090381', 'afi-safi-disable'],
      ],
    );
  });

  it('keeps the octets as they stood beside the canonical ones', () => {
    const [first] = decodeFlowSpecList(octets('f003 038106  03 038111'), 1, 133);
    assert.ok(first?.result.ok);
    assert.equal(toHex(first.octets), 'f003038106');
    assert.equal(toHex(first.result.value.canonical), '03038106');
  });

  it('does not hold on to the memory that it was read from', () => {
    const field = octets('03 038106  03 038111');
    const [first] = decodeFlowSpecList(field, 1, 133);
    field.fill(0);
    assert.equal(toHex(first?.octets ?? new Uint8Array()), '03038106');
  });
});

describe('properties of the codec', () => {
  it('decode(encode(rule)) is the rule', () => {
    fc.assert(
      fc.property(anyFlowSpec, (spec) => {
        const nlri = encodeFlowSpec(spec);
        const result = decoded(decodeFlowSpec(nlri, spec.afi, spec.safi));
        assert.deepEqual(result.spec, spec);
        assert.deepEqual(result.tolerated, []);
      }),
      { numRuns: 500 },
    );
  });

  it('any octets end in a value; those that are canonical encode to themselves', () => {
    const noise = fc.uint8Array({ maxLength: 300 });
    const mutated = fc
      .tuple(anyFlowSpec, fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 4 }), fc.nat(3))
      .map(([spec, changes, cut]) => {
        const nlri = encodeFlowSpec(spec);
        for (const [where, value] of changes) nlri[where % nlri.length] = value;
        return nlri.subarray(0, nlri.length - Math.min(cut, nlri.length));
      });
    const family = fc.tuple(fc.constantFrom(1, 2), fc.constantFrom(133, 134));
    fc.assert(
      fc.property(fc.oneof(noise, mutated), family, (bytes, [afi, safi]) => {
        const result = decodeFlowSpec(bytes, afi, safi);
        if (!result.ok) return assert.notEqual(result.error.reason, '');
        const again = encodeFlowSpec(result.value.spec);
        assert.equal(toHex(again), toHex(result.value.canonical));
        if (result.value.tolerated.length === 0) assert.equal(toHex(again), toHex(bytes));
        else assert.notEqual(toHex(again), toHex(bytes));
      }),
      { numRuns: 3000 },
    );
  });

  it('a list covers the whole field, octet for octet', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (field) => {
        const list = decodeFlowSpecList(field, 1, 133);
        assert.equal(list.map((entry) => toHex(entry.octets)).join(''), toHex(field));
      }),
      { numRuns: 1000 },
    );
  });
});
