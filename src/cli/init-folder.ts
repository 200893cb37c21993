/** Writes the folder of `init` and prints the next steps. */
import { randomBytes } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { PACKAGE } from '../config/default.ts';
import type { FirstConfiguration } from '../config/init/first-folder.ts';
import { firstConfiguration } from '../config/init/first-folder.ts';
import type { FirstAnswers } from '../config/init/first-folder.ts';
import { exampleAddress, peeringOf, SECRETS_FILE } from '../config/init/first-folder.ts';
import type { ShippedPlaybooks } from '../config/init/fit-playbooks.ts';
import { formatProblem } from '../config/config-problem.ts';
import { ROUTER_KINDS } from '../config/init/router-snippets.ts';
import { countWords } from '../net/text.ts';
import { CliError, Exit } from './command-context.ts';
import type { CommandContext } from './command-context.ts';
import type { InitOptions } from './init-answers.ts';
import { readAnswers } from './init-answers.ts';
import { invocation } from './invocation.ts';
import { refuseExisting, writeNewFolder } from './new-folder.ts';
import { json, printable } from './tables.ts';
import { shellWord } from './invocation.ts';

/** Lists the names that must not exist yet: everything `init` writes, and `playbooks.yaml`, which the daemon would read, too. */
const NAMES = ['prefixd.yaml', 'inventory.yaml', 'playbooks', 'playbooks.yaml', SECRETS_FILE];

/** The random bytes in a token. */
const TOKEN_OCTETS = 32;

/** Runs `init`: collects the answers, writes the folder, prints the router's configuration and the next commands. */
export async function initFolder(context: CommandContext, dir: string, options: InitOptions): Promise<void> {
  await refuseExisting(dir, NAMES);
  const answers = await readAnswers(context, options, storageFor(dir));
  refuseOwnAddress(answers);
  const token = randomBytes(TOKEN_OCTETS).toString('base64url');
  const first = firstConfiguration(answers, await shippedPlaybooks(), token);
  if (first.problems.length > 0) {
    const why = first.problems.map((problem) => printable(formatProblem(problem))).join('\n  ');
    throw new CliError(
      Exit.InvalidInput,
      `nothing was written, because the configuration would be invalid:\n  ${why}`,
    );
  }
  await writeNewFolder(dir, inOrder(first.files));
  const report = reportOf(context, resolve(dir), answers, first);
  context.io.stdout.write(context.options.format === 'json' ? json(report) : reportText(report, first));
  for (const warning of first.warnings) {
    context.io.stderr.write(`warning: ${printable(formatProblem(warning))}\n`);
  }
}

/** Returns the journal's folder for a configuration in `dir`: a service may write below /var/lib, but not in /etc. */
export function storageFor(dir: string): string {
  return resolve(dir).startsWith('/etc/') ? '/var/lib/prefixd' : './data';
}

function refuseOwnAddress({ routerId, neighbor }: FirstAnswers): void {
  const { address, localAddress, name } = neighbor;
  if (address !== localAddress && address !== routerId) return;
  throw new CliError(
    Exit.InvalidInput,
    `${address} is an address of prefixd itself; --address must be an address of ${name}`,
  );
}

async function shippedPlaybooks(): Promise<ShippedPlaybooks> {
  const folder = join(PACKAGE, 'playbooks');
  const names = (await readdir(folder)).filter((name) => name.endsWith('.yaml')).sort();
  return new Map(
    await Promise.all(names.map(async (name) => [name, await readFile(join(folder, name), 'utf8')] as const)),
  );
}

/** Puts prefixd.yaml last: without it, an incomplete folder does not count as a configuration. */
function inOrder(files: ReadonlyMap<string, string>) {
  const rank = (name: string): number => (name === 'prefixd.yaml' ? 1 : 0);
  return [...files]
    .sort(([a], [b]) => rank(a) - rank(b))
    .map(([name, text]) => ({ name, text, mode: name === SECRETS_FILE ? 0o600 : 0o644 }));
}

interface NextCommand {
  readonly command: string;
  /** Describes the command for people. */
  readonly what: string;
}

/** Reports what was written and the next steps. */
interface InitReport {
  readonly folder: string;
  readonly files: readonly string[];
  /** Steps of the bundled playbooks that this router cannot enforce. */
  readonly left_out: readonly string[];
  readonly router: {
    readonly name: string;
    readonly platform: string;
    readonly title: string;
    /** True if prefixd was tested with these lines; false if they are from the vendor's documentation. */
    readonly tried: boolean;
    readonly configuration: string;
    readonly notes: readonly string[];
  };
  readonly next: readonly NextCommand[];
}

function reportOf(
  context: CommandContext,
  folder: string,
  answers: FirstAnswers,
  first: FirstConfiguration,
): InitReport {
  const { name, platform } = answers.neighbor;
  const { title, tried, configuration, notes } = ROUTER_KINDS[platform];
  return {
    folder,
    files: [...first.files.keys()],
    left_out: first.omitted.map(({ step }) => step),
    router: { name, platform, title, tried, configuration: configuration(peeringOf(answers)), notes },
    next: nextCommands(invocation(context.io.env), folder, answers),
  };
}

function nextCommands(program: string, folder: string, answers: FirstAnswers): readonly NextCommand[] {
  const at = shellWord(folder);
  const victim = exampleAddress(answers);
  const { name } = answers.neighbor;
  return [
    {
      command: `set -a; . ${shellWord(join(folder, SECRETS_FILE))}; set +a`,
      what: 'set the token, in each terminal that runs prefixd',
    },
    { command: `${program} check --config ${at}`, what: 'check the configuration' },
    { command: `${program} run --config ${at}`, what: 'run the daemon until Ctrl-C' },
    {
      command: `${program} status`,
      what: `in another terminal: check that the session with ${name} is established`,
    },
    {
      command: `${program} events send --source test --victim ${victim} --vector udp_flood --bps 1gbps`,
      what: `send a first report: this puts a real rule on ${name}, so choose an address where that does no harm`,
    },
    { command: `${program} withdraw --victim ${victim} --reason test`, what: 'withdraw the rule' },
  ];
}

function reportText(report: InitReport, first: FirstConfiguration): string {
  const { folder, router, next, left_out: omitted } = report;
  const playbooks = report.files.filter((file) => file.startsWith('playbooks/')).length;
  const lines = [
    `Wrote ${printable(folder)}:`,
    '  prefixd.yaml    the daemon: BGP sessions, API, guardrails',
    '  inventory.yaml  the customers and their prefixes',
    `  playbooks/      the response to each attack (${countWords(first.playbookCount, 'playbook')} in ${countWords(playbooks, 'file')})`,
    `  ${SECRETS_FILE.padEnd(14)}  the API token, readable only by you (mode 0600)`,
    ...(omitted.length === 0
      ? []
      : [
          '',
          `${router.name} (${router.platform}) cannot enforce these steps, so they were left out. A playbook starts with its next step;`,
          'a playbook with no step left was left out, too:',
        ]),
    ...omitted.map((step) => `  ${step}`),
    '',
    `Configure ${router.name} (${router.title}; ${router.tried ? 'tried with prefixd' : 'from vendor documentation, untried'}):`,
    '',
    router.configuration,
    ...router.notes.map((note) => `  ${note}`),
    ...(router.notes.length === 0 ? [] : ['']),
    'Then run:',
    '',
  ];
  const steps = next.map(({ command, what }) => `  # ${what}\n  ${command}`);
  return `${[...lines, ...steps].join('\n')}\n`;
}
