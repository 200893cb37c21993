/** Keeps a client that is refused again and again from filling the log: one line, then one in a while with how many it stands for. */
import { forgetOldest } from '../net/queue.ts';

/** At most one line about the same thing in this time (ms). */
const EVERY_MS = 60_000;
/** Things that are remembered; beyond, the oldest is forgotten. */
const MAX_KEYS = 1_024;

export class QuietLog {
  readonly #now: () => number;
  readonly #lines = new Map<string, { readonly at: number; unlogged: number }>();

  /** `now`: milliseconds from any beginning, that never go back. */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** How many of the same there were since the last line, this one included, when it is time for a line; else null. */
  due(key: string): number | null {
    const now = this.#now();
    const last = this.#lines.get(key);
    if (last !== undefined && now - last.at < EVERY_MS) {
      last.unlogged++;
      return null;
    }
    this.#lines.delete(key);
    this.#lines.set(key, { at: now, unlogged: 0 });
    forgetOldest(this.#lines, MAX_KEYS);
    return 1 + (last?.unlogged ?? 0);
  }
}
