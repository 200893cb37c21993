/** The newest facts, for readers of the feed that come back: bounded by number and by bytes. */
import type { RecordedFact } from '../core/facts.ts';
import { heapCost } from '../net/heap-cost.ts';

/** At least so many are kept, as long as they are small, and at most twice as many. */
const RECENT_FACTS = 10_000;
/** Bytes that they may take, about. */
export const RECENT_BYTES = 48 * 1024 * 1024;

export class RecentFacts {
  readonly #facts: RecordedFact[] = [];
  /** About how many bytes each takes. */
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

  /** The facts after a number, oldest first; undefined when some of them are not kept any more. `newest`: the last there is. */
  after(seq: number, newest: number): readonly RecordedFact[] | undefined {
    const oldest = this.#facts[0]?.seq ?? newest + 1;
    if (seq + 1 < oldest) return undefined;
    return this.#facts.slice(Math.max(0, seq + 1 - oldest));
  }

  /** Keeps so many of the newest, and of these what three quarters of the bytes hold, so that it is not moved with every fact. */
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
