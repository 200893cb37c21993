/**
 * Detects when the event loop cannot keep up, so that reads are refused before events, and events before sessions are
 * lost.
 */
import { monitorEventLoopDelay } from 'node:perf_hooks';

/** Event loop delays, as met at a random moment, above which reads and events are refused (ms). */
const REFUSE_READS_MS = 150;
const REFUSE_EVENTS_MS = 500;
const RESOLUTION_MS = 10;
const WINDOW_MS = 500;

export interface Overload {
  shedsReads(): boolean;
  /** True only if reads are shed too. Operators' commands are never shed. */
  shedsEvents(): boolean;
  /** Stops measuring. */
  stop(): void;
}

export interface OverloadLimits {
  readonly readsMs: number;
  readonly eventsMs: number;
}

/** Decides what to refuse from the event loop's delay in the last two windows. */
export class LoadJudge {
  readonly #limits: OverloadLimits;
  #before = 0;
  #both = 0;

  constructor(limits: OverloadLimits = { readsMs: REFUSE_READS_MS, eventsMs: REFUSE_EVENTS_MS }) {
    this.#limits = limits;
  }

  /** Records a window's delay (ms). One slow window may be a long garbage collection; two in a row are an overload. */
  note(lateMs: number): void {
    this.#both = Math.min(this.#before, lateMs);
    this.#before = lateMs;
  }

  get shedsReads(): boolean {
    return this.#both > this.#limits.readsMs;
  }

  get shedsEvents(): boolean {
    return this.#both > Math.max(this.#limits.eventsMs, this.#limits.readsMs);
  }
}

/**
 * Returns the expected length (ms) of the interval that a random moment falls into. Long intervals are met more often,
 * so it is the mean of the squares divided by the mean: 100 ms blocked followed by 100 ms of short turns gives about 50
 * and not 10.
 */
export function metInterval(meanMs: number, deviationMs: number): number {
  return meanMs > 0 ? (meanMs * meanMs + deviationMs * deviationMs) / meanMs : 0;
}

/** Starts measuring. */
export function watchOverload(judge: LoadJudge = new LoadJudge()): Overload {
  const delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  delay.enable();
  const timer = setInterval(() => {
    // The histogram holds the time between ticks, including the tick's own period; without a tick it has no mean.
    const met = delay.count > 0 ? metInterval(delay.mean / 1e6, delay.stddev / 1e6) : 0;
    judge.note(Math.max(0, met - RESOLUTION_MS));
    delay.reset();
  }, WINDOW_MS);
  timer.unref();
  return {
    shedsReads: () => judge.shedsReads,
    shedsEvents: () => judge.shedsEvents,
    stop: () => {
      clearInterval(timer);
      delay.disable();
    },
  };
}
