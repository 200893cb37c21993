/** `pause`, `resume`, `reload`. */
import type { Command } from 'commander';
import { list, record, text } from './answer.ts';
import { withClient } from './client.ts';
import { callConfirmed } from './confirm.ts';
import type { Context } from './context.ts';
import { operatorOf } from './context.ts';
import { json } from './render.ts';

export function registerControl(program: Command, contextFor: (command: Command) => Context): void {
  for (const [name, description, done] of [
    [
      'pause',
      'announce nothing new; running TTLs go on',
      'Paused: nothing new is announced until prefixd resume.',
    ],
    ['resume', 'end a pause', 'Resumed.'],
  ] as const) {
    program
      .command(name)
      .description(description)
      .requiredOption('--reason <text>', 'why, for the audit')
      .option('--operator <name>', 'who does this (default: the name of the user)')
      .action(async (options: { reason: string; operator?: string }, command: Command) => {
        const context = contextFor(command);
        const body = { operator_id: operatorOf(context, options.operator), reason: options.reason };
        const answer = await withClient(context, (client) => client.post(`/v1/control/${name}`, body));
        context.io.stdout.write(context.options.format === 'json' ? json(answer) : `${done}\n`);
      });
  }

  program
    .command('reload')
    .description(
      'let the daemon read its configuration again: all of it, or, when anything is wrong, nothing',
    )
    .option('--operator <name>', 'who does this (default: the name of the user)')
    .option('-y, --yes', 'do not ask, however many mitigations it withdraws')
    .action(async (options: { operator?: string; yes?: true }, command: Command) => {
      const context = contextFor(command);
      const body = { operator_id: operatorOf(context, options.operator) };
      const answer = await withClient(context, (client) =>
        callConfirmed(context, options.yes === true, (confirm) =>
          client.post('/v1/config/reload', { ...body, ...confirm }),
        ),
      );
      if (context.options.format === 'json') return void context.io.stdout.write(json(answer));
      const { summary, warnings } = record(answer);
      context.io.stdout.write(`Reloaded: ${text(summary)}\n`);
      for (const warning of list(warnings)) context.io.stderr.write(`warning: ${text(warning)}\n`);
    });
}
