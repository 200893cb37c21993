/** Long computations as generators of small steps: run at once, or in slices with turns for others between them. Pure. */

/** Runs all steps; returns what the last one gives. */
export function runToEnd<Result>(steps: Generator<undefined, Result>): Result {
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
  }
}

export interface Slices {
  /** How long a slice may take before others have a turn (ms). */
  readonly milliseconds: number;
  /** Milliseconds from any beginning. */
  readonly stopwatch: () => number;
  /** Resolves when others have had a turn. */
  readonly pause: () => Promise<unknown>;
}

/** Runs all steps in slices; resolves with what the last one gives. Rejects with what a step throws. */
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
