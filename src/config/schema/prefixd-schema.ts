/** What may stand in prefixd.yaml: every key with its default, range, unit and meaning. */
import { z } from 'zod';
import { ALERT_EVENTS } from '../../alert/alert.ts';
import type { LabelMap } from '../../intake/alertmanager.ts';
import { DEFAULT_LABELS } from '../../intake/alertmanager.ts';
import { bgp } from './bgp-schema.ts';
import {
  decimal,
  environment,
  flag,
  integer,
  listen,
  name,
  oneOf,
  path,
  prefix,
  quota,
  vector,
  webUrl,
  words,
} from './fields.ts';

const hold = oneOf(['until_released', 'until_ttl']);

const role = oneOf(['detector', 'viewer', 'operator', 'admin']);

/** Where the API listens unless http.listen says otherwise. */
export const DEFAULT_LISTEN = '127.0.0.1:8080';

/** The environment variable of the one admin token when no other is named. */
export const DEFAULT_TOKEN_ENV = 'PREFIXD_API_TOKEN';

const token = z.strictObject({
  name: name.describe('Name of the caller, as the audit log shows it.'),
  role: role.describe(
    '`detector`: events and signals; `viewer`: reads; `operator`: everything but reload; `admin`: everything.',
  ),
  token_env: environment.describe('Environment variable that holds the token.'),
  hold: hold
    .optional()
    .describe('How mitigations that are reported with this token are held; it goes before `detectors`.'),
});

const auth = z.strictObject({
  mode: oneOf(['none', 'bearer', 'mtls'])
    .default('none')
    .describe('How callers prove who they are. `mtls` needs `http.tls` with `ca_path`.'),
  bearer_token_env: environment
    .optional()
    .describe(
      `Environment variable that holds the token of an admin. With mode bearer and no \`tokens\`: ${DEFAULT_TOKEN_ENV}.`,
    ),
  tokens: z.array(token).default([]).describe('Further tokens, each with a name and a role.'),
  roles: z
    .record(words, role)
    .optional()
    .describe(
      'mTLS: role by the CN of the client certificate. Without it everybody is admin; with it, a CN that is not in it is refused.',
    ),
  allow_insecure: flag
    .default(false)
    .describe(
      'Lets mode none listen on an address that is not loopback. Anyone who reaches it can drop traffic.',
    ),
});

const tls = z.strictObject({
  cert_path: path.describe('PEM file with the certificate chain of the server.'),
  key_path: path.describe('PEM file with its private key.'),
  ca_path: path
    .optional()
    .describe('PEM file of a CA; clients must then present a certificate that it signed.'),
});

const http = z.strictObject({
  listen: listen
    .default(DEFAULT_LISTEN)
    .describe('Where the API and the dashboard listen; port 0 takes any.'),
  auth: auth.prefault({}).describe('Authentication of callers.'),
  tls: tls.optional().describe('HTTPS. Absent: plain HTTP.'),
  rate_limit: z
    .strictObject({
      events_per_second: integer(1, 1_000_000).default(100).describe('Events a client may send, on average.'),
      burst: integer(1, 1_000_000).default(500).describe('Events a client may send at once.'),
    })
    .prefault({})
    .describe('Limits for each client.'),
});

const guardrails = z.strictObject({
  require_ttl: flag
    .default(true)
    .describe('Known from upstream prefixd; read and not used: every rule has a TTL.'),
  dst_prefix_minlen: integer(1, 32).default(32).describe('Shortest IPv4 destination of a rule.'),
  dst_prefix_maxlen: integer(1, 32).default(32).describe('Longest IPv4 destination of a rule.'),
  dst_prefix_minlen_v6: integer(1, 128).default(128).describe('Shortest IPv6 destination of a rule.'),
  dst_prefix_maxlen_v6: integer(1, 128).default(128).describe('Longest IPv6 destination of a rule.'),
  max_ports: integer(1, 64).default(8).describe('Most ports in a rule.'),
  allow_src_prefix_match: flag
    .default(false)
    .describe('Lets a playbook narrow a rule by source prefix. Sources are easily forged.'),
  require_inventory: flag.default(true).describe('The victim must belong to a customer.'),
  protected: z
    .strictObject({
      prefixes: z
        .array(prefix)
        .default([])
        .describe('Never covered by a rule, on top of router id, neighbors and local addresses.'),
      ports: z.array(integer(0, 65535)).default([179]).describe('Never named by a rule.'),
    })
    .prefault({})
    .describe('What no rule may touch.'),
});

const quotas = z.strictObject({
  max_active_per_customer: quota.default(5).describe('Active mitigations of one customer.'),
  max_active_per_pop: quota.default(200).describe('Active mitigations of one POP.'),
  max_active_global: quota.default(500).describe('Active mitigations altogether.'),
  max_new_per_minute: quota.default(30).describe('New mitigations in any 60 seconds.'),
});

const seconds = (least: number): z.ZodInt => integer(least, 31_536_000, 'seconds');

const timers = z.strictObject({
  default_ttl_seconds: seconds(1).default(120).describe('TTL where a playbook gives none.'),
  min_ttl_seconds: seconds(1).default(30).describe('Shortest TTL.'),
  max_ttl_seconds: seconds(1).default(1800).describe('Longest TTL.'),
  correlation_window_seconds: seconds(1)
    .default(300)
    .describe('How long events about the same victim belong together; an older event changes nothing.'),
  max_hold_seconds: seconds(1)
    .default(7200)
    .describe(
      'How long the TTL of a mitigation is renewed for a detector that reports the end of an attack, counted from its last report.',
    ),
  hold_down_seconds: seconds(0)
    .default(0)
    .describe(
      'How long a rule stays after the last detector reported the end; a new report in that time keeps it.',
    ),
  reconciliation_interval_seconds: integer(1, 3600, 'seconds')
    .default(30)
    .describe('How often everything is compared with what each session was sent.'),
});

const escalation = z.strictObject({
  enabled: flag.default(true).describe('Go on to further steps of a playbook.'),
  min_persistence_seconds: seconds(0)
    .default(120)
    .describe('How long events must keep coming, where a step says nothing.'),
  min_confidence: decimal(0, 1).default(0.7).describe('Confidence needed, where a step says nothing.'),
});

const factor = decimal(0.01, 100);

function profile(confidence: number, persistence: number, ttl: number) {
  const keys = z.strictObject({
    confidence: factor
      .default(confidence)
      .describe('Factor on the confidence a step requires; the product is at most 0.95.'),
    persistence: factor.default(persistence).describe('Factor on the persistence a step requires.'),
    ttl: factor.default(ttl).describe('Factor on the TTL of a step.'),
  });
  return keys.prefault({});
}

const profiles = z.strictObject({
  strict: profile(0.8, 0.5, 1.5).describe('Customers with `policy_profile: strict`.'),
  normal: profile(1, 1, 1).describe('Customers with `policy_profile: normal`.'),
  relaxed: profile(1.2, 2, 0.75).describe('Customers with `policy_profile: relaxed`.'),
});

const observability = z.strictObject({
  log_format: oneOf(['json', 'text']).default('json').describe('`text` is one line for people.'),
  log_level: oneOf(['trace', 'debug', 'info', 'warn', 'error']).default('info').describe('What is logged.'),
  audit_log_path: path
    .optional()
    .describe(
      'The audit log, JSON lines; decisions are in it within 100 ms. Absent: `audit.jsonl` in the folder `storage.path`.',
    ),
  metrics_listen: listen
    .optional()
    .describe('A listener for /metrics alone, without authentication. Absent: only the one of the API.'),
});

/** The labels that are known without being named are the default. */
function labels(meaning: keyof LabelMap) {
  return z
    .array(words)
    .min(1)
    .default([...DEFAULT_LABELS[meaning]]);
}

const labelMap = z.strictObject({
  victim_ip: labels('victim_ip').describe('Address under attack.'),
  vector: labels('vector').describe('Kind of attack.'),
  protocol: labels('protocol').describe('IP protocol by name or number.'),
  bps: labels('bps').describe('Bits a second.'),
  pps: labels('pps').describe('Packets a second.'),
  confidence: labels('confidence').describe('0 to 1.'),
  top_dst_ports: labels('top_dst_ports').describe('Destination ports, separated by commas or spaces.'),
  top_src_ports: labels('top_src_ports').describe('Source ports, separated by commas or spaces.'),
  tcp_flags: labels('tcp_flags').describe('TCP flags of all packets, such as `syn,!ack`.'),
  source: labels('source').describe('Name of the detector.'),
});

/** What can be said of every detector. */
const detectorKeys = {
  hold: hold
    .optional()
    .describe(
      '`until_released`: it reports the end of an attack, and the TTL is renewed until then; `until_ttl`: it repeats its report. Default: `until_released` for FastNetMon, Alertmanager and Grafana, else `until_ttl`.',
    ),
  confidence: decimal(0, 1)
    .optional()
    .describe('Confidence of a report that gives none. Default: none, so that no further step is reached.'),
  repeat_seconds: seconds(1)
    .optional()
    .describe(
      'How often it repeats its report while an attack lasts. `prefixd check` warns when rules would expire in between. Default: 4 h for Alertmanager and Grafana, never for FastNetMon, else unknown.',
    ),
  vector_map: z
    .record(words, vector)
    .default({})
    .describe('Vectors by the names that the detector gives them, on top of the built-in aliases.'),
};

const detector = z.strictObject(detectorKeys);

const detectors = z
  .object({
    alertmanager: z
      .strictObject({
        ...detectorKeys,
        labels: labelMap
          .prefault({})
          .describe('Which labels (else annotations) of an alert say what; the first that it has counts.'),
      })
      .prefault({})
      .describe('Alertmanager. The labels are those of Grafana, too.'),
    fastnetmon: detector.prefault({}).describe('FastNetMon, both editions.'),
    grafana: detector.prefault({}).describe('Grafana.'),
  })
  .catchall(
    detector.describe(
      'Any other detector, by the `source` of its events. Names that begin with `x-` are left out.',
    ),
  );

const aggregation = z.strictObject({
  hosts: integer(2, 65_536)
    .default(24)
    .describe(
      'Hosts of one inventory prefix under the same attack from which on one rule covers the prefix.',
    ),
  window_seconds: seconds(1).default(60).describe('Time within which they must be reported.'),
  to_v4: integer(1, 32)
    .default(24)
    .describe('Length of the IPv4 prefix; `guardrails.dst_prefix_minlen` must allow it.'),
  to_v6: integer(1, 128)
    .default(56)
    .describe('Length of the IPv6 prefix; `guardrails.dst_prefix_minlen_v6` must allow it.'),
});

const destination = z.discriminatedUnion('type', [
  z.strictObject({
    type: z
      .literal('slack')
      .describe('A Slack incoming webhook: about one message a second, a digest when more alerts wait.'),
    webhook_url_env: environment.describe('Environment variable that holds the URL of the webhook.'),
  }),
  z.strictObject({
    type: z
      .literal('pagerduty')
      .describe(
        'PagerDuty Events API v2. A mitigation, a pause and the refusals of one victim are each one incident that resolves.',
      ),
    routing_key_env: environment.describe('Environment variable that holds the routing key.'),
  }),
  z.strictObject({
    type: z.literal('webhook').describe('A POST of JSON to a URL.'),
    url: webUrl.optional().describe('Where to post. Required, or `url_env`.'),
    url_env: environment
      .optional()
      .describe('Environment variable that holds the URL, for one whose path is a secret.'),
    secret_env: environment
      .optional()
      .describe('Environment variable that holds the key of `X-Prefixd-Signature` (HMAC-SHA256).'),
  }),
]);

const alerting = z.strictObject({
  destinations: z.array(destination).default([]).describe('Where alerts go.'),
  events: z
    .array(oneOf(ALERT_EVENTS))
    .default([
      'mitigation.created',
      'mitigation.escalated',
      'mitigation.withdrawn',
      'mitigation.expired',
      'mitigation.unenforced',
    ])
    .describe(
      'What raises an alert. With `mitigation.rejected`, the refusals of one victim for one reason are one alert, and those by a quota are one alert for each customer. `mitigation.unenforced`: some neighbor cannot enforce an active mitigation or has no room for it.',
    ),
  allow_private_addresses: flag
    .default(false)
    .describe('Lets alerts go to loopback, private and link-local addresses.'),
});

/** prefixd.yaml. Its output is the effective configuration in the words of the file. */
export const settingsSchema = z.strictObject({
  pop: name.default('default').describe('Point of presence this daemon decides for.'),
  mode: oneOf(['enforced', 'dry-run'])
    .default('enforced')
    .describe('`dry-run` decides and records, and announces nothing.'),
  http: http.prefault({}).describe('The HTTP API.'),
  bgp: bgp.describe('The BGP speaker and its neighbors.'),
  guardrails: guardrails.prefault({}).describe('What a rule may never be.'),
  quotas: quotas.prefault({}).describe('How many mitigations there may be. 0 allows none.'),
  timers: timers.prefault({}).describe('Times of decisions.'),
  escalation: escalation.prefault({}).describe('When a mitigation goes on to the next step of its playbook.'),
  profiles: profiles
    .prefault({})
    .describe('Factors on the figures of a playbook, by the profile of the customer.'),
  storage: z
    .strictObject({
      driver: oneOf(['jsonl']).default('jsonl').describe('The journal: JSON lines.'),
      path: path.default('./data').describe('Folder of the journal; one daemon owns it.'),
    })
    .prefault({})
    .describe('Where decisions are remembered.'),
  observability: observability.prefault({}).describe('Logs, audit and metrics.'),
  safelist: z
    .strictObject({
      prefixes: z
        .array(prefix)
        .default([])
        .describe('Never touched by a rule, in either direction of overlap.'),
    })
    .prefault({})
    .describe('Prefixes that are never mitigated; more can be added over the API.'),
  shutdown: z
    .strictObject({
      drain_timeout_seconds: integer(0, 3600, 'seconds').default(30).describe('Longest time to stop in.'),
      preserve_announcements: flag
        .default(true)
        .describe('Close so that graceful-restart helpers keep the rules; false withdraws everything first.'),
    })
    .prefault({})
    .describe('How to stop.'),
  aggregation: aggregation
    .prefault({})
    .describe(
      'When an attack hits many hosts, one rule for their prefix takes the place of one for each. Off unless the guardrails allow that length.',
    ),
  detectors: detectors.prefault({}).describe("How detectors' own messages are read."),
  alerting: alerting.prefault({}).describe('Alerts to people and programs.'),
});

/** The effective configuration in the words of the file, before paths are resolved and secrets read. */
export type Settings = z.output<typeof settingsSchema>;
