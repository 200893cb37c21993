import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type LineGroup, WrittenLines } from '../../src/store/postgres/written-lines.ts';

const group = (first: number, ...lines: string[]): LineGroup => ({
  first,
  count: lines.length,
  text: lines.join('\n'),
});

describe('the memory of written lines', () => {
  test('returns the lines from a fact on, also from within a group', () => {
    const written = new WrittenLines();
    written.add(group(1, 'a', 'b', 'c'));
    written.add(group(4, 'd'));
    assert.deepEqual(written.from(1), [group(1, 'a', 'b', 'c'), group(4, 'd')]);
    assert.deepEqual(written.from(3), [group(3, 'c'), group(4, 'd')]);
    assert.deepEqual(written.from(4), [group(4, 'd')]);
    assert.deepEqual(written.from(5), []);
  });

  test('has nothing to return for facts that it never had', () => {
    const written = new WrittenLines();
    assert.equal(written.from(1), undefined);
    written.add(group(7, 'g'));
    assert.equal(written.from(6), undefined);
  });

  test('forgets whole groups, oldest first, beyond its number of facts and its size', () => {
    const written = new WrittenLines({ facts: 4, characters: 100 });
    written.add(group(1, 'a', 'b'));
    written.add(group(3, 'c', 'd'));
    assert.equal(written.first, 1);
    written.add(group(5, 'e'));
    assert.equal(written.first, 3);
    written.add(group(6, 'x'.repeat(100)));
    assert.equal(written.first, 6);
    written.add(group(7, 'y'.repeat(101)));
    assert.equal(written.first, undefined);
  });
});
