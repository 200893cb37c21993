/** Extends a mitigation whose attack continues, and escalates it to its next step. */
import { playbookOf, ruleOfStep, type StepGrounds, turnTo } from './step-rule.ts';
import { attackedAgain, earliestReturn } from './unicast-rule.ts';
import { rateWords } from '../../net/text.ts';
import { timeText } from '../../net/time.ts';
import type { DecideContext } from '../commands.ts';
import type { Fact, MitigationChange } from '../facts.ts';
import type { Playbook, Step } from '../policy/playbook.ts';
import type { Profile } from '../policy/profile.ts';
import { changed, evolveMitigation } from '../state/evolve.ts';
import { activeHolds, alertOf, findHold, heldUntil, holdFor, holdKey, renewalTime } from '../state/holds.ts';
import { isActive } from '../state/indices.ts';
import type { DecisionView } from '../state/state-view.ts';
import { actionWords } from '../rule-text.ts';
import { ruleKind } from '../action.ts';
import type { Detection, HoldMode, Mitigation } from '../types.ts';
import { ruleKey } from './correlate.ts';
import { isEnforceable, predict, shortfallWords } from './forecast.ts';
import { meetsRequirement, requirementOf, stepTtl } from './lifecycle.ts';
import { scopeAtStep, widerScope } from './scope.ts';

/** Evidence that an attack continues: an event, or an active hold. */
export interface EventContext {
  readonly state: DecisionView;
  readonly context: DecideContext;
  /** The attack's current values. A hold knows no rates. */
  readonly report: Pick<Detection, 'vector' | 'bps' | 'pps' | 'confidence'>;
  /** The event and the mode of its hold; undefined when no new report arrived. */
  readonly event: { readonly id: string; readonly detection: Detection; readonly mode: HoldMode } | undefined;
  readonly profile: Profile;
  /** The step that applies when the mitigation's own playbook is gone, or when it has none. */
  readonly step: Step;
}

/** An event's effect on one mitigation; `fallen` leaves it unchanged, to expire. */
export interface Extension {
  readonly change: 'extended' | 'widened' | 'escalated' | 'fallen';
  readonly mitigation: Mitigation;
  readonly facts: readonly Fact[];
  readonly why: readonly string[];
}

/**
 * Extends a mitigation, escalates it when its next step's thresholds are met, or changes one that no neighbor can
 * enforce into a form that some neighbor can.
 */
export function extend(mitigation: Mitigation, event: EventContext): Extension {
  const extension = extensionOf(mitigation, event);
  if (extension.expiresAt === undefined) {
    const facts =
      event.event === undefined ? [] : runOutFacts(mitigation, event.event.detection, event.context.now);
    return { change: 'fallen', mitigation, facts, why: extension.why };
  }
  const escalation = escalationOf(mitigation, event);
  const why = [...extension.why, ...escalation.why];
  const { now } = event.context;
  if (escalation.change !== undefined) {
    const { expiresAt = extension.expiresAt } = escalation.change;
    // The change contains the new end. As one of its reasons, the time would be wrong with the next report.
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
  if (reform !== undefined) {
    const kind = reform.change.step === undefined ? 'widened' : 'escalated';
    const change = withHoldOf(mitigation, event, {
      ...reform.change,
      expiresAt: Math.max(expiresAt, earliestReturn({ ...mitigation, ...reform.change }, now, event.context)),
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
  const interrupted = interruption(mitigation, event.context) !== undefined;
  const restart = interrupted ? { stepSince: now } : {};
  const wider = widerScope(mitigation, event);
  const change = withHoldOf(mitigation, event, { expiresAt, ...restart, ...wider });
  const kind = wider.pops === undefined ? 'extended' : 'widened';
  return {
    change: kind,
    mitigation: changed(mitigation, change, now),
    facts: [{ type: `mitigation.${kind}`, id: mitigation.id, change }],
    why,
  };
}

/**
 * Returns the facts that let a mitigation expire because its reporter says that the attack has fallen: its hold lapses
 * with the TTL instead of renewing it. Empty when it has no hold that would last longer.
 */
export function runOutFacts(mitigation: Mitigation, detection: Detection, now: number): readonly Fact[] {
  const { id, expiresAt } = mitigation;
  const held = findHold(mitigation, holdKey(alertOf(detection)), now);
  if (held === undefined || held.until <= expiresAt) return [];
  const hold = { ...held, reportedAt: now, until: expiresAt };
  const renewAt = renewalTime(changed(mitigation, { hold }, now), now);
  return [{ type: 'mitigation.extended', id, change: { hold, renewAt: renewAt ?? null } }];
}

/** Lets all mitigations expire that the alert holds: with its current values, no playbook answers it any more. */
export function runOutAll(state: DecisionView, detection: Detection, now: number): readonly Fact[] {
  return [...state.heldBy(holdKey(alertOf(detection)))]
    .flatMap((id) => state.mitigations.get(id) ?? [])
    .filter(isActive)
    .flatMap((mitigation) => runOutFacts(mitigation, detection, now));
}

/**
 * Adds to a change what follows for the holds: the event's own hold is taken or renewed, and the next time is set at
 * which the daemon itself looks at the mitigation.
 */
export function withHoldOf(
  mitigation: Mitigation,
  continuation: EventContext,
  change: MitigationChange & { readonly expiresAt: number },
): MitigationChange {
  const { context, event } = continuation;
  const { now } = context;
  const again = attackedAgain(mitigation, context);
  const taken: MitigationChange =
    event === undefined
      ? change
      : {
          ...change,
          lastEventId: event.id,
          ...(again === undefined || change.away !== undefined ? {} : { away: again }),
          hold: holdFor(
            event.detection,
            event.mode,
            context,
            change.expiresAt,
            findHold(mitigation, holdKey(alertOf(event.detection)), now),
          ),
        };
  const after = changed(mitigation, taken, now);
  const renewAt = renewalTime(after, now, nextStepTime(after, continuation)) ?? null;
  return renewAt === (mitigation.renewAt ?? null) ? taken : { ...taken, renewAt };
}

/** Returns the earliest time for the next step (ms); undefined when there is none, or when escalation is off. */
export function nextStepTime(mitigation: Mitigation, continuation: EventContext): number | undefined {
  const { profile, context } = continuation;
  const { escalation } = context.policy;
  const next = playbookOf(mitigation, context.policy)?.steps[mitigation.step + 1];
  if (next === undefined || !escalation.enabled) return undefined;
  const { persistenceSeconds } = requirementOf(next, profile, escalation);
  return mitigation.stepSince + persistenceSeconds * 1000;
}

/**
 * Returns the new end of a mitigation, never earlier than the old one; undefined when the attack has fallen and it shall
 * expire.
 */
export function extensionOf(
  mitigation: Mitigation,
  event: EventContext,
): { readonly expiresAt: number | undefined; readonly why: readonly string[] } {
  const { now, policy } = event.context;
  const playbook = playbookOf(mitigation, policy);
  const fallen =
    playbook === undefined || event.event === undefined
      ? undefined
      : fallenWords(mitigation, playbook, event);
  if (fallen !== undefined) {
    return { expiresAt: undefined, why: [`mitigation ${mitigation.id} is not extended: ${fallen}`] };
  }
  const step = playbook?.steps[mitigation.step] ?? event.step;
  const ttl = stepTtl(step, event.profile, policy);
  // A hold is not renewed beyond its own end, so the mitigation ends then and not a TTL later.
  const latest = event.event === undefined ? (heldUntil(mitigation, now) ?? now) : Number.POSITIVE_INFINITY;
  const renewed = Math.min(now + ttl.seconds * 1000, latest);
  const isReported = event.event !== undefined;
  const away = (isReported ? attackedAgain(mitigation, event.context) : undefined) ?? mitigation.away ?? null;
  const reportedAt = isReported ? now : lastReportOf(mitigation, now);
  const soonest = earliestReturn({ action: mitigation.action, away }, reportedAt, event.context);
  const expiresAt = Math.max(mitigation.expiresAt, renewed, soonest);
  const until = timeText(expiresAt);
  const words = `mitigation ${mitigation.id} (${actionWords(mitigation.action)}) is already active; extended to ${until}`;
  return { expiresAt, why: [...ttl.why, words] };
}

/** Returns the time of the newest report that still holds the mitigation (ms). */
function lastReportOf(mitigation: Mitigation, now: number): number {
  const reports = activeHolds(mitigation, now).map(({ reportedAt }) => reportedAt);
  return reports.length === 0 ? mitigation.updatedAt : Math.max(...reports);
}

/**
 * Explains why an attack has fallen: the event's values are below the playbook's minimum; or, for a step that was
 * escalated to, the confidence is below its threshold and the rate is one that the step before would have let through.
 */
function fallenWords(mitigation: Mitigation, playbook: Playbook, event: EventContext): string | undefined {
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
  if (mitigation.step <= (mitigation.firstStep ?? 0) || step === undefined) return undefined;
  const least = requirementOf(step, event.profile, event.context.policy.escalation).confidence;
  if (!below(confidence, least)) return undefined;
  const passed = playbook.steps[mitigation.step - 1]?.action.rateBps ?? undefined;
  if (passed !== undefined && bps !== null && bps > passed) return undefined;
  return `confidence ${confidence} has fallen below ${least}${bps === null ? '' : `, and the rate has fallen to ${rateWords(bps)}`}`;
}

/** True when a value is given and is below a given minimum. */
function below(value: number | null, least: number | null): boolean {
  return value !== null && least !== null && value < least;
}

/** Explains why the attack cannot be taken as continuous since the step began; undefined when it can. */
function interruption(mitigation: Mitigation, { now, policy }: DecideContext): string | undefined {
  const { updatedAt, stepSince } = mitigation;
  // A detector that reports the end is silent while the attack continues.
  const silent = heldUntil(mitigation, now) === undefined;
  if (silent && now - updatedAt > policy.timers.correlationWindowSeconds * 1000) return 'events had stopped';
  return stepSince > now ? 'the clock was set back' : undefined;
}

/** Returns the escalation to the next step, if there is one and its thresholds are met. `why` names the thresholds. */
function escalationOf(
  mitigation: Mitigation,
  event: EventContext,
): { readonly change: MitigationChange | undefined; readonly why: readonly string[] } {
  const { context, report, profile } = event;
  const { now, policy } = context;
  const playbook = playbookOf(mitigation, policy);
  const index = mitigation.step + 1;
  const next = playbook?.steps[index];
  if (playbook === undefined || next === undefined) return { change: undefined, why: [] };
  const name = `step ${index + 1} (${actionWords(next.action)})`;
  const staying = (reason: string, yet = ' yet') => ({
    change: undefined,
    why: [`not escalating to ${name}${yet}: ${reason}`],
  });
  if (!policy.escalation.enabled) return staying('escalation is off', '');
  if (event.state.paused !== undefined) return staying('announcements are paused');
  const interrupted = interruption(mitigation, context);
  if (interrupted !== undefined) {
    return staying(`${interrupted}; the persistence timer restarts`);
  }
  const requirement = requirementOf(next, profile, policy.escalation);
  const persisted = (now - mitigation.stepSince) / 1000;
  const verdict = meetsRequirement(requirement, report.confidence, persisted);
  if (!verdict.met) return staying(verdict.why);

  const drafted = ruleOfStep(mitigation, playbook, next, groundsOf(event));
  if (!drafted.ok) return staying(drafted.error, '');
  const rule = drafted.value;
  const { action } = rule;
  const ttl = stepTtl(next, profile, policy);
  const moved = ruleKey(rule) !== ruleKey(mitigation);
  const turn = turnTo(mitigation, action, event.state, context);
  // A rule does not inherit the longer life of a diversion.
  const returns = ruleKind(mitigation.action) !== 'flowspec' && ruleKind(action) === 'flowspec';
  const least = returns ? now : mitigation.expiresAt;
  return {
    change: {
      action,
      step: index,
      stepSince: now,
      expiresAt: Math.max(least, now + ttl.seconds * 1000, turn.soonest),
      ...turn.change,
      ...scopeAtStep(mitigation, next, event),
      ...(moved ? { match: rule.match, ports: rule.ports, excludedPorts: rule.excludedPorts } : {}),
    },
    why: [
      ...ttl.why,
      `escalated to ${name}: ${verdict.why}`,
      ...rule.ways,
      ...turn.why,
      ...shortfallWords(predict(policy, rule.match, action), action, context.room),
    ],
  };
}

/**
 * Finds another form for a mitigation that no neighbor can enforce since a reload: an alternative of its step, or a
 * later step if the playbook allows that. Undefined when it is enforced, or when nothing helps.
 */
function reformOf(
  mitigation: Mitigation,
  event: EventContext,
): { readonly change: MitigationChange; readonly why: readonly string[] } | undefined {
  const { now, policy } = event.context;
  const { id, match, action, step } = mitigation;
  const playbook = playbookOf(mitigation, policy);
  if (playbook === undefined || event.state.paused !== undefined) return undefined;
  if (isEnforceable(predict(policy, match, action))) return undefined;
  const last = playbook.ways.includes('next_step') ? playbook.steps.length : step + 1;
  for (const [index, next] of playbook.steps.slice(0, last).entries()) {
    const drafted = index < step ? undefined : ruleOfStep(mitigation, playbook, next, groundsOf(event));
    if (drafted?.ok !== true) continue;
    const rule = drafted.value;
    const taken = { step: index, firstStep: index, stepSince: now };
    const further = index === step ? {} : { ...taken, ...scopeAtStep(mitigation, next, event) };
    const { ports, excludedPorts } = rule;
    const turn = turnTo(mitigation, rule.action, event.state, event.context);
    const words = `no neighbor can enforce mitigation ${id} in its current form: changed to step ${index + 1} of ${playbook.steps.length}, ${actionWords(rule.action)} (same id)`;
    return {
      change: { match: rule.match, ports, excludedPorts, action: rule.action, ...further, ...turn.change },
      why: [...rule.ways, words, ...turn.why],
    };
  }
  return undefined;
}

function groundsOf({ state, context, event }: EventContext): StepGrounds {
  return { state, policy: context.policy, detection: event?.detection };
}
