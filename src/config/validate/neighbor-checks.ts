/** Checks how a neighbor's keys fit together, and fit the other neighbors and the listener. */
import { planWithin } from '../../core/decide/enforceable-rule.ts';
import { predict } from '../../core/decide/forecast.ts';
import type { Policy } from '../../core/policy/policy.ts';
import { parseZonedAddress } from '../../net/prefix.ts';
import { notUnicast, specialRangeOf } from '../../net/special-addresses.ts';
import { secondsWords } from '../../net/text.ts';
import type { DeepPartial } from '../parse-partial.ts';
import type { Findings, Path } from '../config-problem.ts';
import { isLoopback, parseListen } from '../schema/fields.ts';
import type { Settings } from '../schema/prefixd-schema.ts';
import { type AssetGroup, STATE, targetsOf } from './enforcement-checks.ts';

type PartialNeighbor = DeepPartial<Settings['bgp']['neighbors'][number]>;

/** Longest hold time without a warning (s). Routers offer 90 or 180 by default. */
const LONG_HOLD_TIME = 600;

/** Checks `bgp.neighbors`. */
export function neighborChecks(settings: DeepPartial<Settings>, found: Findings): void {
  const names = new Map<string, number>();
  const places = new Map<string, number>();
  for (const [i, neighbor] of (settings.bgp?.neighbors ?? []).entries()) {
    if (neighbor === undefined) continue;
    const at: Path = ['bgp', 'neighbors', i];
    once(names, neighbor.name, i, (other) =>
      found.problem(
        [...at, 'name'],
        `"${neighbor.name}" is also the name of ${other}`,
        'give it another name',
      ),
    );
    once(places, placeOf(neighbor), i, (other) =>
      found.problem([...at, 'address'], `${other} is at the same address and port`, 'remove one of the two'),
    );
    addressChecks(neighbor, at, found);
    passiveChecks(neighbor, at, settings.bgp?.listen, found);
    familyChecks(neighbor, at, found);
    holdTimeChecks(neighbor, at, found);
    ownAddressChecks(neighbor, at, settings.bgp ?? {}, found);
  }
}

function once(
  seen: Map<string, number>,
  value: string | undefined,
  i: number,
  again: (other: string) => void,
): void {
  if (value === undefined) return;
  const other = seen.get(value);
  if (other === undefined) seen.set(value, i);
  else again(`bgp.neighbors[${other}]`);
}

/** Returns the key that identifies a session: two neighbors with the same key could not both be established. */
function placeOf(neighbor: PartialNeighbor): string | undefined {
  const { address, port, local_address: local, passive } = neighbor;
  if (address === undefined) return undefined;
  if (isUnix(address)) return address;
  // A passive neighbor is identified by its address alone, because it connects from any port.
  return passive === true ? `${address} ${local ?? ''}` : `${address} ${port ?? ''} ${local ?? ''}`;
}

function isUnix(address: string): boolean {
  return address.startsWith('unix:');
}

function addressChecks(neighbor: PartialNeighbor, at: Path, found: Findings): void {
  const { address, local_address: local } = neighbor;
  if (address === undefined) return;
  if (isUnix(address)) {
    for (const key of ['md5_password_env', 'ttl_security_hops', 'local_address'] as const) {
      if (neighbor[key] === undefined) continue;
      found.problem(
        [...at, key],
        `${key} has no effect on a UNIX socket`,
        'remove it; the program behind the socket owns the TCP connection',
      );
    }
    return;
  }
  const octets = parseZonedAddress(address);
  if (octets === undefined) return;
  const unusable = whyUnusable(octets);
  if (unusable !== undefined) {
    found.problem([...at, 'address'], `${address} is ${unusable}`, 'write the address of the router');
  }
  if (isLinkLocal(octets) && !address.includes('%')) {
    found.problem(
      [...at, 'address'],
      `${address} is link-local and needs a zone`,
      `write ${address}%INTERFACE`,
    );
  }
  const localOctets = local === undefined ? undefined : parseZonedAddress(local);
  if (localOctets !== undefined && localOctets.length !== octets.length) {
    const family = octets.length === 4 ? 'IPv4' : 'IPv6';
    found.problem(
      [...at, 'local_address'],
      `${local} is not an ${family} address, but ${address} is`,
      `write an ${family} address`,
    );
  }
}

/**
 * Warns about a neighbor at one of our own addresses. By default a router uses its address as its BGP identifier, and a
 * router with our identifier refuses the session: always within one AS (RFC 6286 §2.2), and many also between two ASes,
 * although RFC 6286 allows it.
 */
function ownAddressChecks(
  neighbor: PartialNeighbor,
  at: Path,
  bgp: NonNullable<DeepPartial<Settings>['bgp']>,
  found: Findings,
): void {
  const { address, local_address: local, port } = neighbor;
  const octets = address === undefined || isUnix(address) ? undefined : parseZonedAddress(address);
  if (octets === undefined) return;
  const isOurs = (other: string | undefined): boolean => {
    const own = other === undefined ? undefined : parseZonedAddress(other);
    return own !== undefined && own.length === octets.length && own.every((octet, i) => octet === octets[i]);
  };
  const listen = bgp.listen === undefined ? undefined : parseListen(bgp.listen);
  if (listen !== undefined && isOurs(listen.host) && listen.port === port && neighbor.passive !== true) {
    found.warning(
      [...at, 'address'],
      `${address} port ${port} is bgp.listen: this daemon would connect to itself`,
      'write the address and port of the router',
    );
  } else if (isOurs(bgp.router_id)) {
    const refused =
      neighbor.peer_asn === bgp.local_asn
        ? 'within one AS, a session between equal identifiers is refused (RFC 6286)'
        : 'many routers refuse a neighbor with their own identifier';
    found.warning(
      [...at, 'address'],
      `${address} is this daemon's router_id, and probably the router's, too: ${refused}`,
      'give this daemon a router_id of its own',
    );
  } else if (isOurs(local) && !isLoopback(address ?? '')) {
    found.warning(
      [...at, 'address'],
      `${address} is also its local_address: the router would be this machine`,
      'correct one of the two, unless the router runs on this machine',
    );
  }
}

/** Says why an address cannot be a neighbor's. Loopback and link-local are allowed: this machine, this link. */
function whyUnusable(octets: Uint8Array): string | undefined {
  const special = notUnicast(octets);
  if (special === undefined || special.name === 'loopback' || special.name === 'link-local') return undefined;
  return `not unicast: it is ${special.name} (${special.source})`;
}

function isLinkLocal(octets: Uint8Array): boolean {
  return octets.length === 16 && specialRangeOf(octets)?.name === 'link-local';
}

function passiveChecks(
  neighbor: PartialNeighbor,
  at: Path,
  listen: string | undefined,
  found: Findings,
): void {
  if (neighbor.passive !== true || neighbor.address === undefined) return;
  const path = [...at, 'passive'];
  if (isUnix(neighbor.address)) {
    found.problem(path, 'passive is not possible on a UNIX socket', 'remove passive');
    return;
  }
  if (listen === undefined) {
    found.problem(path, 'passive needs bgp.listen, which is not set', 'set bgp.listen, or remove passive');
    return;
  }
  const host = parseZonedAddress(parseListen(listen)?.host ?? '');
  const octets = parseZonedAddress(neighbor.address);
  if (host === undefined || octets === undefined || host.length === octets.length) return;
  // An IPv6 wildcard also accepts IPv4.
  if (host.length === 16 && host.every((octet) => octet === 0)) return;
  found.problem(
    path,
    `${neighbor.address} cannot reach bgp.listen, which is ${listen}`,
    'listen on [::] for both families',
  );
}

/** Warns about hold times after which a peer that failed without closing the connection is detected late or never. */
function holdTimeChecks({ hold_time_seconds: seconds }: PartialNeighbor, at: Path, found: Findings): void {
  if (seconds === undefined || (seconds !== 0 && seconds <= LONG_HOLD_TIME)) return;
  const message =
    seconds === 0
      ? 'without a hold time, neither side detects that the other has failed: if this machine fails, the router keeps the rules forever'
      : `if this machine fails, the router keeps the rules for ${secondsWords(seconds)} before it detects the failure`;
  found.warning([...at, 'hold_time_seconds'], message, 'write 90, or omit it (default 90)');
}

function familyChecks(neighbor: PartialNeighbor, at: Path, found: Findings): void {
  const families = (neighbor.families ?? []).filter((family) => family !== undefined);
  for (const [i, family] of families.entries()) {
    if (families.indexOf(family) !== i)
      found.problem([...at, 'families', i], `${family} is listed twice`, 'remove it');
  }
  const carriesRules = families.includes('ipv4-flowspec') || families.includes('ipv6-flowspec');
  const isGivenRules = neighbor.announce?.includes('flowspec') !== false;
  if (families.length > 0 && isGivenRules && !carriesRules) {
    found.problem(
      [...at, 'families'],
      'no rule can be sent in any of these families',
      'add ipv4-flowspec or ipv6-flowspec, or remove flowspec from announce',
    );
  }
}

// Neighbors that no rule reaches, or only a playbook's later steps.

/** Warns if mitigations would be decided but announced to no router. */
export function neighborlessChecks({ bgp, mode }: DeepPartial<Settings>, found: Findings): void {
  // Mode mock keeps the rules itself, and a dry run announces nothing.
  if (bgp?.mode !== 'native' || mode !== 'enforced' || bgp.neighbors === undefined) return;
  if (bgp.neighbors.length === 0) {
    found.warning(
      ['bgp', 'neighbors'],
      'there is no neighbor: mitigations are decided, but announced to no router',
      'add your routers',
    );
  } else if (bgp.neighbors.every((neighbor) => neighbor?.enabled === false)) {
    found.warning(
      ['bgp', 'neighbors'],
      'every neighbor has enabled: false: mitigations are decided, but announced to no router',
      'enable the neighbors that should filter',
    );
  }
}

/** The steps that a neighbor can enforce. */
interface Reach {
  first: boolean;
  later: boolean;
  /** Reasons why it cannot enforce first steps. */
  readonly reasons: Set<string>;
}

/** Most reasons that a sentence gives. */
const NAMED = 2;

/**
 * Warns about neighbors that can enforce no playbook's first step as written, for any asset. `found` is for
 * prefixd.yaml.
 */
export function firstStepChecks(policy: Policy, groups: readonly AssetGroup[], found: Findings): void {
  const reaches = reachOfNeighbors(policy, groups);
  // A forecast has the order of the configuration.
  for (const [i, { first, later, reasons }] of [...reaches.values()].entries()) {
    if (first || reasons.size === 0) continue;
    const all = [...reasons];
    const why = all.slice(0, NAMED).join('; ') + (all.length > NAMED ? '; and others' : '');
    const then = later ? 'only rules of later steps reach it' : 'no rule will ever reach it';
    found.warning(
      ['bgp', 'neighbors', i],
      `this neighbor cannot enforce any playbook's first step as written (${why}): ${then}`,
      'use a first step with an action and a match that this router supports, or correct its dialect and families',
    );
  }
}

/**
 * Returns each neighbor's reach by name, in the order of the configuration. Stops once every neighbor enforces a first
 * step.
 */
function reachOfNeighbors(policy: Policy, groups: readonly AssetGroup[]): ReadonlyMap<string, Reach> {
  const reaches = new Map<string, Reach>();
  for (const { playbook, target } of targetsOf(policy, groups)) {
    for (const [index, step] of playbook.steps.entries()) {
      const { rule } = planWithin(target, step, [], { policy, state: STATE });
      if (rule === undefined) continue;
      for (const one of predict(policy, rule.match, step.action)) {
        const reach = reaches.get(one.neighbor) ?? { first: false, later: false, reasons: new Set() };
        reaches.set(one.neighbor, reach);
        if (index > 0) reach.later ||= one.ok;
        else if (one.ok) reach.first = true;
        else reach.reasons.add(one.why);
      }
      if (reaches.size > 0 && [...reaches.values()].every(({ first }) => first)) return reaches;
    }
  }
  return reaches;
}
