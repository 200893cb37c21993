/** Asks for confirmation at the terminal before a command withdraws many mitigations. */
import { createInterface } from 'node:readline/promises';
import { ApiError } from './client.ts';
import { CliError, type CommandContext, Exit, type Io } from './command-context.ts';
import { printable } from './tables.ts';

/** Asks a question and returns after a yes; throws CliError 1 after any other answer. */
export async function confirm(io: Io, question: string): Promise<void> {
  const lines = createInterface({ input: io.stdin });
  io.stderr.write(`${question} [y/N] `);
  try {
    const answer = await new Promise<string>((resolve) => {
      lines.once('line', resolve);
      lines.once('close', () => resolve(''));
    });
    if (!/^y(es)?$/i.test(answer.trim())) throw new CliError(Exit.Other, 'nothing was changed');
  } finally {
    lines.close();
  }
}

/** Asks at a terminal. Without a terminal throws CliError 5: scripts must use `--yes`. */
export async function confirmOrYes(context: CommandContext, effect: string): Promise<void> {
  if (context.io.inputIsTerminal) return confirm(context.io, `Effect: ${effect}. Continue?`);
  throw new CliError(
    Exit.InvalidInput,
    `nothing was changed: ${effect}; to confirm, repeat the command with --yes`,
  );
}

/** Calls the daemon. If it asks for confirmation, gets one from `--yes` or at the terminal and repeats the call. */
export async function callConfirmed(
  context: CommandContext,
  yes: boolean,
  call: (confirm: { readonly confirm?: true }) => Promise<unknown>,
): Promise<unknown> {
  if (yes) return call({ confirm: true });
  try {
    return await call({});
  } catch (error) {
    if (!(error instanceof ApiError) || error.unconfirmed === undefined) throw error;
    await confirmOrYes(context, printable(error.unconfirmed));
    return call({ confirm: true });
  }
}
