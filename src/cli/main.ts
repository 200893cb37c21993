#!/usr/bin/env node
/** The program. Only what a command needs is loaded when it runs. */
import { isatty } from 'node:tty';
import { runCli } from './program.ts';

// A reader that has seen enough (`prefixd peers | head -1`) is no error.
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(0);
    throw error;
  });
}

process.exitCode = await runCli(process.argv.slice(2), {
  // Looked at only by commands that read it: a detector may have closed it.
  get stdin() {
    return process.stdin;
  },
  stdout: process.stdout,
  stderr: process.stderr,
  env: process.env,
  inputIsTerminal: isatty(0),
  outputIsTerminal: process.stdout.isTTY === true,
  columns: process.stdout.columns ?? 80,
});
