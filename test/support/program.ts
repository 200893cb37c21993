/** The command line as tests start it: what the run of all tests compiled once, or else the sources. */
import { join } from 'node:path';

/** Names the compiled `cli/main.js`; `scripts/test.ts` sets it, because the sources take twice as long to start. */
export const COMPILED = 'PREFIXD_TEST_PROGRAM';

const SOURCE = join(import.meta.dirname, '..', '..', 'src', 'cli', 'main.ts');

/** The program and the words that go before its arguments, wherever the caller stands, as the environment says now. */
export function prefixdWords(): readonly [program: string, ...words: string[]] {
  const compiled = process.env[COMPILED];
  if (compiled !== undefined) return [process.execPath, compiled];
  return [process.execPath, '--import', import.meta.resolve('tsx'), SOURCE];
}

/** The same, as the environment said when the test began. */
export const PREFIXD = prefixdWords();

/** The same as a command of a shell. */
export const PREFIXD_COMMAND = PREFIXD.map((word) => `'${word}'`).join(' ');
