/** Networks from which a valid credential came: their detectors are not locked out by strangers. Bounded. */
import { forgetOldest } from '../net/forget-oldest.ts';

/** Networks that are remembered; beyond, the one that was quiet longest is forgotten. */
const MAX_NETWORKS = 1_024;
/** For how long (ms). */
const MEMORY_MS = 24 * 60 * 60 * 1000;
/** The order of the last use is kept to so many milliseconds. */
const ORDER_MS = 60_000;

export class KnownNetworks {
  readonly #now: () => number;
  /** When each was last used, the quietest first. */
  readonly #usedAt = new Map<string, number>();

  /** `now`: milliseconds from any beginning, that never go back. */
  constructor(now: () => number) {
    this.#now = now;
  }

  has(name: string): boolean {
    const usedAt = this.#usedAt.get(name);
    return usedAt !== undefined && this.#now() - usedAt < MEMORY_MS;
  }

  add(name: string): void {
    const now = this.#now();
    const usedAt = this.#usedAt.get(name);
    if (usedAt !== undefined && now - usedAt < ORDER_MS) return;
    this.#usedAt.delete(name);
    this.#usedAt.set(name, now);
    forgetOldest(this.#usedAt, MAX_NETWORKS);
  }
}
