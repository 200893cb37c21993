/** Which version of the program this is. */
import { readFileSync } from 'node:fs';

/** The version in package.json, which stands two levels above this room in the sources and in what is built of them. */
function readVersion(): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  const { version } = JSON.parse(text) as { readonly version: string };
  return version;
}

export const version = readVersion();
