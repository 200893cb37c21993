#!/usr/bin/env node
/** The program. Only what a command needs is loaded when it runs. */
import { endWithOutput, processIo } from './process-io.ts';
import { runCli } from './program.ts';

endWithOutput();
process.exitCode = await runCli(process.argv.slice(2), processIo());
