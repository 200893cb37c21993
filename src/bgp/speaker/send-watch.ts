/**
 * Follows what the peer's TCP acknowledges of what is written on one connection. To ask is a system call, so it is asked
 * only while something is unacknowledged, by a timer, and not for each message.
 */
import type { Link } from './link.ts';
import type { Runtime } from './runtime.ts';

/** How soon after a write it is looked, and how rarely while nothing changes, in milliseconds. Each look doubles the wait. */
export const FIRST_LOOK_MS = 10;
export const LONGEST_LOOK_MS = 250;

export class SendWatch {
  readonly #link: Pick<Link, 'written' | 'acknowledged' | 'look'>;
  readonly #runtime: Pick<Runtime, 'after'>;
  readonly #acknowledgedMore: () => void;
  #pause = FIRST_LOOK_MS;
  #cancel: (() => void) | undefined;
  /** True until something was looked for after a write. */
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

  /** Octets were written: it will be looked. */
  wrote(): void {
    if (this.#cancel !== undefined || this.#over) return;
    this.#pause = FIRST_LOOK_MS;
    this.#fresh = true;
    this.#arm();
  }

  /** Looks at once; does nothing when earlier octets are being waited for: the timer looks at those. */
  lookFirst(): void {
    if (this.#fresh) this.lookNow();
  }

  /** Looks at once, whatever was looked at before. */
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

  /** The connection is gone. */
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
