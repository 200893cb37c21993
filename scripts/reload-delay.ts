/**
 * `npm run reload-delay -- [CUSTOMERS] [MITIGATIONS]`: reloads a large inventory (78,000 customers, 14 MB) while many
 * mitigations are active (5,000), and prints the longest time for which the event loop was held meanwhile. `--here` reads it
 * in the daemon's own thread, for comparison. On a busy machine the loop also waits for a processor: of that, only what the
 * thread itself computed in one turn is the daemon's own (Linux).
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { pino } from 'pino';
import { loadConfig } from '../src/config/load.ts';
import { loadConfigApart } from '../src/config/load-apart.ts';
import { startDaemon } from '../src/app/daemon.ts';
import type { Actor } from '../src/core/types.ts';
import { watchTurns } from '../test/support/processor-time.ts';

const args = process.argv.slice(2);
const here = args.includes('--here');
const [customers = 78_000, mitigations = 5000] = args.filter((arg) => arg !== '--here').map(Number);
const ACTOR: Actor = { kind: 'operator', name: 'reload-delay' };
/** Generous: the machine that measures may be busy. */
const PATIENCE_MS = 1_200_000;

const SETTINGS = `pop: lab
http: { listen: "127.0.0.1:0" }
bgp:
  mode: mock
  local_asn: 65010
  router_id: "192.0.2.10"
  neighbors: [${Array.from({ length: 8 }, (_, i) => `{ name: r${i}, address: "192.0.2.${20 + i}", peer_asn: 65001, max_rules: 10000 }`).join(', ')}]
quotas: { max_active_per_customer: unlimited, max_active_per_pop: unlimited, max_active_global: unlimited, max_new_per_minute: unlimited }
timers: { max_ttl_seconds: 86400 }
`;
const PLAYBOOKS =
  'playbooks: [{ name: udp, match: { vector: udp_flood }, steps: [{ action: police, rate_bps: 5000000 }] }]\n';

function networkOf(i: number): string {
  return `${20 + (i >> 16)}.${(i >> 8) & 255}.${i & 255}`;
}

function inventory(): string {
  const lines = ['customers:'];
  for (let i = 0; i < customers; i++) {
    const net = networkOf(i);
    lines.push(`  - customer_id: customer-${i}`, `    prefixes: ["${net}.0/24"]`, '    services:');
    lines.push('      - service_id: web', `        assets: [{ ip: "${net}.10" }]`);
    lines.push('        allowed_ports: { tcp: [80, 443] }');
  }
  return `${lines.join('\n')}\n`;
}

const folder = await mkdtemp(join(tmpdir(), 'prefixd-reload-delay-'));
try {
  const text = inventory();
  await writeFile(join(folder, 'prefixd.yaml'), SETTINGS);
  await writeFile(join(folder, 'inventory.yaml'), text);
  await writeFile(join(folder, 'playbooks.yaml'), PLAYBOOKS);
  const load = () =>
    here ? loadConfig(folder, {}) : loadConfigApart(folder, {}, { milliseconds: PATIENCE_MS });
  const delay = monitorEventLoopDelay({ resolution: 1 });
  const turns = watchTurns();
  let began = performance.now();
  const measured = (what: string): void => {
    const seconds = ((performance.now() - began) / 1000).toFixed(1);
    const [longest, p99] = [delay.max, delay.percentile(99)].map((ns) => (ns / 1e6).toFixed(1));
    const own = turns.longest().toFixed(1);
    console.log(
      `${what}: ${seconds} s; longest turn ${own} ms of computing; event loop late by at most ${longest} ms (99 %: ${p99} ms)`,
    );
    began = performance.now();
    delay.reset();
  };
  delay.enable();
  const first = await load();
  measured(`reading ${(text.length / 1e6).toFixed(1)} MB`);
  if (!first.ok) throw new Error(JSON.stringify(first.problems.slice(0, 3)));
  const daemon = await startDaemon({
    config: first.config,
    logger: pino({ level: 'silent' }),
    load: async () => {
      const result = await load();
      measured('reload, reading');
      return result;
    },
  });
  const answers = await Promise.all(
    Array.from({ length: mitigations }, (_, i) =>
      daemon.engine.submit({
        type: 'mitigate',
        actor: ACTOR,
        victim: `${networkOf(i)}.20`,
        protocol: 17,
        ports: [],
        action: { type: 'police', rateBps: 5_000_000 },
        ttlSeconds: 86_400,
        reason: 'measuring',
      }),
    ),
  );
  const made = answers.filter(({ type }) => type === 'mitigation').length;
  measured(`start, and ${made} mitigations`);
  const outcome = await daemon.reload(ACTOR, true);
  measured('reload, adopting');
  if (!outcome.ok) throw new Error(JSON.stringify(outcome));
  await daemon.stop();
} finally {
  await rm(folder, { recursive: true, force: true });
}
process.exit();
