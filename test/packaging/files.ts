/** The files of packaging/, and what of them is read by more than one test. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parse } from 'yaml';

/** The absolute path of a file in packaging/. */
export function packaged(name: string): string {
  return fileURLToPath(new URL(`../../packaging/${name}`, import.meta.url));
}

export function textOf(name: string): string {
  return readFileSync(packaged(name), 'utf8');
}

/** Data of a YAML or JSON file. */
export function dataOf(name: string): unknown {
  return parse(textOf(name), { strict: true, uniqueKeys: true });
}

/** What is at a path of keys and indices, undefined where there is nothing. */
export function at(value: unknown, ...path: readonly (string | number)[]): unknown {
  let here = value;
  for (const key of path) {
    if (typeof here !== 'object' || here === null) return undefined;
    here = Reflect.get(here, key);
  }
  return here;
}

export function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}
