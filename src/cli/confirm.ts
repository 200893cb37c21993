/** Asks somebody at the terminal. */
import { createInterface } from 'node:readline/promises';
import { CliError, Exit } from './context.ts';
import type { Io } from './context.ts';

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
