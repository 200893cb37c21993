/** Runs command lines one after the other in this process, on its own terminal: starting one program is enough of a wait. */
import { processIo } from '../../src/cli/process-io.ts';
import { runCli } from '../../src/cli/program.ts';

const commands = JSON.parse(process.argv[2] ?? '[]') as readonly (readonly string[])[];
for (const argv of commands) {
  const code = await runCli(argv, processIo());
  process.stdout.write(`\u0000${code}\n`);
}
