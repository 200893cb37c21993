/** What every answer to an event has in common, bans and unbans alike. */
import type { Command, DecideContext, Decision } from '../commands.ts';
import type { Fact } from '../facts.ts';
import type { DecisionView } from '../state/state-view.ts';
import type { Detection, EventRecord, EventStatus, Mitigation, RefusalReason } from '../types.ts';
import { secondsWords } from '../../net/text.ts';

export type EventCommand = Extract<Command, { type: 'event' }>;

/** How far ahead of this daemon's clock a detector's may be before it is told. */
const MAX_AHEAD_MS = 60_000;

/** So many mitigations are told of a report that did not change them. */
const MAX_ABOUT = 16;

/** What came out of an event, before it is written down. */
export interface Outcome {
  readonly status: EventStatus;
  readonly refusal?: RefusalReason;
  /** As it will be once the facts are folded. */
  readonly mitigation?: Mitigation;
  /** As in EventRecord. */
  readonly block?: string;
  /** As in EventRecord. */
  readonly about?: readonly string[];
  /** Facts that follow the event's own. */
  readonly facts?: readonly Fact[];
  readonly why: readonly string[];
}

/** The event's record and what it led to, as one decision. */
export function eventDecision(
  { detection, actor, hold }: EventCommand,
  eventId: string,
  now: number,
  outcome: Outcome,
): Decision {
  const { status } = outcome;
  const why = [...(detection.notes ?? []), ...outcome.why];
  const refusal = outcome.refusal ?? null;
  const mitigation = outcome.mitigation ?? null;
  const about = (outcome.about ?? []).slice(0, MAX_ABOUT);
  const event: EventRecord = {
    id: eventId,
    receivedAt: now,
    detection,
    actor,
    status,
    refusal,
    mitigationId: mitigation?.id ?? null,
    ...(hold === undefined ? {} : { hold }),
    ...(outcome.block === undefined ? {} : { block: outcome.block }),
    ...(about.length === 0 ? {} : { about }),
    why,
  };
  return {
    facts: [{ type: 'event.received', event }, ...(outcome.facts ?? [])],
    answer: { type: 'event', eventId, status, mitigation, refusal, why },
  };
}

/** A report that could not be read, written down so that somebody finds out. */
export function unreadable(
  command: EventCommand,
  problems: readonly string[],
  { newId, now }: DecideContext,
): Decision {
  return eventDecision(command, newId(), now, {
    status: 'rejected',
    refusal: 'invalid_report',
    why: ['the report could not be read, and nothing was decided', ...problems],
  });
}

/**
 * The same event with no time that lies ahead of the system's clock: a detector whose clock is fast is believed at arrival.
 * `at` stays what it said. A minute is what clocks may differ by without anybody being told.
 */
export function asOfArrival(command: EventCommand, context: DecideContext): EventCommand {
  const { detection } = command;
  const now = context.systemTime ?? context.now;
  const { at, beganAt = at ?? undefined, endedAt = at ?? undefined } = detection;
  const ahead = Math.max(at ?? now, beganAt ?? now, endedAt ?? now) - now;
  if (ahead <= 0) return command;
  const fast = `the detector's clock is ${secondsWords(ahead / 1000)} ahead of ours: the event counts as of its arrival; check that clock`;
  const believed: Detection = {
    ...detection,
    ...(beganAt === undefined ? {} : { beganAt: Math.min(beganAt, now) }),
    ...(endedAt === undefined || detection.action === 'ban' ? {} : { endedAt: Math.min(endedAt, now) }),
    ...(ahead > MAX_AHEAD_MS ? { notes: [...(detection.notes ?? []), fast] } : {}),
  };
  return { ...command, detection: believed };
}

/** Why an event changes nothing: its timestamp is older than the correlation window. Null when it is not. */
export function untimely({ detection }: EventCommand, context: DecideContext): string | null {
  if (detection.at === null) return null;
  const { policy, systemTime = context.now } = context;
  const windowSeconds = policy.timers.correlationWindowSeconds;
  const ageMs = systemTime - detection.at;
  if (ageMs > windowSeconds * 1000) {
    return `the event is ${secondsWords(ageMs / 1000)} old, older than the correlation window of ${windowSeconds} s: recorded only`;
  }
  return null;
}

/** That the daemon is paused, in words; null when it is not. */
export function pausedWords(state: DecisionView): string | null {
  if (state.paused === null) return null;
  const { actor, reason } = state.paused;
  return `paused by ${actor.name} (${reason}): nothing new is announced`;
}
