import assert from 'node:assert/strict';
import { test } from 'node:test';
import { countWords, rateWords } from '../../src/net/text.ts';

test('rates are shown in the largest unit, with at most two decimals', () => {
  assert.deepEqual([999, 5e6, 10.5e6, 1.5e9, 1e12].map(rateWords), [
    '999 bit/s',
    '5 Mbit/s',
    '10.5 Mbit/s',
    '1.5 Gbit/s',
    '1 Tbit/s',
  ]);
});

test('one is not many', () => {
  assert.deepEqual(
    [0, 1, 2].map((count) => countWords(count, 'rule')),
    ['0 rules', '1 rule', '2 rules'],
  );
  assert.equal(countWords(1, 'rule goes', 'rules go'), '1 rule goes');
  assert.equal(countWords(3, 'rule goes', 'rules go'), '3 rules go');
});
