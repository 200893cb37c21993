/** Builds requests for Slack (https://api.slack.com/messaging/webhooks), PagerDuty and webhooks. */
import { createHmac } from 'node:crypto';
import { timeText } from '../net/time.ts';
import { decidedMitigationView } from '../view/mitigation.ts';
import type { Alert, AlertEvent, AlertRequest } from './alert.ts';

const MARKS: Readonly<Partial<Record<AlertEvent, string>>> = {
  'mitigation.created': ':shield:',
  'mitigation.imported': ':shield:',
  'import.refused': ':no_entry:',
  'mitigation.escalated': ':rotating_light:',
  'mitigation.rejected': ':no_entry:',
  'mitigation.unenforced': ':warning:',
  'scrubber.request_failed': ':warning:',
  'mitigation.withdrawn': ':white_check_mark:',
  'mitigation.expired': ':white_check_mark:',
  'control.paused': ':double_vertical_bar:',
};

/** Most `why` lines that are shown. */
const WHY_LINES = 6;

/** Events whose reasons are shown. */
const EXPLAINED: ReadonlySet<AlertEvent> = new Set([
  'mitigation.created',
  'mitigation.rejected',
  'mitigation.imported',
  'mitigation.escalated',
]);

/** Most alerts that are shown in full; more become a digest. */
const IN_FULL = 5;
/** Most summaries in a digest. */
const IN_DIGEST = 10;

/** Combines alerts into one message, because Slack accepts about 1 message per second. */
export function slackRequest(alerts: readonly Alert[], url: string): AlertRequest {
  const text = alerts.length > IN_FULL ? digest(alerts) : alerts.map(alertText).join('\n');
  return { url, headers: { 'content-type': 'application/json' }, body: JSON.stringify({ text }) };
}

/** Counts the alerts by event, and shows the first ones in a line each. */
function digest(alerts: readonly Alert[]): string {
  const counts = new Map<string, number>();
  for (const { event } of alerts) counts.set(event, (counts.get(event) ?? 0) + 1);
  const kinds = [...counts].map(([event, count]) => `${count} ${event}`).join(', ');
  const lines = alerts
    .slice(0, IN_DIGEST)
    .map(({ event, summary }) => `> ${MARKS[event] ?? ':information_source:'} ${escapeText(summary)}`);
  const more = alerts.length - lines.length;
  const rest = more > 0 ? [`> and ${more} more: see \`prefixd mitigations list\``] : [];
  return [`:bell: *${alerts.length} alerts*: ${kinds}`, ...lines, ...rest].join('\n');
}

function alertText(alert: Alert): string {
  const { event, mitigation } = alert;
  const lines = [`${MARKS[event] ?? ':information_source:'} *${escapeText(alert.summary)}*`];
  if (mitigation !== undefined) {
    const ports = mitigation.ports.length === 0 ? 'any' : mitigation.ports.join(', ');
    const until = timeText(mitigation.expiresAt);
    lines.push(`> \`${mitigation.id}\` · ${mitigation.match.dstPrefix} · ports ${ports} · until ${until}`);
    if (EXPLAINED.has(event)) {
      for (const why of mitigation.why.slice(0, WHY_LINES)) lines.push(`> • ${escapeText(why)}`);
    }
  }
  return lines.join('\n');
}

/** Escapes Slack's three control characters and replaces line feeds. */
function escapeText(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll(/[\r\n]+/g, ' ');
}

// PagerDuty Events API v2 (https://developer.pagerduty.com/docs/events-api-v2-overview). Each mitigation is an incident
// with one dedup key: its start triggers it, changes update it and its end resolves it. The same applies to a pause and
// to the refusals of one victim (refusal-digest.ts). Changes of the configuration are change events.

export const PAGERDUTY_URL = 'https://events.pagerduty.com';

/** Longest summary that the API accepts (characters). */
const SUMMARY_LENGTH = 1024;

const CHANGES: ReadonlySet<AlertEvent> = new Set([
  'safelist.added',
  'safelist.removed',
  'policy.loaded',
  // Nothing would resolve an incident.
  'import.refused',
]);
const ENDS: ReadonlySet<AlertEvent> = new Set([
  'mitigation.withdrawn',
  'mitigation.expired',
  'control.resumed',
  'scrubber.up',
]);

export function pagerdutyRequest(alert: Alert, routingKey: string, base = PAGERDUTY_URL): AlertRequest {
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
    dedup_key: `prefixd:${alert.pop}:${alert.incident ?? alert.subject}`,
    client: 'prefixd',
  };
  const url = `${base}/v2/enqueue`;
  if (ENDS.has(alert.event) || alert.resolves === true) {
    return { url, headers, body: JSON.stringify({ ...event, event_action: 'resolve' }) };
  }
  const payload = {
    summary,
    timestamp,
    source,
    severity: severityOf(alert),
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
function severityOf({ event, mitigation }: Alert): 'error' | 'warning' | 'info' {
  if (event === 'mitigation.unenforced' || event === 'scrubber.request_failed') return 'error';
  if (mitigation === undefined) return 'warning';
  if (mitigation.dryRun) return 'info';
  if (event === 'mitigation.rejected') return isUnprotected(mitigation.reason) ? 'warning' : 'info';
  const { type } = mitigation.action;
  return type === 'discard' || type === 'blackhole' ? 'error' : 'warning';
}

/** True if the victim should have been mitigated: a quota is used up, or no neighbor can enforce a rule. */
function isUnprotected(reason: string): boolean {
  return reason.startsWith('quota_') || reason === 'not_enforceable';
}

// Webhooks of the operator.

/**
 * Builds the JSON request. With a secret it is signed: `X-Prefixd-Signature: sha256=<HMAC-SHA-256 of the body's bytes,
 * hex>`. `seq` is the same in every attempt, so a receiver can detect a repetition; if no fact caused the alert it is
 * null, and `event`, `subject` and `time` identify it. `time` lets a receiver refuse old alerts.
 */
export function webhookRequest(alert: Alert, url: string, secret: string | undefined): AlertRequest {
  const body = JSON.stringify({
    version: 1,
    event: alert.event,
    seq: alert.seq ?? null,
    time: timeText(alert.at),
    pop: alert.pop,
    subject: alert.subject,
    summary: alert.summary,
    ...(alert.refused === undefined ? {} : { refused: alert.refused }),
    ...(alert.neighbors === undefined ? {} : { neighbors: alert.neighbors }),
    actor: alert.actor === undefined ? null : { kind: alert.actor.kind, name: alert.actor.name },
    mitigation: alert.mitigation === undefined ? null : decidedMitigationView(alert.mitigation),
  });
  const headers = { 'content-type': 'application/json', 'x-prefixd-event': alert.event };
  if (secret === undefined) return { url, headers, body };
  const signature = createHmac('sha256', secret).update(body).digest('hex');
  return { url, headers: { ...headers, 'x-prefixd-signature': `sha256=${signature}` }, body };
}
