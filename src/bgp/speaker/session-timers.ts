/** The timers of one session (RFC 4271 §10), which the state machine starts and stops by name. */
import type { TimerName } from '../fsm/types.ts';
import type { Runtime } from './runtime.ts';

interface Timer {
  deadline: number;
  /** Time of the event loop's timer; never later than the deadline was when it was set. */
  looksAt: number;
  cancel: () => void;
}

/**
 * RFC 4271 §10: "A jitter [...] uniformly distributed from 0.75 to 1.0" applies to these; idle-hold is our own
 * addition.
 */
const JITTERED: ReadonlySet<TimerName> = new Set(['connect-retry', 'keepalive', 'idle-hold']);

/**
 * Restarting a timer is only an assignment: the event loop's timer stays as it is, and is set again if it fires too
 * early. This matters because every message restarts HoldTimer.
 */
export class SessionTimers {
  readonly #runtime: Pick<Runtime, 'now' | 'after' | 'soon' | 'random'>;
  readonly #expired: (timer: TimerName) => void;
  readonly #timers = new Map<TimerName, Timer>();

  constructor(
    runtime: Pick<Runtime, 'now' | 'after' | 'soon' | 'random'>,
    expired: (timer: TimerName) => void,
  ) {
    this.#runtime = runtime;
    this.#expired = expired;
  }

  /** Starts or restarts a timer. */
  start(name: TimerName, seconds: number): void {
    const jitter = JITTERED.has(name) ? 0.75 + 0.25 * this.#runtime.random() : 1;
    const deadline = this.#runtime.now() + seconds * 1000 * jitter;
    const timer = this.#timers.get(name);
    if (timer !== undefined && timer.looksAt <= deadline) {
      timer.deadline = deadline;
      return;
    }
    timer?.cancel();
    const fresh: Timer = { deadline, looksAt: deadline, cancel: () => undefined };
    this.#timers.set(name, fresh);
    this.#arm(name, fresh);
  }

  /** Returns true from a timer's start until it is stopped or has expired. */
  runs(name: TimerName): boolean {
    return this.#timers.has(name);
  }

  stop(name: TimerName): void {
    this.#timers.get(name)?.cancel();
    this.#timers.delete(name);
  }

  stopAll(): void {
    for (const timer of this.#timers.values()) timer.cancel();
    this.#timers.clear();
  }

  #arm(name: TimerName, timer: Timer): void {
    timer.looksAt = timer.deadline;
    timer.cancel = this.#runtime.after(Math.max(0, timer.deadline - this.#runtime.now()), () =>
      this.#look(name, timer),
    );
  }

  #look(name: TimerName, timer: Timer): void {
    if (this.#timers.get(name) !== timer) return;
    if (timer.deadline > this.#runtime.now()) {
      this.#arm(name, timer);
      return;
    }
    if (name !== 'hold') {
      this.#expire(name, timer);
      return;
    }
    // If this process was busy, the peer's messages may wait to be read: they count as received in time.
    const deadline = timer.deadline;
    this.#runtime.soon(() => {
      if (this.#timers.get(name) !== timer) return;
      if (timer.deadline === deadline) this.#expire(name, timer);
      else this.#arm(name, timer);
    });
  }

  #expire(name: TimerName, timer: Timer): void {
    timer.cancel();
    this.#timers.delete(name);
    this.#expired(name);
  }
}
