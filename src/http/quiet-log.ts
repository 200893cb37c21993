/** Limits log lines about the same repeated event: one line at first, then one per interval with a count. */
import { forgetOldest } from '../net/queue.ts';

/** Minimum time between two lines with the same key (ms). */
const EVERY_MS = 60_000;
/** Maximum number of keys; beyond it, the oldest is forgotten. */
const MAX_KEYS = 1_024;

export class QuietLog {
  readonly #now: () => number;
  readonly #lines = new Map<string, { readonly at: number; unlogged: number }>();

  /** `now` returns monotonic milliseconds. */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** Returns the number of events since the last line, including this one, if a line is due; else undefined. */
  due(key: string): number | undefined {
    const now = this.#now();
    const last = this.#lines.get(key);
    if (last !== undefined && now - last.at < EVERY_MS) {
      last.unlogged++;
      return undefined;
    }
    this.#lines.delete(key);
    this.#lines.set(key, { at: now, unlogged: 0 });
    forgetOldest(this.#lines, MAX_KEYS);
    return 1 + (last?.unlogged ?? 0);
  }
}
