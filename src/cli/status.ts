/** `status`. */
import type { Command } from 'commander';
import { list, number, record, text } from './answer.ts';
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
  const paused = all.paused;
  const head = pairs([
    ['status', paint(mood, mood === 'ok' ? 'green' : 'red', context)],
    ['version', text(all.version)],
    ['up', duration(number(all.uptime_seconds))],
    ['pop', text(all.pop)],
    ['mode', text(all.mode)],
    ['mitigations', `${number(record(all.mitigations).live)} live`],
    ['journal', `${number(record(all.journal).seq)} facts`],
  ]);
  const notes = list(all.problems).map((one) => paint(`! ${text(one)}\n`, 'red', context));
  if (typeof paused === 'object' && paused !== null) {
    const { at, by, reason } = record(paused);
    const said = `! paused since ${text(at)} by ${text(by)}: ${text(reason)}; nothing new is announced\n`;
    notes.push(paint(said, 'yellow', context));
  }
  return `${head}${notes.join('')}\n${peerTable(context, list(peers))}`;
}
