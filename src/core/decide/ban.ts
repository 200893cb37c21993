/** Decides what follows when a detector reports an attack. */
import { sameAction } from '../action.ts';
import { rateWords } from '../../net/text.ts';
import type { DecideContext, Decision } from '../commands.ts';
import type { Fact } from '../facts.ts';
import { checkOwner, checkPorts, checkTarget } from '../policy/guardrails.ts';
import type { Playbook, PlaybookMatch, PlaybookSet } from '../policy/playbook.ts';
import { type ProfileName, USUAL_PROFILE } from '../policy/profile.ts';
import { protocolWords } from '../policy/vectors.ts';
import { changed } from '../state/evolve.ts';
import { confidenceOf, heldUntil, holdModeOf } from '../state/holds.ts';
import { BAN_MEMORY_MS } from '../state/recent.ts';
import type { DecisionView } from '../state/state-view.ts';
import { actionWords, portWords } from '../rule-text.ts';
import type { Mitigation } from '../types.ts';
import { mitigationsCovering, NO_ALLOWED_PORTS, ownerOf, ownerWords } from '../victim.ts';
import { type Block, blockOf, narrowingFacts, narrowingWords } from './aggregate.ts';
import {
  aggregated,
  type BanContext,
  created,
  newPart,
  planUnder,
  refused,
  replaceHostRules,
  targetOf,
} from './begin-mitigation.ts';
import { type ActiveRule, correlate, type Correlation } from './correlate.ts';
import { planRule } from './enforceable-rule.ts';
import { type EventCommand, eventDecision, type Outcome, pausedWords, untimely } from './event-answer.ts';
import { extend, extensionOf, runOutAll, runOutFacts, withHoldOf } from './extend.ts';
import { predict, shortfallWords } from './forecast.ts';
import { hitsAllowedPort } from './rule.ts';
import { widerScope } from './scope.ts';

export function decideBan(state: DecisionView, command: EventCommand, context: DecideContext): Decision {
  const duplicate = duplicateOf(state, command, context.now);
  if (duplicate !== undefined) return duplicate;
  const eventId = context.newId();
  const nothing = untimely(command, context) ?? pausedWords(state);
  const block = blockOf(context.policy, command.detection.victim);
  const outcome: Outcome =
    nothing === undefined
      ? decideKnownVictim(state, command, context, eventId, block)
      : { status: 'accepted_no_mitigation', why: [nothing] };
  const counted = block === undefined ? outcome : { ...outcome, block: block.prefix };
  return eventDecision(command, eventId, context.now, counted);
}

/** Answers a repeated ban (same detector id within 24 hours) with the first one's ids; nothing is recorded. */
function duplicateOf(state: DecisionView, { detection }: EventCommand, now: number): Decision | undefined {
  const { source, externalId } = detection;
  if (externalId === null) return undefined;
  const before = state.recentBan(source, externalId);
  if (before === undefined || now - before.at >= BAN_MEMORY_MS) return undefined;
  const mitigation = before.mitigationId === null ? undefined : state.mitigations.get(before.mitigationId);
  const why = [
    `duplicate of event ${before.eventId}: ${source} already sent ${externalId}; nothing was changed`,
  ];
  return {
    facts: [],
    answer: {
      type: 'event',
      eventId: before.eventId,
      status: 'duplicate',
      mitigation,
      refusal: undefined,
      why,
    },
  };
}

/** Drafts a rule for the victim, applies guardrails to its target, then correlates it with active rules. */
function decideKnownVictim(
  state: DecisionView,
  command: EventCommand,
  context: DecideContext,
  eventId: string,
  block: Block | undefined,
): Outcome {
  const { detection } = command;
  const { policy } = context;
  const owner = ownerOf(policy.inventory, detection.victim);
  const profileName = owner?.profile ?? USUAL_PROFILE;
  const { vector, source, protocol, bps, pps, ports } = detection;
  const confidence = confidenceOf(detection, policy);
  const customerId = owner?.customerId ?? null;
  const attack: Attack = {
    vector,
    source,
    protocol,
    bps,
    pps,
    confidence,
    ports,
    customerId,
    profile: profileName,
  };
  const choice = choosePlaybook(policy.playbooks, attack);
  const why = [ownerWords(detection.victim, owner), ...choice.why];
  const { playbook } = choice;
  const step = playbook?.steps[0];
  if (playbook === undefined || step === undefined) {
    const facts = runOutAll(state, detection, context.now);
    const about = facts.flatMap((fact) => ('id' in fact ? [fact.id] : []));
    return { status: 'accepted_no_playbook', facts, about, why };
  }

  const grounds = [...choice.why, `step 1 of ${playbook.steps.length}: ${actionWords(step.action)}`];
  const plan = planRule(targetOf(detection, detection.ports, owner), playbook, 0, { policy, state });
  const { rule } = plan;
  why.push(...grounds.slice(choice.why.length), ...plan.why);
  if (rule === undefined) return { status: 'accepted_no_mitigation', why };

  const profile = policy.profiles[profileName];
  const it: BanContext = {
    state,
    context,
    command,
    detection,
    report: { vector, bps, pps, confidence },
    event: { id: eventId, detection, mode: holdModeOf(detection, policy, command.hold) },
    owner,
    profile,
    playbook,
    step: playbook.steps[plan.index] ?? step,
    plan,
    rule,
    block,
    grounds,
    why,
  };
  const refusal =
    checkTarget(state, policy, rule.match, plan.action) ??
    checkOwner(policy, detection.victim, owner !== undefined);
  if (refusal !== undefined) return refused(it, plan, rule, refusal);
  return follow(it, correlate(activeRulesFor(it), rule));
}

/** Returns the mitigations that this event may be about; not those past their TTL, whose end is not recorded yet. */
function activeRulesFor(it: BanContext): readonly ActiveRule[] {
  const { state, context, detection, owner } = it;
  const { now, policy } = context;
  const dryRun = policy.mode === 'dry-run';
  const windowMs = policy.timers.correlationWindowSeconds * 1000;
  const allowed = owner?.allowedPorts ?? NO_ALLOWED_PORTS;
  const rules: ActiveRule[] = [];
  for (const mitigation of mitigationsCovering(state, detection.victim)) {
    if (mitigation.expiresAt <= now || mitigation.dryRun !== dryRun) continue;
    const isAround = mitigation.victim !== detection.victim;
    const { rule } = planUnder(it, mitigation);
    rules.push({
      mitigation,
      rule,
      isAround,
      recent: now - mitigation.updatedAt <= windowMs || heldUntil(mitigation, now) !== undefined,
      widenable:
        mitigation.playbook !== null &&
        !(mitigation.action.type === 'discard' && hitsAllowedPort(rule.match, allowed)),
    });
  }
  return rules;
}

function follow(it: BanContext, correlation: Correlation): Outcome {
  switch (correlation.kind) {
    case 'new':
      return aggregated(it) ?? replaceHostRules(it) ?? created(it, it.plan, it.rule, [], []);
    case 'covered':
      return kept(it, correlation.by);
    case 'wider':
      return widened(it, correlation.than);
    case 'partial': {
      const extensions = correlation.overlapping.map((mitigation) => extend(mitigation, it));
      const why = extensions.flatMap((one) => one.why);
      const facts = extensions.flatMap((one) => one.facts);
      const part = newPart(it, correlation.newPorts);
      return created(it, part, part.rule, facts, why);
    }
  }
}

/** Handles the same ports or fewer: extends the TTL, and escalates to the next step if it is due. */
function kept(it: BanContext, mitigations: readonly Mitigation[]): Outcome {
  const extensions = mitigations.map((mitigation) => extend(mitigation, it));
  const why = [...it.why];
  const facts: Fact[] = [];
  for (const one of extensions) {
    why.push(...one.why);
    facts.push(...one.facts);
  }
  const status = (['escalated', 'widened', 'extended'] as const).find((change) =>
    extensions.some((one) => one.change === change),
  );
  const main = extensions.find((one) => one.change === status);
  const about = extensions.filter(({ change }) => change === 'fallen').map(({ mitigation }) => mitigation.id);
  if (status === undefined || main === undefined) {
    return { status: 'accepted_no_mitigation', facts, about, why };
  }
  const { victim } = it.detection;
  const narrowing = narrowingFacts(main.mitigation, it.state, it.context);
  const own = narrowing.find(
    (fact) => fact.type === 'mitigation.created' && fact.mitigation.victim === victim,
  );
  facts.push(...narrowing);
  why.push(...narrowingWords(narrowing));
  if (status === 'extended') {
    const { match, action } = main.mitigation;
    why.push(...shortfallWords(predict(it.context.policy, match, action), action, undefined));
  }
  return {
    status: it.context.policy.mode === 'dry-run' ? 'dry_run' : status,
    mitigation: own?.type === 'mitigation.created' ? own.mitigation : main.mitigation,
    about,
    facts,
    why,
  };
}

/** Handles additional ports: widens the mitigation's rule at its current step. */
function widened(it: BanContext, mitigation: Mitigation): Outcome {
  const { context } = it;
  const { policy } = context;
  const plan = planUnder(it, mitigation);
  const { rule, action } = plan;
  const refusal = checkPorts(policy.guardrails, rule) ?? plan.refusal;
  if (refusal !== undefined) {
    // The ports that the active rule names are still under attack, and would be let through after it expires.
    const { facts, why } = extend(mitigation, it);
    return refused(it, plan, rule, refusal, facts, why);
  }
  const { expiresAt, why: extending } = extensionOf(mitigation, it);
  if (expiresAt === undefined) {
    const facts = runOutFacts(mitigation, it.detection, context.now);
    const why = [...it.why, ...extending];
    return { status: 'accepted_no_mitigation', facts, about: [mitigation.id], why };
  }
  const covers = rule.ports.length === 0 ? 'the whole protocol' : portWords(rule.ports);
  const why = [
    ...it.why,
    ...(plan.why === it.plan.why ? [] : plan.why),
    `mitigation ${mitigation.id} widened to ${covers} (same id)`,
    ...shortfallWords(predict(policy, rule.match, action), action, context.room),
  ];
  const change = withHoldOf(mitigation, it, {
    match: rule.match,
    ports: rule.ports,
    excludedPorts: rule.excludedPorts,
    ...(sameAction(action, mitigation.action) ? {} : { action }),
    ...widerScope(mitigation, it),
    expiresAt,
    why,
  });
  return {
    status: policy.mode === 'dry-run' ? 'dry_run' : 'widened',
    mitigation: changed(mitigation, change, context.now),
    facts: [{ type: 'mitigation.widened', id: mitigation.id, change }],
    why,
  };
}

// Chooses the playbook that answers an attack.

/** The properties of an attack that choose its playbook. */
export interface Attack {
  readonly vector: string;
  readonly source: string;
  readonly protocol: number | null;
  readonly bps: number | null;
  readonly pps: number | null;
  /** 0..1 */
  readonly confidence: number | null;
  readonly ports: readonly number[];
  readonly customerId: string | null;
  readonly profile: ProfileName;
}

/** `playbook` is undefined when none matches and there is no default. */
export interface PlaybookChoice {
  readonly playbook: Playbook | undefined;
  readonly why: readonly string[];
}

/**
 * Returns the first playbook of the attack's vector whose conditions are all met, else the default. Playbooks that name
 * a customer come first, then those that name a source, a protocol, a profile; equal ones keep the file's order.
 */
export function choosePlaybook(set: PlaybookSet, attack: Attack): PlaybookChoice {
  const why: string[] = [];
  for (const playbook of set.byVector.get(attack.vector) ?? []) {
    const unmet = unmetCondition(playbook.match, attack);
    if (unmet === undefined) {
      why.push(`matched playbook ${playbook.name} (vector ${attack.vector})`);
      return { playbook, why };
    }
    why.push(`playbook ${playbook.name} does not apply: ${unmet}`);
  }
  if (set.fallback !== null) {
    why.push(`no playbook matches this ${attack.vector}; using the default playbook ${set.fallback.name}`);
    return { playbook: set.fallback, why };
  }
  why.push(`no playbook matches this ${attack.vector}, and there is no default playbook`);
  return { playbook: undefined, why };
}

function unmetCondition(match: PlaybookMatch, attack: Attack): string | undefined {
  if (match.customers.length > 0 && !match.customers.includes(attack.customerId ?? '')) {
    return `it is for customer ${match.customers.join(', ')}`;
  }
  if (match.sources.length > 0 && !match.sources.includes(attack.source)) {
    return `it is for reports of ${match.sources.join(', ')}`;
  }
  if (match.protocol !== null && match.protocol !== attack.protocol) {
    return `it is for ${protocolWords(match.protocol)}`;
  }
  if (match.profiles.length > 0 && !match.profiles.includes(attack.profile)) {
    return `it is for customers of profile ${match.profiles.join(', ')}`;
  }
  if (match.requirePorts && attack.ports.length === 0) return 'it needs ports; the event names none';
  return unmetThreshold(match, attack);
}

/** Says which of a playbook's minimum values an event does not reach; undefined when it reaches them all. */
export function unmetThreshold(
  match: PlaybookMatch,
  attack: Pick<Attack, 'bps' | 'pps' | 'confidence'>,
): string | undefined {
  const { bps, pps, confidence } = attack;
  if (match.minBps !== null && (bps === null || bps < match.minBps)) {
    return `it needs at least ${rateWords(match.minBps)}; the event has ${bps === null ? 'none' : rateWords(bps)}`;
  }
  if (match.minPps !== null && (pps === null || pps < match.minPps)) {
    return `it needs at least ${match.minPps} packets/s; the event has ${pps ?? 'none'}`;
  }
  if (match.minConfidence !== null && (confidence === null || confidence < match.minConfidence)) {
    return `it needs confidence >= ${match.minConfidence}; the event has ${confidence ?? 'none'}`;
  }
  return undefined;
}
