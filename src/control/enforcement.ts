/** How many neighbors enforce a mitigation, and in what state the others are. PURE. */
import type { NeighborRule } from './types.ts';

/** Counts of neighbors. */
export interface Enforcement {
  readonly sent: number;
  readonly pending: number;
  readonly unsupported: number;
  readonly overBudget: number;
}

/** A neighbor with several rules is in the state of the one that is worst off. */
const WORST_FIRST = ['unsupported', 'over_budget', 'pending', 'sent'] as const;

export function countNeighbors(rules: readonly NeighborRule[]): Enforcement {
  const states = new Map<string, NeighborRule['state']>();
  for (const { neighbor, state } of rules) {
    const known = states.get(neighbor);
    if (known === undefined || WORST_FIRST.indexOf(state) < WORST_FIRST.indexOf(known)) {
      states.set(neighbor, state);
    }
  }
  const count = (wanted: NeighborRule['state']): number =>
    [...states.values()].filter((state) => state === wanted).length;
  return {
    sent: count('sent'),
    pending: count('pending'),
    unsupported: count('unsupported'),
    overBudget: count('over_budget'),
  };
}
