/**
 * Chooses the test files of a run, and groups those that share a process.
 *
 * Slow are the files in test/interop/ and test/e2e/, which talk to real daemons, and those named `*.slow.test.ts`: they run
 * with `npm run test:all` only, each in a process of its own. The other files of a folder run in one process, one after
 * another, because starting Node and reading the same modules takes longer than most files do.
 */
import { readdirSync } from 'node:fs';
import { dirname } from 'node:path';

/** Paths of all test files below a project's folder, relative to it, with slashes, in order. */
export function findTests(root: string): string[] {
  return readdirSync(`${root}/test`, { recursive: true, encoding: 'utf8' })
    .map((path) => `test/${path.replaceAll('\\', '/')}`)
    .filter((path) => path.endsWith('.test.ts'))
    .sort();
}

/** Returns true if only `npm run test:all` runs the file. */
export function isSlow(path: string): boolean {
  return /^test\/(?:interop|e2e)\//.test(path) || path.endsWith('.slow.test.ts');
}

/** Test files that run in one process. */
export interface Group {
  /** The file, or the folder of several and a number. */
  readonly name: string;
  readonly files: readonly string[];
}

/** Longer groups leave a processor idle at the end; shorter ones start more processes. */
const LARGEST_GROUP = 10;

/**
 * Whole folders whose tests wait for connections and processes for longer than the others take. They start first, so that
 * none of them is left to run alone at the end.
 */
const WAITING: readonly string[] = [
  'test/bgp/speaker',
  'test/store',
  'test/cli',
  'test/packaging',
  'test/alert',
];

/** The groups of a run, in the order in which they start. */
export function groupsOf(paths: readonly string[]): Group[] {
  const alone = paths.filter(isSlow).map((path) => ({ name: path, files: [path] }));
  const folders = new Map<string, string[]>();
  for (const path of paths) {
    if (isSlow(path)) continue;
    const folder = dirname(path);
    folders.set(folder, [...(folders.get(folder) ?? []), path]);
  }
  const rank = (folder: string): number => (WAITING.includes(folder) ? 0 : 1);
  const inOrder = [...folders].sort(([a], [b]) => rank(a) - rank(b));
  return [...alone, ...inOrder.flatMap(([folder, files]) => pieces(folder, files))];
}

/** A folder's files in groups of about the same size. */
function pieces(folder: string, files: readonly string[]): Group[] {
  const count = Math.ceil(files.length / LARGEST_GROUP);
  return Array.from({ length: count }, (_, piece) => ({
    name: count === 1 ? folder : `${folder} (${piece + 1} of ${count})`,
    // By turns: neighbors in the alphabet are often of a kind, and so alike in length.
    files: files.filter((_, index) => index % count === piece),
  }));
}
