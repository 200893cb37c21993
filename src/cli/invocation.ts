/** Finds the command that runs this program from another terminal, for texts that suggest a next command. */
import { accessSync, constants, realpathSync } from 'node:fs';
import { delimiter, extname, join } from 'node:path';

/** The program's main file: TypeScript in the sources, JavaScript as built. */
const MAIN = join(import.meta.dirname, `main${extname(import.meta.filename)}`);

/** Matches folders that npm and npx add to the PATH of the programs they start; another terminal does not have them. */
const OF_NPM = /[\\/](?:node_modules[\\/]\.bin|_npx)(?:[\\/]|$)|node-gyp-bin/;

/**
 * Returns `prefixd` if the PATH leads to this program, else the program's path. Never returns a call of npx, which outside the
 * clone would run whatever package has that name in the registry.
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

// Quotes text for a POSIX shell. Pure.

/** Returns the text as one word of a shell: unchanged if possible, else in single quotes. */
export function shellWord(text: string): string {
  return /^[A-Za-z0-9_@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
