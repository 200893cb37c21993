/**
 * Turns the settings of upstream prefixd (Rust, lance0/prefixd) into settings of this one, and says of every key that
 * does not stay as it is what became of it. Pure. Values of secrets are neither carried over nor told.
 */
import { migrateAlerting } from './migrate-alerting.ts';
import {
  type Change,
  isSection,
  type Note,
  type Section,
  section,
  withoutStrangers,
} from './migrate-notes.ts';

export interface Migration {
  readonly settings: Section;
  readonly changes: readonly Change[];
}

/** What upstream keeps in files of their own. */
export interface Beside {
  /** alerting.yaml, which goes before the section of prefixd.yaml. */
  readonly alerting?: Section | undefined;
  /** correlation.yaml, likewise. */
  readonly correlation?: Section | undefined;
}

/** Keys that this prefixd has no use for, and why nothing is lost. */
const DROPPED: readonly (readonly [path: string, why: string])[] = [
  ['bgp.gobgp_grpc', 'there is no GoBGP: the routers are bgp.neighbors'],
  ['bgp.rustbgpd_grpc', 'there is no rustbgpd: the routers are bgp.neighbors'],
  ['http.cors_origin', 'the API serves the dashboard itself'],
  ['http.auth.ldap', 'there are tokens and client certificates only'],
  ['http.auth.radius', 'there are tokens and client certificates only'],
  ['guardrails.allow_tcp_flags_match', 'a playbook may always narrow a rule by TCP flags'],
  ['guardrails.allow_fragment_match', 'a playbook may always narrow a rule to fragments'],
  ['guardrails.allow_packet_length_match', 'a playbook may always narrow a rule by packet length'],
  [
    'timers.quiet_period_after_withdraw_seconds',
    'a withdrawn rule comes back with the next event; use the safelist',
  ],
  ['escalation.max_escalated_duration_seconds', 'the TTL of the step limits it'],
  ['storage.connection_string', 'there is no database'],
  ['correlation', 'one detector is enough; several are correlated by victim and protocol'],
];

/**
 * The settings, migrated. `gobgp` are the neighbors found beside them. What neither side knows, and whatever may hold a secret, is
 * left out and named.
 */
export function migrateSettings(
  upstream: Section,
  gobgp: readonly GobgpNeighbor[],
  { alerting, correlation }: Beside = {},
): Migration {
  const settings = structuredClone(upstream) as Record<string, unknown>;
  const changes: Change[] = [];
  const note: Note = (kind, path, what, variable) => {
    changes.push({ path, kind, what, ...(variable === undefined ? {} : { variable }) });
  };
  noteCorrelation(correlation ?? section(settings, 'correlation'), note);
  for (const [path, why] of DROPPED) if (remove(settings, path)) note('dropped', path, why);

  if (settings.mode === undefined) {
    settings.mode = 'dry-run';
    note(
      'added',
      'mode',
      'dry-run, which is what upstream does where nothing is said; write enforced to announce',
    );
  }
  migrateAuth(settings, note);
  migrateTtlBounds(settings, note);
  migrateBgp(settings, gobgp, note);
  const storage = section(settings, 'storage');
  if (storage !== undefined || changes.some(({ path }) => path === 'storage.connection_string')) {
    settings.storage = { driver: 'jsonl', path: './data' };
    note('changed', 'storage', 'a folder of JSON lines, ./data; what the database holds is not carried over');
  }
  const observability = section(settings, 'observability');
  if (observability?.log_format === 'pretty') {
    observability.log_format = 'text';
    note('changed', 'observability.log_format', 'text');
  }
  const alerts = alerting ?? section(settings, 'alerting');
  if (alerting !== undefined && settings.alerting !== undefined) {
    note('dropped', 'alerting', 'alerting.yaml takes its place, as it does for upstream');
  }
  if (alerts !== undefined) settings.alerting = migrateAlerting(alerts, note);
  return { settings: withoutStrangers(settings, note), changes };
}

/** What of upstream's correlation has no like here and changes what happens. */
function noteCorrelation(correlation: Section | undefined, note: Note): void {
  const adapters = Array.isArray(correlation?.webhook_adapters) ? correlation.webhook_adapters : [];
  if (adapters.length > 0) {
    note(
      'todo',
      'correlation.webhook_adapters',
      'there are no adapters: their senders must post events to /v1/events in its own form',
    );
  }
  const least = correlation?.min_sources;
  if (correlation?.enabled === true && typeof least === 'number' && least > 1) {
    note(
      'todo',
      'correlation.min_sources',
      `upstream waits for ${least} sources, and here one is enough: see min_confidence of playbooks`,
    );
  }
}

function migrateAuth(settings: Section, note: Note): void {
  const auth = section(section(settings, 'http'), 'auth');
  if (auth?.mode !== 'credentials') return;
  auth.mode = 'bearer';
  auth.bearer_token_env ??= 'PREFIXD_API_TOKEN';
  note(
    'changed',
    'http.auth.mode',
    'bearer: operators get tokens, named under http.auth.tokens, in place of passwords',
    'PREFIXD_API_TOKEN',
  );
}

/** Upstream lets guardrails override the bounds of timers. */
function migrateTtlBounds(settings: Record<string, unknown>, note: Note): void {
  const guardrails = section(settings, 'guardrails');
  for (const key of ['min_ttl_seconds', 'max_ttl_seconds']) {
    const bound = guardrails?.[key];
    if (guardrails === undefined || bound === undefined) continue;
    delete guardrails[key];
    settings.timers = { ...section(settings, 'timers'), [key]: bound };
    note('changed', `guardrails.${key}`, `timers.${key}`);
  }
}

function migrateBgp(settings: Section, gobgp: readonly GobgpNeighbor[], note: Note): void {
  const bgp = section(settings, 'bgp');
  if (bgp === undefined) return;
  if (bgp.mode !== 'mock' && bgp.mode !== 'native') {
    bgp.mode = 'native';
    note('changed', 'bgp.mode', 'native: this daemon speaks BGP itself');
  }
  const neighbors = Array.isArray(bgp.neighbors) ? bgp.neighbors.filter(isSection) : [];
  for (const [i, neighbor] of neighbors.entries()) {
    renamed(neighbor, 'afi_safi', 'families', `bgp.neighbors[${i}]`, note);
    renamed(neighbor, 'password_env', 'md5_password_env', `bgp.neighbors[${i}]`, note);
  }
  const known = new Set(neighbors.map(({ address }) => address));
  for (const { address, asn, hasPassword } of gobgp) {
    if (known.has(address)) continue;
    const name = `router${neighbors.length + 1}`;
    const variable = hasPassword ? `${name.toUpperCase()}_MD5` : undefined;
    neighbors.push({
      name,
      address,
      ...(asn === null ? {} : { peer_asn: asn }),
      ...(variable === undefined ? {} : { md5_password_env: variable }),
    });
    const path = `bgp.neighbors[${neighbors.length - 1}]`;
    const password = variable === undefined ? '' : `; put its password into ${variable}`;
    note('added', path, `${address}, a neighbor of GoBGP${password}`, variable);
    if (asn === null) note('todo', `${path}.peer_asn`, 'GoBGP does not say the AS number of this neighbor');
  }
  const quotas = section(settings, 'quotas');
  const most = quotas?.max_announcements_per_peer;
  if (quotas !== undefined && most !== undefined) {
    delete quotas.max_announcements_per_peer;
    for (const neighbor of neighbors) neighbor.max_rules ??= most;
    note('changed', 'quotas.max_announcements_per_peer', 'max_rules of each neighbor');
  }
  bgp.neighbors = neighbors;
  if (neighbors.length === 0) {
    const kind = bgp.mode === 'mock' ? 'added' : 'todo';
    note(kind, 'bgp.neighbors', 'none yet: name each router with name, address, peer_asn and dialect');
  } else if (neighbors.some(({ dialect }) => dialect === undefined)) {
    note(
      'added',
      'bgp.neighbors',
      'say what each router is (dialect), so that it is told only what it can do',
    );
  }
}

function renamed(
  neighbor: Record<string, unknown>,
  from: string,
  to: string,
  where: string,
  note: Note,
): void {
  if (neighbor[from] === undefined) return;
  const value = neighbor[from];
  delete neighbor[from];
  // An empty list of families means "whatever": that is what an absent key means here.
  if (!Array.isArray(value) || value.length > 0) neighbor[to] = value;
  note('changed', `${where}.${from}`, to);
}

/** Removes what stands at a dotted path; true when there was something. */
function remove(settings: Record<string, unknown>, path: string): boolean {
  const keys = path.split('.');
  const last = keys.pop() ?? '';
  const holder = keys.reduce<Record<string, unknown> | undefined>(
    (here, key) => section(here, key),
    settings,
  );
  if (holder?.[last] === undefined) return false;
  delete holder[last];
  return true;
}

// The neighbors of a GoBGP configuration in TOML, as far as users of upstream prefixd need it. Pure.

/** The password itself is never read out. */
export interface GobgpNeighbor {
  readonly address: string;
  readonly asn: number | null;
  readonly hasPassword: boolean;
}

/** Reads the `[[neighbors]]`. */
export function gobgpNeighbors(toml: string): readonly GobgpNeighbor[] {
  const blocks = withoutComments(toml)
    .split(/^\s*\[\[\s*neighbors\s*\]\]\s*$/m)
    .slice(1);
  return blocks.flatMap((block) => {
    const text = block.split(/^\s*\[\[(?!\s*neighbors\.)/m)[0] ?? '';
    const address = /neighbor-address\s*=\s*["']([^"']+)["']/.exec(text)?.[1];
    const asn = /peer-as\s*=\s*([\d_]+)/.exec(text)?.[1]?.replaceAll('_', '');
    if (address === undefined) return [];
    const hasPassword = /auth-password\s*=\s*("[^"]+"|'[^']+')/.test(text);
    return [{ address, asn: asn === undefined ? null : Number(asn), hasPassword }];
  });
}

/** Removes comments (`#` outside quotes). */
function withoutComments(toml: string): string {
  return toml.replaceAll(/("[^"\n]*"|'[^'\n]*')|#.*$/gm, (_, text: string | undefined) => text ?? '');
}
