/** Time that moves when the test says so. */
import type { TimerHost } from '../../src/control/types.ts';

export class FakeTime implements TimerHost {
  now = 1_000_000_000_000;
  readonly #due: { at: number; callback: () => void }[] = [];

  after(milliseconds: number, callback: () => void): () => void {
    const entry = { at: this.now + milliseconds, callback };
    this.#due.push(entry);
    return () => {
      const index = this.#due.indexOf(entry);
      if (index >= 0) this.#due.splice(index, 1);
    };
  }

  yield(): Promise<void> {
    return new Promise((resolve) => setImmediate(resolve));
  }

  async advance(milliseconds: number): Promise<void> {
    const until = this.now + milliseconds;
    for (;;) {
      const next = this.#due.filter((one) => one.at <= until).sort((a, b) => a.at - b.at)[0];
      if (next === undefined) break;
      this.#due.splice(this.#due.indexOf(next), 1);
      this.now = Math.max(this.now, next.at);
      next.callback();
      await idle();
    }
    this.now = until;
    await idle();
  }

  /** The timers of a process that is gone. */
  forget(): void {
    this.#due.length = 0;
  }
}

/** Lets everything that is ready run: the engine's groups and what follows from them. */
export async function idle(): Promise<void> {
  for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve));
}
