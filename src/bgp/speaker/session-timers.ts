/** The timers of one session (RFC 4271 §10), which the state machine starts and stops by name. */
import type { TimerName } from '../fsm/types.ts';
import type { Runtime } from './runtime.ts';

interface Timer {
  deadline: number;
  /** When the event loop will look; never later than the deadline was at that time. */
  looksAt: number;
  cancel: () => void;
}

/** RFC 4271 §10: "A jitter [...] uniformly distributed from 0.75 to 1.0" applies to these. Ours alone: idle-hold. */
const JITTERED: ReadonlySet<TimerName> = new Set(['connect-retry', 'keepalive', 'idle-hold']);

/**
 * Restarting costs an assignment: the event loop's timer stays as it is and is set anew only when it turns out to have
 * looked too early. HoldTimer is restarted with every message, so this matters.
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

  /** Starts a timer, or starts it again. */
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

  /** True from its start until it is stopped or has expired. */
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
    // When this process was busy, the peer's messages may be waiting to be read: they count as having come in time.
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
