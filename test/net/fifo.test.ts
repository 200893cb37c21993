import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { Fifo } from '../../src/net/queue.ts';

describe('a queue', () => {
  it('gives back what it was given, in that order, and then nothing', () => {
    const fifo = new Fifo<number>();
    for (const item of [0, 1, 2]) fifo.push(item);
    assert.deepEqual([fifo.shift(), fifo.shift(), fifo.shift(), fifo.shift()], [0, 1, 2, undefined]);
    assert.equal(fifo.size, 0);
  });

  it('takes back the last push, of those that are still there', () => {
    const fifo = new Fifo<string>();
    for (const item of ['a', 'b']) fifo.push(item);
    fifo.shift();
    assert.deepEqual([fifo.pop(), fifo.pop()], ['b', undefined]);
  });

  it('does what an array does, whatever is done to it', () => {
    const step = fc.constantFrom('push', 'push', 'push', 'shift', 'shift', 'pop', 'clear');
    fc.assert(
      fc.property(fc.array(step, { size: 'large' }), (steps) => {
        const fifo = new Fifo<number>();
        const model: number[] = [];
        for (const [n, what] of steps.entries()) {
          if (what === 'push') {
            fifo.push(n);
            model.push(n);
          } else if (what === 'shift') assert.equal(fifo.shift(), model.shift());
          else if (what === 'pop') assert.equal(fifo.pop(), model.pop());
          else if (n % 7 === 0) {
            fifo.clear();
            model.length = 0;
          }
          assert.equal(fifo.size, model.length);
          assert.equal(fifo.oldest, model[0]);
        }
        assert.deepEqual(fifo.list(), model);
      }),
    );
  });
});
