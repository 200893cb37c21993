/**
 * `npm run assault -- [SECONDS] [--seed N]`: kills the compiled daemon under load and while it starts, lets its writes fail and
 * hang, restarts it gracefully, and damages journals; see scripts/assault/. After each of these nothing that was acknowledged may
 * be lost, and no rule may be in the router without a mitigation. Exits 1 with the seed and the first fault.
 */
import { parseArgs } from 'node:util';
import { COMPILED } from '../test/support/program.ts';
import { damages } from './assault/damage.ts';
import { gracefulRestarts } from './assault/graceful.ts';
import { House } from './assault/house.ts';
import { kills } from './assault/kills.ts';
import { COMBINATIONS, failingWrites } from './assault/writes.ts';
import { compile } from './compile.ts';
import { randomNumbers } from './fuzzing.ts';
import { secondsAndSeed } from './seeded-run.ts';

const DEFAULT_SECONDS = 60;

const { values, positionals } = parseArgs({ allowPositionals: true, options: { seed: { type: 'string' } } });
const { seconds, seed } = secondsAndSeed(positionals[0], values.seed, DEFAULT_SECONDS);
const random = randomNumbers(seed);
console.log(`assaulting for ${seconds} s, seed ${seed}`);

/** Returns the time at which a share of the run is over. */
const share = (part: number): number => performance.now() + part * seconds * 1000;

const compiled = await compile();
process.env[COMPILED] = compiled.main;
let house: House | undefined;
try {
  house = await House.open(random);
  const { ledger } = house;
  const { underLoad, duringStart } = await kills(house, random, share(0.4));
  console.log(
    `${underLoad} kills under load and ${duringStart} during start; ${ledger.counted()}, none lost`,
  );
  const count = await failingWrites(house, random, share(0.3));
  console.log(`${count} of ${COMBINATIONS.length} ways in which writes fail; ${ledger.counted()}, none lost`);
  const restarts = await gracefulRestarts(house, share(0.15));
  console.log(`${restarts} graceful restarts; no rule left the router`);
  const { cuts, flips, refused, warned } = await damages(random, share(0.15));
  console.log(
    `${cuts} cuts and ${flips} flipped bits: ${refused} refused, ${warned} read with a warning, none silently wrong`,
  );
} catch (error) {
  console.error(`seed ${seed}: ${error instanceof Error ? error.stack : String(error)}`);
  process.exitCode = 1;
} finally {
  await house?.close();
  await compiled.remove();
}
process.exit();
