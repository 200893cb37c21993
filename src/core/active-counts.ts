/** How many mitigations are active, for the quotas: live, not ending. Dry-run ones are counted apart, so that each mode judges its own. */
import type { Mitigation } from './types.ts';

/** True when a mitigation takes a place in a quota. */
export function isActive(mitigation: Mitigation): boolean {
  return mitigation.ending === null && isLive(mitigation);
}

/** True until a mitigation has ended or was rejected; an ending one is still live. */
export function isLive({ status }: Mitigation): boolean {
  return status === 'active' || status === 'escalated';
}

interface Counts {
  total: number;
  readonly customers: Map<string, number>;
  readonly pops: Map<string, number>;
}

export class ActiveCounts {
  readonly #enforced: Counts = { total: 0, customers: new Map(), pops: new Map() };
  readonly #dryRun: Counts = { total: 0, customers: new Map(), pops: new Map() };

  /** Adds or takes away a mitigation that is active. */
  change(mitigation: Mitigation, by: 1 | -1): void {
    const counts = this.#of(mitigation.dryRun);
    counts.total += by;
    bump(counts.pops, mitigation.pop, by);
    if (mitigation.customerId !== null) bump(counts.customers, mitigation.customerId, by);
  }

  total(dryRun: boolean): number {
    return this.#of(dryRun).total;
  }

  ofCustomer(customerId: string, dryRun: boolean): number {
    return this.#of(dryRun).customers.get(customerId) ?? 0;
  }

  /** Of each customer that has any. */
  byCustomer(dryRun: boolean): ReadonlyMap<string, number> {
    return this.#of(dryRun).customers;
  }

  ofPop(pop: string, dryRun: boolean): number {
    return this.#of(dryRun).pops.get(pop) ?? 0;
  }

  #of(dryRun: boolean): Counts {
    return dryRun ? this.#dryRun : this.#enforced;
  }
}

/** Counts up or down; what comes to zero is forgotten. */
export function bump<Key>(counts: Map<Key, number>, key: Key, by: number): void {
  const value = (counts.get(key) ?? 0) + by;
  if (value === 0) counts.delete(key);
  else counts.set(key, value);
}
