/** Checks what a source has answered, and compares it with the copy in use. Pure. */
import { buildInventory } from '../core/policy/inventory.ts';
import { inventoryDiff, inventoryWords } from '../core/policy/inventory-diff.ts';
import { prefixOf } from '../core/policy/inventory-schema.ts';
import { countWords } from '../net/text.ts';
import { type InventoryContent, sizeOf } from './inventory-content.ts';

/** How a new content differs from the one in use. */
export interface ContentChange {
  /** The first differences, one line each. */
  readonly lines: readonly string[];
  /** Number of all differences. */
  readonly count: number;
  /** Prefixes before, and how many of them are no longer any customer's. */
  readonly prefixesBefore: number;
  readonly prefixesLost: number;
  /** Ids of the customers that are missing. */
  readonly customersLost: readonly string[];
}

/** Lines that are kept. */
const MOST_LINES = 1000;

/** Returns why the content cannot be an inventory; undefined if it can. */
export function contentProblem(content: InventoryContent): string | undefined {
  const errors = buildInventory({ customers: content.customers }).problems.filter(
    ({ severity }) => severity === 'error',
  );
  const [first] = errors;
  if (first === undefined) return undefined;
  const more = errors.length === 1 ? '' : ` (and ${countWords(errors.length - 1, 'more problem')})`;
  return `${first.message}${more}`;
}

export function changeOf(before: InventoryContent, after: InventoryContent): ContentChange {
  const lines: string[] = [];
  let count = 0;
  const note = (line: string): void => {
    count++;
    if (lines.length < MOST_LINES) lines.push(line);
  };
  for (const line of inventoryWords(inventoryDiff(before, after))) note(line);
  const [safeBefore, safeAfter] = [new Set(before.safelist), new Set(after.safelist)];
  for (const one of safeAfter) if (!safeBefore.has(one)) note(`safelist ${one}: added`);
  for (const one of safeBefore) if (!safeAfter.has(one)) note(`safelist ${one}: removed`);
  const kept = new Set(after.customers.flatMap(({ prefixes = [] }) => prefixes.map(prefixOf)));
  const ids = new Set(after.customers.map(({ customer_id: id }) => id));
  const had = before.customers.flatMap(({ prefixes = [] }) => prefixes.map(prefixOf));
  return {
    lines,
    count,
    prefixesBefore: sizeOf(before).prefixes,
    prefixesLost: had.filter((prefix) => !kept.has(prefix)).length,
    customersLost: before.customers.map(({ customer_id: id }) => id).filter((id) => !ids.has(id)),
  };
}
