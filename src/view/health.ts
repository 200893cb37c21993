/** The daemon's health in the API's form: one assessment with its reasons. */
import { z } from 'zod';
import { timeText } from '../net/time.ts';

/** `not_enforcing`: decisions reach no router, on purpose (mock, dry run, paused). `starting`: the journal is being read. */
export const HEALTH_STATUSES = ['ok', 'degraded', 'not_enforcing', 'starting'] as const;

export type HealthStatus = (typeof HEALTH_STATUSES)[number];

/** Stable codes of reasons. */
export const HEALTH_CODES = [
  'starting',
  'mock',
  'dry_run',
  'paused',
  'journal',
  'journal_stalled',
  'unrecorded',
  'audit',
  'snapshot',
  'clock',
  'no_neighbors',
  'session_down',
  'session_disabled',
  'unsupported',
  'over_budget',
  'scrubber_down',
  'quota',
  'exchange',
  'exchange_pop',
  'scrubber_request',
  'inventory',
] as const;

export type HealthCode = (typeof HEALTH_CODES)[number];

export interface HealthReason {
  readonly code: HealthCode;
  /** For an operator; one line. */
  readonly text: string;
  /** Time at which it was first noticed (ms since the epoch). */
  readonly since: number;
}

export interface Assessment {
  readonly status: HealthStatus;
  /** Reasons that keep decisions from routers come first; empty when healthy. */
  readonly reasons: readonly HealthReason[];
}

export const HealthStatusSchema = z
  .enum(HEALTH_STATUSES)
  .describe(
    '`not_enforcing`: decisions reach no router (mock, dry run, paused); `starting`: the journal is being read',
  );

export const HealthReasonSchema = z.object({
  code: z.enum(HEALTH_CODES),
  text: z.string(),
  since: z.iso.datetime().describe('Time at which it was first noticed; RFC 3339, UTC'),
});

export function reasonView({ code, text, since }: HealthReason): z.output<typeof HealthReasonSchema> {
  return { code, text, since: timeText(since) };
}
