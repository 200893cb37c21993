/**
 * Runs random schedules of cuts, crashes and restarts of five POPs that share one PostgreSQL, and compares what each POP
 * holds 3 s after the healing with a model: `node --import tsx scripts/pops-chaos.ts [SCHEDULES] [--seed N] [--jobs N]`.
 */
import { parseArgs } from 'node:util';
import { startPostgres } from '../test/support/postgres-server.ts';
import { randomNumbers } from './fuzzing.ts';
import { type Outcome, Schedule } from './pops/schedule.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { seed: { type: 'string' }, jobs: { type: 'string', default: '4' } },
});
const count = Number(positionals[0] ?? 10);
const firstSeed = Number(values.seed ?? Date.now() % 2 ** 31);
const jobs = Math.max(1, Math.min(Number(values.jobs), count));

console.log(`${count} schedules from seed ${firstSeed}, ${jobs} at a time`);
const waiting = Array.from({ length: count }, (_, i) => firstSeed + i);
const failed: Outcome[] = [];
let done = 0;
const compared = { must: 0, mustNot: 0 };

async function work(): Promise<void> {
  const server = await startPostgres();
  try {
    for (let seed = waiting.shift(); seed !== undefined; seed = waiting.shift()) {
      const random = randomNumbers(seed);
      const outcome = await new Schedule(server, seed, () => random(1e9) / 1e9).run();
      done++;
      compared.must += outcome.compared.must;
      compared.mustNot += outcome.compared.mustNot;
      if (outcome.problems.length > 0) {
        failed.push(outcome);
        console.log(`seed ${seed}:`);
        for (const line of [...outcome.problems, ...outcome.steps]) console.log(`  ${line}`);
      }
      if (done % 20 === 0) console.log(`${done} of ${count} done, ${failed.length} failed`);
    }
  } finally {
    await server.remove();
  }
}

await Promise.all(Array.from({ length: jobs }, () => work()));
console.log(
  `${done} schedules, ${failed.length} with differences; ${compared.must} rules had to be there, ${compared.mustNot} had not`,
);
process.exitCode = failed.length === 0 ? 0 : 1;
