/** Defines a command: its help with examples, and usage errors that name all missing arguments and guess typing errors. */
import { Command, type ErrorOptions, Help, type Option } from 'commander';
import { likely } from '../net/nearest.ts';
import { UsageError } from './command-context.ts';

/** Names what is missing beyond the required options and arguments, such as one of several options; '' if nothing is. */
export type RequiredOption = (args: readonly string[], options: Readonly<Record<string, unknown>>) => string;

/** Extends Commander's command for prefixd. Create subcommands with `command(name)`. */
export class CliCommand extends Command {
  #requirement: RequiredOption = () => '';
  #details = '';

  /** A paragraph that the command's own help shows below its description. */
  get longHelp(): string {
    return this.#details;
  }

  override createCommand(name?: string): CliCommand {
    return new CliCommand(name);
  }

  override createHelp(): Help {
    return Object.assign(new CliHelp(), this.configureHelp());
  }

  /** Returns the full name, such as `prefixd peers enable`. */
  get path(): string {
    return this.parent instanceof CliCommand ? `${this.parent.path} ${this.name()}` : this.name();
  }

  /** Sets the paragraph below the description: what the command does, what it asks, and its limits. */
  details(...sentences: readonly string[]): this {
    this.#details = sentences.join(' ');
    return this;
  }

  /** Adds command lines to the end of the help. Each must run as written. */
  examples(...lines: readonly string[]): this {
    return this.addHelpText('after', `\nExamples:\n${lines.map(broken).join('\n')}`);
  }

  /** Adds a requirement that Commander cannot express. */
  requires(requirement: RequiredOption): this {
    this.#requirement = requirement;
    return this;
  }

  /** Throws UsageError if a requirement of `requires` is not met. */
  checkRequired(): void {
    const missing = this.#missing();
    if (missing !== '') throw new UsageError(`missing ${missing}`, this.path);
  }

  /** Turns every parsing error into a UsageError. */
  override error(message: string, options: ErrorOptions = {}): never {
    throw this.#explain(message.replace(/^error: /, ''), options.code);
  }

  #explain(message: string, code: string | undefined): UsageError {
    switch (code) {
      case 'commander.missingArgument':
      case 'commander.missingMandatoryOptionValue':
        // A misspelled option is the reason why the right one is missing.
        return new UsageError(this.#unknownOption() ?? `missing ${this.#missing()}`, this.path);
      case 'commander.unknownOption':
        return new UsageError(this.#unknownOption() ?? message, this.path);
      case 'commander.unknownCommand':
        return this.#unknownCommand(this.args[0] ?? '');
      case 'commander.excessArguments': {
        const { parent } = this;
        const [word = ''] = parent?.args ?? [];
        // `peers enabel edge1` runs the default command `list`.
        const isDefault = parent instanceof CliCommand && parent.parent !== null && word !== this.name();
        return isDefault ? parent.#unknownCommand(word) : new UsageError(message, this.path);
      }
      default:
        return new UsageError(message, this.path);
    }
  }

  #missing(): string {
    const missing: string[] = [];
    for (const [i, argument] of this.registeredArguments.entries()) {
      if (argument.required && this.args[i] === undefined) missing.push(`<${argument.name()}>`);
    }
    for (const option of this.options) {
      if (option.mandatory && this.getOptionValue(option.attributeName()) === undefined)
        missing.push(withoutShort(option));
    }
    const other = this.#requirement(this.args, this.opts());
    if (other === '') return missing.join(', ');
    return missing.length === 0 ? other : `${missing.join(', ')}, and ${other}`;
  }

  #unknownOption(): string | undefined {
    const known = new Set(['--help']);
    for (let command: Command | null = this; command !== null; command = command.parent) {
      for (const { long, short } of command.options)
        for (const flag of [long, short]) if (flag) known.add(flag);
    }
    const flag = this.args
      .map((one) => one.split('=')[0] ?? '')
      .find((one) => /^-./.test(one) && !known.has(one));
    return flag === undefined ? undefined : `unknown option ${flag}${guess(flag, [...known])}`;
  }

  #unknownCommand(word: string): UsageError {
    const known = this.createHelp()
      .visibleCommands(this)
      .map((one) => one.name())
      .filter((name) => name !== 'help');
    const meant = guess(word, known);
    const all = meant === '' ? `; expected one of ${known.join(', ')}` : meant;
    return new UsageError(`unknown command "${word}"${all}`, this.path);
  }
}

/** Breaks a long example before an option, with a backslash, so that it can still be pasted. */
function broken(line: string): string {
  const lines: string[] = [];
  let current = ' ';
  for (const part of line.split(/ (?=--)/)) {
    if (current.length + 1 + part.length > LONGEST_EXAMPLE) {
      lines.push(`${current} \\`);
      current = '     ';
    }
    current += ` ${part}`;
  }
  return [...lines, current].join('\n');
}

/** Leaves room for ` \` in 80 columns (characters). */
const LONGEST_EXAMPLE = 78;

function withoutShort({ long, flags }: Option): string {
  return long == null ? flags : flags.slice(flags.indexOf(long));
}

/** Returns `; did you mean --watch?`, or '' if no known word is similar. */
function guess(word: string, known: readonly string[]): string {
  const best = likely(word, known);
  return best === undefined ? '' : `; did you mean ${best}?`;
}

/** Formats help: marks required options, and lists the global options of every command at the end. */
class CliHelp extends Help {
  override showGlobalOptions = true;

  override commandDescription(command: Command): string {
    const description = super.commandDescription(command);
    const long = command instanceof CliCommand ? command.longHelp : '';
    return long === '' ? description : `${description}\n\n${long}`;
  }

  override optionDescription(option: Option): string {
    const description = super.optionDescription(option);
    return option.mandatory ? `${description} (required)` : description;
  }

  override visibleGlobalOptions(command: Command): Option[] {
    return super.visibleGlobalOptions(command).filter(({ long }) => long !== '--version');
  }

  override subcommandDescription(command: Command): string {
    return command.name() === 'help' ? 'show the help of a command' : super.subcommandDescription(command);
  }
}
