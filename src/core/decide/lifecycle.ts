/** How long a mitigation stands, when it becomes stricter, and how it ends. */
import type { Fact } from '../facts.ts';
import type { Step } from '../policy/playbook.ts';
import type { Escalation, Timers } from '../policy/policy.ts';
import type { Profile } from '../policy/profile.ts';
import type { Actor, Ending, Mitigation } from '../types.ts';
import { secondsWords } from '../../net/text.ts';

/** No profile raises the confidence a step asks for beyond this. */
const MAX_SCALED_CONFIDENCE = 0.95;

export const SYSTEM: Actor = { kind: 'system', name: 'prefixd' };

/** A step's TTL in seconds after the profile, within the bounds. `why` says what was changed, if anything was. */
export function stepTtl(
  step: Step,
  profile: Profile,
  timers: Timers,
): { readonly seconds: number; readonly why: readonly string[] } {
  const base = step.ttlSeconds ?? timers.defaultTtlSeconds;
  const scaled = base * profile.ttl;
  const seconds = Math.min(Math.max(scaled, timers.minTtlSeconds), timers.maxTtlSeconds);
  if (seconds === scaled) return { seconds, why: [] };
  const bounds = `${timers.minTtlSeconds} to ${timers.maxTtlSeconds} s`;
  return { seconds, why: [`a TTL of ${secondsWords(scaled)} is out of bounds (${bounds}): ${seconds} s`] };
}

/** What a step asks for before it may replace the one before it. */
export interface Requirement {
  /** 0..1 */
  readonly confidence: number;
  readonly persistenceSeconds: number;
}

/** A step's own figures; the escalation section fills in what it leaves out; the profile scales both. */
export function requirementOf(step: Step, profile: Profile, escalation: Escalation): Requirement {
  const confidence = step.confidence ?? escalation.minConfidence;
  const persistence = step.persistenceSeconds ?? escalation.minPersistenceSeconds;
  const scaled = confidence * profile.confidence;
  const capped = Math.max(Math.min(scaled, MAX_SCALED_CONFIDENCE), Math.min(scaled, confidence));
  return {
    // Four decimals, so that 0.7 x 1.2 is 0.84 and not a little more.
    confidence: Number(capped.toFixed(4)),
    persistenceSeconds: persistence * profile.persistence,
  };
}

/** Whether a step may take over now, and which threshold was met or missed. An event without confidence has none. */
export function meetsRequirement(
  requirement: Requirement,
  confidence: number | null,
  persistedSeconds: number,
): { readonly met: boolean; readonly why: string } {
  const { confidence: least, persistenceSeconds } = requirement;
  const enough = (confidence ?? 0) >= least;
  const longEnough = persistedSeconds >= persistenceSeconds;
  const confidenceWords = `confidence ${confidence ?? 'not given'} ${enough ? 'reaches' : 'is below'} ${least}`;
  const persistenceWords =
    `events have come for ${secondsWords(persistedSeconds)}, ` +
    `${longEnough ? 'at least' : 'less than'} ${secondsWords(persistenceSeconds)}`;
  return { met: enough && longEnough, why: `${confidenceWords}; ${persistenceWords}` };
}

/**
 * The facts that send a mitigation on its way out. One in dry-run stands in no router, so it has ended at once; the
 * others end when every established session has been sent the withdrawal.
 */
export function endingFacts(mitigation: Mitigation, ending: Ending): readonly Fact[] {
  const facts: Fact[] = [{ type: 'mitigation.ending', id: mitigation.id, ending }];
  if (mitigation.dryRun) facts.push(endedFact(mitigation.id, ending));
  return facts;
}

/** The fact that a mitigation has ended. */
export function endedFact(id: string, ending: Ending): Fact {
  return { type: ending.to === 'expired' ? 'mitigation.expired' : 'mitigation.withdrawn', id };
}
