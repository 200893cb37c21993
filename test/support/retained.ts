/** Measures the memory that values keep alive. */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

setFlagsFromString('--expose-gc');
const collect: unknown = runInNewContext('gc');

function heapUsed(): number {
  if (typeof collect !== 'function')
    throw new TypeError('this Node cannot collect garbage when it is asked to');
  collect();
  collect();
  return process.memoryUsage().heapUsed;
}

/** Returns the average heap bytes that each value keeps alive. */
export function retained(count: number, make: (i: number) => unknown): number {
  // The first values also pay for one-time costs: compiled code, shapes, caches.
  for (let i = 0; i < 3; i++) make(-1 - i);
  const kept: unknown[] = [];
  const before = heapUsed();
  for (let i = 0; i < count; i++) kept.push(make(i));
  const each = (heapUsed() - before) / count;
  if (kept.length !== count) throw new RangeError('some were lost');
  return each;
}
