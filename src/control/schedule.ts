/** When the reconciler acts by itself: at the next expiry, and every so often whatever happened. */
import type { Engine } from './engine.ts';
import type { Log, TimerHost } from './types.ts';

/** A timer of Node's cannot be set further ahead (ms). */
const MAX_DELAY_MS = 2 ** 31 - 1;
/** Wait before asking again for what the store refused (ms). */
const RETRY_MS = 1_000;

export interface ScheduleOptions {
  readonly engine: Engine;
  readonly clock: () => number;
  readonly timers: TimerHost;
  /** Milliseconds between full runs. */
  readonly intervalMs: number;
  readonly log: Log;
  /** A full run that is due by the interval. */
  readonly onInterval: () => Promise<void>;
  /** Expiries could not be recorded; their rules must go all the same. */
  readonly onExpiryUnrecorded: () => Promise<void>;
}

export class Schedule {
  readonly #options: ScheduleOptions;
  #cancelExpiry: () => void = () => {};
  /** What the timer is set to; null when it is not set. */
  #armedFor: number | null = null;
  #cancelInterval: () => void = () => {};
  /** The last attempt to record what expired failed; the log has said so. */
  #unrecorded = false;
  #stopped = false;

  constructor(options: ScheduleOptions) {
    this.#options = options;
  }

  /** Starts the interval. */
  start(): void {
    if (this.#stopped) return;
    this.#cancelInterval = this.#options.timers.after(this.#options.intervalMs, () => {
      void this.expire();
      void this.#options.onInterval().finally(() => this.start());
    });
  }

  stop(): void {
    this.#stopped = true;
    this.#cancelExpiry();
    this.#cancelInterval();
  }

  /** Sets the timer to the earliest expiry there is now, at least `minimumMs` from now. */
  armExpiry(minimumMs = 0): void {
    const next = this.#options.engine.state.earliestDue;
    if (next !== null && next === this.#armedFor && minimumMs === 0) return;
    this.#cancelExpiry();
    this.#armedFor = null;
    if (next === null || this.#stopped) return;
    const delay = Math.min(Math.max(next - this.#options.clock(), minimumMs), MAX_DELAY_MS);
    this.#armedFor = next;
    this.#cancelExpiry = this.#options.timers.after(delay, () => {
      this.#armedFor = null;
      void this.expire();
    });
  }

  /**
   * Ends what has expired. Asked at start and with the interval, too: the core cuts expiries that lie further ahead than
   * any TTL may, because the clock was set back or the policy was changed. When it cannot be written down, the rules go
   * all the same: `desired` drops them by itself.
   */
  async expire(): Promise<void> {
    try {
      await this.#options.engine.submit({ type: 'expire' });
      this.#unrecorded = false;
      this.armExpiry();
    } catch (error) {
      if (this.#stopped) return;
      const text = 'cannot record expired mitigations; their rules are withdrawn all the same';
      if (!this.#unrecorded) this.#options.log('error', text, { err: error });
      this.#unrecorded = true;
      await this.#options.onExpiryUnrecorded();
      this.armExpiry(RETRY_MS);
    }
  }
}

// Full runs, one at a time, and what is told of them.

/** `check`: nothing is known to have changed, so whatever the run has to change is drift. */
export type Occasion = 'change' | 'check';

/** `run` compares everything and answers how many routes it had to change. */
export class FullRuns {
  readonly #run: () => Promise<number>;
  readonly #clock: () => number;
  #running: Promise<void> | null = null;
  #next: Promise<void> | null = null;
  #runs = 0;
  #drift = 0;
  #lastRunAt: number | null = null;
  #lastRunMs = 0;

  constructor(run: () => Promise<number>, clock: () => number) {
    this.#run = run;
    this.#clock = clock;
  }

  get stats() {
    return {
      runs: this.#runs,
      drift: this.#drift,
      lastRunAt: this.#lastRunAt,
      lastRunMs: this.#lastRunMs,
    };
  }

  /**
   * Starts a run. A call during a run is served by one more run after it, because what the caller knows may have come too
   * late for this one.
   */
  start(occasion: Occasion): Promise<void> {
    if (this.#running === null) {
      this.#running = this.#measured(occasion).finally(() => {
        this.#running = null;
      });
      return this.#running;
    }
    this.#next ??= this.#running.then(() => {
      this.#next = null;
      return this.start(occasion);
    });
    return this.#next;
  }

  /** Resolves when no run is under way. */
  async finished(): Promise<void> {
    await this.#running;
    await this.#next;
  }

  async #measured(occasion: Occasion): Promise<void> {
    const from = performance.now();
    const changes = await this.#run();
    if (occasion === 'check') this.#drift += changes;
    this.#runs++;
    this.#lastRunAt = this.#clock();
    this.#lastRunMs = performance.now() - from;
  }
}
