/** Begins a mitigation for an event: for its victim, or for a prefix that replaces others. */
import { awayFor, earliestReturn } from './unicast-rule.ts';
import { countWords } from '../../net/text.ts';
import type { DecideContext } from '../commands.ts';
import type { Fact } from '../facts.ts';
import { checkPorts, checkQuotas, checkTarget, type Refusal } from '../policy/guardrails.ts';
import type { Ownership } from '../policy/inventory.ts';
import type { Playbook, Step } from '../policy/playbook.ts';
import { holdFor, renewalTime, activeHolds, withHold } from '../state/holds.ts';
import { isImported } from '../intent.ts';
import { isActive } from '../state/indices.ts';
import type { DecisionView } from '../state/state-view.ts';
import { portWords } from '../rule-text.ts';
import { type MitigationAction, ruleKind, sameAction, unshared } from '../action.ts';
import type { Actor, Detection, Hold, Mitigation, RefusalReason, TrafficTraits } from '../types.ts';
import { NO_ALLOWED_PORTS, ownerOf, ownerWords } from '../victim.ts';
import { type Block, coversHostRule, gather, type Gathering, gatherInside } from './aggregate.ts';
import { ruleKey } from './correlate.ts';
import { type WayPlan, planRule, type PlanTarget, planWithin } from './enforceable-rule.ts';
import type { EventCommand, Outcome } from './event-answer.ts';
import { type EventContext, nextStepTime } from './extend.ts';
import { predict, shortfallWords } from './forecast.ts';
import { endingFacts, stepTtl } from './lifecycle.ts';
import { type Rule, traitsUnder } from './rule.ts';
import { popsInScope, scopeWords } from './scope.ts';

/** All inputs of a decision about one event. */
export interface BanContext extends EventContext {
  readonly event: NonNullable<EventContext['event']>;
  readonly detection: Detection;
  readonly owner: Ownership | undefined;
  readonly command: EventCommand;
  readonly playbook: Playbook;
  /** The playbook's first step, or the first that some neighbor can enforce. */
  readonly step: Step;
  readonly plan: WayPlan;
  readonly rule: Rule;
  /** The prefix that one rule may cover in place of its hosts; undefined when there is none. */
  readonly block: Block | undefined;
  /** The lines of `why` about the playbook and its step. */
  readonly grounds: readonly string[];
  /** The lines of `why` so far: owner, playbook, step, ports. */
  readonly why: readonly string[];
}

/** Replaces host rules with one rule for their prefix, when this event makes them enough and guardrails allow it. */
export function aggregated(it: BanContext): Outcome | undefined {
  const { state, context, block, detection, playbook } = it;
  const gathering =
    block === undefined
      ? undefined
      : gather(state, context, detection, block, { playbook: playbook.name, step: it.plan.index });
  if (block === undefined || gathering === undefined) return undefined;
  const { hosts, ports } = gathering;
  // Traits that one host's packets share may not apply to the other hosts.
  const ofPrefix = withTraits({ ...detection, victim: block.prefix, ports }, undefined);
  const plan = planRule(targetOf(ofPrefix, ports, block.owner), playbook, 0, {
    policy: context.policy,
    state,
  });
  const { rule } = plan;
  if (rule === undefined || plan.refusal !== undefined) return undefined;
  // The prefix rule is already active, and leaves alone the ports under attack on this host.
  if (isActiveAlready(it, rule, plan.action)) return undefined;
  const why = [
    ...it.grounds,
    `${hosts} hosts of ${block.prefix} are under the same attack: one rule covers the prefix (aggregation.hosts)`,
    ownerWords(block.prefix, block.owner),
    ...plan.why,
  ];
  const wide: BanContext = {
    ...it,
    detection: ofPrefix,
    owner: block.owner,
    step: playbook.steps[plan.index] ?? it.step,
    plan,
    rule,
    block: undefined,
    why,
  };
  if (checkTarget(state, context.policy, rule.match, plan.action) !== undefined) return undefined;
  const outcome = replacing(wide, gathering);
  return outcome.status === 'rejected' ? undefined : outcome;
}

function isActiveAlready(
  { state, context }: BanContext,
  rule: RulePlan['rule'],
  action: MitigationAction,
): boolean {
  const dryRun = context.policy.mode === 'dry-run';
  return [...state.withMatch(ruleKey({ match: rule.match, action }))].some((id) => {
    const mitigation = state.mitigations.get(id);
    if (mitigation === undefined || isImported(mitigation)) return false;
    return isActive(mitigation) && mitigation.dryRun === dryRun;
  });
}

/** Replaces the host rules inside a reported prefix; undefined when there are none. */
export function replaceHostRules(it: BanContext): Outcome | undefined {
  const { state, detection, rule, plan, playbook } = it;
  const of = { playbook: playbook.name, step: plan.index };
  const gathering = gatherInside(state, detection, rule, of);
  return gathering === undefined ? undefined : replacing(it, gathering);
}

/**
 * Creates a mitigation that replaces others; they end in the same group of facts. A mitigation that it does not cover,
 * such as a rule for ports that it leaves alone, stays unless quotas lack room for both: then the prefix has
 * precedence.
 */
function replacing(alone: BanContext, { replaceable, refused, pops }: Gathering): Outcome {
  const it = { ...alone, detection: { ...alone.detection, pops } };
  const covered = replaceable.filter((mitigation) => coversHostRule(it.rule, mitigation));
  const beside = inPlaceOf(it, covered, refused);
  if (beside.status !== 'rejected' || covered.length === replaceable.length) return beside;
  return inPlaceOf(it, replaceable, refused);
}

function inPlaceOf(it: BanContext, replaced: readonly Mitigation[], refused: readonly Hold[]): Outcome {
  const { command, context, plan, rule, detection, event } = it;
  const words = replaced.length === 0 ? [] : [`it replaces ${countWords(replaced.length, 'mitigation')}`];
  const holds = [...refused, ...replaced.flatMap((mitigation) => activeHolds(mitigation, context.now))];
  const outcome = created(it, plan, rule, [], words, { holds, freed: replaced.length });
  if (outcome.status === 'rejected' || outcome.mitigation === undefined) return outcome;
  const reason = `covered by mitigation ${outcome.mitigation.id} for ${detection.victim}`;
  const ending = {
    to: 'withdrawn',
    at: context.now,
    actor: command.actor,
    reason,
    eventId: event.id,
  } as const;
  const ends = replaced.flatMap((mitigation) => endingFacts(mitigation, ending));
  return { ...outcome, facts: [...(outcome.facts ?? []), ...ends] };
}

/**
 * Creates a mitigation if guardrails and quotas allow. `before` and `beforeWhy` are the event's effects on other
 * mitigations; `taken` lists the holds taken over from others, and how many places in the quotas that frees.
 */
export function created(
  it: BanContext,
  plan: WayPlan,
  rule: Rule,
  before: readonly Fact[],
  beforeWhy: readonly string[],
  taken: { readonly holds: readonly Hold[]; readonly freed: number } = { holds: [], freed: 0 },
): Outcome {
  const { state, context, owner, profile, playbook } = it;
  const { policy, now, room } = context;
  const refusal =
    checkPorts(policy.guardrails, rule) ??
    plan.refusal ??
    checkQuotas(state, context, owner?.customerId ?? null, taken.freed);
  if (refusal !== undefined) return refused(it, plan, rule, refusal, before, beforeWhy);
  const ttl = stepTtl(playbook.steps[plan.index] ?? it.step, profile, policy);
  const named =
    rule === it.rule ? [] : [`a new mitigation covers the new ${portWords(rule.ports)}`, ...plan.why];
  // The mitigations that it replaces make room for it.
  const known = taken.freed > 0 ? undefined : room;
  const lacking = shortfallWords(predict(policy, rule.match, plan.action), plan.action, known);
  const passed = `guardrails passed; TTL ${ttl.seconds} s`;
  const { away, why: returning } = awayFor(plan.action, it.detection, state, context);
  const why = [...it.why, ...beforeWhy, ...named, ...ttl.why, ...returning, ...lacking, passed];
  const fresh = newMitigation(draftOf(it, plan, rule, why), ttl.seconds, context);
  const soonest = earliestReturn(
    { action: plan.action, ...(away === undefined ? {} : { away }) },
    now,
    context,
  );
  const begun = {
    ...fresh,
    ...(away === undefined ? {} : { away }),
    expiresAt: Math.max(fresh.expiresAt, soonest),
  };
  const hold = holdFor(it.event.detection, it.event.mode, context, begun.expiresAt, undefined);
  const held: Mitigation = { ...begun, holds: withHold(taken.holds, hold, now) };
  const mitigation = { ...held, renewAt: renewalTime(held, now, nextStepTime(held, it)) ?? null };
  return {
    status: policy.mode === 'dry-run' ? 'dry_run' : 'accepted',
    mitigation,
    facts: [...before, { type: 'mitigation.created', mitigation }],
    why,
  };
}

export function refused(
  it: BanContext,
  plan: WayPlan,
  rule: Rule,
  refusal: Refusal,
  before: readonly Fact[] = [],
  beforeWhy: readonly string[] = [],
): Outcome {
  const why = [...it.why, ...beforeWhy, `refused (${refusal.reason}): ${refusal.detail}`];
  const mitigation = rejectedMitigation(draftOf(it, plan, rule, why), refusal.reason, it.context);
  return {
    status: 'rejected',
    refusal: refusal.reason,
    mitigation,
    facts: [...before, { type: 'mitigation.rejected', mitigation }],
    why,
  };
}

function draftOf(it: BanContext, plan: WayPlan, rule: Rule, why: readonly string[]): MitigationDraft {
  const { detection, command, owner, playbook, event } = it;
  const { policy } = it.context;
  const { scope } = playbook.steps[plan.index] ?? it.step;
  const pops = popsInScope(scope, { policy, victim: detection.victim, reported: detection.pops });
  return {
    victim: detection.victim,
    vector: detection.vector,
    source: detection.source,
    owner,
    rule,
    action: plan.action,
    playbook: playbook.name,
    step: plan.index,
    eventId: event.id,
    actor: command.actor,
    reason: `${detection.vector} reported by ${detection.source}`,
    pops,
    why: [...why, ...scopeWords(pops, scope)],
  };
}

// Builds mitigations.

export interface MitigationDraft {
  readonly victim: string;
  readonly vector: string;
  /** null for an operator's own mitigation. */
  readonly source: string | null;
  readonly owner: Ownership | undefined;
  readonly rule: Rule;
  readonly action: MitigationAction;
  readonly playbook: string | null;
  /** Index of the playbook's step; absent: 0. */
  readonly step?: number;
  readonly eventId: string | null;
  readonly actor: Actor;
  readonly reason: string;
  /** As in Mitigation. */
  readonly pops: readonly string[] | null;
  readonly why: readonly string[];
}

/** Returns an active mitigation that begins now. */
export function newMitigation(
  draft: MitigationDraft,
  ttlSeconds: number,
  { now, newId, policy }: DecideContext,
): Mitigation {
  const { owner, rule, step = 0 } = draft;
  return {
    id: newId(),
    status: 'active',
    ending: null,
    customerId: owner?.customerId ?? null,
    serviceId: owner?.serviceId ?? null,
    pop: policy.pop,
    ...(draft.pops === null ? {} : { pops: draft.pops }),
    victim: draft.victim,
    vector: draft.vector,
    source: draft.source,
    match: rule.match,
    ports: rule.ports,
    excludedPorts: rule.excludedPorts,
    action: draft.action,
    playbook: draft.playbook,
    step,
    ...(step === 0 ? {} : { firstStep: step }),
    stepSince: now,
    createdAt: now,
    updatedAt: now,
    expiresAt: now + ttlSeconds * 1000,
    holds: [],
    endedAt: null,
    triggeringEventId: draft.eventId,
    lastEventId: draft.eventId,
    createdBy: draft.actor,
    dryRun: policy.mode === 'dry-run',
    reason: draft.reason,
    why: draft.why,
  };
}

/** Returns a rejected mitigation for the answer; it was never active. */
export function rejectedMitigation(
  draft: MitigationDraft,
  reason: RefusalReason,
  context: DecideContext,
): Mitigation {
  const would = newMitigation(draft, 0, context);
  return { ...would, status: 'rejected', endedAt: context.now, reason };
}

// Plans an event's rule for a step, for an active mitigation or for new ports.

/** An event with the rule that was planned for it. */
export interface Planned {
  readonly state: DecisionView;
  readonly context: DecideContext;
  readonly detection: Detection;
  readonly owner: Ownership | undefined;
  readonly playbook: Playbook;
  /** The step of the plan. */
  readonly step: Step;
  readonly plan: WayPlan;
  readonly rule: Rule;
}

export function targetOf(
  detection: Detection,
  ports: readonly number[],
  owner: Ownership | undefined,
): PlanTarget {
  return {
    victim: detection.victim,
    vector: detection.vector,
    protocol: detection.protocol,
    ports,
    allowedPorts: owner?.allowedPorts ?? NO_ALLOWED_PORTS,
    ...(detection.traits === undefined ? {} : { traits: detection.traits }),
  };
}

export function withTraits({ traits: _, ...rest }: Detection, traits: TrafficTraits | undefined): Detection {
  return traits === undefined ? rest : { ...rest, traits };
}

/** A plan that has a rule. */
export type RulePlan = WayPlan & { readonly rule: Rule };

/**
 * Plans this event's rule under a mitigation: at the mitigation's step, which may differ from the event's own, and for
 * the prefix that it covers.
 */
export function planUnder(it: Planned, mitigation: Mitigation): RulePlan {
  const { detection, owner, playbook, context, state } = it;
  const own = { ...it.plan, rule: it.rule };
  const isAround = mitigation.victim !== detection.victim;
  const written = mitigation.playbook === playbook.name ? playbook.steps[mitigation.step] : undefined;
  // A reload may have put a step of another kind in this place: what stands is continued as it is.
  const isSameKind = written !== undefined && ruleKind(written.action) === ruleKind(mitigation.action);
  const step = isSameKind ? written : undefined;
  const refinement = (step ?? it.step).refinement;
  const traits = traitsUnder(detection.traits, mitigation.match, refinement);
  const sameStep = step === it.step || (step === undefined && sameAction(mitigation.action, own.action));
  if (sameStep && !isAround && traits === detection.traits) return own;
  const around = isAround ? ownerOf(context.policy.inventory, mitigation.victim) : owner;
  const planned = planWithin(
    targetOf(withTraits({ ...detection, victim: mitigation.victim }, traits), detection.ports, around),
    step ?? { action: unshared(mitigation.action), refinement },
    playbook.ways,
    { policy: context.policy, state },
  );
  return planned.rule === undefined ? own : { ...planned, rule: planned.rule };
}

/** Plans the rule for those of the event's ports that no active rule names. */
export function newPart(it: Planned, newPorts: readonly number[] | undefined): RulePlan {
  const own = { ...it.plan, rule: it.rule };
  if (newPorts === undefined) return own;
  const { detection, owner, playbook, context, state, plan } = it;
  const target = targetOf(detection, newPorts, owner);
  const planned = planRule(target, playbook, plan.index, { policy: context.policy, state });
  return planned.rule === undefined ? own : { ...planned, rule: planned.rule };
}
