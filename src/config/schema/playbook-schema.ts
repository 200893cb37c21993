/**
 * What may stand in playbooks.yaml and playbooks/*.yaml: the keys and their types. Upstream prefixd's keys are all known.
 * What the values mean together is judged by the core (`buildPlaybooks`).
 */
import { z } from 'zod';
import { WAYS } from '../../core/policy/playbook-data.ts';
import { decimal, flag, integer, oneOf, prefix, protocol, range, words } from './fields.ts';

const profile = oneOf(['strict', 'normal', 'relaxed']);
const oneOrMore = <Item extends z.ZodType>(item: Item, expects: string) =>
  z.union([item, z.array(item).min(1)]).meta({ expects });

const refinement = z.strictObject({
  src_ports: z
    .array(range)
    .optional()
    .describe('Source ports, such as those of reflectors. Known amplification vectors bring their own.'),
  packet_length: oneOrMore(range, 'a length in octets, a range such as "1000-1500", or a list of them')
    .optional()
    .describe('Total length of the IP packet in octets, 20 to 65535.'),
  tcp_flags: oneOrMore(words, 'TCP flags such as "syn,!ack", or a list of them')
    .optional()
    .describe('Flags that must be set, and with `!` flags that must not be.'),
  fragments: flag.optional().describe('Only fragments; such a rule has no ports.'),
  src_prefix: prefix.optional().describe('Only where `guardrails.allow_src_prefix_match` is true.'),
});

const step = z.strictObject({
  action: oneOf(['police', 'discard']).describe('What the routers do.'),
  rate_bps: integer(0, Number.MAX_SAFE_INTEGER, 'bits a second')
    .optional()
    .describe('Rate of `police`, which needs it.'),
  whole_host_rate_bps: integer(1, Number.MAX_SAFE_INTEGER, 'bits a second')
    .optional()
    .describe(
      'Rate of `police` where the rule matches every protocol of its victim, because the report names neither protocol nor ports. Absent: `rate_bps`.',
    ),
  ttl_seconds: integer(1, 86_400, 'seconds')
    .optional()
    .describe('How long the rule stands without further events. Absent: `timers.default_ttl_seconds`.'),
  require_confidence_at_least: decimal(0, 1)
    .optional()
    .describe('Confidence that escalation to this step needs. Absent: `escalation.min_confidence`.'),
  require_persistence_seconds: integer(0, 31_536_000, 'seconds')
    .optional()
    .describe('How long events must keep coming before. Absent: `escalation.min_persistence_seconds`.'),
  match: refinement
    .optional()
    .describe('Narrows the rule; a step without it keeps what the one before said.'),
});

const criteria = z.strictObject({
  vector: oneOrMore(words, 'a vector such as udp_flood, or a list of vectors').describe('Kinds of attack.'),
  require_top_ports: flag.optional().describe('Only events that name destination ports.'),
  source: oneOrMore(words, 'the name of a detector, or a list of names')
    .optional()
    .describe('Detectors, as in the `source` of an event.'),
  protocol: protocol.optional().describe('IP protocol.'),
  min_bps: decimal(0, Number.MAX_SAFE_INTEGER).optional().describe('Bits a second at least.'),
  min_pps: decimal(0, Number.MAX_SAFE_INTEGER).optional().describe('Packets a second at least.'),
  min_confidence: decimal(0, 1).optional().describe('Confidence at least.'),
  customer: oneOrMore(words, 'a customer_id of the inventory, or a list of them')
    .optional()
    .describe('Only victims of these customers.'),
  profile: oneOrMore(profile, 'strict, normal or relaxed, or a list of them')
    .optional()
    .describe('Only customers with this profile.'),
});

const steps = z.array(step).min(1).describe('What to do first, and what next while the attack goes on.');

const ways = z
  .array(oneOf(WAYS))
  .optional()
  .describe(
    'What to try, in this order, when no neighbor can enforce a rule: `share_rate` (a police as several rules that share its rate), `police_allowed_ports` (a police that covers the allowed ports, too), `fewer_ports` (as many ports as a rule can name), `whole_protocol` (the whole protocol; a discard leaves out the allowed ports), `next_step` (the next step of the playbook). Default: all of them in this order. With `[]` such a rule is refused (`not_enforceable`).',
  );

/** One playbook. */
export const playbookSchema = z.strictObject({
  name: words.describe('Unique among all playbooks.'),
  match: criteria.describe('When the playbook applies; all that is given must hold.'),
  steps,
  when_unenforceable: ways,
  correlation: z.unknown().optional().describe('Known from upstream prefixd; read and not used.'),
});

/** playbooks.yaml, and each file of playbooks/ */
export const playbooksSchema = z.strictObject({
  playbooks: z
    .array(playbookSchema)
    .optional()
    .describe(
      'The first that matches applies; those for a customer are asked first, then those for a source, protocol or profile.',
    ),
  default_playbook: z
    .strictObject({
      name: words.optional().describe('Absent: `default`.'),
      steps: steps.describe('As those of a playbook. Required.'),
      when_unenforceable: ways,
    })
    .optional()
    .describe('What to do when no playbook matches. Absent: nothing. In one file at most.'),
});
