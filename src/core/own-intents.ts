/** Says what the other POPs must learn of this POP's own mitigations. */
import { type EndedIntent, isImported, type StandingIntent } from './intent.ts';
import { activeHolds } from './state/holds.ts';
import type { Mitigation } from './types.ts';

/**
 * True when the mitigation was decided here and is for other POPs, too. Not in a dry run, which announces nothing
 * anywhere. A mitigation that the others already know of may stop to be for them: they learn that by another statement,
 * and a later step may be for them again.
 */
export function concernsOthers(mitigation: Pick<Mitigation, 'origin' | 'pops' | 'pop' | 'dryRun'>): boolean {
  const { pops, pop, dryRun } = mitigation;
  if (isImported(mitigation) || dryRun || pops === undefined || pops === null) return false;
  return pops.some((name) => name !== pop);
}

/** Returns the statement about an active mitigation, and the time left until it expires (ms). */
export function standingIntent(
  mitigation: Mitigation,
  now: number,
): { readonly intent: StandingIntent; readonly remainingMs: number } {
  const { id, victim, vector, customerId, match, ports, excludedPorts, action } = mitigation;
  const { playbook, step, reason, why, pop, pops } = mitigation;
  const known = activeHolds(mitigation, now).flatMap(({ confidence }) => confidence ?? []);
  return {
    intent: {
      kind: 'standing',
      id,
      victim,
      vector,
      customerId,
      match,
      ports,
      excludedPorts,
      action,
      confidence: known.length === 0 ? null : Math.max(...known),
      playbook,
      step,
      reason,
      why,
      createdAgoMs: Math.max(0, now - mitigation.createdAt),
      pops: pops ?? [pop],
      ...(mitigation.away?.probeUntil === undefined ? {} : { lifted: true as const }),
    },
    remainingMs: Math.max(0, mitigation.expiresAt - now),
  };
}

/** Returns the statement about a mitigation that is ending or has ended; undefined if it is not. */
export function endedIntent({ id, ending }: Pick<Mitigation, 'id' | 'ending'>): EndedIntent | undefined {
  if (ending === null) return undefined;
  return { kind: 'ended', id, to: ending.to, reason: ending.reason, actorName: ending.actor.name };
}
