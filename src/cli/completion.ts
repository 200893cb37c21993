/**
 * `completion SHELL`: a script that completes commands, options and their values. It is made from the commands themselves;
 * values that only the daemon knows are asked for with `complete KIND` when they are wanted.
 */
import { Argument, type Command, type Option } from 'commander';
import type { CliCommand } from './command.ts';
import { KINDS } from './complete.ts';
import type { Context } from './context.ts';
import { bashScript, fishScript, zshScript } from './completion-scripts.ts';
import type { Completions, Values } from './completion-scripts.ts';

/** What a group of commands does when it is given no command. */
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

export function registerCompletion(program: CliCommand, contextFor: (command: Command) => Context): void {
  program
    .command('completion')
    .description('print a completion script for bash, zsh or fish')
    .addArgument(new Argument('<shell>').choices(Object.keys(SCRIPTS)))
    .examples(
      'prefixd completion bash > /etc/bash_completion.d/prefixd',
      'prefixd completion fish > ~/.config/fish/completions/prefixd.fish',
    )
    .action((shell: string, _options: unknown, command: Command) => {
      contextFor(command).io.stdout.write(SCRIPTS[shell]?.(completionsOf(program)) ?? '');
    });
}

/** Everything that may be typed, command by command. */
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

/** Both spellings of an option with what may follow it; none for one that takes no value, or need not. */
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
