/** `migrate DIR`: what of an upstream prefixd's configuration (Rust, lance0/prefixd) carries over. */
import { mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Command } from 'commander';
import type { Change, GobgpNeighbor, Migration } from '../app/config/migrate.ts';
import type { ConfigProblem } from '../app/config/types.ts';
import type { Context } from './context.ts';
import { CliError, Exit } from './context.ts';
import { json, paint, printable } from './render.ts';

export function registerMigrate(program: Command, contextFor: (command: Command) => Context): void {
  program
    .command('migrate <dir>')
    .description(
      "say what of an upstream prefixd's configuration (Rust) carries over; writes nothing by itself",
    )
    .option('-o, --output <dir>', 'write the migrated files into this folder, which must not hold any yet')
    .action(async (dir: string, options: { output?: string }, command: Command) => {
      await migrate(contextFor(command), dir, options.output);
    });
}

/** Beside prefixd.yaml, in order of preference. */
const SETTINGS_FILES = ['prefixd.yaml', 'prefixd-postgres.yaml'];
const UNCHANGED = ['inventory.yaml', 'playbooks.yaml'];

/** What is carried over and what is left to do. */
interface Report {
  readonly from: string;
  readonly changes: readonly Change[];
  /** Files that load unchanged. */
  readonly unchanged: readonly string[];
  /** Files of upstream that nothing is made of. */
  readonly unused: readonly string[];
  readonly problems: readonly ConfigProblem[];
  readonly warnings: readonly ConfigProblem[];
}

async function migrate(context: Context, dir: string, output: string | undefined): Promise<void> {
  const { parseYaml } = await import('../app/config/yaml.ts');
  const { migrateSettings, gobgpNeighbors } = await import('../app/config/migrate.ts');
  const { name, text } = await firstOf(dir, SETTINGS_FILES);
  const source = parseYaml(join(dir, name), text);
  const { problems, value } = source;
  if (problems.length > 0 || typeof value !== 'object' || value === null || Array.isArray(value)) {
    const { formatProblem } = await import('../app/config/problem.ts');
    const why = problems.map(formatProblem).join('\n') || `${join(dir, name)} is no mapping of settings`;
    throw new CliError(Exit.InvalidInput, printable(why));
  }
  const gobgp = await readOptional(join(dir, 'gobgp.conf'));
  const neighbors: readonly GobgpNeighbor[] = gobgp === undefined ? [] : gobgpNeighbors(gobgp);
  const migration = migrateSettings(Object.fromEntries(Object.entries(value)), neighbors);
  const files = await migratedFiles(dir, name, migration);
  const checked = await check(files);
  if (output !== undefined) await write(output, files);
  const report: Report = {
    from: join(dir, name),
    changes: migration.changes,
    unchanged: UNCHANGED.filter((file) => files.has(file)),
    unused: await present(dir, ['correlation.yaml', 'alerting.yaml', 'nginx.conf', 'gobgp.conf']),
    ...checked,
  };
  context.io.stdout.write(
    context.options.format === 'json' ? json(report) : reportText(context, report, output),
  );
}

async function migratedFiles(
  dir: string,
  name: string,
  { settings, changes }: Migration,
): Promise<ReadonlyMap<string, string>> {
  const { stringify } = await import('yaml');
  const notes = changes.map(({ kind, path, what }) => `# ${kind} ${path}: ${printable(what)}\n`).join('');
  const head = `# Made by "prefixd migrate" of upstream's ${name}.\n${notes}`;
  const files = new Map([['prefixd.yaml', `${head}\n${stringify(settings, { lineWidth: 0 })}`]]);
  for (const file of UNCHANGED) {
    const text = await readOptional(join(dir, file));
    if (text !== undefined) files.set(file, text);
  }
  return files;
}

/** Judges the files as `check` would, without looking for secrets. */
async function check(
  files: ReadonlyMap<string, string>,
): Promise<{ readonly problems: readonly ConfigProblem[]; readonly warnings: readonly ConfigProblem[] }> {
  const [{ assemble }, { parseYaml }] = await Promise.all([
    import('../app/config/assemble.ts'),
    import('../app/config/yaml.ts'),
  ]);
  const read = (name: string) => parseYaml(name, files.get(name) ?? '');
  const result = assemble(
    {
      settings: read('prefixd.yaml'),
      inventory: files.has('inventory.yaml') ? read('inventory.yaml') : null,
      playbooks: files.has('playbooks.yaml') ? [read('playbooks.yaml')] : [],
      folder: '/',
      directory: null,
      files: [],
    },
    null,
  );
  return { problems: result.ok ? [] : result.problems, warnings: result.warnings };
}

function reportText(context: Context, report: Report, output: string | undefined): string {
  const lines = [`${report.from}: every key that is not named here stays as it is.`];
  for (const { kind, path, what } of report.changes) {
    const colour = kind === 'dropped' ? 'yellow' : 'green';
    lines.push(`  ${paint(kind.padEnd(7), colour, context)}  ${printable(path)}: ${printable(what)}`);
  }
  for (const file of report.unchanged) lines.push(`${file}: loads unchanged.`);
  for (const file of report.unused) {
    lines.push(`${file}: not used${file === 'gobgp.conf' ? ', but for its neighbors' : ''}.`);
  }
  const listed = (title: string, problems: readonly ConfigProblem[]): void => {
    if (problems.length > 0) lines.push(title);
    for (const { file, path, message, fix } of problems) {
      lines.push(`  ${printable(`${file} ${path}: ${message}${fix === '' ? '' : `; ${fix}`}`)}`);
    }
  };
  listed('To be done by hand:', report.problems);
  listed('Worth knowing:', report.warnings);
  lines.push(
    output === undefined
      ? 'Nothing was written; --output DIR writes the migrated files.'
      : `Written to ${output}; then: prefixd check --config ${output}`,
  );
  return `${lines.join('\n')}\n`;
}

async function write(output: string, files: ReadonlyMap<string, string>): Promise<void> {
  const there = await present(output, [...files.keys()]);
  if (there.length > 0) {
    throw new CliError(Exit.InvalidInput, `${output} holds ${there.join(', ')} already; name a new folder`);
  }
  await mkdir(output, { recursive: true });
  for (const [name, text] of files) await writeFile(join(output, name), text, { flag: 'wx', mode: 0o640 });
}

async function present(dir: string, names: readonly string[]): Promise<readonly string[]> {
  const found: string[] = [];
  for (const name of names) {
    const there = await stat(join(dir, name)).then(
      () => true,
      () => false,
    );
    if (there) found.push(name);
  }
  return found;
}

async function firstOf(dir: string, names: readonly string[]): Promise<{ name: string; text: string }> {
  for (const name of names) {
    const text = await readOptional(join(dir, name));
    if (text !== undefined) return { name, text };
  }
  throw new CliError(Exit.NotFound, `${dir} holds no ${names[0] ?? 'settings'}`);
}

/** Undefined when there is no such file. */
async function readOptional(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    const why = error instanceof Error ? error.message : String(error);
    throw new CliError(Exit.InvalidInput, `${path} cannot be read: ${why}`);
  }
}
