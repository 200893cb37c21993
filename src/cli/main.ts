#!/usr/bin/env node
/** Runs the program. Each command loads only the modules that it needs. */
import { endWithOutput, processIo } from './process-io.ts';
import { runCli } from './program.ts';

endWithOutput();
process.exitCode = await runCli(process.argv.slice(2), processIo());
