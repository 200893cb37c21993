/**
 * Carpet bombing: when many hosts of one inventory prefix are attacked alike, one rule for the prefix takes the place of
 * one for each host, and gives way to rules for hosts when few are left (`aggregation` in prefixd.yaml).
 */
import { covers, formatPrefix, hostPrefix, makePrefix, type Prefix, parseAddress } from '../../net/prefix.ts';
import { isActive } from '../state/indices.ts';
import type { DecideContext } from '../commands.ts';
import type { Fact } from '../facts.ts';
import { checkOwner, checkTarget } from '../policy/guardrails.ts';
import { alertOf, confidenceOf, holdModeOf, standingHolds } from '../state/holds.ts';
import type { Inventory } from '../policy/inventory.ts';
import { endingFacts, SYSTEM } from './lifecycle.ts';
import { dstPortsCover, sameButDstPorts } from './correlate.ts';
import type { PrefixOwnership } from '../policy/ownership.ts';
import type { Policy } from '../policy/policy.ts';
import { WAYS } from '../policy/playbook-data.ts';
import { portSet } from '../policy/ports.ts';
import { NO_REFINEMENT } from '../policy/refinement.ts';
import type { Rule } from './rule.ts';
import type { DecisionView } from '../state/state-view.ts';
import type { Detection, EventRecord, Hold, Mitigation } from '../types.ts';
import { isPrefixVictim, NO_ALLOWED_PORTS, ownerOf, victimPrefix } from '../victim.ts';
import { planWithin } from './enforceable-rule.ts';
import { countWords } from '../../net/text.ts';

/** A prefix whose hosts may be covered by one rule. */
export interface Block {
  /** Canonical text. */
  readonly prefix: string;
  readonly owner: PrefixOwnership;
}

/** Blocks are few and events many. */
const KNOWN = new WeakMap<Inventory, Map<string, Block | undefined>>();
const MAX_KNOWN = 4096;

/**
 * The block of a host: the prefix of the configured length around it, or the customer's own prefix where that is longer.
 * Undefined when guardrails allow no rule of that length, when no one customer owns all of it, or for a victim that is
 * a prefix already.
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

/** A mitigation begins. */
type Creation = Extract<Fact, { type: 'mitigation.created' }>;

/** The hosts of a block under one attack, and what becomes of the mitigations that they have. */
export interface Gathering {
  /** How many hosts, the newest among them. */
  readonly hosts: number;
  /** Ports of them all; empty when one of the reports names none. */
  readonly ports: readonly number[];
  /** Mitigations whose place the rule for the prefix may take. */
  readonly replaceable: readonly Mitigation[];
  /** The holds of reports that quotas refused. */
  readonly refused: readonly Hold[];
}

/**
 * Whether a report makes enough hosts of its block under the same vector and protocol within the window; undefined when
 * it does not. Hosts that quotas refused count: they are attacked as well. Host rules at a further step than `of`,
 * where the rule for the prefix begins, stay: they are stricter.
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
  return { hosts: hosts.size, ports: isNameable ? ports : [], replaceable, refused };
}

/** True when a rule for a prefix matches what the rule of a host inside it does, but for allowed ports that neither names. */
export function coversHostRule(rule: Rule, host: Rule): boolean {
  return dstPortsCover(rule.match, host.match) || (rule.ports.length === 0 && host.ports.length === 0);
}

/**
 * The mitigations of hosts whose place the rule of a reported prefix may take: those of the same vector that match nothing
 * which it does not, allowed ports aside. Undefined when there are none.
 */
export function gatherInside(
  state: DecisionView,
  { victim, vector, ports }: Detection,
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
        !isPrefixVictim(one.victim) &&
        one.vector === vector &&
        sameButDstPorts({ ...match, dstPrefix: one.match.dstPrefix }, one.match) &&
        (ports.length === 0 || dstPortsCover(match, one.match)) &&
        isReplaceable(one, of) &&
        covers(prefix, victimPrefix(one.victim)),
    );
  return replaceable.length === 0
    ? undefined
    : { hosts: replaceable.length, ports, replaceable, refused: [] };
}

function activeHostRule(state: DecisionView, { mitigationId }: EventRecord): Mitigation | undefined {
  const mitigation = mitigationId === null ? undefined : state.mitigations.get(mitigationId);
  return mitigation !== undefined && isActive(mitigation) && !isPrefixVictim(mitigation.victim)
    ? mitigation
    : undefined;
}

function isReplaceable(mitigation: Mitigation, of: Pick<Mitigation, 'playbook' | 'step'>): boolean {
  return mitigation.playbook === of.playbook && mitigation.step <= of.step;
}

/** The hold that a refused report would have taken; one that repeats has a TTL to do so. */
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
 * The facts that give the hosts of a prefix rules of their own (again), when nobody holds the prefix itself, fewer than half
 * of the configured number of hosts are left, and quotas have room for them; none otherwise. The rules come in the same
 * group as the end of the prefix's.
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
  if (inside.size > roomFor(mitigation, state, policy)) return [];
  const created = ownRules(mitigation, inside, state, context);
  // The rule for the prefix stays where a host would be left without one.
  if (created === 'refused') return [];
  const words = countWords(inside.size, 'host is', 'hosts are');
  const reason = `${words} left under attack in ${mitigation.victim}, each with a rule of its own`;
  return [...created, ...endingFacts(mitigation, { to: 'withdrawn', at: now, actor: SYSTEM, reason })];
}

/** What narrowing does to the rule for the prefix, in words; empty when it does nothing. */
export function narrowingWords(narrowing: readonly Fact[]): readonly string[] {
  return narrowing.flatMap((fact) =>
    fact.type === 'mitigation.ending' ? [`mitigation ${fact.id} ends: ${fact.ending.reason}`] : [],
  );
}

/** Standing holds by what was reported. */
function holdsInside(mitigation: Mitigation, now: number): ReadonlyMap<string, readonly Hold[]> {
  const inside = new Map<string, Hold[]>();
  for (const hold of standingHolds(mitigation, now)) {
    const holds = inside.get(hold.victim);
    if (holds === undefined) inside.set(hold.victim, [hold]);
    else holds.push(hold);
  }
  return inside;
}

/**
 * Rules of their own for the hosts of a prefix whose rule a new policy or the safelist ends, as many as quotas have room
 * for: they are attacked still, and their detectors may not say so again.
 */
export function partingFacts(
  mitigation: Mitigation,
  state: DecisionView,
  context: DecideContext,
): readonly Creation[] {
  const { now, policy } = context;
  if (mitigation.playbook === null || !isPrefixVictim(mitigation.victim)) return [];
  if (mitigation.dryRun !== (policy.mode === 'dry-run')) return [];
  const room = roomFor(mitigation, state, policy);
  const created: Creation[] = [];
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

/** How many mitigations fit in the place of this one. */
function roomFor({ customerId, pop, dryRun }: Mitigation, state: DecisionView, { quotas }: Policy): number {
  const ofCustomer = customerId === null ? 0 : state.activeOfCustomer(customerId, dryRun);
  return (
    1 +
    Math.min(
      quotas.maxActivePerCustomer - ofCustomer,
      quotas.maxActivePerPop - state.activeOfPop(pop, dryRun),
      quotas.maxActiveGlobal - state.activeTotal(dryRun),
    )
  );
}

/**
 * One host's share of a prefix rule: the same action and time, and the ports that the host itself allows spared. Undefined
 * when nothing of it may be filtered.
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
  const { type, rateBps } = mitigation.action;
  const refinement = playbook?.steps[mitigation.step]?.refinement ?? NO_REFINEMENT;
  const plan = planWithin(target, { action: { type, rateBps }, refinement }, playbook?.ways ?? WAYS, {
    policy,
    state,
  });
  if (plan.rule === null) return undefined;
  const refusal =
    plan.refusal ??
    checkTarget(state, policy, plan.rule.match) ??
    checkOwner(policy, victim, owner !== undefined);
  if (refusal !== null) return 'refused';
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
    why: [`takes the place of mitigation ${mitigation.id} for ${mitigation.victim}`, ...plan.why],
  };
}
