/** Implements `flowspec decode | encode | order`: JSON lines from standard input to standard output. */
import type { Command } from 'commander';
import { failed, ok, type Result } from '../../net/result.ts';
import type { CliCommand } from '../command.ts';
import type { CommandContext } from '../command-context.ts';
import { countWords, errorText } from '../../net/text.ts';
import { CliError, Exit, inputLines } from '../command-context.ts';

export function registerFlowspec(
  program: CliCommand,
  contextFor: (command: Command) => CommandContext,
): void {
  const flowspec = program
    .command('flowspec')
    .description('encode, decode and sort FlowSpec rules, as JSON lines from standard input')
    .details('Needs no daemon. docs/notation.md describes the JSON and the notation of rules.')
    .examples(
      'prefixd flowspec encode < rules.jsonl',
      'prefixd flowspec encode < rules.jsonl | prefixd flowspec decode',
    );

  for (const [name, description, details] of [
    [
      'decode',
      'decode NLRI octets to rules, line by line',
      'Reads {"afi","safi","nlri","actions"?} and prints {"ok","rule","components","nlri"} per line (docs/notation.md).',
    ],
    [
      'encode',
      'encode rules to NLRI octets, line by line',
      'Reads {"afi","components","actions"?} or {"rule"} and prints {"ok","nlri"} per line (docs/notation.md).',
    ],
  ] as const) {
    flowspec
      .command(name)
      .description(description)
      .details(details)
      .examples(`prefixd flowspec ${name} < rules.jsonl`)
      .action(async (_options, command: Command) => {
        const { decodeLine, encodeLine } = await import('../../tools/rule-lines.ts');
        await answerLines(contextFor(command), name === 'decode' ? decodeLine : encodeLine);
      });
  }

  flowspec
    .command('order')
    .description('sort rules by precedence (RFC 8955 §5.1)')
    .details(
      'Reads lines as for encode or decode, and prints them unchanged in the order in which a router applies them.',
    )
    .examples('prefixd flowspec order < rules.jsonl')
    .action(async (_options, command: Command) => {
      await order(contextFor(command));
    });
}

/** Writes one result per line, also for a line that is not JSON, so that input and output lines correspond. */
async function answerLines(context: CommandContext, answer: (json: unknown) => unknown): Promise<void> {
  for await (const line of inputLines(context.io)) {
    const parsed = parse(line);
    const said = parsed.ok ? answer(parsed.value) : parsed;
    context.io.stdout.write(`${JSON.stringify(said)}\n`);
  }
}

function parse(line: string): Result<unknown> {
  try {
    return ok(JSON.parse(line));
  } catch (error) {
    return failed(`not JSON: ${errorText(error)}`);
  }
}

async function order(context: CommandContext): Promise<void> {
  const { orderLines } = await import('../../tools/rule-lines.ts');
  const lines: string[] = [];
  for await (const line of inputLines(context.io)) if (line.trim() !== '') lines.push(line);
  const parsed = lines.map(parse);
  const { order: indices, errors } = orderLines(parsed.map((one) => (one.ok ? one.value : undefined)));
  for (const index of indices) context.io.stdout.write(`${lines[index]}\n`);
  for (const { index, error } of errors) {
    const one = parsed[index];
    const why = one?.ok === false ? one.error : error;
    context.io.stderr.write(`prefixd: line ${index + 1}: ${why}\n`);
  }
  if (errors.length > 0) {
    throw new CliError(
      Exit.InvalidInput,
      `${errors.length} of ${countWords(lines.length, 'line')} skipped: not a rule`,
    );
  }
}
