/** Provides the program's version. */
import { readFileSync } from 'node:fs';

/** Reads the version from package.json, two folders above this one both in the sources and in the build. */
function readVersion(): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  const { version } = JSON.parse(text) as { readonly version: string };
  return version;
}

export const version = readVersion();
