import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { encodeActions } from '../../../src/bgp/flowspec/actions.ts';
import { DIALECTS, type Dialect, renderForDialect } from '../../../src/bgp/flowspec/dialect.ts';
import { intervalsOf, alternatives } from '../../../src/bgp/flowspec/intervals.ts';
import { encodeFlowSpec } from '../../../src/bgp/flowspec/nlri.ts';
import { parseRule } from '../../../src/bgp/flowspec/notation/parse.ts';
import { formatRule } from '../../../src/bgp/flowspec/notation/format.ts';
import type { Action, FlowSpec, NumericOp } from '../../../src/bgp/flowspec/types.ts';
import { anyActions, anyFlowSpec } from './arbitraries.ts';

/** The rules that a platform is told, as text; or the refusal. */
function said(dialect: Dialect, text: string): readonly string[] | string {
  const parsed = parseRule(text);
  if (!parsed.ok) assert.fail(parsed.error.message);
  const rendering = renderForDialect(dialect, parsed.value.spec, parsed.value.actions);
  if (!rendering.ok) return rendering.error;
  return rendering.value.map(({ spec, actions }) => formatRule(spec, actions));
}

const AROUND_DNS_AND_NTP =
  'match dst 203.0.113.10/32 proto udp dst-port <53,>53&<123,>123 then rate-limit 10mbps';

describe('every platform', () => {
  for (const dialect of DIALECTS) {
    it(`${dialect} is told destination, protocol, ports and a discard as they are`, () => {
      const text = 'match dst 203.0.113.10/32 proto udp dst-port <53,>53&<123,>123 then discard';
      assert.deepEqual(said(dialect, text), [text]);
    });

    it(`${dialect} is never told !=, but the ranges around it`, () => {
      assert.deepEqual(said(dialect, 'match dst 203.0.113.10/32 dst-port !=53&!=123 then discard'), [
        'match dst 203.0.113.10/32 dst-port <53,>53&<123,>123 then discard',
      ]);
      assert.deepEqual(said(dialect, 'match proto !=udp then discard'), ['match proto <17,>17 then discard']);
      assert.deepEqual(said(dialect, 'match port true:5 then discard'), ['match port >=0 then discard']);
    });

    it(`${dialect} is told a discard with too many ports as several rules, and a rate not at all`, () => {
      const match = 'match dst 203.0.113.10/32 proto udp dst-port 1,3,5,7,9,11,13';
      assert.deepEqual(said(dialect, `${match} then discard`), [
        'match dst 203.0.113.10/32 proto udp dst-port 1,3,5,7,9 then discard',
        'match dst 203.0.113.10/32 proto udp dst-port 11,13 then discard',
      ]);
      assert.match(String(said(dialect, `${match} then rate-limit 10mbps`)), /cannot be split|not applied/);
    });

    it(`${dialect} is told adjacent ports as one range before anything is split`, () => {
      assert.deepEqual(said(dialect, 'match proto udp dst-port 1,2,3,4,5,6,7,20 then discard'), [
        'match proto udp dst-port >0&<8,20 then discard',
      ]);
    });

    it(`${dialect} keeps a range whole when it splits`, () => {
      assert.deepEqual(said(dialect, 'match dst-port <10,>20&<30,>40&<50,>60&<70 then discard'), [
        'match dst-port <10,>20&<30,>40&<50 then discard',
        'match dst-port >60&<70 then discard',
      ]);
    });

    it(`${dialect} is told every combination when two components are too long`, () => {
      const rules = said(dialect, 'match dst-port 1,3,5,7,9,11 src-port 1,3,5,7,9,11 then discard');
      assert.deepEqual(rules, [
        'match dst-port 1,3,5,7,9 src-port 1,3,5,7,9 then discard',
        'match dst-port 1,3,5,7,9 src-port 11 then discard',
        'match dst-port 11 src-port 1,3,5,7,9 then discard',
        'match dst-port 11 src-port 11 then discard',
      ]);
    });

    it(`${dialect} is not told a rule that falls into too many parts`, () => {
      const ports = Array.from({ length: 400 }, (_, i) => 2 * i + 1).join(',');
      assert.match(String(said(dialect, `match dst-port ${ports} then discard`)), /more than 64 rules/);
    });

    it(`${dialect} is not told what is impossible or cannot be encoded`, () => {
      assert.match(String(said(dialect, 'match length 99971 then discard')), /above 65535/);
      const bad: readonly Action[] = [{ type: 'traffic-rate', bitsPerSecond: Number.NaN, asn: 0 }];
      const parsed = parseRule('match dst 203.0.113.10/32');
      assert.ok(parsed.ok);
      const rendering = renderForDialect(dialect, parsed.value.spec, bad);
      assert.ok(!rendering.ok);
      assert.match(rendering.error, /not a rate/);
    });

    it(`${dialect} is not told prefixes with an offset, which routers read differently`, () => {
      assert.match(String(said(dialect, 'match dst 2001:db8::1/128 offset 64 then discard')), /offset/);
    });

    it(`${dialect} is not told a rate that it would count as no byte at all`, () => {
      assert.match(String(said(dialect, 'match proto udp then rate-limit 4bps')), /below 1 byte|not applied/);
    });

    it(`${dialect} is not told rates in packets or actions that are not known here`, () => {
      assert.match(String(said(dialect, 'match proto udp then rate-limit 5pps')), /0x800c/);
      assert.match(
        String(said(dialect, 'match proto udp then discard community 0x0002fde800000064')),
        /does not know this action/,
      );
    });

    it(`${dialect} is told rates with an id of zero`, () => {
      assert.deepEqual(said(dialect, 'match proto udp then discard asn 65000'), [
        'match proto udp then discard',
      ]);
    });
  }
});

/** A platform, a rule, and what it is told; a pattern is the reason why it is told nothing. */
const TABLE: readonly (readonly [dialect: Dialect, rule: string, outcome: string | RegExp])[] = [
  ['generic', AROUND_DNS_AND_NTP, AROUND_DNS_AND_NTP],
  ['juniper', AROUND_DNS_AND_NTP, AROUND_DNS_AND_NTP],
  ['cisco-xr', AROUND_DNS_AND_NTP, AROUND_DNS_AND_NTP],
  ['nokia', AROUND_DNS_AND_NTP, AROUND_DNS_AND_NTP],
  ['huawei', AROUND_DNS_AND_NTP, AROUND_DNS_AND_NTP],
  ['arista', AROUND_DNS_AND_NTP, /not applied/],
  ['generic', 'match port 53 dst-port 53 then discard', 'match port 53 dst-port 53 then discard'],
  ['juniper', 'match port 53 dst-port 53 then discard', /port and dst-port cannot be combined/],
  ['juniper', 'match port 53 src-port 53 then discard', /port and src-port cannot be combined/],
  ['huawei', 'match port 53 dst-port 53 then discard', /port and dst-port cannot be combined/],
  ['juniper', 'match dst-port 53 src-port 53 then discard', 'match dst-port 53 src-port 53 then discard'],
  ['cisco-xr', 'match fragment is-fragment then discard', 'match fragment is-fragment then discard'],
  ['cisco-xr', 'match fragment =is-fragment then discard', 'match fragment =is-fragment then discard'],
  ['cisco-xr', 'match fragment !is-fragment then discard', /supported is is-fragment/],
  ['cisco-xr', 'match fragment first-fragment then discard', /supported is is-fragment/],
  ['cisco-xr', 'match fragment is-fragment|first-fragment then discard', /supported is is-fragment/],
  ['cisco-xr', 'match fragment is-fragment,first-fragment then discard', /supported is is-fragment/],
  ['juniper', 'match fragment first-fragment then discard', 'match fragment first-fragment then discard'],
  ['generic', 'match flow-label 7 then discard', 'match flow-label 7 then discard'],
  ['juniper', 'match flow-label 7 then discard', /flow-label cannot be matched/],
  ['nokia', 'match flow-label 7 then discard', /flow-label cannot be matched/],
  [
    'generic',
    'match proto udp then redirect ip 192.0.2.1 copy',
    'match proto udp then redirect ip 192.0.2.1 copy',
  ],
  [
    'juniper',
    'match proto udp then redirect next-hop 192.0.2.1',
    'match proto udp then redirect ip 192.0.2.1',
  ],
  ['juniper', 'match proto udp then redirect ip 192.0.2.1 copy', /copy is not supported/],
  ['juniper', 'match dst 2001:db8::1 then redirect ip 2001:db8::2', /IPv6 address is not supported/],
  [
    'nokia',
    'match dst 2001:db8::1 then redirect ip 2001:db8::2',
    'match dst 2001:db8::1/128 then redirect ip 2001:db8::2',
  ],
  [
    'cisco-xr',
    'match proto udp then redirect ip 192.0.2.1',
    'match proto udp then redirect next-hop 192.0.2.1',
  ],
  ['cisco-xr', 'match rd 1:1 proto udp then redirect ip 192.0.2.1', /default VRF only/],
  ['arista', 'match proto udp then redirect ip 192.0.2.1', /not supported/],
  [
    'huawei',
    'match proto udp then redirect next-hop 192.0.2.1',
    'match proto udp then redirect ip 192.0.2.1',
  ],
  ['generic', 'match proto udp then redirect ip 2001:db8::1', /another family/],
  ['juniper', 'match proto udp then redirect vrf 65000:100', 'match proto udp then redirect vrf 65000:100'],
  ['juniper', 'match dst 2001:db8::1 then redirect vrf [2001:db8::1]:1', /IPv6 address is not supported/],
  ['juniper', 'match proto udp then discard sample', 'match proto udp then discard sample'],
  ['cisco-xr', 'match proto udp then discard sample', /sample is not supported/],
  ['huawei', 'match proto udp then terminal', /terminal is not supported/],
  ['arista', 'match proto udp then mark ef', /mark is not supported/],
];

describe('one platform and another', () => {
  for (const [dialect, text, outcome] of TABLE) {
    it(`${dialect}: ${text}`, () => {
      const answer = said(dialect, text);
      if (typeof outcome === 'string') assert.deepEqual(answer, [outcome]);
      else {
        assert.match(String(answer), outcome);
        assert.equal(typeof answer, 'string');
      }
    });
  }

  it('generic does not split a rule whose packets go on to further rules', () => {
    const text = 'match dst-port 1,3,5,7,9,11 then sample terminal';
    assert.match(String(said('generic', text)), /cannot be split/);
  });

  it('generic does not split what must hold at once', () => {
    const text = 'match tcp-flags =syn&!ack&!rst&!fin&!psh&!urg then discard';
    assert.match(String(said('generic', text)), /tcp-flags: an alternative has more than 5/);
  });
});

/** Whether a value is matched by the alternatives of a list of numeric operators. */
function matches(ops: readonly NumericOp[], value: number): boolean {
  return alternatives(ops).some((group) =>
    intervalsOf(group, 65535).some(([a, b]) => a <= value && value <= b),
  );
}

function destinationPorts(spec: FlowSpec): readonly NumericOp[] {
  const component = spec.components.find((each) => each.type === 5);
  return component?.type === 5 ? component.ops : [];
}

describe('a rate that parts of a rule may share', () => {
  const share = (text: string): readonly string[] | string => {
    const rule = parseRule(text);
    assert.ok(rule.ok, text);
    const rendering = renderForDialect('generic', rule.value.spec, rule.value.actions, { shareRate: true });
    return rendering.ok
      ? rendering.value.map(({ spec, actions }) => formatRule(spec, actions))
      : rendering.error;
  };

  it('is divided among them', () => {
    assert.deepEqual(
      share('match dst 203.0.113.20/32 proto tcp dst-port <22,>22&<80,>80&<443,>443 then rate-limit 10mbps'),
      [
        'match dst 203.0.113.20/32 proto tcp dst-port <22,>22&<80,>80&<443 then rate-limit 5mbps',
        'match dst 203.0.113.20/32 proto tcp dst-port >443 then rate-limit 5mbps',
      ],
    );
  });

  it('stays whole where one rule is enough', () => {
    const text = 'match dst 203.0.113.20/32 proto tcp dst-port <22,>22 then rate-limit 10mbps';
    assert.deepEqual(share(text), [text]);
  });

  it('is rounded down to whole bytes, so that the parts never let more pass than the whole', () => {
    const ports = '=1,=3,=5,=7,=9,=11,=13,=15,=17,=19,=21';
    const rates = share(`match dst 203.0.113.20/32 dst-port ${ports} then rate-limit 1000bps`);
    assert.ok(typeof rates !== 'string');
    // 125 bytes a second among three: 41 each.
    assert.deepEqual(
      rates.map((text) => text.replace(/.*then /, '')),
      ['rate-limit 328bps', 'rate-limit 328bps', 'rate-limit 328bps'],
    );
  });

  it('is refused below a byte a second for each', () => {
    const why = share('match dst 203.0.113.20/32 dst-port =1,=3,=5,=7,=9,=11 then rate-limit 8bps');
    assert.equal(why, 'generic: the rate divided among 2 rules is below 1 byte a second each');
  });

  it('shares nothing but the rate: what else cannot be split still cannot', () => {
    const why = share(
      'match dst 203.0.113.20/32 dst-port =1,=3,=5,=7,=9,=11 then rate-limit 10mbps sample terminal',
    );
    assert.match(String(why), /a rule with traffic-action cannot be split/);
  });
});

describe('properties of every rendering', () => {
  const anyDialect = fc.constantFrom(...DIALECTS);

  it('it encodes, keeps the bound on operators, and has no !=', () => {
    fc.assert(
      fc.property(anyDialect, anyFlowSpec, anyActions, (dialect, spec, actions) => {
        const rendering = renderForDialect(dialect, spec, actions);
        if (!rendering.ok) return assert.ok(rendering.error.startsWith(`${dialect}: `));
        assert.ok(rendering.value.length > 0);
        for (const each of rendering.value) {
          encodeFlowSpec(each.spec);
          encodeActions(each.actions);
          assert.deepEqual(
            each.spec.components.map((component) => component.type),
            spec.components.map((component) => component.type),
          );
          for (const component of each.spec.components) {
            if (!('ops' in component)) continue;
            assert.ok(component.ops.length <= 5);
            for (const op of component.ops) assert.ok(!('lt' in op && op.lt && op.gt));
          }
        }
      }),
    );
  });

  it('its rules together match exactly what was asked for', () => {
    const value = fc.oneof(fc.integer({ min: 0, max: 20 }), fc.constantFrom(0, 53, 65534, 65535));
    const op = fc.record({ and: fc.boolean(), lt: fc.boolean(), gt: fc.boolean(), eq: fc.boolean(), value });
    const lists = fc.array(op, { minLength: 1, maxLength: 12 });
    fc.assert(
      fc.property(anyDialect, lists, (dialect, list) => {
        const ops = list.map((each, i) => (i === 0 ? { ...each, and: false } : each));
        const spec: FlowSpec = { afi: 1, safi: 133, components: [{ type: 5, ops }] };
        const discard: readonly Action[] = [{ type: 'traffic-rate', bitsPerSecond: 0, asn: 0 }];
        const rendering = renderForDialect(dialect, spec, discard);
        if (!rendering.ok) return;
        for (const port of [...Array(25).keys(), 52, 53, 54, 65533, 65534, 65535]) {
          const wanted = list.length > 0 && byDefinition(ops, port);
          assert.equal(
            rendering.value.some((each) => matches(destinationPorts(each.spec), port)),
            wanted,
          );
        }
      }),
      { numRuns: 1000 },
    );
  });
});

/** RFC 8955 §4.2.1.1 word for word: AND binds to the pair before, OR starts anew. */
function byDefinition(ops: readonly NumericOp[], value: number): boolean {
  let any = false;
  let all = true;
  for (const [i, op] of ops.entries()) {
    const limit = Number(op.value);
    const holds = (op.lt && value < limit) || (op.gt && value > limit) || (op.eq && value === limit);
    if (i > 0 && !op.and) {
      any ||= all;
      all = true;
    }
    all &&= holds;
  }
  return any || all;
}
