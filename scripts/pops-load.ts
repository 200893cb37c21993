/**
 * Loads the exchange of many POPs in one process: mitigations for all POPs at a rate, and how long each takes until another
 * POP has it: `node --import tsx scripts/pops-load.ts [POPS] [INTENTS_PER_SECOND] [SECONDS]`.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { startPostgres } from '../test/support/postgres-server.ts';
import { TestPop } from '../test/exchange/support.ts';

const [pops = 20, rate = 50, seconds = 60] = process.argv.slice(2).map(Number);

const server = await startPostgres(['max_connections = 100']);
const names = Array.from({ length: pops }, (_, i) => `pop${i}`);
const ages: number[] = [];
const started: TestPop[] = [];
const UNLIMITED = Number.POSITIVE_INFINITY;
try {
  for (const name of names) {
    started.push(
      await TestPop.start({
        name,
        url: server.url(),
        accept: names.filter((one) => one !== name),
        policy: {
          quotas: {
            maxActivePerCustomer: UNLIMITED,
            maxActivePerPop: UNLIMITED,
            maxActiveGlobal: UNLIMITED,
            maxNewPerMinute: UNLIMITED,
          },
          timers: {
            defaultTtlSeconds: 20,
            minTtlSeconds: 1,
            maxTtlSeconds: 1800,
            correlationWindowSeconds: 300,
            maxHoldSeconds: 7200,
            holdDownSeconds: 0,
          },
          exchange: { accept: names.filter((one) => one !== name), maxImportedPerPop: UNLIMITED },
        },
        onImported: (ageMs) => ages.push(ageMs),
      }),
    );
  }
  for (const pop of started) await pop.connected();
  // Every POP must know every other before the first intent is measured.
  await sleep(3_000);
  ages.length = 0;
  const from = performance.now();
  const before = process.cpuUsage();
  let made = 0;
  while (performance.now() - from < seconds * 1_000) {
    const due = Math.floor(((performance.now() - from) / 1_000) * rate);
    for (; made < due; made++) {
      void started[made % pops]?.mitigate(`203.0.113.${made % 250}`, ['*'], 20).catch(() => undefined);
    }
    await sleep(10);
  }
  await sleep(2_000);
  const sorted = ages.sort((a, b) => a - b);
  const at = (share: number) =>
    (sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0).toFixed(1);
  const { user, system } = process.cpuUsage(before);
  const busy = ((user + system) / 1000 / (performance.now() - from)) * 100;
  console.log(
    `${pops} POPs, ${rate} intents/s in all for ${seconds} s: ${made} intents, ${sorted.length} imports of ${made * (pops - 1)}; ` +
      `publication to import p50 ${at(0.5)} ms, p99 ${at(0.99)} ms, max ${at(1)} ms; this process used ${busy.toFixed(0)} % of a core`,
  );
} finally {
  await Promise.all(started.map((pop) => pop.stop()));
  await server.remove();
}
