/**
 * Implements `completion SHELL`: prints a script that completes commands, options and their values. The script is made from the
 * commands; for values that only the daemon knows it calls `complete KIND`.
 */
import { Argument, type Command, type Option } from 'commander';
import { record, records, text } from '../answer.ts';
import { type ApiClient, withClient } from '../client.ts';
import type { CliCommand } from '../command.ts';
import { bashScript, type Completions, fishScript, type Values, zshScript } from '../completion-scripts.ts';
import { CliError, type CommandContext, UsageError } from '../command-context.ts';
import { LIVE } from '../mitigation-text.ts';

/** The command that a group runs by default. */
const DEFAULT_COMMAND = 'list';

const FIXED: ReadonlyMap<string, readonly string[]> = new Map([
  ['status', ['pending', 'active', 'escalated', 'withdrawn', 'expired', 'rejected']],
  ['protocol', ['tcp', 'udp', 'icmp', 'icmpv6', 'gre', 'sctp']],
]);

const SCRIPTS: Readonly<Record<string, (completions: readonly Completions[]) => string>> = {
  bash: bashScript,
  zsh: zshScript,
  fish: fishScript,
};

export function registerCompletion(
  program: CliCommand,
  contextFor: (command: Command) => CommandContext,
): void {
  program
    .command('completion')
    .description('print a completion script for bash, zsh or fish')
    .details(
      'Completes commands, options and values.',
      'Asks the running daemon for the names of neighbors, customers, scrubbers, mitigations, safelist entries and destinations of alerts.',
    )
    .addArgument(new Argument('<shell>').choices(Object.keys(SCRIPTS)))
    .examples(
      'prefixd completion bash > /etc/bash_completion.d/prefixd',
      'prefixd completion fish > ~/.config/fish/completions/prefixd.fish',
    )
    .action((shell: string, _options: unknown, command: Command) => {
      contextFor(command).io.stdout.write(SCRIPTS[shell]?.(completionsOf(program)) ?? '');
    });
}

/** Lists the words, options and operands of every command. */
export function completionsOf(program: CliCommand): readonly Completions[] {
  const found: Completions[] = [];
  const visit = (command: Command, path: string): void => {
    const help = command.createHelp();
    const below = help.visibleCommands(command).filter((one) => one.name() !== 'help');
    const whenNone = below.find((one) => one.name() === DEFAULT_COMMAND);
    const options = [
      ...help.visibleOptions(command),
      ...(whenNone === undefined ? [] : help.visibleOptions(whenNone)),
      ...(path === '' ? [] : help.visibleGlobalOptions(command)),
    ];
    const words = [
      ...below.map((one) => ({ text: one.name(), description: one.description() })),
      ...options.flatMap(({ long, short, description }) =>
        long == null ? [] : [{ text: long, description, ...(short == null ? {} : { short }) }],
      ),
    ];
    found.push({
      path,
      words: [...new Map(words.map((word) => [word.text, word])).values()],
      options: new Map(options.flatMap(valuesOfOption)),
      operands: command.registeredArguments.map((one) => valuesOf(one.argChoices, one.name())),
    });
    for (const one of below) visit(one, `${path} ${one.name()}`.trim());
  };
  visit(program, '');
  return found;
}

/** Returns an option's values under its short and long names; nothing if it takes no value or only an optional one. */
function valuesOfOption(option: Option): readonly (readonly [flag: string, values: Values])[] {
  if (!option.required) return [];
  const placeholder = /<([a-z]+)/.exec(option.flags)?.[1] ?? '';
  const values = valuesOf(option.argChoices, placeholder);
  return [option.short, option.long].flatMap((flag) => (flag == null ? [] : [[flag, values] as const]));
}

function valuesOf(choices: readonly string[] | undefined, placeholder: string): Values {
  const words = choices ?? FIXED.get(placeholder);
  if (words !== undefined) return { type: 'words', words };
  return KINDS.has(placeholder) ? { type: 'asked', kind: placeholder } : { type: 'free' };
}

// Implements `complete KIND`, which the scripts of `completion` call. Hidden, because nobody types it.

/** Bounds the call (ms): an unreachable daemon must not delay the prompt. */
const LIMITS = { connectMs: 500, answerMs: 1_000 };
const MOST_MITIGATIONS = 200;

interface Value {
  readonly value: string;
  readonly description: string;
}

type LookUp = (client: ApiClient) => Promise<readonly Value[]>;

/** Reads values from the daemon, by their placeholder in the help: `--customer <customer>`. */
export const KINDS: ReadonlyMap<string, LookUp> = new Map<string, LookUp>([
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
  [
    'destination',
    async (client) => liveValues(record(await client.get('/v1/alerts')).destinations, 'name', 'type'),
  ],
  ['entry', async (client) => liveValues(await client.get('/v1/safelist'), 'prefix', 'reason')],
  ['scrubber', async (client) => liveValues(record(await client.get('/v1/scrubbers')).scrubbers, 'name')],
  ['vector', vectors],
]);

export function registerComplete(
  program: CliCommand,
  contextFor: (command: Command) => CommandContext,
): void {
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

/** Returns nothing if the call fails: a message would appear in the line that the user types. */
async function found(context: CommandContext, look: LookUp): Promise<readonly Value[]> {
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

/** Returns the built-in vectors and those of the daemon's playbooks. */
async function vectors(client: ApiClient): Promise<readonly Value[]> {
  const { KNOWN_VECTORS } = await import('../../core/policy/vectors.ts');
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
