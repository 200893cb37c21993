/** `check --diff`: what a reload of a folder would do to the daemon that runs. Asks the API and changes nothing. */
import { inventorySchema } from '../app/config/inventory-schema.ts';
import { differs, pathsForRestart, settingAt, withSettingsOf } from '../app/config/restart.ts';
import type { LoadedConfig } from '../app/config/types.ts';
import { askBeforeEnding } from '../core/confirm.ts';
import { endedByPolicy } from '../core/decide-control.ts';
import { buildInventory } from '../core/inventory.ts';
import type { InventoryData } from '../core/inventory-data.ts';
import { number, record, records, text } from './answer.ts';
import type { Fields } from './answer.ts';
import type { ApiClient } from './client.ts';
import { CliError, Exit } from './context.ts';
import { consequences, type InventoryDiff, inventoryDiff } from './inventory-diff.ts';
import { readMitigation } from './read-mitigation.ts';

export interface ReloadDiff {
  /** Number of active mitigations, and those of them that a reload would withdraw. */
  readonly live: number;
  readonly withdrawn: readonly Affected[];
  /** True when these are so many that a reload asks first (core/confirm.ts). */
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

function neighborChanges(
  before: unknown,
  after: unknown,
  peers: readonly Fields[],
): readonly NeighborChange[] {
  const sent = new Map(peers.map((peer) => [text(peer.name), number(peer.rules_sent)]));
  const [old, wanted] = [byName(before), byName(after)];
  return namedChanges(old, wanted).map(({ name, change }) => {
    const [was = {}, becomes = {}] = [old.get(name), wanted.get(name)];
    const keys = [...new Set([...Object.keys(was), ...Object.keys(becomes)])].filter((key) =>
      differs(was[key], becomes[key]),
    );
    return { name, change, keys: change === 'changed' ? keys : [], rulesSent: sent.get(name) ?? 0 };
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
