/** Builds requests for the operator's own webhooks: JSON in the words of the API, signed if there is a secret. */
import { createHmac } from 'node:crypto';
import { timeText } from '../net/time.ts';
import { decidedMitigationView } from '../view/mitigation.ts';
import type { Alert, AlertRequest } from './alert.ts';

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
