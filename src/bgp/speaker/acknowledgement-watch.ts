/**
 * Follows the acknowledgements of the peer's TCP on one connection. A check is a system call, so it is made by a timer,
 * only while something is unacknowledged, and not for each message.
 */
import type { Runtime } from './runtime.ts';

/** Delay of the first check after a write, and the longest delay while nothing changes (ms). Each check doubles it. */
const FIRST_LOOK_MS = 10;
const LONGEST_LOOK_MS = 250;

/** The connection that is followed. */
export interface AcknowledgementSource {
  /** Checks; returns true if more is acknowledged than before. */
  readonly look: () => boolean;
  readonly isUnacknowledged: () => boolean;
  /** Called if more is acknowledged. */
  readonly onMore: () => void;
}

/**
 *             write               check
 *     idle ──────────▶ written ──────────▶ checking ◀──┐ something is unacknowledged:
 *      ▲                  │                    │   └───┘ checks again, less and less often
 *      └──────────────────┴────────────────────┘
 *                all is acknowledged
 */
export class AcknowledgementWatch {
  readonly #runtime: Pick<Runtime, 'after'>;
  readonly #link: AcknowledgementSource;
  #state: 'idle' | 'written' | 'checking' | 'ended' = 'idle';
  #pause = FIRST_LOOK_MS;
  /** Cancels the next check; set in `written` and `checking`. */
  #cancel: (() => void) | undefined;

  constructor(runtime: Pick<Runtime, 'after'>, link: AcknowledgementSource) {
    this.#runtime = runtime;
    this.#link = link;
  }

  /** Schedules a check after a write. */
  wrote(): void {
    if (this.#state !== 'idle') return;
    this.#pause = FIRST_LOOK_MS;
    this.#arm('written');
  }

  /** Checks at once, unless earlier octets are unacknowledged: the timer checks those. */
  lookFirst(): void {
    if (this.#state === 'written') this.lookNow();
  }

  /** Checks at once in any case. */
  lookNow(): void {
    if (this.#state === 'ended') return;
    if (this.#state === 'written') this.#state = 'checking';
    if (this.#link.look()) {
      this.#pause = FIRST_LOOK_MS;
      this.#link.onMore();
    }
    if (!this.#link.isUnacknowledged()) this.#rest();
  }

  /** Stops, since the connection has ended. */
  end(): void {
    this.#rest();
    this.#state = 'ended';
  }

  #rest(): void {
    this.#cancel?.();
    this.#cancel = undefined;
    if (this.#state !== 'ended') this.#state = 'idle';
  }

  #arm(state: 'written' | 'checking'): void {
    this.#state = state;
    this.#cancel = this.#runtime.after(this.#pause, () => {
      this.#rest();
      this.#pause = Math.min(2 * this.#pause, LONGEST_LOOK_MS);
      this.lookNow();
      // Not if something was written meanwhile, or the connection has ended.
      if (this.#isIdle() && this.#link.isUnacknowledged()) this.#arm('checking');
    });
  }

  #isIdle(): boolean {
    return this.#state === 'idle';
  }
}
