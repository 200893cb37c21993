/** Connects commands to the process's streams, environment and terminal. */
import { setTimeout as sleep } from 'node:timers/promises';
import { isatty } from 'node:tty';
import type { Io } from './command-context.ts';

/** Returns the streams, environment and terminal of this process. */
export function processIo(): Io {
  return {
    // Opens only when read: a detector may have closed standard input.
    get stdin() {
      return process.stdin;
    },
    stdout: process.stdout,
    stderr: process.stderr,
    env: process.env,
    inputIsTerminal: isatty(0),
    outputIsTerminal: process.stdout.isTTY === true,
    errorIsTerminal: isatty(2),
    // Reads the width each time, because a window may be resized during --watch.
    get columns() {
      return process.stdout.columns ?? process.stderr.columns ?? 80;
    },
    wait: (ms) => sleep(ms),
  };
}

/**
 * Ends the process when standard output cannot be written: silently with code 0 if the reader closed the pipe
 * (`prefixd peers | head -1`), else with a message and code 1. Errors on standard error are ignored: there is no other place
 * to report them.
 */
export function endWithOutput(): void {
  process.stderr.on('error', () => undefined);
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(0);
    process.stderr.write(`prefixd: cannot write to standard output: ${error.message}\n`);
    process.exit(1);
  });
}
