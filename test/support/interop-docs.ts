/** With PREFIXD_WRITE_DOCS=1 the interop suite writes down what it proved: docs/interop.md. */
import { mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { DaemonKind } from './daemons/daemon.ts';
import { ACTION_CASES, type ActionCase } from './interop-actions.ts';
import { FLOWSPEC } from './interop-rig.ts';

/** Results of one daemon's suite. */
export interface InteropReport {
  readonly kind: DaemonKind;
  /** Debian package. */
  readonly package: string;
  version: string;
  /** Names of the tests that passed, in order. */
  readonly proven: string[];
  /** Actions that were seen to be treated as `ACTION_CASES` says: `<family>: <name>`. */
  readonly actions: string[];
  /** Names of actions that the daemon shows as mere octets. */
  readonly opaque: string[];
}

const root = join(import.meta.dirname, '..', '..');
const parts = join(root, '.ci', 'out', 'interop');

/**
 * Keeps a report and writes the page from all reports there are. The suites run side by side; each writes its own part
 * first, so whichever is last sees them all.
 */
export function writeInteropReport(report: InteropReport): void {
  if (process.env.PREFIXD_WRITE_DOCS !== '1') return;
  mkdirSync(parts, { recursive: true });
  writeFileSync(join(parts, `${report.kind}.json`), JSON.stringify(report));
  const reports = readdirSync(parts)
    .filter((name) => name.endsWith('.json'))
    .sort()
    .map((name): InteropReport => {
      // A part that an earlier version left behind has no actions.
      return { actions: [], opaque: [], ...JSON.parse(readFileSync(join(parts, name), 'utf8')) };
    });
  const page = join(root, 'docs', 'interop.md');
  mkdirSync(join(root, 'docs'), { recursive: true });
  const draft = `${page}.${process.pid}`;
  writeFileSync(draft, pageOf(reports));
  renameSync(draft, page);
}

function pageOf(reports: readonly InteropReport[]): string {
  const rows = [...new Set(reports.flatMap((report) => report.proven))];
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  return [
    '# Interoperability',
    '',
    'The suite in `test/interop/` writes this page (`PREFIXD_WRITE_DOCS=1 npm test -- test/interop/*.test.ts`). Each row was read from',
    "the daemon's own table after prefixd announced, replaced or withdrew rules. A dash means: not applicable or not proven.",
    '',
    'GoBGP shows the received operators and widths, so its NLRI is compared octet for octet, too. FRR 8.4 and',
    'ExaBGP 4.2 do not keep FlowSpec rules while a peer restarts gracefully; ExaBGP sends no ROUTE-REFRESH, and checks the TTL',
    'only of connections that it accepts, but here it connects to prefixd.',
    '',
    '`test/interop/unicast.test.ts` announces diversions and blackholes, IPv4 and IPv6, to all four and reads next hop and communities from',
    'their tables; in a row of three routers, a route with NO_EXPORT stops at the border of the AS.',
    '`test/interop/redirects.test.ts` does so for GoBGP and ExaBGP with every redirect as each platform is told it; tshark reads the same.',
    '',
    'Both sides may connect: `test/interop/collisions.test.ts` restarts BIRD, FRR and GoBGP with either identifier higher and expects one',
    'session within 5 s each time; `npm run restarts` does so 200 times.',
    '',
    line(['', ...reports.map((report) => report.kind)]),
    line(['---', ...reports.map(() => '---')]),
    line(['version', ...reports.map((report) => report.version)]),
    line(['Debian package', ...reports.map((report) => `\`${report.package}\``)]),
    ...rows.map((row) =>
      line([row, ...reports.map((report) => (report.proven.includes(row) ? 'yes' : '-'))]),
    ),
    '',
    ...actionLines(reports, line),
  ].join('\n');
}

/** The table of actions, and below it in words what is not plain. */
function actionLines(
  reports: readonly InteropReport[],
  line: (cells: readonly string[]) => string,
): readonly string[] {
  const notes: string[] = [];
  const cell = (one: ActionCase, { kind, actions, opaque }: InteropReport): string => {
    const families = FLOWSPEC.filter((family) => one.only === undefined || one.only === family);
    if (!families.every((family) => actions.includes(`${family}: ${one.name}`))) return '-';
    const otherwise = one.otherwise?.[kind];
    if (otherwise === undefined) return opaque.includes(one.name) ? 'octets' : 'yes';
    if (otherwise.does === 'says') return 'in words';
    const note = `${kind} ${otherwise.note}.`;
    if (!notes.includes(note)) notes.push(note);
    return `${otherwise.does === 'resets' ? '**reset**' : 'no'} (${notes.indexOf(note) + 1})`;
  };
  const rows = ACTION_CASES.map((one) =>
    line([
      `${one.name}${one.only === undefined ? '' : `, ${one.only}`}`,
      `\`${one.octets}\`${one.nextHop === undefined ? '' : `, next hop \`${one.nextHop}\``}`,
      ...reports.map((report) => cell(one, report)),
    ]),
  );
  return [
    '## Actions',
    '',
    'One rule with each action, in both families unless one is named. `yes`: the daemon knows the action and shows every octet that',
    'was sent, or fields that contain every octet. `octets`: it keeps and shows the same octets, but as a community without a name',
    '(BIRD has no name for any action). `in words`: its text describes what was sent. `no`: the rule is in the table, but with',
    'something else than was sent. `reset`: the daemon closes the session. Known does not mean applied: no daemon forwards packets here.',
    '',
    line(['action', 'octets', ...reports.map((report) => report.kind)]),
    line(['---', '---', ...reports.map(() => '---')]),
    ...rows,
    '',
    ...notes.map((note, index) => `${index + 1}. ${note}`),
    ...(notes.length === 0 ? [] : ['']),
  ];
}
