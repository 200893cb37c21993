/** Implements `inventory status | diff | sync | accept`. */
import type { Command } from 'commander';
import { countWords } from '../../net/text.ts';
import { type Fields, list, number, record, records, text } from '../answer.ts';
import { withClient } from '../client.ts';
import type { CliCommand } from '../command.ts';
import { type CommandContext, operatorOf } from '../command-context.ts';
import { callConfirmed } from '../confirm.ts';
import { drawingFor, fitted } from '../drawing.ts';
import { operatorOption, yesOption } from '../options.ts';
import { json, type Pair, pairs } from '../tables.ts';

/** Time for a read that the daemon waits for, and for adopting what was read (ms). */
const ANSWER_MS = 120_000;

export function registerInventory(
  program: CliCommand,
  contextFor: (command: Command) => CommandContext,
): void {
  const inventory = program
    .command('inventory')
    .description("show and control another system's inventory, such as NetBox's")
    .examples('prefixd inventory', 'prefixd inventory diff', 'prefixd inventory accept');

  inventory
    .command('status', { isDefault: true })
    .description('show the copy in use, the last read and what waits (default)')
    .examples('prefixd inventory status')
    .action(async (_options, command: Command) => {
      const context = contextFor(command);
      const answer = await withClient(context, (client) => client.get('/v1/inventory'));
      context.io.stdout.write(
        context.options.format === 'json' ? json(answer) : statusText(context, record(answer)),
      );
    });

  inventory
    .command('diff')
    .description('show how the inventory that waits differs from the one in use')
    .examples('prefixd inventory diff')
    .action(async (_options, command: Command) => {
      const context = contextFor(command);
      const answer = await withClient(context, (client) => client.get('/v1/inventory/diff'));
      context.io.stdout.write(
        context.options.format === 'json' ? json(answer) : diffText(context, record(answer)),
      );
    });

  inventory
    .command('sync')
    .description('read the inventory now')
    .details('Adopts it, unless it has lost so much that an operator must accept it.')
    .addOption(operatorOption())
    .examples('prefixd inventory sync')
    .action(async (options: { operator?: string }, command: Command) => {
      const context = contextFor(command);
      const body = { operator_id: operatorOf(context, options.operator) };
      const answer = await withClient(context, (client) => client.post('/v1/inventory/sync', body), {
        answerMs: ANSWER_MS,
      });
      context.io.stdout.write(
        context.options.format === 'json' ? json(answer) : `${fitted(context, resultText(record(answer)))}\n`,
      );
    });

  inventory
    .command('accept')
    .description('adopt the inventory that waits')
    .details(
      'Adopts exactly what prefixd inventory diff shows; if another answer has arrived meanwhile, nothing changes.',
      'Asks for confirmation if that would withdraw many mitigations.',
    )
    .addOption(operatorOption())
    .addOption(yesOption('do not ask for confirmation, even if many mitigations are withdrawn'))
    .examples('prefixd inventory accept')
    .action(async (options: { operator?: string; yes?: true }, command: Command) => {
      const context = contextFor(command);
      const operator = { operator_id: operatorOf(context, options.operator) };
      const answer = await withClient(
        context,
        async (client) => {
          const { digest } = record(await client.get('/v1/inventory/diff'));
          const body = { ...operator, ...(typeof digest === 'string' ? { digest } : {}) };
          return callConfirmed(context, options.yes === true, (confirm) =>
            client.post('/v1/inventory/accept', { ...body, ...confirm }),
          );
        },
        { answerMs: ANSWER_MS },
      );
      context.io.stdout.write(
        context.options.format === 'json' ? json(answer) : `${fitted(context, resultText(record(answer)))}\n`,
      );
    });
}

function resultText({ result, reason }: Fields): string {
  switch (result) {
    case 'adopted':
      return 'The inventory is in use.';
    case 'unchanged':
      return 'The inventory was read; nothing has changed.';
    case 'waiting':
      return `The inventory was read and is not used: ${text(reason)}. To see it: prefixd inventory diff; to adopt it: prefixd inventory accept.`;
    default:
      return 'Reading takes longer; see prefixd inventory status.';
  }
}

function statusText(context: CommandContext, status: Fields): string {
  if (status.source === 'files') {
    return 'All customers are in inventory.yaml: prefixd.yaml has no section inventory.\n';
  }
  const [copy, failure, waiting, reading] = [status.copy, status.failure, status.waiting, status.reading].map(
    record,
  ) as [Fields, Fields, Fields, Fields];
  const version = text(copy.api_version);
  const lines: Pair[] = [
    ['source', `${text(status.source)} ${text(status.from)}${version === '' ? '' : `, API ${version}`}`],
    [
      'in use',
      status.copy === null ? 'nothing was read yet' : `${sizeText(copy)}; read ${text(copy.read_at)}`,
    ],
    ['last success', text(status.last_success_at) || '-'],
    ['next read', text(status.next_read_at) || '-'],
  ];
  if (status.reading !== null && status.reading !== undefined) {
    lines.push(['reading', `${text(reading.list)}, ${countWords(number(reading.objects), 'object')}`]);
  }
  if (status.failure !== null && status.failure !== undefined) {
    const since = `since ${text(failure.since)}, ${countWords(number(failure.attempts), 'attempt')}`;
    lines.push(['failure', `${text(failure.text)} (${since})`, 'red']);
  }
  if (status.waiting !== null && status.waiting !== undefined) {
    const what = `${sizeText(waiting)}; ${countWords(number(waiting.differences), 'difference')}`;
    lines.push(['waiting', `${text(waiting.reason)} (${what})`, 'yellow']);
  }
  for (const note of records(copy.notes)) {
    lines.push(['note', `${text(note.text)}: ${text(note.count)} times, such as ${text(note.example)}`]);
  }
  return pairs(lines, drawingFor(context));
}

function sizeText({ customers, prefixes, assets }: Fields): string {
  return [
    countWords(number(customers), 'customer'),
    countWords(number(prefixes), 'prefix', 'prefixes'),
    countWords(number(assets), 'asset'),
  ].join(', ');
}

function diffText(context: CommandContext, { digest, reason, differences, lines }: Fields): string {
  if (typeof digest !== 'string') return 'No inventory waits.\n';
  const shown = list(lines).map(text);
  const more = number(differences) - shown.length;
  return [
    fitted(context, `Not used: ${text(reason)}`),
    ...shown,
    ...(more > 0 ? [`... and ${more} more`] : []),
    '',
  ].join('\n');
}
