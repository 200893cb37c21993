/** Implements `pause`, `resume` and `reload`. */
import type { Command } from 'commander';
import { LIMITS } from '../../config/file-limits.ts';
import type { CliCommand } from '../command.ts';
import { list, record, text } from '../answer.ts';
import { withClient } from '../client.ts';
import { popOption, popsBody, reportDone, requireConfirmed } from '../confirmations.ts';
import { callConfirmed } from '../confirm.ts';
import { type CommandContext, errorWidth, operatorOf } from '../command-context.ts';
import { fitted } from '../drawing.ts';
import { operatorOption, reasonOption, yesOption } from '../options.ts';
import { json, wrapped } from '../tables.ts';

/** Added to the time for reading the files (ms): another reload may be running, and the rules must reach the routers. */
const ADOPTION_MS = 60_000;

interface ControlOptions {
  readonly reason: string;
  readonly operator?: string;
  readonly pop?: string;
}

export function registerControl(program: CliCommand, contextFor: (command: Command) => CommandContext): void {
  for (const [name, description, details, done] of [
    [
      'pause',
      'stop announcing new rules; active mitigations still expire',
      'Rules that are already announced stay on the routers until their TTL expires, and can be withdrawn. Events are still recorded. A pause survives a restart of the daemon.',
      'Paused: no new rules are announced. To resume: prefixd resume.',
    ],
    [
      'resume',
      'announce new rules again, after a pause',
      'Ends the pause that prefixd pause began.',
      'Resumed.',
    ],
  ] as const) {
    program
      .command(name)
      .description(description)
      .details(details)
      .addOption(reasonOption())
      .addOption(popOption())
      .addOption(operatorOption())
      .examples(
        `prefixd ${name} --reason "maintenance of edge1"`,
        `prefixd ${name} --pop all --reason "wrong playbook deployed"`,
      )
      .action(async (options: ControlOptions, command: Command) => {
        const context = contextFor(command);
        const body = {
          operator_id: operatorOf(context, options.operator),
          reason: options.reason,
          ...popsBody(options.pop),
        };
        const answer = record(
          await withClient(context, (client) => client.post(`/v1/control/${name}`, body)),
        );
        reportDone(context, answer, options.pop === undefined ? `${done}\n` : '');
        requireConfirmed([answer]);
      });
  }

  program
    .command('reload')
    .description('reload the configuration (all or nothing)')
    .details(
      'Reads the configuration folder again. If it has any error, nothing changes and the errors are printed.',
      'Asks for confirmation if the new configuration would withdraw many mitigations.',
      'To preview the effect: prefixd check --diff.',
    )
    .addOption(operatorOption())
    .addOption(yesOption('do not ask for confirmation, even if many mitigations are withdrawn'))
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
