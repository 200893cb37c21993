/**
 * `npm test [-- FILE...]`: runs the tests and says how many there were.
 *
 * A run that finds nothing must not look like a success, so a whole run fails below a floor, and where CI=true a
 * skipped test is a failure: there every daemon is installed.
 */
import { readdirSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join, relative } from 'node:path';
import { run } from 'node:test';
import { spec } from 'node:test/reporters';

/** A whole run with fewer tests than this has lost some. Raise it as tests are added. */
const FLOOR = 3100;

/** A file that takes longer hangs. */
const FILE_TIMEOUT_MS = 300_000;

const root = join(import.meta.dirname, '..');
const asked = process.argv.slice(2);
const files = asked.length > 0 ? asked : slowestFirst(findTests());
if (files.length === 0) {
  console.error('no test files (test/**/*.test.ts) were found');
  process.exit(1);
}

const totals = { passed: 0, failed: 0, skipped: 0, todo: 0 };
const skips: string[] = [];
const failures: string[] = [];
const empty: string[] = [];
const started = performance.now();

// Suites with real daemons mostly wait, so more files run at once than there are processors. The children inherit
// this process's `--import tsx`.
const path: string[] = [];
const events = run({ files, concurrency: Math.max(4, 2 * availableParallelism()), timeout: FILE_TIMEOUT_MS });
events.on('test:start', (event) => {
  path.splice(event.nesting, path.length, event.name);
});
events.on('test:pass', (event) => {
  if (isEmptyFile(event)) empty.push(event.name);
  // A suite that is skipped as a whole reports none of its tests: it counts as one.
  if (isContainer(event) && event.skip === undefined) return;
  if (event.skip !== undefined) {
    totals.skipped++;
    skips.push(`${place(event)} > ${event.name}${typeof event.skip === 'string' ? ` (${event.skip})` : ''}`);
  } else if (event.todo !== undefined) totals.todo++;
  else totals.passed++;
});
events.on('test:fail', (event) => {
  if (event.todo !== undefined) totals.todo++;
  else {
    if (!onlyHoldsFailures(event.details.error)) failures.push(`${place(event)} > ${event.name}`);
    if (!isContainer(event)) totals.failed++;
  }
});
events.on('end', conclude);
events.compose(new spec()).pipe(process.stdout);

interface TestEvent {
  readonly name: string;
  readonly nesting: number;
  readonly file?: string | undefined;
  readonly details: { readonly type?: string | undefined };
}

/** A file that declares no test is reported as a test that is named after it. */
function isEmptyFile(event: TestEvent): boolean {
  return event.nesting === 0 && event.name.endsWith('.test.ts');
}

/** Suites hold tests; neither they nor files are tests themselves. */
function isContainer(event: TestEvent): boolean {
  return event.details.type === 'suite' || isEmptyFile(event);
}

/** A suite is reported as failed when something in it is, which has been said by then. */
function onlyHoldsFailures(error: object): boolean {
  return 'failureType' in error && error.failureType === 'subtestsFailed';
}

/** Where a test stands: its file and the suites around it. Starts and ends are reported in the order of declaration. */
function place(event: TestEvent): string {
  const file = event.file === undefined ? 'unknown file' : relative(root, event.file);
  return [file, ...path.slice(0, event.nesting)].join(' > ');
}

function conclude(): void {
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  const complaints: string[] = [];
  if (failures.length > 0) complaints.push(`failed:\n  ${failures.join('\n  ')}`);
  if (totals.todo > 0) complaints.push(`${totals.todo} tests are marked as to do`);
  if (process.env.CI === 'true' && totals.skipped > 0) {
    complaints.push(`skipped, which CI=true does not allow:\n  ${skips.join('\n  ')}`);
  }
  const ran = totals.passed + totals.failed + totals.skipped;
  if (asked.length === 0 && ran < FLOOR) {
    complaints.push(`only ${ran} tests were found, ${FLOOR} is the floor (scripts/test.ts)`);
  }
  if (empty.length > 0) complaints.push(`without a single test:\n  ${empty.join('\n  ')}`);
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

function findTests(): string[] {
  return readdirSync(join(root, 'test'), { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.test.ts'))
    .map((path) => join(root, 'test', path))
    .sort();
}

/** Files that start daemons first, so that none of them is left to run alone at the end. */
function slowestFirst(paths: readonly string[]): string[] {
  const slow = (path: string): boolean => /\/test\/(?:interop|e2e)\//.test(path);
  return [...paths.filter(slow), ...paths.filter((path) => !slow(path))];
}
