/** Asks somebody at the terminal before much is taken down. */
import { createInterface } from 'node:readline/promises';
import { ApiError } from './client.ts';
import { CliError, Exit } from './context.ts';
import type { Context, Io } from './context.ts';
import { printable } from './render.ts';

/** Goes on only after a yes; otherwise CliError 1. */
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

/** Asks at a terminal. Without one, and without `--yes`, it is CliError 5: a program has to say that it means it. */
export async function confirmOrYes(context: Context, effect: string): Promise<void> {
  if (context.io.inputIsTerminal)
    return confirm(context.io, `This is what would happen: ${effect}. Go ahead?`);
  throw new CliError(Exit.InvalidInput, `nothing was changed: ${effect}; repeat it with --yes to go ahead`);
}

/** Calls the daemon, and once more with a confirmation when it asks for one and `--yes` or somebody at the terminal gives it. */
export async function callConfirmed(
  context: Context,
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
