/** Schemas of the API, the feed, alerts and simulations. First: a rule's match as data, for programs. */
import { z } from 'zod';
import { HOLD_MODES, type Match, type Range } from '../core/types.ts';
import { ActionSchema } from './action-view.ts';

const ranges = z
  .array(z.array(z.int()).length(2))
  .describe('Ranges, both ends included; empty: not restricted');

export const MatchSchema = z.object({
  dst_prefix: z.string(),
  src_prefix: z.string().nullable(),
  protocol: z.int().nullable().describe('IP protocol number; null: any'),
  dst_ports: ranges,
  src_ports: ranges,
  packet_lengths: ranges,
  tcp_flags: z.int().describe('Flags that must be set, as the octet of the TCP header; 0: not restricted'),
  tcp_flags_clear: z.int().describe('Flags that must not be set'),
  fragments: z.boolean().describe('Only fragments'),
});

export function matchView(match: Match): z.output<typeof MatchSchema> {
  return {
    dst_prefix: match.dstPrefix,
    src_prefix: match.srcPrefix ?? null,
    protocol: match.protocol,
    dst_ports: pairs(match.dstPorts),
    src_ports: pairs(match.srcPorts),
    packet_lengths: pairs(match.packetLengths ?? []),
    tcp_flags: match.tcpFlags ?? 0,
    tcp_flags_clear: match.tcpFlagsClear ?? 0,
    fragments: match.fragments ?? false,
  };
}

function pairs(list: readonly Range[]): number[][] {
  return list.map(([from, to]) => [from, to]);
}

// Schemas of decisions. The OpenAPI document is generated from them.

/** A time in the API's form. */
export const time = z.iso.datetime().describe('RFC 3339, UTC');
const id = z.uuid();

export const ProtocolSchema = z.string().describe('`tcp`, `udp`, `icmp`, ... or the number as text');

export const ActorSchema = z.object({
  kind: z.enum(['detector', 'operator', 'system']),
  name: z.string(),
  via: z.string().optional().describe('Name of the token or certificate'),
  issuer: z.string().optional().describe('Who vouches for a person who has signed in'),
  subject: z.string().optional().describe("The person's id at the issuer"),
  address: z.string().optional(),
  request_id: z.string().optional(),
});

export const EventStatusSchema = z.enum([
  'accepted',
  'extended',
  'widened',
  'escalated',
  'accepted_no_playbook',
  'accepted_no_mitigation',
  'dry_run',
  'withdrawn',
  'released',
  'not_found',
  'no_active_mitigation',
  'rejected',
  'duplicate',
]);

/** An event as it is kept. */
export const EventSchema = z.object({
  event_id: id,
  external_event_id: z.string().nullable(),
  received_at: time,
  timestamp: time.nullable().describe('Time of the event by the detector'),
  source: z.string(),
  action: z.enum(['ban', 'unban']),
  victim_ip: z.string().describe('Address or prefix; for `invalid_report` the reported text, cut, or empty'),
  vector: z.string(),
  protocol: ProtocolSchema.nullable(),
  bps: z.number().nullable(),
  pps: z.number().nullable(),
  confidence: z.number().nullable(),
  top_dst_ports: z.array(z.int()),
  top_src_ports: z.array(z.int()),
  tcp_flags: z.array(z.string()).describe('Set, and with `!` not set'),
  status: EventStatusSchema,
  reason: z.string().nullable().describe('The refusal of a rejected event'),
  mitigation_id: id.nullable(),
  why: z.array(z.string()),
  raw_details: z.record(z.string(), z.unknown()),
});

export const MitigationStatusSchema = z.enum([
  'pending',
  'active',
  'escalated',
  'withdrawn',
  'expired',
  'rejected',
]);

/** A detector's alert that keeps a mitigation alive. */
export const HoldSchema = z.object({
  source: z.string(),
  alert_id: z.string().nullable().describe('null: source, victim and vector identify the alert'),
  vector: z.string(),
  victim_ip: z.string(),
  hold: z
    .enum(HOLD_MODES)
    .describe('`until_released`: the TTL is renewed until the detector reports the end'),
  confidence: z.number().nullable(),
  began_at: time,
  reported_at: time,
  until: time.describe('Time at which it lapses without another report'),
});

/** A mitigation as decided, without the routers' states. */
export const DecidedMitigationSchema = z.object({
  mitigation_id: id,
  status: MitigationStatusSchema,
  customer_id: z.string().nullable(),
  service_id: z.string().nullable(),
  pop: z.string().describe('The POP whose daemon answers'),
  origin: z.string().nullable().describe('The POP that decided it; null: `pop` itself'),
  pops: z.array(z.string()).describe('The POPs whose routers get its rule; `*`: all of them'),
  victim_ip: z.string(),
  vector: z.string(),
  protocol: ProtocolSchema.nullable(),
  dst_ports: z.array(z.int()),
  excluded_ports: z
    .array(z.int())
    .describe('Allowed ports that the rule leaves alone, one by one, without ranges of more than 64'),
  excluded_port_ranges: z
    .array(z.string())
    .describe('All allowed ports that the rule leaves alone, such as `53` and `27015-27030`'),
  ...ActionSchema.shape,
  rate_shared: z.boolean().describe('Several rules on one neighbor share the rate'),
  dst_prefix: z.string(),
  match: MatchSchema,
  created_at: time,
  updated_at: time,
  expires_at: time,
  away: z
    .object({
      since: time,
      not_before: time.describe('Its traffic does not return earlier'),
      clean_at: time
        .nullable()
        .describe('The scrubber reported clean traffic, and nothing was reported since'),
      lifted_until: time
        .nullable()
        .describe('Its blackhole is lifted until then, to see whether the attack goes on'),
    })
    .nullable()
    .describe("While the victim's traffic is diverted or blackholed; null: it takes its usual way"),
  withdrawn_at: time.nullable(),
  ended_at: time.nullable(),
  triggering_event_id: id.nullable(),
  last_event_id: id.nullable(),
  playbook: z.string().nullable(),
  step: z.int().describe('Index of the current step, from 0'),
  dry_run: z.boolean(),
  created_by: ActorSchema,
  reason: z.string(),
  why: z.array(z.string()),
  held_by: z.array(z.string()).describe('Detectors whose alerts keep it alive'),
  ending: z.boolean().describe('True while a withdrawal has not yet reached every established session'),
  end: z
    .object({ to: z.enum(['withdrawn', 'expired']), at: time, by: ActorSchema, reason: z.string() })
    .nullable()
    .describe('Its end: by whom, when and why; null before that'),
});

export const SafelistEntrySchema = z.object({
  prefix: z.string(),
  reason: z.string(),
  added_at: time.nullable(),
  added_by: z.string(),
  configured: z.boolean().describe('From the configuration file: cannot be removed over the API'),
});
