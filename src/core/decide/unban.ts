/**
 * Decides what follows when a detector reports the end of an attack. An unban releases the hold of the alert that it
 * names by source and id, else its source's holds for the victim and vector; a mitigation ends with its last hold.
 */
import { earliestReturn } from './unicast-rule.ts';
import { timeText } from '../../net/time.ts';
import { isActive } from '../state/indices.ts';
import { blockOf, narrowingFacts, narrowingWords } from './aggregate.ts';
import type { DecideContext, Decision } from '../commands.ts';
import { type EventCommand, eventDecision, type Outcome, untimely } from './event-answer.ts';
import { evolveMitigation } from '../state/evolve.ts';
import type { Fact } from '../facts.ts';
import { alertOf, holderWords, holdKey, isOfOldJournal, renewalTime, activeHolds } from '../state/holds.ts';
import { endingFacts } from './lifecycle.ts';
import { BAN_MEMORY_MS, type RecentBan } from '../state/recent.ts';
import type { DecisionView } from '../state/state-view.ts';
import type { Detection, Hold, Mitigation, Release } from '../types.ts';
import { mitigationsCovering } from '../victim.ts';
import { secondsWords } from '../../net/text.ts';

/** Decides an unban; works while paused, too, because it only withdraws rules. */
export function decideUnban(state: DecisionView, command: EventCommand, context: DecideContext): Decision {
  const eventId = context.newId();
  const late = untimely(command, context);
  const outcome: Outcome =
    late === undefined
      ? release(state, command, context, eventId)
      : { status: 'accepted_no_mitigation', why: [late] };
  const block = blockOf(context.policy, command.detection.victim);
  const counted = block === undefined ? outcome : { ...outcome, block: block.prefix };
  return eventDecision(command, eventId, context.now, counted);
}

/** A mitigation and those of its holds that the unban may release. */
interface Releasable {
  readonly mitigation: Mitigation;
  readonly holds: readonly Hold[];
}

function release(
  state: DecisionView,
  command: EventCommand,
  context: DecideContext,
  eventId: string,
): Outcome {
  const { detection } = command;
  const ban = recentBanOf(state, detection, context.now);
  const named = alertOf(detection).alertId;
  const before = ban === undefined ? [] : [`the unban refers to event ${ban.eventId}`];
  const releasable =
    named === null
      ? byVictim(state, detection, context.now)
      : [...byAlert(state, detection, context.now), ...ofOldJournal(state, ban, context.now)];
  if (releasable.length === 0) return nothingHeld(state, detection, ban, before, context.now);

  const [timely, early] = withoutLater(releasable, detection);
  const why = [...before, ...early];
  if (timely.length === 0) return { status: 'no_active_mitigation', why };
  const results = timely.map((one) => releaseOne(one, state, command, context, eventId));
  const main = results.find(({ ends }) => ends) ?? results[0];
  return {
    status: results.some(({ ends }) => ends) ? 'withdrawn' : 'released',
    ...(main === undefined ? {} : { mitigation: main.mitigation }),
    facts: results.flatMap(({ facts }) => facts),
    why: [...why, ...results.flatMap((result) => result.why)],
  };
}

function recentBanOf(
  state: DecisionView,
  { source, externalId }: Detection,
  now: number,
): RecentBan | undefined {
  if (externalId === null) return undefined;
  const ban = state.recentBan(source, externalId);
  return ban === undefined || now - ban.at >= BAN_MEMORY_MS ? undefined : ban;
}

/** Finds the alert's hold; with `withParts`, also holds of the alert's parts on the victim's mitigations. */
function byAlert(state: DecisionView, detection: Detection, now: number): readonly Releasable[] {
  const { source, victim, withParts = false } = detection;
  const alert = alertOf(detection);
  const key = holdKey(alert);
  const isPart = (hold: Hold): boolean =>
    withParts && hold.source === source && hold.alertId?.startsWith(`${alert.alertId}/`) === true;
  const ids = new Set(state.heldBy(key));
  if (withParts) for (const { id } of mitigationsCovering(state, victim)) ids.add(id);
  return activeOf(state, ids).flatMap((mitigation) =>
    releasableOf(mitigation, now, (hold) => holdKey(hold) === key || isPart(hold)),
  );
}

/** Finds the hold of a mitigation from a 0.1 journal: it does not name its alert, but the ban is remembered. */
function ofOldJournal(state: DecisionView, ban: RecentBan | undefined, now: number): readonly Releasable[] {
  if (ban === undefined || ban.mitigationId === null) return [];
  return activeOf(state, [ban.mitigationId]).flatMap((mitigation) =>
    releasableOf(mitigation, now, (hold) => isOfOldJournal(hold, mitigation) && hold.source === ban.source),
  );
}

/**
 * Finds the source's holds for this victim and vector, whatever ids its alerts had. `unknown` is an ordinary vector.
 */
function byVictim(state: DecisionView, detection: Detection, now: number): readonly Releasable[] {
  const { victim, vector, source, anyVector = false } = detection;
  return mitigationsCovering(state, victim).flatMap((mitigation) =>
    releasableOf(
      mitigation,
      now,
      (hold) => hold.source === source && hold.victim === victim && (anyVector || hold.vector === vector),
    ),
  );
}

function releasableOf(
  mitigation: Mitigation,
  now: number,
  isReleasable: (hold: Hold) => boolean,
): readonly Releasable[] {
  const holds = activeHolds(mitigation, now).filter(isReleasable);
  return holds.length === 0 ? [] : [{ mitigation, holds }];
}

function activeOf(state: DecisionView, ids: Iterable<string>): readonly Mitigation[] {
  return [...ids]
    .flatMap((id) => state.mitigations.get(id) ?? [])
    .filter(isActive)
    .sort((a, b) => a.createdAt - b.createdAt || (a.id < b.id ? -1 : 1));
}

/**
 * Separates holds that began after the reported end: that end is about an earlier attack, so they stay. Explains each.
 */
function withoutLater(
  releasable: readonly Releasable[],
  detection: Detection,
): readonly [timely: readonly Releasable[], why: readonly string[]] {
  const endedAt = detection.endedAt ?? detection.at;
  if (endedAt === null) return [releasable, []];
  // Many detectors report whole seconds, and an attack may begin and end within one.
  const unit = endedAt % 1000 === 0 ? 1000 : 1;
  const latest = endedAt + unit - 1;
  const timely: Releasable[] = [];
  const why: string[] = [];
  for (const { mitigation, holds } of releasable) {
    const over = holds.filter(({ beganAt }) => beganAt <= latest);
    if (over.length > 0) timely.push({ mitigation, holds: over });
    else {
      const began = timeText(Math.max(...holds.map(({ beganAt }) => beganAt)));
      why.push(
        `mitigation ${mitigation.id} stays active: the attack that ended at ${timeText(endedAt)} is an earlier one; the current one began at ${began}`,
      );
    }
  }
  return [timely, why];
}

interface Released {
  readonly ends: boolean;
  readonly mitigation: Mitigation;
  readonly facts: readonly Fact[];
  readonly why: readonly string[];
}

function releaseOne(
  { mitigation, holds }: Releasable,
  state: DecisionView,
  { detection, actor }: EventCommand,
  context: DecideContext,
  eventId: string,
): Released {
  const { now, policy } = context;
  const { id } = mitigation;
  const reason = `${detection.source} reported the end of the attack`;
  const fact = releasedFact(mitigation, holds, { at: now, actor, reason, eventId }, now);
  const after = evolveMitigation(mitigation, fact, now);
  if (activeHolds(after, now).length > 0) {
    const why = `${detection.source} no longer holds mitigation ${id}; it stays active, held by ${holderWords(after, now)}`;
    const narrowing = narrowingFacts(after, state, context);
    const facts = [fact, ...narrowing];
    return { ends: false, mitigation: after, facts, why: [why, ...narrowingWords(narrowing)] };
  }
  if (mitigation.playbook === null) {
    const why = `mitigation ${id} was created by an operator: it stays active until its TTL expires or an operator withdraws it`;
    return { ends: false, mitigation: after, facts: [fact], why: [why] };
  }
  const holdDown = now + policy.timers.holdDownSeconds * 1000;
  const soonest = earliestReturn(mitigation, now, context);
  if (Math.max(holdDown, soonest) > now) {
    const expiresAt = Math.max(holdDown, soonest);
    const held: Fact = { ...fact, expiresAt, renewAt: null };
    const cause =
      soonest > holdDown
        ? 'because its detectors do not see the traffic that is away'
        : 'in case the attack returns (timers.hold_down_seconds)';
    const why = `mitigation ${id} stays active for ${secondsWords((expiresAt - now) / 1000)} ${cause}`;
    return { ends: false, mitigation: { ...after, expiresAt, renewAt: null }, facts: [held], why: [why] };
  }
  const ending = { to: 'withdrawn', at: now, actor, reason, eventId } as const;
  return {
    ends: true,
    mitigation: { ...mitigation, ending, updatedAt: now },
    facts: endingFacts(mitigation, ending),
    why: [`mitigation ${id} is withdrawn: no detector holds it any longer`],
  };
}

type ReleasedFact = Extract<Fact, { type: 'mitigation.released' }>;

/** Returns the fact that these holds are released. The remaining holds may need another time of renewal. */
function releasedFact(
  mitigation: Mitigation,
  holds: readonly Hold[],
  release: Release,
  now: number,
): ReleasedFact {
  const fact: ReleasedFact = {
    type: 'mitigation.released',
    id: mitigation.id,
    holds: holds.map(holdKey),
    release,
  };
  const renewAt = renewalTime(evolveMitigation(mitigation, fact, now), now) ?? null;
  return renewAt === (mitigation.renewAt ?? null) ? fact : { ...fact, renewAt };
}

/** Answers an unban that ends nothing: its ban is unknown or led to nothing active, or others hold the mitigation. */
function nothingHeld(
  state: DecisionView,
  detection: Detection,
  ban: RecentBan | undefined,
  before: readonly string[],
  now: number,
): Outcome {
  const { source, externalId, victim, vector } = detection;
  if (externalId !== null && ban === undefined) {
    return {
      status: 'not_found',
      why: [`${source} reported no ban with id ${externalId} in the last 24 hours`],
    };
  }
  const active = mitigationsCovering(state, victim);
  const others = active.map((mitigation) => {
    const holders = holderWords(mitigation, now);
    const held = holders === '' ? '' : `; held by ${holders}`;
    return `mitigation ${mitigation.id} stays active: this alert of ${source} does not hold it${held}`;
  });
  const none = `${source} holds no active mitigation of ${victim} for ${vector}`;
  const about = active.map(({ id }) => id);
  return { status: 'no_active_mitigation', about, why: [...before, none, ...others] };
}
