/** Turns a page of README or docs into a script that runs its commands on a machine (doc-machine.ts). */
import { type Block, blocksOf, commandsOf, fileOf, place } from './doc-blocks.ts';
import type { Machine } from './doc-machine.ts';

/** Pages about the program in a clone, with nothing installed, in reading order. */
export const CLONE_PAGES = [
  'README.md',
  'docs/getting-started.md',
  'docs/notation.md',
  'docs/captures.md',
] as const;

/** Pages about the service: the first installs it, and the others run after it. */
export const SERVICE_PAGES = [
  'docs/install.md',
  'docs/detectors.md',
  'docs/monitoring.md',
  'docs/quotas.md',
  'docs/runbook.md',
  'docs/sign-in.md',
  'docs/migrating.md',
] as const;

/** Setup before a chapter's commands, and cleanup after them, with the page's own addresses and paths. */
interface Scene {
  readonly before: string;
  readonly after?: string;
}

const ATTACK = 'prefixd events send --victim 203.0.113.10 --vector udp_flood --source test --confidence 0.9';

/** A configuration of upstream prefixd. */
const UPSTREAM = `pop: iad1
http: { listen: "127.0.0.1:8080", auth: { mode: none } }
bgp: { mode: sidecar, gobgp_grpc: "gobgp:50051", local_asn: 65010, router_id: "10.10.0.10", neighbors: [] }
storage: { driver: postgres, path: "postgres://prefixd:secret@db/prefixd" }
`;

const SCENES: Readonly<Record<string, Scene>> = {
  'docs/runbook.md: A rule does not take effect': { before: ATTACK },
  'docs/runbook.md: What happened to a mitigation': { before: ATTACK },
  'docs/runbook.md: A false positive': {
    before: ATTACK,
    after: 'prefixd safelist remove 203.0.113.10/32',
  },
  'docs/runbook.md: The journal is damaged': {
    before: [
      'systemctl stop prefixd.service',
      'cp -a /var/lib/prefixd /var/lib/good',
      'sed -i "2s/{/[/" /var/lib/prefixd/journal-*1.jsonl',
    ].join('\n'),
    after: 'rm -r /var/lib/prefixd; mv /var/lib/good /var/lib/prefixd; systemctl start prefixd.service',
  },
  'docs/runbook.md: It is paused': { before: 'prefixd pause --reason "a test"' },
  'docs/migrating.md: Coming from the Rust prefixd': {
    before: [
      'mkdir -p configs; cp /etc/prefixd/inventory.yaml configs/; cp playbooks/udp-flood.yaml configs/playbooks.yaml',
      `cat >configs/prefixd.yaml <<'END'\n${UPSTREAM}END`,
    ].join('\n'),
  },
  'docs/migrating.md: Backup and restore': { before: 'mkdir -p /backup' },
  'docs/captures.md: Reading captures': {
    before: 'cp fixtures/captures/bird-both-active.pcap session.pcap',
  },
};

/**
 * Pages whose YAML is written to the file that it names. On others it is a part of one, which snippets.test.ts checks.
 */
const WRITES: ReadonlySet<string> = new Set(['README.md', 'docs/install.md', 'docs/monitoring.md']);

/** An id, or the prefix of one as tables show it. */
const ID = /\b[0-9a-f]{8}(?:(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})?\b/g;

/** Returns true for a block with commands to run. */
export function isRun(block: Block): boolean {
  return block.notRun === undefined && /^(sh)?$/.test(block.language) && commandsOf(block) !== '';
}

/** Returns a page's script: scenes, files and commands in the page's order. */
export function pageScript(page: string, machine: Machine): string {
  const parts: string[] = [];
  for (const block of blocksOf(page)) {
    if (block.language === 'yaml') parts.push(...fileScript(block, machine));
    if (!isRun(block)) continue;
    const scene = SCENES[`${page}: ${block.heading}`];
    if (scene !== undefined) parts.push(machine.moved(scene.before));
    parts.push(commandScript(block, machine));
    if (scene?.after !== undefined) parts.push(machine.moved(scene.after));
  }
  return parts.join('\n');
}

/**
 * Returns a block's commands, with the machine's paths. Programs in a terminal's foreground run in the background here.
 */
function commandScript(block: Block, machine: Machine): string {
  const commands = machine
    .moved(commandsOf(block))
    .replaceAll(ID, '$(an_id)')
    .replaceAll(/^( *)curl /gm, '$1curl --silent --show-error --fail-with-body ')
    .replaceAll(/(?<=^|&& )(npm start|prefixd run)/gm, 'foreground $1');
  const head = `printf '\\n== ${place(block)}\\n'; cd '${machine.clone}'`;
  if (block.fails === undefined) return `${head}\n${commands}`;
  return `${head}\nif (\n${commands}); then echo 'this was to fail: ${block.fails}' >&2; exit 1; fi`;
}

/** Writes a file, unless the service already has it. */
function fileScript(block: Block, machine: Machine): readonly string[] {
  const { path } = fileOf(block);
  const isPart = block.page === 'docs/monitoring.md' && path.endsWith('/prefixd/prefixd.yaml');
  if (!WRITES.has(block.page) || isPart) return [];
  const target = machine.moved(path.startsWith('/') ? path : `${machine.clone}/${path}`);
  return [
    `mkdir -p "$(dirname '${target}')"; cat >'${target}' <<'END OF FILE'\n${machine.moved(block.text)}END OF FILE`,
  ];
}
