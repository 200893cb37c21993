import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { Fifo } from '../../../src/bgp/rib/fifo.ts';

describe('a queue', () => {
  it('gives back what it was given, in that order, and then nothing', () => {
    const fifo = new Fifo<number>();
    for (const item of [0, 1, 2]) fifo.push(item);
    assert.deepEqual([fifo.shift(), fifo.shift(), fifo.shift(), fifo.shift()], [0, 1, 2, undefined]);
    assert.equal(fifo.isEmpty, true);
  });

  it('does what an array does, whatever is done to it', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom('push', 'push', 'shift', 'clear'), { size: 'large' }), (steps) => {
        const fifo = new Fifo<number>();
        const model: number[] = [];
        for (const [n, step] of steps.entries()) {
          if (step === 'push') {
            fifo.push(n);
            model.push(n);
          } else if (step === 'shift') assert.equal(fifo.shift(), model.shift());
          else if (n % 7 === 0) {
            fifo.clear();
            model.length = 0;
          }
          assert.equal(fifo.isEmpty, model.length === 0);
        }
      }),
    );
  });
});
