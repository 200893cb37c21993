/** `pause`, `resume`, `reload`. */
import type { Command } from 'commander';
import { LIMITS } from '../../config/limits.ts';
import type { CliCommand } from '../command.ts';
import { list, record, text } from '../answer.ts';
import { withClient } from '../client.ts';
import { callConfirmed } from '../confirm.ts';
import type { Context } from '../context.ts';
import { errorWidth, operatorOf } from '../context.ts';
import { fitted } from '../drawing.ts';
import { operatorOption, reasonOption, yesOption } from '../options.ts';
import { json, wrapped } from '../render.ts';

/** Time for a reload beyond that for reading the files: another reload may be under way, and the routers follow (ms). */
const ADOPTION_MS = 60_000;

export function registerControl(program: CliCommand, contextFor: (command: Command) => Context): void {
  for (const [name, description, done] of [
    [
      'pause',
      'stop announcing new rules; active mitigations still expire',
      'Paused: no new rules are announced until prefixd resume.',
    ],
    ['resume', 'end a pause', 'Resumed.'],
  ] as const) {
    program
      .command(name)
      .description(description)
      .addOption(reasonOption())
      .addOption(operatorOption())
      .examples(`prefixd ${name} --reason "maintenance of edge1"`)
      .action(async (options: { reason: string; operator?: string }, command: Command) => {
        const context = contextFor(command);
        const body = { operator_id: operatorOf(context, options.operator), reason: options.reason };
        const answer = await withClient(context, (client) => client.post(`/v1/control/${name}`, body));
        context.io.stdout.write(context.options.format === 'json' ? json(answer) : `${done}\n`);
      });
  }

  program
    .command('reload')
    .description('reload the configuration (all or nothing)')
    .addOption(operatorOption())
    .addOption(yesOption('do not ask, however many mitigations it withdraws'))
    .examples('prefixd reload', 'prefixd check --diff')
    .action(async (options: { operator?: string; yes?: true }, command: Command) => {
      const context = contextFor(command);
      const body = { operator_id: operatorOf(context, options.operator) };
      const answer = await withClient(
        context,
        (client) =>
          callConfirmed(context, options.yes === true, (confirm) =>
            client.post('/v1/config/reload', { ...body, ...confirm }),
          ),
        { answerMs: LIMITS.milliseconds + ADOPTION_MS },
      );
      if (context.options.format === 'json') return void context.io.stdout.write(json(answer));
      const { summary, warnings } = record(answer);
      context.io.stdout.write(`${fitted(context, `Reloaded: ${text(summary)}`)}\n`);
      for (const warning of list(warnings))
        context.io.stderr.write(`${wrapped(`warning: ${text(warning)}`, errorWidth(context.io))}\n`);
    });
}
