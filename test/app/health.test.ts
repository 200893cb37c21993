import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Health } from '../../src/app/health.ts';
import { MockAnnouncer } from '../../src/control/mock-announcer.ts';
import type { Shortfall } from '../../src/control/types.ts';

function problems(shortfalls: readonly Shortfall[]): readonly string[] {
  return new Health(
    new MockAnnouncer([], () => 0),
    () => shortfalls,
    () => [],
  ).problems();
}

test('mitigations that a neighbor does not enforce are one line for each reason', () => {
  assert.deepEqual(problems([]), []);
  assert.deepEqual(
    problems([
      { neighbor: 'edge1', state: 'over_budget', why: 'max_rules (10) is used up', count: 10 },
      { neighbor: 'old', state: 'unsupported', why: 'arista: no rate-limit', count: 1 },
    ]),
    [
      'edge1 has no room for 10 active mitigations: max_rules (10) is used up',
      'old cannot enforce 1 active mitigation: arista: no rate-limit',
    ],
  );
});

test('a thousand neighbors in trouble do not make a thousand lines', () => {
  const many = Array.from({ length: 1000 }, (_, i): Shortfall => {
    return { neighbor: `edge${i}`, state: 'unsupported', why: 'no', count: 1 };
  });
  const lines = problems(many);
  assert.equal(lines.length, 11);
  assert.match(lines.at(-1) ?? '', /^and 990 more neighbors or reasons/);
});
