/**
 * Composes messages for people in a chat: a few alerts in full with their reasons, or a digest of many. What a service
 * accepts bounds the message: it is shortened step by step until it fits.
 */
import { timeText } from '../net/time.ts';
import type { Alert, AlertKind } from './alert.ts';
import { alertSeverity } from './routing.ts';
import { type AlertSeverity, SEVERITIES } from './alert-destination.ts';

/** A symbol before an alert, by its short code at Slack. */
export type Mark = keyof typeof EMOJI;

/** The symbols as characters (Unicode). */
export const EMOJI = {
  shield: '\u{1F6E1}\uFE0F',
  no_entry: '\u26D4',
  rotating_light: '\u{1F6A8}',
  warning: '\u26A0\uFE0F',
  white_check_mark: '\u2705',
  double_vertical_bar: '\u23F8\uFE0F',
  information_source: '\u2139\uFE0F',
  bell: '\u{1F514}',
} as const;

const MARKS: Readonly<Partial<Record<AlertKind, Mark>>> = {
  'mitigation.created': 'shield',
  'mitigation.imported': 'shield',
  'import.refused': 'no_entry',
  'mitigation.escalated': 'rotating_light',
  'mitigation.rejected': 'no_entry',
  'mitigation.unenforced': 'warning',
  'scrubber.request_failed': 'warning',
  'mitigation.withdrawn': 'white_check_mark',
  'mitigation.expired': 'white_check_mark',
  'control.paused': 'double_vertical_bar',
};

/** One alert of a message. Texts come from outside and are not escaped. */
export interface ChatItem {
  readonly mark: Mark;
  readonly severity: AlertSeverity;
  readonly summary: string;
  /** Id of the mitigation; undefined in a digest, or if there is none. */
  readonly id: string | undefined;
  /** Match and end of the mitigation; empty without an id. */
  readonly details: readonly string[];
  readonly why: readonly string[];
}

/** A message for people. */
export interface ChatMessage {
  /** Heads a digest; undefined if every alert is shown in full. */
  readonly digest: { readonly count: number; readonly kinds: string } | undefined;
  readonly items: readonly ChatItem[];
  /** Number of alerts that are not shown. */
  readonly more: number;
}

/** Most alerts that are shown in full; more become a digest. */
const IN_FULL = 5;
/** Most `why` lines that are shown. */
const WHY_LINES = 6;
/** Most alerts in a digest. */
const IN_DIGEST = 10;

/** Events whose reasons are shown. */
const EXPLAINED: ReadonlySet<AlertKind> = new Set<AlertKind>([
  'mitigation.created',
  'mitigation.rejected',
  'mitigation.imported',
  'mitigation.escalated',
]);

/** Returns the longest rendering of these alerts (at least one) that fits; the shortest one if none does. */
export function fittingMessage<T>(
  alerts: readonly Alert[],
  render: (message: ChatMessage) => T,
  fits: (rendered: T) => boolean,
): T {
  let rendered: T | undefined;
  for (const message of messagesOf(alerts)) {
    rendered = render(message);
    if (fits(rendered)) return rendered;
  }
  if (rendered === undefined) throw new RangeError('a message needs an alert');
  return rendered;
}

/** Yields messages about these alerts, each shorter than the one before. */
function* messagesOf(alerts: readonly Alert[]): Generator<ChatMessage> {
  if (alerts.length <= IN_FULL) {
    yield inFull(alerts, WHY_LINES, Number.POSITIVE_INFINITY);
    yield inFull(alerts, WHY_LINES, 300);
    yield inFull(alerts, 0, 300);
    yield inFull(alerts, 0, 100);
    return;
  }
  yield digestOf(alerts, IN_DIGEST, Number.POSITIVE_INFINITY);
  yield digestOf(alerts, IN_DIGEST, 150);
  yield digestOf(alerts, IN_FULL, 100);
  yield digestOf(alerts, 1, 100);
}

function inFull(alerts: readonly Alert[], whyLines: number, characters: number): ChatMessage {
  const items = alerts.map((alert): ChatItem => {
    const item = itemOf(alert, characters);
    const { mitigation } = alert;
    if (mitigation === undefined) return item;
    const { id, match, ports, expiresAt } = mitigation;
    const details = [
      match.dstPrefix,
      `ports ${ports.length === 0 ? 'any' : ports.join(', ')}`,
      `until ${timeText(expiresAt)}`,
    ];
    const why = EXPLAINED.has(alert.event) ? mitigation.why.slice(0, whyLines) : [];
    return {
      ...item,
      id: plainLine(id),
      details: details.map((detail) => cutLine(detail, characters)),
      why: why.map((line) => cutLine(line, characters)),
    };
  });
  return { digest: undefined, items, more: 0 };
}

/** Counts the alerts by event, and shows the first ones, the most severe before the others. */
function digestOf(alerts: readonly Alert[], shown: number, characters: number): ChatMessage {
  const counts = new Map<string, number>();
  for (const { event } of alerts) counts.set(event, (counts.get(event) ?? 0) + 1);
  const kinds = [...counts].map(([event, count]) => `${count} ${event}`).join(', ');
  const rank = (alert: Alert): number => SEVERITIES.indexOf(alertSeverity(alert));
  const first = [...alerts].sort((a, b) => rank(b) - rank(a)).slice(0, shown);
  return {
    digest: { count: alerts.length, kinds },
    items: first.map((alert) => itemOf(alert, characters)),
    more: alerts.length - first.length,
  };
}

function itemOf(alert: Alert, characters: number): ChatItem {
  return {
    mark: MARKS[alert.event] ?? 'information_source',
    severity: alertSeverity(alert),
    summary: cutLine(alert.summary, characters),
    id: undefined,
    details: [],
    why: [],
  };
}

/**
 * Returns a text from outside as one line: without control characters, without characters that reverse the direction
 * of what follows, and without lone surrogates, which some services refuse.
 */
export function plainLine(text: string): string {
  return text
    .replaceAll(/[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g, '')
    .replaceAll(/[\p{Cc}\p{Zl}\p{Zp}]+/gu, ' ')
    .replaceAll(/\p{Cs}/gu, '\ufffd');
}

/** Returns a text from outside as one line of at most this many characters (UTF-16), cut between code points. */
export function cutLine(text: string, characters: number): string {
  const line = plainLine(text);
  if (line.length <= characters) return line;
  return `${line.slice(0, characters - 1).replace(/[\ud800-\udbff]$/, '')}…`;
}
