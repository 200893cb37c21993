import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  inRanges,
  normalRanges,
  portRanges,
  portSet,
  rangesAround,
  rangesCover,
} from '../../src/core/ports.ts';

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
