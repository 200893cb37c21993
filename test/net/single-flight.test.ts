import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SingleFlight } from '../../src/net/single-flight.ts';

/** Makes work that ends when told, and counts how often it was started. */
function controlled() {
  const runs: { resolve: (value: string) => void; reject: (reason: unknown) => void }[] = [];
  const work = (): Promise<string> => {
    let resolve: (value: string) => void = () => undefined;
    let reject: (reason: unknown) => void = () => undefined;
    const promise = new Promise<string>((ok, no) => {
      resolve = ok;
      reject = no;
    });
    runs.push({ resolve, reject });
    return promise;
  };
  return { runs, work };
}

/** Lets every promise that can settle settle. */
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test('calls during a run share one more run after it', async () => {
  const flight = new SingleFlight<string>();
  const { runs, work } = controlled();
  const first = flight.run(work);
  const second = flight.run(work);
  assert.equal(flight.run(work), second);
  assert.equal(runs.length, 1);
  runs[0]?.resolve('first');
  assert.equal(await first, 'first');
  await turn();
  assert.equal(runs.length, 2);
  runs[1]?.resolve('second');
  assert.equal(await second, 'second');
});

test('a run that fails does not keep the next from running, nor is it repeated', async () => {
  const flight = new SingleFlight<string>();
  const { runs, work } = controlled();
  const first = flight.run(work);
  const second = flight.run(work);
  runs[0]?.reject(new Error('broken'));
  await assert.rejects(first, /broken/);
  await turn();
  runs[1]?.resolve('fine');
  assert.equal(await second, 'fine');
  const third = flight.run(work);
  runs[2]?.resolve('third');
  assert.equal(await third, 'third');
});

test('calls with different keys share no run, and no two runs overlap', async () => {
  const flight = new SingleFlight<string>();
  const { runs, work } = controlled();
  void flight.run(work, 'a');
  const [b, a] = [flight.run(work, 'b'), flight.run(work, 'a')];
  assert.notEqual(b, a);
  for (const [i, name] of ['one', 'two', 'three'].entries()) {
    assert.equal(runs.length, i + 1);
    runs[i]?.resolve(name);
    await turn();
  }
  assert.equal(await b, 'two');
  assert.equal(await a, 'three');
});

test('finished waits for the current run and those that wait', async () => {
  const flight = new SingleFlight<string>();
  await flight.finished();
  const { runs, work } = controlled();
  void flight.run(work);
  void flight.run(work);
  let over = false;
  const finished = flight.finished().then(() => {
    over = true;
  });
  runs[0]?.resolve('');
  await turn();
  assert.equal(over, false);
  runs[1]?.resolve('');
  await finished;
});
