/**
 * `npm run soak -- [SECONDS] [--seed N] [--journal]`: eight routers, rules coming and going, sessions cut at random; see
 * scripts/soak/soak.ts. Exits 1 with the seed, the step and the differences. The same seed gives the same steps; how they
 * fall in time is up to the machine. `--journal` keeps the facts in a journal on disk instead of in memory.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { Journal } from '../src/store/journal/journal.ts';
import { MemoryStore } from '../src/store/memory.ts';
import { randomNumbers } from './fuzzing.ts';
import { secondsAndSeed } from './seeded-run.ts';
import { soak } from './soak/soak.ts';

const DEFAULT_SECONDS = 60;

function counted(counts: ReadonlyMap<string, number>): string {
  return [...counts]
    .sort()
    .map(([what, count]) => `${what} ${count}`)
    .join(', ');
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { seed: { type: 'string' }, journal: { type: 'boolean', default: false } },
});
const { seconds, seed } = secondsAndSeed(positionals[0], values.seed, DEFAULT_SECONDS);
const folder = values.journal ? await mkdtemp(join(tmpdir(), 'prefixd-soak-')) : undefined;
console.log(`soaking for ${seconds} s, seed ${seed}${values.journal ? ', with a journal on disk' : ''}`);
try {
  const store = folder === undefined ? new MemoryStore() : new Journal({ folder });
  const report = await soak({ seconds, random: randomNumbers(seed), store });
  console.log(`${report.steps} steps: ${counted(report.kinds)}`);
  console.log(`facts: ${counted(report.facts)}`);
  console.log(
    `${report.restarts} restarts of prefixd; ${report.quietPoints} quiet points, ${report.rulesCompared} rules compared (${report.unicastCompared} of them unicast routes), none missing, none too many`,
  );
} catch (error) {
  console.error(`seed ${seed}: ${error instanceof Error ? error.stack : String(error)}`);
  process.exitCode = 1;
} finally {
  if (folder !== undefined) await rm(folder, { recursive: true, force: true });
}
// A daemon that was killed inside this process leaves sockets behind that its kernel would have taken away.
process.exit();
