/** An attack goes on: its mitigation lasts longer, and may take its next step (INTERFACES "What an event leads to", 4 and 5). */
import { rateWords } from '../../net/text.ts';
import { timeText } from '../../net/time.ts';
import type { DecideContext } from '../commands.ts';
import type { Fact, MitigationChange } from '../facts.ts';
import { checkProtectedPorts, checkTarget } from '../policy/guardrails.ts';
import type { Playbook, Step } from '../policy/playbook.ts';
import type { Policy } from '../policy/policy.ts';
import type { Profile } from '../policy/profile.ts';
import { changed, evolveMitigation } from '../state/evolve.ts';
import { alertOf, findHold, heldUntil, holdFor, holdKey, renewalTime } from '../state/holds.ts';
import { isActive } from '../state/indices.ts';
import type { DecisionView } from '../state/state-view.ts';
import { actionWords } from '../text.ts';
import type { Detection, HoldMode, Mitigation, MitigationAction } from '../types.ts';
import { NO_ALLOWED_PORTS, ownerOf } from '../victim.ts';
import { matchKey } from './correlate.ts';
import { planWithin } from './enforceable-rule.ts';
import { isEnforceable, predict, shortfallWords } from './forecast.ts';
import { meetsRequirement, requirementOf, stepTtl } from './lifecycle.ts';
import { type Rule, traitsBehind } from './rule.ts';

/** Why an attack is taken to continue: an event that says so, or a hold that stands. */
export interface EventContext {
  readonly state: DecisionView;
  readonly context: DecideContext;
  /** What is known of the attack now. A hold knows no rates. */
  readonly report: Pick<Detection, 'vector' | 'bps' | 'pps' | 'confidence'>;
  /** The event, and how it holds what it is about; null when nothing was reported anew. */
  readonly event: { readonly id: string; readonly detection: Detection; readonly mode: HoldMode } | null;
  readonly profile: Profile;
  /** What applies when the mitigation's own playbook is gone, or it has none. */
  readonly step: Step;
}

/** What the event does to one mitigation; `fallen` leaves it as it is, to expire. */
export interface Extension {
  readonly change: 'extended' | 'widened' | 'escalated' | 'fallen';
  readonly mitigation: Mitigation;
  readonly facts: readonly Fact[];
  readonly why: readonly string[];
}

/**
 * Extends a mitigation, escalates it when its next step's thresholds are met, or brings one that no neighbor can enforce
 * into a form that some neighbor can.
 */
export function extend(mitigation: Mitigation, event: EventContext): Extension {
  const extension = extensionOf(mitigation, event);
  if (extension.expiresAt === null) {
    const facts =
      event.event === null ? [] : runOutFacts(mitigation, event.event.detection, event.context.now);
    return { change: 'fallen', mitigation, facts, why: extension.why };
  }
  const escalation = escalationOf(mitigation, event);
  const why = [...extension.why, ...escalation.why];
  const { now } = event.context;
  if (escalation.change !== null) {
    const { expiresAt = extension.expiresAt } = escalation.change;
    // Until when it lasts is in the change. As one of its reasons it would be untrue with the next report.
    const reasons = escalation.why;
    const change = withHoldOf(mitigation, event, { ...escalation.change, expiresAt, why: reasons });
    return {
      change: 'escalated',
      mitigation: { ...changed(mitigation, change, now), status: 'escalated' },
      facts: [{ type: 'mitigation.escalated', id: mitigation.id, change }],
      why,
    };
  }
  const { expiresAt } = extension;
  const reform = reformOf(mitigation, event);
  if (reform !== null) {
    const kind = reform.change.step === undefined ? 'widened' : 'escalated';
    const change = withHoldOf(mitigation, event, {
      ...reform.change,
      expiresAt,
      why: [...escalation.why, ...reform.why],
    });
    const fact: Fact = { type: `mitigation.${kind}`, id: mitigation.id, change };
    return {
      change: kind,
      mitigation: evolveMitigation(mitigation, fact, now),
      facts: [fact],
      why: [...why, ...reform.why],
    };
  }
  const interrupted = interruption(mitigation, event.context) !== null;
  const change = withHoldOf(mitigation, event, { expiresAt, ...(interrupted ? { stepSince: now } : {}) });
  return {
    change: 'extended',
    mitigation: changed(mitigation, change, now),
    facts: [{ type: 'mitigation.extended', id: mitigation.id, change }],
    why,
  };
}

/**
 * The facts that let a mitigation run out because its reporter says that the attack has fallen: its hold lapses with the
 * TTL instead of renewing it. None when it has no hold that would last longer.
 */
export function runOutFacts(mitigation: Mitigation, detection: Detection, now: number): readonly Fact[] {
  const { id, expiresAt } = mitigation;
  const held = findHold(mitigation, holdKey(alertOf(detection)), now);
  if (held === undefined || held.until <= expiresAt) return [];
  const hold = { ...held, reportedAt: now, until: expiresAt };
  const renewAt = renewalTime(changed(mitigation, { hold }, now), now, null);
  return [{ type: 'mitigation.extended', id, change: { hold, renewAt } }];
}

/** What the alert holds runs out: by what it says now, no playbook answers it any more. */
export function runOutAll(state: DecisionView, detection: Detection, now: number): readonly Fact[] {
  return [...state.heldBy(holdKey(alertOf(detection)))]
    .flatMap((id) => state.mitigations.get(id) ?? [])
    .filter(isActive)
    .flatMap((mitigation) => runOutFacts(mitigation, detection, now));
}

/**
 * A change together with what follows from it for the holds: the event's own is taken or renewed, and the time is set at
 * which the daemon looks at the mitigation without being told to.
 */
export function withHoldOf(
  mitigation: Mitigation,
  continuation: EventContext,
  change: MitigationChange & { readonly expiresAt: number },
): MitigationChange {
  const { context, event } = continuation;
  const { now } = context;
  const taken: MitigationChange =
    event === null
      ? change
      : {
          ...change,
          lastEventId: event.id,
          hold: holdFor(
            event.detection,
            event.mode,
            context,
            change.expiresAt,
            findHold(mitigation, holdKey(alertOf(event.detection)), now),
          ),
        };
  const after = changed(mitigation, taken, now);
  const renewAt = renewalTime(after, now, nextStepTime(after, continuation));
  return renewAt === (mitigation.renewAt ?? null) ? taken : { ...taken, renewAt };
}

/** When the next step may be taken at the earliest (ms); null when there is none, or escalation is off. */
export function nextStepTime(mitigation: Mitigation, continuation: EventContext): number | null {
  const { profile, context } = continuation;
  const { escalation } = context.policy;
  const next = playbookOf(mitigation, context.policy)?.steps[mitigation.step + 1];
  if (next === undefined || !escalation.enabled) return null;
  const { persistenceSeconds } = requirementOf(next, profile, escalation);
  return mitigation.stepSince + persistenceSeconds * 1000;
}

/** Until when the event keeps a mitigation; null when the attack has fallen so far that it shall run out. Never earlier than it was. */
export function extensionOf(
  mitigation: Mitigation,
  event: EventContext,
): { readonly expiresAt: number | null; readonly why: readonly string[] } {
  const { now, policy } = event.context;
  const playbook = playbookOf(mitigation, policy);
  const fallen =
    playbook === undefined || event.event === null ? null : fallenWords(mitigation, playbook, event);
  if (fallen !== null) {
    return { expiresAt: null, why: [`mitigation ${mitigation.id} is not extended: ${fallen}`] };
  }
  const step = playbook?.steps[mitigation.step] ?? event.step;
  const ttl = stepTtl(step, event.profile, policy.timers);
  // A hold is not renewed beyond its own end, so that the mitigation ends then and not a TTL later.
  const latest = event.event === null ? (heldUntil(mitigation, now) ?? now) : Number.POSITIVE_INFINITY;
  const expiresAt = Math.max(mitigation.expiresAt, Math.min(now + ttl.seconds * 1000, latest));
  const until = timeText(expiresAt);
  const words = `mitigation ${mitigation.id} (${actionWords(mitigation.action)}) is already active; extended to ${until}`;
  return { expiresAt, why: [...ttl.why, words] };
}

function playbookOf(mitigation: Mitigation, policy: Policy): Playbook | undefined {
  return mitigation.playbook === null ? undefined : policy.playbooks.byName.get(mitigation.playbook);
}

/**
 * Stepping down: figures that the event gives and that are below what the playbook asks for; and for a step that was
 * escalated to, a confidence below its threshold together with a rate that the step before would have let through.
 */
function fallenWords(mitigation: Mitigation, playbook: Playbook, event: EventContext): string | null {
  const { bps, pps, confidence, vector } = event.report;
  const { match } = playbook;
  if (match.vectors.includes(vector)) {
    if (below(bps, match.minBps)) return `${rateWords(bps ?? 0)} is below ${rateWords(match.minBps ?? 0)}`;
    if (below(pps, match.minPps)) return `${pps} packets/s is below ${match.minPps}`;
    if (below(confidence, match.minConfidence)) {
      return `confidence ${confidence} is below ${match.minConfidence}`;
    }
  }
  const step = playbook.steps[mitigation.step];
  if (mitigation.step <= (mitigation.firstStep ?? 0) || step === undefined) return null;
  const least = requirementOf(step, event.profile, event.context.policy.escalation).confidence;
  if (!below(confidence, least)) return null;
  const passed = playbook.steps[mitigation.step - 1]?.action.rateBps ?? null;
  if (passed !== null && bps !== null && bps > passed) return null;
  return `confidence ${confidence} has fallen below ${least}${bps === null ? '' : `, and the rate to ${rateWords(bps)}`}`;
}

/** True when a figure is given and is below one that is asked for. */
function below(value: number | null, least: number | null): boolean {
  return value !== null && least !== null && value < least;
}

/** Why it cannot be said that events have kept coming since the step began, in words; null when they have. */
function interruption(mitigation: Mitigation, { now, policy }: DecideContext): string | null {
  const { updatedAt, stepSince } = mitigation;
  // A detector that reports the end says nothing while the attack lasts.
  const silent = heldUntil(mitigation, now) === null;
  if (silent && now - updatedAt > policy.timers.correlationWindowSeconds * 1000) return 'events had stopped';
  return stepSince > now ? 'the clock was set back' : null;
}

/** The step to the next action, when there is one and its thresholds are met. Which were met or missed is in `why`. */
function escalationOf(
  mitigation: Mitigation,
  event: EventContext,
): { readonly change: MitigationChange | null; readonly why: readonly string[] } {
  const { context, report, profile } = event;
  const { now, policy } = context;
  const playbook = playbookOf(mitigation, policy);
  const index = mitigation.step + 1;
  const next = playbook?.steps[index];
  if (playbook === undefined || next === undefined) return { change: null, why: [] };
  const name = `step ${index + 1} of ${playbook.steps.length} (${actionWords(next.action)})`;
  if (!policy.escalation.enabled) return { change: null, why: [`${name} waits: escalation is off`] };
  if (event.state.paused !== null) return { change: null, why: [`${name} waits: announcements are paused`] };
  const interrupted = interruption(mitigation, context);
  if (interrupted !== null) {
    return { change: null, why: [`${name} waits: ${interrupted}, persistence starts anew`] };
  }
  const requirement = requirementOf(next, profile, policy.escalation);
  const persisted = (now - mitigation.stepSince) / 1000;
  const verdict = meetsRequirement(requirement, report.confidence, persisted);
  if (!verdict.met) return { change: null, why: [`${name} waits: ${verdict.why}`] };

  const rule = ruleOfStep(mitigation, playbook, next, event);
  if ('refused' in rule) return { change: null, why: [`${name} is not taken: ${rule.refused}`] };
  const { action } = rule;
  const ttl = stepTtl(next, profile, policy.timers);
  const moved = matchKey(rule.match) !== matchKey(mitigation.match);
  return {
    change: {
      action,
      step: index,
      stepSince: now,
      expiresAt: Math.max(mitigation.expiresAt, now + ttl.seconds * 1000),
      ...(moved ? { match: rule.match, ports: rule.ports, excludedPorts: rule.excludedPorts } : {}),
    },
    why: [
      ...ttl.why,
      `${name} takes over: ${verdict.why}`,
      ...rule.ways,
      ...shortfallWords(predict(policy, rule.match, action), action, context.room),
    ],
  };
}

/**
 * Another form of a mitigation that no neighbor can enforce since a reload: another way of its step, or where the playbook
 * goes on like that, a further step. Null when it is enforced, or nothing helps.
 */
function reformOf(
  mitigation: Mitigation,
  event: EventContext,
): { readonly change: MitigationChange; readonly why: readonly string[] } | null {
  const { now, policy } = event.context;
  const { id, match, action, step } = mitigation;
  const playbook = playbookOf(mitigation, policy);
  if (playbook === undefined || event.state.paused !== null) return null;
  if (isEnforceable(predict(policy, match, action))) return null;
  const last = playbook.ways.includes('next_step') ? playbook.steps.length : step + 1;
  for (const [index, next] of playbook.steps.slice(0, last).entries()) {
    const rule = index < step ? null : ruleOfStep(mitigation, playbook, next, event);
    if (rule === null || 'refused' in rule) continue;
    const further = index === step ? {} : { step: index, firstStep: index, stepSince: now };
    const { ports, excludedPorts } = rule;
    const words = `no neighbor can enforce mitigation ${id} as it is: it is now step ${index + 1} of ${playbook.steps.length}, ${actionWords(rule.action)}; its id stays`;
    return {
      change: { match: rule.match, ports, excludedPorts, action: rule.action, ...further },
      why: [...rule.ways, words],
    };
  }
  return null;
}

function stepOf(mitigation: Mitigation, policy: Policy): Step | undefined {
  return playbookOf(mitigation, policy)?.steps[mitigation.step];
}
/** A step's rule for a mitigation that stands. `ways`: how it differs from what the step says, in words. */
type StepRule = Rule & { readonly action: MitigationAction; readonly ways: readonly string[] };

/** The mitigation's rule under another step: drafted anew, so that what is allowed by now is spared by it. */
function ruleOfStep(
  mitigation: Mitigation,
  playbook: Playbook,
  step: Step,
  event: EventContext,
): StepRule | { readonly refused: string } {
  const { state } = event;
  const { policy } = event.context;
  const traits = traitsBehind(mitigation.match, stepOf(mitigation, policy)?.refinement);
  // The event may be about one host of a prefix, and the rule is for all of it.
  const owner = ownerOf(policy.inventory, mitigation.victim);
  const target = {
    victim: mitigation.victim,
    vector: mitigation.vector,
    protocol: mitigation.match.protocol,
    ports: mitigation.ports,
    allowedPorts: owner?.allowedPorts ?? NO_ALLOWED_PORTS,
    traits,
  };
  const { rule, action, refusal, why } = planWithin(target, step, playbook.ways, { policy, state });
  if (rule === null) return { refused: why.at(-1) ?? 'nothing is left to filter' };
  if (traits.fragments === true && rule.match.fragments !== true) {
    return { refused: 'it would filter more than the fragments that were reported' };
  }
  const forbidden =
    checkTarget(state, policy, rule.match) ?? checkProtectedPorts(policy.guardrails, rule) ?? refusal;
  if (forbidden !== null) return { refused: forbidden.detail };
  return { ...rule, action, ways: why.filter((line) => line.startsWith('instead (')) };
}
