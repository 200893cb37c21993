/** Writes the folder of `init` and says what to do next. */
import { randomBytes } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { PACKAGE } from '../config/default.ts';
import type { FirstConfiguration } from '../config/init/first-folder.ts';
import { firstConfiguration } from '../config/init/first-folder.ts';
import type { FirstAnswers } from '../config/init/first-folder.ts';
import { exampleAddress, peeringOf, SECRETS_FILE } from '../config/init/first-folder.ts';
import type { PlaybookFiles } from '../config/init/fit-playbooks.ts';
import { formatProblem } from '../config/problem.ts';
import { ROUTER_KINDS } from '../config/init/router-snippets.ts';
import { countWords } from '../net/text.ts';
import { CliError, Exit } from './context.ts';
import type { Context } from './context.ts';
import type { InitOptions } from './init-answers.ts';
import { readAnswers } from './init-answers.ts';
import { invocation } from './invocation.ts';
import { refuseExisting, writeNewFolder } from './new-folder.ts';
import { json, printable } from './render.ts';
import { shellWord } from './invocation.ts';

/** What must not be there: what is written, and a file that the daemon would read besides. */
const NAMES = ['prefixd.yaml', 'inventory.yaml', 'playbooks', 'playbooks.yaml', SECRETS_FILE];

/** Octets of a token's randomness. */
const TOKEN_OCTETS = 32;

/** Runs `init`: asks or reads the options, writes the folder, prints what to configure and what to run. */
export async function initFolder(context: Context, dir: string, options: InitOptions): Promise<void> {
  await refuseExisting(dir, NAMES);
  const answers = await readAnswers(context, options, storageFor(dir));
  refuseOneself(answers);
  const token = randomBytes(TOKEN_OCTETS).toString('base64url');
  const first = firstConfiguration(answers, await shippedPlaybooks(), token);
  if (first.problems.length > 0) {
    const why = first.problems.map((problem) => printable(formatProblem(problem))).join('\n  ');
    throw new CliError(Exit.InvalidInput, `nothing was written, because "check" would refuse it:\n  ${why}`);
  }
  await writeNewFolder(dir, inOrder(first.files));
  const report = reportOf(context, resolve(dir), answers, first);
  context.io.stdout.write(context.options.format === 'json' ? json(report) : reportText(report, first));
  for (const warning of first.warnings) {
    context.io.stderr.write(`warning: ${printable(formatProblem(warning))}\n`);
  }
}

/** Where the journal of a configuration in `dir` is kept: a service may write below /var/lib and not in /etc. */
export function storageFor(dir: string): string {
  return resolve(dir).startsWith('/etc/') ? '/var/lib/prefixd' : './data';
}

function refuseOneself({ routerId, neighbor }: FirstAnswers): void {
  const { address, localAddress, name } = neighbor;
  if (address !== localAddress && address !== routerId) return;
  throw new CliError(
    Exit.InvalidInput,
    `${address} is an address of prefixd itself; --address is that of ${name}`,
  );
}

async function shippedPlaybooks(): Promise<PlaybookFiles> {
  const folder = join(PACKAGE, 'playbooks');
  const names = (await readdir(folder)).filter((name) => name.endsWith('.yaml')).sort();
  return new Map(
    await Promise.all(names.map(async (name) => [name, await readFile(join(folder, name), 'utf8')] as const)),
  );
}

/** prefixd.yaml last: a folder without it is not taken for a configuration. */
function inOrder(files: ReadonlyMap<string, string>) {
  const rank = (name: string): number => (name === 'prefixd.yaml' ? 1 : 0);
  return [...files]
    .sort(([a], [b]) => rank(a) - rank(b))
    .map(([name, text]) => ({ name, text, mode: name === SECRETS_FILE ? 0o600 : 0o644 }));
}

interface Command {
  readonly command: string;
  /** What it does, for people. */
  readonly what: string;
}

/** What was done and what comes next. */
interface Report {
  readonly folder: string;
  readonly files: readonly string[];
  /** Steps of the shipped playbooks that this router cannot enforce. */
  readonly left_out: readonly string[];
  readonly router: {
    readonly name: string;
    readonly platform: string;
    readonly title: string;
    /** Whether we ran these lines; else they are from the vendor's documentation. */
    readonly tried: boolean;
    readonly configuration: string;
    readonly notes: readonly string[];
  };
  readonly next: readonly Command[];
}

function reportOf(
  context: Context,
  folder: string,
  answers: FirstAnswers,
  first: FirstConfiguration,
): Report {
  const { name, platform } = answers.neighbor;
  const { title, tried, configuration, notes } = ROUTER_KINDS[platform];
  return {
    folder,
    files: [...first.files.keys()],
    left_out: first.leftOut.map(({ step }) => step),
    router: { name, platform, title, tried, configuration: configuration(peeringOf(answers)), notes },
    next: nextCommands(invocation(context.io.env), folder, answers),
  };
}

function nextCommands(program: string, folder: string, answers: FirstAnswers): readonly Command[] {
  const at = shellWord(folder);
  const victim = exampleAddress(answers);
  const { name } = answers.neighbor;
  return [
    {
      command: `set -a; . ${shellWord(join(folder, SECRETS_FILE))}; set +a`,
      what: 'the token, in each terminal that runs prefixd',
    },
    { command: `${program} check --config ${at}`, what: 'finds every mistake' },
    { command: `${program} run --config ${at}`, what: 'runs until Ctrl-C' },
    { command: `${program} status`, what: `in another terminal: is the session with ${name} established?` },
    {
      command: `${program} events send --source test --victim ${victim} --vector udp_flood --bps 1gbps`,
      what: `a first report: it makes a real rule on ${name}, so name an address that can take it`,
    },
    { command: `${program} withdraw --victim ${victim} --reason test`, what: 'takes the rule away again' },
  ];
}

function reportText(report: Report, first: FirstConfiguration): string {
  const { folder, router, next, left_out: leftOut } = report;
  const playbooks = report.files.filter((file) => file.startsWith('playbooks/')).length;
  const lines = [
    `Wrote ${printable(folder)}:`,
    '  prefixd.yaml    how the daemon runs',
    '  inventory.yaml  who owns which addresses',
    `  playbooks/      what is done about which attack (${countWords(first.playbookCount, 'playbook')} in ${countWords(playbooks, 'file')})`,
    `  ${SECRETS_FILE.padEnd(14)}  the token of the API, for you alone (mode 0600)`,
    ...(leftOut.length === 0
      ? []
      : [
          '',
          `Left out of the playbooks, because ${router.name} (${router.platform}) cannot enforce them; a playbook begins with its`,
          'next step, and one without any is gone:',
        ]),
    ...leftOut.map((step) => `  ${step}`),
    '',
    `Configure on ${router.name} (${router.title}; ${router.tried ? 'tried by us' : 'from vendor documentation, untried'}):`,
    '',
    router.configuration,
    ...router.notes.map((note) => `  ${note}`),
    ...(router.notes.length === 0 ? [] : ['']),
    'Then:',
    '',
  ];
  const steps = next.map(({ command, what }) => `  # ${what}\n  ${command}`);
  return `${[...lines, ...steps].join('\n')}\n`;
}
