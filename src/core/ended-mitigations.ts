/** Ended and rejected mitigations, in the order of their end: bounded by number and by bytes, for each may have had many holds. */
import { Fifo } from '../net/fifo.ts';
import { heapCost } from '../net/heap-cost.ts';
import type { Mitigation } from './types.ts';

/** How many events, and how many ended or rejected mitigations, are remembered. */
export const HISTORY_SIZE = 10_000;
/** Bytes that the ended and rejected ones may take, about. */
export const ENDED_BYTES = 64 * 1024 * 1024;

interface Ended {
  readonly id: string;
  readonly cost: number;
}

export class EndedMitigations {
  readonly #order = new Fifo<Ended>();
  #bytes = 0;

  /** A mitigation has ended. */
  add(id: string, mitigation: Mitigation | undefined): void {
    const cost = mitigation === undefined ? 0 : heapCost(mitigation);
    this.#order.push({ id, cost });
    this.#bytes += cost;
  }

  /** Takes back the last one. */
  takeBack(): void {
    this.#bytes -= this.#order.pop()?.cost ?? 0;
  }

  /** Forgets what is too much, and returns the ids of it. */
  settle(): readonly string[] {
    const gone: string[] = [];
    while (this.#order.size > HISTORY_SIZE || this.#bytes > ENDED_BYTES) {
      const oldest = this.#order.shift();
      if (oldest === undefined) break;
      this.#bytes -= oldest.cost;
      gone.push(oldest.id);
    }
    return gone;
  }

  /** Ids, oldest first. */
  list(): readonly string[] {
    return this.#order.list().map(({ id }) => id);
  }
}
