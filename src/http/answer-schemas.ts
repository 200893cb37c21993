/** Schemas of answers. The OpenAPI document is generated from them. */
import { z } from 'zod';
import { RULE_KINDS } from '../core/action.ts';
import { POLICY_MODES } from '../core/policy/policy.ts';
import { HealthReasonSchema, HealthStatusSchema } from '../view/health.ts';
import { HistoryEntrySchema, HistoryOmittedSchema } from '../view/history.ts';
import { ProtectionSchema } from '../view/protection-view.ts';
import { DecidedMitigationSchema, EventStatusSchema, HoldSchema, time } from '../view/schemas.ts';

const id = z.uuid();

const RuleKindSchema = z
  .enum(RULE_KINDS)
  .describe('`flowspec`: a rule; `divert`, `blackhole`: a unicast route for the victim');

/** `application/problem+json` (RFC 9457). */
export const ProblemSchema = z
  .looseObject({
    type: z.literal('about:blank'),
    status: z.int(),
    title: z.string(),
    detail: z.string(),
    error: z.string().describe('The same text as `detail`'),
    reason: z.string().optional().describe('For refusals: a stable snake_case code'),
    errors: z.array(z.object({ field: z.string(), message: z.string() })).optional(),
  })
  .describe('A problem');

/** Problems that any route may answer. */
export const commonProblems = {
  '4xx': {
    description: 'The request is invalid or refused',
    content: { 'application/problem+json': { schema: ProblemSchema } },
  },
  '5xx': {
    description: 'prefixd cannot answer the request now',
    content: { 'application/problem+json': { schema: ProblemSchema } },
  },
} as const;

/** Members of an answer to a command that withdraws rules: it takes effect even without a working disk. */
export const effectShape = {
  recorded: z
    .literal(false)
    .optional()
    .describe(
      'The command is in effect, but not in the journal yet, which cannot be written. It is recorded when the disk works again, and lost if prefixd stops before that. Absent: it is recorded',
    ),
  warning: z.string().optional().describe('Explains `recorded: false`'),
};

/** Body of the 202 for an event. */
export const EventAnswerSchema = z.object({
  event_id: id,
  external_event_id: z.string().nullable(),
  mitigation_id: id.nullable(),
  status: EventStatusSchema,
  why: z.array(z.string()),
});

/** Body of the 202 for a signal; `event_id` is null if it asks for nothing, because then it is not an event. */
export const SignalAnswerSchema = EventAnswerSchema.extend({ event_id: id.nullable() });

/** Body of the 207 for several events, in their order. */
export const BatchAnswerSchema = z.object({
  results: z.array(
    z.looseObject({
      code: z
        .int()
        .describe('Status code that this event alone would have received: 202, 400, 409, 422 or 503'),
      status: z.union([EventStatusSchema, z.enum(['invalid', 'unavailable'])]),
      event_id: id.nullable().optional(),
      external_event_id: z.string().nullable().optional(),
      mitigation_id: id.nullable().optional(),
      why: z.array(z.string()).optional(),
      error: z.string().optional(),
      reason: z.string().optional(),
    }),
  ),
  notes: z
    .array(z.string())
    .optional()
    .describe('Parts of the message that were not read, and parts of the answer that are omitted'),
});

/** Body of the 202 for a message that may contain several reports: the most important result. */
export const SignalsAnswerSchema = SignalAnswerSchema.extend({
  results: BatchAnswerSchema.shape.results
    .optional()
    .describe('One for each part of a message with several: codes and statuses as in a batch'),
});

export const MitigationSchema = DecidedMitigationSchema.extend({
  holds: z
    .array(HoldSchema)
    .describe(
      'Alerts that keep it active: it ends when the last one is released, when its TTL expires, or when an operator withdraws it',
    ),
  protection: ProtectionSchema.nullable().describe(
    'Protection of its prefix at a cloud scrubber; null: the scrubber takes no requests, or the mitigation has none',
  ),
  rule: z.string().describe('Operator notation'),
  rules: z.array(
    z.object({
      neighbor: z.string(),
      kind: RuleKindSchema,
      rule: z.string(),
      nlri_hex: z.string(),
      state: z
        .enum(['sent', 'pending', 'unsupported', 'over_budget'])
        .describe(
          "`sent`: acknowledged by the router's TCP, which does not prove that the rule is installed; `over_budget`: waits for room in max_rules",
        ),
      why: z.string().optional(),
    }),
  ),
  enforcement: z
    .object({ sent: z.int(), pending: z.int(), unsupported: z.int(), over_budget: z.int() })
    .describe("Number of neighbors by the rule's state there"),
});

/** One mitigation with its history. */
export const MitigationDetailSchema = MitigationSchema.extend({
  history: z.array(HistoryEntrySchema).describe('Its history, oldest first'),
  history_omitted: HistoryOmittedSchema.describe('Counts of history entries that are not kept'),
});

export const NotificationSchema = z.object({ code: z.int(), subcode: z.int(), text: z.string(), at: time });
const messageCounts = z.record(z.string(), z.int());

export const PeerSchema = z.object({
  name: z.string(),
  address: z.string(),
  peer_asn: z.int(),
  state: z.enum(['idle', 'connect', 'active', 'opensent', 'openconfirm', 'established']),
  state_since: time,
  enabled: z.boolean(),
  disabled: z
    .object({ by: z.string(), at: time, reason: z.string() })
    .nullable()
    .describe('The operator who disabled the session, with time and reason; null if none did'),
  established_at: time.nullable(),
  uptime_seconds: z.number().nullable(),
  families: z.array(z.string()).describe('As configured'),
  negotiated: z
    .object({
      hold_time_seconds: z.int(),
      families: z.array(z.string()),
      four_octet_as: z.boolean(),
      route_refresh: z.boolean(),
      enhanced_route_refresh: z.boolean(),
      extended_messages: z.boolean(),
      graceful_restart: z.boolean(),
      peer_router_id: z.string(),
    })
    .nullable(),
  rules_sent: z.int(),
  rules_pending: z.int(),
  last_error: z.string().nullable(),
  hint: z
    .string()
    .nullable()
    .describe('Probable reason why the session does not come up; null if it has not been down for long'),
  last_cause: z
    .object({
      text: z.string(),
      first_at: time,
      last_at: time,
      count: z.int(),
      symptom: z.string().nullable().describe('Effect on the connections since then'),
    })
    .nullable()
    .describe('Reason from a NOTIFICATION why the session does not come up; kept until it is established'),
  last_notification_sent: NotificationSchema.nullable(),
  last_notification_received: NotificationSchema.nullable(),
  counters: z.object({
    messages_in: messageCounts,
    messages_out: messageCounts,
    routes_received: z.int(),
    established: z.int(),
    flaps: z.int().describe('Established sessions that were lost without a command from prefixd'),
    since: time.describe('Start of counting'),
    last_flap_at: time.nullable(),
  }),
});

export const RibRouteSchema = z.object({
  family: z.string(),
  kind: RuleKindSchema.nullable().describe('null for a unicast route whose mitigation is no longer known'),
  nlri_hex: z.string().describe('Including its length octets'),
  rule: z.string(),
  actions_hex: z
    .string()
    .describe('Extended communities (8 octets each), then those of attribute 25 (20 octets each)'),
  mitigation_id: id.nullable(),
  sent_at: time,
});

export const HealthSchema = z.object({
  status: HealthStatusSchema,
  ready: z.boolean().describe('False while the daemon starts: events are not accepted yet'),
  version: z.string(),
  uptime_seconds: z.number(),
  starting: z
    .object({
      phase: z
        .enum(['opening', 'reading', 'applying'])
        .describe(
          '`opening`: the journal is being opened; `reading`: its facts are being read; `applying`: the policy is being applied',
        ),
      facts_read: z.int(),
      facts_about: z.int().nullable().describe('An estimate; null until the journal is open'),
    })
    .optional()
    .describe('Progress of reading the journal; only while the daemon starts. Other counts are 0 until then'),
});

/** Describes what callers who are limited to some customers do not get. */
const NOT_IN_SCOPE = 'null for a caller who is limited to some customers';

export const HealthDetailSchema = HealthSchema.extend({
  pop: z.string(),
  mode: z.enum(POLICY_MODES),
  started_at: time,
  problems: z.array(z.string()).describe('The texts of `reasons`'),
  reasons: z.array(HealthReasonSchema).describe('Reasons why the status is not `ok`'),
  paused: z.object({ at: time, by: z.string(), reason: z.string() }).nullable(),
  journal: z.object({ seq: z.int() }).nullable().describe(NOT_IN_SCOPE),
  peers: z.object({ configured: z.int(), established: z.int() }).nullable().describe(NOT_IN_SCOPE),
  mitigations: z.object({ live: z.int() }),
  reconciler: z
    .object({
      runs: z.int(),
      drift: z.int(),
      last_run_at: time.nullable(),
      last_run_ms: z.number(),
      egress_refusals: z.int(),
    })
    .nullable()
    .describe(NOT_IN_SCOPE),
  feed_readers: z.int().nullable().describe(NOT_IN_SCOPE),
});

export const StatsSchema = z.object({
  total_active: z.int().describe('Active mitigations, including those being withdrawn'),
  total_expired: z.int(),
  total_withdrawn: z.int(),
  total_rejected: z.int(),
  by_status: z.record(z.string(), z.int()),
  by_customer: z.record(z.string(), z.int()).describe('Active mitigations'),
  by_pop: z.record(z.string(), z.int()).describe('Active mitigations'),
  by_action: z.record(z.string(), z.int()).describe('Active mitigations'),
  events_remembered: z.int(),
});

export const FeedText = z
  .string()
  .describe('`id: <seq>`, `event: <type of the fact>`, `data: <JSON>`, an empty line');
