/** `check --diff`: what a reload of a folder would do to the daemon that runs. Asks the API and changes nothing. */
import { inventorySchema } from '../config/schema/inventory-schema.ts';
import { differs, pathsForRestart, settingAt, withSettingsOf } from '../config/start-settings.ts';
import type { LoadedConfig } from '../config/types.ts';
import { askBeforeEnding, endedByPolicy } from '../core/decide/operator.ts';
import type { InventoryData } from '../core/policy/inventory-data.ts';
import { buildInventory } from '../core/policy/inventory.ts';
import type { Match, Mitigation, Range } from '../core/types.ts';
import { countWords } from '../net/text.ts';
import { type Fields, list, number, record, records, text } from './answer.ts';
import type { ApiClient } from './client.ts';
import { CliError, type Context, Exit } from './context.ts';
import { drawingFor } from './drawing.ts';
import {
  consequences,
  type CustomerChange,
  type EntryChange,
  type InventoryDiff,
  inventoryDiff,
  type PortsChange,
} from './inventory-diff.ts';
import { paint, printable, table } from './render.ts';

export interface ReloadDiff {
  /** Number of active mitigations, and those of them that a reload would withdraw. */
  readonly live: number;
  readonly withdrawn: readonly Affected[];
  /** True when these are so many that a reload asks first (core/decide/operator.ts). */
  readonly asks: boolean;
  /** Active mitigations that stay and are affected by the new inventory. */
  readonly changed: readonly Affected[];
  readonly neighbors: readonly NeighborChange[];
  readonly inventory: InventoryDiff;
  readonly playbooks: readonly NamedChange[];
  /** Sections of prefixd.yaml that differ and take effect at once. */
  readonly settings: readonly string[];
  /** Settings that differ and take effect at the next start. */
  readonly restart: readonly string[];
}

/** A mitigation that a reload would change. */
export interface Affected {
  readonly mitigation_id: string;
  readonly victim_ip: string;
  readonly rule: string;
  readonly why: string;
}

export interface NamedChange {
  readonly name: string;
  readonly change: 'added' | 'removed' | 'changed';
}

export interface NeighborChange extends NamedChange {
  /** Keys of the neighbor that differ. */
  readonly keys: readonly string[];
  /** Rules on its session now. */
  readonly rulesSent: number;
  /** True when the router keeps them while its session is reset (RFC 4724). */
  readonly keepsRules: boolean;
}

const PAGE = 1000;

/** Compares a configuration with a running daemon. */
export async function diffWithDaemon(client: ApiClient, config: LoadedConfig): Promise<ReloadDiff> {
  const mitigations = await liveMitigations(client);
  const [settings, peers, inventory, playbooks] = await Promise.all([
    client.get('/v1/config/settings'),
    client.get('/v1/peers'),
    client.get('/v1/config/inventory'),
    client.get('/v1/config/playbooks'),
  ]);
  const running = record(settings);
  const restart = pathsForRestart(running, config.shown.settings);
  const next = withSettingsOf(config.shown.settings, running, restart);
  const inventoryNow = readInventory(inventory);
  return {
    live: mitigations.length,
    ...affected(mitigations, inventoryNow, config),
    neighbors: neighborChanges(
      settingAt(running, 'bgp.neighbors'),
      settingAt(next, 'bgp.neighbors'),
      records(peers),
    ),
    inventory: inventoryDiff(inventoryNow, config.policy.inventory.data),
    playbooks: playbookChanges(record(playbooks), config.shown.playbooks),
    settings: changedSections(running, next),
    restart,
  };
}

async function liveMitigations(client: ApiClient): Promise<readonly Fields[]> {
  const found: Fields[] = [];
  let cursor = '';
  do {
    const page = record(
      await client.get(`/v1/mitigations?status=pending,active,escalated&limit=${PAGE}${cursor}`),
    );
    found.push(...records(page.mitigations).filter(({ ending }) => ending !== true));
    cursor = typeof page.next_cursor === 'string' ? `&cursor=${encodeURIComponent(page.next_cursor)}` : '';
  } while (cursor !== '');
  return found;
}

function readInventory(answer: unknown): InventoryData {
  const parsed = inventorySchema.safeParse(answer);
  if (parsed.success) return parsed.data;
  throw new CliError(
    Exit.Other,
    'the inventory of the daemon cannot be read: its version differs from this command; use the same for both',
  );
}

function affected(
  mitigations: readonly Fields[],
  inventoryNow: InventoryData,
  { policy }: LoadedConfig,
): Pick<ReloadDiff, 'withdrawn' | 'asks' | 'changed'> {
  const { inventory: before } = buildInventory(inventoryNow);
  const withdrawn: Affected[] = [];
  const changed: Affected[] = [];
  for (const shown of mitigations) {
    const mitigation = readMitigation(shown);
    const why = endedByPolicy(policy, mitigation, { safelisted: () => undefined });
    if (why !== null) {
      withdrawn.push(affectedBy(shown, why));
      continue;
    }
    const words = consequences(mitigation, before, policy.inventory, policy.guardrails.requireInventory);
    if (words.length > 0) changed.push(affectedBy(shown, words.join('; ')));
  }
  const victims = withdrawn.map(({ victim_ip: victim }) => ({ victim }));
  const asks = askBeforeEnding('the reload', victims, mitigations.length) !== null;
  return { withdrawn, asks, changed };
}

function affectedBy({ mitigation_id, victim_ip, rule }: Fields, why: string): Affected {
  return { mitigation_id: text(mitigation_id), victim_ip: text(victim_ip), rule: text(rule), why };
}

/** Sections that differ, without the neighbors, which are compared one by one. */
function changedSections(running: Fields, next: Fields): readonly string[] {
  const without = (settings: Fields) => withSettingsOf(settings, {}, ['bgp.neighbors']);
  const [now, then] = [without(running), without(next)];
  return [...new Set([...Object.keys(now), ...Object.keys(then)])]
    .filter((name) => differs(now[name], then[name]))
    .sort();
}

/** Keys that say which router it is: with another one there is nothing that could be kept. */
const IDENTITY: readonly string[] = ['address', 'port', 'local_address', 'peer_asn'];

/** Compares `bgp.neighbors` of two configurations; `peers` is how the sessions are now, as `GET /v1/peers` says. */
export function neighborChanges(
  before: unknown,
  after: unknown,
  peers: readonly Fields[],
): readonly NeighborChange[] {
  const sessions = new Map(peers.map((peer) => [text(peer.name), peer]));
  const [old, wanted] = [byName(before), byName(after)];
  return namedChanges(old, wanted).map(({ name, change }) => {
    const [was = {}, becomes = {}] = [old.get(name), wanted.get(name)];
    const different = [...new Set([...Object.keys(was), ...Object.keys(becomes)])].filter((key) =>
      differs(was[key], becomes[key]),
    );
    const keys = change === 'changed' ? different : [];
    const session = sessions.get(name) ?? {};
    // As the speaker decides it when the session is reset.
    const keepsRules =
      change === 'changed' &&
      record(session.negotiated).graceful_restart === true &&
      (becomes.graceful_restart ?? null) !== null &&
      becomes.enabled !== false &&
      !keys.some((key) => IDENTITY.includes(key));
    return { name, change, keys, rulesSent: number(session.rules_sent), keepsRules };
  });
}

/** The playbook for everything else has no name of its own. */
const DEFAULT_PLAYBOOK = 'default_playbook';

function playbookChanges(before: Fields, after: Fields): readonly NamedChange[] {
  const all = ({ playbooks, default_playbook }: Fields) =>
    new Map([
      ...byName(playbooks),
      ...(default_playbook === undefined ? [] : [[DEFAULT_PLAYBOOK, record(default_playbook)] as const]),
    ]);
  return namedChanges(all(before), all(after));
}

function byName(value: unknown): ReadonlyMap<string, Fields> {
  return new Map(records(value).map((one) => [text(one.name), one]));
}

function namedChanges(
  before: ReadonlyMap<string, Fields>,
  after: ReadonlyMap<string, Fields>,
): readonly NamedChange[] {
  return [...new Set([...before.keys(), ...after.keys()])].flatMap((name): readonly NamedChange[] => {
    const [was, becomes] = [before.get(name), after.get(name)];
    if (!differs(was, becomes)) return [];
    return [{ name, change: was === undefined ? 'added' : becomes === undefined ? 'removed' : 'changed' }];
  });
}

// Formats the result of `check --diff` for people. Pure.

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
  for (const change of diff.neighbors) lines.push(`neighbor ${change.name}: ${neighborWords(change)}`);
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

/** What a reload would do to one neighbor's session and rules, without its name. */
export function neighborWords({ change, keys, rulesSent, keepsRules }: NeighborChange): string {
  const count = countWords(rulesSent, 'rule');
  const changed = `${keys.join(', ')} changed`;
  switch (change) {
    case 'added':
      return 'added, its session starts';
    case 'removed':
      return `removed, its session ends and ${countWords(rulesSent, 'rule goes', 'rules go')} with it`;
    case 'changed':
      if (keys.every((key) => WITHOUT_RESET.has(key))) {
        return `${changed}, its ${count} will be announced again where they differ`;
      }
      return keepsRules
        ? `${changed}, its session will be reset; the router keeps its ${count} until the session is back (graceful restart)`
        : `${changed}, its session will be reset and ${count} announced again`;
  }
}

// Reads a mitigation from an API answer, as far as a policy judges it.

export type JudgedMitigation = Pick<
  Mitigation,
  'victim' | 'customerId' | 'serviceId' | 'match' | 'ports' | 'excludedPorts' | 'action' | 'dryRun'
>;

/** Throws CliError when the daemon does not report the match of the rule, which is needed for a preview. */
export function readMitigation(shown: Fields): JudgedMitigation {
  return {
    victim: text(shown.victim_ip),
    customerId: idOf(shown.customer_id),
    serviceId: idOf(shown.service_id),
    ports: list(shown.dst_ports).map(Number),
    excludedPorts: list(shown.excluded_ports).map(Number),
    match: readMatch(shown.match),
    action:
      shown.action_type === 'discard'
        ? { type: 'discard', rateBps: null }
        : { type: 'police', rateBps: number(shown.rate_bps) },
    dryRun: shown.dry_run === true,
  };
}

function idOf(value: unknown): string | null {
  return typeof value === 'string' ? value : null;
}

function readMatch(value: unknown): Match {
  const shown = record(value);
  if (typeof shown.dst_prefix !== 'string') {
    throw new CliError(
      Exit.Other,
      'the daemon does not report the match of its rules: it is older than this command; upgrade and restart it',
    );
  }
  const tcpFlags = number(shown.tcp_flags);
  const packetLengths = ranges(shown.packet_lengths);
  return {
    dstPrefix: shown.dst_prefix,
    protocol: typeof shown.protocol === 'number' ? shown.protocol : null,
    dstPorts: ranges(shown.dst_ports),
    srcPorts: ranges(shown.src_ports),
    ...(typeof shown.src_prefix === 'string' ? { srcPrefix: shown.src_prefix } : {}),
    ...(packetLengths.length === 0 ? {} : { packetLengths }),
    ...(tcpFlags === 0 ? {} : { tcpFlags, tcpFlagsClear: number(shown.tcp_flags_clear) }),
    ...(shown.fragments === true ? { fragments: true } : {}),
  };
}

function ranges(value: unknown): readonly Range[] {
  return list(value).map((pair): Range => {
    const [from, to] = list(pair);
    return [number(from), number(to)];
  });
}
