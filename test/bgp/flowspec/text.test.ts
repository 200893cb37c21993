import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { formatActions, formatMatch, formatRule } from '../../../src/bgp/flowspec/notation/format.ts';
import type { Action } from '../../../src/bgp/flowspec/types.ts';
import { rule } from './octets.ts';

describe('rates are written with the largest unit that leaves a whole number', () => {
  for (const [bitsPerSecond, text] of [
    [1, 'rate-limit 1bps'],
    [1500, 'rate-limit 1500bps'],
    [64_000, 'rate-limit 64kbps'],
    [1_500_000, 'rate-limit 1500kbps'],
    [10_000_000, 'rate-limit 10mbps'],
    [2e9, 'rate-limit 2gbps'],
    [4e11, 'rate-limit 400gbps'],
    [0.5, 'rate-limit 0.5bps'],
    [0, 'discard'],
  ] as const) {
    it(text, () => {
      assert.equal(formatActions([{ type: 'traffic-rate', bitsPerSecond, asn: 0 }]), text);
    });
  }
});

describe('rules in words', () => {
  it('join match and actions', () => {
    const actions: readonly Action[] = [
      { type: 'traffic-rate', bitsPerSecond: 10_000_000, asn: 0 },
      { type: 'traffic-action', sample: true, terminal: true },
    ];
    assert.equal(
      formatRule(rule('match dst 203.0.113.10/32'), actions),
      'match dst 203.0.113.10/32 then rate-limit 10mbps sample terminal',
    );
  });

  it('let packets pass where there is no action', () => {
    assert.equal(formatRule(rule('match proto udp'), []), 'match proto udp then accept');
  });

  it('name the family where nothing else tells it', () => {
    assert.equal(formatMatch(rule('match ipv6 proto udp')), 'match ipv6 proto udp');
    assert.equal(formatMatch(rule('match ipv6 flow-label 1')), 'match flow-label 1');
  });

  it('write names only where a single value is meant', () => {
    assert.equal(formatMatch(rule('match proto 6,!=17,>17')), 'match proto tcp,!=udp,>17');
    assert.equal(formatMatch(rule('match dscp <46,46')), 'match dscp <46,ef');
  });

  it('write masks by name as far as all bits have one', () => {
    assert.equal(formatMatch(rule('match tcp-flags =0x112')), 'match tcp-flags =0x112');
    assert.equal(formatMatch(rule('match tcp-flags =0')), 'match tcp-flags =0x0');
  });

  it('show a redirect whose address is not known', () => {
    assert.equal(
      formatActions([{ type: 'redirect-ip', form: 'draft-00', copy: true }]),
      'redirect next-hop copy',
    );
  });
});
