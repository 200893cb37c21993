/** An event leads to a mitigation of its own: for its victim, or for a prefix in the place of others. */
import { isActive } from './active-counts.ts';
import { type Block, coversHostRule, type Gathering, gather, gatherInside } from './aggregate.ts';
import type { EventCommand, Outcome } from './event-answer.ts';
import type { Fact } from './facts.ts';
import { predict, shortfallWords } from './forecast.ts';
import { checkPorts, checkQuotas, checkTarget, type Refusal } from './guardrails.ts';
import { holdFor, renewalTime, standingHolds, withHold } from './holds.ts';
import type { Ownership } from './inventory.ts';
import { type EventContext, nextStepTime } from './keep-alive.ts';
import { endingFacts, stepTtl } from './lifecycle.ts';
import { matchKey } from './match.ts';
import { type MitigationDraft, newMitigation, rejectedMitigation } from './new-mitigation.ts';
import { targetOf, withTraits } from './plan-event.ts';
import type { Playbook, Step } from './playbook.ts';
import type { Rule } from './rule.ts';
import type { Detection, Hold, Mitigation } from './types.ts';
import { ownerWords } from './victim.ts';
import { type Plan, planRule } from './ways.ts';
import { portWords } from './words.ts';
import { countWords } from '../net/text.ts';

/** Everything known about one event while it is decided. */
export interface BanContext extends EventContext {
  readonly event: NonNullable<EventContext['event']>;
  readonly detection: Detection;
  readonly owner: Ownership | undefined;
  readonly command: EventCommand;
  readonly playbook: Playbook;
  /** The playbook's first, or the first that some neighbor can enforce. */
  readonly step: Step;
  readonly plan: Plan;
  readonly rule: Rule;
  /** Where the hosts of its prefix may be covered by one rule. */
  readonly block: Block | undefined;
  /** Words about the playbook and its step. */
  readonly grounds: readonly string[];
  /** Words so far: owner, playbook, step, ports. */
  readonly why: readonly string[];
}

/** One rule for the prefix in the place of its hosts' own, when this event makes them many enough and guardrails allow it. */
export function aggregated(it: BanContext): Outcome | null {
  const { state, context, block, detection, playbook } = it;
  const gathering =
    block === undefined
      ? undefined
      : gather(state, context, detection, block, { playbook: playbook.name, step: it.plan.index });
  if (block === undefined || gathering === undefined) return null;
  const { hosts, ports } = gathering;
  // What the packets to one host have in common, those to the others may not have.
  const ofPrefix = withTraits({ ...detection, victim: block.prefix, ports }, undefined);
  const plan = planRule(targetOf(ofPrefix, ports, block.owner), playbook, 0, {
    policy: context.policy,
    state,
  });
  const { rule } = plan;
  if (rule === null || plan.refusal !== null) return null;
  // It stands already, and spares what this host is attacked at.
  if (stands(it, rule)) return null;
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
  if (checkTarget(state, context.policy, rule.match) !== null) return null;
  const outcome = replacing(wide, gathering);
  return outcome.status === 'rejected' ? null : outcome;
}

function stands({ state, context }: BanContext, { match }: Rule): boolean {
  const dryRun = context.policy.mode === 'dry-run';
  return [...state.withMatch(matchKey(match))].some((id) => {
    const mitigation = state.mitigations.get(id);
    return mitigation !== undefined && isActive(mitigation) && mitigation.dryRun === dryRun;
  });
}

/** A reported prefix takes the place of the rules for hosts inside it; null when there are none. */
export function takingAlong(it: BanContext): Outcome | null {
  const { state, detection, rule, plan, playbook } = it;
  const of = { playbook: playbook.name, step: plan.index };
  const gathering = gatherInside(state, detection, rule, of);
  return gathering === undefined ? null : replacing(it, gathering);
}

/**
 * A mitigation in the place of others, which end in the same group of facts. What it does not cover, such as a rule for
 * ports that it spares, stays unless quotas have no room for both: then the prefix comes first.
 */
function replacing(it: BanContext, { replaceable, refused }: Gathering): Outcome {
  const covered = replaceable.filter((mitigation) => coversHostRule(it.rule, mitigation));
  const beside = inPlaceOf(it, covered, refused);
  if (beside.status !== 'rejected' || covered.length === replaceable.length) return beside;
  return inPlaceOf(it, replaceable, refused);
}

function inPlaceOf(it: BanContext, replaced: readonly Mitigation[], refused: readonly Hold[]): Outcome {
  const { command, context, plan, rule, detection, event } = it;
  const words =
    replaced.length === 0 ? [] : [`it takes the place of ${countWords(replaced.length, 'mitigation')}`];
  const holds = [...refused, ...replaced.flatMap((mitigation) => standingHolds(mitigation, context.now))];
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
 * A mitigation of its own, if guardrails and quotas allow. `before` and `beforeWhy` are what the event did to others;
 * `taken` is what it takes over from others, and how many places in the quotas that frees.
 */
export function created(
  it: BanContext,
  plan: Plan,
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
    checkQuotas(state, policy, owner?.customerId ?? null, now, taken.freed);
  if (refusal !== null) return refused(it, plan, rule, refusal, before, beforeWhy);
  const ttl = stepTtl(playbook.steps[plan.index] ?? it.step, profile, policy.timers);
  const named =
    rule === it.rule ? [] : [`the new ${portWords(rule.ports)} get a mitigation of their own`, ...plan.why];
  // What it replaces makes room for it.
  const known = taken.freed > 0 ? undefined : room;
  const lacking = shortfallWords(predict(policy, rule.match, plan.action), plan.action, known);
  const passed = `guardrails passed; TTL ${ttl.seconds} s`;
  const why = [...it.why, ...beforeWhy, ...named, ...ttl.why, ...lacking, passed];
  const begun = newMitigation(draftOf(it, plan, rule, why), ttl.seconds, context);
  const hold = holdFor(it.event.detection, it.event.mode, context, begun.expiresAt, undefined);
  const held: Mitigation = { ...begun, holds: withHold(taken.holds, hold, now) };
  const mitigation = { ...held, renewAt: renewalTime(held, now, nextStepTime(held, it)) };
  return {
    status: policy.mode === 'dry-run' ? 'dry_run' : 'accepted',
    mitigation,
    facts: [...before, { type: 'mitigation.created', mitigation }],
    why,
  };
}

export function refused(
  it: BanContext,
  plan: Plan,
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

function draftOf(it: BanContext, plan: Plan, rule: Rule, why: readonly string[]): MitigationDraft {
  const { detection, command, owner, playbook, event } = it;
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
    why,
  };
}
