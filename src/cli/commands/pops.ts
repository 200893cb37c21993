/** Implements `pops`. */
import type { Command } from 'commander';
import { type Fields, number, record, records, text } from '../answer.ts';
import { withClient } from '../client.ts';
import type { CliCommand } from '../command.ts';
import type { CommandContext } from '../command-context.ts';
import { drawingFor, fitted } from '../drawing.ts';
import { watchOption } from '../options.ts';
import { type Column, duration, json, paint, printable, table } from '../tables.ts';
import { showOrWatch } from '../watch.ts';

export function registerPops(program: CliCommand, contextFor: (command: Command) => CommandContext): void {
  program
    .command('pops')
    .description('show the POPs of the exchange, their lag, and requests that are not confirmed')
    .details(
      'LAG is the time since the last heartbeat of a POP up to which everything was imported here; up to 2 s is usual.',
      'IMPORTED counts active mitigations here that the POP decided.',
    )
    .addOption(watchOption())
    .examples('prefixd pops', 'prefixd pops --watch')
    .action(async (options: { watch?: string | true }, command: Command) => {
      await showOrWatch(contextFor(command), options.watch, async (context) => {
        const answer = await withClient(context, (client) => client.get('/v1/pops'));
        return context.options.format === 'json' ? json(answer) : popsText(context, record(answer));
      });
    });
}

function popsText(context: CommandContext, { pop, exchange, pops, requests }: Fields): string {
  if (exchange === null) return `POP ${text(pop)} is on its own: exchange is not configured.\n`;
  const drawing = drawingFor(context);
  const { problem } = record(exchange);
  const note =
    typeof problem === 'string'
      ? `${paint(fitted(context, `! ${printable(problem)}`), 'red', drawing)}\n\n`
      : '';
  const open = records(requests).flatMap(({ confirmations, ...request }) =>
    records(confirmations)
      .filter(({ state }) => state !== 'done')
      .map((one) => ({ ...request, ...one })),
  );
  const waiting = open.length === 0 ? '' : `\n${table(REQUEST_COLUMNS, open, drawing)}`;
  return `${note}${table(COLUMNS, records(pops), drawing)}${waiting}`;
}

const COLUMNS: readonly Column<Fields>[] = [
  { title: 'POP', value: (one) => (one.self === true ? `${text(one.name)} (this)` : text(one.name)) },
  {
    title: 'STATE',
    value: stateText,
    color: (one) => (one.accepted === false ? 'dim' : one.state === 'up' ? 'green' : 'red'),
  },
  { title: 'LAG', value: lagText, right: true },
  { title: 'SESSIONS', value: sessionsText, right: true },
  { title: 'ACTIVE', value: (one) => text(one.active) || '-', right: true },
  { title: 'IMPORTED', value: (one) => (one.self === true ? '-' : text(one.imported)), right: true },
  { title: 'POLICY', value: policyText, optional: true },
  { title: 'VERSION', value: (one) => text(one.version) || '-', optional: true },
];

const REQUEST_COLUMNS: readonly Column<Fields>[] = [
  { title: 'REQUEST', value: (one) => text(one.request), least: 16 },
  { title: 'BY', value: (one) => text(one.operator), least: 4 },
  { title: 'AGE', value: (one) => duration(number(one.age_seconds)), right: true },
  { title: 'POP', value: (one) => text(one.pop) },
  { title: 'RESULT', value: (one) => text(one.state), color: () => 'red' },
  { title: 'DETAIL', value: (one) => text(one.detail), least: 20, optional: true },
];

function stateText({ state, accepted, unreadable }: Fields): string {
  const words = accepted === false ? `${text(state)}, not accepted` : text(state);
  return number(unreadable) > 0 ? `${words}, ${number(unreadable)} unreadable` : words;
}

function lagText({ lag_seconds: lag }: Fields): string {
  if (typeof lag !== 'number') return '-';
  return lag < 60 ? `${lag.toFixed(1)}s` : duration(lag);
}

function sessionsText({ sessions_up: up, sessions_total: total }: Fields): string {
  return typeof up === 'number' ? `${up}/${number(total)}` : '-';
}

function policyText({ self, same_policy: same }: Fields): string {
  if (self === true || typeof same !== 'boolean') return '-';
  return same ? 'same' : 'differs';
}
