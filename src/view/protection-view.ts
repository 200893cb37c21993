/** The JSON shape of a prefix's protection at a cloud scrubber: what was requested, and whether it was confirmed. */
import { z } from 'zod';
import { timeText } from '../net/time.ts';
import { timeOrNull } from './values.ts';

/**
 * - requested: the scrubber has not confirmed the start yet.
 * - confirmed: it has answered the start with success, which does not prove that it protects.
 * - failed: the attempts are used up, or it has refused; prefixd continues to try, at long intervals.
 * - stopping: the mitigations are over, and it has not confirmed the stop yet.
 */
export const PROTECTION_STATES = ['requested', 'confirmed', 'failed', 'stopping'] as const;

export type ProtectionState = (typeof PROTECTION_STATES)[number];

/** A prefix that a scrubber is asked to protect, or no longer to protect. */
export interface ProtectionStatus {
  readonly scrubber: string;
  readonly prefix: string;
  /** The mitigation whose values the requests carry. */
  readonly mitigationId: string;
  readonly state: ProtectionState;
  readonly request: 'start' | 'stop';
  /** Begin of the state (ms since the epoch). */
  readonly since: number;
  /** Failed attempts at the current request. */
  readonly attempts: number;
  /** Absent: no attempt has failed. */
  readonly lastError?: string;
  /** Time of the next attempt (ms); absent: none is waiting. */
  readonly nextAttemptAt?: number;
}

export const ProtectionSchema = z.object({
  scrubber: z.string(),
  prefix: z.string(),
  mitigation_id: z.string().describe('The mitigation whose values the requests carry'),
  state: z
    .enum(PROTECTION_STATES)
    .describe(
      '`requested`: not confirmed yet; `confirmed`: the start was answered with success; `failed`: refused, or the attempts are used up; `stopping`: the stop is not confirmed yet',
    ),
  request: z.enum(['start', 'stop']).describe('The last request, which `state` is about'),
  since: z.iso.datetime(),
  attempts: z.int().describe('Failed attempts at the request'),
  last_error: z.string().nullable(),
  next_attempt_at: z.iso.datetime().nullable(),
});

export function protectionView(one: ProtectionStatus): z.output<typeof ProtectionSchema> {
  return {
    scrubber: one.scrubber,
    prefix: one.prefix,
    mitigation_id: one.mitigationId,
    state: one.state,
    request: one.request,
    since: timeText(one.since),
    attempts: one.attempts,
    last_error: one.lastError ?? null,
    next_attempt_at: timeOrNull(one.nextAttemptAt),
  };
}
