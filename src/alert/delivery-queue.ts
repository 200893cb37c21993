/**
 * Delivers one destination's alerts in order, one request at a time, and retries with growing pauses. The queue is
 * bounded, so that an unreachable destination costs some memory and some alerts, and does not affect other
 * destinations.
 */
import type { Alert, AlertRequest } from './alert.ts';
import {
  type AlertTimers,
  type Attempt,
  cleanDetail,
  makeAttempt,
  pauseAfter,
  type PauseLimits,
} from './attempt.ts';
import type { DestinationFormat } from './destinations.ts';
import type { Poster } from './post.ts';

/**
 * Outcome of alerts. `failed`: refused, or the last attempt failed. `dropped`: the queue was full, or the daemon
 * stopped.
 */
export interface Delivery {
  /** Name of the destination; never its URL. */
  readonly destination: string;
  readonly outcome: 'delivered' | 'failed' | 'dropped';
  readonly alerts: readonly Alert[];
  readonly attempts: number;
  /** Reason of a failure, without secrets; empty if delivered. */
  readonly detail: string;
}

export interface DeliveryOptions extends DestinationFormat {
  readonly name: string;
  /** Time from the first waiting alert to its request, for which further alerts are gathered (ms). Default: none. */
  readonly gatherMs?: number;
  readonly poster: Poster;
  readonly timers: AlertTimers;
  /** Returns a number from 0 to less than 1. */
  readonly random: () => number;
  readonly onDelivery: (delivery: Delivery) => void;
  readonly limits: DeliveryLimits;
}

export interface DeliveryLimits extends PauseLimits {
  /** Most waiting alerts; beyond that the oldest is dropped. */
  readonly capacity: number;
  readonly attempts: number;
  /** Time limit of one attempt, from connecting to the end of the response (ms). */
  readonly timeoutMs: number;
}

export const DEFAULT_LIMITS: DeliveryLimits = {
  capacity: 1_000,
  attempts: 8,
  timeoutMs: 10_000,
  pauseMs: 1_000,
  maxPauseMs: 60_000,
};

export class DeliveryQueue {
  readonly #options: DeliveryOptions;
  #waiting: Alert[] = [];
  #running: Promise<void> | undefined;
  #closing = false;
  /** Resolves when the interval since the last request is over. */
  #interval: Promise<void> = Promise.resolve();
  /** Ends the current gathering, `#endInterval` the current interval; `#wake` ends the current pause and `#abort` the current attempt. */
  #endGathering: () => void = () => undefined;
  #endInterval: () => void = () => undefined;
  #wake: () => void = () => undefined;
  #abort: () => void = () => undefined;

  constructor(options: DeliveryOptions) {
    this.#options = options;
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  add(alert: Alert): void {
    if (this.#closing) {
      this.#report('dropped', [alert], 0, 'alerting is stopping');
      return;
    }
    this.#waiting.push(alert);
    const surplus = this.#waiting.length - this.#options.limits.capacity;
    if (surplus > 0) {
      this.#report('dropped', this.#waiting.splice(0, surplus), 0, 'too many alerts are waiting');
    }
    this.#running ??= this.#run();
  }

  /** Tries once more to deliver the waiting alerts, for at most `graceMs`; the rest is reported as dropped. */
  async close(graceMs: number): Promise<void> {
    this.#closing = true;
    this.#endGathering();
    this.#endInterval();
    this.#wake();
    const cancel = this.#options.timers.after(graceMs, () => {
      const left = this.#waiting.splice(0);
      if (left.length > 0) this.#report('dropped', left, 0, 'alerting is stopping');
      this.#abort();
    });
    await this.#running;
    cancel();
  }

  async #run(): Promise<void> {
    // Wait one turn, so that all facts of a group are in the queue.
    await Promise.resolve();
    while (this.#waiting.length > 0) {
      await this.#gather();
      await this.#interval;
      const alerts = this.#waiting.splice(0, this.#options.batch);
      if (alerts.length === 0) break; // dropped meanwhile
      this.#interval = this.#startInterval();
      await this.#deliver(alerts);
    }
    this.#running = undefined;
  }

  /** Waits for further alerts that share the request of the first one. */
  #gather(): Promise<void> {
    return this.#time(this.#options.gatherMs, (end) => {
      this.#endGathering = end;
    });
  }

  #startInterval(): Promise<void> {
    return this.#time(this.#options.intervalMs, (end) => {
      this.#endInterval = end;
    });
  }

  /** Resolves after this time; at once while closing. `onEnd` gets a function that ends it. */
  #time(milliseconds: number | undefined, onEnd: (end: () => void) => void): Promise<void> {
    if (milliseconds === undefined || milliseconds === 0 || this.#closing) return Promise.resolve();
    return new Promise((resolve) => {
      const cancel = this.#options.timers.after(milliseconds, resolve);
      onEnd(() => {
        cancel();
        resolve();
      });
    });
  }

  async #deliver(alerts: readonly Alert[]): Promise<void> {
    const { limits, requestOf } = this.#options;
    const request = requestOf(alerts);
    for (let attempt = 1; ; attempt++) {
      const result = await this.#attempt(request);
      if (result.verdict === 'delivered') return this.#report('delivered', alerts, attempt, '');
      if (result.verdict === 'refused') return this.#report('failed', alerts, attempt, result.detail);
      if (attempt >= limits.attempts) return this.#report('failed', alerts, attempt, result.detail);
      if (!this.#closing) await this.#pause(attempt, result.afterMs);
      // While closing, there is only one more attempt.
      else return this.#report('dropped', alerts, attempt, result.detail);
    }
  }

  async #attempt(request: AlertRequest): Promise<Attempt> {
    const { poster, timers, limits, bodyPauseMs } = this.#options;
    const controller = new AbortController();
    this.#abort = () => controller.abort(new Error('alerting is stopping'));
    const { timeoutMs } = limits;
    const result = await makeAttempt(request, { poster, timers, timeoutMs, controller, bodyPauseMs });
    this.#abort = () => undefined;
    return result;
  }

  #pause(attempt: number, wantedMs: number | undefined): Promise<void> {
    const { limits, random } = this.#options;
    const pause = pauseAfter(attempt, limits, random(), wantedMs);
    return new Promise((resolve) => {
      const cancel = this.#options.timers.after(pause, resolve);
      this.#wake = () => {
        cancel();
        resolve();
      };
    });
  }

  #report(outcome: Delivery['outcome'], alerts: readonly Alert[], attempts: number, detail: string): void {
    const { name, onDelivery, secrets } = this.#options;
    onDelivery({ destination: name, outcome, alerts, attempts, detail: cleanDetail(detail, secrets) });
  }
}
