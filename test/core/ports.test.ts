import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  inRanges,
  narrowPorts,
  normalRanges,
  portRanges,
  portSet,
  rangesAround,
  rangesCover,
  rangesLess,
  rangesMeet,
  readRange,
} from '../../src/core/policy/ports.ts';

const ports = fc.array(fc.nat(65535), { maxLength: 20 }).map(portSet);

test('ranges around ports hold every port but these', () => {
  assert.deepEqual(rangesAround([0, 53, 54, 65535]), [
    [1, 52],
    [55, 65534],
  ]);
  fc.assert(
    fc.property(ports, fc.nat(65535), (list, port) => {
      assert.equal(inRanges(port, rangesAround(list)), !list.includes(port));
      for (const taken of list) assert.ok(!inRanges(taken, rangesAround(list)));
    }),
  );
  assert.deepEqual(rangesAround(Array.from({ length: 65536 }, (_, i) => i)), [], 'nothing is left');
});

test('ranges of ports are in normal form and hold exactly them', () => {
  assert.deepEqual(portRanges([80, 81, 443]), [
    [80, 81],
    [443, 443],
  ]);
  assert.deepEqual(
    normalRanges([
      [5, 9],
      [1, 4],
      [7, 20],
      [30, 29],
    ]),
    [[1, 20]],
  );
  fc.assert(
    fc.property(ports, fc.nat(65535), (list, port) => {
      assert.equal(inRanges(port, portRanges(list)), list.includes(port));
    }),
  );
});

test('a list covers another when every port of the other is in it; an empty list holds every port', () => {
  assert.ok(rangesCover([], [[1, 2]]));
  assert.ok(!rangesCover([[1, 2]], []));
  assert.ok(
    rangesCover(
      [[1, 9]],
      [
        [2, 3],
        [5, 9],
      ],
    ),
  );
  assert.ok(!rangesCover([[1, 9]], [[2, 10]]));
});

test('ranges around ranges leave out all of them, in whatever order they come', () => {
  assert.deepEqual(rangesAround([[27015, 27030], 53, [27020, 27040]]), [
    [0, 52],
    [54, 27014],
    [27041, 65535],
  ]);
  assert.deepEqual(rangesAround([[0, 65535]]), []);
});

test('two lists meet when a number is in both', () => {
  assert.ok(rangesMeet([[1, 5]], [[5, 9]]));
  assert.ok(!rangesMeet([[1, 4]], [[5, 9]]));
  assert.ok(!rangesMeet([], [[5, 9]]));
});

test('a range is read from a number or from text, and not where a zero leads', () => {
  assert.deepEqual(readRange(53), [53, 53]);
  assert.deepEqual(readRange('53'), [53, 53]);
  assert.deepEqual(readRange('27015-27030'), [27015, 27030]);
  assert.deepEqual(readRange(' 1 - 2 '), [1, 2]);
  for (const text of ['010', '0x10', '1e3', '1_000', '1-', '-1', '', '1-2-3', '1.5']) {
    assert.equal(readRange(text), undefined, text);
  }
  assert.equal(readRange(1.5), undefined);
});

test('the ports of narrow ranges are listed one by one, and no wide range is', () => {
  const ranges = [
    [53, 53],
    [80, 82],
    [1000, 9000],
  ] as const;
  assert.deepEqual(narrowPorts(ranges, 3), [53, 80, 81, 82]);
  assert.deepEqual(narrowPorts(ranges, 2), [53]);
});

test('ranges less others hold what is in the one and not in the other', () => {
  assert.deepEqual(
    rangesLess(
      [[10, 20]],
      [
        [12, 13],
        [20, 30],
      ],
    ),
    [
      [10, 11],
      [14, 19],
    ],
  );
  assert.deepEqual(rangesLess([[10, 20]], []), [[10, 20]]);
  assert.deepEqual(rangesLess([], [[1, 2]]), []);
});
