/** `run`, `demo`, `check`. */
import type { Command } from 'commander';
import { formatProblem } from '../app/config/problem.ts';
import type { ConfigProblem } from '../app/config/types.ts';
import { CliError, Exit } from './context.ts';
import type { Context } from './context.ts';
import { json, paint, printable } from './render.ts';

const DEFAULT_FOLDER = '/etc/prefixd';

export function registerDaemon(program: Command, contextFor: (command: Command) => Context): void {
  const withConfig = (command: Command): Command =>
    command.option(
      '-c, --config <dir>',
      `folder of the configuration (default: PREFIXD_CONFIG, or ${DEFAULT_FOLDER})`,
    );

  withConfig(program.command('run'))
    .description('run the daemon')
    .action(async (options: { config?: string }, command: Command) => {
      const context = contextFor(command);
      const { runDaemon } = await import('../app/main.ts');
      const code = await runDaemon({
        directory: folderOf(context, options.config),
        environment: context.io.env,
      });
      if (code !== 0) throw new CliError(code === Exit.InvalidInput ? code : Exit.Other, '');
    });

  program
    .command('demo')
    .description('run the daemon with a router of its own on loopback, and replay attacks')
    .action(async (_options: unknown, command: Command) => {
      const { stdout } = contextFor(command).io;
      const { runDemo } = await import('../app/demo.ts');
      const code = await runDemo({ print: (line) => stdout.write(`${line}\n`) });
      if (code !== 0) throw new CliError(Exit.Other, '');
    });

  withConfig(program.command('check'))
    .description('check the configuration and print what is in effect, secrets redacted')
    .option('--no-secrets', 'do not look for secrets in the environment')
    .action(async (options: { config?: string; secrets: boolean }, command: Command) => {
      await check(contextFor(command), options.config, options.secrets);
    });
}

function folderOf(context: Context, said: string | undefined): string {
  return said ?? context.io.env.PREFIXD_CONFIG ?? DEFAULT_FOLDER;
}

async function check(context: Context, said: string | undefined, secrets: boolean): Promise<void> {
  const { io, options } = context;
  const { loadConfig } = await import('../app/config/load.ts');
  const result = await loadConfig(folderOf(context, said), secrets ? io.env : null);
  const problems = result.ok ? [] : result.problems;
  if (options.format === 'json') {
    const { ok, warnings } = result;
    io.stdout.write(json({ ok, problems, warnings, ...(result.ok ? { config: result.config.shown } : {}) }));
  } else {
    const say = (kind: string, colour: 'red' | 'yellow', one: ConfigProblem): void => {
      io.stderr.write(`${paint(kind, colour, context)}: ${printable(formatProblem(one))}\n`);
    };
    for (const problem of problems) say('error', 'red', problem);
    for (const warning of result.warnings) say('warning', 'yellow', warning);
    if (result.ok) io.stdout.write(await effective(result.config.shown.settings));
  }
  if (problems.length > 0) {
    const count = problems.length === 1 ? 'there is 1 error' : `there are ${problems.length} errors`;
    throw new CliError(Exit.InvalidInput, `${count} in the configuration`);
  }
}

/** YAML, because that is what the reader would change. */
async function effective(settings: Readonly<Record<string, unknown>>): Promise<string> {
  const { stringify } = await import('yaml');
  return stringify(settings, { lineWidth: 0 });
}
