import assert from 'node:assert/strict';
import { test } from 'node:test';
import { rateWords } from '../../src/core/words.ts';

test('rates are told in the largest unit, with at most two decimals', () => {
  assert.deepEqual([999, 5e6, 10.5e6, 1.5e9, 1e12].map(rateWords), [
    '999 bit/s',
    '5 Mbit/s',
    '10.5 Mbit/s',
    '1.5 Gbit/s',
    '1 Tbit/s',
  ]);
});
