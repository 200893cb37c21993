/** The daemon's clocks and timers, the real ones behind what the rooms are given. */
import type { Timers } from '../control/types.ts';

/**
 * A wall clock that goes on steadily: anchored once to the system's time and advanced by the monotonic clock. When the
 * system's time is set while the daemon runs, or the machine is suspended, nothing expires at once and nothing lives for
 * ever; times shown may be off by the step until the next start. Detectors' timestamps are judged by the system's time.
 */
export function steadyClock(): () => number {
  const offset = Date.now() - performance.now();
  return () => Math.round(offset + performance.now());
}

/** Timers of the event loop. */
export const realTimers: Timers = {
  after: (milliseconds, callback) => {
    const timer = setTimeout(callback, milliseconds);
    return () => clearTimeout(timer);
  },
  yield: () => new Promise((resolve) => setImmediate(resolve)),
};
