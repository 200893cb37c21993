/** Time has passed: mitigations that are held are renewed, and the others end with their TTL. */
import { narrowingFacts } from './aggregate.ts';
import type { DecideContext, Decision } from '../commands.ts';
import { activeOnes } from './operator.ts';
import type { Fact } from '../facts.ts';
import { heldUntil, holdsOf, renewalTime, standingHolds } from '../state/holds.ts';
import { type EventContext, extend } from './extend.ts';
import { endingFacts, SYSTEM } from './lifecycle.ts';
import type { DecisionView } from '../state/state-view.ts';
import type { Ending, Mitigation } from '../types.ts';
import { ownerOf } from '../victim.ts';
import { secondsWords } from '../../net/text.ts';

/** So many are decided at once: some milliseconds of work for everything that follows the facts. */
const DECIDED_AT_ONCE = 200;

/**
 * Renews what a hold keeps, and ends what is past its TTL, at most DECIDED_AT_ONCE of them: the others are due still,
 * and asked for next. What would stand longer than the longest TTL from now is cut to that: the clock was set back
 * since, or the policy allows less now.
 */
export function expire(state: DecisionView, context: DecideContext): Decision {
  const { now, policy } = context;
  const due = [...state.dueBy(now, DECIDED_AT_ONCE)]
    .flatMap((id) => state.mitigations.get(id) ?? [])
    .sort((a, b) => a.createdAt - b.createdAt || (a.id < b.id ? -1 : 1));
  const facts = due.flatMap((mitigation) => whenDue(mitigation, state, context));
  const latest = now + policy.timers.maxTtlSeconds * 1000;
  if (state.expiryBound > latest) {
    const known = new Set(due.map(({ id }) => id));
    for (const { id, expiresAt } of activeOnes(state)) {
      if (expiresAt <= latest || known.has(id)) continue;
      facts.push({ type: 'mitigation.extended', id, change: { expiresAt: latest } });
    }
  }
  const affected = facts.flatMap((fact) => (fact.type === 'mitigation.ending' ? [fact.id] : []));
  return { facts, answer: { type: 'done', affected } };
}

function whenDue(mitigation: Mitigation, state: DecisionView, context: DecideContext): readonly Fact[] {
  const { now } = context;
  const narrowing = narrowingFacts(mitigation, state, context);
  if (narrowing.length > 0) return narrowing;
  if (heldUntil(mitigation, now) !== null) return renewed(mitigation, state, context);
  if (mitigation.expiresAt <= now) return endingFacts(mitigation, endingOf(mitigation, context));
  return [{ type: 'mitigation.extended', id: mitigation.id, change: { renewAt: null } }];
}

/** The attack lasts, as far as its reporters have said; the next step may be due by that. */
function renewed(mitigation: Mitigation, state: DecisionView, context: DecideContext): readonly Fact[] {
  const { now, policy } = context;
  const owner = ownerOf(policy.inventory, mitigation.victim);
  const playbook =
    mitigation.playbook === null ? undefined : policy.playbooks.byName.get(mitigation.playbook);
  const step = playbook?.steps[mitigation.step] ?? playbook?.steps[0] ?? policy.playbooks.fallback?.steps[0];
  if (step === undefined) return withoutPlaybook(mitigation, context);
  const continuation: EventContext = {
    state,
    context,
    report: { vector: mitigation.vector, bps: null, pps: null, confidence: heldConfidence(mitigation, now) },
    event: null,
    profile: policy.profiles[owner?.profile ?? 'normal'],
    step,
  };
  return extend(mitigation, continuation).facts;
}

/** It has no playbook, or a reload took it away: the default TTL is renewed for as long as the mitigation is held. */
function withoutPlaybook(mitigation: Mitigation, { now, policy }: DecideContext): readonly Fact[] {
  const latest = Math.min(now + policy.timers.defaultTtlSeconds * 1000, heldUntil(mitigation, now) ?? now);
  const expiresAt = Math.max(mitigation.expiresAt, latest);
  const renewAt = renewalTime({ ...mitigation, expiresAt }, now, null);
  return [{ type: 'mitigation.extended', id: mitigation.id, change: { expiresAt, renewAt } }];
}

/** The highest confidence among the reporters that hold the mitigation; null when none gives one. */
function heldConfidence(mitigation: Mitigation, now: number): number | null {
  const known = standingHolds(mitigation, now).flatMap(({ mode, confidence }) =>
    mode === 'until_released' && confidence !== null ? [confidence] : [],
  );
  return known.length === 0 ? null : Math.max(...known);
}

/** Why it ends now: its reporters said so before the hold-down time, they were silent for too long, or its TTL is over. */
function endingOf(mitigation: Mitigation, { now, policy }: DecideContext): Ending {
  const { release, playbook } = mitigation;
  // An operator's own mitigation lasts as long as the operator said, whatever detectors said about it meanwhile.
  if (release !== undefined && release !== null && playbook !== null) {
    const { actor, reason, eventId } = release;
    return { to: 'withdrawn', at: now, actor, reason, ...(eventId === undefined ? {} : { eventId }) };
  }
  const silent = holdsOf(mitigation).filter(({ mode }) => mode === 'until_released');
  if (silent.length === 0) return { to: 'expired', at: now, actor: SYSTEM, reason: 'its TTL has passed' };
  const sources = [...new Set(silent.map(({ source }) => source))].join(', ');
  const seconds = secondsWords(policy.timers.maxHoldSeconds);
  const reason = `${sources} reported no end and nothing new within ${seconds} (timers.max_hold_seconds)`;
  return { to: 'expired', at: now, actor: SYSTEM, reason };
}
