/** How a user runs this very program again from another terminal, for texts that say what to do next. */
import { accessSync, constants, realpathSync } from 'node:fs';
import { delimiter, extname, join } from 'node:path';

/** The program's own main file, in the sources or as built. */
const MAIN = join(import.meta.dirname, `main${extname(import.meta.filename)}`);

/** Folders that npm and npx put on the PATH of what they start; another terminal does not have them. */
const OF_NPM = /[\\/](?:node_modules[\\/]\.bin|_npx)(?:[\\/]|$)|node-gyp-bin/;

/**
 * `prefixd` where the PATH leads to this program, else the path of the program. Never `npx`, which outside of the clone would
 * run whatever the registry has under that name.
 */
export function invocation(env: Readonly<Record<string, string | undefined>>, main: string = MAIN): string {
  const first = (env.PATH ?? '')
    .split(delimiter)
    .filter((folder) => folder !== '' && !OF_NPM.test(folder))
    .map((folder) => join(folder, 'prefixd'))
    .find(isProgram);
  if (first !== undefined && realpathSync(first) === realpathSync(main)) return 'prefixd';
  return main.endsWith('.ts') ? `node --import tsx ${shellWord(main)}` : shellWord(main);
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

// Text as one word of a POSIX shell. Pure.

/** The text as it is where a shell takes it for one word, else in single quotes. */
export function shellWord(text: string): string {
  return /^[A-Za-z0-9_@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
