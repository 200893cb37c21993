/**
 * Measures processor time, which does not include other programs' turns, for tests that bound the work of a function.
 */
import { existsSync, readFileSync } from 'node:fs';

/** The scheduler's statistics about the main thread (Linux), whose id is the process's. */
const SCHEDSTAT = `/proc/self/task/${process.pid}/schedstat`;

/** False if `watchTurns` can measure; otherwise the reason to skip a test. */
export const skipTurns = existsSync(SCHEDSTAT) ? false : 'needs the scheduler statistics of Linux';

/** Measures how long the main thread computes in one turn of the event loop. */
export interface Turns {
  /** Returns the processor time of the longest turn since the last call (ms). */
  longest(): number;
  stop(): void;
}

export function watchTurns(): Turns {
  // The first number is the time on a processor in nanoseconds.
  const computed = (): number => Number(readFileSync(SCHEDSTAT, 'utf8').split(' ')[0]) / 1e6;
  let before = computed();
  let longest = 0;
  const turn = (): void => {
    const now = computed();
    longest = Math.max(longest, now - before);
    before = now;
  };
  const timer = setInterval(turn, 1);
  timer.unref();
  return {
    longest: () => {
      turn();
      const result = longest;
      longest = 0;
      return result;
    },
    stop: () => clearInterval(timer),
  };
}

/** Returns the processor time of a call in this process (ms). */
export function processorTime(call: () => void): number {
  const before = process.cpuUsage();
  call();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}
