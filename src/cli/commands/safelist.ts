/** Implements `safelist list | add | remove`. */
import type { Command } from 'commander';
import type { CliCommand } from '../command.ts';
import { countWords } from '../../net/text.ts';
import { list, record, records, text } from '../answer.ts';
import { withClient } from '../client.ts';
import { popOption, popsBody, reportDone, requireConfirmed } from '../confirmations.ts';
import { callConfirmed } from '../confirm.ts';
import { type CommandContext, operatorOf } from '../command-context.ts';
import { drawingFor, fitted } from '../drawing.ts';
import { operatorOption, reasonOption, yesOption } from '../options.ts';
import { type Column, json, printable, table } from '../tables.ts';

export function registerSafelist(
  program: CliCommand,
  contextFor: (command: Command) => CommandContext,
): void {
  const safelist = program
    .command('safelist')
    .description('show and change the prefixes that are never mitigated')
    .examples('prefixd safelist', 'prefixd safelist add 192.0.2.53/32 --reason "resolver"');

  safelist
    .command('list', { isDefault: true })
    .description('list the safelist (default)')
    .examples('prefixd safelist list')
    .action(async (_options, command: Command) => {
      const context = contextFor(command);
      const answer = await withClient(context, (client) => client.get('/v1/safelist'));
      if (context.options.format === 'json') context.io.stdout.write(json(answer));
      else if (list(answer).length === 0) context.io.stdout.write('The safelist is empty.\n');
      else context.io.stdout.write(table(COLUMNS, records(answer), drawingFor(context)));
    });

  safelist
    .command('add <prefix>')
    .description('add a prefix, and withdraw the mitigations that overlap it')
    .details(
      'Asks for confirmation if that would withdraw many mitigations. The entry stays until it is removed.',
    )
    .addOption(reasonOption())
    .addOption(popOption())
    .addOption(operatorOption())
    .addOption(yesOption('do not ask for confirmation, even if many mitigations are withdrawn'))
    .examples(
      'prefixd safelist add 192.0.2.53/32 --reason "resolver"',
      'prefixd safelist add 192.0.2.53/32 --pop all --reason "resolver"',
    )
    .action(async (prefix: string, options: AddOptions, command: Command) => {
      const context = contextFor(command);
      const body = {
        operator_id: operatorOf(context, options.operator),
        prefix,
        reason: options.reason,
        ...popsBody(options.pop),
      };
      const answer = await withClient(context, (client) =>
        callConfirmed(context, options.yes === true, (confirm) =>
          client.post('/v1/safelist', { ...body, ...confirm }),
        ),
      );
      const { prefix: added, withdrawn } = record(answer);
      const count = countWords(list(withdrawn).length, 'mitigation is', 'mitigations are');
      const said =
        withdrawn === undefined
          ? `${text(added)} is added to the safelist as follows.`
          : `${text(added)} is on the safelist; ${count} being withdrawn.`;
      reportDone(context, record(answer), `${fitted(context, said)}\n`);
      requireConfirmed([record(answer)]);
    });

  safelist
    .command('remove <entry>')
    .description('remove a prefix that was added by command or over the API')
    .details('Entries of prefixd.yaml can be removed only there.')
    .addOption(popOption())
    .examples('prefixd safelist remove 192.0.2.53/32', 'prefixd safelist remove 192.0.2.53/32 --pop all')
    .action(async (prefix: string, options: { pop?: string }, command: Command) => {
      const context = contextFor(command);
      const { pops } = popsBody(options.pop);
      const query = pops === undefined ? '' : `?pops=${pops.map(encodeURIComponent).join(',')}`;
      const answer = record(
        await withClient(context, (client) =>
          client.remove(`/v1/safelist/${encodeURIComponent(prefix)}${query}`),
        ),
      );
      const said =
        pops === undefined
          ? `${printable(prefix)} is no longer on the safelist.\n`
          : `${printable(prefix)} is removed from the safelist as follows.\n`;
      reportDone(context, pops === undefined ? { prefix, removed: true } : answer, said);
      requireConfirmed([answer]);
    });
}

interface AddOptions {
  readonly reason: string;
  readonly pop?: string;
  readonly operator?: string;
  readonly yes?: true;
}

const COLUMNS: readonly Column<ReturnType<typeof record>>[] = [
  { title: 'PREFIX', value: (entry) => text(entry.prefix) },
  { title: 'ADDED BY', value: (entry) => text(entry.added_by), least: 8 },
  { title: 'ADDED', value: (entry) => text(entry.added_at), optional: true },
  { title: 'REASON', value: (entry) => text(entry.reason), least: 10 },
];
