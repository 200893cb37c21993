/**
 * Follows the acknowledgements of the peer's TCP on one connection. A check is a system call, so it is made by a timer,
 * only while something is unacknowledged, and not for each message.
 */
import type { Link } from './link.ts';
import type { Runtime } from './runtime.ts';

/**
 * Delay of the first check after a write, and the longest delay while nothing changes, in milliseconds. Each check
 * doubles it.
 */
export const FIRST_LOOK_MS = 10;
export const LONGEST_LOOK_MS = 250;

export class SendWatch {
  readonly #link: Pick<Link, 'written' | 'acknowledged' | 'look'>;
  readonly #runtime: Pick<Runtime, 'after'>;
  readonly #acknowledgedMore: () => void;
  #pause = FIRST_LOOK_MS;
  #cancel: (() => void) | undefined;
  /** True until the first check after a write. */
  #fresh = false;
  #over = false;

  constructor(
    link: Pick<Link, 'written' | 'acknowledged' | 'look'>,
    runtime: Pick<Runtime, 'after'>,
    acknowledgedMore: () => void,
  ) {
    this.#link = link;
    this.#runtime = runtime;
    this.#acknowledgedMore = acknowledgedMore;
  }

  /** Schedules a check after a write. */
  wrote(): void {
    if (this.#cancel !== undefined || this.#over) return;
    this.#pause = FIRST_LOOK_MS;
    this.#fresh = true;
    this.#arm();
  }

  /** Checks at once, unless earlier octets are unacknowledged: the timer checks those. */
  lookFirst(): void {
    if (this.#fresh) this.lookNow();
  }

  /** Checks at once in any case. */
  lookNow(): void {
    if (this.#over) return;
    this.#fresh = false;
    if (this.#link.look()) {
      this.#pause = FIRST_LOOK_MS;
      this.#acknowledgedMore();
    }
    if (this.#link.written > this.#link.acknowledged) return;
    this.#cancel?.();
    this.#cancel = undefined;
  }

  /** Stops, since the connection has ended. */
  end(): void {
    this.#over = true;
    this.#cancel?.();
    this.#cancel = undefined;
  }

  #arm(): void {
    this.#cancel = this.#runtime.after(this.#pause, () => {
      this.#cancel = undefined;
      this.#pause = Math.min(2 * this.#pause, LONGEST_LOOK_MS);
      this.lookNow();
      if (this.#cancel === undefined && !this.#over && this.#link.written > this.#link.acknowledged)
        this.#arm();
    });
  }
}
