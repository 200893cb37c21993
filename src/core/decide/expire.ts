/** Renews mitigations that are held, and ends the others when their TTL expires. */
import { ruleKind, scrubberOf } from '../action.ts';
import { isImported } from '../intent.ts';
import { leaveScrubber } from './leave-scrubber.ts';
import { isClean, probeChange } from './unicast-rule.ts';
import { narrowingFacts } from './aggregate.ts';
import type { DecideContext, Decision } from '../commands.ts';
import { activeOnes } from './operator.ts';
import type { Fact } from '../facts.ts';
import { leastMaxTtlSeconds, maxTtlSeconds } from '../policy/scrubbers.ts';
import { USUAL_PROFILE } from '../policy/profile.ts';
import { heldUntil, holdsOf, renewalTime, activeHolds } from '../state/holds.ts';
import { type EventContext, extend } from './extend.ts';
import { endingFacts, SYSTEM } from './lifecycle.ts';
import type { DecisionView } from '../state/state-view.ts';
import type { Ending, Mitigation } from '../types.ts';
import { ownerOf } from '../victim.ts';
import { secondsWords } from '../../net/text.ts';

/** At most this many are decided at once: some milliseconds of work, including that which follows from the facts. */
const DECIDED_AT_ONCE = 200;

/**
 * Renews what a hold keeps active and ends mitigations past their TTL, at most DECIDED_AT_ONCE; the others stay due and
 * follow next. Shortens a mitigation that would last longer than the maximum TTL from now: the clock was set back, or
 * the policy allows less now.
 */
export function expire(state: DecisionView, context: DecideContext): Decision {
  const { now, policy } = context;
  const due = [...state.dueBy(now, DECIDED_AT_ONCE)]
    .flatMap((id) => state.mitigations.get(id) ?? [])
    .sort((a, b) => a.createdAt - b.createdAt || (a.id < b.id ? -1 : 1));
  const facts: Fact[] = [];
  for (const mitigation of due) {
    const more = whenDue(mitigation, state, context);
    facts.push(...more);
    // It takes a place in the quotas of diversions and blackholes, which the others must see: they stay due.
    if (more.some(isNewUnicast)) break;
  }
  if (state.expiryBound > now + leastMaxTtlSeconds(policy) * 1000) {
    const known = new Set(due.map(({ id }) => id));
    for (const { id, expiresAt, action } of activeOnes(state)) {
      const latest = now + maxTtlSeconds(policy, action) * 1000;
      if (expiresAt <= latest || known.has(id)) continue;
      facts.push({ type: 'mitigation.extended', id, change: { expiresAt: latest } });
    }
  }
  const affected = facts.flatMap((fact) => (fact.type === 'mitigation.ending' ? [fact.id] : []));
  return { facts, answer: { type: 'done', affected } };
}

function isNewUnicast(fact: Fact): boolean {
  const action = 'change' in fact ? fact.change.action : undefined;
  return action !== undefined && ruleKind(action) !== 'flowspec';
}

function whenDue(mitigation: Mitigation, state: DecisionView, context: DecideContext): readonly Fact[] {
  const { now } = context;
  const narrowing = narrowingFacts(mitigation, state, context);
  if (narrowing.length > 0) return narrowing;
  const leaving = leaveScrubber(mitigation, state, context);
  if (leaving.length > 0) return leaving;
  if (heldUntil(mitigation, now) !== undefined && !isClean(mitigation))
    return renewed(mitigation, state, context);
  if (mitigation.expiresAt <= now) {
    const change = probeChange(mitigation, context);
    if (change !== undefined) return [{ type: 'mitigation.extended', id: mitigation.id, change }];
    return endingFacts(mitigation, endingOf(mitigation, context));
  }
  return [{ type: 'mitigation.extended', id: mitigation.id, change: { renewAt: null } }];
}

/** Renews a mitigation whose attack continues as far as its reporters have said; its next step may be due. */
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
    event: undefined,
    profile: policy.profiles[owner?.profile ?? USUAL_PROFILE],
    step,
  };
  return extend(mitigation, continuation).facts;
}

/**
 * Renews the default TTL of a mitigation that has no playbook, or whose playbook a reload removed, while it is held.
 */
function withoutPlaybook(mitigation: Mitigation, { now, policy }: DecideContext): readonly Fact[] {
  const latest = Math.min(now + policy.timers.defaultTtlSeconds * 1000, heldUntil(mitigation, now) ?? now);
  const expiresAt = Math.max(mitigation.expiresAt, latest);
  const renewAt = renewalTime({ ...mitigation, expiresAt }, now) ?? null;
  return [{ type: 'mitigation.extended', id: mitigation.id, change: { expiresAt, renewAt } }];
}

/** Returns the highest confidence among the reporters that hold the mitigation; null when none gives one. */
function heldConfidence(mitigation: Mitigation, now: number): number | null {
  const known = activeHolds(mitigation, now).flatMap(({ mode, confidence }) =>
    mode === 'until_released' && confidence !== null ? [confidence] : [],
  );
  return known.length === 0 ? null : Math.max(...known);
}

/** Explains the end: an unban before the hold-down time, silent reporters, or an expired TTL. */
function endingOf(mitigation: Mitigation, { now, policy }: DecideContext): Ending {
  const { release, playbook } = mitigation;
  const { action, away } = mitigation;
  // Its POP decides why it ends; for want of news it only expires here, and a newer version may begin it again.
  if (isImported(mitigation)) return { to: 'expired', at: now, actor: SYSTEM, reason: 'its TTL has expired' };
  if (away?.cleanAt !== undefined) {
    const reason = `scrubber ${scrubberOf(action) ?? ''} reported clean traffic`;
    return { to: 'withdrawn', at: now, actor: SYSTEM, reason };
  }
  if (away?.probeUntil !== undefined) {
    const reason = 'no attack was reported while the blackhole was lifted';
    return { to: 'withdrawn', at: now, actor: SYSTEM, reason };
  }
  // An operator's own mitigation lasts as long as the operator asked for, whatever detectors report meanwhile.
  if (release !== undefined && release !== null && playbook !== null) {
    const { actor, reason, eventId } = release;
    return { to: 'withdrawn', at: now, actor, reason, ...(eventId === undefined ? {} : { eventId }) };
  }
  const silent = holdsOf(mitigation).filter(({ mode }) => mode === 'until_released');
  if (silent.length === 0) return { to: 'expired', at: now, actor: SYSTEM, reason: 'its TTL has expired' };
  const sources = [...new Set(silent.map(({ source }) => source))].join(', ');
  const seconds = secondsWords(policy.timers.maxHoldSeconds);
  const reason = `no report from ${sources} for ${seconds} (timers.max_hold_seconds)`;
  return { to: 'expired', at: now, actor: SYSTEM, reason };
}
