/** Implements `mitigations list | get`, `withdraw` and `mitigate`. */
import { type Command, Option } from 'commander';
import { ACTION_TYPES } from '../../core/action.ts';
import type { CliCommand } from '../command.ts';
import { type Fields, number, record, records, text } from '../answer.ts';
import { withClient } from '../client.ts';
import { popNames, popOption } from '../confirmations.ts';
import { type CommandContext, operatorOf } from '../command-context.ts';
import { drawingFor } from '../drawing.ts';
import { actionText } from '../shown-action.ts';
import { enforcementText, isLive, LIVE, mitigationText, statusText } from '../mitigation-text.ts';
import { type Color, type Column, duration, json, linesBelow, table, widthOf } from '../tables.ts';
import { operatorOption, reasonOption, watchOption, yesOption } from '../options.ts';
import { showOrWatch } from '../watch.ts';
import { targetsSaid, withdraw, type WithdrawOptions } from '../withdrawals.ts';
import { readNumber, readPorts, readProtocol, readRate } from '../options.ts';

export function registerMitigations(
  program: CliCommand,
  contextFor: (command: Command) => CommandContext,
): void {
  const mitigations = program
    .command('mitigations')
    .description('list and show mitigations')
    .examples('prefixd mitigations --active', 'prefixd mitigations get 3f2a9c1b');

  mitigations
    .command('list', { isDefault: true })
    .description('list mitigations, newest first (default)')
    .details('Lists mitigations of every status unless --active or --status selects some.')
    .option(
      '--status <status>',
      'show only these, comma-separated: pending, active, escalated, withdrawn, expired, rejected',
    )
    .option('--active', `same as --status ${LIVE}`)
    .option('--customer <customer>', 'show only mitigations of this customer')
    .option('--victim <address>', 'show only mitigations of this victim')
    .option(
      '--pop <pop>',
      'show only mitigations that this POP keeps or decided; "all": also those of other POPs that are not here',
    )
    .option('--limit <number>', 'show at most N mitigations (default: 100)')
    .option('--cursor <cursor>', 'continue from the previous page')
    .option('--wide', 'show full ids, and each rule on its own line')
    .addOption(watchOption())
    .examples(
      'prefixd mitigations list --active --watch',
      'prefixd mitigations list --customer acme --wide',
      'prefixd mitigations list --status withdrawn,expired --limit 20',
    )
    .action(async (options: MitigationListOptions, command: Command) => {
      await showOrWatch(contextFor(command), options.watch, (context) => listMitigations(context, options));
    });

  mitigations
    .command('get <id>')
    .description('show one mitigation with its rules, holds and history')
    .details('Takes a full id or any unique beginning of one. Shows why prefixd decided as it did.')
    .examples('prefixd mitigations get 3f2a9c1b')
    .action(async (id: string, _options, command: Command) => {
      const context = contextFor(command);
      const answer = await withClient(context, (client) =>
        client.get(`/v1/mitigations/${encodeURIComponent(id)}`),
      );
      context.io.stdout.write(
        context.options.format === 'json' ? json(answer) : mitigationText(context, record(answer)),
      );
    });

  program
    .command('withdraw [id]')
    .description('withdraw one mitigation, those of a victim or customer, or all')
    .details(
      'Takes a full id or any unique beginning of one. Asks for confirmation before it withdraws more than one;',
      'without a terminal, --yes is required. A new report can mitigate the victim again; to prevent that, add it to',
      'the safelist.',
    )
    .addOption(reasonOption())
    .option('--all', 'withdraw every mitigation')
    .option('--victim <address>', 'withdraw those of this address or prefix, and of prefixes that contain it')
    .option('--customer <customer>', 'withdraw those of this customer')
    .addOption(popOption())
    .addOption(operatorOption())
    .addOption(yesOption('do not ask for confirmation'))
    .requires(([id], options) => {
      return targetsSaid(id, options) === 0 ? 'one of <id>, --victim, --customer, --all' : '';
    })
    .examples(
      'prefixd withdraw 3f2a9c1b --reason "false positive"',
      'prefixd withdraw --victim 203.0.113.10 --reason "attack is over"',
      'prefixd withdraw --customer acme --reason "customer request" --yes',
      'prefixd withdraw 3f2a9c1b --pop all --reason "false positive"',
      'prefixd withdraw --all --reason "wrong playbook deployed"',
    )
    .action(async (id: string | undefined, options: WithdrawOptions, command: Command) => {
      await withdraw(contextFor(command), id, options);
    });

  program
    .command('mitigate <victim>')
    .description('mitigate an address or prefix by hand')
    .details(
      'Announces the rule at once, without a playbook. Guardrails, quotas and the safelist apply as for reports.',
    )
    .addOption(
      new Option(
        '--action <action>',
        'limit the rate (police), drop the packets (discard), send them to a scrubber by FlowSpec (redirect) or by a route (divert), or blackhole the victim',
      )
        .choices(ACTION_TYPES)
        .makeOptionMandatory(),
    )
    .option('--rate <rate>', 'rate for police or redirect: 5mbps, 1.5gbps, or bits per second')
    .option('--to <scrubber>', 'scrubber for redirect or divert')
    .option('--vrf <target>', 'redirect to the VRF with this route target: 65010:666')
    .option('--ip <address>', 'redirect to this address')
    .option('--copy', 'redirect a copy of the packets')
    .option('--share-rate', 'divide the rate among several rules if one rule cannot express the match')
    .requiredOption('--ttl <seconds>', 'seconds until it expires')
    .option('--protocol <protocol>', 'protocol by name or number: tcp, udp, icmp, 47, ... (default: any)')
    .option('--port <ports>', 'destination ports, comma-separated (default: any)')
    .option('--pop <pops>', 'POPs whose routers get the rule, comma-separated, or all (default: this POP)')
    .examples(
      'prefixd mitigate 203.0.113.10 --action police --rate 50mbps --ttl 600 --reason "ticket 4711"',
      'prefixd mitigate 203.0.113.10 --action discard --protocol udp --port 53,123 --ttl 600 --reason "ticket 4711"',
      'prefixd mitigate 203.0.113.10 --action redirect --to fra --ttl 600 --reason "ticket 4711"',
      'prefixd mitigate 203.0.113.10 --action blackhole --ttl 600 --reason "ticket 4711"',
    )
    .addOption(reasonOption())
    .addOption(operatorOption())
    .action(async (victim: string, options: MitigateOptions, command: Command) => {
      await mitigate(contextFor(command), victim, options);
    });
}

interface MitigationListOptions {
  readonly status?: string;
  readonly active?: true;
  readonly customer?: string;
  readonly victim?: string;
  readonly pop?: string;
  readonly limit?: string;
  readonly cursor?: string;
  readonly wide?: true;
  readonly watch?: string | true;
}

async function listMitigations(context: CommandContext, options: MitigationListOptions): Promise<string> {
  const query = new URLSearchParams();
  const status = options.status ?? (options.active === true ? LIVE : undefined);
  for (const [key, value] of [
    ['status', status],
    ['customer_id', options.customer],
    ['victim_ip', options.victim],
    ['pop', options.pop],
    ['limit', options.limit],
    ['cursor', options.cursor],
  ] as const) {
    if (value !== undefined) query.set(key, value);
  }
  const search = query.size === 0 ? '' : `?${query.toString()}`;
  const answer = await withClient(context, (client) => client.get(`/v1/mitigations${search}`));
  if (context.options.format === 'json') return json(answer);
  const { mitigations, next_cursor: cursor, elsewhere } = record(answer);
  const rows = [...records(mitigations), ...records(elsewhere).map(asRow)];
  if (rows.length === 0) return 'No matching mitigations.\n';
  const notes = [
    ...(rows.some((one) => enforcementColor(one) !== undefined)
      ? ['!: not enforced on every neighbor; for the reason: prefixd mitigations get ID\n']
      : []),
    ...(typeof cursor === 'string' ? [`More mitigations: --cursor ${text(cursor)}\n`] : []),
  ].join('');
  // --watch clears the terminal, which would lose notes on standard error.
  if (options.watch !== undefined) return `${listText(context, rows, options)}${notes}`;
  context.io.stderr.write(notes);
  return listText(context, rows, options);
}

/** Returns a row for an active mitigation that only other POPs have. */
function asRow(one: Fields): Fields {
  return { ...one, status: 'active', origin: one.pop, is_elsewhere: true };
}

/** Lists the columns that move below their row on a narrow terminal, in this order. They are never cut. */
const BELOW = ['ACTION', 'VICTIM'];

function listText(context: CommandContext, rows: readonly Fields[], { wide }: MitigationListOptions): string {
  const drawing = drawingFor(context);
  let columns = columnsWithPop(wide === true ? WIDE_COLUMNS : columnsFor(context, rows), rows);
  let lines = table(columns, rows, drawing);
  const below: Column<Fields>[] = [];
  for (const title of BELOW) {
    const column = columns.find((one) => one.title === title);
    if (widthOf(lines) <= drawing.width || column === undefined) break;
    below.unshift(column);
    columns = columns.filter((one) => one !== column);
    lines = table(columns, rows, drawing);
  }
  const linesOf = (row: Fields): readonly string[] => [
    ...(below.length === 0 ? [] : [below.map(({ value }) => value(row)).join('  ')]),
    ...(wide === true ? [text(row.rule)] : []),
  ];
  return linesBelow(lines, rows.map(linesOf), drawing.width);
}

/** Adds a column for the POP that decided, if another POP decided any. */
function columnsWithPop(
  columns: readonly Column<Fields>[],
  rows: readonly Fields[],
): readonly Column<Fields>[] {
  if (!rows.some(({ origin }) => typeof origin === 'string')) return columns;
  return columns.flatMap((column) =>
    column.title === 'VICTIM'
      ? [{ title: 'FROM', value: (one: Fields) => text(one.origin) || '-' } as const, column]
      : [column],
  );
}

/** Returns the columns; on a terminal with ids shortened as far as they stay unique in this list. */
function columnsFor(context: CommandContext, rows: readonly Fields[]): readonly Column<Fields>[] {
  if (!context.io.outputIsTerminal) return COLUMNS;
  const length = uniqueLength(rows.map((one) => text(one.mitigation_id)));
  const [, ...others] = COLUMNS;
  return [{ title: 'ID', value: (one) => text(one.mitigation_id).slice(0, length) }, ...others];
}

/** Returns the length at which these ids are unique, at least 8 characters. */
function uniqueLength(ids: readonly string[]): number {
  for (let length = 8; length < 36; length++) {
    if (new Set(ids.map((id) => id.slice(0, length))).size === new Set(ids).size) return length;
  }
  return 36;
}

/** Defines the columns. The victim and the rate are never cut; a narrow terminal drops columns from the last on. */
const COLUMNS: readonly Column<Fields>[] = [
  { title: 'ID', value: (one) => text(one.mitigation_id) },
  {
    title: 'STATUS',
    value: listStatus,
    color: (one) => enforcementColor(one) ?? colorOf(text(one.status)),
  },
  { title: 'VICTIM', value: (one) => text(one.victim_ip) },
  { title: 'ACTION', value: actionText },
  { title: 'EXPIRES', value: endText, right: true, optional: true },
  { title: 'VECTOR', value: (one) => text(one.vector), optional: true },
  { title: 'CUSTOMER', value: (one) => text(one.customer_id), least: 8, optional: true },
  { title: 'RULE', value: (one) => text(one.rule), optional: 'first' },
  { title: 'NEIGHBORS', value: enforcementText, optional: true, color: enforcementColor },
];

const WIDE_COLUMNS = COLUMNS.filter(({ title }) => title !== 'RULE');

/** Returns the status with a `!` if some neighbor does not enforce it, which shows in the narrowest terminal, too. */
function listStatus(one: Fields): string {
  if (one.is_elsewhere === true) return 'not here';
  return enforcementColor(one) === undefined ? statusText(one) : `${statusText(one)} !`;
}

function colorOf(status: string): Color | undefined {
  switch (status) {
    case 'active':
      return 'green';
    case 'escalated':
    case 'rejected':
      return 'red';
    case 'pending':
      return 'yellow';
    default:
      return 'dim';
  }
}

function enforcementColor(one: Fields): Color | undefined {
  const counts = record(one.enforcement);
  return number(counts.unsupported) + number(counts.over_budget) > 0 ? 'red' : undefined;
}

function endText(one: Fields): string {
  const left = (Date.parse(text(one.expires_at)) - Date.now()) / 1000;
  return isLive(one) && Number.isFinite(left) ? duration(left) : '-';
}

interface MitigateOptions {
  readonly action: string;
  readonly rate?: string;
  readonly shareRate?: true;
  readonly to?: string;
  readonly vrf?: string;
  readonly ip?: string;
  readonly copy?: true;
  readonly ttl: string;
  readonly protocol?: string;
  readonly port?: string;
  readonly pop?: string;
  readonly reason: string;
  readonly operator?: string;
}

async function mitigate(context: CommandContext, victim: string, options: MitigateOptions): Promise<void> {
  const answer = await withClient(context, (client) =>
    client.post('/v1/mitigations', {
      operator_id: operatorOf(context, options.operator),
      victim_ip: victim,
      ...(options.protocol === undefined ? {} : { protocol: readProtocol(options.protocol) }),
      ...(options.port === undefined ? {} : { dst_ports: readPorts(options.port) }),
      action_type: options.action,
      ...(options.rate === undefined ? {} : { rate_bps: readRate(options.rate) }),
      ...(options.shareRate === true ? { share_rate: true } : {}),
      ...(options.to === undefined ? {} : { to: options.to }),
      ...(options.vrf === undefined ? {} : { vrf: options.vrf }),
      ...(options.ip === undefined ? {} : { ip: options.ip }),
      ...(options.copy === true ? { copy: true } : {}),
      ttl_seconds: readNumber('--ttl', options.ttl),
      ...(options.pop === undefined ? {} : { pops: popNames(options.pop) }),
      reason: options.reason,
    }),
  );
  context.io.stdout.write(
    context.options.format === 'json' ? json(answer) : mitigationText(context, record(answer)),
  );
}
