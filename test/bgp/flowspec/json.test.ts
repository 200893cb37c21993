import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { encodeActions } from '../../../src/bgp/flowspec/actions.ts';
import { decodeLine, encodeLine, orderLines } from '../../../src/tools/rule-lines.ts';
import { encodeFlowSpec } from '../../../src/bgp/flowspec/nlri.ts';
import { toHex } from '../../../src/net/bytes.ts';
import { anyActions, anyFlowSpec } from './arbitraries.ts';

const eq = { and: false, lt: false, gt: false, eq: true };

describe('decodeLine', () => {
  it('answers with the rule, its components and the canonical octets', () => {
    assert.deepEqual(decodeLine({ afi: 1, safi: 133, nlri: '0b0118c00002038106048119' }), {
      ok: true,
      rule: 'match dst 192.0.2.0/24 proto tcp port 25',
      components: [
        { type: 1, prefix: '192.0.2.0/24' },
        { type: 3, ops: [{ ...eq, value: 6 }] },
        { type: 4, ops: [{ ...eq, value: 25 }] },
      ],
      nlri: '0b0118c00002038106048119',
    });
  });

  it('shows offset, bitmask operators and the route distinguisher', () => {
    const line = {
      afi: 2,
      safi: 134,
      nlri: '140000ffff00010000026841 2468acf134 098112'.replaceAll(' ', ''),
    };
    assert.deepEqual(decodeLine({ ...line, nlri: `13${line.nlri.slice(2)}` }), {
      ok: true,
      rule: 'match rd 65535:65536 src ::1234:5678:9a00:0/104 offset 65 tcp-flags =syn+ack',
      rd: '65535:65536',
      components: [
        { type: 2, prefix: '::1234:5678:9a00:0/104', offset: 65 },
        { type: 9, ops: [{ and: false, not: false, match: true, value: 18 }] },
      ],
      nlri: `13${line.nlri.slice(2)}`,
    });
  });

  it('says what it tolerated and writes it canonically', () => {
    const answer = decodeLine({ afi: 1, safi: 133, nlri: '0405910035' });
    assert.equal(answer.nlri, '03058135');
    assert.deepEqual(answer.tolerated, ['dst-port: a value takes 2 octets, fewer are enough']);
  });

  it('says what is malformed, and what RFC 7606 makes of it', () => {
    assert.deepEqual(decodeLine({ afi: 1, safi: 133, nlri: '03030106' }), {
      ok: false,
      error: 'proto: the NLRI ends without an end-of-list operator',
      treatment: 'treat-as-withdraw',
    });
  });

  it('reads actions that ride along, in the rule and as JSON', () => {
    const answer = decodeLine({
      afi: 1,
      safi: 133,
      nlri: '03038111',
      actions: ['8006000049989680', '800900000000002e', '0800000000000001'],
      next_hop: 'c0000201',
    });
    assert.equal(
      answer.rule,
      'match proto udp then rate-limit 10mbps mark ef redirect next-hop 192.0.2.1 copy',
    );
    assert.deepEqual(answer.actions, [
      { type: 'traffic-rate', rate_bps: 10_000_000, asn: 0 },
      { type: 'marking', dscp: 46 },
      { type: 'redirect-ip', form: 'draft-00', address: '192.0.2.1', copy: true },
    ]);
  });

  it('refuses actions that are malformed', () => {
    const answer = decodeLine({ afi: 1, safi: 133, nlri: '03038111', actions: ['800600007fc00000'] });
    assert.deepEqual(answer, {
      ok: false,
      error: 'traffic-rate-bytes: the rate is NaN',
      treatment: 'treat-as-withdraw',
    });
  });

  it('writes values above 2^53 - 1 as decimal strings', () => {
    const answer = decodeLine({ afi: 1, safi: 133, nlri: '0a0ab10020000000000000' });
    assert.deepEqual(answer.components, [
      { type: 10, ops: [{ ...eq, value: '9007199254740992', oversize: true }] },
    ]);
  });

  for (const [what, json, error] of [
    ['no object', 'nonsense', /line: expected an object/],
    ['null', null, /line: expected an object/],
    ['a list', [], /line: expected an object/],
    ['no octets', { afi: 1, safi: 133 }, /nlri: expected a string/],
    ['half an octet', { afi: 1, safi: 133, nlri: '038' }, /nlri: expected an even number/],
    ['no hexadecimal', { afi: 1, safi: 133, nlri: 'zz' }, /nlri: expected an even number/],
    ['no family', { nlri: '03038111' }, /afi: expected a number/],
    ['a misspelt key', { afi: 1, safi: 133, nrli: '03038111' }, /unknown key "nrli"/],
    [
      'an action of 7 octets',
      { afi: 1, safi: 133, nlri: '03038111', actions: ['80060000000000'] },
      /actions\[0\]/,
    ],
    [
      'an action that is no text',
      { afi: 1, safi: 133, nlri: '03038111', actions: [1] },
      /actions\[0\]: expected a string/,
    ],
  ] as const) {
    it(`answers to ${what} with an error`, () => {
      const answer = decodeLine(json);
      assert.equal(answer.ok, false);
      assert.match(String(answer.error), error);
    });
  }
});

describe('encodeLine', () => {
  it('answers with the canonical octets', () => {
    const components = [
      { type: 1, prefix: '203.0.113.10/32' },
      { type: 5, ops: [{ eq: true, value: 53 }] },
    ];
    assert.deepEqual(encodeLine({ afi: 1, components }), { ok: true, nlri: '090120cb00710a058135' });
  });

  it('sorts components, which are one condition in any order', () => {
    const components = [
      { type: 5, ops: [{ eq: true, value: 53 }] },
      { type: 1, prefix: '203.0.113.10/32' },
    ];
    assert.equal(encodeLine({ afi: 1, safi: 133, components }).nlri, '090120cb00710a058135');
  });

  it('takes a route distinguisher and is then for SAFI 134', () => {
    const components = [{ type: 1, prefix: '203.0.113.10/32' }];
    const nlri = '0e0000ffff000100000120cb00710a';
    assert.equal(encodeLine({ afi: 1, rd: '65535:65536', components }).nlri, nlri);
    assert.equal(encodeLine({ afi: 1, safi: 134, rd: '65535:65536', components }).nlri, nlri);
  });

  it('takes actions as JSON and answers with their octets', () => {
    const components = [{ type: 1, prefix: '203.0.113.10/32' }];
    const actions = [
      { type: 'traffic-rate', rate_bps: 10_000_000 },
      { type: 'redirect-ip', address: '2001:db8::1' },
    ];
    assert.deepEqual(encodeLine({ afi: 1, components, actions }).actions, [
      '8006000049989680',
      '000c20010db80000000000000000000000010000',
    ]);
  });

  it('takes a rule in operator notation', () => {
    assert.deepEqual(encodeLine({ rule: 'match dst 203.0.113.10/32 dst-port 53 then discard' }), {
      ok: true,
      nlri: '090120cb00710a058135',
      actions: ['8006000000000000'],
    });
  });

  it('takes values above 2^53 - 1 as decimal strings, and refuses them as numbers, which have lost digits', () => {
    const line = (value: unknown) => ({
      afi: 1,
      components: [{ type: 10, ops: [{ eq: true, value, oversize: true }] }],
    });
    assert.equal(encodeLine(line('18446744073709551615')).nlri, '0a0ab1ffffffffffffffff');
    assert.match(String(encodeLine(line(2 ** 53)).error), /decimal string/);
  });

  for (const [type, name, most] of [
    [3, 'proto', 255],
    [4, 'port', 65535],
    [5, 'dst-port', 65535],
    [6, 'src-port', 65535],
    [7, 'icmp-type', 255],
    [8, 'icmp-code', 255],
    [10, 'length', 65535],
    [11, 'dscp', 63],
    [13, 'flow-label', 1_048_575],
  ] as const) {
    it(`refuses a ${name} above ${most} and says so, however it is written`, () => {
      const line = (value: number | string) => ({
        afi: 2,
        components: [
          { type: 1, prefix: '2001:db8::10/128' },
          { type, ops: [{ eq: true, value }] },
        ],
      });
      assert.equal(encodeLine(line(most)).ok, true);
      for (const value of [most + 1, String(most + 1), '18446744073709551615']) {
        const answer = encodeLine(line(value));
        assert.equal(answer.ok, false);
        assert.equal(
          answer.error,
          `components[1].ops[0].value: ${name} ${value} is above ${most}, the field's maximum`,
        );
      }
      const text = (value: number) => ({ rule: `match dst 2001:db8::10/128 ${name} ${value}` });
      assert.equal(encodeLine(text(most)).ok, true);
      assert.match(String(encodeLine(text(most + 1)).error), new RegExp(`${most + 1} is above ${most}`));
    });
  }

  it('takes the very line of decode, redirects to the next hop without one included', () => {
    const line = decodeLine({ afi: 1, safi: 133, nlri: '03038111', actions: ['0800000000000001'] });
    assert.equal(line.rule, 'match proto udp then redirect next-hop copy');
    const back = { ok: true, nlri: '03038111', actions: ['0800000000000001'] };
    assert.deepEqual(encodeLine(line), back);
    assert.deepEqual(encodeLine({ afi: 1, components: line.components, actions: line.actions }), back);
    assert.deepEqual(encodeLine({ afi: 1, safi: 133, ...line }), back);
  });

  it('takes actions of one kind that a router sent twice, and says that they contradict each other', () => {
    const actions = ['8006000000000000', '8006000049989680'];
    const line = decodeLine({ afi: 1, safi: 133, nlri: '03038111', actions });
    const note = ['more than one rate-limit or discard: routers differ in which they apply'];
    assert.deepEqual(line.tolerated, note);
    assert.deepEqual(encodeLine(line), { ok: true, nlri: '03038111', actions, tolerated: note });
  });

  it('takes values that no packet can have from decode, which marks them', () => {
    const line = decodeLine({ afi: 1, safi: 133, nlri: '0605a100011170' });
    assert.deepEqual(line.tolerated, ["dst-port 70000 is above 65535, the field's maximum"]);
    assert.equal(encodeLine(line).nlri, '0605a100011170');
    assert.equal(encodeLine({ afi: 1, components: line.components }).nlri, '0605a100011170');
  });

  it('refuses an error of decode as what it is, and a line whose rule and components differ', () => {
    const malformed = decodeLine({ afi: 1, safi: 133, nlri: '0101' });
    assert.match(String(encodeLine(malformed).error), /an error from decode/);
    const line = { ...decodeLine({ afi: 1, safi: 133, nlri: '03038111' }), rule: 'match proto tcp' };
    assert.match(String(encodeLine(line).error), /different rules/);
  });

  const dst = { type: 1, prefix: '203.0.113.10/32' };
  for (const [what, json, error] of [
    ['no family', { components: [dst] }, /afi: expected 1 or 2/],
    ['no components', { afi: 1, components: [] }, /every packet/],
    ['components that are no list', { afi: 1, components: {} }, /components: expected an array/],
    ['a component twice', { afi: 1, components: [dst, dst] }, /dst appears twice/],
    ['an unknown type', { afi: 1, components: [{ type: 14, ops: [] }] }, /components\[0\]\.type/],
    [
      'host bits',
      { afi: 1, components: [{ type: 1, prefix: '203.0.113.10/24' }] },
      /components\[0\]\.prefix/,
    ],
    ['an IPv6 prefix in IPv4', { afi: 1, components: [{ type: 1, prefix: '2001:db8::/32' }] }, /not an IPv4/],
    [
      'an offset beyond the prefix',
      { afi: 2, components: [{ type: 1, prefix: '::/0', offset: 5 }] },
      /offset 5/,
    ],
    ['a wild offset', { afi: 2, components: [{ type: 1, prefix: '::/0', offset: 1e9 }] }, /offset/],
    ['operators of a prefix', { afi: 1, components: [{ ...dst, ops: [] }] }, /unknown key "ops"/],
    [
      'a misspelt operator',
      { afi: 1, components: [{ type: 3, ops: [{ equal: true, value: 6 }] }] },
      /"equal"/,
    ],
    ['no value', { afi: 1, components: [{ type: 3, ops: [{ eq: true }] }] }, /ops\[0\]\.value/],
    [
      'a flag that is no boolean',
      { afi: 1, components: [{ type: 3, ops: [{ eq: 1, value: 6 }] }] },
      /ops\[0\]\.eq/,
    ],
    [
      'AND on the first',
      { afi: 1, components: [{ type: 3, ops: [{ and: true, eq: true, value: 6 }] }] },
      /first operator cannot have AND/,
    ],
    [
      'a bad route distinguisher',
      { afi: 1, rd: 'x', components: [dst] },
      /rd: expected a route distinguisher such as "65000:100"/,
    ],
    ['SAFI 134 without one', { afi: 1, safi: 134, components: [dst] }, /route distinguisher/],
    ['another SAFI', { afi: 1, safi: 1, components: [dst] }, /safi: expected 133 or 134/],
    ['an unknown action', { afi: 1, components: [dst], actions: [{ type: 'drop' }] }, /actions\[0\]\.type/],
    [
      'a rate that is no number',
      { afi: 1, components: [dst], actions: [{ type: 'traffic-rate', rate_bps: '1' }] },
      /rate_bps/,
    ],
    [
      'a rate that would be a discard',
      { afi: 1, components: [dst], actions: [{ type: 'traffic-rate', rate_bps: 1e-60 }] },
      /discard everything/,
    ],
    ['a rule that does not parse', { rule: 'match port x' }, /offset 11.*"x"/],
  ] as const) {
    it(`answers to ${what} with an error`, () => {
      const answer = encodeLine(json);
      assert.equal(answer.ok, false);
      assert.match(String(answer.error), error);
    });
  }
});

describe('orderLines', () => {
  it('puts lines of any form into order of precedence, equal ones as they came, and reports the rest', () => {
    const lines = [
      { afi: 1, safi: 133, nlri: '03038111' },
      { afi: 1, components: [{ type: 1, prefix: '192.0.2.0/24' }] },
      'nonsense',
      { ok: true, rule: 'match dst 192.0.2.128/25', components: [], nlri: '00' },
      { afi: 1, safi: 133, nlri: '050118c00002' },
      { afi: 1, safi: 133, nlri: '00' },
    ];
    const { order, errors } = orderLines(lines);
    assert.deepEqual(order, [3, 1, 4, 0]);
    assert.deepEqual(
      errors.map(({ index }) => index),
      [2, 5],
    );
  });
});

/** Octets of rules with a few octets changed, with their length set right again. */
const mutatedNlri = fc
  .tuple(anyFlowSpec, fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 3 }))
  .map(([spec, changes]) => {
    const nlri = encodeFlowSpec(spec);
    for (const [at, octet] of changes) if (at % nlri.length > 1) nlri[at % nlri.length] = octet;
    return { afi: spec.afi, safi: spec.safi, nlri: toHex(nlri) };
  });

/** Communities of types that are actions, and of others, with any octets behind the type. */
const anyCommunity = fc.oneof(
  fc
    .tuple(
      fc.constantFrom(0x8006, 0x800c, 0x8007, 0x8009, 0x8008, 0x8108, 0x8208, 0x010c, 0x0800, 0x0002, 0x000c),
      fc.uint8Array({ minLength: 6, maxLength: 6 }),
    )
    .map(([type, rest]) => toHex(Uint8Array.of(type >>> 8, type & 0xff, ...rest))),
  fc
    .tuple(fc.constantFrom(0x000c, 0x000d, 0x800b, 0x0002), fc.uint8Array({ minLength: 18, maxLength: 18 }))
    .map(([type, rest]) => toHex(Uint8Array.of(type >>> 8, type & 0xff, ...rest))),
);
const anyNextHop = fc.oneof(
  fc.constant(undefined),
  fc.constantFrom(0, 4, 7, 16, 32).chain((length) => fc.uint8Array({ minLength: length, maxLength: length })),
  fc
    .uint8Array({ minLength: 4, maxLength: 4 })
    .map((v4) => Uint8Array.of(...Array(10).fill(0), 255, 255, ...v4)),
);

describe('properties of the lines', () => {
  it('encode takes whatever decode prints, and decode reads the same rule and actions from it', () => {
    let rules = 0;
    fc.assert(
      fc.property(
        mutatedNlri,
        fc.option(fc.array(anyCommunity, { maxLength: 4 }), { nil: undefined }),
        anyNextHop,
        (line, actions, nextHop) => {
          const hop = nextHop === undefined ? {} : { next_hop: toHex(nextHop) };
          const input = { ...line, ...(actions === undefined ? {} : { actions }), ...hop };
          const printed = JSON.parse(JSON.stringify(decodeLine(input)));
          if (printed.ok !== true) return;
          rules++;
          const { afi, safi } = line;
          const { rd, components, actions: read } = printed;
          for (const form of [printed, { afi, safi, rd, components, actions: read }]) {
            const encoded = JSON.parse(JSON.stringify(encodeLine(form)));
            assert.equal(encoded.ok, true, encoded.error);
            assert.equal(encoded.nlri, printed.nlri);
            const { nlri, actions: octets, next_hop } = encoded;
            const again = decodeLine({
              afi,
              safi,
              nlri,
              ...(octets === undefined ? {} : { actions: octets }),
              ...(next_hop === undefined ? {} : { next_hop }),
            });
            assert.deepEqual(again.actions, printed.actions);
            assert.deepEqual(again.components, printed.components);
            assert.equal(again.rule, printed.rule);
          }
        },
      ),
      { numRuns: 1000 },
    );
    assert.ok(rules > 100);
  });

  it('encodeLine(decodeLine(octets)) are the octets, through JSON', () => {
    fc.assert(
      fc.property(anyFlowSpec, anyActions, (spec, actions) => {
        const nlri = toHex(encodeFlowSpec(spec));
        const octets = encodeActions(actions);
        const communities = [
          ...(toHex(octets.extendedCommunities).match(/.{16}/g) ?? []),
          ...(toHex(octets.ipv6ExtendedCommunities).match(/.{40}/g) ?? []),
        ];
        const nextHop = octets.nextHop.length === 0 ? {} : { next_hop: toHex(octets.nextHop) };
        const answer = decodeLine({ afi: spec.afi, safi: spec.safi, nlri, actions: communities, ...nextHop });
        const { ok, rd, components, actions: read } = JSON.parse(JSON.stringify(answer));
        assert.equal(ok, true);
        const line = { afi: spec.afi, safi: spec.safi, rd, components, actions: read };
        assert.deepEqual(encodeLine(JSON.parse(JSON.stringify(line))), {
          ok: true,
          nlri,
          actions: communities,
          ...nextHop,
        });
      }),
    );
  });

  it('any JSON is answered', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (json) => {
        assert.equal(typeof decodeLine(json).ok, 'boolean');
        assert.equal(typeof encodeLine(json).ok, 'boolean');
        assert.equal(orderLines([json]).order.length + orderLines([json]).errors.length, 1);
      }),
    );
  });
});
