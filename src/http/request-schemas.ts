/** Schemas of requests: bodies and queries. The OpenAPI document is generated from them. */
import { z } from 'zod';
import { ACTION_TYPES, type ActionType } from '../core/action.ts';
import { isRouteTarget, ROUTE_TARGET } from '../core/policy/value-kinds.ts';
import { copyText } from '../net/text.ts';
import { PopsField } from './other-pops.ts';
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

const NO_ROUTE_TARGET = 'must be a route target, such as 65010:666 or 192.0.2.1:666';

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

export const WithdrawBody = z.strictObject({ operator_id: operatorId, reason, pops: PopsField });
export const ControlBody = WithdrawBody;

export const AlertTestBody = z.strictObject({ operator_id: operatorId.optional() }).nullish();

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
    action_type: z.enum(ACTION_TYPES),
    rate_bps: z
      .number()
      .positive()
      .max(1e15)
      .nullish()
      .describe('Bits per second; required for `police`, optional for `redirect`'),
    to: humanText(128).nullish().describe('Name of the scrubber, for `redirect` and `divert`'),
    vrf: z
      .string()
      .regex(ROUTE_TARGET, NO_ROUTE_TARGET)
      .refine(isRouteTarget, NO_ROUTE_TARGET)
      .nullish()
      .describe('Route target of the VRF, for `redirect` instead of `to`'),
    ip: z.string().max(64).nullish().describe('Address, for `redirect` instead of `to`'),
    copy: z
      .boolean()
      .optional()
      .describe('`redirect` sends a copy; the packets themselves go on to the victim. Default: false'),
    share_rate: z
      .boolean()
      .optional()
      .describe('A `police` may be sent as several rules that share the rate. Default: false'),
    ttl_seconds: z.int().positive().max(31_536_000),
    reason,
    pops: PopsField,
  })
  .check(({ value, issues }) => {
    for (const { field, message } of actionProblems(value)) {
      issues.push({ code: 'custom', path: [field], message, input: value });
    }
  });

/** The fields that only some actions take. */
const ACTION_FIELDS = ['rate_bps', 'share_rate', 'to', 'vrf', 'ip', 'copy'] as const;

type ActionField = (typeof ACTION_FIELDS)[number];

const TAKEN: Readonly<Record<ActionType, readonly ActionField[]>> = {
  police: ['rate_bps', 'share_rate'],
  discard: [],
  redirect: ['rate_bps', 'to', 'vrf', 'ip', 'copy'],
  divert: ['to'],
  blackhole: [],
};

/** Returns the fields that a request's action lacks, or must not have. */
function actionProblems(
  body: { readonly action_type: ActionType } & { readonly [field in ActionField]?: unknown },
): readonly { readonly field: ActionField; readonly message: string }[] {
  const { action_type: type } = body;
  const given = ACTION_FIELDS.filter((field) => (body[field] ?? false) !== false);
  const surplus = given.find((field) => !TAKEN[type].includes(field));
  if (surplus !== undefined) {
    const takers = Object.entries(TAKEN).flatMap(([other, fields]) =>
      fields.includes(surplus) ? [`\`${other}\``] : [],
    );
    return [
      { field: surplus, message: `is valid for ${takers.join(' and ')} only; omit it for \`${type}\`` },
    ];
  }
  if (type === 'police' && !given.includes('rate_bps')) {
    return [{ field: 'rate_bps', message: 'is required for `police`: bits per second' }];
  }
  if (type === 'divert' && !given.includes('to')) {
    return [{ field: 'to', message: "is required for `divert`: a scrubber's name" }];
  }
  const [target, another] = given.filter((field) => ['to', 'vrf', 'ip'].includes(field));
  if (type !== 'redirect' || (target !== undefined && another === undefined)) return [];
  return [
    {
      field: another ?? 'to',
      message:
        "`redirect` needs exactly one of `to` (a scrubber's name), `vrf` (a route target) and `ip` (an address)",
    },
  ];
}

export const SafelistBody = z.strictObject({
  operator_id: operatorId.optional(),
  prefix: z.string().max(64).describe('An address means its host prefix'),
  reason,
  confirm: confirmed,
  pops: PopsField,
});

export const ReloadBody = z
  .strictObject({ operator_id: operatorId.optional(), confirm: confirmed })
  .nullish();

/** A read of another system's inventory. */
export const InventorySyncBody = z.strictObject({ operator_id: operatorId.optional() }).nullish();

/** Adoption of an inventory that waits. */
export const InventoryAcceptBody = z
  .strictObject({
    operator_id: operatorId.optional(),
    digest: z
      .string()
      .max(128)
      .optional()
      .describe('From GET /v1/inventory/diff: accepts only the answer that was looked at; otherwise 409'),
    confirm: confirmed,
  })
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
  pop: z
    .string()
    .max(256)
    .optional()
    .describe(
      'The POP that keeps it, or that decided it; of another POP or with `all`, `elsewhere` lists those that are not here',
    ),
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
