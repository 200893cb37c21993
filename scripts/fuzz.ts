/**
 * `npm run fuzz -- [SECONDS] [--seed N] [--target NAME]`: throws mutated input at the codecs of every
 * `scripts/fuzz-*.ts`. Exits 1 with the input when one throws what it should not, or takes too long. The same seed
 * gives the same inputs.
 */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { toHex } from '../src/net/bytes.ts';
import { type FuzzTarget, fuzz } from './fuzzing.ts';
import { secondsAndSeed } from './seeded-run.ts';

const DEFAULT_SECONDS = 10;

async function loadTargets(): Promise<readonly FuzzTarget[]> {
  const targets: FuzzTarget[] = [];
  for (const name of readdirSync(import.meta.dirname).sort()) {
    if (!/^fuzz-.*\.ts$/.test(name)) continue;
    const module: unknown = await import(join(import.meta.dirname, name));
    const found = (module as { readonly targets?: readonly FuzzTarget[] }).targets;
    if (found === undefined) throw new Error(`scripts/${name} exports no targets`);
    targets.push(...found);
  }
  return targets;
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { seed: { type: 'string' }, target: { type: 'string' } },
});
const { seconds, seed } = secondsAndSeed(positionals[0], values.seed, DEFAULT_SECONDS);
const all = await loadTargets();
const chosen = all.filter((target) => values.target === undefined || target.name === values.target);
if (chosen.length === 0) {
  console.error(`no target ${values.target}; there are ${all.map((target) => target.name).join(', ')}`);
  process.exit(2);
}

console.log(`fuzzing ${chosen.map((target) => target.name).join(', ')} for ${seconds} s, seed ${seed}`);
const outcome = fuzz(chosen, seconds, seed);
if ('why' in outcome) {
  console.error(`${outcome.target}, round ${outcome.round} of seed ${outcome.seed}:`);
  console.error(`  input ${toHex(outcome.input)}`);
  console.error(`  ${outcome.why}`);
  process.exitCode = 1;
} else {
  for (const [name, rounds] of outcome) console.log(`${name}: ${rounds} inputs, nothing found`);
}
