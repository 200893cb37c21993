/** The JSON shape of the destinations of alerts: what each gets, how its deliveries went, and what it answered to a test. */
import { z } from 'zod';
import { timeOrNull } from './values.ts';

/** A destination, without its address, which is a secret. */
export interface AlertSending {
  readonly name: string;
  readonly type: string;
  readonly events: readonly string[];
  /** Undefined: all alerts, also those about no customer. */
  readonly customers: readonly string[] | undefined;
  readonly minSeverity: string;
  /** Undefined: alerts are not gathered. */
  readonly digestSeconds: number | undefined;
  /** Number of alerts that wait. */
  readonly waiting: number;
}

/** How the deliveries to a destination went since the start. */
export interface DeliveryRecord {
  readonly delivered: number;
  readonly failed: number;
  readonly dropped: number;
  /** Time of the last delivery (ms since the epoch); undefined: none yet. */
  readonly deliveredAt: number | undefined;
  /** The last failure; undefined: none yet. */
  readonly failure: { readonly at: number; readonly detail: string } | undefined;
}

export const NO_DELIVERIES: DeliveryRecord = {
  delivered: 0,
  failed: 0,
  dropped: 0,
  deliveredAt: undefined,
  failure: undefined,
};

/** A destination's answer to one request of a test. */
export interface AlertAnswer {
  /** `open` and `close`: an incident. */
  readonly request: 'message' | 'open' | 'close';
  readonly delivered: boolean;
  /** HTTP status; undefined: there was no response. */
  readonly status: number | undefined;
  /** Begin of the response, or why there was none; without secrets. */
  readonly detail: string;
}

/** Result of a test. */
export interface AlertTrial {
  readonly name: string;
  readonly type: string;
  readonly answers: readonly AlertAnswer[];
}

export const AlertSendingSchema = z.object({
  name: z.string(),
  type: z.string(),
  events: z.array(z.string()),
  customers: z.array(z.string()).nullable().describe('null: all alerts, also those about no customer'),
  min_severity: z.string(),
  digest_seconds: z.number().nullable().describe('null: alerts are not gathered'),
  waiting: z.int().describe('Alerts that wait to be sent'),
  delivered: z.int().describe('Alerts since the start of the daemon'),
  failed: z.int().describe('Refused, or the last attempt failed'),
  dropped: z.int().describe('The queue was full, or a reload or stop came first'),
  last_delivered_at: z.iso.datetime().nullable(),
  last_failed_at: z.iso.datetime().nullable(),
  last_error: z.string().nullable(),
});

export function alertSendingView(one: AlertSending & DeliveryRecord): z.output<typeof AlertSendingSchema> {
  return {
    name: one.name,
    type: one.type,
    events: [...one.events],
    customers: one.customers === undefined ? null : [...one.customers],
    min_severity: one.minSeverity,
    digest_seconds: one.digestSeconds ?? null,
    waiting: one.waiting,
    delivered: one.delivered,
    failed: one.failed,
    dropped: one.dropped,
    last_delivered_at: timeOrNull(one.deliveredAt),
    last_failed_at: timeOrNull(one.failure?.at),
    last_error: one.failure?.detail ?? null,
  };
}

export const AlertTrialSchema = z.object({
  name: z.string(),
  type: z.string(),
  delivered: z.boolean().describe('The destination accepted every request'),
  answers: z.array(
    z.object({
      request: z
        .enum(['message', 'open', 'close'])
        .describe('`open` and `close`: an incident, which the test closes again'),
      delivered: z.boolean(),
      status: z.int().nullable().describe('HTTP status; null: there was no response'),
      detail: z.string().describe('Begin of the response, or why there was none; without secrets'),
    }),
  ),
});

export function alertTrialView({ name, type, answers }: AlertTrial): z.output<typeof AlertTrialSchema> {
  return {
    name,
    type,
    delivered: answers.every(({ delivered }) => delivered),
    answers: answers.map(({ request, delivered, status, detail }) => ({
      request,
      delivered,
      status: status ?? null,
      detail,
    })),
  };
}
