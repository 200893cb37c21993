import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { EgressCheck } from '../../src/control/egress-check.ts';
import type { SafelistEntry } from '../../src/core/types.ts';
import { OPERATOR, POLICY, route, stateOf } from './support.ts';

function safelisted(...prefixes: string[]): ReturnType<typeof stateOf> {
  const entries = prefixes.map((prefix): [string, SafelistEntry] => [
    prefix,
    { prefix, reason: 'dns', addedAt: 0, addedBy: OPERATOR, configured: false },
  ]);
  return { ...stateOf([], () => ''), safelist: new Map(entries) };
}

describe('EgressCheck', () => {
  it('judges a route once for each guard and reports a refusal once', () => {
    const refused: string[] = [];
    const gate = new EgressCheck(POLICY, safelisted('203.0.113.1/32'), [], (one, why) =>
      refused.push(`${one.owner}: ${why}`),
    );
    const one = route(1);
    assert.notEqual(gate.verdict(one), undefined);
    assert.notEqual(gate.verdict(one), undefined);
    assert.equal(gate.verdict(route(2)), undefined);
    assert.equal(refused.length, 1);
    assert.equal(gate.refusals, 1);
  });

  it('judges anew when the safelist changes', () => {
    const gate = new EgressCheck(POLICY, safelisted(), [], () => {});
    const one = route(1);
    assert.equal(gate.verdict(one), undefined);
    gate.refresh(POLICY, safelisted('203.0.113.0/24'));
    assert.match(gate.verdict(one) ?? '', /overlaps 203\.0\.113\.0\/24/);
    gate.refresh(POLICY, safelisted());
    assert.equal(gate.verdict(one), undefined);
  });
});
