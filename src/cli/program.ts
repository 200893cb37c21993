/**
 * Builds the tree of commands and runs one command line. Each group of commands is a file, loaded when one of its commands
 * runs; the command itself loads heavier modules.
 */
import { type Command, CommanderError, Option } from 'commander';
import { version } from '../app/version.ts';
import { CliCommand } from './command.ts';
import { CliError, contextOf, errorWidth, Exit, UsageError } from './command-context.ts';
import type { CommandContext, GlobalOptions, Io } from './command-context.ts';
import { printable, wrapped } from './tables.ts';

/** Adds commands to the program. `contextFor` returns a command's context, once its options are parsed. */
export type Register = (program: CliCommand, contextFor: (command: Command) => CommandContext) => void;

/** Names the commands that one file registers, in the order of the help. */
interface CommandGroup {
  readonly names: readonly string[];
  load(): Promise<Register>;
}

const GROUPS: readonly CommandGroup[] = [
  {
    names: ['run', 'demo', 'check'],
    load: async () => (await import('./commands/daemon.ts')).registerDaemon,
  },
  { names: ['init'], load: async () => (await import('./commands/init.ts')).registerInit },
  { names: ['status'], load: async () => (await import('./commands/status.ts')).registerStatus },
  { names: ['peers', 'rib'], load: async () => (await import('./commands/peers.ts')).registerPeers },
  {
    names: ['mitigations', 'withdraw', 'mitigate'],
    load: async () => (await import('./commands/mitigations.ts')).registerMitigations,
  },
  { names: ['safelist'], load: async () => (await import('./commands/safelist.ts')).registerSafelist },
  { names: ['inventory'], load: async () => (await import('./commands/inventory.ts')).registerInventory },
  { names: ['scrubbers'], load: async () => (await import('./commands/scrubbers.ts')).registerScrubbers },
  { names: ['alerts'], load: async () => (await import('./commands/alerts.ts')).registerAlerts },
  { names: ['pops'], load: async () => (await import('./commands/pops.ts')).registerPops },
  { names: ['events'], load: async () => (await import('./commands/events.ts')).registerEvents },
  { names: ['audit'], load: async () => (await import('./commands/audit.ts')).registerAudit },
  {
    names: ['pause', 'resume', 'reload'],
    load: async () => (await import('./commands/control.ts')).registerControl,
  },
  {
    names: ['login', 'logout', 'users'],
    load: async () => (await import('./commands/login.ts')).registerLogin,
  },
  { names: ['notify'], load: async () => (await import('./commands/notify.ts')).registerNotify },
  { names: ['adapters'], load: async () => (await import('./commands/adapters.ts')).registerAdapters },
  { names: ['simulate'], load: async () => (await import('./commands/simulate.ts')).registerSimulate },
  { names: ['flowspec'], load: async () => (await import('./commands/flowspec.ts')).registerFlowspec },
  { names: ['pcap'], load: async () => (await import('./commands/pcap.ts')).registerPcap },
  { names: ['journal'], load: async () => (await import('./commands/journal.ts')).registerJournal },
  { names: ['db'], load: async () => (await import('./commands/db.ts')).registerDb },
  { names: ['migrate'], load: async () => (await import('./commands/migrate.ts')).registerMigrate },
  { names: ['complete'], load: async () => (await import('./commands/completion.ts')).registerComplete },
  // Its script names every command, so all groups must be loaded: `names` is empty.
  { names: [], load: async () => (await import('./commands/completion.ts')).registerCompletion },
];

const EXIT_CODES =
  'Exit codes: 0 done, 1 other failure, 2 cannot connect, 3 not authorized, 4 not found, 5 invalid input.';
const ENVIRONMENT =
  'Environment: PREFIXD_API (address of the API), PREFIXD_API_TOKEN (bearer token), PREFIXD_CONFIG (configuration folder).';

/** Runs one command line (without the program's name). Resolves to the exit code; rejects only on a defect. */
export async function runCli(argv: readonly string[], io: Io): Promise<number> {
  let running = 'prefixd';
  try {
    const program = await loadProgram(io, argv);
    program.hook('preAction', (_program, command) => {
      if (!(command instanceof CliCommand)) return;
      running = command.path;
      command.checkRequired();
    });
    await program.parseAsync([...argv], { from: 'user' });
    return Exit.Ok;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? Exit.Ok : Exit.InvalidInput;
    if (!(error instanceof CliError)) throw error;
    const hint = error instanceof UsageError ? `\n(see ${error.command ?? running} --help)` : '';
    if (error.message !== '') {
      io.stderr.write(`${wrapped(`prefixd: ${printableLines(error.message)}${hint}`, errorWidth(io))}\n`);
    }
    return error.exitCode;
  }
}

/** Builds the program with the commands that `argv` may mean, by default with all. */
export async function loadProgram(io: Io, argv: readonly string[] = []): Promise<CliCommand> {
  const program = newProgram(io);
  const contextFor = (command: Command): CommandContext =>
    contextOf(io, command.optsWithGlobals<GlobalOptions & Record<string, unknown>>());
  for (const { load } of groupsFor(program, argv)) (await load())(program, contextFor);
  return program;
}

/** Returns the group of the first word that is not an option; no group for `--version`; all groups for anything else. */
function groupsFor(program: CliCommand, argv: readonly string[]): readonly CommandGroup[] {
  if (argv[0] === '--version' || argv[0] === '-V') return [];
  const takesValue = new Set(
    program.options.flatMap(({ required, short, long }) => (required ? [short, long] : [])),
  );
  let at = 0;
  while (argv[at]?.startsWith('-') === true) at += takesValue.has(argv[at]) ? 2 : 1;
  const group = GROUPS.find(({ names }) => names.includes(argv[at] ?? ''));
  return group === undefined ? GROUPS : [group];
}

function newProgram(io: Io): CliCommand {
  return new CliCommand('prefixd')
    .description('turn attack reports into BGP FlowSpec rules')
    .details(
      'run starts the daemon; the other commands talk to a running daemon over its HTTP API, or work on files.',
      'See "prefixd COMMAND --help" for each command.',
    )
    .version(version, '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print this help')
    .addOption(
      new Option('-f, --format <format>', 'output format').choices(['table', 'json']).default('table'),
    )
    .option('--api <url>', 'address of the API (default: PREFIXD_API, or http://127.0.0.1:8080)')
    .option('--token <token>', 'bearer token (default: PREFIXD_API_TOKEN)')
    .option('--cacert <file>', "PEM file of the CA that signed the API's certificate")
    .option('--cert <file>', 'PEM file of a client certificate')
    .option('--key <file>', "PEM file of the client certificate's private key")
    .examples('prefixd status', 'prefixd mitigations --active', 'prefixd withdraw --help')
    .addHelpText('after', () => `\n${wrapped(`${EXIT_CODES}\n${ENVIRONMENT}`, io.columns)}`)
    .exitOverride()
    .configureOutput({
      writeOut: (text) => void io.stdout.write(text),
      writeErr: (text) => void io.stderr.write(text),
      getOutHelpWidth: () => io.columns,
      getErrHelpWidth: () => io.columns,
    });
}

function printableLines(text: string): string {
  return text.split('\n').map(printable).join('\n');
}
