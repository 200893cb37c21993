/** Time that does not pass while other programs have their turn, for tests that bound how much work something is. */
import { existsSync, readFileSync } from 'node:fs';

/** The statistics of the scheduler about the main thread (Linux), whose id is the process's. */
const SCHEDSTAT = `/proc/self/task/${process.pid}/schedstat`;

/** False where `watchTurns` can measure; otherwise why a test is skipped. */
export const skipTurns = existsSync(SCHEDSTAT) ? false : 'needs the scheduler statistics of Linux';

/** Watches how long the main thread computes in one turn of the event loop. */
export interface Turns {
  /** The processor time of the longest turn since this was last asked for (ms). */
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

/** Milliseconds that a call keeps this process's threads busy. */
export function processorTime(call: () => void): number {
  const before = process.cpuUsage();
  call();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}
