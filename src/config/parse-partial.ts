/**
 * Keeps the valid parts of partly invalid data, so that one run finds all problems and not just the first layer; and
 * leaves out the keys that belong to the user.
 */
import { z } from 'zod';
import { describeSchema, type SchemaNode } from './messages.ts';
import type { YamlSource } from './yaml/yaml.ts';

/** Data of which any part may be missing. List items keep their index. */
export type DeepPartial<T> = T extends readonly (infer Item)[]
  ? readonly (DeepPartial<Item> | undefined)[]
  : T extends object
    ? { readonly [Key in keyof T]?: DeepPartial<T[Key]> | undefined }
    : T;

/** Returns the valid parts of `value`, with defaults for absent keys and undefined for invalid parts. */
export function parsePartial<Schema extends z.ZodType>(
  schema: Schema,
  value: unknown,
): DeepPartial<z.output<Schema>> | undefined {
  return pick(schema, value) as DeepPartial<z.output<Schema>> | undefined;
}

/** Returns the valid parts of a file, apart from its `x-` keys. */
export function validParts<Schema extends z.ZodType>(
  schema: Schema,
  source: YamlSource,
): DeepPartial<z.output<Schema>> | undefined {
  return parsePartial(schema, withoutExtensions(source, schema).value);
}

function pick(schema: z.core.$ZodType, value: unknown): unknown {
  const parsed = z.safeParse(schema, value);
  if (parsed.success) return parsed.data;
  if (schema instanceof z.ZodDefault || schema instanceof z.ZodPrefault || schema instanceof z.ZodOptional) {
    return pick(schema.def.innerType, value);
  }
  if (schema instanceof z.ZodArray) {
    return Array.isArray(value) ? value.map((item) => pick(schema.element, item)) : undefined;
  }
  if (schema instanceof z.ZodObject) {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
    const known = Object.entries(schema.shape).map(([key, inner]) => [
      key,
      pick(inner, ownValue(value, key)),
    ]);
    const { catchall } = schema.def;
    const further =
      catchall === undefined || catchall instanceof z.ZodNever ? [] : unknownKeys(schema, value);
    return Object.fromEntries([
      ...known,
      ...further.map((key) => [
        key,
        catchall === undefined ? undefined : pick(catchall, ownValue(value, key)),
      ]),
    ]);
  }
  return undefined;
}

function unknownKeys(schema: z.ZodObject, value: object): readonly string[] {
  return Object.keys(value).filter((key) => !Object.hasOwn(schema.shape, key));
}

function ownValue(value: object, key: string): unknown {
  return Object.hasOwn(value, key) ? Reflect.get(value, key) : undefined;
}

// Keys that begin with `x-`. As in Compose files, they belong to the user and often contain anchors.

/** Removes `x-` keys at the top of the file and inside sections. User-chosen names (`http.auth.roles`) stay. */
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
