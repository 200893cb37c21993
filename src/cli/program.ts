/** The tree of commands. Each group of commands is a file of its own and loads what it needs when it runs. */
import { Command, CommanderError, Option } from 'commander';
import { version } from '../app/version.ts';
import { registerAudit } from './audit.ts';
import { registerCompletion } from './completion.ts';
import { CliError, contextOf, Exit } from './context.ts';
import type { Context, GlobalOptions, Io } from './context.ts';
import { registerControl } from './control.ts';
import { registerDaemon } from './daemon.ts';
import { registerEvents } from './events.ts';
import { registerFlowspec } from './flowspec.ts';
import { registerInit } from './init.ts';
import { registerJournal } from './journal.ts';
import { registerMigrate } from './migrate.ts';
import { registerMitigations } from './mitigations.ts';
import { registerNotify } from './notify.ts';
import { registerPcap } from './pcap.ts';
import { registerPeers } from './peers.ts';
import { printable } from './render.ts';
import { registerSafelist } from './safelist.ts';
import { registerSimulate } from './simulate.ts';
import { registerStatus } from './status.ts';

/** Adds commands to the program. `contextFor` gives what a command works with once the options are known. */
export type Register = (program: Command, contextFor: (command: Command) => Context) => void;

const GROUPS: readonly Register[] = [
  registerDaemon,
  registerInit,
  registerStatus,
  registerPeers,
  registerMitigations,
  registerSafelist,
  registerEvents,
  registerAudit,
  registerControl,
  registerNotify,
  registerSimulate,
  registerFlowspec,
  registerPcap,
  registerJournal,
  registerMigrate,
  registerCompletion,
];

const EXIT_CODES = `
Exit codes: 0 done, 1 other failure, 2 cannot connect, 3 not authorised, 4 not found, 5 invalid input.
Environment: PREFIXD_API (address of the API), PREFIXD_API_TOKEN (bearer token), PREFIXD_CONFIG (folder of the configuration).`;

/** Runs one command line (without the program's own name). Resolves to the exit code; what is known to fail never throws. */
export async function runCli(argv: readonly string[], io: Io): Promise<number> {
  const program = buildProgram(io);
  try {
    await program.parseAsync([...argv], { from: 'user' });
    return Exit.Ok;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? Exit.Ok : Exit.InvalidInput;
    if (!(error instanceof CliError)) throw error;
    if (error.message !== '') io.stderr.write(`prefixd: ${error.message}\n`);
    return error.exitCode;
  }
}

function buildProgram(io: Io): Command {
  const program = new Command('prefixd')
    .description('Turns attack reports into BGP FlowSpec rules.')
    .version(version, '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print this help')
    .addHelpText('after', EXIT_CODES)
    .addOption(
      new Option('-f, --format <format>', 'of what is printed').choices(['table', 'json']).default('table'),
    )
    .option('--api <url>', 'address of the API (default: PREFIXD_API, or http://127.0.0.1:8080)')
    .option('--token <token>', 'bearer token (default: PREFIXD_API_TOKEN)')
    .option('--cacert <file>', 'PEM file of the CA that signed the certificate of the API')
    .option('--cert <file>', 'PEM file of a client certificate')
    .option('--key <file>', 'PEM file of its private key')
    .showHelpAfterError('(prefixd --help lists the commands)');
  const contextFor = (command: Command): Context =>
    contextOf(io, command.optsWithGlobals<GlobalOptions & Record<string, unknown>>());
  for (const register of GROUPS) register(program, contextFor);
  for (const command of everyCommand(program)) {
    command.exitOverride();
    command.configureOutput({
      writeOut: (text) => void io.stdout.write(text),
      writeErr: (text) => void io.stderr.write(text),
      outputError: (text, write) =>
        write(text.startsWith('error: ') ? `prefixd: ${printableLines(text.slice(7))}` : text),
      getOutHelpWidth: () => io.columns,
      getErrHelpWidth: () => io.columns,
    });
  }
  return program;
}

function printableLines(text: string): string {
  return text.split('\n').map(printable).join('\n');
}

function* everyCommand(command: Command): Iterable<Command> {
  yield command;
  for (const below of command.commands) yield* everyCommand(below);
}
