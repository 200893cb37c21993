import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { figure, isMet, ratioOf, render, row } from '../../bench/report.ts';
import { median, percentile, summarize } from '../../bench/stats.ts';

describe('statistics', () => {
  it('a median is the middle, or the mean of the two in the middle', () => {
    assert.equal(median([9, 1, 5]), 5);
    assert.equal(median([4, 1, 3, 2]), 2.5);
    assert.throws(() => median([]), RangeError);
  });

  it('a percentile is a value that was measured', () => {
    const values = Array.from({ length: 100 }, (_, i) => i + 1);
    assert.equal(percentile(values, 0.99), 99);
    assert.equal(percentile(values, 0), 1);
    assert.deepEqual(summarize(values), { median: 50.5, low: 10, high: 90, count: 100 });
  });
});

describe('the report', () => {
  const rows = [row('5 rules', 'a', 'ms', [2, 2, 3]), row('5 rules', 'b', 'ms', [4])];

  it('divides rows of one run, and leaves out what was not measured', () => {
    assert.deepEqual(ratioOf(rows, '5 rules', 'a', 'b', { atMost: 1 }), [
      { what: '5 rules: a / b', value: 0.5, atMost: 1 },
    ]);
    assert.deepEqual(ratioOf(rows, '5 rules', 'a', 'absent'), []);
  });

  it('judges a ratio by its target', () => {
    assert.equal(isMet({ what: '', value: 1.1, atMost: 1 }), false);
    assert.equal(isMet({ what: '', value: 0.6, atLeast: 0.7 }), false);
    assert.equal(isMet({ what: '', value: 0.7, atLeast: 0.7 }), true);
    assert.equal(isMet({ what: '', value: 42 }), true);
  });

  it('names what is missing', () => {
    const text = render({ name: 'x', title: 'X', rows, ratios: [], missing: ['bird (not installed)'] });
    assert.match(text, /\| 5 rules +\| a +\| 2 ms +\| 2 – 3 +\| 3 +\|/);
    assert.match(text, /Not measured: bird \(not installed\)\./);
  });

  it('writes three significant digits', () => {
    assert.deepEqual([0.012345, 1.2345, 123.45, 12345, 0].map(figure), [
      '0.0123',
      '1.23',
      '123',
      '12,345',
      '0',
    ]);
  });
});
