/** Schedules the reconciler: at the next expiry, and at a fixed interval. */
import { SingleFlight } from '../net/single-flight.ts';
import type { Engine } from './engine.ts';
import type { Log, TimerHost } from './types.ts';

/** Maximum delay of a Node timer (ms). */
const MAX_DELAY_MS = 2 ** 31 - 1;
/** Wait before a command that the store refused is sent again (ms). */
const RETRY_MS = 1_000;

export interface ScheduleOptions {
  readonly engine: Engine;
  readonly clock: () => number;
  readonly timers: TimerHost;
  /** Milliseconds between full runs. */
  readonly intervalMs: number;
  readonly log: Log;
  /** Called when a full run is due. */
  readonly onInterval: () => Promise<void>;
  /** Called if expiries could not be recorded; their rules must be withdrawn anyway. */
  readonly onExpiryUnrecorded: () => Promise<void>;
}

export class Schedule {
  readonly #options: ScheduleOptions;
  #cancelExpiry: () => void = () => {};
  /** Time the timer is set to. */
  #armedFor: number | undefined;
  #cancelInterval: () => void = () => {};
  /** True if the last attempt to record expiries failed and was logged. */
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

  /** Sets the timer to the earliest expiry, at least `minimumMs` from now. */
  armExpiry(minimumMs = 0): void {
    const next = this.#options.engine.state.earliestDue;
    if (next !== undefined && next === this.#armedFor && minimumMs === 0) return;
    this.#cancelExpiry();
    this.#armedFor = undefined;
    if (next === undefined || this.#stopped) return;
    const delay = Math.min(Math.max(next - this.#options.clock(), minimumMs), MAX_DELAY_MS);
    this.#armedFor = next;
    this.#cancelExpiry = this.#options.timers.after(delay, () => {
      this.#armedFor = undefined;
      void this.expire();
    });
  }

  /**
   * Expires mitigations. Also called at start and at each interval: the core shortens expiries that are further ahead
   * than any TTL allows, because the clock was set back or the policy was changed. If this cannot be recorded, the
   * rules are withdrawn anyway: `desired` drops them.
   */
  async expire(): Promise<void> {
    try {
      await this.#options.engine.submit({ type: 'expire' });
      this.#unrecorded = false;
      this.armExpiry();
    } catch (error) {
      if (this.#stopped) return;
      const text = 'cannot record expired mitigations; their rules are withdrawn anyway';
      if (!this.#unrecorded) this.#options.log('error', text, { err: error });
      this.#unrecorded = true;
      await this.#options.onExpiryUnrecorded();
      this.armExpiry(RETRY_MS);
    }
  }
}

// Full runs, one at a time, and their log lines.

/** `check`: no change is known, so any difference that the run finds is drift. */
export type Occasion = 'change' | 'check';

/** Runs `run`, which compares everything and returns the number of routes it had to change. */
export class FullRuns {
  readonly #run: () => Promise<number>;
  readonly #clock: () => number;
  readonly #flight = new SingleFlight<void>();
  #runs = 0;
  #drift = 0;
  #lastRunAt: number | undefined;
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
   * Starts a run. A call during a run leads to one more run after it, because the caller's change may be too late for
   * the current one.
   */
  start(occasion: Occasion): Promise<void> {
    return this.#flight.run(() => this.#measured(occasion));
  }

  /** Resolves when no run is active. */
  finished(): Promise<void> {
    return this.#flight.finished();
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
