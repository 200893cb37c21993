/** Sends a command to several POPs, and reports which of them have done it. */
import { Option } from 'commander';
import { type Fields, records, text } from './answer.ts';
import { CliError, type CommandContext, Exit, UsageError } from './command-context.ts';
import { drawingFor } from './drawing.ts';
import { type Column, json, table } from './tables.ts';

/** Creates `--pop`; read it with `popsBody`. */
export function popOption(): Option {
  return new Option(
    '--pop <pops>',
    'do this at these POPs, comma-separated, or at all of them with "all" (default: the POP of this daemon)',
  );
}

/** Returns the member of a request's body that names the POPs; none without `--pop`. UsageError for an invalid name. */
export function popsBody(pops: string | undefined): { readonly pops?: readonly string[] } {
  return pops === undefined ? {} : { pops: popNames(pops) };
}

/** Reads POPs' names, separated by commas; `*` for all of them. */
export function popNames(pops: string): readonly string[] {
  const names = pops.split(',').map((name) => name.trim());
  const invalid = names.find((name) => !/^[A-Za-z0-9._-]{1,64}$/.test(name));
  if (invalid !== undefined)
    throw new UsageError(`--pop: invalid name "${invalid}": expected names of POPs, or all`);
  return names.includes('all') ? ['*'] : names;
}

/** Writes a command's result: the answer as JSON, or the text with what each POP did. */
export function reportDone(context: CommandContext, answer: Fields, said: string): void {
  const { io, options } = context;
  const confirmations = records(answer.confirmations);
  if (options.format === 'json') io.stdout.write(json(answer));
  else {
    io.stdout.write(said);
    if (confirmations.length > 0) io.stdout.write(table(COLUMNS, confirmations, drawingFor(context)));
  }
}

/** Throws CliError 1 that names the POPs that have not done what was asked, or refused it. */
export function requireConfirmed(answers: readonly Fields[]): void {
  const open = new Map<string, string>();
  for (const one of answers.flatMap(({ confirmations }) => records(confirmations))) {
    if (text(one.state) !== 'done') open.set(text(one.pop), `${text(one.pop)} (${text(one.state)})`);
  }
  if (open.size === 0) return;
  throw new CliError(Exit.Other, `not done at ${[...open.values()].join(', ')}; prefixd pops shows it later`);
}

const COLUMNS: readonly Column<Fields>[] = [
  { title: 'POP', value: (one) => text(one.pop) },
  {
    title: 'RESULT',
    value: (one) => text(one.state),
    color: (one) => (text(one.state) === 'done' ? 'green' : 'red'),
  },
  { title: 'DETAIL', value: (one) => text(one.detail), least: 20 },
];
