/** Slack's incoming webhooks (https://api.slack.com/messaging/webhooks). */
import { timeText } from '../net/time.ts';
import type { Alert, AlertRequest } from './alert.ts';
import type { AlertEvent } from './events.ts';

const MARKS: Readonly<Partial<Record<AlertEvent, string>>> = {
  'mitigation.created': ':shield:',
  'mitigation.escalated': ':rotating_light:',
  'mitigation.rejected': ':no_entry:',
  'mitigation.unenforced': ':warning:',
  'mitigation.withdrawn': ':white_check_mark:',
  'mitigation.expired': ':white_check_mark:',
  'control.paused': ':double_vertical_bar:',
};

/** Lines of a mitigation's reasons that are shown. */
const WHY_LINES = 6;

/** More alerts than these are a digest. */
const IN_FULL = 5;
/** Summaries that a digest shows. */
const IN_DIGEST = 10;

/** One message for several alerts, in full while they are few: Slack takes about one a second. */
export function slackRequest(alerts: readonly Alert[], url: string): AlertRequest {
  const text = alerts.length > IN_FULL ? digest(alerts) : alerts.map(alertText).join('\n');
  return { url, headers: { 'content-type': 'application/json' }, body: JSON.stringify({ text }) };
}

/** How many alerts of which kind, and the first of them in a line each. */
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
  if (mitigation !== null) {
    const ports = mitigation.ports.length === 0 ? 'any' : mitigation.ports.join(', ');
    const until = timeText(mitigation.expiresAt);
    lines.push(`> \`${mitigation.id}\` · ${mitigation.match.dstPrefix} · ports ${ports} · until ${until}`);
    const isNew = event === 'mitigation.created' || event === 'mitigation.rejected';
    if (isNew || event === 'mitigation.escalated') {
      for (const why of mitigation.why.slice(0, WHY_LINES)) lines.push(`> • ${escapeText(why)}`);
    }
  }
  return lines.join('\n');
}

/** Slack reads only these three as control characters; a line feed would start a line of its own. */
function escapeText(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll(/[\r\n]+/g, ' ');
}
