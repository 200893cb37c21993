/** Implements `alerts list | test`. */
import type { Command } from 'commander';
import { countWords } from '../../net/text.ts';
import { type Fields, list, number, record, records, text } from '../answer.ts';
import { withClient } from '../client.ts';
import type { CliCommand } from '../command.ts';
import { CliError, type CommandContext, Exit, operatorOf } from '../command-context.ts';
import { drawingFor, fitted } from '../drawing.ts';
import { operatorOption } from '../options.ts';
import { type Column, json, printable, table } from '../tables.ts';

export function registerAlerts(program: CliCommand, contextFor: (command: Command) => CommandContext): void {
  const alerts = program
    .command('alerts')
    .description('show and test the destinations of alerts')
    .examples('prefixd alerts', 'prefixd alerts test slack');

  alerts
    .command('list', { isDefault: true })
    .description('list the destinations, which alerts each gets, and how deliveries went (default)')
    .details('The counts begin with the start of the daemon. Test messages are not counted.')
    .examples('prefixd alerts list')
    .action(async (_options, command: Command) => {
      const context = contextFor(command);
      const answer = await withClient(context, (client) => client.get('/v1/alerts'));
      const rows = records(record(answer).destinations);
      if (context.options.format === 'json') context.io.stdout.write(json(answer));
      else if (rows.length === 0) context.io.stdout.write('No destinations of alerts are configured.\n');
      else context.io.stdout.write(table(COLUMNS, rows, drawingFor(context)));
    });

  alerts
    .command('test <destination>')
    .description('send a test message to a destination, and show what it answered')
    .details(
      'The running daemon sends the message at once and once, whatever the events, customers and severity of the destination. It is marked as a test.',
      'At PagerDuty and Opsgenie, an incident is opened and closed again.',
    )
    .addOption(operatorOption())
    .examples('prefixd alerts test slack')
    .action(async (destination: string, options: { readonly operator?: string }, command: Command) => {
      await testDestination(contextFor(command), destination, options.operator);
    });
}

async function testDestination(
  context: CommandContext,
  destination: string,
  operator: string | undefined,
): Promise<void> {
  const answer = record(
    await withClient(context, (client) =>
      client.post(`/v1/alerts/${encodeURIComponent(destination)}/test`, {
        operator_id: operatorOf(context, operator),
      }),
    ),
  );
  if (context.options.format === 'json') context.io.stdout.write(json(answer));
  else {
    const lines = records(answer.answers).map((one) => fitted(context, answerText(answer, one)));
    context.io.stdout.write(lines.map((line) => `${line}\n`).join(''));
  }
  if (answer.delivered !== true) {
    throw new CliError(Exit.Other, `${printable(destination)} did not accept the test message`);
  }
}

const REQUESTS: Readonly<Record<string, string>> = {
  message: 'the message',
  open: 'an incident',
  close: 'the end of the incident',
};

/** Returns `noc (slack) accepted the message: HTTP 200: ok`. */
function answerText({ name, type }: Fields, { request, delivered, status, detail }: Fields): string {
  const what = REQUESTS[text(request)] ?? text(request);
  const verb = delivered === true ? 'accepted' : 'did not accept';
  const code = typeof status === 'number' ? `HTTP ${status}` : 'no response';
  // A refusal's detail begins with the status.
  const said = text(detail);
  const words = said === '' || said === code ? code : said.startsWith(code) ? said : `${code}: ${said}`;
  return `${text(name)} (${text(type)}) ${verb} ${what}: ${words}`;
}

const COLUMNS: readonly Column<Fields>[] = [
  { title: 'NAME', value: (one) => text(one.name) },
  { title: 'TYPE', value: (one) => text(one.type) },
  {
    title: 'SEVERITY',
    value: (one) => `${text(one.min_severity)}${one.min_severity === 'critical' ? '' : '+'}`,
  },
  { title: 'CUSTOMERS', value: (one) => list(one.customers).map(text).join(', ') || 'all', least: 9 },
  {
    title: 'DIGEST',
    value: (one) => (one.digest_seconds === null ? '-' : `${number(one.digest_seconds)} s`),
  },
  { title: 'WAITING', value: (one) => text(one.waiting), right: true },
  { title: 'DELIVERED', value: (one) => text(one.delivered), right: true },
  { title: 'LOST', value: (one) => String(number(one.failed) + number(one.dropped)), right: true },
  { title: 'LAST ERROR', value: (one) => text(one.last_error) || '-', least: 10 },
  { title: 'EVENTS', value: (one) => eventsText(list(one.events).map(text)), least: 8, optional: true },
];

/** Returns two events and the number of the others. */
function eventsText(events: readonly string[]): string {
  const more = events.length - 2;
  const shown = events.slice(0, 2).join(', ') || '-';
  return more > 0 ? `${shown} and ${countWords(more, 'more', 'more')}` : shown;
}
