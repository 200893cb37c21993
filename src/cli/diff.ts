/** Implements `check --diff`: previews the effect of a reload on the running daemon. Asks the API and changes nothing. */
import { FAMILIES, type FamilyName } from '../bgp/wire/iana.ts';
import { offeredFamilies } from '../config/build-targets.ts';
import { inventorySchema } from '../core/policy/inventory-schema.ts';
import { differs, pathsForRestart, settingAt, withSettingsOf } from '../config/start-settings.ts';
import type { LoadedConfig } from '../config/types.ts';
import { type MitigationAction, RULE_KINDS } from '../core/action.ts';
import { askBeforeEnding, endedByPolicy } from '../core/decide/operator.ts';
import type { InventoryData } from '../core/policy/inventory-schema.ts';
import {
  customerWords,
  entryWords,
  type InventoryDiff,
  inventoryDiff,
  portsWords,
} from '../core/policy/inventory-diff.ts';
import { buildInventory } from '../core/policy/inventory.ts';
import type { Match, Mitigation, Range } from '../core/types.ts';
import { countWords } from '../net/text.ts';
import { type Fields, list, number, record, records, text } from './answer.ts';
import type { ApiClient } from './client.ts';
import { CliError, type CommandContext, Exit } from './command-context.ts';
import { drawingFor } from './drawing.ts';
import { consequences } from './inventory-effects.ts';
import { readAction } from './shown-action.ts';
import { paint, printable, table } from './tables.ts';

export interface ReloadDiff {
  /** The number of active mitigations, and the ones that a reload would withdraw. */
  readonly live: number;
  readonly withdrawn: readonly Affected[];
  /** True if a reload would ask for confirmation, because it withdraws so many (core/decide/operator.ts). */
  readonly asks: boolean;
  /** Mitigations that stay active and that the new inventory changes. */
  readonly changed: readonly Affected[];
  readonly neighbors: readonly NeighborChange[];
  readonly inventory: InventoryDiff;
  readonly playbooks: readonly NamedChange[];
  /** Changed sections of prefixd.yaml that take effect at once. */
  readonly settings: readonly string[];
  /** Changed settings that take effect at the next start. */
  readonly restart: readonly string[];
}

/** Describes a mitigation that a reload would withdraw or change. */
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
  /** The neighbor's changed keys. */
  readonly keys: readonly string[];
  /** The number of rules sent on its session. */
  readonly rulesSent: number;
  /** True if the router keeps these rules during a session reset (RFC 4724). */
  readonly keepsRules: boolean;
}

const PAGE = 1000;

/** Compares a configuration with the running daemon. */
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
    "cannot read the daemon's inventory: the daemon and this command have different versions; use the same version for both",
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
    if (why !== undefined) {
      withdrawn.push(affectedBy(shown, why));
      continue;
    }
    const words = consequences(mitigation, before, policy.inventory, policy.guardrails.requireInventory);
    if (words.length > 0) changed.push(affectedBy(shown, words.join('; ')));
  }
  const victims = withdrawn.map(({ victim_ip: victim }) => ({ victim }));
  const asks = askBeforeEnding('the reload', victims, mitigations.length) !== undefined;
  return { withdrawn, asks, changed };
}

function affectedBy({ mitigation_id, victim_ip, rule }: Fields, why: string): Affected {
  return { mitigation_id: text(mitigation_id), victim_ip: text(victim_ip), rule: text(rule), why };
}

/** Returns the changed sections, apart from the neighbors, which are compared one by one. */
function changedSections(running: Fields, next: Fields): readonly string[] {
  const without = (settings: Fields) => withSettingsOf(settings, {}, ['bgp.neighbors']);
  const [now, then] = [without(running), without(next)];
  return [...new Set([...Object.keys(now), ...Object.keys(then)])]
    .filter((name) => differs(now[name], then[name]))
    .sort();
}

/** Lists the keys that identify the router: if one changes, the router cannot keep the rules. */
const IDENTITY: readonly string[] = ['address', 'port', 'local_address', 'peer_asn'];

/** Compares `bgp.neighbors` of two configurations; `peers` are the current sessions, from `GET /v1/peers`. */
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
    // A kind of route may need another family, and so another session.
    if (!different.includes('families') && differs(familiesOf(was), familiesOf(becomes)))
      different.push('families');
    const keys = change === 'changed' ? different : [];
    const session = sessions.get(name) ?? {};
    // The speaker decides the same way when it resets the session.
    const keepsRules =
      change === 'changed' &&
      record(session.negotiated).graceful_restart === true &&
      (becomes.graceful_restart ?? null) !== null &&
      becomes.enabled !== false &&
      !keys.some((key) => IDENTITY.includes(key));
    return { name, change, keys, rulesSent: number(session.rules_sent), keepsRules };
  });
}

/** Returns the families that a neighbor is offered; a daemon of an earlier version has no `announce`. */
function familiesOf({ families, announce }: Fields): readonly FamilyName[] {
  const named = list(families).map(text);
  const kinds = announce === undefined ? ['flowspec'] : list(announce).map(text);
  return offeredFamilies(
    (Object.keys(FAMILIES) as FamilyName[]).filter((name) => named.includes(name)),
    RULE_KINDS.filter((kind) => kinds.includes(kind)),
  );
}

/** Names the default playbook, which has no name in the configuration. */
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

// Formats the result for people. Pure.

/** Bounds the lines for one kind of entry; the remaining entries are counted. */
const MOST_LINES = 20;

export function diffText(context: CommandContext, diff: ReloadDiff): string {
  const { live, withdrawn, asks, changed } = diff;
  const lines: string[] = [];
  if (withdrawn.length > 0) {
    const head = `A reload would withdraw these mitigations (${withdrawn.length} of ${live}):`;
    lines.push(paint(head, 'red', context), affectedTable(withdrawn, context));
    if (asks) lines.push('prefixd reload asks for confirmation before it withdraws so many; --yes confirms.');
  }
  if (changed.length > 0) {
    const head = `A reload would change these mitigations and keep them active (${changed.length} of ${live}):`;
    lines.push(paint(head, 'yellow', context), affectedTable(changed, context));
  }
  lines.push(...inventoryLines(diff.inventory));
  lines.push(
    ...firstLines(diff.playbooks.map(({ name, change }) => `playbook ${printable(name)}: ${change}`)),
  );
  for (const change of diff.neighbors) lines.push(`neighbor ${change.name}: ${neighborWords(change)}`);
  for (const name of diff.settings) lines.push(`${name}: changed, takes effect at once`);
  for (const name of diff.restart) {
    lines.push(paint(`${name}: changed, takes effect at the next start`, 'yellow', context));
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

function affectedTable(rows: readonly Affected[], context: CommandContext): string {
  const columns = [
    { title: 'ID', value: (one: Affected) => one.mitigation_id },
    { title: 'VICTIM', value: (one: Affected) => one.victim_ip },
    { title: 'WHY', value: (one: Affected) => one.why, least: 20 },
  ];
  return table(columns, rows, drawingFor(context)).trimEnd();
}

function inventoryLines({ customers, prefixes, assets, allowed_ports }: InventoryDiff): readonly string[] {
  return [
    ...firstLines(customers.map((change) => printable(customerWords(change)))),
    ...firstLines(prefixes.map((change) => printable(entryWords('prefix', change)))),
    ...firstLines(assets.map((change) => printable(entryWords('asset', change)))),
    ...firstLines(allowed_ports.map((change) => printable(portsWords(change)))),
  ];
}

function firstLines(lines: readonly string[]): readonly string[] {
  if (lines.length <= MOST_LINES) return lines;
  const rest = lines.length - MOST_LINES;
  return [...lines.slice(0, MOST_LINES), `... and ${rest} more (-f json shows all)`];
}

/** Lists the keys of a neighbor that can change without a session reset. */
const WITHOUT_RESET = new Set(['dialect', 'max_rules', 'communities', 'announce', 'max_unicast']);

/** Describes the effect of a reload on a neighbor's session and rules, without its name. */
export function neighborWords({ change, keys, rulesSent, keepsRules }: NeighborChange): string {
  const count = countWords(rulesSent, 'rule');
  const changed = `${keys.join(', ')} changed`;
  switch (change) {
    case 'added':
      return 'added; its session will be started';
    case 'removed':
      return `removed; its session will be closed and ${countWords(rulesSent, 'rule')} withdrawn`;
    case 'changed':
      if (keys.every((key) => WITHOUT_RESET.has(key))) {
        return `${changed}; of its ${count}, those that change will be re-announced`;
      }
      return keepsRules
        ? `${changed}; its session will be reset; the router keeps its ${count} meanwhile (graceful restart)`
        : `${changed}; its session will be reset; ${count} will be re-announced`;
  }
}

// Reads from an API answer the fields of a mitigation that a policy checks.

export type CheckedMitigation = Pick<
  Mitigation,
  'victim' | 'customerId' | 'serviceId' | 'match' | 'ports' | 'excludedPorts' | 'action' | 'dryRun' | 'origin'
>;

/** Reads a mitigation. CliError if the answer lacks the rule's match, which a preview needs. */
export function readMitigation(shown: Fields): CheckedMitigation {
  return {
    victim: text(shown.victim_ip),
    customerId: idOf(shown.customer_id),
    serviceId: idOf(shown.service_id),
    ports: list(shown.dst_ports).map(Number),
    excludedPorts: list(shown.excluded_ports).map(Number),
    match: readMatch(shown.match),
    action: actionOf(shown),
    dryRun: shown.dry_run === true,
    // Only its POP matters for what a policy allows.
    ...(typeof shown.origin === 'string' ? { origin: { pop: shown.origin, epoch: 0, n: 0 } } : {}),
  };
}

function actionOf(shown: Fields): MitigationAction {
  const action = readAction(shown);
  if (action !== undefined) return action;
  throw new CliError(
    Exit.Other,
    `the daemon is newer than this command: unknown action "${text(shown.action_type)}"; upgrade the command`,
  );
}

function idOf(value: unknown): string | null {
  return typeof value === 'string' ? value : null;
}

function readMatch(value: unknown): Match {
  const shown = record(value);
  if (typeof shown.dst_prefix !== 'string') {
    throw new CliError(
      Exit.Other,
      'the daemon is older than this command and does not report the matches of its rules; upgrade and restart it',
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
