import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { HttpProblem } from '../../src/http/http-problem.ts';
import { ReadRoom } from '../../src/http/read-room.ts';

/** Makes answers that are in progress until the test finishes them. */
function answers() {
  const under: (() => void)[] = [];
  return {
    under,
    make: () => new Promise<string>((resolve) => under.push(() => resolve('made'))),
  };
}

const settle = async (): Promise<void> => {
  for (let i = 0; i < 10; i++) await Promise.resolve();
};

describe('room for long answers', () => {
  it('makes a few at one time, the others after them, and refuses those for which there is no room to wait', async () => {
    let shed = 0;
    const { under, make } = answers();
    const room = new ReadRoom({ atOnce: 2, mayWait: 1, onShed: () => shed++ });
    const first = [room.enter(1000, make), room.enter(1000, make), room.enter(1000, make)];
    await settle();
    assert.equal(under.length, 2);
    await assert.rejects(room.enter(1000, make), (error) => {
      assert.ok(error instanceof HttpProblem);
      assert.equal(error.status, 503);
      assert.equal(error.extras.headers?.['retry-after'], '2');
      return true;
    });
    assert.equal(shed, 1);
    under[0]?.();
    await settle();
    assert.equal(under.length, 3);
    for (const end of under) end();
    assert.deepEqual(await Promise.all(first), ['made', 'made', 'made']);
  });

  it('lets short answers pass', async () => {
    const { make } = answers();
    const room = new ReadRoom({ atOnce: 1, mayWait: 0 });
    void room.enter(1000, make);
    assert.equal(await room.enter(100, async () => 'short'), 'short');
  });

  it('gives the place of an answer that failed to the next', async () => {
    const room = new ReadRoom({ atOnce: 1, mayWait: 1 });
    const failing = room.enter(1000, () => Promise.reject(new Error('no')));
    const next = room.enter(1000, async () => 'next');
    await assert.rejects(failing, /^Error: no$/);
    assert.equal(await next, 'next');
    assert.equal(await room.enter(1000, async () => 'later'), 'later');
  });
});
