/** `completion SHELL`: a script that completes commands and options. It is made from the commands themselves. */
import type { Command } from 'commander';
import type { Context } from './context.ts';
import { CliError, Exit } from './context.ts';

/** Commands and options that may follow a path of commands such as `peers enable`; '' is the program itself. */
export interface Completions {
  readonly path: string;
  readonly words: readonly Word[];
}

interface Word {
  readonly text: string;
  readonly description: string;
}

export function registerCompletion(program: Command, contextFor: (command: Command) => Context): void {
  program
    .command('completion <shell>')
    .description('print a completion script for bash, zsh or fish')
    .action((shell: string, _options: unknown, command: Command) => {
      const write = SHELLS[shell];
      if (write === undefined) {
        throw new CliError(
          Exit.InvalidInput,
          `"${shell}" is not a shell that is known; write bash, zsh or fish`,
        );
      }
      contextFor(command).io.stdout.write(write(completionsOf(program)));
    });
}

/** Everything that may be typed, command by command. */
export function completionsOf(program: Command): readonly Completions[] {
  const found: Completions[] = [];
  const visit = (command: Command, path: string): void => {
    const help = command.createHelp();
    const words = help
      .visibleCommands(command)
      .filter((below) => below.name() !== 'help')
      .map((below) => ({ text: below.name(), description: below.description() }));
    const own = [...help.visibleOptions(command), ...(path === '' ? [] : help.visibleOptions(program))];
    const options = own.flatMap(({ long, description }) =>
      long == null ? [] : [{ text: long, description }],
    );
    const unique = new Map([...words, ...options].map((word) => [word.text, word]));
    found.push({ path, words: [...unique.values()] });
    for (const below of command.commands) {
      if (below.name() !== 'help') visit(below, `${path} ${below.name()}`.trim());
    }
  };
  visit(program, '');
  return found;
}

const SHELLS: Readonly<Record<string, (completions: readonly Completions[]) => string>> = { bash, zsh, fish };

/** Understood by bash and zsh alike: what may follow, and whether there is such a command. */
function sharedFunctions(completions: readonly Completions[]): string {
  const cases = completions.map(
    ({ path, words }) => `    '${path}') echo '${words.map(({ text }) => text).join(' ')}' ;;`,
  );
  const known = completions.filter(({ path }) => path !== '').map(({ path }) => `'${path}'`);
  return `_prefixd_words() {
  case "$1" in
${cases.join('\n')}
  esac
}
_prefixd_is_command() {
  case "$1" in
    ${known.join('|')}) return 0 ;;
  esac
  return 1
}
`;
}

function bash(completions: readonly Completions[]): string {
  return `# prefixd completion bash > /etc/bash_completion.d/prefixd
${sharedFunctions(completions)}_prefixd() {
  local at='' word i
  for ((i = 1; i < COMP_CWORD; i++)); do
    word="$at\${at:+ }\${COMP_WORDS[i]}"
    if _prefixd_is_command "$word"; then at=$word; fi
  done
  COMPREPLY=($(compgen -W "$(_prefixd_words "$at")" -- "\${COMP_WORDS[COMP_CWORD]}"))
}
complete -o default -F _prefixd prefixd
`;
}

function zsh(completions: readonly Completions[]): string {
  return `#compdef prefixd
# prefixd completion zsh > "\${fpath[1]}/_prefixd"
${sharedFunctions(completions)}_prefixd() {
  local at='' word i
  for ((i = 2; i < CURRENT; i++)); do
    word="$at\${at:+ }\${words[i]}"
    if _prefixd_is_command "$word"; then at=$word; fi
  done
  compadd -- \${=$(_prefixd_words "$at")}
  _files
}
if [ "$funcstack[1]" = "_prefixd" ]; then _prefixd "$@"; else compdef _prefixd prefixd; fi
`;
}

function fish(completions: readonly Completions[]): string {
  const known = completions.filter(({ path }) => path !== '').map(({ path }) => `'${path}'`);
  const lines = completions.flatMap(({ path, words }) =>
    words.map(({ text, description }) => {
      const what = text.startsWith('--') ? `-l ${text.slice(2)}` : `-a ${text}`;
      return `complete -c prefixd -n "string match -q -- '${path}' (__prefixd_at)" ${what} -d '${quoted(description)}'`;
    }),
  );
  return `# prefixd completion fish > ~/.config/fish/completions/prefixd.fish
function __prefixd_at
  set -l at ''
  for word in (commandline -opc)[2..-1]
    set -l next (string trim -- "$at $word")
    if contains -- $next ${known.join(' ')}
      set at $next
    end
  end
  echo "$at"
end
${lines.join('\n')}
`;
}

function quoted(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll("'", "\\'");
}
