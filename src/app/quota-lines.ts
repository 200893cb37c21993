/** Which quotas are used up right now, in words: the next attack on these is refused a mitigation. */
import type { Policy } from '../core/policy.ts';
import type { StateView } from '../core/state.ts';
import { countWords } from '../net/text.ts';

/** Customers that are named; the others are counted. */
const NAMED = 5;

/** A quota that is used up. */
export interface QuotaLine {
  /** Which: `global`, `pop`, `customer acme`, or `customers` for those that are not named. */
  readonly key: string;
  /** For an operator. */
  readonly text: string;
}

/** A line for each quota that is used up; customers share one beyond NAMED. Empty when there is room everywhere. */
export function quotaLines(
  state: Pick<StateView, 'activeTotal' | 'activeOfPop' | 'activeByCustomer'>,
  { quotas, pop, mode }: Pick<Policy, 'quotas' | 'pop' | 'mode'>,
): readonly QuotaLine[] {
  const dryRun = mode === 'dry-run';
  const lines: QuotaLine[] = [];
  const total = state.activeTotal(dryRun);
  if (total >= quotas.maxActiveGlobal) {
    const text = `the quota of all mitigations is used up: ${total} of ${quotas.maxActiveGlobal} (quotas.max_active_global)`;
    lines.push({ key: 'global', text });
  }
  const ofPop = state.activeOfPop(pop, dryRun);
  if (ofPop >= quotas.maxActivePerPop) {
    const text = `the quota of POP ${pop} is used up: ${ofPop} of ${quotas.maxActivePerPop} (quotas.max_active_per_pop)`;
    lines.push({ key: 'pop', text });
  }
  const most = quotas.maxActivePerCustomer;
  const full = [...state.activeByCustomer(dryRun)].filter(([, count]) => count >= most);
  for (const [customer, count] of full.slice(0, NAMED)) {
    const text = `customer ${customer} is at its quota: ${count} of ${most} (quotas.max_active_per_customer)`;
    lines.push({ key: `customer ${customer}`, text });
  }
  if (full.length > NAMED) {
    const text = `and ${countWords(full.length - NAMED, 'more customer')} at their quota`;
    lines.push({ key: 'customers', text });
  }
  return lines;
}
