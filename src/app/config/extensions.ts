/** Removes keys that begin with `x-`. As in Compose files, they belong to the user and often hold anchors. */
import type { z } from 'zod';
import type { SchemaNode } from './explain.ts';
import { describeSchema } from './explain.ts';
import type { YamlSource } from './yaml.ts';

/** Returns the file without `x-` keys, at the top and inside sections. User-chosen names (`http.auth.roles`) stay. */
export function withoutExtensions(source: YamlSource, schema: z.ZodType): YamlSource {
  return { ...source, value: strip(source.value, [describeSchema(schema)]) };
}

function strip(value: unknown, nodes: readonly SchemaNode[]): unknown {
  const all = nodes.flatMap(alternatives);
  if (Array.isArray(value)) {
    const items = all.flatMap((node) => node.items ?? []);
    return value.map((item) => strip(item, items));
  }
  if (typeof value !== 'object' || value === null) return value;
  const isSection = all.some(({ properties }) => properties !== undefined);
  return Object.fromEntries(
    Object.entries(value)
      .filter(([key]) => !(isSection && key.startsWith('x-')))
      .map(([key, inner]) => [
        key,
        strip(
          inner,
          all.flatMap((node) => below(node, key)),
        ),
      ]),
  );
}

function alternatives(node: SchemaNode): readonly SchemaNode[] {
  const options = node.oneOf ?? node.anyOf;
  return options === undefined ? [node] : options.flatMap(alternatives);
}

function below(node: SchemaNode, key: string): readonly SchemaNode[] {
  const { properties = {}, additionalProperties } = node;
  const named = Object.hasOwn(properties, key) ? properties[key] : undefined;
  if (named !== undefined) return [named];
  return typeof additionalProperties === 'object' ? [additionalProperties] : [];
}
