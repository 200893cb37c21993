/** Implements `migrate DIR`: converts the configuration of the upstream prefixd (Rust, lance0/prefixd). */
import { join } from 'node:path';
import type { Command } from 'commander';
import type { CliCommand } from '../command.ts';
import type { Migration } from '../../config/upstream/migrate.ts';
import type { Change, Section } from '../../config/upstream/migrate-notes.ts';
import { LIMITS } from '../../config/file-limits.ts';
import { readRegularFile } from '../../config/regular-file.ts';
import type { ConfigProblem } from '../../config/types.ts';
import { countWords, errorText } from '../../net/text.ts';
import { CliError, type CommandContext, Exit } from '../command-context.ts';
import { existingNames, writeNewFolder } from '../new-folder.ts';
import { json, paint, printable } from '../tables.ts';

export function registerMigrate(program: CliCommand, contextFor: (command: Command) => CommandContext): void {
  program
    .command('migrate <dir>')
    .description('convert the configuration of the upstream (Rust) prefixd')
    .details(
      'Reports which keys were renamed, moved or dropped, and which steps are left to do by hand.',
      'Writes files only with --output. Exits with 1 while manual steps are left.',
    )
    .examples('prefixd migrate /etc/upstream', 'prefixd migrate /etc/upstream --output /etc/prefixd')
    .option('-o, --output <dir>', 'write the migrated files to this folder, which must not contain them yet')
    .action(async (dir: string, options: { output?: string }, command: Command) => {
      await migrate(contextFor(command), dir, options.output);
    });
}

/** Lists upstream's settings files in order of preference. */
const SETTINGS_FILES = ['prefixd.yaml', 'prefixd-postgres.yaml'];
/** Lists the files that both programs read. They are copied unchanged. */
const COPIED = ['inventory.yaml', 'playbooks.yaml'];
/** Lists the upstream files that are not used, or not completely. */
const UNUSED = ['correlation.yaml', 'nginx.conf', 'gobgp.conf'];

/** Reports what was migrated and what is left to do by hand. */
interface MigrationReport {
  readonly from: string;
  /** True if nothing is left to do by hand. */
  readonly complete: boolean;
  readonly changes: readonly Change[];
  /** The steps left to do by hand. */
  readonly todo: readonly string[];
  /** Files that load unchanged. */
  readonly unchanged: readonly string[];
  readonly unused: readonly string[];
  readonly problems: readonly ConfigProblem[];
  readonly warnings: readonly ConfigProblem[];
}

async function migrate(context: CommandContext, dir: string, output: string | undefined): Promise<void> {
  const { migrateSettings } = await import('../../config/upstream/migrate.ts');
  const { gobgpNeighbors } = await import('../../config/upstream/migrate.ts');
  const { name, text } = await firstOf(dir, SETTINGS_FILES);
  const gobgp = await readOptional(join(dir, 'gobgp.conf'));
  const migration = migrateSettings(
    await readMapping(join(dir, name), text),
    gobgp === undefined ? [] : gobgpNeighbors(gobgp),
    {
      alerting: await readMappingOf(join(dir, 'alerting.yaml')),
      correlation: await readMappingOf(join(dir, 'correlation.yaml')),
    },
  );
  const files = await migratedFiles(dir, name, migration);
  const checked = await check(files, context.io.env);
  const named = migration.changes.flatMap(({ variable }) => variable ?? []);
  const unset = checked.secrets.filter(({ message }) => !named.some((name) => message.includes(name)));
  if (output !== undefined) await write(output, files);
  const problems = [...unknownKeys(name, migration.changes), ...checked.problems];
  const todo = remainingTasks(migration.changes, context.io.env);
  const report: MigrationReport = {
    from: join(dir, name),
    complete: problems.length === 0 && todo.length === 0,
    changes: migration.changes.filter(({ kind }) => kind !== 'unknown' && kind !== 'todo'),
    todo,
    unchanged: COPIED.filter((file) => files.has(file) && !problems.some((problem) => problem.file === file)),
    unused: await existingNames(dir, UNUSED),
    problems,
    // Upstream needed these variables, too, so they are not left to do; `check` asks for them.
    warnings: [...unset, ...checked.warnings],
  };
  context.io.stdout.write(
    context.options.format === 'json' ? json(report) : reportText(context, report, output),
  );
  if (!report.complete) {
    const left = problems.length + todo.length;
    throw new CliError(Exit.Other, `${countWords(left, 'manual step is', 'manual steps are')} left`);
  }
}

/** Reads a YAML file as a mapping. CliError if it is not one. */
async function readMapping(file: string, text: string): Promise<Section> {
  const { parseYaml } = await import('../../config/yaml/yaml.ts');
  const { withoutExtensions } = await import('../../config/parse-partial.ts');
  const { settingsSchema } = await import('../../config/schema/prefixd-schema.ts');
  const { problems, value } = withoutExtensions(parseYaml(file, text), settingsSchema);
  if (problems.length > 0 || typeof value !== 'object' || value === null || Array.isArray(value)) {
    const { formatProblem } = await import('../../config/config-problem.ts');
    const why = problems.map(formatProblem).join('\n') || `${file} is not a mapping of settings`;
    throw new CliError(Exit.InvalidInput, printable(why));
  }
  return Object.fromEntries(Object.entries(value));
}

/** Returns undefined if the file does not exist. */
async function readMappingOf(file: string): Promise<Section | undefined> {
  const text = await readOptional(file);
  return text === undefined || text.trim() === '' ? undefined : readMapping(file, text);
}

/** Reports keys that neither program has. Never shows their values. */
function unknownKeys(file: string, changes: readonly Change[]): readonly ConfigProblem[] {
  return changes
    .filter(({ kind }) => kind === 'unknown')
    .map(({ path }) => ({
      file,
      line: null,
      column: null,
      path,
      message: 'neither upstream nor this prefixd has this key; it was not migrated',
      fix: 'remove it, or find the intended key in the configuration reference',
    }));
}

function remainingTasks(
  changes: readonly Change[],
  environment: CommandContext['io']['env'],
): readonly string[] {
  const variables = changes.flatMap(({ path, variable }) =>
    variable === undefined || environment[variable]
      ? []
      : [`set the environment variable ${variable} (for ${path})`],
  );
  const others = changes.filter(({ kind }) => kind === 'todo').map(({ path, what }) => `${path}: ${what}`);
  return [...others, ...new Set(variables)];
}

async function migratedFiles(
  dir: string,
  name: string,
  { settings, changes }: Migration,
): Promise<ReadonlyMap<string, string>> {
  const { stringify } = await import('yaml');
  const notes = changes
    .map(
      ({ kind, path, what }) => `# ${kind} ${printable(path)}${what === '' ? '' : `: ${printable(what)}`}\n`,
    )
    .join('');
  const head = `# Made by "prefixd migrate" of upstream's ${name}.\n${notes}`;
  const files = new Map([['prefixd.yaml', `${head}\n${stringify(settings, { lineWidth: 0 })}`]]);
  for (const file of COPIED) {
    const text = await readOptional(join(dir, file));
    if (text !== undefined) files.set(file, text);
  }
  return files;
}

interface Checked {
  readonly problems: readonly ConfigProblem[];
  readonly warnings: readonly ConfigProblem[];
  /** Problems with the environment variables that the files name. */
  readonly secrets: readonly ConfigProblem[];
}

/** Checks the files as `check` does, and reports problems with secrets separately. */
async function check(
  files: ReadonlyMap<string, string>,
  environment: CommandContext['io']['env'],
): Promise<Checked> {
  const [{ assemble }, { missingFiles }, { parseYaml }] = await Promise.all([
    import('../../config/assemble.ts'),
    import('../../config/load.ts'),
    import('../../config/yaml/yaml.ts'),
  ]);
  const read = (name: string) => parseYaml(name, files.get(name) ?? '');
  const sources = {
    settings: read('prefixd.yaml'),
    inventory: files.has('inventory.yaml') ? read('inventory.yaml') : null,
    playbooks: files.has('playbooks.yaml') ? [read('playbooks.yaml')] : [],
  };
  const place = { ...sources, folder: '/', directory: null, files: [] };
  const result = assemble(place, null);
  const withSecrets = result.ok ? assemble(place, environment) : result;
  const missing = missingFiles(sources, '');
  return {
    problems: [...(result.ok ? [] : result.problems), ...missing.inventory, ...missing.playbooks],
    warnings: result.warnings,
    secrets: result.ok && !withSecrets.ok ? withSecrets.problems : [],
  };
}

function reportText(context: CommandContext, report: MigrationReport, output: string | undefined): string {
  const lines = [`${report.from}: keys not listed here stay unchanged.`];
  for (const { kind, path, what } of report.changes) {
    const color = kind === 'dropped' ? 'yellow' : 'green';
    lines.push(`  ${paint(kind.padEnd(7), color, context)}  ${printable(path)}: ${printable(what)}`);
  }
  for (const file of report.unchanged) lines.push(`${file}: loads unchanged.`);
  for (const file of report.unused) {
    lines.push(`${file}: not used${file === 'gobgp.conf' ? ', except for its neighbors' : ''}.`);
  }
  const problems = report.problems.map(({ file, path, message, fix }) => {
    const place = path === '' ? file : `${file} ${path}`;
    return printable(`${place}: ${message}${fix === '' ? '' : `; ${fix}`}`);
  });
  const left = [...report.todo.map(printable), ...problems];
  if (left.length > 0) lines.push(paint('To do by hand:', 'red', context), ...left.map(indented));
  if (report.warnings.length > 0) lines.push('Warnings:');
  for (const { file, path, message, fix } of report.warnings) {
    lines.push(indented(printable(`${file} ${path}: ${message}${fix === '' ? '' : `; ${fix}`}`)));
  }
  lines.push(
    output === undefined
      ? 'Nothing was written; use --output DIR to write the migrated files.'
      : `Written to ${output}; next: prefixd check --config ${output}`,
  );
  return `${lines.join('\n')}\n`;
}

function indented(line: string): string {
  return `  ${line}`;
}

async function write(output: string, files: ReadonlyMap<string, string>): Promise<void> {
  await writeNewFolder(
    output,
    [...files].map(([name, text]) => ({ name, text, mode: 0o640 })),
  );
}

async function firstOf(dir: string, names: readonly string[]): Promise<{ name: string; text: string }> {
  for (const name of names) {
    const text = await readOptional(join(dir, name));
    if (text !== undefined) return { name, text };
  }
  throw new CliError(Exit.NotFound, `no ${names[0] ?? 'settings'} in ${dir}`);
}

/** Returns undefined if the file does not exist. */
async function readOptional(path: string): Promise<string | undefined> {
  try {
    return new TextDecoder().decode(await readRegularFile(path, LIMITS.inventoryBytes));
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    const why = errorText(error);
    throw new CliError(Exit.InvalidInput, `cannot read ${path}: ${why}`);
  }
}
