/** The speaker's environment: time, randomness and connections. Tests provide their own. */
import type { Transport } from './transport.ts';

export interface Runtime {
  /** Milliseconds since the epoch; never goes back. */
  readonly now: () => number;
  /** Calls back once after the delay; returns a function that cancels it. */
  readonly after: (milliseconds: number, callback: () => void) => () => void;
  /** Calls back in the next turn of the event loop, after reading the data that has already arrived. */
  readonly soon: (callback: () => void) => void;
  /** Returns a number from 0 (included) to 1 (excluded), for jitter. */
  readonly random: () => number;
  readonly transport: Transport;
}

/** Returns the real time and event loop. Time is anchored once, so setting the system's clock ends no session. */
export function systemRuntime(transport: Transport): Runtime {
  return {
    now: () => Math.round(performance.timeOrigin + performance.now()),
    after: (milliseconds, callback) => {
      const timer = setTimeout(callback, milliseconds);
      return () => clearTimeout(timer);
    },
    soon: (callback) => {
      setImmediate(callback);
    },
    random: Math.random,
    transport,
  };
}
