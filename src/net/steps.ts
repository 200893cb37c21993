/**
 * Runs long computations, written as generators of small steps: at once, or in slices with pauses for other work. Pure.
 */

/** Runs all steps; returns the last one's result. */
export function runToEnd<Result>(steps: Generator<undefined, Result>): Result {
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
  }
}

export interface Slices {
  /** The length of a slice (ms). */
  readonly milliseconds: number;
  /** Returns milliseconds since any fixed time. */
  readonly stopwatch: () => number;
  /** Resolves after other work had a turn. */
  readonly pause: () => Promise<unknown>;
}

/** Runs all steps in slices; resolves with the last one's result. Rejects with a step's error. */
export async function runInSlices<Result>(
  steps: Generator<undefined, Result>,
  { milliseconds, stopwatch, pause }: Slices,
): Promise<Result> {
  for (;;) {
    const until = stopwatch() + milliseconds;
    do {
      const step = steps.next();
      if (step.done) return step.value;
    } while (stopwatch() <= until);
    await pause();
  }
}
