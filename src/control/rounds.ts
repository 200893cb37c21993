/** Full runs, one at a time, and what is told of them. */

/** `check`: nothing is known to have changed, so whatever the run has to change is drift. */
export type Occasion = 'change' | 'check';

/** `run` compares everything and answers how many routes it had to change. */
export class FullRuns {
  readonly #run: () => Promise<number>;
  readonly #clock: () => number;
  #running: Promise<void> | null = null;
  #next: Promise<void> | null = null;
  #runs = 0;
  #drift = 0;
  #lastRunAt: number | null = null;
  #lastRunMs = 0;

  constructor(run: () => Promise<number>, clock: () => number) {
    this.#run = run;
    this.#clock = clock;
  }

  get stats() {
    return {
      runs: this.#runs,
      drift: this.#drift,
      lastRunAt: this.#lastRunAt,
      lastRunMs: this.#lastRunMs,
    };
  }

  /**
   * Starts a run. A call during a run is served by one more run after it, because what the caller knows may have come too
   * late for this one.
   */
  start(occasion: Occasion): Promise<void> {
    if (this.#running === null) {
      this.#running = this.#measured(occasion).finally(() => {
        this.#running = null;
      });
      return this.#running;
    }
    this.#next ??= this.#running.then(() => {
      this.#next = null;
      return this.start(occasion);
    });
    return this.#next;
  }

  /** Resolves when no run is under way. */
  async finished(): Promise<void> {
    await this.#running;
    await this.#next;
  }

  async #measured(occasion: Occasion): Promise<void> {
    const from = performance.now();
    const changes = await this.#run();
    if (occasion === 'check') this.#drift += changes;
    this.#runs++;
    this.#lastRunAt = this.#clock();
    this.#lastRunMs = performance.now() - from;
  }
}
