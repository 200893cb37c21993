/** Implements `peers list | enable | disable | clear` and `rib`. */
import type { Command } from 'commander';
import { likely } from '../../net/nearest.ts';
import { asWords } from '../../net/text.ts';
import { type Fields, list, number, record, records, text } from '../answer.ts';
import { withClient } from '../client.ts';
import type { CliCommand } from '../command.ts';
import { CliError, type CommandContext, Exit, operatorOf } from '../command-context.ts';
import { drawingFor } from '../drawing.ts';
import { operatorOption, watchOption } from '../options.ts';
import { type Column, duration, json, linesBelow, type Pair, pairs, table, widthOf } from '../tables.ts';
import { showOrWatch } from '../watch.ts';

export function registerPeers(program: CliCommand, contextFor: (command: Command) => CommandContext): void {
  const peers = program
    .command('peers')
    .description('show and control BGP neighbors')
    .examples('prefixd peers', 'prefixd peers edge1', 'prefixd peers --watch', 'prefixd peers clear edge1');

  peers
    .command('list [neighbor]', { isDefault: true })
    .description('list neighbors and their sessions, or show one neighbor in detail (default)')
    .details(
      'Shows the last error of each session that is down. "prefixd peers NAME" shows capabilities and counters.',
    )
    .addOption(watchOption())
    .examples('prefixd peers list', 'prefixd peers list edge1', 'prefixd peers list --watch 5')
    .action(async (neighbor: string | undefined, options: { watch?: string | true }, command: Command) => {
      const context = contextFor(command);
      await withClient(context, (client) =>
        showOrWatch(context, options.watch, async () => {
          const answer = await client.get('/v1/peers');
          if (neighbor === undefined) {
            return context.options.format === 'json' ? json(answer) : peerTable(context, list(answer));
          }
          const peer = named(neighbor, records(answer));
          return context.options.format === 'json' ? json(peer) : peerDetail(context, peer, Date.now());
        }),
      );
    });

  for (const [name, description, details, example] of [
    [
      'enable',
      'enable a neighbor and connect to it',
      'Ends the effect of prefixd peers disable.',
      'prefixd peers enable edge1',
    ],
    [
      'disable',
      'disable a neighbor: close its session and keep it down, even after a restart',
      'All its rules are withdrawn. To undo: prefixd peers enable.',
      'prefixd peers disable edge1 --reason "line card replacement"',
    ],
    [
      'clear',
      'send every rule again, or reset the session (--hard)',
      'Without --hard the session stays established and no rule is missing in between.',
      'prefixd peers clear edge1 --hard',
    ],
  ] as const) {
    const command = peers
      .command(`${name} <neighbor>`)
      .description(description)
      .details(details)
      .option('--reason <text>', 'reason for the audit log, also sent to the neighbor')
      .addOption(operatorOption())
      .examples(example);
    if (name === 'clear')
      command.option('--hard', 'reset the session; the router has no rules until it is established again');
    command.action(async (peer: string, options: PeerOptions, self: Command) => {
      await commandPeer(contextFor(self), name, peer, options);
    });
  }

  program
    .command('rib [neighbor]')
    .description('show the rules sent to each neighbor (Adj-RIB-Out)')
    .details(
      'Shows the rules written to each established session. This does not prove that the router installed them.',
    )
    .examples('prefixd rib', 'prefixd rib edge1')
    .action(async (neighbor: string | undefined, _options, command: Command) => {
      const context = contextFor(command);
      const query = neighbor === undefined ? '' : `?neighbor=${encodeURIComponent(neighbor)}`;
      const answer = await withClient(context, (client) => client.get(`/v1/rib${query}`));
      context.io.stdout.write(context.options.format === 'json' ? json(answer) : ribTable(context, answer));
    });
}

/** Returns the neighbor of this name. CliError 4 if there is none. */
function named(name: string, peers: readonly Row[]): Row {
  const found = peers.find((peer) => peer.name === name);
  if (found !== undefined) return found;
  const names = peers.map((peer) => text(peer.name));
  const guess = likely(name, names);
  const known =
    names.length === 0 ? 'no neighbors are configured' : `configured neighbors: ${names.join(', ')}`;
  const hint = guess === undefined ? known : `did you mean "${guess}"?`;
  throw new CliError(Exit.NotFound, `unknown neighbor "${name}"; ${hint}`);
}

interface PeerOptions {
  readonly reason?: string;
  readonly operator?: string;
  readonly hard?: true;
}

async function commandPeer(
  context: CommandContext,
  what: string,
  peer: string,
  options: PeerOptions,
): Promise<void> {
  const { reason, operator, hard } = options;
  const answer = await withClient(context, (client) =>
    client.post(`/v1/peers/${encodeURIComponent(peer)}/${what}`, {
      operator_id: operatorOf(context, operator),
      ...(reason === undefined ? {} : { reason }),
      ...(what === 'clear' ? { mode: hard === true ? 'hard' : 'soft' } : {}),
    }),
  );
  context.io.stdout.write(context.options.format === 'json' ? json(answer) : peerTable(context, [answer]));
}

type Row = ReturnType<typeof record>;

const COLUMNS: readonly Column<Row>[] = [
  { title: 'NAME', value: (peer) => text(peer.name) },
  { title: 'ADDRESS', value: (peer) => text(peer.address), optional: 'first' },
  { title: 'AS', value: (peer) => text(peer.peer_asn), right: true, optional: true },
  {
    title: 'STATE',
    value: (peer) => (peer.enabled === false ? 'disabled' : text(peer.state)),
    color: (peer) => {
      if (peer.enabled === false) return 'dim';
      return peer.state === 'established' ? 'green' : 'red';
    },
  },
  {
    title: 'UP',
    value: (peer) => (peer.uptime_seconds === null ? '-' : duration(number(peer.uptime_seconds))),
    right: true,
  },
  { title: 'RULES', value: (peer) => text(peer.rules_sent), right: true },
];

const WITH_ERROR: readonly Column<Row>[] = [...COLUMNS, { title: 'LAST ERROR', value: lastErrorOf }];

/** Returns why the session is down: an operator, the configuration, or its last error. */
function lastErrorOf(peer: Row): string {
  if (typeof peer.disabled === 'object' && peer.disabled !== null) {
    return `disabled ${disabledText(record(peer.disabled))}`;
  }
  if (peer.enabled === false) return 'disabled in the configuration';
  if (typeof peer.last_cause === 'object' && peer.last_cause !== null && peer.state !== 'established') {
    return causeText(record(peer.last_cause));
  }
  return text(peer.hint) === '' ? text(peer.last_error) : text(peer.hint);
}

/** Returns a cause: `peer is AS 65002 but ... (12 times since 21:03:10Z; now: peer reset the connection)`. */
function causeText(cause: Row): string {
  const times = number(cause.count);
  const since = times > 1 ? `${times} times since ${text(cause.first_at)}` : text(cause.last_at);
  const now = text(cause.symptom) === '' ? '' : `; now: ${text(cause.symptom)}`;
  return `${text(cause.text)} (${since}${now})`;
}

/** Formats neighbors as a table; on a narrow terminal the last error is below its neighbor. */
export function peerTable(context: CommandContext, peers: readonly unknown[]): string {
  if (peers.length === 0) return 'No neighbors are configured.\n';
  const rows = peers.map(record);
  const drawing = drawingFor(context);
  const whole = table(WITH_ERROR, rows, { ...drawing, width: Number.POSITIVE_INFINITY });
  if (widthOf(whole) <= drawing.width) return whole;
  const below = rows.map((row) => [lastErrorOf(row)].filter(Boolean));
  return linesBelow(table(COLUMNS, rows, drawing), below, drawing.width);
}

function ribTable(context: CommandContext, answer: unknown): string {
  const rows = Object.entries(record(answer)).flatMap(([neighbor, routes]) =>
    records(routes).map((route) => ({ neighbor, route })),
  );
  if (rows.length === 0) return 'No rules are sent to any neighbor.\n';
  const columns: readonly Column<(typeof rows)[number]>[] = [
    { title: 'NEIGHBOR', value: ({ neighbor }) => neighbor, least: 8 },
    { title: 'RULE', value: ({ route }) => text(route.rule), least: 20 },
    { title: 'SENT', value: ({ route }) => text(route.sent_at), optional: true },
    { title: 'MITIGATION', value: ({ route }) => text(route.mitigation_id), optional: true },
  ];
  return table(columns, rows, drawingFor(context));
}

// Formats one neighbor in detail: `peers NEIGHBOR`.

/** Formats key and value lines; `now` is in milliseconds since the epoch. Leaves out fields that the daemon does not report. */
export function peerDetail(context: CommandContext, peer: Fields, now: number): string {
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

/** Formats the negotiated capabilities. */
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

/** Returns who disabled it, when and why: `by kim at 2026-01-01T00:00:00.000Z: line card`. */
export function disabledText({ by, at, reason }: Fields): string {
  const why = text(reason) === '' ? '' : `: ${text(reason)}`;
  return `by ${text(by)} at ${text(at)}${why}`;
}

/** Formats why the session is or was down. */
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

/** Returns `12 times from T to T` or `at T`. */
function timesWords(cause: Fields): string {
  const count = number(cause.count);
  if (count <= 1) return `at ${text(cause.last_at)}`;
  return `${count} times from ${text(cause.first_at)} to ${text(cause.last_at)}`;
}

/** Returns `Cease/Administrative Shutdown (6/2): maintenance, at T`. */
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
