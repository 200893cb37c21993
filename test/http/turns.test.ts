import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type Lane, Turns } from '../../src/http/turns.ts';

/** Turns with the test's own event loop and stopwatch. */
function world() {
  let now = 0;
  const due: (() => void)[] = [];
  const turns = new Turns({ stopwatch: () => now, later: (callback) => due.push(callback), sliceMs: 4 });
  return {
    turns,
    pass: (ms: number) => {
      now += ms;
    },
    /** Runs one turn of the loop and its microtasks; false if nothing was due. */
    turn: async (): Promise<boolean> => {
      const callbacks = due.splice(0);
      for (const callback of callbacks) callback();
      for (let i = 0; i < 10; i++) await Promise.resolve();
      return callbacks.length > 0;
    },
  };
}

/** Does `items` pieces of 1 ms each, and records the turn of the loop in which each was done. */
async function work(lane: Lane, items: number, done: () => void): Promise<void> {
  for (let i = 0; i < items; i++) {
    if (lane.spent) await lane.next();
    done();
  }
}

describe('turns of long work', () => {
  it('lets one work go on for a slice of time in each turn of the loop, however many wait', async () => {
    const { turns, pass, turn } = world();
    const lane = turns.lane('read');
    let inThisTurn = 0;
    const works = Array.from({ length: 20 }, () =>
      work(lane, 10, () => {
        inThisTurn++;
        pass(1);
      }),
    );
    const perTurn: number[] = [];
    while (await turn()) {
      perTurn.push(inThisTurn);
      inThisTurn = 0;
    }
    await Promise.all(works);
    assert.ok(Math.max(...perTurn) <= 4, `at most 4 ms a turn, not ${Math.max(...perTurn)}`);
    assert.equal(
      perTurn.reduce((sum, count) => sum + count, 0),
      200,
    );
  });

  it('takes the works of one class one after the other', async () => {
    const { turns, pass, turn } = world();
    const lane = turns.lane('read');
    const order: string[] = [];
    const works = ['a', 'b', 'c'].map((name) =>
      work(lane, 2, () => {
        order.push(name);
        pass(4);
      }),
    );
    while (await turn());
    await Promise.all(works);
    assert.deepEqual(order, ['a', 'b', 'c', 'a', 'b', 'c']);
  });

  it('prefers events, and lets reads go on all the same', async () => {
    const { turns, pass, turn } = world();
    const order: string[] = [];
    const both = (['read', 'event'] as const).map((name) =>
      work(turns.lane(name), 5, () => {
        order.push(name);
        pass(4);
      }),
    );
    while (await turn());
    await Promise.all(both);
    assert.deepEqual(order.slice(0, 5), ['event', 'event', 'event', 'read', 'event']);
  });
});
