/** Computes how long a mitigation lasts, when it escalates, and how it ends. */
import type { Fact } from '../facts.ts';
import type { Step } from '../policy/playbook.ts';
import { maxTtlSeconds } from '../policy/scrubbers.ts';
import type { Escalation, Policy } from '../policy/policy.ts';
import type { Profile } from '../policy/profile.ts';
import type { Actor, Ending, Mitigation } from '../types.ts';
import { secondsWords } from '../../net/text.ts';

/** No profile raises a step's required confidence beyond this. */
const MAX_SCALED_CONFIDENCE = 0.95;

export const SYSTEM: Actor = { kind: 'system', name: 'prefixd' };

/** Returns a step's TTL in seconds, scaled by the profile and kept within the bounds. `why` explains a change. */
export function stepTtl(
  step: Step,
  profile: Profile,
  policy: Policy,
): { readonly seconds: number; readonly why: readonly string[] } {
  const { timers } = policy;
  const base = step.ttlSeconds ?? timers.defaultTtlSeconds;
  const scaled = base * profile.ttl;
  const most = maxTtlSeconds(policy, step.action);
  const seconds = Math.min(Math.max(scaled, timers.minTtlSeconds), most);
  if (seconds === scaled) return { seconds, why: [] };
  const bound = seconds > scaled ? 'raised to the minimum' : 'lowered to the maximum';
  return { seconds, why: [`TTL ${secondsWords(scaled)} ${bound} of ${seconds} s`] };
}

/** The conditions of an escalation to a step. */
export interface Requirement {
  /** 0..1 */
  readonly confidence: number;
  readonly persistenceSeconds: number;
}

/** Returns a step's own values; the escalation section supplies missing ones, and the profile scales both. */
export function requirementOf(step: Step, profile: Profile, escalation: Escalation): Requirement {
  const confidence = step.confidence ?? escalation.minConfidence;
  const persistence = step.persistenceSeconds ?? escalation.minPersistenceSeconds;
  const scaled = confidence * profile.confidence;
  const capped = Math.max(Math.min(scaled, MAX_SCALED_CONFIDENCE), Math.min(scaled, confidence));
  return {
    // Rounds to 4 decimals, so that 0.7 x 1.2 is 0.84 and not a little more.
    confidence: Number(capped.toFixed(4)),
    persistenceSeconds: persistence * profile.persistence,
  };
}

/** Decides if a step's conditions are met, and explains each. An event without confidence does not meet the first. */
export function meetsRequirement(
  requirement: Requirement,
  confidence: number | null,
  persistedSeconds: number,
): { readonly met: boolean; readonly why: string } {
  const { confidence: least, persistenceSeconds } = requirement;
  const enough = (confidence ?? 0) >= least;
  const longEnough = persistedSeconds >= persistenceSeconds;
  const longWords = longEnough
    ? `the attack has lasted ${secondsWords(persistedSeconds)} (>= ${secondsWords(persistenceSeconds)})`
    : `the attack has lasted only ${secondsWords(persistedSeconds)} of ${secondsWords(persistenceSeconds)}`;
  const confidenceWords =
    confidence === null
      ? `no confidence given (${least} needed)`
      : `confidence ${confidence} ${enough ? '>=' : '<'} ${least}`;
  const but = enough === longEnough ? 'and' : 'but';
  return { met: enough && longEnough, why: `${confidenceWords}, ${but} ${longWords}` };
}

/**
 * Returns the facts that end a mitigation. In dry-run no router has it, so it ends at once; otherwise it ends when
 * every established session has been sent the withdrawal.
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
