import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { readFigure, readShare } from '../../src/intake/report-fields.ts';

describe('a figure', () => {
  test('is read where it can mean one number only', () => {
    const figures: readonly (readonly [string, number])[] = [
      ['4200000000', 4.2e9],
      ['4.2e9', 4.2e9],
      ['4.2E+9', 4.2e9],
      ['4.2G', 4.2e9],
      ['4,2G', 4.2e9],
      ['4.2 Gbps', 4.2e9],
      ['4.2Gbit/s', 4.2e9],
      ['4.2 Gb/s', 4.2e9],
      ['4.2 gigabits per second', 4.2e9],
      ['472 mbps', 472e6],
      ['1,200,000,000', 1.2e9],
      ['1.200.000.000', 1.2e9],
      ['1 200 000', 1.2e6],
      ['1_200_000', 1.2e6],
      ["1'200'000", 1.2e6],
      ['12,345.5', 12_345.5],
      ['12.345,5', 12_345.5],
      ['1 MiB/s', 8 * 2 ** 20],
      ['10 bytes/s', 80],
      [' 7 ', 7],
    ];
    for (const [text, value] of figures) assert.deepEqual(readFigure(text, 'bps'), { ok: true, value }, text);
    for (const [text, value] of [
      ['118040 packets per second', 118_040],
      ['3.2M', 3.2e6],
      ['3 Mpps', 3e6],
      ['12 kpkts/s', 12e3],
    ] as const) {
      assert.deepEqual(readFigure(text, 'pps'), { ok: true, value }, text);
    }
  });

  test('is not read when it can mean several numbers, or none', () => {
    for (const text of [
      'NaN',
      '+Inf',
      '-Inf',
      '-5',
      '',
      'high',
      '1,200',
      '500m',
      '4.2 GBps',
      '1.2.3',
      '1e400',
      '0x10',
    ]) {
      assert.ok(!readFigure(text, 'bps').ok, text);
    }
    assert.ok(!readFigure('4 Gbps', 'pps').ok, 'bits are no packets');
    assert.ok(!readFigure('9'.repeat(100_000), 'bps').ok);
  });
});

test('a confidence is a number from 0 to 1, or a percentage', () => {
  for (const [text, value] of [
    ['0.9', 0.9],
    ['0,9', 0.9],
    ['90%', 0.9],
    ['90 %', 0.9],
    ['1', 1],
  ] as const) {
    assert.deepEqual(readShare(text), { ok: true, value }, text);
  }
  for (const text of ['90', 'high', '-1', '101%', 'NaN']) assert.ok(!readShare(text).ok, text);
});
