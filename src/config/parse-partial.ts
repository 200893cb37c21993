/** Keeps the valid parts of partly invalid data, so that one run finds all problems and not just the first layer. */
import { z } from 'zod';

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
