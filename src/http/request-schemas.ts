/** Schemas of requests: bodies and queries. The OpenAPI document is generated from them. */
import { z } from 'zod';
import { copyText } from '../net/text.ts';
import { MitigationStatusSchema } from '../view/schemas.ts';

/** Schema of a text that people write and read in tables and logs: not blank, no control characters. */
function humanText(max: number) {
  return (
    z
      .string()
      .trim()
      .min(1, 'must not be empty')
      .max(max, `must have at most ${max} characters`)
      .regex(/^[^\p{Cc}\u2028\u2029]*$/u, 'must not contain control characters')
      // Copies the text: after trimming it may be a slice of a megabyte of blanks.
      .overwrite(copyText)
  );
}

const operatorId = humanText(128).describe("Operator name for the audit log; recorded with the token's name");
const reason = humanText(500).describe('Reason, for the audit log');

const confirmed = z
  .boolean()
  .optional()
  .describe(
    'Continue even if this withdraws more than a tenth of the active mitigations (and more than one victim’s); otherwise 409 `needs_confirmation`',
  );

/** A forwarded call of FastNetMon's notify script, or a document of FastNetMon Advanced. */
export const FastNetMonBody = z.union([
  z.strictObject({
    args: z
      .array(z.string().max(256))
      .max(16)
      .describe('IP, direction, packets per second, action; or action, IP'),
    stdin: z.string().optional().describe("The script's standard input"),
  }),
  z.looseObject({ action: z.string() }).describe("FastNetMon Advanced's JSON"),
]);

/** The arguments of FastNetMon's notify script; its standard input is the body. */
export const FastNetMonQuery = z.looseObject({
  ip: z.string().optional(),
  direction: z.string().optional().describe('`incoming` or `outgoing`'),
  pps: z.string().optional().describe('Packets per second'),
  action: z.string().optional().describe('`ban`, `unban`, ...'),
});

/** A webhook message of Alertmanager, version 4, or of Grafana. */
export const AlertmanagerBody = z.looseObject({
  alerts: z.array(z.looseObject({ status: z.string(), labels: z.record(z.string(), z.string()) })),
});

export const WithdrawBody = z.strictObject({ operator_id: operatorId, reason });
export const ControlBody = WithdrawBody;

export const PeerCommandBody = z
  .strictObject({ operator_id: operatorId.optional(), reason: reason.optional() })
  .nullish();
export const PeerClearBody = z
  .strictObject({
    operator_id: operatorId.optional(),
    reason: reason.optional(),
    mode: z.enum(['soft', 'hard']).optional(),
  })
  .nullish();

export const MitigateBody = z
  .strictObject({
    operator_id: operatorId,
    victim_ip: z
      .string()
      .max(64)
      .optional()
      .describe('Address, or prefix with a length; required unless victim_prefix is given'),
    victim_prefix: z.string().max(64).optional().describe('Prefix, instead of victim_ip'),
    protocol: z.union([z.string().max(32), z.int()]).nullish(),
    dst_ports: z.array(z.int().min(0).max(65535)).max(64).optional(),
    action_type: z.enum(['police', 'discard']),
    rate_bps: z.number().positive().max(1e15).nullish().describe('Bits per second; for `police` only'),
    share_rate: z
      .boolean()
      .optional()
      .describe('A `police` may be sent as several rules that share the rate. Default: false'),
    ttl_seconds: z.int().positive().max(31_536_000),
    reason,
  })
  .refine((body) => (body.action_type === 'police') === (typeof body.rate_bps === 'number'), {
    path: ['rate_bps'],
    error: '`police` requires rate_bps; `discard` must not have it',
  })
  .refine((body) => body.share_rate !== true || body.action_type === 'police', {
    path: ['share_rate'],
    error: 'share_rate is valid for `police` only',
  });

export const SafelistBody = z.strictObject({
  operator_id: operatorId.optional(),
  prefix: z.string().max(64).describe('An address means its host prefix'),
  reason,
  confirm: confirmed,
});

export const ReloadBody = z
  .strictObject({ operator_id: operatorId.optional(), confirm: confirmed })
  .nullish();

/** Page size in a query. */
const limit = z.coerce.number().pipe(z.int().min(1).max(1000)).default(100);
const cursor = z.string().max(256).optional().describe('`next_cursor` of the previous page');

export const MitigationQuery = z.strictObject({
  status: z
    .union([z.string(), z.array(z.string())])
    .transform((value) => [value].flat().flatMap((text) => text.split(',')))
    .pipe(z.array(MitigationStatusSchema))
    .optional()
    .describe('One or more, separated by commas'),
  customer_id: z.string().max(256).optional(),
  victim_ip: z.string().max(64).optional(),
  pop: z.string().max(256).optional().describe('`all` is the same as omitting it'),
  limit,
  cursor,
});

export const EventQuery = z.strictObject({
  source: z.string().max(256).optional(),
  victim_ip: z.string().max(64).optional(),
  vector: z.string().max(64).optional(),
  limit,
  cursor,
});

export const LimitQuery = z.strictObject({ limit });
