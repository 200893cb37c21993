/** Notices when the event loop cannot keep up, so that reads are refused before events, and events before sessions are lost. */
import { monitorEventLoopDelay } from 'node:perf_hooks';

/** How late the loop is for whoever comes at any moment, above which reads, and events, are refused (ms). */
const REFUSE_READS_MS = 150;
const REFUSE_EVENTS_MS = 500;
const RESOLUTION_MS = 10;
const WINDOW_MS = 500;

export interface Overload {
  shedsReads(): boolean;
  /** Only while reads are shed, too. Operators' commands are never. */
  shedsEvents(): boolean;
  /** Stops measuring. */
  stop(): void;
}

export interface OverloadLimits {
  readonly readsMs: number;
  readonly eventsMs: number;
}

/** What is refused, by how late the loop was in the windows so far. */
export class LoadJudge {
  readonly #limits: OverloadLimits;
  #before = 0;
  #both = 0;

  constructor(limits: OverloadLimits = { readsMs: REFUSE_READS_MS, eventsMs: REFUSE_EVENTS_MS }) {
    this.#limits = limits;
  }

  /** Takes note of a window. One bad one is an accident, such as a long collection of garbage; two are a state. */
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
 * How long the intervals are, of which whoever comes at any moment meets one (ms): long ones are met more often, so it is the
 * mean of the squares by the mean. A tenth of a second held, followed by a tenth of short turns, is about 50 and not 10.
 */
export function metInterval(meanMs: number, deviationMs: number): number {
  return meanMs > 0 ? (meanMs * meanMs + deviationMs * deviationMs) / meanMs : 0;
}

/** Measures from now on. */
export function watchOverload(judge: LoadJudge = new LoadJudge()): Overload {
  const delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  delay.enable();
  const timer = setInterval(() => {
    // The histogram holds the time between its ticks, the tick's own period included; without a tick it has no mean.
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
