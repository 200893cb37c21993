/**
 * Decides what follows from a scrubber's health. Traffic that is sent to a scrubber which does not work is lost, so each
 * of its mitigations leaves it: for its playbook's next step if the playbook allows that, else for the step before.
 */
import { actionWords } from '../rule-text.ts';
import { ruleKind, scrubberOf } from '../action.ts';
import type { Command, DecideContext, Decision } from '../commands.ts';
import type { Fact, MitigationChange } from '../facts.ts';
import { isImported } from '../intent.ts';
import { failureWords, scrubberFailure } from '../policy/guardrails.ts';
import type { Playbook } from '../policy/playbook.ts';
import { USUAL_PROFILE } from '../policy/profile.ts';
import { changed } from '../state/evolve.ts';
import { renewalTime } from '../state/holds.ts';
import { isActive } from '../state/indices.ts';
import type { DecisionView } from '../state/state-view.ts';
import type { Mitigation } from '../types.ts';
import { ownerOf } from '../victim.ts';
import { ruleKey } from './correlate.ts';
import { stepTtl } from './lifecycle.ts';
import { playbookOf, ruleOfStep, type StepRule, turnTo } from './step-rule.ts';

/**
 * Records a change of a scrubber's health. If it has failed, the mitigations that use it become due at once, so that
 * `expire` moves a limited number of them at a time.
 */
export function decideHealth(
  state: DecisionView,
  { scrubber, healthy, detail }: Extract<Command, { type: 'scrubber-health' }>,
  { now }: Pick<DecideContext, 'now'>,
): Decision {
  const isDown = state.downScrubbers.has(scrubber);
  if (healthy) {
    const facts: readonly Fact[] = isDown ? [{ type: 'scrubber.up', scrubber }] : [];
    return { facts, answer: { type: 'done', affected: [] } };
  }
  if (isDown) return { facts: [], answer: { type: 'done', affected: [] } };
  const users = [...state.live]
    .flatMap((id) => state.mitigations.get(id) ?? [])
    .filter((mitigation) => isActive(mitigation) && scrubberOf(mitigation.action) === scrubber);
  const due = users
    .filter(({ playbook, expiresAt }) => playbook !== null && expiresAt > now)
    .map(({ id }): Fact => ({ type: 'mitigation.extended', id, change: { renewAt: now } }));
  return {
    facts: [{ type: 'scrubber.down', scrubber, reason: detail }, ...due],
    answer: { type: 'done', affected: users.map(({ id }) => id) },
  };
}

/** Returns the facts by which a mitigation leaves a scrubber that does not work; empty if it uses none. */
export function leaveScrubber(
  mitigation: Mitigation,
  state: DecisionView,
  context: DecideContext,
): readonly Fact[] {
  const { now, policy } = context;
  const { id, action, expiresAt } = mitigation;
  const failure = scrubberFailure(state, policy, action);
  const playbook = playbookOf(mitigation, policy);
  // What ends now anyway need not be moved.
  if (failure === undefined || playbook === undefined || expiresAt <= now) return [];
  const scrubber = scrubberOf(action) ?? '';
  const words = failureWords(scrubber, failure);
  const isOther = isImported(mitigation);
  const found = isOther ? undefined : otherStep(mitigation, playbook, state, context);
  if (found === undefined) {
    const reason = isOther
      ? `${mitigation.origin.pop} decides about it`
      : `no other step of ${playbook.name} is possible`;
    const why = `${words}; ${reason}, so its traffic still goes there`;
    if (mitigation.why.includes(why)) return [];
    const renewAt = renewalTime(mitigation, now) ?? null;
    return [{ type: 'mitigation.extended', id, change: { renewAt, why: [why] } }];
  }
  const { rule, step } = found;
  const profile = policy.profiles[ownerOf(policy.inventory, mitigation.victim)?.profile ?? USUAL_PROFILE];
  const written = playbook.steps[step];
  const seconds =
    written === undefined ? policy.timers.defaultTtlSeconds : stepTtl(written, profile, policy).seconds;
  const turn = turnTo(mitigation, rule.action, state, context);
  const change: MitigationChange = {
    action: rule.action,
    step,
    stepSince: now,
    // A rule does not inherit the longer life of a diversion.
    expiresAt: Math.max(now + seconds * 1000, turn.soonest),
    ...turn.change,
    ...(ruleKey(rule) === ruleKey(mitigation)
      ? {}
      : { match: rule.match, ports: rule.ports, excludedPorts: rule.excludedPorts }),
    why: [`${words}; changed to step ${step + 1} (${actionWords(rule.action)})`, ...rule.ways, ...turn.why],
  };
  const renewAt = renewalTime(changed(mitigation, change, now), now) ?? null;
  return [{ type: 'mitigation.escalated', id, change: { ...change, renewAt } }];
}

/** Finds the step to change to: a later one if the playbook allows that, else the nearest earlier rule. */
function otherStep(
  mitigation: Mitigation,
  playbook: Playbook,
  state: DecisionView,
  { policy }: DecideContext,
): { readonly rule: StepRule; readonly step: number } | undefined {
  const { step, lastEventId } = mitigation;
  const detection = lastEventId === null ? undefined : state.events.get(lastEventId)?.detection;
  const indices = [...playbook.steps.keys()];
  const later = playbook.ways.includes('next_step') ? indices.slice(step + 1) : [];
  const earlier = indices.slice(0, step).reverse();
  for (const index of [...later, ...earlier]) {
    const other = playbook.steps[index];
    if (other === undefined || (index < step && ruleKind(other.action) !== 'flowspec')) continue;
    const rule = ruleOfStep(mitigation, playbook, other, { state, policy, detection });
    // Another alternative of the step may lead to a scrubber that does not work, too.
    if (rule.ok && scrubberFailure(state, policy, rule.value.action) === undefined) {
      return { rule: rule.value, step: index };
    }
  }
  return undefined;
}
