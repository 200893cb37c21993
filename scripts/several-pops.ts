/**
 * A walk through two POPs in five minutes (docs/several-pops.md): PostgreSQL, two daemons and two lab routers on this
 * machine, and the commands to try: `npm run several-pops`. It needs Debian's postgresql. With `--once` it ends after the
 * walk; otherwise it stays until Ctrl-C, for your own commands.
 */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { LabRouter } from '../src/lab/router.ts';
import { output, type Running, start, until } from '../test/support/children.ts';
import { PostgresProxy } from '../test/support/postgres-proxy.ts';
import { missingPostgres, startPostgres } from '../test/support/postgres-server.ts';
import { prefixdWords } from '../test/support/program.ts';

const POPS = [
  { name: 'ber', other: 'fra', port: 8081 },
  { name: 'fra', other: 'ber', port: 8082 },
] as const;

const INVENTORY = `customers:
  - customer_id: acme
    prefixes: ["203.0.113.0/24"]
`;

const PLAYBOOKS = `playbooks:
  - name: udp_flood
    match: { vector: udp_flood }
    steps: [{ action: police, rate_bps: 5000000, ttl_seconds: 600, scope: everywhere }]
  - name: icmp_flood
    match: { vector: icmp_flood }
    steps: [{ action: discard, ttl_seconds: 600 }]
`;

const missing = missingPostgres();
if (missing !== false) {
  console.error(missing);
  process.exit(2);
}

const folder = await mkdtemp(join(tmpdir(), 'several-pops-'));
const server = await startPostgres();
/** The way from POP fra to the database, which the walk cuts. */
const proxy = await PostgresProxy.start(server.socket);
const routers: LabRouter[] = [];
const daemons: Running[] = [];

function say(text: string): void {
  console.log(`\n# ${text}`);
}

async function startPop({ name, other, port }: (typeof POPS)[number]): Promise<void> {
  const router = new LabRouter({
    host: '127.0.0.1',
    port: 0,
    asn: 65001,
    routerId: '192.0.2.1',
    onChange: ({ kind, text }) => console.log(`  router of ${name}: ${kind} ${text}`),
  });
  routers.push(router);
  const at = await router.start();
  const config = join(folder, name);
  await mkdir(config);
  await writeFile(
    join(config, 'prefixd.yaml'),
    `pop: ${name}
http: { listen: "127.0.0.1:${port}" }
bgp:
  local_asn: 65010
  router_id: "192.0.2.10"
  neighbors: [{ name: edge, address: "${at.host}", port: ${at.port}, peer_asn: 65001 }]
exchange: { url_env: PREFIXD_DATABASE_URL, accept: [${other}] }
observability: { log_format: text, log_level: warn }
`,
  );
  await writeFile(join(config, 'inventory.yaml'), INVENTORY);
  await writeFile(join(config, 'playbooks.yaml'), PLAYBOOKS);
  const [program, ...words] = prefixdWords();
  const url = name === 'fra' ? server.url(proxy.at) : server.url();
  const env = { PREFIXD_DATABASE_URL: url };
  daemons.push(start(program, [...words, 'run', '--config', config], { env }));
  await until(`POP ${name} is ready`, async () => {
    const health = await fetch(`http://127.0.0.1:${port}/v1/health/detail`).then((answer) => answer.json());
    return Object(health).status === 'ok';
  });
}

/** Runs a command at a POP, and prints it with its output. */
async function prefixd(pop: string, ...args: readonly string[]): Promise<string> {
  const port = POPS.find(({ name }) => name === pop)?.port ?? 0;
  const shown = args.map((word) => (/\s/.test(word) ? `"${word}"` : word)).join(' ');
  console.log(`\n$ prefixd ${shown} --api http://127.0.0.1:${port}`);
  const [program, ...words] = prefixdWords();
  const environment = `PREFIXD_API=http://127.0.0.1:${port}`;
  // A command that some POP has not confirmed fails: its output is in the error, after the command and what it said.
  const text = await output('env', [environment, program, ...words, ...args]).catch((error: Error) =>
    error.message.split('\n').slice(2).join('\n').trim(),
  );
  console.log(text.trimEnd());
  return text;
}

async function report(pop: string, victim: string, vector: string): Promise<void> {
  const port = POPS.find(({ name }) => name === pop)?.port ?? 0;
  console.log(
    `\n$ curl http://127.0.0.1:${port}/v1/events -d '{"source":"test","victim_ip":"${victim}","vector":"${vector}"}'`,
  );
  const answer = await fetch(`http://127.0.0.1:${port}/v1/events`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ source: 'test', victim_ip: victim, vector, confidence: 0.9 }),
  });
  console.log(`${answer.status} ${String(Object(await answer.json()).status)}`);
}

const rulesAt = (index: number): number => routers[index]?.rules().length ?? 0;

async function walk(): Promise<void> {
  say('Two POPs, one database. LAG says how far each is behind.');
  await until('both POPs know each other', async () => {
    const pops = await fetch('http://127.0.0.1:8081/v1/pops').then((answer) => answer.json());
    return Object(pops).pops?.every(({ state }: { state: string }) => state === 'up');
  });
  await prefixd('ber', 'pops');

  say('A report at ber. The playbook says scope: everywhere, so both routers get the rule.');
  await report('ber', '203.0.113.10', 'udp_flood');
  await until('both routers have it', () => rulesAt(0) === 1 && rulesAt(1) === 1);
  await prefixd('fra', 'mitigations', '--active');

  say('A report at fra whose playbook has no scope stays there; ber lists it with --pop all.');
  await report('fra', '203.0.113.11', 'icmp_flood');
  await until('fra has it', () => rulesAt(1) === 2);
  await until('ber knows of it', async () => {
    const list = await fetch('http://127.0.0.1:8081/v1/mitigations?pop=all').then((answer) => answer.json());
    return Object(list).elsewhere?.length === 1;
  });
  await prefixd('ber', 'mitigations', '--active', '--pop', 'all');

  say('fra is cut off from the database. It goes on alone, and says so.');
  proxy.mode = 'silent';
  await until('fra notices', async () => {
    const health = await fetch('http://127.0.0.1:8082/v1/health/detail').then((answer) => answer.json());
    return Object(health).status === 'degraded';
  });
  await prefixd('fra', 'status');

  say(
    'A safelist entry for all POPs: ber withdraws at once, and the command names the POP that has not confirmed.',
  );
  await prefixd(
    'ber',
    'safelist',
    'add',
    '203.0.113.10/32',
    '--pop',
    'all',
    '--reason',
    'resolver',
    '--operator',
    'kim',
  );

  say('fra is back: it does what it was asked, and ber sees it.');
  proxy.mode = 'pass';
  await until('fra withdraws it', () => rulesAt(1) === 1);
  await until('it is confirmed', async () => {
    const pops = await fetch('http://127.0.0.1:8081/v1/pops').then((answer) => answer.json());
    return Object(pops).requests?.length === 0;
  });
  await prefixd('ber', 'pops');
}

try {
  for (const pop of POPS) await startPop(pop);
  await walk();
  if (!process.argv.includes('--once')) {
    say('Both POPs stay up for your own commands; Ctrl-C ends everything.');
    await new Promise<void>((resolve) => process.once('SIGINT', () => resolve()));
  }
} finally {
  for (const daemon of daemons) await daemon.stop();
  for (const router of routers) await router.close();
  await proxy.close();
  await server.remove();
  await rm(folder, { recursive: true, force: true });
}
