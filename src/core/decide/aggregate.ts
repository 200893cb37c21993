/**
 * Answers carpet bombing: when many hosts of one inventory prefix are under the same attack, one rule for the prefix
 * replaces the rules for its hosts. When few hosts are left, host rules replace it (`aggregation` in prefixd.yaml).
 */
import { ruleKind, unshared } from '../action.ts';
import { covers, formatPrefix, hostPrefix, makePrefix, type Prefix, parseAddress } from '../../net/prefix.ts';
import { isImported } from '../intent.ts';
import { isActive } from '../state/indices.ts';
import type { DecideContext } from '../commands.ts';
import type { Fact } from '../facts.ts';
import { activeEverywhere, checkOwner, checkTarget } from '../policy/guardrails.ts';
import { alertOf, confidenceOf, holdModeOf, activeHolds } from '../state/holds.ts';
import type { Inventory } from '../policy/inventory.ts';
import { endingFacts, SYSTEM } from './lifecycle.ts';
import { dstPortsCover, sameButDstPorts } from './correlate.ts';
import type { PrefixOwnership } from '../policy/ownership.ts';
import type { Policy } from '../policy/policy.ts';
import { WAYS } from '../policy/playbook-schema.ts';
import { portSet } from '../policy/ports.ts';
import { NO_REFINEMENT } from '../policy/refinement.ts';
import type { Rule } from './rule.ts';
import type { DecisionView } from '../state/state-view.ts';
import type { Detection, EventRecord, Hold, Mitigation } from '../types.ts';
import { isPrefixVictim, NO_ALLOWED_PORTS, ownerOf, victimPrefix } from '../victim.ts';
import { planWithin } from './enforceable-rule.ts';
import { countWords } from '../../net/text.ts';

/** A prefix that one rule may cover in place of its hosts. */
export interface Block {
  /** Canonical text. */
  readonly prefix: string;
  readonly owner: PrefixOwnership;
}

/** Caches look-ups, because blocks are few and events many. */
const KNOWN = new WeakMap<Inventory, Map<string, Block | undefined>>();
const MAX_KNOWN = 4096;

/**
 * Returns a host's block: the prefix of the configured length around it, or the customer's own prefix if that is
 * longer. Undefined when guardrails allow no rule of that length, when no single customer owns all of it, or when the
 * victim is already a prefix.
 */
export function blockOf({ guardrails, aggregation, inventory }: Policy, victim: string): Block | undefined {
  const address = parseAddress(victim);
  if (address === undefined) return undefined;
  const isV4 = address.length === 4;
  const length = isV4 ? aggregation.toV4 : aggregation.toV6;
  const least = isV4 ? guardrails.dstPrefixMinLen : guardrails.dstPrefixMinLenV6;
  if (least > length) return undefined;
  const around = makePrefix(address, length);
  const most = isV4 ? guardrails.dstPrefixMaxLen : guardrails.dstPrefixMaxLenV6;
  return known(inventory, formatPrefix(around), () => ownedBlock(inventory, around, address, most));
}

function known(inventory: Inventory, key: string, find: () => Block | undefined): Block | undefined {
  let blocks = KNOWN.get(inventory);
  if (blocks === undefined) {
    blocks = new Map();
    KNOWN.set(inventory, blocks);
  }
  if (blocks.has(key)) return blocks.get(key);
  const block = find();
  if (block !== undefined && block.prefix !== key) return block;
  if (blocks.size >= MAX_KNOWN) blocks.clear();
  if (block !== undefined) blocks.set(key, block);
  return block;
}

function ownedBlock(
  inventory: Inventory,
  around: Prefix,
  address: Uint8Array,
  most: number,
): Block | undefined {
  const owner = inventory.lookupPrefix(around);
  if (owner !== undefined && around.length <= most) return { prefix: formatPrefix(around), owner };
  const own = inventory.lookupPrefix(hostPrefix(address))?.prefix;
  if (own === undefined || own.length <= around.length || own.length > most) return undefined;
  const narrower = inventory.lookupPrefix(own);
  return narrower === undefined || own.length === hostPrefix(address).length
    ? undefined
    : { prefix: formatPrefix(own), owner: narrower };
}

/** The fact that a mitigation begins. */
type BlockCreation = Extract<Fact, { type: 'mitigation.created' }>;

/** The hosts of a block under one attack, and what happens to their mitigations. */
export interface Gathering {
  /** The number of hosts, the newest included. */
  readonly hosts: number;
  /** Ports of all hosts; empty when one of the reports names none. */
  readonly ports: readonly number[];
  /** Mitigations that the prefix rule may replace. */
  readonly replaceable: readonly Mitigation[];
  /** Holds of reports that quotas refused. */
  readonly refused: readonly Hold[];
  /** The POPs where one of the hosts was reported. */
  readonly pops: readonly string[];
}

/**
 * Collects a block's hosts under the same vector and protocol within the window; undefined when they are too few. Hosts
 * that quotas refused count, because they are under attack, too. Host rules at a later step than `of`, where the prefix
 * rule begins, stay: they are stricter.
 */
export function gather(
  state: DecisionView,
  { now, policy }: DecideContext,
  detection: Detection,
  block: Block,
  of: Pick<Mitigation, 'playbook' | 'step'>,
): Gathering | undefined {
  const { aggregation } = policy;
  const hosts = new Set([detection.victim]);
  const detections = [detection];
  const replaceable: Mitigation[] = [];
  const refused: Hold[] = [];
  for (const event of state.reportedIn(block.prefix, detection.vector)) {
    if (event.detection.protocol !== detection.protocol || event.detection.victim === detection.victim)
      continue;
    const mitigation = activeHostRule(state, event);
    if (mitigation === undefined && event.refusal?.startsWith('quota_') !== true) continue;
    if (event.receivedAt >= now - aggregation.windowSeconds * 1000) hosts.add(event.detection.victim);
    else if (mitigation === undefined) continue;
    detections.push(event.detection);
    if (mitigation === undefined) refused.push(refusedHold(event, policy, now));
    else if (isReplaceable(mitigation, of)) replaceable.push(mitigation);
  }
  if (hosts.size < aggregation.hosts) return undefined;
  const named = detections.every(({ ports }) => ports.length > 0);
  const ports = named ? portSet(detections.flatMap((one) => [...one.ports])) : [];
  const isNameable = ports.length <= policy.guardrails.maxPorts;
  const pops = detections.flatMap((one) => one.pops ?? [policy.pop]);
  return { hosts: hosts.size, ports: isNameable ? ports : [], replaceable, refused, pops };
}

/** True when a prefix rule matches what the rule of a host inside it does, except allowed ports that neither names. */
export function coversHostRule(rule: Rule, host: Rule): boolean {
  return dstPortsCover(rule.match, host.match) || (rule.ports.length === 0 && host.ports.length === 0);
}

/**
 * Collects the host mitigations that the rule of a reported prefix may replace: those of the same vector that match
 * nothing beyond it, except allowed ports. Undefined when there are none.
 */
export function gatherInside(
  state: DecisionView,
  { victim, vector, ports, pops: named }: Detection,
  { match }: Pick<Rule, 'match'>,
  of: Pick<Mitigation, 'playbook' | 'step'>,
): Gathering | undefined {
  if (!isPrefixVictim(victim)) return undefined;
  const prefix = victimPrefix(victim);
  const replaceable = [...state.live]
    .flatMap((id) => state.mitigations.get(id) ?? [])
    .filter(
      (one) =>
        isActive(one) &&
        !isImported(one) &&
        !isPrefixVictim(one.victim) &&
        one.vector === vector &&
        sameButDstPorts({ ...match, dstPrefix: one.match.dstPrefix }, one.match) &&
        (ports.length === 0 || dstPortsCover(match, one.match)) &&
        isReplaceable(one, of) &&
        covers(prefix, victimPrefix(one.victim)),
    );
  const [first] = replaceable;
  if (first === undefined) return undefined;
  const pops = [...(named ?? [first.pop]), ...replaceable.flatMap((one) => one.pops ?? [one.pop])];
  return { hosts: replaceable.length, ports, replaceable, refused: [], pops };
}

function activeHostRule(state: DecisionView, { mitigationId }: EventRecord): Mitigation | undefined {
  const mitigation = mitigationId === null ? undefined : state.mitigations.get(mitigationId);
  return mitigation !== undefined && isActive(mitigation) && !isPrefixVictim(mitigation.victim)
    ? mitigation
    : undefined;
}

function isReplaceable(mitigation: Mitigation, of: Pick<Mitigation, 'playbook' | 'step'>): boolean {
  // Diverted traffic must not return because a rule begins.
  if (ruleKind(mitigation.action) !== 'flowspec') return false;
  return mitigation.playbook === of.playbook && mitigation.step <= of.step;
}

/** Builds the hold that a refused report would have taken. A reporter that repeats has one TTL to do so. */
function refusedHold({ detection, receivedAt, hold }: EventRecord, policy: Policy, now: number): Hold {
  const mode = holdModeOf(detection, policy, hold);
  const { maxHoldSeconds, defaultTtlSeconds } = policy.timers;
  return {
    ...alertOf(detection),
    mode,
    confidence: confidenceOf(detection, policy),
    beganAt: Math.min(detection.beganAt ?? detection.at ?? receivedAt, now),
    reportedAt: receivedAt,
    until: receivedAt + (mode === 'until_released' ? maxHoldSeconds : defaultTtlSeconds) * 1000,
  };
}

/**
 * Returns the facts that give a prefix's hosts their own rules again: when nobody holds the prefix itself, fewer than
 * half of the configured number of hosts are left, and quotas have room for them. Otherwise empty. The host rules begin
 * in the same group of facts in which the prefix rule ends.
 */
export function narrowingFacts(
  mitigation: Mitigation,
  state: DecisionView,
  context: DecideContext,
): readonly Fact[] {
  const { now, policy } = context;
  if (mitigation.playbook === null || !isPrefixVictim(mitigation.victim)) return [];
  const inside = holdsInside(mitigation, now);
  if (inside.has(mitigation.victim) || inside.size === 0) return [];
  if (inside.size >= policy.aggregation.hosts / 2) return [];
  if (inside.size > roomFor(mitigation, state, context)) return [];
  const created = ownRules(mitigation, inside, state, context);
  // Keeps the prefix rule when a host would be left without one.
  if (created === 'refused') return [];
  const words = countWords(inside.size, 'host is', 'hosts are');
  const reason = `${words} still under attack in ${mitigation.victim}, each with its own rule`;
  return [...created, ...endingFacts(mitigation, { to: 'withdrawn', at: now, actor: SYSTEM, reason })];
}

/** Says that narrowing withdraws the prefix rule; empty when it does not. */
export function narrowingWords(narrowing: readonly Fact[]): readonly string[] {
  return narrowing.flatMap((fact) =>
    fact.type === 'mitigation.ending' ? [`mitigation ${fact.id} is withdrawn: ${fact.ending.reason}`] : [],
  );
}

/** Groups unexpired holds by the victim that was reported. */
function holdsInside(mitigation: Mitigation, now: number): ReadonlyMap<string, readonly Hold[]> {
  const inside = new Map<string, Hold[]>();
  for (const hold of activeHolds(mitigation, now)) {
    const holds = inside.get(hold.victim);
    if (holds === undefined) inside.set(hold.victim, [hold]);
    else holds.push(hold);
  }
  return inside;
}

/**
 * Gives hosts their own rules when a new policy or the safelist ends the rule for their prefix, as many as quotas have
 * room for: they are still under attack, and their detectors may not report them again.
 */
export function restoreHostRules(
  mitigation: Mitigation,
  state: DecisionView,
  context: DecideContext,
): readonly BlockCreation[] {
  const { now, policy } = context;
  if (mitigation.playbook === null || !isPrefixVictim(mitigation.victim)) return [];
  if (mitigation.dryRun !== (policy.mode === 'dry-run')) return [];
  const room = roomFor(mitigation, state, context);
  const created: BlockCreation[] = [];
  for (const [victim, holds] of holdsInside(mitigation, now)) {
    if (victim === mitigation.victim || created.length >= room) continue;
    const own = hostMitigation(mitigation, victim, holds, state, context);
    if (typeof own === 'object') created.push({ type: 'mitigation.created', mitigation: own });
  }
  return created;
}

function ownRules(
  mitigation: Mitigation,
  inside: ReadonlyMap<string, readonly Hold[]>,
  state: DecisionView,
  context: DecideContext,
): readonly Fact[] | 'refused' {
  const created: Fact[] = [];
  for (const [victim, holds] of inside) {
    const own = hostMitigation(mitigation, victim, holds, state, context);
    if (own === 'refused') return own;
    if (own !== undefined) created.push({ type: 'mitigation.created', mitigation: own });
  }
  return created;
}

/** Counts the mitigations that fit if this one is removed. */
function roomFor(
  { customerId, pop, dryRun }: Mitigation,
  state: DecisionView,
  context: DecideContext,
): number {
  const { quotas } = context.policy;
  const ofCustomer = customerId === null ? 0 : state.activeOfCustomer(customerId, dryRun);
  return (
    1 +
    Math.min(
      quotas.maxActivePerCustomer - ofCustomer,
      quotas.maxActivePerPop - state.activeOfPop(pop, dryRun),
      quotas.maxActiveGlobal - activeEverywhere(state, context.elsewhere, dryRun).count,
    )
  );
}

/**
 * Builds one host's share of a prefix rule: the same action and time, without the ports that the host itself allows.
 * Undefined when nothing of it may be filtered.
 */
function hostMitigation(
  mitigation: Mitigation,
  victim: string,
  holds: readonly Hold[],
  state: DecisionView,
  { now, newId, policy }: DecideContext,
): Mitigation | 'refused' | undefined {
  const owner = ownerOf(policy.inventory, victim);
  const playbook = policy.playbooks.byName.get(mitigation.playbook ?? '');
  const target = {
    victim,
    vector: mitigation.vector,
    protocol: mitigation.match.protocol,
    ports: mitigation.ports,
    allowedPorts: owner?.allowedPorts ?? NO_ALLOWED_PORTS,
  };
  const refinement = playbook?.steps[mitigation.step]?.refinement ?? NO_REFINEMENT;
  const plan = planWithin(
    target,
    { action: unshared(mitigation.action), refinement },
    playbook?.ways ?? WAYS,
    {
      policy,
      state,
    },
  );
  if (plan.rule === undefined) return undefined;
  const refusal =
    plan.refusal ??
    checkTarget(state, policy, plan.rule.match, plan.action) ??
    checkOwner(policy, victim, owner !== undefined);
  if (refusal !== undefined) return 'refused';
  const { match, ports, excludedPorts } = plan.rule;
  return {
    ...mitigation,
    id: newId(),
    victim,
    customerId: owner?.customerId ?? null,
    serviceId: owner?.serviceId ?? null,
    match,
    ports,
    excludedPorts,
    action: plan.action,
    holds,
    createdAt: now,
    updatedAt: now,
    why: [`replaces mitigation ${mitigation.id} for ${mitigation.victim}`, ...plan.why],
  };
}
