/** Implements `run`, `demo` and `check`. */
import type { Command } from 'commander';
import type { CliCommand } from '../command.ts';
import { formatProblem } from '../../config/config-problem.ts';
import type { ConfigProblem, LoadedConfig } from '../../config/types.ts';
import { CliError, errorWidth, Exit } from '../command-context.ts';
import type { CommandContext } from '../command-context.ts';
import { countWords } from '../../net/text.ts';
import type { ReloadDiff } from '../diff.ts';
import { json, paint, printable, wrapped } from '../tables.ts';

const DEFAULT_FOLDER = '/etc/prefixd';

export function registerDaemon(program: CliCommand, contextFor: (command: Command) => CommandContext): void {
  const withConfig = (command: CliCommand): CliCommand =>
    command.option(
      '-c, --config <dir>',
      `configuration folder (default: PREFIXD_CONFIG, or ${DEFAULT_FOLDER})`,
    );

  withConfig(program.command('run'))
    .description('run the daemon')
    .details(
      'Reads the configuration folder, connects to the configured neighbors and serves the HTTP API.',
      'Runs in the foreground and logs to standard output; Ctrl-C or SIGTERM stops it, SIGHUP reloads the configuration.',
    )
    .examples('prefixd run --config /etc/prefixd')
    .action(async (options: { config?: string }, command: Command) => {
      const context = contextFor(command);
      const { runDaemon } = await import('../../app/run.ts');
      const code = await runDaemon({
        directory: folderOf(context, options.config),
        environment: context.io.env,
      });
      if (code !== 0) throw new CliError(code === Exit.InvalidInput ? code : Exit.Other, '');
    });

  program
    .command('demo')
    .description('run the daemon with a lab router on loopback, and replay attacks')
    .details('Needs no configuration, no root and no network, and touches no real router. Ctrl-C stops it.')
    .option('--listen <address:port>', 'loopback address of the API (default: 127.0.0.1:8080)')
    .option('--router <address:port>', 'loopback address of the lab router (default: 127.0.0.1:1790)')
    .option('--data <dir>', 'keep the journal in this folder (default: a temporary folder)')
    .examples('prefixd demo', 'prefixd demo --listen 127.0.0.1:8090')
    .action(async (options: DemoPlaces, command: Command) => {
      const { stdout, env } = contextFor(command).io;
      const [{ runDemo }, { invocation }] = await Promise.all([
        import('../../app/demo.ts'),
        import('../invocation.ts'),
      ]);
      const print = (line: string): unknown => stdout.write(`${line}\n`);
      const code = await runDemo({ ...options, print, program: invocation(env) });
      if (code !== 0) throw new CliError(Exit.Other, '');
    });

  withConfig(program.command('check'))
    .description('check the configuration, or preview the effect of a reload')
    .details(
      'Prints every error and warning with file, line and column. Exits with 5 if there is an error.',
      'Needs no running daemon, except for --diff.',
    )
    .option('--print', 'print the effective configuration, secrets redacted')
    .option('--no-secrets', 'do not read secrets (environment variables and the files of http.tls)')
    .option('--diff', 'preview the effect of a reload on the running daemon, and change nothing')
    .examples(
      'prefixd check --config /etc/prefixd',
      'prefixd check --config /etc/prefixd --diff',
      'prefixd check --print --no-secrets',
    )
    .action(async (options: CheckOptions, command: Command) => {
      await check(contextFor(command), options);
    });
}

interface DemoPlaces {
  readonly listen?: string;
  readonly router?: string;
  readonly data?: string;
}

function folderOf(context: CommandContext, said: string | undefined): string {
  return said ?? context.io.env.PREFIXD_CONFIG ?? DEFAULT_FOLDER;
}

interface CheckOptions {
  readonly config?: string;
  readonly print?: true;
  readonly secrets: boolean;
  readonly diff?: true;
}

async function check(
  context: CommandContext,
  { config: said, secrets, diff, print }: CheckOptions,
): Promise<void> {
  const { io, options } = context;
  const { loadConfigApart } = await import('../../config/load-apart.ts');
  const result = await loadConfigApart(folderOf(context, said), secrets ? io.env : null);
  const problems = result.ok ? [] : result.problems;
  const notes = result.ok ? await notesOn(result.config) : [];
  const after = diff === true && result.ok ? await compare(context, result.config) : undefined;
  if (options.format === 'json' && after !== undefined) {
    io.stdout.write(json({ ok: true, problems, warnings: result.warnings, diff: after }));
  } else if (options.format === 'json') {
    const { ok, warnings } = result;
    io.stdout.write(
      json({ ok, problems, warnings, notes, ...(result.ok ? { config: result.config.shown } : {}) }),
    );
  } else {
    const say = (kind: string, color: 'red' | 'yellow', one: ConfigProblem): void => {
      const line = wrapped(`${kind}: ${printable(formatProblem(one))}`, errorWidth(io));
      io.stderr.write(`${paint(kind, color, context)}${line.slice(kind.length)}\n`);
    };
    for (const problem of problems) say('error', 'red', problem);
    for (const warning of result.warnings) say('warning', 'yellow', warning);
    if (after === undefined)
      for (const note of notes) io.stderr.write(`${wrapped(`note: ${printable(note)}`, errorWidth(io))}\n`);
    if (after !== undefined) io.stdout.write((await import('../diff.ts')).diffText(context, after));
    else if (result.ok) {
      if (print === true) io.stdout.write(await effective(result.config.shown.settings));
      else io.stdout.write(`${summaryOf(result.config, result.warnings.length)}\n`);
    }
  }
  if (problems.length > 0) {
    throw new CliError(Exit.InvalidInput, `${countWords(problems.length, 'error')} in the configuration`);
  }
}

/** Returns notes on the configuration that are neither errors nor warnings. */
async function notesOn({ policy, vectorMaps }: LoadedConfig): Promise<readonly string[]> {
  const { fallThroughNotes } = await import('../../config/validate/playbook-checks.ts');
  const mapped = [...vectorMaps.values()].flatMap((map) => [...map.values()]);
  return fallThroughNotes(policy.playbooks, mapped);
}

/** Returns `OK: 1 customer, 13 playbooks, 3 neighbors`, with the number of warnings. */
function summaryOf({ policy, bgp }: LoadedConfig, warnings: number): string {
  const parts = [
    countWords(policy.inventory.data.customers.length, 'customer'),
    countWords(policy.playbooks.names.length, 'playbook'),
    countWords(bgp.control.length, 'neighbor'),
  ];
  return `OK: ${parts.join(', ')}${warnings === 0 ? '' : `; ${countWords(warnings, 'warning')}`}`;
}

async function compare(context: CommandContext, config: LoadedConfig): Promise<ReloadDiff> {
  const [{ diffWithDaemon }, { withClient }] = await Promise.all([
    import('../diff.ts'),
    import('../client.ts'),
  ]);
  return withClient(context, (client) => diffWithDaemon(client, config));
}

/** Returns the settings as YAML. */
async function effective(settings: Readonly<Record<string, unknown>>): Promise<string> {
  const { stringify } = await import('yaml');
  return stringify(settings, { lineWidth: 0 });
}
