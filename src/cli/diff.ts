/** `check --diff`: what a reload of a folder would do to the daemon that runs. Asks the API and changes nothing. */
import type { LoadedConfig } from '../app/config/types.ts';
import { forbiddenBy } from '../core/decide-control.ts';
import { portRanges, rangesAround } from '../core/ports.ts';
import type { Mitigation } from '../core/types.ts';
import { protocolNumber } from '../core/vectors.ts';
import { list, number, record, records, text } from './answer.ts';
import type { Fields } from './answer.ts';
import type { ApiClient } from './client.ts';
import type { Context } from './context.ts';
import { drawingFor } from './drawing.ts';
import { paint, table } from './render.ts';

export interface ReloadDiff {
  /** Live mitigations, and those of them that the folder's policy forbids: a reload withdraws them. */
  readonly live: number;
  readonly withdrawn: readonly Forbidden[];
  readonly neighbors: readonly NeighborChange[];
  /** Sections of prefixd.yaml that differ and take effect at once. */
  readonly settings: readonly string[];
  /** Settings that differ and take effect at the next start. */
  readonly restart: readonly string[];
}

export interface Forbidden {
  readonly mitigation_id: string;
  readonly victim_ip: string;
  readonly rule: string;
  readonly why: string;
}

export interface NeighborChange {
  readonly name: string;
  readonly change: 'added' | 'removed' | 'changed';
  /** Keys of the neighbor that differ. */
  readonly keys: readonly string[];
  /** Rules on its session now. */
  readonly rulesSent: number;
}

/** What only a start can change, as dotted paths of prefixd.yaml. */
const AT_START = [
  'http.listen',
  'storage',
  'observability',
  'bgp.mode',
  'bgp.local_asn',
  'bgp.router_id',
  'bgp.listen',
];

const PAGE = 1000;

/** Compares a configuration with a running daemon. */
export async function diffWithDaemon(client: ApiClient, config: LoadedConfig): Promise<ReloadDiff> {
  const mitigations = await liveMitigations(client);
  const [running, peers] = await Promise.all([client.get('/v1/config/settings'), client.get('/v1/peers')]);
  const next = config.shown.settings;
  const { policy } = config;
  const withdrawn: Forbidden[] = [];
  for (const shown of mitigations) {
    const why = forbiddenBy(policy, readMitigation(shown), { safelisted: () => undefined });
    if (why !== null) withdrawn.push(forbidden(shown, why));
  }
  const restart = AT_START.filter((path) => differs(at(running, path), at(next, path)));
  const sections = new Set([...Object.keys(record(running)), ...Object.keys(next)]);
  const settings = [...sections].filter(
    (name) =>
      !AT_START.includes(name) &&
      differs(withoutStart(name, record(running)[name]), withoutStart(name, next[name])),
  );
  return {
    live: mitigations.length,
    withdrawn,
    neighbors: neighborChanges(at(running, 'bgp.neighbors'), at(next, 'bgp.neighbors'), records(peers)),
    settings: settings.sort(),
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

/** A mitigation of the API in the words of the core, as far as a policy judges it. */
function readMitigation(shown: Fields): Pick<Mitigation, 'match' | 'ports' | 'action' | 'victim'> {
  const ports = list(shown.dst_ports).map(Number);
  const excluded = list(shown.excluded_ports).map(Number);
  const srcPrefix = / src (\S+)/.exec(text(shown.rule))?.[1];
  const srcPorts = / src-port ([=\d,]+)(?: |$)/.exec(text(shown.rule))?.[1]?.match(/\d+/g) ?? [];
  return {
    victim: text(shown.victim_ip),
    ports,
    match: {
      dstPrefix: text(shown.dst_prefix),
      protocol: shown.protocol === null ? null : (protocolNumber(text(shown.protocol)) ?? null),
      dstPorts: ports.length > 0 ? portRanges(ports) : excluded.length > 0 ? rangesAround(excluded) : [],
      srcPorts: portRanges(srcPorts.map(Number)),
      ...(srcPrefix === undefined ? {} : { srcPrefix }),
    },
    action:
      shown.action_type === 'discard'
        ? { type: 'discard', rateBps: null }
        : { type: 'police', rateBps: number(shown.rate_bps) },
  };
}

function forbidden(shown: Fields, why: string): Forbidden {
  const { mitigation_id, victim_ip, rule } = shown;
  return { mitigation_id: text(mitigation_id), victim_ip: text(victim_ip), rule: text(rule), why };
}

function neighborChanges(
  before: unknown,
  after: unknown,
  peers: readonly Fields[],
): readonly NeighborChange[] {
  const named = (value: unknown) => new Map(records(value).map((one) => [text(one.name), one]));
  const [old, wanted] = [named(before), named(after)];
  const sent = new Map(peers.map((peer) => [text(peer.name), number(peer.rules_sent)]));
  const changes: NeighborChange[] = [];
  for (const name of new Set([...old.keys(), ...wanted.keys()])) {
    const [was, becomes] = [old.get(name), wanted.get(name)];
    const keys = [...new Set([...Object.keys(was ?? {}), ...Object.keys(becomes ?? {})])].filter((key) =>
      differs(was?.[key], becomes?.[key]),
    );
    if (keys.length === 0) continue;
    const change = was === undefined ? 'added' : becomes === undefined ? 'removed' : 'changed';
    changes.push({ name, change, keys: change === 'changed' ? keys : [], rulesSent: sent.get(name) ?? 0 });
  }
  return changes;
}

/** Keys of a neighbor that its rules follow without its session being reset. */
const WITHOUT_RESET = new Set(['dialect', 'max_rules', 'communities']);

/** What the diff says, for people. */
export function diffText(context: Context, diff: ReloadDiff): string {
  const lines: string[] = [];
  if (diff.withdrawn.length > 0) {
    const count = `(${diff.withdrawn.length} of ${diff.live})`;
    lines.push(paint(`Mitigations that a reload would withdraw ${count}:`, 'red', context));
    const columns = [
      { title: 'ID', value: (one: Forbidden) => one.mitigation_id },
      { title: 'VICTIM', value: (one: Forbidden) => one.victim_ip },
      { title: 'WHY', value: (one: Forbidden) => one.why, least: 20 },
    ];
    lines.push(table(columns, diff.withdrawn, drawingFor(context)).trimEnd());
  }
  for (const { name, change, keys, rulesSent } of diff.neighbors) {
    lines.push(`neighbor ${name}: ${neighborWords(change, keys, rulesSent)}`);
  }
  for (const name of diff.settings) lines.push(`${name}: changes at once`);
  for (const name of diff.restart)
    lines.push(paint(`${name}: changes at the next start only`, 'yellow', context));
  if (lines.length === 0) lines.push('A reload would change nothing in prefixd.yaml.');
  if (diff.withdrawn.length === 0) {
    lines.push(`No mitigation of ${diff.live} would be withdrawn.`);
  }
  return `${lines.join('\n')}\n`;
}

function neighborWords(change: NeighborChange['change'], keys: readonly string[], rules: number): string {
  switch (change) {
    case 'added':
      return 'added, its session starts';
    case 'removed':
      return `removed, its session ends and ${rules} rules go with it`;
    case 'changed':
      return keys.every((key) => WITHOUT_RESET.has(key))
        ? `${keys.join(', ')} changed, its ${rules} rules are said anew where they differ`
        : `${keys.join(', ')} changed, its session is reset and ${rules} rules come back with the next one`;
  }
}

function at(value: unknown, path: string): unknown {
  return path.split('.').reduce<unknown>((here, key) => record(here)[key], value);
}

/** A section without what only a start can change, and without the neighbors, which are compared one by one. */
function withoutStart(name: string, section: unknown): unknown {
  const keys = [...AT_START, 'bgp.neighbors']
    .filter((path) => path.startsWith(`${name}.`))
    .map((path) => path.slice(name.length + 1));
  if (keys.length === 0) return section;
  return Object.fromEntries(Object.entries(record(section)).filter(([key]) => !keys.includes(key)));
}

/** Compares values that have been through JSON with values that have not. */
function differs(a: unknown, b: unknown): boolean {
  return canonical(a) !== canonical(b);
}

function canonical(value: unknown): string {
  return JSON.stringify(value ?? null, (_key, inner: unknown) =>
    typeof inner === 'object' && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  );
}
