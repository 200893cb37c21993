import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { jsonInSlices, mapInSlices } from '../../src/http/slices.ts';
import { type Lane, Turns } from '../../src/http/turns.ts';

/** Makes a lane of the real event loop where each look at the stopwatch takes 0.1 ms: 40 items fit into a slice. */
function slowLane(): Lane {
  let now = 0;
  return new Turns({ stopwatch: () => (now += 0.1), sliceMs: 4 }).lane('read');
}

describe('work in slices', () => {
  it('gives everything, in order, and other events their turn in between', async () => {
    const turns = countTurns();
    const items = Array.from({ length: 250 }, (_, n) => n);
    const made = await mapInSlices(items, (n) => 2 * n, slowLane());
    turns.stop();
    assert.deepEqual(
      made,
      items.map((n) => 2 * n),
    );
    assert.ok(turns.count >= 6, `${turns.count} turns`);
  });

  it('measures slices in time: many cheap items are one', async () => {
    const turns = countTurns();
    const lane = new Turns({ stopwatch: () => 0, sliceMs: 4 }).lane('read');
    await mapInSlices(Array.from({ length: 10_000 }), () => 1, lane);
    turns.stop();
    assert.ok(turns.count <= 2, `${turns.count} turns`);
  });

  it('puts a long answer into words as JSON does', async () => {
    const turns = countTurns();
    const results = Array.from({ length: 250 }, (_, n) => ({ n, text: '"\u2028\n', none: undefined }));
    const answer = { results, empty: [], next_cursor: null, none: undefined, holes: [undefined, 1] };
    const json = await jsonInSlices(answer, slowLane());
    turns.stop();
    assert.equal(json.toString(), JSON.stringify(answer));
    assert.ok(turns.count >= 6, `${turns.count} turns`);
  });

  it('puts together an answer of many pieces, whatever characters are where they meet', async () => {
    const answer = { results: Array.from({ length: 20_000 }, (_, n) => ({ n, text: 'ä€😀' })) };
    assert.equal((await jsonInSlices(answer)).toString(), JSON.stringify(answer));
  });

  it('rejects with what is thrown on the way', async () => {
    const failing = mapInSlices([1, 2], (n) => {
      if (n === 2) throw new Error('no');
    });
    await assert.rejects(failing, /^Error: no$/);
  });
});

/** Counts the event loop's turns until it is stopped. */
function countTurns(): { count: number; stop(): void } {
  const turns = { count: 0, stop: () => clearImmediate(next) };
  const count = (): void => {
    turns.count++;
    next = setImmediate(count);
  };
  let next = setImmediate(count);
  return turns;
}
