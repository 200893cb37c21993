/**
 * Keeps an answer from being adopted that has lost much. Reports about victims outside the inventory are refused, so a
 * tenant that has vanished by mistake would silently lose its protection. Pure.
 */
import { countWords } from '../net/text.ts';
import type { ContentChange } from './compare-content.ts';

/** Customers that are named. */
const NAMED = 5;

/**
 * Returns why the change waits for an operator; undefined if it does not. `keep`: the share of prefixes that must stay.
 * `attacked`: customers with active mitigations.
 */
export function whyGuarded(
  { prefixesBefore, prefixesLost, customersLost }: ContentChange,
  keep: number,
  attacked: ReadonlySet<string>,
): string | undefined {
  const missing = customersLost.filter((id) => attacked.has(id));
  if (missing.length > 0) {
    const named = missing.slice(0, NAMED).join(', ');
    const more = missing.length > NAMED ? ` and ${missing.length - NAMED} more` : '';
    const what = missing.length === 1 ? 'customer' : 'customers';
    return `${what} ${named}${more} with active mitigations would vanish`;
  }
  // With a tolerance, because 1 - 0.8 is more than a fifth.
  if (prefixesLost <= (1 - keep) * prefixesBefore + 1e-9) return undefined;
  const share = Math.round((1 - keep) * 100);
  return `${prefixesLost} of ${countWords(prefixesBefore, 'prefix', 'prefixes')} would vanish, more than ${share}% (inventory.shrink_guard)`;
}
