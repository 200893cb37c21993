/** Checks scrubbers, blackholing and the steps that use them. */
import { RULE_KINDS, type RuleKind, ruleKind } from '../../core/action.ts';
import type { StepData } from '../../core/policy/playbook-schema.ts';
import type { Policy } from '../../core/policy/policy.ts';
import { nearest } from '../../net/nearest.ts';
import { overlappingPrefix } from '../../net/prefix-trie.ts';
import { formatPrefix, hostPrefix, parseAddress } from '../../net/prefix.ts';
import { ownerOf } from '../../core/victim.ts';
import type { Findings, Path } from '../config-problem.ts';
import type { Settings } from '../schema/prefixd-schema.ts';
import { stepsOf } from './playbook-checks.ts';

type DivertEntry = NonNullable<Settings['scrubbers'][number]['divert']>;

/** Longest prefixes that most networks accept from each other: a longer one that is exported goes nowhere. */
const MOST_EXPORTED = { 4: 24, 6: 48 } as const;

/** Checks `scrubbers`, `blackhole` and `bgp.neighbors[].announce`. */
export function targetChecks(policy: Policy, settings: Settings, found: Findings): void {
  const names = new Set<string>();
  for (const [i, { name, redirect, divert }] of settings.scrubbers.entries()) {
    const at: Path = ['scrubbers', i];
    if (names.has(name))
      found.problem([...at, 'name'], `"${name}" is the name of two scrubbers`, 'give it another name');
    names.add(name);
    if (Object.keys(redirect).length === 0 && divert === undefined) {
      const fix = 'write redirect (ipv4, ipv6 or vrf), divert, or both';
      found.problem(at, `nothing can be sent to scrubber ${name}: it has no target`, fix);
    }
    if (divert === undefined) continue;
    if (divert.next_hop_v4 === undefined && divert.next_hop_v6 === undefined) {
      found.problem(
        [...at, 'divert'],
        'nothing can be diverted without a next hop',
        'write next_hop_v4 or next_hop_v6',
      );
    }
    routeChecks(divert, [...at, 'divert'], [divert.prefix_length_v4, divert.prefix_length_v6], policy, found);
  }
  routeChecks(settings.blackhole, ['blackhole'], [32, 128], policy, found);
  customerChecks(settings, policy, found);
  announceChecks(settings, found);
}

/** Checks the unicast routes of one kind. */
function routeChecks(
  entry: DivertEntry | Settings['blackhole'],
  at: Path,
  [lengthV4, lengthV6]: readonly [number, number],
  policy: Policy,
  found: Findings,
): void {
  for (const key of ['next_hop_v4', 'next_hop_v6'] as const) {
    const text = entry[key];
    if (text === undefined) continue;
    const octets = parseAddress(text);
    if (octets?.length !== (key === 'next_hop_v4' ? 4 : 16)) {
      const other = key === 'next_hop_v4' ? 'IPv4' : 'IPv6';
      found.problem([...at, key], `${text} is not an ${other} address`, `write an ${other} address`);
      continue;
    }
    const owner = ownerOf(policy.inventory, text);
    if (owner !== undefined) {
      const why = `the next hop ${text} is an address of customer ${owner.customerId}: a route for that customer could cover it`;
      found.problem([...at, key], why, 'use an address outside the inventory');
    }
    const safe = overlappingPrefix(policy.safelist, hostPrefix(octets));
    if (safe !== undefined && at[0] === 'blackhole') {
      const why = `the discard address ${text} is safelisted (${formatPrefix(safe)})`;
      found.warning([...at, key], why, 'use an address that every router discards');
    }
  }
  if (entry.export && (lengthV4 > MOST_EXPORTED[4] || lengthV6 > MOST_EXPORTED[6])) {
    const why = `routes longer than /${MOST_EXPORTED[4]} (IPv4) or /${MOST_EXPORTED[6]} (IPv6) may leave the neighbor's AS`;
    found.warning([...at, 'export'], why, 'remove export, unless the neighbor removes them');
  }
  const { min_seconds: least, max_seconds: most } = entry.return;
  if (most < least) {
    found.problem(
      [...at, 'return', 'max_seconds'],
      `max_seconds ${most} is less than min_seconds ${least}`,
      'raise max_seconds',
    );
  }
  if (entry.max_ttl_seconds < policy.timers.minTtlSeconds) {
    const why = `no TTL is possible: timers.min_ttl_seconds is ${policy.timers.minTtlSeconds}`;
    found.problem([...at, 'max_ttl_seconds'], why, 'raise max_ttl_seconds');
  } else if (entry.max_ttl_seconds < least) {
    const why = `traffic returns after ${entry.max_ttl_seconds} s, before min_seconds ${least} are over`;
    found.warning([...at, 'max_ttl_seconds'], why, 'raise max_ttl_seconds, or lower min_seconds');
  }
}

function customerChecks({ blackhole }: Settings, { inventory }: Policy, found: Findings): void {
  const known = inventory.data.customers.map(({ customer_id: id }) => id);
  for (const [i, customer] of blackhole.customers.entries()) {
    if (known.includes(customer)) continue;
    const guess = nearest(customer, known);
    const fix = guess === undefined ? 'add the customer, or remove this entry' : `did you mean "${guess}"?`;
    found.warning(['blackhole', 'customers', i], `there is no customer "${customer}" in the inventory`, fix);
  }
}

function announceChecks({ bgp, scrubbers, blackhole }: Settings, found: Findings): void {
  for (const [i, { name, announce }] of bgp.neighbors.entries()) {
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
  const announced = new Set<RuleKind>(settings.bgp.neighbors.flatMap(({ announce }) => announce));
  for (const { step, path } of stepsOf(policy.playbooks.data)) {
    if (step.to !== undefined) scrubberChecks(step, step.to, path, settings, found);
    if (step.action === 'blackhole' && !settings.blackhole.allowed) {
      const fix = 'set blackhole.allowed in prefixd.yaml, or remove this step';
      found.problem([...path, 'action'], 'blackholing is not allowed (blackhole.allowed is false)', fix);
    }
    const kind = RULE_KINDS.find((one) => one === ruleKind({ type: step.action }));
    if (kind === undefined || settings.bgp.neighbors.length === 0 || announced.has(kind)) continue;
    const why = `no neighbor is given ${kind === 'flowspec' ? 'FlowSpec rules' : `${kind} routes`}, so this step is never taken`;
    found.warning([...path, 'action'], why, `add ${kind} to announce of a neighbor`);
  }
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
    const guess = nearest(
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
