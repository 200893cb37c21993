/**
 * Tracks mitigations that are being withdrawn. One has ended when no session holds a route of it, and the withdrawals
 * are acknowledged; only then is that recorded, so that nobody reads "withdrawn" while a router may still drop traffic.
 */
import type { Announcer } from './announcer.ts';
import type { Engine } from './engine.ts';
import type { Log, TimerHost } from './types.ts';

/** Limit of ends recorded in one command: some milliseconds of work for all followers. */
const ENDS_AT_ONCE = 200;

export class PendingWithdrawals {
  readonly #engine: Engine;
  readonly #announcer: Pick<Announcer, 'holds'>;
  readonly #timers: TimerHost;
  readonly #log: Log;
  readonly #ids = new Set<string>();
  #busy = false;
  /** Set if something was sent or lost during a check, perhaps too late for it. */
  #again = false;
  #stopped = false;

  constructor(engine: Engine, announcer: Pick<Announcer, 'holds'>, timers: TimerHost, log: Log) {
    this.#engine = engine;
    this.#announcer = announcer;
    this.#timers = timers;
    this.#log = log;
  }

  get size(): number {
    return this.#ids.size;
  }

  add(id: string): void {
    this.#ids.add(id);
  }

  delete(id: string): void {
    this.#ids.delete(id);
  }

  stop(): void {
    this.#stopped = true;
  }

  /**
   * Checks in the next turn of the event loop which mitigations no session holds any more, so that many are recorded
   * together.
   */
  checkSoon(): void {
    if (this.#stopped || this.#ids.size === 0) return;
    if (this.#busy) {
      this.#again = true;
      return;
    }
    this.#busy = true;
    this.#again = false;
    void this.#timers.yield().then(() => this.#check());
  }

  async #check(): Promise<void> {
    this.#again = false;
    const reached = [...this.#ids].filter((id) => !this.#announcer.holds(id));
    const ids = reached.slice(0, ENDS_AT_ONCE);
    if (reached.length > ids.length) this.#again = true;
    let failed = false;
    try {
      const isHeld = (id: string): boolean => this.#announcer.holds(id);
      if (ids.length > 0 && !this.#stopped) await this.#engine.submit({ type: 'confirm-ended', ids, isHeld });
    } catch (error) {
      failed = true;
      // Nothing is lost: they stay listed, and the next full run checks them again.
      if (!this.#stopped) this.#log('warn', 'cannot record that mitigations ended; retrying', { err: error });
    } finally {
      this.#busy = false;
    }
    if (this.#again && !failed) this.checkSoon();
  }
}
