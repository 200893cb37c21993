/** Builds the answers to events, for bans and unbans alike. */
import type { Command, DecideContext, Decision } from '../commands.ts';
import type { Fact } from '../facts.ts';
import type { DecisionView } from '../state/state-view.ts';
import type { Detection, EventRecord, EventStatus, Mitigation, RefusalReason } from '../types.ts';
import { secondsWords } from '../../net/text.ts';

export type EventCommand = Extract<Command, { type: 'event' }>;

/** A detector's clock may be this far ahead of this daemon's before the answer says so. */
const MAX_AHEAD_MS = 60_000;

/** A report lists at most this many mitigations that it did not change. */
const MAX_ABOUT = 16;

/** The result of an event before it is recorded. */
export interface Outcome {
  readonly status: EventStatus;
  readonly refusal?: RefusalReason;
  /** The mitigation as it will be once the facts are folded. */
  readonly mitigation?: Mitigation;
  /** As in EventRecord. */
  readonly block?: string;
  /** As in EventRecord. */
  readonly about?: readonly string[];
  /** Facts that follow the event's own. */
  readonly facts?: readonly Fact[];
  readonly why: readonly string[];
}

/** Combines an event's record and its consequences into one decision. */
export function eventDecision(
  { detection, actor, hold }: EventCommand,
  eventId: string,
  now: number,
  outcome: Outcome,
): Decision {
  const { status, refusal, mitigation } = outcome;
  const why = [...(detection.notes ?? []), ...outcome.why];
  const about = (outcome.about ?? []).slice(0, MAX_ABOUT);
  const event: EventRecord = {
    id: eventId,
    receivedAt: now,
    detection,
    actor,
    status,
    refusal: refusal ?? null,
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

/** Records a report that could not be read, so that operators see it. */
export function unreadable(
  command: EventCommand,
  problems: readonly string[],
  { newId, now }: DecideContext,
): Decision {
  return eventDecision(command, newId(), now, {
    status: 'rejected',
    refusal: 'invalid_report',
    why: ['the report could not be read; nothing was decided', ...problems],
  });
}

/**
 * Replaces times that are ahead of the system's clock by the time of arrival; `at` keeps the detector's value. The
 * answer mentions differences of more than a minute.
 */
export function asOfArrival(command: EventCommand, context: DecideContext): EventCommand {
  const { detection } = command;
  const now = context.systemTime ?? context.now;
  const { at, beganAt = at ?? undefined, endedAt = at ?? undefined } = detection;
  const ahead = Math.max(at ?? now, beganAt ?? now, endedAt ?? now) - now;
  if (ahead <= 0) return command;
  const fast = `the detector's clock is ${secondsWords(ahead / 1000)} ahead of this daemon's: the event's time of arrival is used; check the detector's clock`;
  const believed: Detection = {
    ...detection,
    ...(beganAt === undefined ? {} : { beganAt: Math.min(beganAt, now) }),
    ...(endedAt === undefined || detection.action === 'ban' ? {} : { endedAt: Math.min(endedAt, now) }),
    ...(ahead > MAX_AHEAD_MS ? { notes: [...(detection.notes ?? []), fast] } : {}),
  };
  return { ...command, detection: believed };
}

/** Explains why an event changes nothing if its timestamp is older than the correlation window; else undefined. */
export function untimely({ detection }: EventCommand, context: DecideContext): string | undefined {
  if (detection.at === null) return undefined;
  const { policy, systemTime = context.now } = context;
  const windowSeconds = policy.timers.correlationWindowSeconds;
  const ageMs = systemTime - detection.at;
  if (ageMs > windowSeconds * 1000) {
    return `the event is ${secondsWords(ageMs / 1000)} old, older than the correlation window of ${windowSeconds} s: recorded only`;
  }
  return undefined;
}

/** Explains that the daemon is paused; undefined when it is not. */
export function pausedWords(state: DecisionView): string | undefined {
  if (state.paused === undefined) return undefined;
  const { actor, reason } = state.paused;
  return `paused by ${actor.name} (${reason}): nothing new is announced`;
}
