/** What is shown once, or again and again: `--watch`. */
import type { Context } from './context.ts';
import { CliError, Exit } from './context.ts';

const DEFAULT_SECONDS = 2;

/**
 * Writes what `show` gives: once, or with `--watch` every so many seconds until the process is told to stop. CliError 5
 * when `every` is not a number above 0.
 */
export async function showOrWatch(
  context: Context,
  every: string | true | undefined,
  show: (context: Context) => Promise<string>,
): Promise<void> {
  if (every === undefined) return void context.io.stdout.write(await show(context));
  const seconds = every === true ? DEFAULT_SECONDS : Number(every);
  if (!Number.isFinite(seconds) || seconds <= 0) {
    throw new CliError(Exit.InvalidInput, '--watch takes a number of seconds above 0');
  }
  for (;;) {
    const shown = await show(context);
    // Clears what was there before, so that the terminal shows one picture.
    context.io.stdout.write(context.io.outputIsTerminal ? `\u001b[H\u001b[2J${shown}` : shown);
    await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
  }
}
