/** Defines prefixd.yaml: every key with its default, range, unit and meaning. */
import { alerting } from './alerting-schema.ts';
import { blackhole, scrubbers } from './targets-schema.ts';
import { z } from 'zod';
import { DEFAULT_UNICAST_QUOTAS, POLICY_MODES } from '../../core/policy/policy.ts';
import { DEFAULT_PROFILES, type ProfileName } from '../../core/policy/profile.ts';
import { decimal, flag, integer, oneOf, prefix } from '../../core/policy/value-kinds.ts';
import { auth } from './auth-schema.ts';
import { bgp } from './bgp-schema.ts';
import { detectors } from './detectors-schema.ts';
import { listen, name, path, prefixLength, quota, seconds } from './fields.ts';
import { exchange } from './exchange-schema.ts';
import { inventorySource } from './source-schema.ts';
import { storage } from './storage-schema.ts';

/** Default of `http.listen`. */
export const DEFAULT_LISTEN = '127.0.0.1:8080';

const tls = z.strictObject({
  cert_path: path.describe("PEM file with the server's certificate chain."),
  key_path: path.describe("PEM file with the server's private key."),
  ca_path: path
    .optional()
    .describe('PEM file with a CA. If set, clients must present a certificate signed by it.'),
});

const http = z.strictObject({
  listen: listen
    .default(DEFAULT_LISTEN)
    .describe('Address and port of the API and the dashboard; port 0 selects any free port.'),
  auth: auth.prefault({}).describe('Authentication of callers.'),
  tls: tls.optional().describe('HTTPS. Default: plain HTTP.'),
  rate_limit: z
    .strictObject({
      events_per_second: integer(1, 1_000_000)
        .default(100)
        .describe('Events that a client may send per second, on average.'),
      burst: integer(1, 1_000_000).default(500).describe('Events that a client may send at once.'),
    })
    .prefault({})
    .describe('Limits for each client.'),
});

const guardrails = z.strictObject({
  require_ttl: flag
    .default(true)
    .describe('Accepted from upstream prefixd, but not used: every rule has a TTL.'),
  dst_prefix_minlen: integer(1, 32).default(32).describe('Shortest IPv4 destination prefix of a rule.'),
  dst_prefix_maxlen: integer(1, 32).default(32).describe('Longest IPv4 destination prefix of a rule.'),
  dst_prefix_minlen_v6: integer(1, 128).default(128).describe('Shortest IPv6 destination prefix of a rule.'),
  dst_prefix_maxlen_v6: integer(1, 128).default(128).describe('Longest IPv6 destination prefix of a rule.'),
  aggregate_from: integer(2, 65_536)
    .optional()
    .describe(
      'Number of attacked hosts of one prefix from which one rule covers the prefix. Precedes `aggregation.hosts`.',
    ),
  aggregate_to: prefixLength(32)
    .optional()
    .describe(
      'Length up to which an IPv4 rule may cover a prefix, such as `/24`: for many hosts of it, or for a report that names it. Precedes `aggregation.to_v4`, and allows what `dst_prefix_minlen` would refuse.',
    ),
  aggregate_to_v6: prefixLength(128)
    .optional()
    .describe('The same for IPv6, such as `/56`. Precedes `aggregation.to_v6`.'),
  max_ports: integer(1, 64).default(8).describe('Most ports in a rule.'),
  allow_src_prefix_match: flag
    .default(false)
    .describe('Allows playbooks to narrow a rule by source prefix. Source addresses are easily forged.'),
  require_inventory: flag.default(true).describe('The victim must belong to a customer.'),
  protected: z
    .strictObject({
      prefixes: z
        .array(prefix)
        .default([])
        .describe('Prefixes that no rule may cover, besides router id, neighbors and local addresses.'),
      ports: z.array(integer(0, 65535)).default([179]).describe('Ports that no rule may name.'),
    })
    .prefault({})
    .describe('Prefixes and ports that no rule may touch.'),
});

const quotas = z.strictObject({
  max_active_per_customer: quota.default(5).describe('Active mitigations of one customer.'),
  max_active_per_pop: quota.default(200).describe('Active mitigations of one POP.'),
  max_active_global: quota.default(500).describe('Active mitigations in total.'),
  max_new_per_minute: quota.default(30).describe('New mitigations in any 60 seconds.'),
  max_diverted_per_customer: quota
    .default(DEFAULT_UNICAST_QUOTAS.maxDivertedPerCustomer)
    .describe('Active diversions of one customer.'),
  max_diverted_per_pop: quota
    .default(DEFAULT_UNICAST_QUOTAS.maxDivertedPerPop)
    .describe('Active diversions of one POP.'),
  max_blackholed_per_customer: quota
    .default(DEFAULT_UNICAST_QUOTAS.maxBlackholedPerCustomer)
    .describe('Active blackholes of one customer.'),
  max_blackholed_per_pop: quota
    .default(DEFAULT_UNICAST_QUOTAS.maxBlackholedPerPop)
    .describe('Active blackholes of one POP.'),
});

const timers = z.strictObject({
  default_ttl_seconds: seconds(1).default(120).describe('TTL of steps that have no `ttl_seconds`.'),
  min_ttl_seconds: seconds(1).default(30).describe('Shortest TTL.'),
  max_ttl_seconds: seconds(1).default(1800).describe('Longest TTL.'),
  correlation_window_seconds: seconds(1)
    .default(300)
    .describe('Time for which events about the same victim belong together; an older event changes nothing.'),
  max_hold_seconds: seconds(1)
    .default(7200)
    .describe(
      'For a detector that reports the end of an attack: how long after its last report the TTL of a mitigation is renewed.',
    ),
  hold_down_seconds: seconds(0)
    .default(0)
    .describe(
      'How long a rule stays after the last detector reported the end of the attack; a new report in that time keeps it.',
    ),
  reconciliation_interval_seconds: integer(1, 3600, 'seconds')
    .default(30)
    .describe('How often all rules are compared with what each session was sent.'),
});

const escalation = z.strictObject({
  enabled: flag.default(true).describe('Continue with later steps of a playbook.'),
  min_persistence_seconds: seconds(0)
    .default(120)
    .describe('How long the attack must last, for steps without `require_persistence_seconds`.'),
  min_confidence: decimal(0, 1)
    .default(0.7)
    .describe('Required confidence, for steps without `require_confidence_at_least`.'),
});

const factor = decimal(0.01, 100);

function profile(name: ProfileName) {
  const { confidence, persistence, ttl } = DEFAULT_PROFILES[name];
  const keys = z.strictObject({
    confidence: factor
      .default(confidence)
      .describe('Factor on the confidence that a step requires; the product is at most 0.95.'),
    persistence: factor.default(persistence).describe('Factor on the persistence that a step requires.'),
    ttl: factor.default(ttl).describe("Factor on a step's TTL."),
  });
  return keys.prefault({});
}

const profiles = z.strictObject({
  strict: profile('strict').describe('Customers with `policy_profile: strict`.'),
  normal: profile('normal').describe('Customers with `policy_profile: normal`.'),
  relaxed: profile('relaxed').describe('Customers with `policy_profile: relaxed`.'),
});

const observability = z.strictObject({
  log_format: oneOf(['json', 'text']).default('json').describe('Log format; `text` is for people.'),
  log_level: oneOf(['trace', 'debug', 'info', 'warn', 'error'])
    .default('info')
    .describe('Lowest level that is logged.'),
  audit_log_path: path
    .optional()
    .describe(
      'File of the audit log, JSON lines; decisions are written within 100 ms. Default: `audit.jsonl` in the folder `storage.path`; with `storage.driver: postgres` a table beside the journal.',
    ),
  metrics_listen: listen
    .optional()
    .describe('A separate listener for /metrics, without authentication. Default: only on the API.'),
});

const aggregation = z.strictObject({
  hosts: integer(2, 65_536)
    .default(24)
    .describe(
      'Number of hosts in one inventory prefix under the same attack from which one rule covers the prefix.',
    ),
  window_seconds: seconds(1).default(60).describe('Time within which these hosts must be reported.'),
  to_v4: integer(1, 32)
    .default(24)
    .describe('Length of the IPv4 prefix; `guardrails.dst_prefix_minlen` must allow it.'),
  to_v6: integer(1, 128)
    .default(56)
    .describe('Length of the IPv6 prefix; `guardrails.dst_prefix_minlen_v6` must allow it.'),
});

/** The content of prefixd.yaml. The output is the effective configuration with the keys of the file. */
export const settingsSchema = z.strictObject({
  pop: name.default('default').describe('Point of presence that this daemon decides for.'),
  mode: oneOf(POLICY_MODES)
    .default('enforced')
    .describe('`dry-run` decides and records, and announces nothing.'),
  http: http.prefault({}).describe('The HTTP API.'),
  bgp: bgp.describe('The BGP speaker and its neighbors.'),
  guardrails: guardrails.prefault({}).describe('Limits that no rule may cross.'),
  quotas: quotas.prefault({}).describe('Limits on the number of mitigations. 0 allows none.'),
  scrubbers: scrubbers.default([]).describe('Where traffic can be sent for cleaning.'),
  blackhole: blackhole.prefault({}).describe('How and for whom all traffic of a victim may be dropped.'),
  timers: timers.prefault({}).describe('Durations that decisions use.'),
  escalation: escalation
    .prefault({})
    .describe('When a mitigation continues with the next step of its playbook.'),
  profiles: profiles.prefault({}).describe("Factors on a playbook's values, by the customer's profile."),
  storage: storage.prefault({}).describe('Storage of decisions.'),
  exchange: exchange
    .optional()
    .describe('Shares mitigations with other POPs through PostgreSQL. Default: this POP is on its own.'),
  observability: observability.prefault({}).describe('Logs, audit log and metrics.'),
  safelist: z
    .strictObject({
      prefixes: z.array(prefix).default([]).describe('No rule may overlap these prefixes.'),
    })
    .prefault({})
    .describe('Prefixes that are never mitigated; more can be added through the API.'),
  shutdown: z
    .strictObject({
      drain_timeout_seconds: integer(0, 3600, 'seconds')
        .default(30)
        .describe('Most time that stopping may take.'),
      preserve_announcements: flag
        .default(true)
        .describe(
          'If true, sessions close so that neighbors with graceful restart keep the rules; if false, all rules are withdrawn first.',
        ),
    })
    .prefault({})
    .describe('Behavior when the daemon stops.'),
  aggregation: aggregation
    .prefault({})
    .describe(
      'If an attack hits many hosts, one rule for their prefix replaces one rule for each host. Off unless the guardrails allow that prefix length.',
    ),
  detectors: detectors.prefault({}).describe('Interpretation of detectors and their messages.'),
  alerting: alerting.prefault({}).describe('Alerts to people and programs.'),
  inventory: inventorySource
    .optional()
    .describe(
      'Another system whose customers are protected ([NetBox](netbox.md)). Customers in inventory.yaml win over it. Default: none.',
    ),
});

/** The effective configuration with the keys of the file, before paths are resolved and secrets read. */
export type Settings = z.output<typeof settingsSchema>;
