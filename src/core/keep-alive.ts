/** An attack goes on: its mitigation lasts longer, and may take its next step (INTERFACES "What an event leads to", 4 and 5). */
import { timeText } from '../net/time.ts';
import type { DecideContext } from './commands.ts';
import type { Fact, MitigationChange } from './facts.ts';
import { judgeProtectedPorts, judgeTarget } from './guardrails.ts';
import type { Ownership } from './inventory.ts';
import { meetsRequirement, requirementOf, stepTtl } from './lifecycle.ts';
import { matchKey } from './match.ts';
import type { Playbook, Step } from './playbook.ts';
import type { Profile } from './profile.ts';
import { draftRule, type Rule } from './rule.ts';
import type { DecisionView } from './state-view.ts';
import type { Detection, Mitigation } from './types.ts';
import { NO_ALLOWED_PORTS } from './victim.ts';
import { actionWords, rateWords } from './words.ts';

/** The event that says the attack goes on. */
export interface Continuation {
  readonly state: DecisionView;
  readonly context: DecideContext;
  readonly detection: Detection;
  readonly eventId: string;
  readonly owner: Ownership | undefined;
  readonly profile: Profile;
  /** What applies when the mitigation's own playbook is gone, or it has none. */
  readonly step: Step;
}

/** What the event does to one mitigation; `fallen` leaves it as it is, to expire. */
export interface Keeping {
  readonly change: 'extended' | 'escalated' | 'fallen';
  readonly mitigation: Mitigation;
  readonly facts: readonly Fact[];
  readonly why: readonly string[];
}

/** Extends a mitigation, or escalates it when its next step's thresholds are met. */
export function keepAlive(mitigation: Mitigation, event: Continuation): Keeping {
  const extension = extensionOf(mitigation, event);
  if (extension.expiresAt === null) {
    return { change: 'fallen', mitigation, facts: [], why: extension.why };
  }
  const escalation = escalationOf(mitigation, event);
  const why = [...extension.why, ...escalation.why];
  const { now } = event.context;
  if (escalation.change !== null) {
    const change = { ...escalation.change, why };
    return {
      change: 'escalated',
      mitigation: { ...mitigation, ...change, status: 'escalated', updatedAt: now },
      facts: [{ type: 'mitigation.escalated', id: mitigation.id, change }],
      why,
    };
  }
  const change: MitigationChange = {
    expiresAt: extension.expiresAt,
    lastEventId: event.eventId,
    ...(interruption(mitigation, event.context) === null ? {} : { stepSince: now }),
  };
  return {
    change: 'extended',
    mitigation: { ...mitigation, ...change, updatedAt: now },
    facts: [{ type: 'mitigation.extended', id: mitigation.id, change }],
    why,
  };
}

/** Until when the event keeps a mitigation; null when the attack has fallen so far that it shall run out. Never earlier than it was. */
export function extensionOf(
  mitigation: Mitigation,
  event: Continuation,
): { readonly expiresAt: number | null; readonly why: readonly string[] } {
  const { now, policy } = event.context;
  const playbook = playbookOf(mitigation, event);
  const fallen = playbook === undefined ? null : fallenWords(mitigation, playbook, event);
  if (fallen !== null) {
    return { expiresAt: null, why: [`mitigation ${mitigation.id} is not extended: ${fallen}`] };
  }
  const step = playbook?.steps[mitigation.step] ?? event.step;
  const ttl = stepTtl(step, event.profile, policy.timers);
  const expiresAt = Math.max(mitigation.expiresAt, now + ttl.seconds * 1000);
  const until = timeText(expiresAt);
  const words = `mitigation ${mitigation.id} (${actionWords(mitigation.action)}) stands already; it lasts until ${until}`;
  return { expiresAt, why: [...ttl.why, words] };
}

function playbookOf(mitigation: Mitigation, { context }: Continuation): Playbook | undefined {
  return mitigation.playbook === null ? undefined : context.policy.playbooks.byName.get(mitigation.playbook);
}

/**
 * Stepping down: figures that the event gives and that are below what the playbook asks for; and for a step that was
 * escalated to, a confidence below its threshold together with a rate that the step before would have let through.
 */
function fallenWords(mitigation: Mitigation, playbook: Playbook, event: Continuation): string | null {
  const { bps, pps, confidence, vector } = event.detection;
  const { match } = playbook;
  if (match.vectors.includes(vector)) {
    if (below(bps, match.minBps)) return `${rateWords(bps ?? 0)} is below ${rateWords(match.minBps ?? 0)}`;
    if (below(pps, match.minPps)) return `${pps} packets/s is below ${match.minPps}`;
    if (below(confidence, match.minConfidence)) {
      return `confidence ${confidence} is below ${match.minConfidence}`;
    }
  }
  const step = playbook.steps[mitigation.step];
  if (mitigation.step === 0 || step === undefined) return null;
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
function interruption({ updatedAt, stepSince }: Mitigation, { now, policy }: DecideContext): string | null {
  if (now - updatedAt > policy.timers.correlationWindowSeconds * 1000) return 'events had stopped';
  return stepSince > now ? 'the clock was set back' : null;
}

/** The step to the next action, when there is one and its thresholds are met. Which were met or missed is in `why`. */
function escalationOf(
  mitigation: Mitigation,
  event: Continuation,
): { readonly change: MitigationChange | null; readonly why: readonly string[] } {
  const { context, detection, profile } = event;
  const { now, policy } = context;
  const playbook = playbookOf(mitigation, event);
  const index = mitigation.step + 1;
  const next = playbook?.steps[index];
  if (playbook === undefined || next === undefined) return { change: null, why: [] };
  const name = `step ${index + 1} of ${playbook.steps.length} (${actionWords(next.action)})`;
  if (!policy.escalation.enabled) return { change: null, why: [`${name} waits: escalation is off`] };
  const interrupted = interruption(mitigation, context);
  if (interrupted !== null) {
    return { change: null, why: [`${name} waits: ${interrupted}, persistence starts anew`] };
  }
  const requirement = requirementOf(next, profile, policy.escalation);
  const persisted = (now - mitigation.stepSince) / 1000;
  const verdict = meetsRequirement(requirement, detection.confidence, persisted);
  if (!verdict.met) return { change: null, why: [`${name} waits: ${verdict.why}`] };

  const rule = ruleOfStep(mitigation, next, event);
  if ('why' in rule) return { change: null, why: [`${name} is not taken: ${rule.why}`] };
  const ttl = stepTtl(next, profile, policy.timers);
  const moved = matchKey(rule.match) !== matchKey(mitigation.match);
  return {
    change: {
      action: next.action,
      step: index,
      stepSince: now,
      expiresAt: Math.max(mitigation.expiresAt, now + ttl.seconds * 1000),
      lastEventId: event.eventId,
      ...(moved ? { match: rule.match, ports: rule.ports, excludedPorts: rule.excludedPorts } : {}),
    },
    why: [...ttl.why, `${name} takes over: ${verdict.why}`],
  };
}

/** The mitigation's rule under another step: drafted anew, so that what is allowed by now is spared by it. */
function ruleOfStep(
  mitigation: Mitigation,
  step: Step,
  event: Continuation,
): Rule | { readonly why: string } {
  const draft = draftRule({
    victim: mitigation.victim,
    vector: mitigation.vector,
    protocol: mitigation.match.protocol,
    ports: mitigation.ports,
    allowedPorts: event.owner?.allowedPorts ?? NO_ALLOWED_PORTS,
    refinement: step.refinement,
    action: step.action.type,
  });
  if (draft.rule === null) return { why: draft.why.at(-1) ?? 'nothing is left to filter' };
  const { policy } = event.context;
  const refusal =
    judgeTarget(event.state, policy, draft.rule.match) ?? judgeProtectedPorts(policy.guardrails, draft.rule);
  return refusal === null ? draft.rule : { why: refusal.detail };
}
