/** Runs one thing at a time, and once more for everybody who asked meanwhile. */

export class SingleFlight<Outcome> {
  #running: Promise<Outcome> | undefined;
  /** Waiting runs by key. */
  readonly #next = new Map<unknown, Promise<Outcome>>();

  /**
   * Starts `work`. Calls during a run share one more run after it, because what they ask for may have come too late for
   * the current one; calls with another key share another. The first caller's `work` is the one that runs.
   */
  run(work: () => Promise<Outcome>, key?: unknown): Promise<Outcome> {
    if (this.#running === undefined) {
      this.#running = work().finally(() => {
        this.#running = undefined;
      });
      return this.#running;
    }
    const again = (): Promise<Outcome> => {
      this.#next.delete(key);
      return this.run(work, key);
    };
    const next = this.#next.get(key) ?? this.#running.then(again, again);
    this.#next.set(key, next);
    return next;
  }

  /** Resolves when the current run and those that wait now are over; rejects like the first that fails. */
  async finished(): Promise<void> {
    await Promise.all([this.#running, ...this.#next.values()]);
  }
}
