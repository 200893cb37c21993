/**
 * Mitigations on their way out. One has ended when no established session holds a route of it any more; only then is
 * that recorded, so that nobody reads "withdrawn" while a router may still drop.
 */
import type { Engine } from './engine.ts';
import type { RoutesByOwner } from './standing.ts';
import type { Log, Timers } from './types.ts';

/** Ends recorded in one command: some milliseconds of work for everything that follows the facts. */
const ENDS_AT_ONCE = 200;

export class PendingWithdrawals {
  readonly #engine: Engine;
  readonly #standing: RoutesByOwner;
  readonly #timers: Timers;
  readonly #log: Log;
  readonly #ids = new Set<string>();
  #busy = false;
  /** Something was sent or lost during a check, which may have come too late for it. */
  #again = false;
  #stopped = false;

  constructor(engine: Engine, standing: RoutesByOwner, timers: Timers, log: Log) {
    this.#engine = engine;
    this.#standing = standing;
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

  /** Looks a turn of the event loop later which ones nobody holds any more, so that many are recorded together. */
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
    const reached = [...this.#ids].filter((id) => !this.#standing.standsAnywhere(id));
    const ids = reached.slice(0, ENDS_AT_ONCE);
    if (reached.length > ids.length) this.#again = true;
    let failed = false;
    try {
      if (ids.length > 0 && !this.#stopped) await this.#engine.submit({ type: 'confirm-ended', ids });
    } catch (error) {
      failed = true;
      // Nothing is lost: they stay listed, and the next full run has them looked at again.
      if (!this.#stopped) this.#log('warn', 'cannot record that mitigations ended; retrying', { err: error });
    } finally {
      this.#busy = false;
    }
    if (this.#again && !failed) this.checkSoon();
  }
}
