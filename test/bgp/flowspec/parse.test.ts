import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { parseRule, pointAt } from '../../../src/bgp/flowspec/notation/parse.ts';
import { formatRule } from '../../../src/bgp/flowspec/notation/format.ts';
import { anyActions, anyFlowSpec } from './arbitraries.ts';

/** What may be written, and how it is written back. */
const READ: readonly (readonly [text: string, canonical: string])[] = [
  ['match dst 203.0.113.10 then discard', 'match dst 203.0.113.10/32 then discard'],
  ['match   dst\t203.0.113.10/32\nthen discard', 'match dst 203.0.113.10/32 then discard'],
  [
    'match dst-port 53 proto udp dst 192.0.2.1 then accept',
    'match dst 192.0.2.1/32 proto udp dst-port 53 then accept',
  ],
  ['match dst 192.0.2.1', 'match dst 192.0.2.1/32 then accept'],
  ['match proto 17,TCP', 'match proto udp,tcp then accept'],
  ['match port =53', 'match port 53 then accept'],
  ['match port 0x35', 'match port 53 then accept'],
  ['match port 137-139,8080', 'match port >=137&<=139,8080 then accept'],
  ['match port < 53 , > 53 & < 123', 'match port <53,>53&<123 then accept'],
  ['match proto !=tcp', 'match proto !=tcp then accept'],
  ['match tcp-flags syn', 'match tcp-flags syn then accept'],
  ['match tcp-flags syn+ack', 'match tcp-flags =syn+ack then accept'],
  ['match tcp-flags ack|rst&!=syn', 'match tcp-flags rst|ack&!=syn then accept'],
  ['match tcp-flags 0x12', 'match tcp-flags syn|ack then accept'],
  ['match fragment isf|ff', 'match fragment is-fragment|first-fragment then accept'],
  ['match ipv6 fragment lf', 'match ipv6 fragment last-fragment then accept'],
  ['match ipv6 dst 2001:db8::/32', 'match dst 2001:db8::/32 then accept'],
  ['match flow-label 7', 'match flow-label 7 then accept'],
  ['match dscp 46', 'match dscp ef then accept'],
  ['match dst ::1:1234:5678:9a00:0/104 offset 65', 'match dst ::1234:5678:9a00:0/104 offset 65 then accept'],
  ['match rd 2:65000:1 dst 10.0.0.0/8', 'match rd 2:65000:1 dst 10.0.0.0/8 then accept'],
  ['match rd 0x0009000000000001 dst 10.0.0.0/8', 'match rd 0x0009000000000001 dst 10.0.0.0/8 then accept'],
  ['match proto udp then rate-limit 1.1Mbps', 'match proto udp then rate-limit 1100kbps'],
  ['match proto udp then rate-limit 10 mbps', 'match proto udp then rate-limit 10mbps'],
  ['match proto udp then rate-limit 2kpps', 'match proto udp then rate-limit 2000pps'],
  ['match proto udp then terminal discard sample', 'match proto udp then sample terminal discard'],
  ['match proto udp then mark 46', 'match proto udp then mark ef'],
];

describe('what operators write', () => {
  for (const [text, canonical] of READ) {
    it(text, () => {
      const parsed = parseRule(text);
      assert.ok(parsed.ok, parsed.ok ? '' : parsed.error.message);
      assert.equal(formatRule(parsed.value.spec, parsed.value.actions), canonical);
    });
  }
});

/** A text, the word at fault, and what the error says of it. */
const WRONG: readonly (readonly [text: string, word: string, message: RegExp, nearest?: string])[] = [
  ['', '', /text ends, expected match/],
  ['mach dst 192.0.2.1', 'mach', /"mach" is not understood/, 'match'],
  ['match', '', /text ends, expected a component/],
  ['match then discard', 'then', /expected a component/],
  ['match dst', '', /text ends, expected a prefix/],
  ['match dst then discard', 'then', /not an IPv4 or IPv6 prefix/],
  ['match dst 192.0.2.1/24', '192.0.2.1/24', /did you mean 192.0.2.0\/24/],
  ['match dst 192.0.2.0/33', '192.0.2.0/33', /from 0 to 32/],
  ['match dst-prot 53', 'dst-prot', /did you mean dst-port/, 'dst-port'],
  ['match destination-port 53', 'destination-port', /not a component/, 'dst-port'],
  ['match dst 192.0.2.1 dst 192.0.2.2', 'dst', /dst appears twice/],
  ['match rd 1:1 rd 1:2 dst 192.0.2.1', 'rd', /rd appears twice/],
  ['match dst 192.0.2.1 src 2001:db8::1', 'src', /rule for IPv6, which dst rules out/],
  ['match ipv4 flow-label 1', 'flow-label', /which ipv4 rules out/],
  ['match dst 192.0.2.0/24 offset 8', '8', /IPv6 only/],
  ['match dst 2001:db8::/32 offset 32', '32', /from 0 to 31/],
  ['match proto tpc', 'tpc', /expected a protocol/, 'tcp'],
  ['match proto udp, then discard', 'then', /expected a protocol/],
  ['match port &53', '&', /expected a number/],
  ['match port 53&', '', /text ends/],
  ['match port ><53', '<', /expected a number/],
  ['match port fifty', 'fifty', /expected a number/],
  ['match port 139-137', '139-137', /ends before it begins/],
  ['match port 18446744073709551616', '18446744073709551616', /above 18446744073709551615/],
  ['match dscp 64', '64', /above 63/],
  ['match flow-label 4294967296', '4294967296', /above 4294967295/],
  ['match tcp-flags synn', 'synn', /=a\+b for all of/, 'syn'],
  ['match tcp-flags syn+ack|fin', 'syn+ack|fin', /mixes/],
  ['match tcp-flags =syn|ack', 'syn|ack', /mixes/],
  ['match tcp-flags 0x10000', '0x10000', /expected/],
  ['match fragment 0x10', '0x10', /bits outside 0xf/],
  ['match proto udp then', '', /expected an action/],
  ['match proto udp then drop', 'drop', /did you mean discard/, 'discard'],
  ['match proto udp then discrad', 'discrad', /did you mean discard/, 'discard'],
  ['match proto udp then accept discard', 'discard', /nothing after accept/],
  ['match proto udp then rate-limit', '', /a rate such as/],
  ['match proto udp then rate-limit 0mbps', '0mbps', /write discard/],
  ['match proto udp then rate-limit -1mbps', '-1mbps', /a rate such as/],
  ['match proto udp then rate-limit NaNbps', 'NaNbps', /a rate such as/],
  ['match proto udp then rate-limit 10mbit', '10mbit', /a rate such as/],
  ['match proto udp then rate-limit 10', '', /bps, kbps/],
  ['match proto udp then discard asn 65536', '65536', /from 0 to 65535/],
  ['match proto udp then mark af44', 'af44', /DSCP from 0 to 63/, 'af41'],
  ['match proto udp then mark 64', '64', /DSCP from 0 to 63/],
  ['match proto udp then redirect vfr 1:1', 'vfr', /vrf, ip or next-hop/, 'vrf'],
  ['match proto udp then redirect vrf 65000', '65000', /a route target/],
  ['match proto udp then redirect vrf 70000:70000', '70000:70000', /a route target/],
  ['match proto udp then redirect ip nowhere', 'nowhere', /an IPv4 or IPv6 address/],
  ['match proto udp then traffic-action copy', 'copy', /none/],
  ['match proto udp then community 0x8006', '0x8006', /16 or 40/],
];

describe('what is wrong is pointed at', () => {
  for (const [text, word, message, nearest] of WRONG) {
    it(text === '' ? '(nothing)' : text, () => {
      const parsed = parseRule(text);
      assert.ok(!parsed.ok);
      const { error } = parsed;
      assert.equal(text.slice(error.offset, error.offset + error.length), word);
      if (word === '') assert.equal(error.offset, text.length);
      assert.match(error.message, message);
      assert.notEqual(error.expected, '');
      assert.equal(error.nearest, nearest);
    });
  }

  it('the second of two equal keywords, not the first', () => {
    const text = 'match dst 192.0.2.1 dst 192.0.2.2';
    const parsed = parseRule(text);
    assert.equal(!parsed.ok && parsed.error.offset, text.lastIndexOf('dst'));
  });

  it('in a terminal with marks under the word', () => {
    const text = 'match proto tpc then discard';
    const parsed = parseRule(text);
    assert.ok(!parsed.ok);
    const [shown, marks] = pointAt(text, parsed.error).split('\n');
    assert.equal(shown, text);
    assert.equal(marks?.indexOf('^^^ "tpc"'), text.indexOf('tpc'));
  });

  it('a rule that can be written but not encoded, as a whole', () => {
    for (const text of ['match ipv6 fragment df', 'match proto udp then discard rate-limit 1mbps']) {
      const parsed = parseRule(text);
      assert.ok(!parsed.ok);
      assert.deepEqual([parsed.error.offset, parsed.error.length], [0, text.length]);
    }
  });

  it('a text without end is not read', () => {
    const parsed = parseRule(`match port ${'1,'.repeat(60_000)}1`);
    assert.ok(!parsed.ok);
    assert.match(parsed.error.message, /too long/);
  });
});

describe('properties of the notation', () => {
  it('parse(format(rule)) is the rule', () => {
    fc.assert(
      fc.property(anyFlowSpec, anyActions, (spec, actions) => {
        const text = formatRule(spec, actions);
        const parsed = parseRule(text);
        assert.ok(parsed.ok, parsed.ok ? '' : `${text}: ${parsed.error.message}`);
        assert.deepEqual(parsed.value.spec, spec);
        assert.deepEqual(parsed.value.actions, actions);
        assert.equal(formatRule(parsed.value.spec, parsed.value.actions), text);
      }),
      { numRuns: 500 },
    );
  });

  it('any text ends in a value', () => {
    const words = fc.constantFrom(
      ...'match dst src proto port dst-port tcp-flags then discard rate-limit rd offset 53 10.0.0.0/8'.split(
        ' ',
      ),
      ...'2001:db8::/32 , & < >= != ! = syn+ack|fin 1e999mbps redirect ip vrf copy community 0x'.split(' '),
    );
    const sentence = fc.array(words, { maxLength: 12 }).map((each) => `match ${each.join(' ')}`);
    fc.assert(
      fc.property(fc.oneof(sentence, fc.string()), (text) => {
        const parsed = parseRule(text);
        if (parsed.ok) return;
        assert.ok(parsed.error.offset >= 0 && parsed.error.offset + parsed.error.length <= text.length);
      }),
      { numRuns: 2000 },
    );
  });
});
