/** `status`. */
import type { Command } from 'commander';
import type { Fields } from './answer.ts';
import { list, number, record, records, text } from './answer.ts';
import { withClient } from './client.ts';
import type { ApiClient } from './client.ts';
import type { Context } from './context.ts';
import { CliError, Exit } from './context.ts';
import { peerTable } from './peers.ts';
import { duration, json, paint, pairs } from './render.ts';

export function registerStatus(program: Command, contextFor: (command: Command) => Context): void {
  program
    .command('status')
    .description('how the daemon, its sessions and its mitigations are')
    .option('-w, --watch [seconds]', 'again and again, every 2 seconds or as said')
    .action(async (options: { watch?: string | true }, command: Command) => {
      const context = contextFor(command);
      await withClient(context, async (client) => {
        if (options.watch === undefined) return void context.io.stdout.write(await status(context, client));
        await watch(context, client, options.watch === true ? 2 : Number(options.watch));
      });
    });
}

/** The status in the words of the people on call. */
const MOODS: Readonly<Record<string, string>> = { ok: 'healthy', not_enforcing: 'not enforcing' };

async function watch(context: Context, client: ApiClient, seconds: number): Promise<void> {
  if (!Number.isFinite(seconds) || seconds <= 0) {
    throw new CliError(Exit.InvalidInput, '--watch takes a number of seconds above 0');
  }
  for (;;) {
    const shown = await status(context, client);
    // Clears what was there before, so that the terminal shows one picture.
    context.io.stdout.write(context.io.outputIsTerminal ? `\u001b[H\u001b[2J${shown}` : shown);
    await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
  }
}

async function status(context: Context, client: ApiClient): Promise<string> {
  const [health, peers] = await Promise.all([client.get('/v1/health/detail'), client.get('/v1/peers')]);
  if (context.options.format === 'json') return json({ health, peers });
  const all = record(health);
  const mood = text(all.status);
  const head = pairs([
    ['status', paint(MOODS[mood] ?? mood, mood === 'ok' ? 'green' : 'red', context)],
    ['version', text(all.version)],
    ['up', duration(number(all.uptime_seconds))],
    ['pop', text(all.pop)],
    ['mode', text(all.mode)],
    ['mitigations', `${number(record(all.mitigations).live)} live`],
    ['journal', `${number(record(all.journal).seq)} facts`],
  ]);
  const notes = noteLines(all).map((line) => paint(`! ${line}\n`, 'red', context));
  return `${head}${notes.join('')}\n${peerTable(context, list(peers))}`;
}

/** Why the daemon is not healthy, and for how long; a daemon before 0.2 gives no reasons but problems. */
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
  return [...lines, `paused since ${text(at)} by ${text(by)}: ${text(reason)}; nothing new is announced`];
}
