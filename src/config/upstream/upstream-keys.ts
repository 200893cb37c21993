/**
 * Lists keys and values of upstream's prefixd.yaml (Rust, lance0/prefixd) that this prefixd does not have, each with
 * the fix. Upstream's inventory.yaml and playbooks.yaml load unchanged.
 */
import type { Advice } from '../messages.ts';

const SPEAKS_ITSELF = 'remove it: this prefixd speaks BGP itself; list your routers under bgp.neighbors';

/** Fixes by dotted path without indices; a value follows its key as one more step. */
export const UPSTREAM_ADVICE: Advice = {
  'bgp.gobgp_grpc': SPEAKS_ITSELF,
  'bgp.rustbgpd_grpc': SPEAKS_ITSELF,
  'bgp.mode.sidecar': 'write native: this prefixd speaks BGP itself, without a sidecar',
  'bgp.neighbors.afi_safi': 'write families: [ipv4-flowspec, ipv6-flowspec]',
  'bgp.neighbors.password_env': 'write md5_password_env',
  'storage.driver.sqlite': 'write jsonl; storage.path then names a folder',
  'storage.connection_string':
    'remove it: the journal is a folder, storage.path, or with driver: postgres a database that url_env names',
  'observability.log_format.pretty': 'write text',
  'http.auth.mode.credentials': 'write bearer, and list the tokens under http.auth.tokens',
  'http.cors_origin': 'remove it: the dashboard is served by the API itself',
  'guardrails.allow_tcp_flags_match': 'remove it: a playbook may narrow a rule by TCP flags',
  'guardrails.allow_fragment_match': 'remove it: a playbook may narrow a rule to fragments',
  'guardrails.allow_packet_length_match': 'remove it: a playbook may narrow a rule by packet length',
  'quotas.max_announcements_per_peer': 'write max_rules under each of bgp.neighbors',
  'timers.quiet_period_after_withdraw_seconds': 'remove it: the next event announces a withdrawn rule again',
  'escalation.max_escalated_duration_seconds': "remove it: the step's TTL limits it",
  'alerting.destinations.webhook_url': 'write webhook_url_env: the name of a variable that contains it',
  'alerting.destinations.routing_key': 'write routing_key_env: the name of a variable that contains it',
  'alerting.destinations.bot_token': 'write bot_token_env: the name of a variable that contains it',
  'alerting.destinations.api_key': 'write api_key_env: the name of a variable that contains it',
  'alerting.destinations.events_url':
    'write region: eu if it is the host of the European region, else remove it',
  'alerting.destinations.secret': 'write secret_env: the name of a variable that contains it',
  'alerting.destinations.headers': 'remove it: the receiver can check X-Prefixd-Signature (secret_env)',
  'alerting.destinations.channel': 'remove it: a Slack webhook posts to its own channel',
  'alerting.destinations.type.generic': 'write webhook',
  'alerting.events["config.reloaded"]': 'write policy.loaded',
  'alerting.events["guardrail.rejected"]': 'write mitigation.rejected',
  correlation: 'remove it: reports of several detectors are correlated by victim and protocol; see timers',
};
