/** Keeps the newest facts for readers of the feed that reconnect, bounded by number and by bytes. */
import type { RecordedFact } from '../core/facts.ts';
import { heapCost } from '../net/heap-cost.ts';

/** Minimum number of facts kept, if they are small; at most twice as many. */
const RECENT_FACTS = 10_000;
/** Approximate limit in bytes. */
export const RECENT_BYTES = 48 * 1024 * 1024;

export class RecentFacts {
  readonly #facts: RecordedFact[] = [];
  /** Approximate bytes of each fact. */
  readonly #costs: number[] = [];
  #bytes = 0;

  get size(): number {
    return this.#facts.length;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Adds facts as the newest. */
  add(facts: readonly RecordedFact[]): void {
    for (const fact of facts) {
      const cost = heapCost(fact.fact);
      this.#facts.push(fact);
      this.#costs.push(cost);
      this.#bytes += cost;
    }
    const tooMany = this.#facts.length > 2 * RECENT_FACTS;
    if (tooMany || this.#bytes > RECENT_BYTES) this.#drop(tooMany ? RECENT_FACTS : this.#facts.length);
  }

  /**
   * Returns the facts after a number, oldest first; undefined if some are no longer kept. `newest` is the last number.
   */
  after(seq: number, newest: number): readonly RecordedFact[] | undefined {
    const oldest = this.#facts[0]?.seq ?? newest + 1;
    if (seq + 1 < oldest) return undefined;
    return this.#facts.slice(Math.max(0, seq + 1 - oldest));
  }

  /**
   * Keeps at most this many of the newest facts, within three quarters of the byte limit, so that the list is not moved
   * for every fact.
   */
  #drop(most: number): void {
    let from = this.#facts.length;
    let bytes = 0;
    while (from > 0 && this.#facts.length - from < most) {
      const cost = this.#costs[from - 1] ?? 0;
      if (bytes + cost > (RECENT_BYTES * 3) / 4 && from < this.#facts.length) break;
      bytes += cost;
      from--;
    }
    this.#facts.splice(0, from);
    this.#costs.splice(0, from);
    this.#bytes = bytes;
  }
}
