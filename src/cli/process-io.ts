/** The process as a command sees it. */
import { setTimeout as sleep } from 'node:timers/promises';
import { isatty } from 'node:tty';
import type { Io } from './context.ts';

/** Standard input and output, environment and terminal of this process. */
export function processIo(): Io {
  return {
    // Looked at only by commands that read it: a detector may have closed it.
    get stdin() {
      return process.stdin;
    },
    stdout: process.stdout,
    stderr: process.stderr,
    env: process.env,
    inputIsTerminal: isatty(0),
    outputIsTerminal: process.stdout.isTTY === true,
    errorIsTerminal: isatty(2),
    // Of whichever is a terminal. Asked each time: a window may be resized while a command repeats itself.
    get columns() {
      return process.stdout.columns ?? process.stderr.columns ?? 80;
    },
    wait: (ms) => sleep(ms),
  };
}

/**
 * Ends the process when its output cannot be written: without a word where the reader has seen enough
 * (`prefixd peers | head -1`), else with one line and exit code 1. Standard error has no other place to complain to.
 */
export function endWithOutput(): void {
  process.stderr.on('error', () => undefined);
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(0);
    process.stderr.write(`prefixd: cannot write to standard output: ${error.message}\n`);
    process.exit(1);
  });
}
