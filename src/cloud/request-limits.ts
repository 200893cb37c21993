/** How often and how long a request to a scrubber is tried. */
import { type Attempt, pauseAfter, type PauseLimits } from '../alert/attempt.ts';
import type { Protection } from './protection.ts';

export interface RequestLimits extends PauseLimits {
  /** Failed attempts from which a request counts as failed; it is tried further. */
  readonly attempts: number;
  /** Pause after a refusal, and after each further attempt at a stop that counts as failed (ms). */
  readonly longPauseMs: number;
  /** Time after which a stop is given up (ms). */
  readonly giveUpMs: number;
  /** Most requests to one scrubber at one time. */
  readonly atOnce: number;
  /** Longest time that a start waits for the ledger (ms): an attack must not wait for a disk that hangs. */
  readonly ledgerMs: number;
}

export const REQUEST_LIMITS: RequestLimits = {
  attempts: 5,
  pauseMs: 1_000,
  maxPauseMs: 60_000,
  longPauseMs: 300_000,
  giveUpMs: 86_400_000,
  atOnce: 4,
  ledgerMs: 2_000,
};

export type FailedAttempt = Exclude<Attempt, { readonly verdict: 'delivered' }>;

/**
 * Returns the pause after a failed attempt (ms). While an attack is not scrubbed, its start is tried at least once a
 * minute; a stop that fails costs only money. `random`: from 0 to less than 1.
 */
export function pauseFor(
  { request, attempts, failed }: Protection,
  failure: FailedAttempt,
  limits: RequestLimits,
  random: number,
): number {
  if (failure.verdict === 'refused' || (failed && request === 'stop')) return limits.longPauseMs;
  return pauseAfter(attempts, limits, random, failure.afterMs);
}
