/**
 * Builds requests for services with incidents: PagerDuty and Opsgenie. Each mitigation is an incident with one key: its
 * start opens it, changes update it and its end closes it. The same applies to a pause and to the refusals of one victim
 * (refusal-digest.ts).
 */
import { actionWords } from '../core/rule-text.ts';
import { timeText } from '../net/time.ts';
import { decidedMitigationView } from '../view/mitigation.ts';
import { type Alert, type AlertKind, type AlertRequest, leavesUnprotected, TEST_ALERT } from './alert.ts';
import type { AlertSeverity, ServiceRegion } from './alert-destination.ts';
import { cutLine } from './chat-message.ts';
import { alertSeverity, endsIncident } from './routing.ts';

// PagerDuty Events API v2 (https://developer.pagerduty.com/docs/events-api-v2-overview). Changes of the configuration are
// change events.

/** Hosts by service region (https://support.pagerduty.com/main/docs/service-regions). */
export const PAGERDUTY_URLS: Readonly<Record<ServiceRegion, string>> = {
  us: 'https://events.pagerduty.com',
  eu: 'https://events.eu.pagerduty.com',
};

/** Longest summary that the API accepts (characters). */
const SUMMARY_LENGTH = 1024;

const CHANGES: ReadonlySet<AlertKind> = new Set<AlertKind>([
  'safelist.added',
  'safelist.removed',
  'policy.loaded',
  // Nothing would resolve an incident.
  'import.refused',
]);
export function pagerdutyRequest(alert: Alert, routingKey: string, base = PAGERDUTY_URLS.us): AlertRequest {
  const headers = { 'content-type': 'application/json' };
  const summary = alert.summary.slice(0, SUMMARY_LENGTH);
  const timestamp = timeText(alert.at);
  const source = `prefixd ${alert.pop}`;
  const details = {
    ...(alert.mitigation === undefined
      ? { subject: alert.subject }
      : decidedMitigationView(alert.mitigation)),
    ...(alert.neighbors === undefined ? {} : { neighbors: alert.neighbors }),
  };
  if (CHANGES.has(alert.event)) {
    const payload = { summary, timestamp, source, custom_details: details };
    return {
      url: `${base}/v2/change/enqueue`,
      headers,
      body: JSON.stringify({ routing_key: routingKey, payload }),
    };
  }
  const event = {
    routing_key: routingKey,
    dedup_key: incidentKey(alert),
    client: 'prefixd',
  };
  const url = `${base}/v2/enqueue`;
  if (endsIncident(alert)) {
    return { url, headers, body: JSON.stringify({ ...event, event_action: 'resolve' }) };
  }
  const payload = {
    summary,
    timestamp,
    source,
    severity: pagerdutySeverity(alert),
    component: alert.mitigation?.victim ?? alert.subject,
    group: alert.mitigation?.customerId ?? alert.pop,
    class: alert.mitigation?.vector ?? alert.event,
    custom_details: details,
  };
  return { url, headers, body: JSON.stringify({ ...event, event_action: 'trigger', payload }) };
}

/**
 * Chooses the severity: error for unmitigated attacks and dropped traffic, warning for any other action, info if no router is
 * affected.
 */
function pagerdutySeverity(alert: Alert): 'error' | 'warning' | 'info' {
  const { event, mitigation } = alert;
  if (event === TEST_ALERT) return 'info';
  if (event === 'mitigation.unenforced' || event === 'scrubber.request_failed') return 'error';
  if (mitigation === undefined) return 'warning';
  if (mitigation.dryRun) return 'info';
  if (event === 'mitigation.rejected') return leavesUnprotected(alert) ? 'warning' : 'info';
  const { type } = mitigation.action;
  return type === 'discard' || type === 'blackhole' ? 'error' : 'warning';
}

// Opsgenie Alert API (https://docs.opsgenie.com/docs/alert-api). An alert's alias is its dedup key.

/** Hosts by service region. */
export const OPSGENIE_URLS: Readonly<Record<ServiceRegion, string>> = {
  us: 'https://api.opsgenie.com',
  eu: 'https://api.eu.opsgenie.com',
};

/** Longest values that the API accepts (characters). */
const OPSGENIE_LENGTHS = {
  message: 130,
  alias: 512,
  description: 15_000,
  tag: 50,
  /** All details together have at most 8,000. */
  detail: 400,
  entity: 512,
  source: 100,
  note: 25_000,
} as const;

const PRIORITIES: Readonly<Record<AlertSeverity, string>> = { critical: 'P1', warning: 'P3', info: 'P5' };

export function opsgenieRequest(alert: Alert, apiKey: string, base = OPSGENIE_URLS.us): AlertRequest {
  const { event, mitigation, pop, subject, summary } = alert;
  const most = OPSGENIE_LENGTHS;
  const headers = { 'content-type': 'application/json', authorization: `GenieKey ${apiKey}` };
  const alias = opsgenieText(incidentKey(alert), most.alias);
  const source = opsgenieText(`prefixd ${pop}`, most.source);
  if (endsIncident(alert)) {
    const url = `${base}/v2/alerts/${encodeURIComponent(alias)}/close?identifierType=alias`;
    const note = opsgenieText(summary, most.note);
    return { url, headers, body: JSON.stringify({ source, user: 'prefixd', note }) };
  }
  const lines = [summary, ...(mitigation?.why ?? [])].map((line) => opsgenieText(line, most.description));
  const values: Readonly<Record<string, string | null | undefined>> = {
    event,
    pop,
    subject,
    mitigation_id: mitigation?.id,
    victim_ip: mitigation?.victim,
    vector: mitigation?.vector,
    customer_id: mitigation?.customerId,
    action: mitigation === undefined ? undefined : actionWords(mitigation.action),
    expires_at: mitigation === undefined ? undefined : timeText(mitigation.expiresAt),
    neighbors: alert.neighbors?.map(({ neighbor }) => neighbor).join(', '),
  };
  const details = Object.entries(values).flatMap(([key, value]) =>
    value === undefined || value === null ? [] : [[key, opsgenieText(value, most.detail)] as const],
  );
  const body = {
    message: opsgenieText(summary, most.message),
    alias,
    description: lines.join('\n').slice(0, most.description),
    tags: ['prefixd', event, ...(mitigation === undefined ? [] : [mitigation.vector])].map((tag) =>
      opsgenieText(tag, most.tag),
    ),
    details: Object.fromEntries(details),
    entity: opsgenieText(mitigation?.victim ?? subject, most.entity),
    source,
    user: 'prefixd',
    priority: PRIORITIES[alertSeverity(alert)],
  };
  return { url: `${base}/v2/alerts`, headers, body: JSON.stringify(body) };
}

/** Opsgenie shows HTML in messages and descriptions: text from outside has no tags. */
function opsgenieText(text: string, characters: number): string {
  return cutLine(text.replaceAll('<', '\u2039').replaceAll('>', '\u203a'), characters);
}

/** Returns the key that the alerts of one incident share. */
function incidentKey({ pop, incident, subject }: Alert): string {
  return `prefixd:${pop}:${incident ?? subject}`;
}
