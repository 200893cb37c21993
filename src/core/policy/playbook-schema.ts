/**
 * Defines playbooks: the keys of playbooks.yaml and playbooks/*.yaml, including all keys of upstream prefixd, and their
 * types. `buildPlaybooks` checks how values fit together.
 */
import { ACTION_TYPES } from '../action.ts';
import { z } from 'zod';
import { PROFILE_NAMES } from './profile.ts';
import {
  address,
  decimal,
  flag,
  integer,
  oneOf,
  popNames,
  prefix,
  routeTarget,
  type DeepReadonly,
  words,
} from './value-kinds.ts';
import { PROTOCOL_LIST } from './vectors.ts';

/** What to try about a rule that no neighbor can enforce as drafted, in this order. */
export const WAYS = [
  'share_rate',
  'police_allowed_ports',
  'fewer_ports',
  'whole_protocol',
  'next_step',
] as const;

export type Way = (typeof WAYS)[number];

/** An IP protocol by number or by name. */
const protocol = z
  .union([z.int().min(0).max(255), z.string()])
  .meta({ expects: `${PROTOCOL_LIST}, or a protocol number from 0 to 255` });

/** A number, or text such as "1000-1500". */
const range = z
  .union([z.int(), z.string()])
  .meta({ expects: 'a whole number, or a range such as "1000-1500"' });

const oneOrMore = <Item extends z.ZodType>(item: Item, expects: string) =>
  z.union([item, z.array(item).min(1)]).meta({ expects });

const refinement = z.strictObject({
  src_ports: z
    .array(range)
    .optional()
    .describe(
      'Source ports, such as those of reflectors. Known amplification vectors have their own by default.',
    ),
  packet_length: oneOrMore(range, 'a length in bytes, a range such as "1000-1500", or a list of them')
    .optional()
    .describe('Total length of the IP packet in bytes, 20 to 65535.'),
  tcp_flags: oneOrMore(words, 'TCP flags such as "syn,!ack", or a list of them')
    .optional()
    .describe('Flags that must be set, or with `!` must not be set.'),
  fragments: flag.optional().describe('Matches only fragments; such a rule has no ports.'),
  src_prefix: prefix
    .optional()
    .describe('Source prefix; allowed only if `guardrails.allow_src_prefix_match` is true.'),
});

/** The scopes of a step that are not a list of POPs. */
const SCOPES = ['here', 'everywhere', 'victim', 'reported'] as const;

const scope = z
  .union([oneOf(SCOPES), popNames])
  .meta({ expects: `one of ${SCOPES.join(', ')}, or a list of POPs such as [fra1, ams1]` });

const step = z.strictObject({
  action: oneOf(ACTION_TYPES).describe(
    'Action of the routers: `police` and `discard` filter, `redirect` sends the packets of the rule elsewhere, `divert` and `blackhole` announce a unicast route for the victim.',
  ),
  rate_bps: integer(0, Number.MAX_SAFE_INTEGER, 'bits per second')
    .optional()
    .describe('Rate of `police`, required with it; `redirect` may have one.'),
  to: words.optional().describe('Scrubber of `redirect` or `divert`: a name in `scrubbers`.'),
  vrf: routeTarget.optional().describe('Route target of the VRF to which `redirect` sends the packets.'),
  ip: address.optional().describe('Address to which `redirect` sends the packets.'),
  copy: flag
    .optional()
    .describe('If true, `redirect` sends a copy, and the packets take their usual way too.'),
  whole_host_rate_bps: integer(1, Number.MAX_SAFE_INTEGER, 'bits per second')
    .optional()
    .describe(
      'Rate of `police` if the rule matches all protocols of its victim, because the report names neither protocol nor ports. Default: `rate_bps`.',
    ),
  ttl_seconds: integer(1, 86_400, 'seconds')
    .optional()
    .describe('How long the rule stays active without another event. Default: `timers.default_ttl_seconds`.'),
  require_confidence_at_least: decimal(0, 1)
    .optional()
    .describe('Confidence required to escalate to this step. Default: `escalation.min_confidence`.'),
  require_persistence_seconds: integer(0, 31_536_000, 'seconds')
    .optional()
    .describe(
      'How long the attack must last before escalation to this step. Default: `escalation.min_persistence_seconds`.',
    ),
  scope: scope
    .optional()
    .describe(
      'The POPs whose routers get the rule: `here` (this POP), `everywhere` (all POPs), `victim` (the POPs that the inventory names for the victim; all if it names none), `reported` (the POPs that the report names; this one if it names none), or a list of POPs. Other POPs learn of it by the exchange. Default: `here`.',
    ),
  match: refinement.optional().describe("Narrows the rule. Default: the previous step's `match`."),
});

const criteria = z.strictObject({
  vector: oneOrMore(words, 'a vector such as udp_flood, or a list of vectors').describe('Kinds of attack.'),
  require_top_ports: flag.optional().describe('If true, only events that name destination ports.'),
  source: oneOrMore(words, 'the name of a detector, or a list of names')
    .optional()
    .describe('Only events of these detectors (`source` of an event).'),
  protocol: protocol.optional().describe('Only events with this IP protocol.'),
  min_bps: decimal(0, Number.MAX_SAFE_INTEGER).optional().describe('Minimum rate in bits per second.'),
  min_pps: decimal(0, Number.MAX_SAFE_INTEGER).optional().describe('Minimum rate in packets per second.'),
  min_confidence: decimal(0, 1).optional().describe('Minimum confidence.'),
  customer: oneOrMore(words, 'a customer_id of the inventory, or a list of them')
    .optional()
    .describe('Only victims of these customers.'),
  profile: oneOrMore(oneOf(PROFILE_NAMES), 'strict, normal or relaxed, or a list of them')
    .optional()
    .describe('Only customers with this profile.'),
});

const steps = z
  .array(step)
  .min(1)
  .describe('The steps, in order: the first action, then the next ones while the attack continues.');

const ways = z
  .array(oneOf(WAYS))
  .optional()
  .describe(
    'Alternatives to try, in this order, if no neighbor can enforce a rule: `share_rate` (several police rules that share the rate), `police_allowed_ports` (a police that also covers the allowed ports), `fewer_ports` (as many ports as a rule can name), `whole_protocol` (the whole protocol; a discard excludes the allowed ports), `next_step` (the next step of the playbook). Default: all of them, in this order. With `[]` such a rule is refused (`not_enforceable`).',
  );

/** One playbook. */
export const playbookSchema = z.strictObject({
  name: words.describe('Unique among all playbooks.'),
  match: criteria.describe('Conditions under which the playbook applies; all of them must hold.'),
  pops: popNames
    .optional()
    .describe(
      'POPs that use this playbook; the others ignore it, so that all of them can share one file. Default: all.',
    ),
  steps,
  when_unenforceable: ways,
  correlation: z.unknown().optional().describe('Accepted from upstream prefixd, but not used.'),
});

/** The content of playbooks.yaml, and of each file in playbooks/. */
export const playbooksSchema = z.strictObject({
  playbooks: z
    .array(playbookSchema)
    .optional()
    .describe(
      'The first matching playbook applies; those for a customer are tried first, then those for a source, protocol, profile or POP.',
    ),
  default_playbook: z
    .strictObject({
      name: words.optional().describe('Default: `default`.'),
      steps: steps.describe('Steps as in a playbook. Required.'),
      when_unenforceable: ways,
    })
    .optional()
    .describe('Applies if no playbook matches; allowed in one file only. Default: none.'),
});

/** One file of playbooks. Without `default_playbook`, an attack without a playbook is not mitigated. */
export type PlaybooksData = DeepReadonly<z.infer<typeof playbooksSchema>>;
export type PlaybookData = DeepReadonly<z.infer<typeof playbookSchema>>;
export type PlaybookMatchData = PlaybookData['match'];
export type StepData = DeepReadonly<z.infer<typeof step>>;
export type ScopeData = NonNullable<StepData['scope']>;
export type RefinementData = DeepReadonly<z.infer<typeof refinement>>;
