/** From what the files say to a configuration, or to everything that is wrong with them. Reads nothing itself. */

import type { z } from 'zod';
import { buildInventory, EMPTY_INVENTORY } from '../../core/inventory.ts';
import type { InventoryData } from '../../core/inventory-data.ts';
import { buildPlaybooks, EMPTY_PLAYBOOKS } from '../../core/playbook.ts';
import type { PlaybooksData } from '../../core/playbook-data.ts';
import type { Problem } from '../../core/problem.ts';
import { buildConfig } from './build.ts';
import { crossChecks } from './checks.ts';
import type { Advice } from './explain.ts';
import { describeSchema, explain } from './explain.ts';
import { inventorySchema } from './inventory-schema.ts';
import { playbookChecks, stepsOf } from './playbook-checks.ts';
import { playbooksSchema } from './playbook-schema.ts';
import type { Findings, Path, Report } from './problem.ts';
import { dotted, sortProblems } from './problem.ts';
import { salvage } from './salvage.ts';
import type { Settings } from './schema.ts';
import { settingsSchema } from './schema.ts';
import type { Environment } from './secrets.ts';
import { readSecrets } from './secrets.ts';
import type { ConfigProblem, ConfigResult } from './types.ts';
import { UPSTREAM_ADVICE } from './upstream.ts';
import type { YamlSource } from './yaml.ts';

/** What was read. */
export interface Sources {
  readonly settings: YamlSource;
  /** Null: there is none. */
  readonly inventory: YamlSource | null;
  readonly playbooks: readonly YamlSource[];
  /** Absolute; relative paths start here. */
  readonly folder: string;
  readonly directory: string | null;
  readonly files: readonly string[];
}

/** Findings of one run, each placed in its file. */
interface Notes {
  readonly problems: ConfigProblem[];
  readonly warnings: ConfigProblem[];
}

/** Judges everything and collects all problems; builds the configuration when there is none. */
export function assemble(sources: Sources, environment: Environment | null): ConfigResult {
  const notes: Notes = { problems: [], warnings: [] };
  const { settings: source } = sources;
  const found = findingsIn(source, notes);

  const settings = check(settingsSchema, source, notes, UPSTREAM_ADVICE);
  const loose = salvage(settingsSchema, source.value) ?? {};
  crossChecks(loose, found);
  const secrets = readSecrets(loose, environment, found.problem);

  const inventory = readInventory(sources.inventory, notes);
  const playbooks = readPlaybooks(sources.playbooks, notes);
  for (const file of playbooks.files) playbookChecks(file.data, loose, findingsIn(file.source, notes));
  if (settings !== undefined) restartChecks(settings, playbooks.files, found);

  const order = [source, ...(sources.inventory === null ? [] : [sources.inventory]), ...sources.playbooks];
  const names = order.map(({ file }) => file);
  const warnings = sortProblems(notes.warnings, names);
  if (settings === undefined || notes.problems.length > 0) {
    return { ok: false, problems: sortProblems(notes.problems, names), warnings };
  }
  const { folder, directory, files } = sources;
  const config = buildConfig({
    settings,
    secrets,
    inventory: inventory,
    playbooks: playbooks.set,
    folder,
    directory,
    files,
  });
  return { ok: true, config, warnings };
}

function findingsIn(source: YamlSource, notes: Notes): Findings {
  const into =
    (list: ConfigProblem[]): Report =>
    (path, message, fix) => {
      list.push({ file: source.file, ...source.place(path, 'value'), path: dotted(path), message, fix });
    };
  return { problem: into(notes.problems), warning: into(notes.warnings) };
}

/** The file's data as the schema has it; undefined, with the problems noted, when it does not fit. */
function check<Schema extends z.ZodType>(
  schema: Schema,
  source: YamlSource,
  notes: Notes,
  advice: Advice = {},
): z.output<Schema> | undefined {
  notes.problems.push(...source.problems);
  const parsed = schema.safeParse(source.value ?? {}, { reportInput: false });
  if (parsed.success) return source.problems.length === 0 ? parsed.data : undefined;
  // What is missing after a slip of the YAML itself is most likely behind the slip.
  const issues = parsed.error.issues;
  if (source.problems.length === 0) {
    notes.problems.push(...explain(issues, describeSchema(schema), source, advice));
  }
  return undefined;
}

function note(source: YamlSource, problems: readonly Problem[], notes: Notes): void {
  const found = findingsIn(source, notes);
  for (const { path, message, severity } of problems) {
    (severity === 'error' ? found.problem : found.warning)(path, message, '');
  }
}

function readInventory(source: YamlSource | null, notes: Notes) {
  if (source === null) return EMPTY_INVENTORY;
  const data = check(inventorySchema, source, notes);
  if (data === undefined) return EMPTY_INVENTORY;
  const { inventory, problems } = buildInventory(data satisfies InventoryData);
  note(source, problems, notes);
  return inventory;
}

/** One file of playbooks and what it says. */
interface PlaybookFile {
  readonly source: YamlSource;
  readonly data: PlaybooksData;
}

function readPlaybooks(sources: readonly YamlSource[], notes: Notes) {
  const files: PlaybookFile[] = [];
  for (const source of sources) {
    const data = check(playbooksSchema, source, notes);
    if (data !== undefined) files.push({ source, data });
  }
  if (files.length === 0) return { set: EMPTY_PLAYBOOKS, files };

  const withDefault = files.filter(({ data }) => data.default_playbook !== undefined);
  for (const { source } of withDefault.slice(1)) {
    const first = withDefault[0]?.source.file ?? '';
    findingsIn(source, notes).problem(
      ['default_playbook'],
      `there is one in ${first} already`,
      'keep one of the two',
    );
  }
  const fallback = withDefault[0]?.data.default_playbook;
  const { playbooks: set, problems } = buildPlaybooks({
    playbooks: files.flatMap(({ data }) => data.playbooks ?? []),
    ...(fallback === undefined ? {} : { default_playbook: fallback }),
  });
  for (const problem of problems) {
    const placed = placeInFiles(problem.path, files, withDefault[0]);
    if (placed !== undefined) note(placed.source, [{ ...problem, path: placed.path }], notes);
  }
  return { set, files };
}

/** Undoes the concatenation: which file an index of all playbooks is in, and where there. */
function placeInFiles(
  path: Path,
  files: readonly PlaybookFile[],
  withDefault: PlaybookFile | undefined,
): { readonly source: YamlSource; readonly path: Path } | undefined {
  const [top, index, ...rest] = path;
  if (top === 'default_playbook' && withDefault !== undefined) return { source: withDefault.source, path };
  let left = typeof index === 'number' ? index : 0;
  for (const { source, data } of files) {
    const count = data.playbooks?.length ?? 0;
    if (left < count && typeof index === 'number') return { source, path: ['playbooks', left, ...rest] };
    if (typeof index !== 'number') return { source, path };
    left -= count;
  }
  return files[0] === undefined ? undefined : { source: files[0].source, path: [] };
}

/** A daemon that dies is outlived by its rules for the restart time; a TTL below that is no longer kept. */
function restartChecks(settings: Settings, files: readonly PlaybookFile[], found: Findings): void {
  const ttls = files.flatMap(({ data }) => [...stepsOf(data)].map(({ step }) => step.ttl_seconds));
  const usual = settings.timers.default_ttl_seconds;
  const factor = Math.min(...Object.values(settings.profiles).map(({ ttl }) => ttl));
  const shortest = Math.max(
    settings.timers.min_ttl_seconds,
    Math.floor(Math.min(usual, ...ttls.map((ttl) => ttl ?? usual)) * factor),
  );
  for (const [i, neighbor] of settings.bgp.neighbors.entries()) {
    const restart = neighbor.graceful_restart;
    if (restart === undefined) continue;
    const kept = restart.restart_time_seconds + restart.long_lived_stale_seconds;
    if (kept <= shortest) continue;
    found.warning(
      ['bgp', 'neighbors', i, 'graceful_restart'],
      `if the daemon dies, this neighbor keeps rules for up to ${kept} s, and the shortest TTL in use is ${shortest} s`,
      `restart within that time, or lower restart_time_seconds to ${shortest}`,
    );
  }
}
