/** `complete KIND`: values for the scripts of `completion`, which call it. Hidden, because nobody types it. */
import type { Command } from 'commander';
import { record, records, text } from './answer.ts';
import type { ApiClient } from './client.ts';
import { withClient } from './client.ts';
import type { CliCommand } from './command.ts';
import type { Context } from './context.ts';
import { CliError, UsageError } from './context.ts';
import { LIVE } from './mitigation-text.ts';

/** Somebody waits at a prompt: a daemon that is not there must not be noticed (ms). */
const LIMITS = { connectMs: 500, answerMs: 1_000 };
const MOST_MITIGATIONS = 200;

interface Value {
  readonly value: string;
  readonly description: string;
}

type Look = (client: ApiClient) => Promise<readonly Value[]>;

/** What the daemon can be asked for, by the placeholder that stands for it in the help: `--customer <customer>`. */
export const KINDS: ReadonlyMap<string, Look> = new Map<string, Look>([
  ['neighbor', async (client) => liveValues(await client.get('/v1/peers'), 'name', 'address')],
  [
    'id',
    async (client) => {
      const path = `/v1/mitigations?status=${LIVE}&limit=${MOST_MITIGATIONS}`;
      return liveValues(record(await client.get(path)).mitigations, 'mitigation_id', 'victim_ip', 'vector');
    },
  ],
  [
    'customer',
    async (client) =>
      liveValues(record(await client.get('/v1/config/inventory')).customers, 'customer_id', 'name'),
  ],
  ['entry', async (client) => liveValues(await client.get('/v1/safelist'), 'prefix', 'reason')],
  ['vector', vectors],
]);

export function registerComplete(program: CliCommand, contextFor: (command: Command) => Context): void {
  program
    .command('complete <kind>', { hidden: true })
    .description('print values for shell completion')
    .examples('prefixd complete neighbor')
    .action(async (kind: string, _options: unknown, command: Command) => {
      const look = KINDS.get(kind);
      if (look === undefined)
        throw new UsageError(`unknown kind "${kind}": expected ${[...KINDS.keys()].join(', ')}`);
      const context = contextFor(command);
      for (const { value, description } of await found(context, look)) {
        context.io.stdout.write(description === '' ? `${value}\n` : `${value}\t${description}\n`);
      }
    });
}

/** Nothing when the daemon is away or refuses: a message would end up in the line that is being typed. */
async function found(context: Context, look: Look): Promise<readonly Value[]> {
  try {
    return await withClient(context, look, LIMITS);
  } catch (error) {
    if (error instanceof CliError) return [];
    throw error;
  }
}

function liveValues(answer: unknown, key: string, ...described: readonly string[]): readonly Value[] {
  return records(answer).flatMap((one) => {
    const value = text(one[key]);
    const description = described
      .map((name) => text(one[name]))
      .filter(Boolean)
      .join(' ');
    return value === '' ? [] : [{ value, description }];
  });
}

/** Those that this program knows, and those of the daemon's playbooks. */
async function vectors(client: ApiClient): Promise<readonly Value[]> {
  const { KNOWN_VECTORS } = await import('../core/vectors.ts');
  const known = KNOWN_VECTORS.map((value) => ({ value, description: '' }));
  const answer = await client.get('/v1/config/playbooks').catch((error: unknown) => {
    if (error instanceof CliError) return undefined;
    throw error;
  });
  const more = records(record(answer).playbooks).flatMap((playbook) => {
    const named = [record(playbook.match).vector].flat().map(text);
    return named
      .filter((value) => value !== '' && !KNOWN_VECTORS.includes(value))
      .map((value) => ({ value, description: text(playbook.name) }));
  });
  return [...new Map([...known, ...more].map((one) => [one.value, one])).values()];
}
