/** A webhook of the operator's own: JSON, signed with an HMAC of the body. */
import { createHmac } from 'node:crypto';
import { timeText } from '../net/time.ts';
import { decidedMitigationView } from '../view/mitigation.ts';
import type { Alert, AlertRequest } from './alert.ts';

/**
 * `X-Prefixd-Signature: sha256=<HMAC-SHA-256 of the body's octets, hex>` when there is a secret. `seq` is the same in
 * every attempt, so a receiver can tell a repetition (null where no fact is behind it: then `event`, `subject` and `time`
 * do); `time` lets it refuse what is too old.
 */
export function webhookRequest(alert: Alert, url: string, secret: string | null): AlertRequest {
  const body = JSON.stringify({
    version: 1,
    event: alert.event,
    seq: alert.seq,
    time: timeText(alert.at),
    pop: alert.pop,
    subject: alert.subject,
    summary: alert.summary,
    ...(alert.refused === undefined ? {} : { refused: alert.refused }),
    ...(alert.neighbors === undefined ? {} : { neighbors: alert.neighbors }),
    actor: alert.actor === null ? null : { kind: alert.actor.kind, name: alert.actor.name },
    mitigation: alert.mitigation === null ? null : decidedMitigationView(alert.mitigation),
  });
  const headers = { 'content-type': 'application/json', 'x-prefixd-event': alert.event };
  if (secret === null) return { url, headers, body };
  const signature = createHmac('sha256', secret).update(body).digest('hex');
  return { url, headers: { ...headers, 'x-prefixd-signature': `sha256=${signature}` }, body };
}
