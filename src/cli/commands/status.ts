/** Implements `status`. */
import type { Command } from 'commander';
import type { CliCommand } from '../command.ts';
import { type Fields, list, number, record, records, text } from '../answer.ts';
import { type ApiClient, withClient } from '../client.ts';
import type { CommandContext } from '../command-context.ts';
import { watchOption } from '../options.ts';
import { countWords } from '../../net/text.ts';
import { showOrWatch } from '../watch.ts';
import { peerTable } from './peers.ts';
import { drawingFor, fitted } from '../drawing.ts';
import { duration, json, paint, pairs, printable } from '../tables.ts';

export function registerStatus(program: CliCommand, contextFor: (command: Command) => CommandContext): void {
  program
    .command('status')
    .description('show daemon health, BGP sessions and active mitigations')
    .details(
      'Lists the reasons if the daemon is degraded or not enforcing. For monitoring, use -f json or /metrics.',
    )
    .addOption(watchOption())
    .examples('prefixd status', 'prefixd status --watch 5', 'prefixd status -f json')
    .action(async (options: { watch?: string | true }, command: Command) => {
      const context = contextFor(command);
      await withClient(context, (client) =>
        showOrWatch(context, options.watch, () => status(context, client)),
      );
    });
}

/** Words for the statuses of the API. */
const STATUS_TEXTS: Readonly<Record<string, string>> = { ok: 'healthy', not_enforcing: 'not enforcing' };

async function status(context: CommandContext, client: ApiClient): Promise<string> {
  const health = await client.get('/v1/health/detail');
  // A starting daemon responds to no other request.
  const isStarting = record(health).status === 'starting';
  // Who is limited to some customers gets neither the neighbors nor the counts of others.
  const isLimited = record(health).peers === null;
  const peers = isStarting || isLimited ? [] : await client.get('/v1/peers');
  if (context.options.format === 'json') return json({ health, peers });
  const all = record(health);
  const code = text(all.status);
  const head = pairs(
    [
      ['status', STATUS_TEXTS[code] ?? code, code === 'ok' ? 'green' : 'red'],
      ['version', text(all.version)],
      ['up', duration(number(all.uptime_seconds))],
      ['pop', text(all.pop)],
      ['mode', text(all.mode)],
      ...(isStarting
        ? []
        : ([
            ['mitigations', `${number(record(all.mitigations).live)} active`],
            ...(isLimited ? [] : [['journal', countWords(number(record(all.journal).seq), 'fact')] as const]),
          ] as const)),
    ],
    drawingFor(context),
  );
  const notes = noteLines(all)
    .flatMap((line) => fitted(context, `! ${printable(line)}`).split('\n'))
    .map((line) => `${paint(line, 'red', drawingFor(context))}\n`);
  if (isStarting || isLimited) return `${head}${notes.join('')}`;
  return `${head}${notes.join('')}\n${peerTable(context, list(peers))}`;
}

/** Returns why the daemon is not healthy, and for how long. A daemon before 0.2 reports `problems` instead of `reasons`. */
function noteLines(health: Fields): readonly string[] {
  if (health.reasons !== undefined) {
    return records(health.reasons).map((reason) => {
      const since = Date.parse(text(reason.since));
      return Number.isNaN(since)
        ? text(reason.text)
        : `${text(reason.text)} (for ${duration((Date.now() - since) / 1000)})`;
    });
  }
  const lines = list(health.problems).map(text);
  const { paused } = health;
  if (typeof paused !== 'object' || paused === null) return lines;
  const { at, by, reason } = record(paused);
  return [...lines, `paused since ${text(at)} by ${text(by)}: ${text(reason)}; no new rules are announced`];
}
