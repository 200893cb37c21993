import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { mapInSlices, textInSlices } from '../../src/http/slices.ts';

describe('work in slices', () => {
  it('gives everything, in order, and other events their turn in between', async () => {
    let turns = 0;
    let done = false;
    const count = () => {
      turns++;
      if (!done) setImmediate(count);
    };
    setImmediate(count);
    const items = Array.from({ length: 250 }, (_, n) => n);
    const made = await mapInSlices(items, (n) => 2 * n, 50);
    done = true;
    assert.deepEqual(
      made,
      items.map((n) => 2 * n),
    );
    assert.ok(turns >= 4, `${turns} turns`);
  });

  it('puts a long answer into words as JSON does', async () => {
    let turns = 0;
    let done = false;
    const count = () => {
      turns++;
      if (!done) setImmediate(count);
    };
    setImmediate(count);
    const results = Array.from({ length: 250 }, (_, n) => ({ n, text: '"\u2028\n', none: undefined }));
    const answer = { results, empty: [], next_cursor: null, none: undefined };
    const text = await textInSlices(answer, 50);
    done = true;
    assert.equal(text, JSON.stringify(answer));
    assert.ok(turns >= 4, `${turns} turns`);
  });

  it('rejects with what is thrown on the way', async () => {
    const failing = mapInSlices([1, 2], (n) => {
      if (n === 2) throw new Error('no');
    });
    await assert.rejects(failing, /^Error: no$/);
  });
});
