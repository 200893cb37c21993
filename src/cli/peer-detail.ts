/** One neighbor with all that is known of its session: `peers NEIGHBOR`. */
import { asWords } from '../net/text.ts';
import { type Fields, list, number, record, text } from './answer.ts';
import type { Context } from './context.ts';
import { drawingFor } from './drawing.ts';
import { duration, type Pair, pairs } from './render.ts';

/** Key and value lines; `now` is in milliseconds since the epoch. What the daemon does not say has no line. */
export function peerDetail(context: Context, peer: Fields, now: number): string {
  return pairs(
    [...sessionLines(peer, now), ...troubleLines(peer), ...countLines(record(peer.counters), now)].filter(
      ([, value]) => value !== '',
    ),
    drawingFor(context),
  );
}

function sessionLines(peer: Fields, now: number): readonly Pair[] {
  const isUp = peer.state === 'established';
  const state = peer.enabled === false ? 'disabled' : text(peer.state);
  const since = Date.parse(text(peer.state_since));
  const negotiated = record(peer.negotiated);
  return [
    ['neighbor', text(peer.name)],
    ['address', text(peer.address)],
    ['remote AS', asWords(number(peer.peer_asn))],
    [
      'state',
      Number.isNaN(since) ? state : `${state} for ${duration((now - since) / 1000)}`,
      isUp ? 'green' : 'red',
    ],
    ['families', list(peer.families).map(text).join(', ')],
    ...(isUp ? negotiatedLines(negotiated) : []),
    ['rules', `${number(peer.rules_sent)} sent, ${number(peer.rules_pending)} pending`],
  ];
}

/** What both sides agreed on. */
function negotiatedLines(negotiated: Fields): readonly Pair[] {
  const capabilities = [
    ['four_octet_as', '4-octet AS numbers'],
    ['route_refresh', 'route refresh'],
    ['enhanced_route_refresh', 'enhanced route refresh'],
    ['extended_messages', 'extended messages'],
    ['graceful_restart', 'graceful restart'],
  ] as const;
  return [
    ['router id', text(negotiated.peer_router_id)],
    ['hold time', `${number(negotiated.hold_time_seconds)}s`],
    [
      'agreed',
      [
        ...list(negotiated.families).map(text),
        ...capabilities.filter(([key]) => negotiated[key] === true).map(([, words]) => words),
      ].join(', '),
    ],
  ];
}

/** Who disabled it, when and why: `by kim at 2026-01-01T00:00:00.000Z: line card`. */
export function disabledText({ by, at, reason }: Fields): string {
  const why = text(reason) === '' ? '' : `: ${text(reason)}`;
  return `by ${text(by)} at ${text(at)}${why}`;
}

/** Why it is down, or why it was. */
function troubleLines(peer: Fields): readonly Pair[] {
  const cause = record(peer.last_cause);
  const disabled = record(peer.disabled);
  return [
    ['disabled', disabled.by === undefined ? '' : disabledText(disabled)],
    ['hint', text(peer.hint)],
    ['last error', cause.text === undefined ? text(peer.last_error) : ''],
    ['cause', text(cause.text)],
    ['', cause.text === undefined ? '' : timesWords(cause)],
    ['since then', text(cause.symptom)],
    ['NOTIFICATION received', notificationWords(record(peer.last_notification_received))],
    ['NOTIFICATION sent', notificationWords(record(peer.last_notification_sent))],
  ];
}

/** `12 times from T to T`, `at T`. */
function timesWords(cause: Fields): string {
  const count = number(cause.count);
  if (count <= 1) return `at ${text(cause.last_at)}`;
  return `${count} times from ${text(cause.first_at)} to ${text(cause.last_at)}`;
}

/** `Cease/Administrative Shutdown (6/2): maintenance, at T`. */
function notificationWords(notification: Fields): string {
  return notification.text === undefined ? '' : `${text(notification.text)}, at ${text(notification.at)}`;
}

function countLines(counters: Fields, now: number): readonly Pair[] {
  const since = Date.parse(text(counters.since));
  const last = text(counters.last_flap_at);
  const span = Number.isNaN(since) ? '' : ` in ${duration((now - since) / 1000)}`;
  return [
    ['sessions', `${number(counters.established)} established${span}`],
    ['flaps', `${number(counters.flaps)}${span}${last === '' ? '' : `, the last at ${last}`}`],
    ['messages received', messageWords(record(counters.messages_in))],
    ['messages sent', messageWords(record(counters.messages_out))],
  ];
}

function messageWords(counts: Fields): string {
  return Object.entries(counts)
    .map(([name, count]) => `${number(count)} ${name.replaceAll('_', '-').toUpperCase()}`)
    .join(', ');
}
