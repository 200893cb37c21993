/** Converts zod issues to problems that name the place, what is wrong and the fix. */
import { z } from 'zod';
import { looksLike, nearest } from '../net/nearest.ts';
import { dotted, type Path, quoted } from './config-problem.ts';
import type { ConfigProblem } from './types.ts';
import type { YamlSource } from './yaml/yaml.ts';

/** The part of a JSON Schema that is used here. `expects`, `secret` and `quotable` are our own additions. */
export interface SchemaNode {
  readonly type?: string;
  readonly description?: string;
  readonly expects?: string;
  readonly secret?: boolean;
  /** False if a number in quotes would be invalid, too. */
  readonly quotable?: boolean;
  readonly default?: unknown;
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly properties?: Readonly<Record<string, SchemaNode>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: SchemaNode | boolean;
  readonly items?: SchemaNode;
  readonly minItems?: number;
  readonly anyOf?: readonly SchemaNode[];
  readonly oneOf?: readonly SchemaNode[];
}

const descriptions = new WeakMap<z.ZodType, SchemaNode>();

/** Returns the schema's input as JSON Schema. Cached, because the conversion takes milliseconds. */
export function describeSchema(schema: z.ZodType): SchemaNode {
  let description = descriptions.get(schema);
  if (description === undefined) {
    description = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }) as SchemaNode;
    descriptions.set(schema, description);
  }
  return description;
}

/** Fixes by dotted path without indices, for keys of upstream prefixd. */
export type Advice = Readonly<Record<string, string>>;

/** Returns the problems for the issues of one file, unsorted. */
export function explain(
  issues: readonly z.core.$ZodIssue[],
  schema: SchemaNode,
  source: YamlSource,
  advice: Advice = {},
): ConfigProblem[] {
  return issues.flatMap((issue) => explainOne(issue, schema, source, advice));
}

function explainOne(
  issue: z.core.$ZodIssue,
  schema: SchemaNode,
  source: YamlSource,
  advice: Advice,
): ConfigProblem[] {
  const inner = issue.code === 'invalid_union' ? fittingBranch(issue.errors) : undefined;
  if (inner !== undefined) {
    const below = inner.map((one) => ({ ...one, path: [...issue.path, ...one.path] }));
    return explain(below, schema, source, advice);
  }
  const path = issue.path.map((part) => (typeof part === 'number' ? part : String(part)));
  const problem = (at: Path, what: 'key' | 'value', message: string, fix: string): ConfigProblem => ({
    file: source.file,
    ...source.place(at, what),
    path: dotted(at),
    message,
    fix,
  });
  if (issue.code === 'unrecognized_keys') {
    const known = knownKeys(nodesAt(schema, path, source.value));
    return issue.keys.map((key) => {
      const at = [...path, key];
      const fix = adviceOn(at, advice) ?? betterKey(key, known, schema, source, path);
      return problem(at, 'key', `unknown key "${key}"`, fix);
    });
  }
  const node = merged(nodesAt(schema, path, source.value));
  const value = valueAt(source.value, path);
  const wanted = expected(node);
  if (value === undefined) {
    const key = String(path.at(-1) ?? '');
    const nested = node.type === 'object' || node.type === 'array';
    if (source.keys(path.slice(0, -1)).includes(key)) {
      const fix = nested ? `write its content below it, indented: ${wanted}` : `write ${wanted}`;
      return [problem(path, 'value', 'the key has no value', fix)];
    }
    const fix = splitEntry(source, path) ?? `add ${key}: ${wanted}`;
    return [problem(path, 'value', `required key ${key} is missing`, fix)];
  }
  const invalid = `invalid value ${node.secret === true ? '(not shown: it may be a secret)' : quoted(value)}`;
  const message = `${invalid}: expected ${wanted}`;
  const better = adviceOn([...path, String(value)], advice) ?? likelyWord(node, value, source.written(path));
  if (better !== undefined) return [problem(path, 'value', message, better)];
  const listing = listAdvice(node, value);
  if (listing !== undefined) return [problem(path, 'value', invalid, listing)];
  const fix =
    node.default === undefined ? '' : `correct it, or omit it (default ${JSON.stringify(node.default)})`;
  return [problem(path, 'value', message, fix)];
}

/** Returns the issues of the only alternative whose kind the value has: those are about its parts. */
function fittingBranch(
  branches: readonly (readonly z.core.$ZodIssue[])[],
): readonly z.core.$ZodIssue[] | undefined {
  const fitting = branches.filter((issues) =>
    issues.every(({ path, code }) => path.length > 0 || code === 'unrecognized_keys'),
  );
  return fitting.length === 1 ? fitting[0] : undefined;
}

/** Merges alternatives into one node; constants become a choice. */
function merged(nodes: readonly SchemaNode[]): SchemaNode {
  const [first = {}, ...others] = nodes;
  if (others.length === 0 || nodes.some((node) => node.const === undefined)) return first;
  const choice = nodes.map((node) => node.const);
  return { enum: choice, expects: `one of ${choice.join(', ')}` };
}

/**
 * Guesses the intended value; `written` is its text in the file. Undefined if there is no safe guess. Advice never
 * changes a value: `010` in quotes may mean ten or eight, and quotes around `1e3` must not make it 1000.
 */
function likelyWord(node: SchemaNode, value: unknown, written: string | undefined): string | undefined {
  if (node.secret === true) return undefined;
  if (typeof value === 'string' && node.enum !== undefined) {
    const guess = nearest(value, node.enum.map(String));
    if (guess !== undefined && looksLike(value, guess)) return `did you mean "${guess}"?`;
  }
  if (typeof value === 'string' && (node.type === 'integer' || node.type === 'number')) {
    if (String(Number(value)) === value && /^\d/.test(value)) return `write ${value}, without quotes`;
  }
  const scalar = typeof value === 'number' || typeof value === 'boolean';
  if (node.type === 'string' && node.quotable !== false && scalar) {
    return `put quotes around it: "${written ?? value}"`;
  }
  return undefined;
}

/** Describes the values that a node accepts, to follow "write" or "expected". */
export function expected(node: SchemaNode): string {
  if (node.expects !== undefined) return node.expects;
  if (node.const !== undefined) return String(node.const);
  const options = node.oneOf ?? node.anyOf;
  if (options !== undefined) {
    const kinds = options
      .map((option) => option.properties?.type?.const)
      .filter((kind) => kind !== undefined);
    if (kinds.length > 0) return `a section with type: ${kinds.join(' | ')}`;
    return options.map(expected).join(', or ');
  }
  if (node.type === 'array') {
    const items = expected(node.items ?? {});
    return node.minItems === undefined ? `a list: ${items}` : `a list of at least ${node.minItems}: ${items}`;
  }
  if (node.type === 'object') {
    const keys = Object.keys(node.properties ?? {});
    return keys.length === 0 ? 'a section of keys and values' : `a section with the keys ${keys.join(', ')}`;
  }
  return node.type === 'string' ? 'text' : (node.type ?? 'something else');
}

/** Returns the schema's nodes for a path; several if more than one alternative is possible. */
function nodesAt(schema: SchemaNode, path: Path, data: unknown): readonly SchemaNode[] {
  let nodes = alternatives(schema, data);
  let value = data;
  for (const [depth, part] of path.entries()) {
    value = valueAt(value, [part]);
    const below = nodes.flatMap((node) => {
      if (typeof part === 'number') return node.items ?? [];
      const named = node.properties?.[part] ?? node.additionalProperties;
      return typeof named === 'object' ? [named] : [];
    });
    // The last step keeps a node with its alternatives, because it is narrowed below.
    nodes = depth === path.length - 1 ? below : below.flatMap((node) => alternatives(node, value));
  }
  return nodes.length === 1 && path.length > 0 ? nodes.flatMap((node) => chosen(node, value)) : nodes;
}

/** Narrows a node with alternatives to the one that the data names by its `type`. */
function chosen(node: SchemaNode, data: unknown): readonly SchemaNode[] {
  const matching = (node.oneOf ?? []).filter((option) => isNamedBy(option, data));
  return matching.length === 1 ? matching : [node];
}

function alternatives(node: SchemaNode, data: unknown): readonly SchemaNode[] {
  const options = node.oneOf ?? node.anyOf;
  if (options === undefined) return [node];
  const matching = options.filter((option) => isNamedBy(option, data));
  return matching.length > 0 ? matching : options;
}

function isNamedBy(option: SchemaNode, data: unknown): boolean {
  const kind = option.properties?.type?.const;
  return kind !== undefined && kind === valueAt(data, ['type']);
}

function knownKeys(nodes: readonly SchemaNode[]): readonly string[] {
  const all = nodes.flatMap((node) => [node, ...(node.anyOf ?? [])]);
  return [...new Set(all.flatMap((node) => Object.keys(node.properties ?? {})))];
}

/** Returns the fix for a list without dashes, or for a section with one. */
function listAdvice(node: SchemaNode, value: unknown): string | undefined {
  const isSection = typeof value === 'object' && value !== null && !Array.isArray(value);
  if (node.type === 'array' && isSection && node.items?.properties !== undefined) {
    return 'write a list: begin each entry with "- ", and indent its other keys like the first one';
  }
  if (node.type === 'object' && node.properties !== undefined && Array.isArray(value) && value.length > 0) {
    return `write ${expected(node)}, without "-" before the keys`;
  }
  return undefined;
}

/** Detects an entry of a list that one "-" too many has split into two; returns the fix for the missing key. */
function splitEntry(source: YamlSource, path: Path): string | undefined {
  const key = path.at(-1);
  const index = path.at(-2);
  if (typeof index !== 'number' || typeof key !== 'string') return undefined;
  const list = path.slice(0, -2);
  const own = source.keys([...list, index]);
  for (const other of [index + 1, index + 2, index - 1, index - 2]) {
    const keys = other < 0 ? [] : source.keys([...list, other]);
    if (!keys.includes(key) || keys.some((one) => own.includes(one))) continue;
    const line = source.place([...list, Math.max(other, index)], 'value').line;
    return `every "-" begins a new entry: if ${key} belongs to this entry, remove the "-" in line ${line} and indent that line like the one above`;
  }
  return undefined;
}

/** Suggests the nearest valid key, or the section in which the same key is valid. */
function betterKey(
  key: string,
  known: readonly string[],
  schema: SchemaNode,
  source: YamlSource,
  section: Path,
): string {
  const guess = nearest(key, known);
  if (guess !== undefined && looksLike(key, guess)) return `did you mean "${guess}"?`;
  const placement = placementAdvice(source, section, key, homesOf(key, schema, ''));
  if (placement !== undefined) return placement;
  if (guess === undefined) return 'remove it';
  return `did you mean "${guess}"? Valid keys: ${known.join(', ')}`;
}

/** Returns the dotted paths of sections in which the key is valid. */
function homesOf(key: string, node: SchemaNode, at: string): readonly string[] {
  const found: string[] = [];
  const properties = node.properties ?? {};
  if (Object.hasOwn(properties, key)) found.push(at);
  for (const [name, child] of Object.entries(properties)) {
    const below = at === '' ? name : `${at}.${name}`;
    for (const inner of [child, child.items ?? {}, ...(child.items?.oneOf ?? [])]) {
      found.push(...homesOf(key, inner, below));
    }
  }
  return found;
}

function adviceOn(path: Path, advice: Advice): string | undefined {
  const plain = dotted(path.filter((part) => typeof part === 'string'));
  return Object.hasOwn(advice, plain) ? advice[plain] : undefined;
}

function valueAt(data: unknown, path: Path): unknown {
  let value = data;
  for (const part of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, part)) return undefined;
    value = Reflect.get(value, part);
  }
  return value;
}

// Advice on keys in the wrong section.

/**
 * Says where an unknown key belongs and how to move it there. `homes` are the dotted paths, without list indices, of
 * the sections in which it is valid; '' is the top of the file. Undefined if there are none.
 */
export function placementAdvice(
  source: YamlSource,
  section: Path,
  key: string,
  homes: readonly string[],
): string | undefined {
  const [home] = homes;
  if (home === undefined) return undefined;
  const near = homes.flatMap((one) => besideAdvice(source, section, key, one) ?? [])[0];
  const outer = homes.flatMap((one) => outerAdvice(source, section, key, one) ?? [])[0];
  return near ?? outer ?? `it belongs in ${nameOf(home)}; move it there`;
}

/** Detects a key that is indented too little: it is beside its section. */
function besideAdvice(source: YamlSource, section: Path, key: string, home: string): string | undefined {
  const around = plain(section);
  if (home === around || !isWithin(home, around)) return undefined;
  const sibling = home.slice(around === '' ? 0 : around.length + 1).split('.')[0] ?? '';
  if (!source.keys(section).includes(sibling)) return undefined;
  const place = source.place([...section, sibling], 'key');
  if (place.line >= source.place([...section, key], 'key').line) return undefined;
  return `it belongs in ${home}: indent it below "${sibling}" in line ${place.line}`;
}

/** Detects a key that is indented too much: it is inside a section that belongs beside it. */
function outerAdvice(source: YamlSource, section: Path, key: string, home: string): string | undefined {
  const depth = section.findIndex((_, i) => plain(section.slice(0, i)) === home);
  if (depth < 0 || plain(section) === home) return undefined;
  const [first] = source.keys(section.slice(0, depth));
  if (first === undefined) return undefined;
  const place = source.place([...section.slice(0, depth), first], 'key');
  // On one line, indentation is not the problem.
  if (place.line === source.place([...section, key], 'key').line) return undefined;
  return `it belongs in ${nameOf(home)}: indent it like "${first}" in line ${place.line}`;
}

/** Formats a dotted path without list indices. */
function plain(path: Path): string {
  return path.filter((part) => typeof part === 'string').join('.');
}

function isWithin(inner: string, outer: string): boolean {
  return outer === '' || inner === outer || inner.startsWith(`${outer}.`);
}

function nameOf(home: string): string {
  return home === '' ? 'the top of the file' : home;
}
