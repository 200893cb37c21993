/** Checks scrubbers, blackholing and the steps that use them. */
import { DIALECT_TRAITS } from '../../bgp/flowspec/dialect.ts';
import { formatCommunity, parseAnyCommunity } from '../../bgp/wire/communities.ts';
import { RULE_KINDS, type RuleKind, ruleKind } from '../../core/action.ts';
import type { StepData } from '../../core/policy/playbook-schema.ts';
import type { Policy } from '../../core/policy/policy.ts';
import { likely } from '../../net/nearest.ts';
import { overlappingPrefix } from '../../net/prefix-trie.ts';
import { canonicalAddress, formatPrefix, hostPrefix, knownPrefix, parseAddress } from '../../net/prefix.ts';
import { notUnicast } from '../../net/special-addresses.ts';
import { ownerOf } from '../../core/victim.ts';
import type { Findings, Path } from '../config-problem.ts';
import type { Settings } from '../schema/prefixd-schema.ts';
import { stepsOf } from './playbook-checks.ts';

type ScrubberEntry = Settings['scrubbers'][number];
type DivertEntry = NonNullable<ScrubberEntry['divert']>;
type GivenNeighbor = Settings['bgp']['neighbors'][number];

/** The configuration that a target is checked against. */
interface Surroundings {
  readonly policy: Policy;
  readonly settings: Settings;
}

/** Longest prefixes that most networks accept from each other: a longer one that is exported goes nowhere. */
const MOST_EXPORTED = { 4: 24, 6: 48 } as const;

/** Checks `scrubbers`, `blackhole` and `bgp.neighbors[].announce`. */
export function targetChecks(policy: Policy, settings: Settings, found: Findings): void {
  const around = { policy, settings };
  const names = new Set<string>();
  for (const [i, scrubber] of settings.scrubbers.entries()) {
    const { name, redirect, divert } = scrubber;
    const at: Path = ['scrubbers', i];
    if (names.has(name))
      found.problem([...at, 'name'], `"${name}" is the name of two scrubbers`, 'give it another name');
    names.add(name);
    if (Object.keys(redirect).length === 0 && divert === undefined) {
      const fix = 'write redirect (ipv4, ipv6 or vrf), divert, or both';
      found.problem(at, `nothing can be sent to scrubber ${name}: it has no target`, fix);
    }
    redirectChecks(scrubber, [...at, 'redirect'], settings.bgp.neighbors, found);
    if (divert !== undefined) divertChecks(divert, [...at, 'divert'], around, found);
  }
  formChecks(settings.blackhole, ['blackhole'], found);
  if (settings.blackhole.allowed)
    routeChecks('blackhole', settings.blackhole, ['blackhole'], [32, 128], around, found);
  customerChecks(settings, policy, found);
  announceChecks(settings, found);
}

/** Checks the targets of FlowSpec rules, and warns if no neighbor can use any of them. */
function redirectChecks(
  { name, redirect }: ScrubberEntry,
  at: Path,
  neighbors: readonly GivenNeighbor[],
  found: Findings,
): void {
  const { ipv4, ipv6, vrf } = redirect;
  addressChecks(ipv4, 4, [...at, 'ipv4'], found);
  addressChecks(ipv6, 6, [...at, 'ipv6'], found);
  const given = neighbors.filter(({ announce, enabled }) => enabled && announce.includes('flowspec'));
  if (given.length === 0 || Object.keys(redirect).length === 0) return;
  const isUsable = given.some(({ dialect }) => {
    const traits = DIALECT_TRAITS[dialect];
    return (
      (ipv4 !== undefined && traits.redirectIp[4] !== undefined) ||
      (ipv6 !== undefined && traits.redirectIp[6] !== undefined) ||
      (vrf !== undefined && (vrf.startsWith('[') ? traits.redirectVrfIpv6 : traits.redirectVrf))
    );
  });
  if (isUsable) return;
  const dialects = [...new Set(given.map(({ dialect }) => dialect))].join(', ');
  found.warning(
    at,
    `no neighbor can redirect to scrubber ${name}: ${dialects} cannot use ${Object.keys(redirect).join(', ')}`,
    'add a target that they support (docs/notation.md, platforms), or correct their dialect',
  );
}

function divertChecks(divert: DivertEntry, at: Path, around: Surroundings, found: Findings): void {
  if (divert.next_hop_v4 === undefined && divert.next_hop_v6 === undefined) {
    found.problem(at, 'nothing can be diverted without a next hop', 'write next_hop_v4 or next_hop_v6');
  }
  if (wellKnown(divert.communities).has('blackhole')) {
    found.problem(
      [...at, 'communities'],
      'routers discard the traffic of a route with the community blackhole (RFC 7999)',
      'remove it, or use action: blackhole',
    );
  }
  formChecks(divert, at, found);
  routeChecks('divert', divert, at, [divert.prefix_length_v4, divert.prefix_length_v6], around, found);
}

/** Checks what is wrong with the unicast routes of one kind whether or not they are used. */
function formChecks(entry: DivertEntry | Settings['blackhole'], at: Path, found: Findings): void {
  addressChecks(entry.next_hop_v4, 4, [...at, 'next_hop_v4'], found);
  addressChecks(entry.next_hop_v6, 6, [...at, 'next_hop_v6'], found);
  const { min_seconds: least, max_seconds: most } = entry.return;
  if (most < least) {
    found.problem(
      [...at, 'return', 'max_seconds'],
      `max_seconds ${most} is less than min_seconds ${least}`,
      'raise max_seconds',
    );
  }
  if (entry.max_ttl_seconds < least) {
    const why = `traffic returns after ${entry.max_ttl_seconds} s, before min_seconds ${least} are over`;
    found.warning([...at, 'max_ttl_seconds'], why, 'raise max_ttl_seconds, or lower min_seconds');
  }
}

function addressChecks(text: string | undefined, version: 4 | 6, at: Path, found: Findings): void {
  const octets = parseAddress(text ?? '');
  if (text === undefined || octets === undefined) return;
  if (octets.length !== (version === 4 ? 4 : 16)) {
    found.problem(at, `${text} is not an IPv${version} address`, `write an IPv${version} address`);
    return;
  }
  const special = notUnicast(octets);
  if (special === undefined) return;
  const why = `${text} is ${special.name} (${special.source}): traffic cannot be sent there`;
  found.problem(at, why, 'write a unicast address that the routers reach');
}

/** Checks how the unicast routes of a kind fit the inventory, the guardrails and the neighbors. */
function routeChecks(
  kind: Exclude<RuleKind, 'flowspec'>,
  entry: DivertEntry | Settings['blackhole'],
  at: Path,
  [lengthV4, lengthV6]: readonly [number, number],
  { policy, settings }: Surroundings,
  found: Findings,
): void {
  nextHopChecks(kind, entry.next_hop_v4, [...at, 'next_hop_v4'], { policy, settings }, found);
  nextHopChecks(kind, entry.next_hop_v6, [...at, 'next_hop_v6'], { policy, settings }, found);
  const named = wellKnown(entry.communities);
  const isLong =
    (entry.next_hop_v4 !== undefined && lengthV4 > MOST_EXPORTED[4]) ||
    (entry.next_hop_v6 !== undefined && lengthV6 > MOST_EXPORTED[6]);
  if (entry.export && isLong && !named.has('no-export') && !named.has('no-advertise')) {
    const why = `routes longer than /${MOST_EXPORTED[4]} (IPv4) or /${MOST_EXPORTED[6]} (IPv6) may leave the neighbor's AS`;
    found.warning([...at, 'export'], why, 'remove export, unless the neighbor removes them');
  }
  if (entry.max_ttl_seconds < policy.timers.minTtlSeconds) {
    const why = `no TTL is possible: timers.min_ttl_seconds is ${policy.timers.minTtlSeconds}`;
    found.problem([...at, 'max_ttl_seconds'], why, 'raise max_ttl_seconds');
  }
}

function nextHopChecks(
  kind: Exclude<RuleKind, 'flowspec'>,
  text: string | undefined,
  at: Path,
  { policy, settings }: Surroundings,
  found: Findings,
): void {
  const octets = parseAddress(text ?? '');
  if (text === undefined || octets === undefined) return;
  const owner = ownerOf(policy.inventory, text);
  if (owner !== undefined) {
    const why = `the next hop ${text} is an address of customer ${owner.customerId}: a route for that customer could cover it`;
    found.problem(at, why, 'use an address outside the inventory');
  }
  const hop = hostPrefix(octets);
  const safe = overlappingPrefix(policy.safelist, hop);
  if (safe !== undefined && kind === 'blackhole') {
    const why = `the discard address ${text} is safelisted (${formatPrefix(safe)})`;
    found.warning(at, why, 'use an address that every router discards');
  }
  const around = overlappingPrefix(settings.guardrails.protected.prefixes.map(knownPrefix), hop);
  const isNamed = settings.guardrails.protected.prefixes.some((one) => formatPrefix(hop) === one);
  if (around !== undefined && !isNamed) {
    const why = `the next hop ${text} is inside the protected prefix ${formatPrefix(around)}`;
    const sent = kind === 'divert' ? 'attack traffic would be sent into it' : 'is the address in use there?';
    const fix = `use an address outside it, or add ${formatPrefix(hop)} to guardrails.protected.prefixes to confirm it`;
    found.warning(at, `${why}: ${sent}`, fix);
  }
  const own = settings.bgp.neighbors.filter(
    ({ address, announce }) =>
      announce.includes(kind) && canonicalAddress(address) === canonicalAddress(text),
  );
  if (own.length > 0) {
    const why = `the next hop ${text} is the address of ${own.map(({ name }) => name).join(', ')}: a router ignores a route to itself (RFC 4271 §6.3)`;
    const fix = kind === 'divert' ? 'write the address of the scrubber' : 'use another discard address';
    found.warning(at, why, fix);
  }
}

/** Returns the standard communities by name, as far as they have one. */
function wellKnown(communities: readonly string[]): ReadonlySet<string> {
  return new Set(
    communities.flatMap((text) => {
      const parsed = parseAnyCommunity(text);
      return parsed.ok && parsed.value.kind === 'standard' ? [formatCommunity(parsed.value.octets)] : [];
    }),
  );
}

function customerChecks({ blackhole }: Settings, { inventory }: Policy, found: Findings): void {
  const known = inventory.data.customers.map(({ customer_id: id }) => id);
  for (const [i, customer] of blackhole.customers.entries()) {
    if (known.includes(customer)) continue;
    const guess = likely(customer, known);
    const fix = guess === undefined ? 'add the customer, or remove this entry' : `did you mean "${guess}"?`;
    found.warning(['blackhole', 'customers', i], `there is no customer "${customer}" in the inventory`, fix);
  }
}

function announceChecks({ bgp, scrubbers, blackhole }: Settings, found: Findings): void {
  for (const [i, { name, announce, communities, max_unicast: maxUnicast }] of bgp.neighbors.entries()) {
    const unicast = announce.filter((kind) => kind !== 'flowspec');
    if (maxUnicast === 0 && unicast.length > 0) {
      const why = `announce names ${unicast.join(' and ')}, but ${name} may hold no unicast route`;
      const fix = `raise max_unicast, or remove ${unicast.join(' and ')} from announce`;
      found.warning(['bgp', 'neighbors', i, 'max_unicast'], why, fix);
    }
    if (announce.includes('divert') && wellKnown(communities).has('blackhole')) {
      found.problem(
        ['bgp', 'neighbors', i, 'communities'],
        `${name} would discard what is diverted, because its routes carry the community blackhole (RFC 7999)`,
        'remove blackhole here; routes of action: blackhole carry it by themselves',
      );
    }
    const unused = announce.filter(
      (kind) =>
        (kind === 'divert' && scrubbers.every(({ divert }) => divert === undefined)) ||
        (kind === 'blackhole' && !blackhole.allowed),
    );
    for (const kind of unused) {
      const fix =
        kind === 'divert'
          ? 'add a scrubber with divert, or remove it here'
          : 'set blackhole.allowed, or remove it here';
      found.warning(
        ['bgp', 'neighbors', i, 'announce'],
        `${name} will never be given ${kind} routes: none can be decided`,
        fix,
      );
    }
  }
}

/** Checks the steps of all playbooks against the targets; `found` takes paths as if all playbook files were one. */
export function targetStepChecks(policy: Policy, settings: Settings, found: Findings): void {
  // A check of its own warns if all are disabled.
  const enabled = settings.bgp.neighbors.filter((neighbor) => neighbor.enabled);
  const announced = new Set<RuleKind>(enabled.flatMap(({ announce }) => announce));
  for (const { step, path } of stepsOf(policy.playbooks.data, policy.pop)) {
    if (step.to !== undefined) scrubberChecks(step, step.to, path, settings, found);
    copyChecks(step, [...path, 'copy'], settings, found);
    longTtlChecks(step, [...path, 'ttl_seconds'], settings, found);
    if (step.action === 'blackhole' && !settings.blackhole.allowed) {
      const fix = 'set blackhole.allowed in prefixd.yaml, or remove this step';
      found.problem([...path, 'action'], 'blackholing is not allowed (blackhole.allowed is false)', fix);
    }
    const kind = RULE_KINDS.find((one) => one === ruleKind({ type: step.action }));
    if (kind === undefined || enabled.length === 0 || announced.has(kind)) continue;
    const why = `no neighbor is given ${kind === 'flowspec' ? 'FlowSpec rules' : `${kind} routes`}, so this step is never taken`;
    found.warning([...path, 'action'], why, `add ${kind} to announce of an enabled neighbor`);
  }
}

/** Checks that a copy goes to an address: no extended community says that a redirect to a VRF copies. */
function copyChecks({ copy, to, vrf }: StepData, at: Path, { scrubbers }: Settings, found: Findings): void {
  if (copy !== true) return;
  const redirect = scrubbers.find(({ name }) => name === to)?.redirect;
  const hasOnlyVrf =
    redirect?.vrf !== undefined && redirect.ipv4 === undefined && redirect.ipv6 === undefined;
  if (vrf === undefined && !hasOnlyVrf) return;
  const target = vrf === undefined ? `scrubber ${to} has only a VRF, and ` : '';
  const fix =
    vrf === undefined ? `remove copy, or add ipv4 or ipv6 to its redirect` : 'remove copy, or use ip';
  found.problem(at, `${target}a redirect to a VRF cannot copy`, fix);
}

/** Warns about a diversion or a blackhole that its target ends sooner than the step says. */
function longTtlChecks(
  { action, to, ttl_seconds: ttl }: StepData,
  at: Path,
  { scrubbers, blackhole }: Settings,
  found: Findings,
): void {
  const scrubber = scrubbers.findIndex(({ name }) => action === 'divert' && name === to);
  const entry = action === 'blackhole' ? blackhole : scrubbers[scrubber]?.divert;
  const max = entry?.max_ttl_seconds;
  if (ttl === undefined || max === undefined || ttl <= max) return;
  const key = action === 'blackhole' ? 'blackhole' : `scrubbers[${scrubber}].divert`;
  found.warning(at, `${ttl} is above ${key}.max_ttl_seconds, which is ${max}`, `write at most ${max}`);
}

function scrubberChecks(
  step: StepData,
  name: string,
  path: Path,
  { scrubbers }: Settings,
  found: Findings,
): void {
  const scrubber = scrubbers.find((one) => one.name === name);
  if (scrubber === undefined) {
    const guess = likely(
      name,
      scrubbers.map((one) => one.name),
    );
    const fix = guess === undefined ? 'add it to scrubbers in prefixd.yaml' : `did you mean "${guess}"?`;
    found.problem([...path, 'to'], `there is no scrubber "${name}"`, fix);
  } else if (step.action === 'divert' && scrubber.divert === undefined) {
    found.problem(
      [...path, 'to'],
      `nothing can be diverted to scrubber ${name}`,
      'add divert to it, or use redirect',
    );
  } else if (step.action === 'redirect' && Object.keys(scrubber.redirect).length === 0) {
    found.problem(
      [...path, 'to'],
      `scrubber ${name} has no redirect target`,
      'add redirect to it, or use divert',
    );
  }
}
