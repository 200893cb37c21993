/**
 * Builds the configuration from parsed files, or collects everything that is wrong with them. Reads no files itself.
 */

import { z } from 'zod';
import { buildInventory, EMPTY_INVENTORY, type Inventory } from '../core/policy/inventory.ts';
import type { InventoryData } from '../core/policy/inventory-schema.ts';
import { buildPlaybooks, EMPTY_PLAYBOOKS, type PlaybookSet } from '../core/policy/playbook.ts';
import type { PlaybooksData } from '../core/policy/playbook-schema.ts';
import type { Policy } from '../core/policy/policy.ts';
import type { PolicyProblem } from '../core/policy/policy-problem.ts';
import { buildConfig } from './build.ts';
import { crossChecks } from './validate/settings-checks.ts';
import type { Advice } from './messages.ts';
import { assetGroups, enforcementChecks } from './validate/enforcement-checks.ts';
import { describeSchema, explain } from './messages.ts';
import { inventoryChecks } from './validate/inventory-checks.ts';
import { customerSchema, inventorySchema } from '../core/policy/inventory-schema.ts';
import { playbookChecks, stepsOf } from './validate/playbook-checks.ts';
import { playbookSchema, playbooksSchema } from '../core/policy/playbook-schema.ts';
import type { Findings, Path, ConfigReport } from './config-problem.ts';
import { dotted, sortProblems } from './config-problem.ts';
import { firstStepChecks, neighborlessChecks } from './validate/neighbor-checks.ts';
import { type Referents, referenceChecks } from './validate/playbook-checks.ts';
import { repetitionChecks } from './validate/repetition-checks.ts';
import { type DeepPartial, parsePartial, withoutExtensions } from './parse-partial.ts';
import type { Settings } from './schema/prefixd-schema.ts';
import { settingsSchema } from './schema/prefixd-schema.ts';
import type { Environment } from './secrets.ts';
import { readSecrets } from './secrets.ts';
import type { ConfigProblem, ConfigResult, LoadedConfig } from './types.ts';
import { unreachablePlaybooks } from './validate/playbook-checks.ts';
import { UPSTREAM_ADVICE } from './upstream/upstream-keys.ts';
import type { YamlSource } from './yaml/yaml.ts';

/** The parsed files. */
export interface Sources {
  readonly settings: YamlSource;
  /** Null if there is no file. */
  readonly inventory: YamlSource | null;
  readonly playbooks: readonly YamlSource[];
  /** Absolute; relative paths start here. */
  readonly folder: string;
  readonly directory: string | null;
  readonly files: readonly string[];
}

/** Collects the findings of one run, each with its place in a file. */
interface Notes {
  readonly problems: ConfigProblem[];
  readonly warnings: ConfigProblem[];
}

/** Checks all files and collects all problems; builds the configuration if there are none. */
export function assemble(given: Sources, environment: Environment | null): ConfigResult {
  const notes: Notes = { problems: [], warnings: [] };
  const sources = plainSources(given);
  const { settings: source } = sources;
  const found = findingsIn(source, notes);

  const settings = check(settingsSchema, source, notes, UPSTREAM_ADVICE);
  // A file that was parsed only in part is not checked further.
  const loose: DeepPartial<Settings> =
    (source.readable ? parsePartial(settingsSchema, source.value) : undefined) ?? {};
  crossChecks(loose, found);
  neighborlessChecks(loose, found);

  const { inventory, ...customers } = readInventory(sources.inventory, notes);
  if (sources.inventory !== null && customers.customers !== undefined) {
    const both = { settings: found, inventory: findingsIn(sources.inventory, notes) };
    inventoryChecks(customers.customers, loose, both);
  }
  const playbooks = readPlaybooks(sources.playbooks, notes);
  for (const { source: file, data, places } of playbooks.files) {
    const inFile = amongAll(findingsIn(file, notes), places);
    playbookChecks(data, loose, inFile);
    referenceChecks(data, { settings: loose, ...customers }, inFile);
  }
  if (settings !== undefined) restartChecks(settings, playbooks.files, found);
  const isSound = settings !== undefined && notes.problems.length === 0;
  const secrets = readSecrets(loose, environment, found);

  const order = [source, ...(sources.inventory === null ? [] : [sources.inventory]), ...sources.playbooks];
  const names = order.map(({ file }) => file);
  let config: LoadedConfig | undefined;
  if (isSound) {
    const { folder, directory, files } = sources;
    const ingredients = { settings, inventory, playbooks: playbooks.set, folder, directory, files };
    // Check the policy even if a secret is missing.
    const usable = notes.problems.length === 0 ? secrets : readSecrets(loose, null, found);
    const built = buildConfig({ ...ingredients, secrets: usable });
    policyChecks(built.policy, settings, playbooks, found, notes);
    if (notes.problems.length === 0) config = built;
  }
  const warnings = sortProblems(notes.warnings, names);
  return config === undefined
    ? { ok: false, problems: sortProblems(notes.problems, names), warnings }
    : { ok: true, config, warnings };
}

/** Adds the warnings that need all files: what routers can enforce, which playbooks apply, how long rules last. */
function policyChecks(
  policy: Policy,
  settings: Settings,
  { files, withDefault }: Pick<PlaybookFiles, 'files' | 'withDefault'>,
  found: Findings,
  notes: Notes,
): void {
  const warn: ConfigReport = (path, message, fix) => {
    const placed = placeInFiles(path, files, withDefault);
    if (placed !== undefined) findingsIn(placed.source, notes).warning(placed.path, message, fix);
  };
  // Computed once, because grouping a large inventory takes long.
  const groups = assetGroups(policy);
  for (const { path, message, fix } of enforcementChecks(policy, groups)) warn(path, message, fix);
  for (const { index, behind } of unreachablePlaybooks(policy.playbooks)) {
    const names = behind.join(', ');
    warn(
      ['playbooks', index],
      `this playbook never applies: ${names} always matches first, with the same or fewer conditions`,
      'move this playbook up, or make the other one more specific',
    );
  }
  firstStepChecks(policy, groups, found);
  repetitionChecks(settings.detectors, policy, found);
}

function plainSources(given: Sources): Sources {
  const { settings, inventory, playbooks } = given;
  return {
    ...given,
    settings: withoutExtensions(settings, settingsSchema),
    inventory: inventory === null ? null : withoutExtensions(inventory, inventorySchema),
    playbooks: playbooks.map((source) => withoutExtensions(source, playbooksSchema)),
  };
}

/** Returns the reporters for one file: each finding is stored with its line and column. */
export function findingsIn(source: YamlSource, notes: Notes): Findings {
  const into =
    (list: ConfigProblem[]): ConfigReport =>
    (path, message, fix) => {
      list.push({ file: source.file, ...source.place(path, 'value'), path: dotted(path), message, fix });
    };
  return { problem: into(notes.problems), warning: into(notes.warnings) };
}

/** Returns the file's data as the schema defines it. Invalid data is reported, and the result is undefined. */
function check<Schema extends z.ZodType>(
  schema: Schema,
  source: YamlSource,
  notes: Notes,
  advice: Advice = {},
): z.output<Schema> | undefined {
  notes.problems.push(...source.problems);
  // After a YAML syntax error, a missing key is probably in the part that could not be parsed.
  if (!source.readable) return undefined;
  const parsed = schema.safeParse(source.value ?? {}, { reportInput: false });
  if (parsed.success) return parsed.data;
  notes.problems.push(...explain(parsed.error.issues, describeSchema(schema), source, advice));
  return undefined;
}

function note(source: YamlSource, problems: readonly PolicyProblem[], notes: Notes): void {
  const found = findingsIn(source, notes);
  for (const { path, message, severity } of problems) {
    (severity === 'error' ? found.problem : found.warning)(path, message, '');
  }
}

/** Reads the inventory. Without a file it is empty. */
function readInventory(
  source: YamlSource | null,
  notes: Notes,
): { readonly inventory: Inventory } & Pick<Referents, 'customerIds' | 'customers'> {
  if (source === null) return { inventory: EMPTY_INVENTORY, customerIds: [], customers: [] };
  const data = check(inventorySchema, source, notes);
  if (data !== undefined) {
    const { inventory, problems } = buildInventory(data satisfies InventoryData);
    note(source, problems, notes);
    const customerIds = data.customers.map(({ customer_id: id }) => id);
    return { inventory, customerIds, customers: data.customers };
  }
  // Check the valid customers despite the others, so that one run finds all errors. Warnings wait for the next run: a
  // customer that was left out may explain them.
  const { items, places } = soundItems(customerSchema, source, 'customers');
  const { problems } = buildInventory({ customers: items });
  const errors = problems.filter(({ severity }) => severity === 'error');
  note(
    source,
    errors.map((problem) => ({ ...problem, path: placed(problem.path, places) })),
    notes,
  );
  const customerIds = source.readable ? writtenIds(source.value) : undefined;
  return { inventory: EMPTY_INVENTORY, customerIds, customers: undefined };
}

/** Returns the ids of all customers, including invalid ones; undefined if there is no list of customers. */
function writtenIds(data: unknown): readonly string[] | undefined {
  const list = z.object({ customers: z.array(z.unknown()) }).safeParse(data);
  if (!list.success) return undefined;
  const withId = z.object({ customer_id: z.string() });
  return list.data.customers.flatMap((customer) => {
    const parsed = withId.safeParse(customer);
    return parsed.success ? [parsed.data.customer_id] : [];
  });
}

/** Returns the valid items of a file's list, and each one's index in that list. */
function soundItems<Schema extends z.ZodType>(
  schema: Schema,
  { value: data, readable }: YamlSource,
  key: string,
): { readonly items: readonly z.output<Schema>[]; readonly places: readonly number[] } {
  const list: unknown =
    readable && typeof data === 'object' && data !== null ? Reflect.get(data, key) : undefined;
  const items: z.output<Schema>[] = [];
  const places: number[] = [];
  for (const [place, item] of (Array.isArray(list) ? list : []).entries()) {
    const parsed = schema.safeParse(item);
    if (!parsed.success) continue;
    items.push(parsed.data);
    places.push(place);
  }
  return { items, places };
}

/** Converts an index among the valid items to the index in the file. */
function placed(path: Path, places: readonly number[]): Path {
  const [list = '', index, ...rest] = path;
  return typeof index === 'number' ? [list, places[index] ?? index, ...rest] : path;
}

/** Wraps reporters so that an index among the valid items becomes the index in the file. */
function amongAll({ problem, warning }: Findings, places: readonly number[]): Findings {
  return {
    problem: (path, ...words) => problem(placed(path, places), ...words),
    warning: (path, ...words) => warning(placed(path, places), ...words),
  };
}

/** One file of playbooks and its content. */
interface PlaybookFile {
  readonly source: YamlSource;
  /** The valid playbooks, if the file has problems. */
  readonly data: PlaybooksData;
  /** Each playbook's index in the file's list. */
  readonly places: readonly number[];
}

/** All files of playbooks, and the set that is built from them. */
interface PlaybookFiles {
  readonly set: PlaybookSet;
  readonly files: readonly PlaybookFile[];
  /** The file with the default playbook. */
  readonly withDefault: PlaybookFile | undefined;
}

function readPlaybooks(sources: readonly YamlSource[], notes: Notes): PlaybookFiles {
  const files = sources.map((source): PlaybookFile => {
    const data = check(playbooksSchema, source, notes);
    if (data !== undefined) return { source, data, places: (data.playbooks ?? []).map((_, i) => i) };
    const { items, places } = soundItems(playbookSchema, source, 'playbooks');
    return { source, data: { playbooks: items }, places };
  });
  if (files.length === 0) return { set: EMPTY_PLAYBOOKS, files, withDefault: undefined };

  const withDefault = files.filter(({ data }) => data.default_playbook !== undefined);
  for (const { source } of withDefault.slice(1)) {
    const first = withDefault[0]?.source.file ?? '';
    findingsIn(source, notes).problem(
      ['default_playbook'],
      `${first} already has a default playbook`,
      'remove one of the two',
    );
  }
  const fallback = withDefault[0]?.data.default_playbook;
  const { playbooks: set, problems } = buildPlaybooks({
    playbooks: files.flatMap(({ data }) => data.playbooks ?? []),
    ...(fallback === undefined ? {} : { default_playbook: fallback }),
  });
  for (const problem of problems) {
    const found = placeInFiles(problem.path, files, withDefault[0]);
    if (found !== undefined) note(found.source, [{ ...problem, path: found.path }], notes);
  }
  return { set, files, withDefault: withDefault[0] };
}

/** Finds the file, and the path in it, for an index among all playbooks. */
function placeInFiles(
  path: Path,
  files: readonly PlaybookFile[],
  withDefault: PlaybookFile | undefined,
): { readonly source: YamlSource; readonly path: Path } | undefined {
  const [top, index, ...rest] = path;
  if (top === 'default_playbook' && withDefault !== undefined) return { source: withDefault.source, path };
  let left = typeof index === 'number' ? index : 0;
  for (const { source, places } of files) {
    if (typeof index !== 'number') return { source, path };
    const place = places[left];
    if (place !== undefined) return { source, path: ['playbooks', place, ...rest] };
    left -= places.length;
  }
  return files[0] === undefined ? undefined : { source: files[0].source, path: [] };
}

/** Warns if a neighbor keeps a dead daemon's rules for longer than the shortest TTL. */
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
      `if the daemon dies, this neighbor keeps rules for up to ${kept} s, but the shortest TTL in use is ${shortest} s`,
      `restart the daemon within that time, or lower restart_time_seconds to ${shortest}`,
    );
  }
}
