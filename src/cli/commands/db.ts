/** Implements `db migrate`. */
import type { Command } from 'commander';
import { countWords } from '../../net/text.ts';
import type { CliCommand } from '../command.ts';
import { CliError, type CommandContext, Exit } from '../command-context.ts';
import { databaseUrl } from '../journal-place.ts';
import { json, printable } from '../tables.ts';

const DEFAULT_FOLDER = '/etc/prefixd';

interface MigrateOptions {
  readonly config?: string;
  readonly urlEnv?: string;
  readonly exchange?: true;
}

export function registerDb(program: CliCommand, contextFor: (command: Command) => CommandContext): void {
  program
    .command('db')
    .description('manage the tables in PostgreSQL (storage.driver: postgres, and exchange)')
    .examples('prefixd db migrate --url-env PREFIXD_DATABASE_URL')
    .command('migrate')
    .description('create or update the tables')
    .details(
      'Applies the steps that are missing, each completely or not at all. The daemon creates the tables in an empty database by itself;',
      'after an update that needs newer ones it asks for this command. Stop the daemons of this database first.',
      'Exits with 2 if the database cannot be reached or used.',
    )
    .option(
      '-c, --config <dir>',
      `configuration folder that names the variable (default: PREFIXD_CONFIG, or ${DEFAULT_FOLDER})`,
    )
    .option(
      '--url-env <name>',
      'environment variable with the URL of the database, instead of storage.url_env or exchange.url_env',
    )
    .option('--exchange', 'the tables of the exchange between POPs, instead of those of the journal')
    .examples(
      'prefixd db migrate',
      'prefixd db migrate --url-env PREFIXD_DATABASE_URL',
      'prefixd db migrate --exchange',
    )
    .action(async (options: MigrateOptions, command: Command) => {
      await migrateTables(contextFor(command), options);
    });
}

async function migrateTables(context: CommandContext, options: MigrateOptions): Promise<void> {
  const { io } = context;
  const section = options.exchange === true ? 'exchange' : 'storage';
  const variable = options.urlEnv ?? (await configuredVariable(context, options.config, section));
  const url = databaseUrl(io.env, variable);
  const { EXCHANGE_SCHEMA } = await import('../../exchange/exchange-tables.ts');
  const [{ updateTables }, { StoreError }] = await Promise.all([
    import('../../store/transfer/database-journal.ts'),
    import('../../store/store.ts'),
  ]);
  try {
    const report = await updateTables(url, options.exchange === true ? EXCHANGE_SCHEMA : undefined);
    if (context.options.format === 'json') {
      const applied = report.applied.map(({ number, title }) => ({ number, title }));
      io.stdout.write(json({ ...report, applied }));
      return;
    }
    for (const { number, title } of report.applied)
      io.stdout.write(`applied ${number}: ${printable(title)}\n`);
    const steps =
      report.applied.length === 0 ? 'up to date' : `${countWords(report.applied.length, 'step')} applied`;
    io.stdout.write(
      `${printable(report.place)}: schema ${report.schema} has version ${report.version}, ${steps}\n`,
    );
  } catch (error) {
    if (error instanceof StoreError) throw new CliError(Exit.CannotConnect, printable(error.message));
    throw error;
  }
}

/** Reads the section's `url_env` from the configuration, whose other secrets are not needed. */
async function configuredVariable(
  { io }: CommandContext,
  said: string | undefined,
  section: 'storage' | 'exchange',
): Promise<string> {
  const [{ loadConfigApart }, { settingAt }, { formatProblem }] = await Promise.all([
    import('../../config/load-apart.ts'),
    import('../../config/start-settings.ts'),
    import('../../config/config-problem.ts'),
  ]);
  const result = await loadConfigApart(said ?? io.env.PREFIXD_CONFIG ?? DEFAULT_FOLDER, null);
  if (!result.ok) {
    throw new CliError(Exit.InvalidInput, result.problems.map(formatProblem).map(printable).join('\n'));
  }
  const variable = settingAt(result.config.shown.settings, `${section}.url_env`);
  if (typeof variable === 'string') return variable;
  throw new CliError(
    Exit.InvalidInput,
    section === 'exchange'
      ? 'the configuration has no exchange; name the variable with --url-env'
      : 'the configuration has no storage.url_env, because its storage.driver is not postgres; name the variable with --url-env',
  );
}
