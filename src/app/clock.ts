/** The daemon's clocks and timers, the real ones behind what the rooms are given. */
import type { Timers } from '../control/types.ts';

/** A wall clock that goes on steadily, and its distance from the system's. */
export interface SteadyClock {
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** How far it is ahead of the system's clock at the moment (ms); negative when it is behind. */
  readonly ahead: () => number;
  /** Lets it go on from this time (ms since the epoch) where it shows an earlier one. */
  notBefore(time: number): void;
}

/** The readings that a steady clock is made of (ms); tests bring their own. */
export interface ClockReadings {
  /** The system's time, which anybody may set. */
  readonly system: () => number;
  /** Time since any beginning, which nobody can set. */
  readonly monotonic: () => number;
}

const REAL: ClockReadings = { system: () => Date.now(), monotonic: () => performance.now() };

/**
 * A clock that is anchored once to the system's time and advanced by the monotonic clock. When the system's time is set
 * while the daemon runs, or the machine is suspended, nothing expires at once and nothing lives for ever; times shown may
 * be off by the step until the next start. Detectors' timestamps are judged by the system's time.
 */
export function steadyClock({ system, monotonic }: ClockReadings = REAL): SteadyClock {
  let offset = system() - monotonic();
  const now = (): number => Math.round(offset + monotonic());
  return {
    now,
    ahead: () => now() - system(),
    notBefore: (time) => {
      offset = Math.max(offset, time - monotonic());
    },
  };
}

/** Timers of the event loop. */
export const realTimers: Timers = {
  after: (milliseconds, callback) => {
    const timer = setTimeout(callback, milliseconds);
    return () => clearTimeout(timer);
  },
  yield: () => new Promise((resolve) => setImmediate(resolve)),
};
