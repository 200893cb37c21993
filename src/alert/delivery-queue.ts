/**
 * What waits for one destination: delivered in order, one at a time, tried again with growing pauses, and bounded, so
 * that a destination that is away for a day costs some memory and some alerts, and nobody else anything.
 */
import type { Alert, AlertRequest } from './alert.ts';
import type { PostAnswer, Poster } from './post.ts';

/** Calls back once after the delay (ms); returns what cancels it. */
export interface AlertTimers {
  readonly after: (milliseconds: number, callback: () => void) => () => void;
}

/** How alerts fared. `failed`: refused, or given up after the last attempt; `dropped`: no room, or no time left at the end. */
export interface Delivery {
  /** Name of the destination; never its URL. */
  readonly destination: string;
  readonly outcome: 'delivered' | 'failed' | 'dropped';
  readonly alerts: readonly Alert[];
  readonly attempts: number;
  /** Why not, in words, without secrets; empty when delivered. */
  readonly detail: string;
}

export interface DeliveryOptions {
  readonly name: string;
  readonly requestOf: (alerts: readonly Alert[]) => AlertRequest;
  /** Alerts that one request can carry. */
  readonly batch: number;
  /** From one request to the next at least (ms); absent: none. What comes meanwhile goes with the next one. */
  readonly intervalMs?: number;
  /** Texts that must not appear in a `detail`. */
  readonly secrets: readonly string[];
  readonly poster: Poster;
  readonly timers: AlertTimers;
  /** From 0 to less than 1. */
  readonly random: () => number;
  readonly onDelivery: (delivery: Delivery) => void;
  readonly limits: DeliveryLimits;
}

export interface DeliveryLimits {
  /** Alerts that wait at most; beyond it the oldest is dropped. */
  readonly capacity: number;
  readonly attempts: number;
  /** For one attempt, from connecting to the end of the answer (ms). */
  readonly timeoutMs: number;
  /** Pause after the first failure, doubled with each further one up to `maxPauseMs`; half of it is random. */
  readonly pauseMs: number;
  readonly maxPauseMs: number;
}

export const DEFAULT_LIMITS: DeliveryLimits = {
  capacity: 1_000,
  attempts: 8,
  timeoutMs: 10_000,
  pauseMs: 1_000,
  maxPauseMs: 60_000,
};

/** What an attempt came to. */
type Attempt =
  | { readonly verdict: 'delivered' }
  | { readonly verdict: 'refused'; readonly detail: string }
  | { readonly verdict: 'again'; readonly detail: string; readonly afterMs: number | null };

const DETAIL_LENGTH = 200;

export class DeliveryQueue {
  readonly #options: DeliveryOptions;
  #waiting: Alert[] = [];
  #running: Promise<void> | undefined;
  #closing = false;
  /** Resolves when the interval since the last request is over. */
  #rested: Promise<void> = Promise.resolve();
  /** Ends the present interval, the present pause, the present attempt. */
  #rouse: () => void = () => undefined;
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

  /** Tries once more what waits, for at most `graceMs`; what is left then is reported as dropped. */
  async close(graceMs: number): Promise<void> {
    this.#closing = true;
    this.#rouse();
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
    // Facts of one group come together; one turn later they are all here.
    await Promise.resolve();
    while (this.#waiting.length > 0) {
      await this.#rested;
      const alerts = this.#waiting.splice(0, this.#options.batch);
      if (alerts.length === 0) break; // dropped meanwhile
      this.#rested = this.#rest();
      await this.#deliver(alerts);
    }
    this.#running = undefined;
  }

  #rest(): Promise<void> {
    const { intervalMs = 0, timers } = this.#options;
    if (intervalMs === 0 || this.#closing) return Promise.resolve();
    return new Promise((resolve) => {
      const cancel = timers.after(intervalMs, resolve);
      this.#rouse = () => {
        cancel();
        resolve();
      };
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
      // Woken to close: one last attempt, and no more.
      else return this.#report('dropped', alerts, attempt, result.detail);
    }
  }

  async #attempt(request: AlertRequest): Promise<Attempt> {
    const { poster, timers, limits } = this.#options;
    const controller = new AbortController();
    this.#abort = () => controller.abort(new Error('alerting is stopping'));
    const late = new Error(`no answer within ${limits.timeoutMs} ms`);
    const cancel = timers.after(limits.timeoutMs, () => controller.abort(late));
    try {
      return attemptOf(await poster.post(request, controller.signal));
    } catch (error) {
      const reason: unknown = controller.signal.aborted ? controller.signal.reason : error;
      const detail = reason instanceof Error ? reason.message : String(reason);
      return isRefusedAddress(reason)
        ? { verdict: 'refused', detail }
        : { verdict: 'again', detail, afterMs: null };
    } finally {
      cancel();
      this.#abort = () => undefined;
    }
  }

  #pause(attempt: number, wantedMs: number | null): Promise<void> {
    const { pauseMs, maxPauseMs } = this.#options.limits;
    const full = Math.min(maxPauseMs, pauseMs * 2 ** (attempt - 1));
    const own = full / 2 + (full / 2) * this.#options.random();
    // What the other side asks for is honoured, but not for hours.
    const pause = Math.max(own, Math.min(wantedMs ?? 0, 5 * maxPauseMs));
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
    let clean = detail.replaceAll(/[^\x20-\x7e]+/g, ' ').trim();
    for (const secret of secrets) if (secret !== '') clean = clean.replaceAll(secret, '[secret]');
    onDelivery({ destination: name, outcome, alerts, attempts, detail: clean.slice(0, DETAIL_LENGTH) });
  }
}

function attemptOf({ status, retryAfterMs, text }: PostAnswer): Attempt {
  if (status >= 200 && status < 300) return { verdict: 'delivered' };
  const detail = `HTTP ${status}${text === '' ? '' : `: ${text}`}`;
  // RFC 9110 §15.5.9 and §15.6, RFC 6585 §4: worth another attempt. All else will not change by asking again.
  if (status >= 500 || status === 429 || status === 408)
    return { verdict: 'again', detail, afterMs: retryAfterMs };
  if (status >= 300 && status < 400) {
    return {
      verdict: 'refused',
      detail: `HTTP ${status}: redirects are not followed; configure the final URL`,
    };
  }
  return { verdict: 'refused', detail };
}

function isRefusedAddress(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'REFUSED_ADDRESS';
}
