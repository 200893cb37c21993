/** Defines a migration's report: one change for each key that does not stay the same. */
import { describeSchema, type SchemaNode } from '../messages.ts';
import { dotted, type Path } from '../config-problem.ts';
import { settingsSchema } from '../schema/prefixd-schema.ts';

/** Data with the keys of a file. */
export type Section = Readonly<Record<string, unknown>>;

/**
 * A change of one key. `todo`: a person has to complete it. `unknown`: neither upstream nor this prefixd has the key,
 * so it is not copied.
 */
export interface Change {
  /** Dotted path in upstream's file; for an added key, in ours. */
  readonly path: string;
  readonly kind: 'changed' | 'dropped' | 'added' | 'todo' | 'unknown';
  readonly what: string;
  /** Environment variable that must be set to the value in upstream's file. */
  readonly variable?: string;
}

export type Note = (kind: Change['kind'], path: string, what: string, variable?: string) => void;

export function isSection(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Returns a subsection, to be changed in place; undefined if there is none. */
export function section(above: Section | undefined, key: string): Record<string, unknown> | undefined {
  const value = above?.[key];
  return isSection(value) ? value : undefined;
}

// Removes unknown keys and possible secrets from migrated settings.

/** The usual form of a variable's name. Any other text may be the secret itself. */
const VARIABLE = /^[A-Z][A-Z0-9_]*$/;

/** Matches `https://user:password@host`. */
const CREDENTIALS = /:\/\/[^/?#\s]*@/;

export function withoutStrangers(settings: Section, note: Note): Section {
  const kept = keep(settings, [describeSchema(settingsSchema)], [], note);
  return isSection(kept) ? kept : {};
}

function keep(value: unknown, nodes: readonly SchemaNode[], path: Path, note: Note): unknown {
  const all = nodes.flatMap(alternatives);
  if (Array.isArray(value)) {
    const items = all.flatMap(({ items: item }) => item ?? []);
    return value.map((item, i) => keep(item, items, [...path, i], note));
  }
  if (isSection(value)) return keepSection(value, all, path, note);
  if (typeof value !== 'string') return value;
  if (all.some(({ secret }) => secret === true) && !VARIABLE.test(value)) {
    const variable = variableFor(path);
    note(
      'changed',
      dotted(path),
      `${variable}; the value in the file may be the secret itself and is not copied`,
      variable,
    );
    return variable;
  }
  if (CREDENTIALS.test(value)) {
    note('todo', dotted(path), 'the value contains a password and is not copied');
    return undefined;
  }
  return value;
}

function keepSection(
  value: Section,
  nodes: readonly SchemaNode[],
  path: Path,
  note: Note,
): Readonly<Record<string, unknown>> {
  const kept: [string, unknown][] = [];
  for (const [key, inner] of Object.entries(value)) {
    const below = nodes.flatMap((node) => nodesBelow(node, key));
    if (below.length === 0) {
      note('unknown', dotted([...path, key]), '');
      continue;
    }
    const result = keep(inner, below, [...path, key], note);
    if (result !== undefined) kept.push([key, result]);
  }
  return Object.fromEntries(kept);
}

function alternatives(node: SchemaNode): readonly SchemaNode[] {
  const options = node.oneOf ?? node.anyOf;
  return options === undefined ? [node] : options.flatMap(alternatives);
}

function nodesBelow(
  { properties = {}, additionalProperties }: SchemaNode,
  key: string,
): readonly SchemaNode[] {
  const named = Object.hasOwn(properties, key) ? properties[key] : undefined;
  if (named !== undefined) return [named];
  return typeof additionalProperties === 'object' ? [additionalProperties] : [];
}

/** Returns `PREFIXD_HTTP_AUTH_BEARER_TOKEN` for `http.auth.bearer_token_env`. */
function variableFor(path: Path): string {
  const words = path.map((part) => (typeof part === 'number' ? part + 1 : part.replace(/_env$/, '')));
  return `PREFIXD_${words.join('_')}`.toUpperCase().replaceAll(/[^A-Z0-9_]/g, '_');
}
