/** Cleans up a test's resources, the last one first. `t.after` alone runs from the first to the last. */
import type { TestContext } from 'node:test';

const steps = new WeakMap<TestContext, (() => unknown)[]>();

/** Adds a step; all run when the test ends, even if one fails. */
export function undo(t: TestContext, step: () => unknown): void {
  const known = steps.get(t);
  if (known !== undefined) {
    known.push(step);
    return;
  }
  const mine = [step];
  steps.set(t, mine);
  t.after(async () => {
    const results = [];
    for (const one of mine.reverse()) results.push(await Promise.allSettled([(async () => one())()]));
    for (const [result] of results) if (result?.status === 'rejected') throw result.reason;
  });
}
