/**
 * Assembles the policy from its sources. A source is a document with customers or with playbooks: a file, or what
 * another system answers. The settings give the rest. An entry that is invalid does not keep the others from being
 * checked.
 */
import type { z } from 'zod';
import { runToEnd } from '../../net/steps.ts';
import { customerSchema, type InventoryData, inventorySchema } from './inventory-schema.ts';
import { overlaySteps } from './inventory-overlay.ts';
import { buildInventory } from './inventory.ts';
import { type PlaybooksData, playbookSchema, playbooksSchema } from './playbook-schema.ts';
import { buildPlaybooks } from './playbook.ts';
import type { PolicyProblem } from './policy-problem.ts';
import type { Policy } from './policy.ts';

/** One source's contribution, not yet checked. */
export interface PolicySource {
  readonly kind: 'inventory' | 'playbooks';
  /** Names the source in messages. */
  readonly name: string;
  readonly data: unknown;
  /** True: the other sources' customers win over these, as inventory.yaml does over another system. */
  readonly yields?: boolean;
}

/** What the settings contribute. */
export type PolicySettings = Omit<Policy, 'inventory' | 'playbooks'>;

/** A source after its schema has checked it. */
export interface PolicyPart<Source extends PolicySource, Data> {
  readonly source: Source;
  /** The valid entries; all that the source has if there are no issues. */
  readonly data: Data;
  /** Each valid entry's index in the source's list. */
  readonly places: readonly number[];
  readonly issues: readonly z.core.$ZodIssue[];
}

export interface AssembledPolicy<Source extends PolicySource> {
  /** Undefined if the settings are missing, or if there are issues or errors. */
  readonly policy: Policy | undefined;
  readonly inventories: readonly PolicyPart<Source, InventoryData>[];
  readonly playbooks: readonly PolicyPart<Source, PlaybooksData>[];
  /** How values do not fit together, each with its source and its path there. */
  readonly problems: readonly (PolicyProblem & { readonly source: Source })[];
}

/** Assembles the policy, or finds what is wrong with its sources; without settings, it only does the latter. */
export function assemblePolicy<Source extends PolicySource>(
  settings: PolicySettings | undefined,
  sources: readonly Source[],
): AssembledPolicy<Source> {
  const inventories = yielding(
    sources
      .filter(({ kind }) => kind === 'inventory')
      .map((source) =>
        readPart(source, 'customers', inventorySchema, customerSchema, (customers) => ({ customers })),
      ),
  );
  const playbooks = sources
    .filter(({ kind }) => kind === 'playbooks')
    .map((source) =>
      readPart(source, 'playbooks', playbooksSchema, playbookSchema, (list) => ({ playbooks: list })),
    );
  const isComplete = inventories.every(({ issues }) => issues.length === 0);
  const builtInventory = buildInventory({ customers: inventories.flatMap(({ data }) => data.customers) });
  const builtPlaybooks = buildPlaybooks(together(playbooks), settings?.pop);
  const problems = [
    ...builtInventory.problems
      // A customer that was left out may explain a warning.
      .filter(({ severity }) => isComplete || severity === 'error')
      .flatMap((problem) => placedProblem(problem, inventories)),
    ...secondDefaults(playbooks),
    ...builtPlaybooks.problems.flatMap((problem) => placedProblem(problem, playbooks)),
  ];
  const isSound =
    isComplete &&
    playbooks.every(({ issues }) => issues.length === 0) &&
    problems.every(({ severity }) => severity === 'warning');
  const policy =
    settings === undefined || !isSound
      ? undefined
      : { ...settings, inventory: builtInventory.inventory, playbooks: builtPlaybooks.playbooks };
  return { policy, inventories, playbooks, problems };
}

/** Lets the sources that yield give way to the others, behind which they come. */
function yielding<Source extends PolicySource>(
  parts: readonly PolicyPart<Source, InventoryData>[],
): readonly PolicyPart<Source, InventoryData>[] {
  const first = parts.filter(({ source }) => source.yields !== true);
  const written = { customers: first.flatMap(({ data }) => data.customers) };
  const others = parts.filter(({ source }) => source.yields === true);
  return [
    ...first,
    ...others.map((part) => {
      const { customers, places } = runToEnd(overlaySteps(written, part.data));
      return {
        ...part,
        data: { customers: [...customers] },
        places: places.map((place) => part.places[place] ?? place),
      };
    }),
  ];
}

/** Finds the source, and the path in it, for a path as if all sources of one kind were one. */
export function placeIn<Source extends PolicySource>(
  path: PolicyProblem['path'],
  parts: readonly PolicyPart<Source, InventoryData | PlaybooksData>[],
): { readonly source: Source; readonly path: PolicyProblem['path'] } | undefined {
  const [top = '', index, ...rest] = path;
  if (typeof index === 'number') {
    let left = index;
    for (const { source, places } of parts) {
      const place = places[left];
      if (place !== undefined) return { source, path: [top, place, ...rest] };
      left -= places.length;
    }
    return undefined;
  }
  const part =
    top === 'default_playbook'
      ? parts.find(({ data }) => 'default_playbook' in data && data.default_playbook !== undefined)
      : parts[0];
  return part === undefined ? undefined : { source: part.source, path };
}

function placedProblem<Source extends PolicySource>(
  problem: PolicyProblem,
  parts: readonly PolicyPart<Source, InventoryData | PlaybooksData>[],
): readonly (PolicyProblem & { readonly source: Source })[] {
  const place = placeIn(problem.path, parts);
  return place === undefined ? [] : [{ ...problem, ...place }];
}

function readPart<Source extends PolicySource, Data, Entry extends z.ZodType>(
  source: Source,
  key: 'customers' | 'playbooks',
  schema: z.ZodType<Data>,
  entrySchema: Entry,
  listed: (entries: z.output<Entry>[]) => Data,
): PolicyPart<Source, Data> {
  const { data } = source;
  const list: unknown = typeof data === 'object' && data !== null ? Reflect.get(data, key) : undefined;
  const entries: readonly unknown[] = Array.isArray(list) ? list : [];
  const parsed = schema.safeParse(data, { reportInput: false });
  if (parsed.success) return { source, data: parsed.data, places: [...entries.keys()], issues: [] };
  const valid = entries.flatMap((entry, place) => {
    const one = entrySchema.safeParse(entry);
    return one.success ? [{ place, entry: one.data }] : [];
  });
  return {
    source,
    data: listed(valid.map(({ entry }) => entry)),
    places: valid.map(({ place }) => place),
    issues: parsed.error.issues,
  };
}

type PlaybookParts<Source extends PolicySource> = readonly PolicyPart<Source, PlaybooksData>[];

/** Joins the playbooks of all sources; the first default playbook counts. */
function together(parts: PlaybookParts<PolicySource>): PlaybooksData {
  const [first] = withDefault(parts);
  return {
    playbooks: parts.flatMap(({ data }) => data.playbooks ?? []),
    ...(first === undefined ? {} : { default_playbook: first.data.default_playbook }),
  };
}

function withDefault<Source extends PolicySource>(parts: PlaybookParts<Source>): PlaybookParts<Source> {
  return parts.filter(({ data }) => data.default_playbook !== undefined);
}

function secondDefaults<Source extends PolicySource>(
  parts: PlaybookParts<Source>,
): AssembledPolicy<Source>['problems'] {
  const [first, ...others] = withDefault(parts);
  return others.map(({ source }) => ({
    source,
    path: ['default_playbook'],
    message: `${first?.source.name} already has a default playbook`,
    fix: 'remove one of the two',
    severity: 'error',
  }));
}
