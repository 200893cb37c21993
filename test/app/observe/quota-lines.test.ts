import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { quotaLines } from '../../../src/app/observe/health-lines.ts';

const QUOTAS = { maxActivePerCustomer: 5, maxActivePerPop: 200, maxActiveGlobal: 500, maxNewPerMinute: 30 };

function lines(customers: Readonly<Record<string, number>>, quotas = QUOTAS): readonly string[] {
  const counts = new Map(Object.entries(customers));
  const total = [...counts.values()].reduce((sum, count) => sum + count, 0);
  return quotaLines(
    { activeTotal: () => total, activeOfPop: () => total, activeByCustomer: () => counts },
    { quotas, pop: 'iad1', mode: 'enforced' },
  ).map(({ text }) => text);
}

describe('health says', () => {
  test('nothing while there is room', () => {
    assert.deepEqual(lines({ acme: 4, bob: 1 }), []);
  });

  test('which customer is at its quota, and which setting that is', () => {
    assert.deepEqual(lines({ acme: 5, bob: 1 }), [
      'customer acme is at its quota: 5 of 5 (quotas.max_active_per_customer)',
    ]);
  });

  test('that the POP or everything is full', () => {
    const full = lines({ acme: 3 }, { ...QUOTAS, maxActivePerPop: 3, maxActiveGlobal: 3 });
    assert.equal(full.length, 2);
    assert.match(full[0] ?? '', /global quota .* 3 of 3 \(quotas.max_active_global\)/);
    assert.match(full[1] ?? '', /POP iad1's quota .* 3 of 3 \(quotas.max_active_per_pop\)/);
  });

  test('how many more customers are, instead of a line for each', () => {
    const customers = Object.fromEntries(Array.from({ length: 40 }, (_, i) => [`c${i}`, 5]));
    const many = lines(customers, { ...QUOTAS, maxActivePerPop: 1000, maxActiveGlobal: 1000 });
    assert.equal(many.length, 6);
    assert.equal(many.at(-1), 'and 35 more customers at their quota');
  });
});
