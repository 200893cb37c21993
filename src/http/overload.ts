/** Notices when the event loop cannot keep up, so that reads can be refused before events are. */
import { monitorEventLoopDelay } from 'node:perf_hooks';

/** Mean delay of a second above which reads are refused (ms). */
const REFUSE_ABOVE_MS = 150;
const RESOLUTION_MS = 10;
const WINDOW_MS = 1_000;

export interface Overload {
  shedsReads(): boolean;
  /** Stops measuring. */
  stop(): void;
}

/** Measures from now on. */
export function watchOverload(refuseAboveMs = REFUSE_ABOVE_MS): Overload {
  const delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  delay.enable();
  let overloaded = false;
  const timer = setInterval(() => {
    // The histogram holds the time between its ticks, the tick's own period included.
    overloaded = delay.mean / 1e6 - RESOLUTION_MS > refuseAboveMs;
    delay.reset();
  }, WINDOW_MS);
  timer.unref();
  return {
    shedsReads: () => overloaded,
    stop: () => {
      clearInterval(timer);
      delay.disable();
    },
  };
}
