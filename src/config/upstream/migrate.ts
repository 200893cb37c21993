/**
 * Converts upstream prefixd's settings (Rust, lance0/prefixd) to settings of this prefixd, and reports every key that
 * changes. Pure. Neither copies nor shows the values of secrets.
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

/** Upstream's separate files. */
export interface Beside {
  /** alerting.yaml, which takes precedence over the section of prefixd.yaml. */
  readonly alerting?: Section | undefined;
  /** correlation.yaml, likewise. */
  readonly correlation?: Section | undefined;
}

/** Keys that this prefixd does not need, each with the reason. */
const DROPPED: readonly (readonly [path: string, why: string])[] = [
  ['bgp.gobgp_grpc', 'GoBGP is not used: the routers are bgp.neighbors'],
  ['bgp.rustbgpd_grpc', 'rustbgpd is not used: the routers are bgp.neighbors'],
  ['http.cors_origin', 'the API serves the dashboard itself'],
  ['http.auth.ldap', 'only tokens and client certificates are supported'],
  ['http.auth.radius', 'only tokens and client certificates are supported'],
  ['guardrails.allow_tcp_flags_match', 'a playbook may always narrow a rule by TCP flags'],
  ['guardrails.allow_fragment_match', 'a playbook may always narrow a rule to fragments'],
  ['guardrails.allow_packet_length_match', 'a playbook may always narrow a rule by packet length'],
  [
    'timers.quiet_period_after_withdraw_seconds',
    'the next event announces a withdrawn rule again; use the safelist to prevent that',
  ],
  ['escalation.max_escalated_duration_seconds', "the step's TTL limits it"],
  ['storage.connection_string', 'no database is used'],
  ['correlation', 'one detector is enough; reports of several are correlated by victim and protocol'],
];

/**
 * Migrates the settings and adds the neighbors in `gobgp`. Unknown keys and possible secrets are omitted and reported.
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
    note('added', 'mode', "dry-run, upstream's default; write enforced to announce rules");
  }
  migrateAuth(settings, note);
  migrateTtlBounds(settings, note);
  migrateBgp(settings, gobgp, note);
  const storage = section(settings, 'storage');
  if (storage !== undefined || changes.some(({ path }) => path === 'storage.connection_string')) {
    settings.storage = { driver: 'jsonl', path: './data' };
    note('changed', 'storage', 'a folder of JSON lines, ./data; the content of the database is not copied');
  }
  const observability = section(settings, 'observability');
  if (observability?.log_format === 'pretty') {
    observability.log_format = 'text';
    note('changed', 'observability.log_format', 'text');
  }
  const alerts = alerting ?? section(settings, 'alerting');
  if (alerting !== undefined && settings.alerting !== undefined) {
    note('dropped', 'alerting', 'alerting.yaml replaces it, as in upstream');
  }
  if (alerts !== undefined) settings.alerting = migrateAlerting(alerts, note);
  return { settings: withoutStrangers(settings, note), changes };
}

/** Reports the parts of upstream's correlation that have no equivalent here and change the behavior. */
function noteCorrelation(correlation: Section | undefined, note: Note): void {
  const adapters = Array.isArray(correlation?.webhook_adapters) ? correlation.webhook_adapters : [];
  if (adapters.length > 0) {
    note(
      'todo',
      'correlation.webhook_adapters',
      'adapters are not supported: their senders must post events to /v1/events in its own format',
    );
  }
  const least = correlation?.min_sources;
  if (correlation?.enabled === true && typeof least === 'number' && least > 1) {
    note(
      'todo',
      'correlation.min_sources',
      `upstream waits for ${least} sources; here one is enough: see min_confidence in playbooks`,
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
    'bearer: operators use tokens, listed under http.auth.tokens, instead of passwords',
    'PREFIXD_API_TOKEN',
  );
}

/** Moves TTL bounds from guardrails to timers, because upstream's guardrails override its timers. */
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
      ...(asn === undefined ? {} : { peer_asn: asn }),
      ...(variable === undefined ? {} : { md5_password_env: variable }),
    });
    const path = `bgp.neighbors[${neighbors.length - 1}]`;
    const password = variable === undefined ? '' : `; set ${variable} to its password`;
    note('added', path, `${address}, a neighbor of GoBGP${password}`, variable);
    if (asn === undefined)
      note('todo', `${path}.peer_asn`, "GoBGP's configuration has no AS number for this neighbor");
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
    note(kind, 'bgp.neighbors', 'none yet: add each router with name, address, peer_asn and dialect');
  } else if (neighbors.some(({ dialect }) => dialect === undefined)) {
    note(
      'added',
      'bgp.neighbors',
      "set each router's dialect, so that it is sent only rules that it supports",
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
  // Upstream treats an empty list of families as all; here an absent key means the default.
  if (!Array.isArray(value) || value.length > 0) neighbor[to] = value;
  note('changed', `${where}.${from}`, to);
}

/** Removes the value at a dotted path; true if there was one. */
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

// Neighbors of a GoBGP configuration in TOML, as far as users of upstream prefixd need them.

/** A neighbor of GoBGP, without its password. */
export interface GobgpNeighbor {
  readonly address: string;
  readonly asn: number | undefined;
  readonly hasPassword: boolean;
}

/** Reads the `[[neighbors]]` blocks. */
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
    return [{ address, asn: asn === undefined ? undefined : Number(asn), hasPassword }];
  });
}

/** Removes comments (`#` outside quotes). */
function withoutComments(toml: string): string {
  return toml.replaceAll(/("[^"\n]*"|'[^'\n]*')|#.*$/gm, (_, text: string | undefined) => text ?? '');
}
