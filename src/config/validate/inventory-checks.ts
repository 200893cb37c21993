/**
 * Finds customers that can never be protected, because of the inventory or of the prefixes that the settings exempt.
 */
import { assetPrefixes } from '../../core/policy/ownership.ts';
import { type CustomerData, prefixOf } from '../../core/policy/inventory-schema.ts';
import { countWords } from '../../net/text.ts';
import { PrefixTrie } from '../../net/prefix-trie.ts';
import { type Prefix, parsePrefix, unmapped } from '../../net/prefix.ts';
import { specialRangeOf } from '../../net/special-addresses.ts';
import type { Findings, Path } from '../config-problem.ts';
import type { DeepPartial } from '../parse-partial.ts';
import type { Settings } from '../schema/prefixd-schema.ts';

/** Most warnings of one kind that are listed; the rest is counted. */
const MAX_WARNINGS = 10;

/** Most customers that a sentence names. */
const NAMED = 4;

/** Receives findings about either file. */
export interface InventoryFindings {
  readonly settings: Findings;
  readonly inventory: Findings;
}

/** An inventory entry with its place. */
interface InventoryEntry {
  readonly path: Path;
  readonly text: string;
  readonly prefixes: readonly Prefix[];
}

/** Checks an inventory that has passed its schema. Invalid prefixes are already reported. */
export function inventoryChecks(
  customers: readonly CustomerData[],
  settings: DeepPartial<Settings>,
  found: InventoryFindings,
): void {
  if (customers.length === 0 && settings.guardrails?.require_inventory === true) {
    found.inventory.warning(
      ['customers'],
      'the inventory is empty: every report will be refused (not_in_inventory)',
      'add your customers and their prefixes',
    );
  }
  const all = customers.map((customer, i) => ({
    customer,
    path: ['customers', i],
    entries: entriesOf(customer, i),
  }));
  warnAll(
    all
      .filter(({ entries }) => entries.length === 0)
      .map(({ customer, path }) => ({
        path,
        message: `customer "${customer.customer_id}" has neither prefixes nor assets: no address belongs to it`,
        fix: 'add prefixes, or services with assets',
      })),
    ['customers'],
    found.inventory,
  );
  warnAll(
    all.flatMap(({ entries }) => entries.flatMap(notHosts)),
    ['customers'],
    found.inventory,
  );
  const exempt = exemptPrefixes(settings);
  if (exempt.length === 0) return;
  const index = new PrefixTrie<Exempt>();
  for (const one of exempt) index.set(one.prefix, one);
  for (const { customer, entries } of all) {
    const around = entries.flatMap(({ prefixes }) => prefixes.map((prefix) => index.covering(prefix).at(-1)));
    const [first] = around;
    if (first !== undefined && around.every((one) => one !== undefined))
      first.customers.push(customer.customer_id);
  }
  for (const { path, customers: ids } of exempt) {
    if (ids.length === 0) continue;
    const them = ids.length === 1 ? 'this customer' : 'these customers';
    found.settings.warning(
      path,
      `this covers every address of ${customersText(ids)}: no attack on ${them} will be mitigated`,
      `keep it only if attacks on ${them} must never be mitigated`,
    );
  }
}

function entriesOf({ prefixes = [], services = [] }: CustomerData, i: number): readonly InventoryEntry[] {
  const entries: InventoryEntry[] = prefixes.map((entry, j) => {
    const text = prefixOf(entry);
    const prefix = parsePrefix(text);
    return {
      path: ['customers', i, 'prefixes', j],
      text,
      prefixes: prefix.ok ? [unmapped(prefix.value)] : [],
    };
  });
  for (const [j, { assets = [] }] of services.entries()) {
    for (const [k, { ip, range_end: end }] of assets.entries()) {
      const read = assetPrefixes(ip, end);
      entries.push({
        path: ['customers', i, 'services', j, 'assets', k],
        text: end === undefined ? ip : `${ip}-${end}`,
        prefixes: 'prefixes' in read ? read.prefixes : [],
      });
    }
  }
  return entries;
}

interface Warning {
  readonly path: Path;
  readonly message: string;
  readonly fix: string;
}

/** Reports prefixes that are not unicast, because no setting allows rules for them (core/policy/guardrails.ts). */
function notHosts({ path, text, prefixes }: InventoryEntry): readonly Warning[] {
  for (const prefix of prefixes) {
    const special = specialRangeOf(prefix);
    if (special === undefined || special.unicast) continue;
    const message = `${text} is ${special.name} (${special.source}): reports about it will be refused (not_unicast)`;
    return [{ path, message, fix: 'remove it' }];
  }
  return [];
}

/** A prefix that no rule may touch, and the customers whose addresses are all inside such prefixes. */
interface Exempt {
  readonly path: Path;
  readonly prefix: Prefix;
  readonly customers: string[];
}

/** Returns the configured safelist and protected prefixes. A prefix that covers a whole family is already reported. */
function exemptPrefixes(settings: DeepPartial<Settings>): readonly Exempt[] {
  const lists: readonly (readonly [Path, readonly (string | undefined)[]])[] = [
    [['safelist', 'prefixes'], settings.safelist?.prefixes ?? []],
    [['guardrails', 'protected', 'prefixes'], settings.guardrails?.protected?.prefixes ?? []],
  ];
  return lists.flatMap(([path, texts]) =>
    texts.flatMap((text, i): readonly Exempt[] => {
      const prefix = parsePrefix(text ?? '');
      if (!prefix.ok || prefix.value.length === 0) return [];
      return [{ path: [...path, i], prefix: unmapped(prefix.value), customers: [] }];
    }),
  );
}

/** Formats ids as `customer "acme"` or `customers "a", "b", "c", "d" and 3 more`. */
function customersText(ids: readonly string[]): string {
  const named = ids.slice(0, NAMED).map((id) => `"${id}"`);
  const more = ids.length - named.length;
  return `customer${ids.length === 1 ? '' : 's'} ${named.join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}

function warnAll(warnings: readonly Warning[], top: Path, found: Findings): void {
  for (const { path, message, fix } of warnings.slice(0, MAX_WARNINGS)) found.warning(path, message, fix);
  const more = warnings.length - MAX_WARNINGS;
  if (more > 0) {
    found.warning(top, `the same applies to ${countWords(more, 'more entry', 'more entries')}`, '');
  }
}
