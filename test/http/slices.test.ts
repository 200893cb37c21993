import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { mapInSlices, textInSlices } from '../../src/http/slices.ts';

describe('work in slices', () => {
  it('gives everything, in order, and other events their turn in between', async () => {
    const turns = countTurns();
    const items = Array.from({ length: 250 }, (_, n) => n);
    const made = await mapInSlices(items, (n) => 2 * n, 50);
    turns.stop();
    assert.deepEqual(
      made,
      items.map((n) => 2 * n),
    );
    assert.ok(turns.count >= 4, `${turns.count} turns`);
  });

  it('puts a long answer into words as JSON does', async () => {
    const turns = countTurns();
    const results = Array.from({ length: 250 }, (_, n) => ({ n, text: '"\u2028\n', none: undefined }));
    const answer = { results, empty: [], next_cursor: null, none: undefined };
    const text = await textInSlices(answer, 50);
    turns.stop();
    assert.equal(text, JSON.stringify(answer));
    assert.ok(turns.count >= 4, `${turns.count} turns`);
  });

  it('rejects with what is thrown on the way', async () => {
    const failing = mapInSlices([1, 2], (n) => {
      if (n === 2) throw new Error('no');
    });
    await assert.rejects(failing, /^Error: no$/);
  });
});

/** Counts the turns of the event loop from now until it is stopped. */
function countTurns(): { count: number; stop(): void } {
  const turns = { count: 0, stop: () => clearImmediate(next) };
  const count = (): void => {
    turns.count++;
    next = setImmediate(count);
  };
  let next = setImmediate(count);
  return turns;
}
