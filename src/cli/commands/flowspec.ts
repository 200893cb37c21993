/** `flowspec decode | encode | order`: rules as lines of JSON, from standard input to standard output. */
import type { Command } from 'commander';
import type { CliCommand } from '../command.ts';
import type { Context } from '../context.ts';
import { countWords } from '../../net/text.ts';
import { CliError, Exit, inputLines } from '../context.ts';

export function registerFlowspec(program: CliCommand, contextFor: (command: Command) => Context): void {
  const flowspec = program
    .command('flowspec')
    .description('encode, decode and order FlowSpec rules: JSON lines from standard input (docs/notation.md)')
    .examples(
      'prefixd flowspec encode < rules.jsonl',
      'prefixd flowspec encode < rules.jsonl | prefixd flowspec decode',
    );

  for (const [name, description] of [
    ['decode', 'decode {"afi","safi","nlri","actions"?} to {"ok","rule","components","nlri"}, line by line'],
    ['encode', 'encode {"afi","components","actions"?} or {"rule"} to {"ok","nlri"}, line by line'],
  ] as const) {
    flowspec
      .command(name)
      .description(description)
      .examples(`prefixd flowspec ${name} < rules.jsonl`)
      .action(async (_options, command: Command) => {
        const { decodeLine, encodeLine } = await import('../../tools/rule-lines.ts');
        await answerLines(contextFor(command), name === 'decode' ? decodeLine : encodeLine);
      });
  }

  flowspec
    .command('order')
    .description('sort the lines by the precedence of RFC 8955 §5.1')
    .examples('prefixd flowspec order < rules.jsonl')
    .action(async (_options, command: Command) => {
      await order(contextFor(command));
    });
}

/** One answer a line, also for a line that is no JSON, so that input and output can be read side by side. */
async function answerLines(context: Context, answer: (json: unknown) => unknown): Promise<void> {
  for await (const line of inputLines(context.io)) {
    const parsed = parse(line);
    const said = parsed.ok ? answer(parsed.json) : { ok: false, error: parsed.error };
    context.io.stdout.write(`${JSON.stringify(said)}\n`);
  }
}

type Parsed = { readonly ok: true; readonly json: unknown } | { readonly ok: false; readonly error: string };

function parse(line: string): Parsed {
  try {
    return { ok: true, json: JSON.parse(line) };
  } catch (error) {
    return { ok: false, error: `not JSON: ${error instanceof Error ? error.message : String(error)}` };
  }
}

async function order(context: Context): Promise<void> {
  const { orderLines } = await import('../../tools/rule-lines.ts');
  const lines: string[] = [];
  for await (const line of inputLines(context.io)) if (line.trim() !== '') lines.push(line);
  const parsed = lines.map(parse);
  const { order: indices, errors } = orderLines(parsed.map((one) => (one.ok ? one.json : undefined)));
  for (const index of indices) context.io.stdout.write(`${lines[index]}\n`);
  for (const { index, error } of errors) {
    const one = parsed[index];
    const why = one?.ok === false ? one.error : error;
    context.io.stderr.write(`prefixd: line ${index + 1}: ${why}\n`);
  }
  if (errors.length > 0) {
    throw new CliError(
      Exit.InvalidInput,
      `${errors.length} of ${countWords(lines.length, 'line')} left out: not a rule`,
    );
  }
}
