/** Removes unknown keys and possible secrets from migrated settings. Pure. */
import type { SchemaNode } from './explain.ts';
import { describeSchema } from './explain.ts';
import type { Note, Section } from './migrate-notes.ts';
import { isSection } from './migrate-notes.ts';
import type { Path } from './problem.ts';
import { dotted } from './problem.ts';
import { settingsSchema } from './schema.ts';

/** The usual form of a variable's name. Any other text in its place may be the secret itself. */
const VARIABLE = /^[A-Z][A-Z0-9_]*$/;

/** `https://user:password@host` */
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
      `${variable}; what the file has may be the secret itself, and is not carried over`,
      variable,
    );
    return variable;
  }
  if (CREDENTIALS.test(value)) {
    note('todo', dotted(path), 'this has a password in it, and is not carried over');
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

/** `PREFIXD_HTTP_AUTH_BEARER_TOKEN` for `http.auth.bearer_token_env`. */
function variableFor(path: Path): string {
  const words = path.map((part) => (typeof part === 'number' ? part + 1 : part.replace(/_env$/, '')));
  return `PREFIXD_${words.join('_')}`.toUpperCase().replaceAll(/[^A-Z0-9_]/g, '_');
}
