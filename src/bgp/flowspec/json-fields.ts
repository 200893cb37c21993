/** Reading values of unknown JSON with errors that name the place: `components[1].ops[0].value`. */

/** How reading leaves when the JSON is not of its shape. The message begins with the path. */
export class JsonShapeError extends Error {
  override readonly name = 'JsonShapeError';
}

export type JsonObject = Readonly<Record<string, unknown>>;

/** An object with no other keys than these; a misspelt key must not be a default in disguise. */
export function objectAt(value: unknown, path: string, keys: readonly string[]): JsonObject {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new JsonShapeError(`${path}: an object is expected`);
  }
  for (const key of Object.keys(value)) {
    if (!keys.includes(key)) {
      throw new JsonShapeError(`${path}: unknown key "${key}", known are ${keys.join(', ')}`);
    }
  }
  return value as JsonObject;
}

export function arrayAt(value: unknown, path: string): readonly unknown[] {
  if (!Array.isArray(value)) throw new JsonShapeError(`${path}: an array is expected`);
  return value;
}

export function stringAt(value: unknown, path: string): string {
  if (typeof value !== 'string') throw new JsonShapeError(`${path}: a string is expected`);
  return value;
}

/** A boolean; absent is false. */
export function flagAt(object: JsonObject, key: string, path: string): boolean {
  const value = object[key] ?? false;
  if (typeof value !== 'boolean') throw new JsonShapeError(`${path}.${key}: true or false is expected`);
  return value;
}

export function numberAt(value: unknown, path: string): number {
  if (typeof value !== 'number') throw new JsonShapeError(`${path}: a number is expected`);
  return value;
}

/** A whole number from 0 to 2^64-1: a JSON number up to 2^53-1, or a decimal string. */
export function wholeAt(value: unknown, path: string): number | bigint {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value;
  if (typeof value === 'string' && /^\d{1,20}$/.test(value)) {
    const exact = BigInt(value);
    return exact > BigInt(Number.MAX_SAFE_INTEGER) ? exact : Number(exact);
  }
  throw new JsonShapeError(
    `${path}: a whole number from 0 is expected, above 9007199254740991 as a decimal string`,
  );
}

/** The inverse of `wholeAt`. */
export function wholeToJson(value: number | bigint): number | string {
  return value > Number.MAX_SAFE_INTEGER ? value.toString() : Number(value);
}
