/** Keeps other customers, and what belongs to nobody or everybody, out of texts for callers who are limited to some customers. */
import type { Inventory } from '../core/policy/inventory.ts';
import { parseAddress, parsePrefix } from '../net/prefix.ts';
import { type CallerScope, ownsVictim, type ScopeContext, seesMitigation } from './caller-scope.ts';

/** Replaces a text that names what the caller may not know of. */
export const CONCERNS_OTHERS = 'not shown, because it concerns others';

/** `active at fra1: 200 of at most 200`, as the core writes it; a customer's own count may be shown. */
const COUNTED = /: \d+ of at most \d+/g;

/** Conditions of playbooks that name customers, or detectors of others. */
const CONDITION = /\bit is for (?:customers? (?!of profile)|reports of )/;
const CUSTOMER = /\bcustomer "?(?!of\b)([^\s",;:()]+)/g;
const MITIGATION = /\bmitigation ([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})/g;
const ADDRESS = /[0-9A-Fa-f:.]*[:.][0-9A-Fa-f:.]*(?:\/\d{1,3})?/g;
const WORD = /[\p{L}\p{N}._-]+/gu;

/** Names of customers by inventory, which may have tens of thousands. */
const known = new WeakMap<Inventory, ReadonlySet<string>>();

/**
 * Returns a text as the caller may read it: without the counts of all mitigations, and nothing at all of a text that names
 * another customer, another's mitigation, or an address that is not wholly its customers', such as a safelisted prefix
 * around theirs.
 */
export function discreetText(text: string, scope: CallerScope, context: ScopeContext): string {
  const counted = text.includes('for customer') ? text : text.replace(COUNTED, ': the limit is reached');
  const { customers } = scope;
  return customers !== undefined && namesOthers(counted, scope, customers, context)
    ? CONCERNS_OTHERS
    : counted;
}

function namesOthers(
  text: string,
  scope: CallerScope,
  customers: readonly string[],
  { inventory, mitigations }: ScopeContext,
): boolean {
  if (CONDITION.test(text)) return true;
  const isForeign = (customer: string): boolean => !customers.includes(customer);
  const all = namesIn(inventory);
  const bare = (word: string): string => word.replace(/[.]+$/, '');
  if (matches(text, CUSTOMER).some((name) => isForeign(bare(name)))) return true;
  if (matches(text, WORD).some((word) => all.has(bare(word)) && isForeign(bare(word)))) return true;
  const isHidden = (id: string): boolean => {
    const mitigation = mitigations.get(id);
    return mitigation === undefined || !seesMitigation(scope, mitigation);
  };
  if (matches(text, MITIGATION).some(isHidden)) return true;
  return matches(text, ADDRESS).some((found) => {
    const address = found.replace(/[.:]+$/, (end) => (end === '::' ? end : ''));
    const isAddress = address.includes('/') ? parsePrefix(address).ok : parseAddress(address) !== undefined;
    return isAddress && !ownsVictim(scope, inventory, address);
  });
}

function matches(text: string, pattern: RegExp): readonly string[] {
  return [...text.matchAll(pattern)].map((match) => match[1] ?? match[0]);
}

function namesIn(inventory: Inventory): ReadonlySet<string> {
  const before = known.get(inventory);
  if (before !== undefined) return before;
  const names = new Set(inventory.data.customers.map(({ customer_id: id }) => id));
  known.set(inventory, names);
  return names;
}
