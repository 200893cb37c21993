import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { isZeroTime, readTime } from '../../src/net/time.ts';

const NOON = Date.UTC(2026, 0, 15, 12);

describe('a time', () => {
  test('is read as RFC 3339 and as people vary it', () => {
    for (const text of [
      '2026-01-15T12:00:00Z',
      '2026-01-15t12:00:00z',
      '2026-01-15 12:00:00Z',
      '2026-01-15 12:00:00 UTC',
      '2026-01-15T13:00:00+01:00',
      '2026-01-15T13:00:00+0100',
      '2026-01-15T13:00:00.000000000+01',
      '2026-01-15T07:30:00-04:30',
      '2026-01-15T12:00Z',
      '2026-01-15T11:59:60Z',
    ]) {
      assert.equal(readTime(text), NOON, text);
    }
    assert.equal(readTime('2026-01-15T12:00:00.123456Z'), NOON + 123);
  });

  test('is read as seconds and smaller units since the epoch, also in text', () => {
    const seconds = NOON / 1000;
    for (const value of [seconds, NOON, NOON * 1000, NOON * 1e6, `${seconds}`, `${NOON}`]) {
      assert.equal(readTime(value), NOON, String(value));
    }
    assert.equal(readTime(seconds + 0.25), NOON + 250);
    assert.equal(readTime(`${seconds}.5`), NOON + 500);
  });

  test('without an offset, with an invalid day or empty is not read', () => {
    for (const value of [
      'yesterday',
      '',
      '2026-01-15T12:00:00',
      '2026-02-30T12:00:00Z',
      '2026-01-15T24:00:00Z',
      '2026-13-01T00:00:00Z',
      'NaN',
      -1,
      Number.NaN,
      1e30,
    ]) {
      assert.equal(readTime(value), undefined, String(value));
    }
  });

  test('that programs write when they have none is recognized', () => {
    assert.ok(isZeroTime(readTime('0001-01-01T00:00:00Z') ?? 1));
    assert.ok(isZeroTime(readTime(0) ?? 1));
    assert.ok(!isZeroTime(NOON));
  });
});
