/**
 * Builds the configuration from parsed files, or collects everything that is wrong with them. Reads no files itself.
 */
import { z } from 'zod';
import {
  assemblePolicy,
  placeIn,
  type PolicyPart,
  type PolicySource,
} from '../core/policy/assemble-policy.ts';
import { type InventoryData, inventorySchema } from '../core/policy/inventory-schema.ts';
import { type PlaybooksData, playbooksSchema } from '../core/policy/playbook-schema.ts';
import type { Policy } from '../core/policy/policy.ts';
import type { CopyFound, InventoryCopy } from '../inventory/copy-file.ts';
import { buildConfig, policySettings, withForecast } from './build.ts';
import { type ConfigReport, dotted, type Findings, sortProblems } from './config-problem.ts';
import { type Advice, describeSchema, explain } from './messages.ts';
import { type DeepPartial, parsePartial, withoutExtensions } from './parse-partial.ts';
import { type UsersData, usersSchema } from './schema/auth-schema.ts';
import { type Settings, settingsSchema } from './schema/prefixd-schema.ts';
import { type Environment, readSecrets } from './secrets.ts';
import type { ConfigProblem, ConfigResult, LoadedConfig } from './types.ts';
import { UPSTREAM_ADVICE } from './upstream/upstream-keys.ts';
import { callerScopeChecks, userChecks } from './users-file.ts';
import { assetGroups, enforcementChecks } from './validate/enforcement-checks.ts';
import { inventoryChecks } from './validate/inventory-checks.ts';
import { firstStepChecks, neighborlessChecks } from './validate/neighbor-checks.ts';
import {
  playbookChecks,
  type Referents,
  referenceChecks,
  stepsOf,
  unreachablePlaybooks,
} from './validate/playbook-checks.ts';
import { repetitionChecks } from './validate/repetition-checks.ts';
import { exchangeChecks, reflectionChecks } from './validate/exchange-checks.ts';
import { requestChecks } from './validate/request-checks.ts';
import { scopeChecks } from './validate/scope-checks.ts';
import { crossChecks } from './validate/settings-checks.ts';
import { routingChecks } from './validate/alerting-checks.ts';
import { sourceChecks } from './validate/source-checks.ts';
import { targetChecks, targetStepChecks } from './validate/target-checks.ts';
import type { YamlSource } from './yaml/yaml.ts';

/** The parsed files. */
export interface Sources {
  readonly settings: YamlSource;
  /** Null if there is no file. */
  readonly inventory: YamlSource | null;
  readonly playbooks: readonly YamlSource[];
  /** Absent or null: the settings name no users file. */
  readonly users?: YamlSource | null;
  /** What another system has answered; absent: there is no such system. */
  readonly system?: CopyFound;
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
export function assemble(sources: Sources, environment: Environment | null): ConfigResult {
  const notes: Notes = { problems: [], warnings: [] };
  const source = withoutExtensions(sources.settings, settingsSchema);
  const found = findingsIn(source, notes);

  const settings = checkSettings(source, notes);
  // A file that was parsed only in part is not checked further.
  const loose: DeepPartial<Settings> =
    (source.readable ? parsePartial(settingsSchema, source.value) : undefined) ?? {};
  crossChecks(loose, found);
  sourceChecks(loose, found);
  neighborlessChecks(loose, found);
  exchangeChecks(loose, found);

  const files = filesOf(sources);
  const { system } = sources;
  const limits =
    settings === undefined ? undefined : policySettings(settings, system?.copy?.content.safelist);
  const { policy: assembled, inventories, playbooks, problems } = assemblePolicy(limits, files);
  const policy = assembled && settings && withForecast(assembled, settings);
  const writtenParts = inventories.filter(({ source }) => source.yields !== true);
  for (const { source, issues } of inventories) noteFile(source.yaml, inventorySchema, issues, notes);
  for (const { source, issues } of playbooks) noteFile(source.yaml, playbooksSchema, issues, notes);
  for (const { source, path, message, fix = '', severity } of problems) {
    // Another system's notes are in the status of its copy.
    if (source.yields === true && severity === 'warning') continue;
    const into = findingsIn(source.yaml, notes);
    (severity === 'error' ? into.problem : into.warning)(path, message, fix);
  }
  if (system?.problem !== undefined) {
    found.warning(['inventory'], system.problem, 'the next successful read writes it again');
  }
  const referents = { settings: loose, ...customersOf(inventories) };
  const written = customersOf(writtenParts).customers;
  const isEmpty = system !== undefined && written?.length === 0;
  if (writtenParts.length > 0 && written !== undefined && !isEmpty) {
    const both = { settings: found, inventory: findingsAcross(writtenParts, notes) };
    inventoryChecks(written, loose, both);
  }
  for (const part of playbooks) {
    const inFile = findingsAcross([part], notes);
    playbookChecks(part.data, loose, inFile);
    referenceChecks(part.data, referents, inFile);
  }
  if (settings !== undefined) {
    restartChecks(settings, playbooks, found);
    callerScopeChecks(settings.http.auth, referents.customerIds, found);
  }
  const users = checkUsers(sources.users ?? undefined, referents.customerIds, notes);
  const isSound = notes.problems.length === 0;
  const secrets = readSecrets(loose, environment, found);

  const all = [source, ...files.map(({ yaml }) => yaml), ...(sources.users ? [sources.users] : [])];
  const names = all.map(({ file }) => file);
  let config: LoadedConfig | undefined;
  if (isSound && settings !== undefined && policy !== undefined) {
    const { folder, directory } = sources;
    // Check the policy even if a secret is missing.
    const usable = notes.problems.length === 0 ? secrets : readSecrets(loose, null, found);
    const inFiles = { customers: writtenParts.flatMap(({ data }) => data.customers) };
    const parts = { written: inFiles, copy: system?.copy?.head, copyProblem: system?.problem };
    const built = buildConfig({
      settings,
      policy,
      secrets: usable,
      users,
      inventories: parts,
      folder,
      directory,
      files: sources.files,
    });
    policyChecks(policy, settings, found, findingsAcross(playbooks, notes));
    if (notes.problems.length === 0) config = built;
  }
  const warnings = sortProblems(notes.warnings, names);
  return config === undefined
    ? { ok: false, problems: sortProblems(notes.problems, names), warnings }
    : { ok: true, config, warnings };
}

/** Returns the people of the users file; undefined if there is none, or it is invalid, which is reported. */
function checkUsers(
  source: YamlSource | undefined,
  customerIds: readonly string[] | undefined,
  notes: Notes,
): UsersData | undefined {
  if (source === undefined) return undefined;
  const yaml = withoutExtensions(source, usersSchema);
  const parsed = usersSchema.safeParse(yaml.value ?? {}, { reportInput: false });
  noteFile(yaml, usersSchema, parsed.error?.issues ?? [], notes);
  if (!parsed.success || !yaml.readable) return undefined;
  userChecks(parsed.data, customerIds, findingsIn(yaml, notes));
  return parsed.data;
}

/** Adds the warnings that need all files: what routers can enforce, which playbooks apply, how long rules last. */
function policyChecks(policy: Policy, settings: Settings, found: Findings, across: Findings): void {
  const { warning } = across;
  targetChecks(policy, settings, found);
  routingChecks(settings, policy, found);
  requestChecks(settings, found);
  targetStepChecks(policy, settings, across);
  scopeChecks(policy, across);
  reflectionChecks(policy, settings, found);
  // Computed once, because grouping a large inventory takes long.
  const groups = assetGroups(policy);
  for (const { path, message, fix } of enforcementChecks(policy, groups)) warning(path, message, fix);
  for (const { index, behind } of unreachablePlaybooks(policy.playbooks)) {
    const names = behind.join(', ');
    warning(
      ['playbooks', index],
      `this playbook never applies: ${names} always matches first, with the same or fewer conditions`,
      'move this playbook up, or make the other one more specific',
    );
  }
  firstStepChecks(policy, groups, found);
  repetitionChecks(settings.detectors, policy, found);
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

/** A file that contributes to the policy. */
interface PolicyFile extends PolicySource {
  readonly yaml: YamlSource;
}

type InventoryPart = PolicyPart<PolicyFile, InventoryData>;
type PlaybooksPart = PolicyPart<PolicyFile, PlaybooksData>;

/** Lists the files that contribute to the policy. A file that was parsed only in part contributes nothing. */
function filesOf({ inventory, playbooks, system }: Sources): readonly PolicyFile[] {
  const fileOf = (kind: PolicySource['kind'], file: YamlSource, schema: z.ZodType): PolicyFile => {
    const yaml = withoutExtensions(file, schema);
    const data = yaml.readable ? (yaml.value ?? {}) : {};
    return { kind, name: yaml.file, data, yaml };
  };
  return [
    ...(inventory === null ? [] : [fileOf('inventory', inventory, inventorySchema)]),
    ...(system?.copy === undefined ? [] : [systemSource(system.copy)]),
    ...playbooks.map((yaml) => fileOf('playbooks', yaml, playbooksSchema)),
  ];
}

/** Wraps what another system has answered. It has no lines, so its problems are about the whole of it. */
function systemSource({ head: { from }, content: { customers } }: InventoryCopy): PolicyFile {
  const yaml: YamlSource = {
    file: `the copy of ${from}`,
    value: { customers },
    problems: [],
    readable: true,
    place: () => ({ line: 1, column: 1 }),
    written: () => undefined,
    keys: () => [],
  };
  return { kind: 'inventory', name: yaml.file, data: yaml.value, yields: true, yaml };
}

/** Returns the settings as their schema defines them. Invalid ones are reported, and the result is undefined. */
function checkSettings(source: YamlSource, notes: Notes): Settings | undefined {
  const parsed = settingsSchema.safeParse(source.value ?? {}, { reportInput: false });
  const issues = parsed.success ? [] : parsed.error.issues;
  noteFile(source, settingsSchema, issues, notes, UPSTREAM_ADVICE);
  return parsed.success && source.readable ? parsed.data : undefined;
}

/** Notes what is wrong with one file by itself. */
function noteFile(
  source: YamlSource,
  schema: z.ZodType,
  issues: readonly z.core.$ZodIssue[],
  notes: Notes,
  advice: Advice = {},
): void {
  notes.problems.push(...source.problems);
  // After a YAML syntax error, a missing key is probably in the part that could not be parsed.
  if (source.readable) notes.problems.push(...explain(issues, describeSchema(schema), source, advice));
}

/** Returns reporters for paths as if all these files were one. */
function findingsAcross(parts: readonly (InventoryPart | PlaybooksPart)[], notes: Notes): Findings {
  const into =
    (kind: keyof Findings): ConfigReport =>
    (path, ...words) => {
      const place = placeIn(path, parts);
      if (place !== undefined) findingsIn(place.source.yaml, notes)[kind](place.path, ...words);
    };
  return { problem: into('problem'), warning: into('warning') };
}

/** Returns what playbooks can refer to in the inventory. */
function customersOf(inventories: readonly InventoryPart[]): Pick<Referents, 'customerIds' | 'customers'> {
  if (inventories.every(({ issues }) => issues.length === 0)) {
    const customers = inventories.flatMap(({ data }) => data.customers);
    return { customers, customerIds: customers.map(({ customer_id: id }) => id) };
  }
  const written = inventories.map(({ source }) => writtenIds(source.data));
  const customerIds = written.every((ids) => ids !== undefined) ? written.flat() : undefined;
  return { customers: undefined, customerIds };
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

/** Warns if a neighbor keeps a dead daemon's rules for longer than the shortest TTL. */
function restartChecks(settings: Settings, files: readonly PlaybooksPart[], found: Findings): void {
  const ttls = files.flatMap(({ data }) =>
    [...stepsOf(data, settings.pop)].map(({ step }) => step.ttl_seconds),
  );
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
