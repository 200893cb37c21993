/** Formats the result of `check --diff` for people. Pure. */
import { countWords } from '../net/text.ts';
import type { Context } from './context.ts';
import type { Affected, NeighborChange, ReloadDiff } from './diff.ts';
import { drawingFor } from './drawing.ts';
import type { CustomerChange, EntryChange, InventoryDiff, PortsChange } from './inventory-diff.ts';
import { paint, printable, table } from './render.ts';

/** Most lines about one kind of entry; the others are only counted. */
const MOST_LINES = 20;

export function diffText(context: Context, diff: ReloadDiff): string {
  const { live, withdrawn, asks, changed } = diff;
  const lines: string[] = [];
  if (withdrawn.length > 0) {
    const head = `Mitigations that a reload would withdraw (${withdrawn.length} of ${live}):`;
    lines.push(paint(head, 'red', context), affectedTable(withdrawn, context));
    if (asks) lines.push('These are so many that prefixd reload asks first, unless it is called with --yes.');
  }
  if (changed.length > 0) {
    const head = `Mitigations that stay and change (${changed.length} of ${live}):`;
    lines.push(paint(head, 'yellow', context), affectedTable(changed, context));
  }
  lines.push(...inventoryLines(diff.inventory));
  lines.push(...few(diff.playbooks.map(({ name, change }) => `playbook ${printable(name)}: ${change}`)));
  for (const { name, change, keys, rulesSent } of diff.neighbors) {
    lines.push(`neighbor ${name}: ${neighborWords(change, keys, rulesSent)}`);
  }
  for (const name of diff.settings) lines.push(`${name}: changes at once`);
  for (const name of diff.restart) {
    lines.push(paint(`${name}: changes at the next start only`, 'yellow', context));
  }
  if (lines.length === 0) lines.push('A reload would change nothing.');
  if (withdrawn.length === 0) lines.push(noneWithdrawn(live));
  return `${lines.join('\n')}\n`;
}

function noneWithdrawn(live: number): string {
  if (live === 0) return 'There are no active mitigations.';
  return live === 1
    ? 'The active mitigation would not be withdrawn.'
    : `None of the ${live} active mitigations would be withdrawn.`;
}

function affectedTable(rows: readonly Affected[], context: Context): string {
  const columns = [
    { title: 'ID', value: (one: Affected) => one.mitigation_id },
    { title: 'VICTIM', value: (one: Affected) => one.victim_ip },
    { title: 'WHY', value: (one: Affected) => one.why, least: 20 },
  ];
  return table(columns, rows, drawingFor(context)).trimEnd();
}

function inventoryLines({ customers, prefixes, assets, allowed_ports }: InventoryDiff): readonly string[] {
  return [
    ...few(customers.map(customerWords)),
    ...few(prefixes.map((change) => entryWords('prefix', change))),
    ...few(assets.map((change) => entryWords('asset', change))),
    ...few(allowed_ports.map(portsWords)),
  ];
}

function few(lines: readonly string[]): readonly string[] {
  if (lines.length <= MOST_LINES) return lines;
  const rest = lines.length - MOST_LINES;
  return [...lines.slice(0, MOST_LINES), `... and ${rest} more of this kind (-f json prints all)`];
}

function customerWords({ customer_id, change, keys }: CustomerChange): string {
  const what = change === 'changed' ? `${keys.join(', ')} changed` : change;
  return `customer ${printable(customer_id)}: ${what}`;
}

function entryWords(kind: string, { entry, from, to }: EntryChange): string {
  const what =
    from === null ? `added to ${to}` : to === null ? `removed from ${from}` : `moves from ${from} to ${to}`;
  return printable(`${kind} ${entry}: ${what}`);
}

function portsWords({ customer_id, service_id, protocol, added, removed }: PortsChange): string {
  const parts = [
    ...(added.length === 0 ? [] : [`${added.join(', ')} added`]),
    ...(removed.length === 0 ? [] : [`${removed.join(', ')} removed`]),
  ];
  return printable(`allowed ${protocol} ports of ${customer_id}/${service_id}: ${parts.join('; ')}`);
}

/** Keys of a neighbor that its rules follow without its session being reset. */
const WITHOUT_RESET = new Set(['dialect', 'max_rules', 'communities']);

function neighborWords(change: NeighborChange['change'], keys: readonly string[], rules: number): string {
  const count = countWords(rules, 'rule');
  switch (change) {
    case 'added':
      return 'added, its session starts';
    case 'removed':
      return `removed, its session ends and ${countWords(rules, 'rule goes', 'rules go')} with it`;
    case 'changed':
      return keys.every((key) => WITHOUT_RESET.has(key))
        ? `${keys.join(', ')} changed, its ${count} will be announced again where they differ`
        : `${keys.join(', ')} changed, its session will be reset and ${count} announced again`;
  }
}
