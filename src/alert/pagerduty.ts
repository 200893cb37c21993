/**
 * PagerDuty Events API v2 (https://developer.pagerduty.com/docs/events-api-v2-overview): a mitigation is an incident
 * that its beginning triggers, its changes update and its end resolves, all under one dedup key. So is a pause, and so
 * are the refusals of one victim (see refusals.ts). What only changes the configuration is a change event.
 */
import { timeText } from '../net/time.ts';
import { decidedMitigationView } from '../view/mitigation.ts';
import type { Alert, AlertRequest } from './alert.ts';
import type { AlertEvent } from './events.ts';

export const PAGERDUTY_URL = 'https://events.pagerduty.com';

/** The API refuses longer summaries. */
const SUMMARY_LENGTH = 1024;

const CHANGES: ReadonlySet<AlertEvent> = new Set(['safelist.added', 'safelist.removed', 'policy.loaded']);
const ENDS: ReadonlySet<AlertEvent> = new Set([
  'mitigation.withdrawn',
  'mitigation.expired',
  'control.resumed',
]);

export function pagerdutyRequest(alert: Alert, routingKey: string, base = PAGERDUTY_URL): AlertRequest {
  const headers = { 'content-type': 'application/json' };
  const summary = alert.summary.slice(0, SUMMARY_LENGTH);
  const timestamp = timeText(alert.at);
  const source = `prefixd ${alert.pop}`;
  const details = {
    ...(alert.mitigation === null ? { subject: alert.subject } : decidedMitigationView(alert.mitigation)),
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

/** An attack that gets through and dropped traffic are errors to look at; limiting it is a warning; what touches no router is information. */
function severityOf({ event, mitigation }: Alert): 'error' | 'warning' | 'info' {
  if (event === 'mitigation.unenforced') return 'error';
  if (mitigation === null) return 'warning';
  if (mitigation.dryRun) return 'info';
  if (event === 'mitigation.rejected') return isUnprotected(mitigation.reason) ? 'warning' : 'info';
  return mitigation.action.type === 'discard' ? 'error' : 'warning';
}

/** Refused although it should have been mitigated: nobody has decided that this victim is to be left alone. */
function isUnprotected(reason: string): boolean {
  return reason.startsWith('quota_') || reason === 'not_enforceable';
}
