/**
 * `npm test [-- FILE...]`: runs the quick tests, or the files that are named, and says how many tests there were.
 * `npm run test:all`: runs every test. scripts/test-files.ts says which file is in which.
 *
 * A run that finds nothing must not look like a success, so a whole run fails below a floor, and where CI=true a
 * skipped test is a failure: there every daemon is installed.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join, relative, resolve } from 'node:path';
import { run } from 'node:test';
import { spec } from 'node:test/reporters';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { COMPILED } from '../test/support/program.ts';
import { compile } from './compile.ts';
import { findTests, type Group, groupsOf, isSlow } from './test-files.ts';

/** A whole run with fewer tests than this has lost some. Raise them as tests are added. */
const FLOORS = { quick: 3300, all: 5000 };

/** A process that takes longer hangs. A machine that does much else makes the slowest five minutes long. */
const PROCESS_TIMEOUT_MS = 900_000;

const root = join(import.meta.dirname, '..');
const { values, positionals: asked } = parseArgs({
  allowPositionals: true,
  options: { all: { type: 'boolean', default: false } },
});
const whole = asked.length === 0;
const files = whole
  ? findTests(root).filter((path) => values.all || !isSlow(path))
  : asked.map((path) => relative(root, resolve(path)));
if (files.length === 0) {
  console.error('no test files (test/**/*.test.ts) were found');
  process.exit(1);
}

const totals = { passed: 0, failed: 0, skipped: 0, todo: 0 };
const skips: string[] = [];
const failures: string[] = [];
const started = performance.now();

const compiled = whole ? await compile() : undefined;
if (compiled !== undefined) process.env[COMPILED] = compiled.main;
const folder = mkdtempSync(join(tmpdir(), 'prefixd-tests-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
/** The groups by the file that their process is given. */
const groups = new Map(groupsOf(files).map((group, index) => [entryOf(group, index), group]));
/** Files of shared processes that have not reported a test, and processes of one file that have none. */
const silent = new Set([...groups.values()].flatMap(({ files }) => (files.length > 1 ? files : [])));

// Suites with real daemons mostly wait, so more processes run at once than there are processors. The children inherit
// this process's `--import tsx`.
const path: string[] = [];
const events = run({
  files: [...groups.keys()],
  concurrency: Math.max(4, 2 * availableParallelism()),
  timeout: PROCESS_TIMEOUT_MS,
});
events.on('test:start', (event) => {
  path.splice(event.nesting, path.length, event.name);
});
events.on('test:pass', (event) => {
  heard(event);
  // A suite that is skipped as a whole reports none of its tests: it counts as one.
  if (isContainer(event) && event.skip === undefined) return;
  if (event.skip !== undefined) {
    totals.skipped++;
    skips.push(`${place(event)} > ${event.name}${typeof event.skip === 'string' ? ` (${event.skip})` : ''}`);
  } else if (event.todo !== undefined) totals.todo++;
  else totals.passed++;
});
events.on('test:fail', (event) => {
  if (!isProcess(event)) heard(event);
  if (event.todo !== undefined) totals.todo++;
  else {
    if (!onlyHoldsFailures(event.details.error)) failures.push(`${place(event)} > ${event.name}`);
    if (!isContainer(event)) totals.failed++;
  }
});
events.on('end', conclude);
events.compose(new spec()).pipe(process.stdout);

/** The file that a group's process runs: the only one of the group, or a file that imports them all. */
function entryOf({ name, files }: Group, index: number): string {
  const [first, second] = files;
  if (first !== undefined && second === undefined) return join(root, first);
  const entry = join(folder, `${index + 1}-${name.replaceAll(/[^a-z0-9]+/g, '-')}.mjs`);
  writeFileSync(entry, files.map((file) => `import '${pathToFileURL(join(root, file))}';\n`).join(''));
  return entry;
}

interface TestEvent {
  readonly name: string;
  readonly nesting: number;
  readonly file?: string | undefined;
  readonly details: { readonly type?: string | undefined };
}

/** A process that fails, or whose file declares no test, is reported as a test that is named after the file. */
function isProcess(event: TestEvent): boolean {
  return event.nesting === 0 && groups.has(resolve(root, event.name));
}

/**
 * Every file has to report something. Tests are reported by the file that declares them, which a process of one file may
 * import; where that declares none, the process itself is reported.
 */
function heard(event: TestEvent): void {
  if (event.file === undefined) return;
  const group = isProcess(event) ? groups.get(resolve(root, event.name)) : undefined;
  if (group !== undefined) for (const file of group.files) silent.add(file);
  else silent.delete(relative(root, event.file));
}

/** Suites hold tests; neither they nor processes are tests themselves. */
function isContainer(event: TestEvent): boolean {
  return event.details.type === 'suite' || isProcess(event);
}

/** A suite is reported as failed when something in it is, which has been said by then. */
function onlyHoldsFailures(error: object): boolean {
  return 'failureType' in error && error.failureType === 'subtestsFailed';
}

/** Names a test's file and suites. Starts and ends are reported in the order of declaration. */
function place(event: TestEvent): string {
  const { file } = event;
  const known = file === undefined ? 'unknown file' : (groups.get(file)?.name ?? relative(root, file));
  return [known, ...path.slice(0, event.nesting)].join(' > ');
}

function conclude(): void {
  void compiled?.remove();
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  const complaints: string[] = [];
  if (failures.length > 0) complaints.push(`failed:\n  ${failures.join('\n  ')}`);
  if (totals.todo > 0) complaints.push(`${totals.todo} tests are marked as to do`);
  if (process.env.CI === 'true' && totals.skipped > 0) {
    complaints.push(`skipped, which CI=true does not allow:\n  ${skips.join('\n  ')}`);
  }
  const ran = totals.passed + totals.failed + totals.skipped;
  const floor = whole ? FLOORS[values.all ? 'all' : 'quick'] : 0;
  if (ran < floor) complaints.push(`only ${ran} tests were found, ${floor} is the floor (scripts/test.ts)`);
  if (silent.size > 0) complaints.push(`without a single test:\n  ${[...silent].join('\n  ')}`);
  // The spec reporter still writes its own summary when the events end.
  setImmediate(() => {
    if (skips.length > 0 && process.env.CI !== 'true') console.log(`\nskipped:\n  ${skips.join('\n  ')}`);
    console.log(
      `\n${totals.passed} passed, ${totals.failed} failed, ${totals.skipped} skipped, in ${files.length} files and ${seconds} s`,
    );
    for (const complaint of complaints) console.error(complaint);
    process.exitCode = complaints.length > 0 ? 1 : 0;
  });
}
