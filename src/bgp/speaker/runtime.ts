/** What a speaker needs of the world: time, chance and connections. Tests bring their own. */
import type { Transport } from './transport.ts';

export interface Runtime {
  /** Milliseconds since the epoch; never goes back. */
  readonly now: () => number;
  /** Calls back once, after so many milliseconds; returns what takes it back. */
  readonly after: (milliseconds: number, callback: () => void) => () => void;
  /** Calls back once what is waiting to be read now has been read: the next turn of the event loop. */
  readonly soon: (callback: () => void) => void;
  /** A number from 0 up to but not including 1, for jitter. */
  readonly random: () => number;
  readonly transport: Transport;
}

/** The real time and the real event loop. Time is anchored once, so that setting the system's clock ends no session. */
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
