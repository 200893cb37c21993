/** What every answer to an event has in common, bans and unbans alike. */
import type { Command, DecideContext, Decision } from './commands.ts';
import type { Fact } from './facts.ts';
import type { DecisionView } from './state-view.ts';
import type { EventRecord, EventStatus, Mitigation, RefusalReason } from './types.ts';
import { secondsWords } from './words.ts';

export type EventCommand = Extract<Command, { type: 'event' }>;

/** How far ahead of this daemon's clock a detector's may be. */
const MAX_AHEAD_MS = 60_000;

/** What came out of an event, before it is written down. */
export interface Outcome {
  readonly status: EventStatus;
  readonly refusal?: RefusalReason;
  /** As it will be once the facts are folded. */
  readonly mitigation?: Mitigation;
  /** As in EventRecord. */
  readonly block?: string;
  /** Facts that follow the event's own. */
  readonly facts?: readonly Fact[];
  readonly why: readonly string[];
}

/** The event's record and what it led to, as one decision. */
export function eventDecision(
  { detection, actor }: EventCommand,
  eventId: string,
  now: number,
  outcome: Outcome,
): Decision {
  const { status, why } = outcome;
  const refusal = outcome.refusal ?? null;
  const mitigation = outcome.mitigation ?? null;
  const event: EventRecord = {
    id: eventId,
    receivedAt: now,
    detection,
    actor,
    status,
    refusal,
    mitigationId: mitigation?.id ?? null,
    ...(outcome.block === undefined ? {} : { block: outcome.block }),
    why,
  };
  return {
    facts: [{ type: 'event.received', event }, ...(outcome.facts ?? [])],
    answer: { type: 'event', eventId, status, mitigation, refusal, why },
  };
}

/** Why an event changes nothing: its timestamp is older than the correlation window, or ahead of the clock. Null when it is neither. */
export function untimely({ detection }: EventCommand, context: DecideContext): string | null {
  if (detection.at === null) return null;
  const { policy, systemTime = context.now } = context;
  const windowSeconds = policy.timers.correlationWindowSeconds;
  const ageMs = systemTime - detection.at;
  if (ageMs > windowSeconds * 1000) {
    return `the event is ${secondsWords(ageMs / 1000)} old, older than the correlation window of ${windowSeconds} s: recorded only`;
  }
  if (ageMs < -MAX_AHEAD_MS) {
    return `the event's timestamp is ${secondsWords(-ageMs / 1000)} in the future: recorded only; check the detector's clock`;
  }
  return null;
}

/** That the daemon is paused, in words; null when it is not. */
export function pausedWords(state: DecisionView): string | null {
  if (state.paused === null) return null;
  const { actor, reason } = state.paused;
  return `paused by ${actor.name} (${reason}): nothing new is announced`;
}
