import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { timeText } from '../../src/net/time.ts';

describe('timeText', () => {
  it('writes UTC with milliseconds', () => {
    assert.equal(timeText(0), '1970-01-01T00:00:00.000Z');
    assert.equal(timeText(1_795_415_134_007), '2026-11-23T06:25:34.007Z');
    assert.equal(timeText(1_795_415_134_070), '2026-11-23T06:25:34.070Z');
    assert.equal(timeText(1_795_415_134_700), '2026-11-23T06:25:34.700Z');
  });

  it('agrees with Date over seconds, days, leap days, years before the epoch and beyond 9999', () => {
    const times = [
      -1, -1000, -86_400_001, 951_782_399_999, 951_782_400_000, 4_107_542_399_999, 253_402_300_800_000,
    ];
    for (const from of times) {
      for (const ms of [from, from + 1, from + 999, from + 1000, from]) {
        assert.equal(timeText(ms), new Date(ms).toISOString());
      }
    }
  });

  it('leaves fractions of a millisecond away, as Date does', () => {
    assert.equal(timeText(1500.75), new Date(1500.75).toISOString());
  });

  it('refuses what is no time', () => {
    assert.throws(() => timeText(Number.NaN), RangeError);
    assert.throws(() => timeText(8.64e15 + 1000), RangeError);
    assert.equal(timeText(1000), '1970-01-01T00:00:01.000Z');
  });
});
