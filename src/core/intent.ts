/**
 * What a POP states to the others about its mitigations. Clocks never meet: an intent has spans of time and no times,
 * and the exchange says how much is left of them when it arrives.
 */
import type { MitigationAction } from './action.ts';
import { type Actor, EVERY_POP, type IntentVersion, type Match, type Mitigation } from './types.ts';

/**
 * A mitigation that is active at its POP. It comes from outside, so the exchange checks its form before it becomes a
 * command: canonical addresses, a match in normal form, a rate above 0 for police, texts and lists of bounded length.
 */
export interface StandingIntent {
  readonly kind: 'standing';
  /** The mitigation's id, which is the same at every POP. */
  readonly id: string;
  readonly victim: string;
  readonly vector: string;
  /** The owner by that POP's inventory, for people; each POP finds the owner in its own. */
  readonly customerId: string | null;
  readonly match: Match;
  /** As in Mitigation. */
  readonly ports: readonly number[];
  readonly excludedPorts: readonly number[];
  readonly action: MitigationAction;
  /** The highest among the reports that hold it; null: none gave one. */
  readonly confidence: number | null;
  /** Name of that POP's playbook, and index of its step. */
  readonly playbook: string | null;
  readonly step: number;
  readonly reason: string;
  readonly why: readonly string[];
  /** The time since it was decided (ms). */
  readonly createdAgoMs: number;
  /** As in Mitigation; never empty. */
  readonly pops: readonly string[];
  /** Its POP has lifted its blackhole for a moment, to see whether the attack goes on; absent: it has not. */
  readonly lifted?: true;
}

/** A mitigation that its POP has ended. Final, whatever is stated about it later. */
export interface EndedIntent {
  readonly kind: 'ended';
  readonly id: string;
  readonly to: 'withdrawn' | 'expired';
  readonly reason: string;
  /** Name of the person or program that ended it. */
  readonly actorName: string;
}

export type Intent = StandingIntent | EndedIntent;

/** Returns the actor of what another POP did. */
export function popActor(pop: string): Actor {
  return { kind: 'system', name: pop, via: 'exchange' };
}

/** True when another POP decided the mitigation: this one carries it out, and never continues it on its own. */
export function isImported<Kind extends Pick<Mitigation, 'origin'>>(
  mitigation: Kind,
): mitigation is Kind & { readonly origin: IntentVersion } {
  return mitigation.origin !== undefined;
}

/** True when the mitigation is for the routers of the POP that keeps it. */
export function isForHere({ pops, pop }: Pick<Mitigation, 'pops' | 'pop'>): boolean {
  return pops === undefined || pops === null || namesPop(pops, pop);
}

/** True when a list of POPs contains this one. */
export function namesPop(pops: readonly string[], pop: string): boolean {
  return pops.includes(EVERY_POP) || pops.includes(pop);
}

/** Returns a list of POPs in its one form: ascending without repetitions, or EVERY_POP alone; null for `own` alone. */
export function normalPops(pops: readonly string[], own: string): readonly string[] | null {
  if (pops.includes(EVERY_POP)) return [EVERY_POP];
  const names = [...new Set(pops)].sort();
  return names.length === 0 || (names.length === 1 && names[0] === own) ? null : names;
}

/** Orders the statements of one POP, the earlier first; 0: it is the same one. */
export function compareVersions(a: IntentVersion, b: IntentVersion): number {
  return a.epoch - b.epoch || a.n - b.n;
}
