/**
 * Writes that fail, are cut short or hang under load, by a shim that is loaded into the daemon. Nothing that was acknowledged
 * may be lost: not when the disk recovers, and not when the daemon is killed while it fails.
 */
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { errorText } from '../../src/net/text.ts';
import { until as eventually } from '../../test/support/children.ts';
import type { Random } from '../fuzzing.ts';
import type { House } from './house.ts';
import type { Load } from './load.ts';

/** Calls of a file that the store writes with, and what becomes of them; see failing-writes.mjs. */
const FAILURES = ['EIO', 'ENOSPC', 'EDQUOT', 'short', 'hang'] as const;
const CALLS = ['write', 'datasync', 'any'] as const;
const ENDS = ['recovers', 'killed'] as const;

export const COMBINATIONS = CALLS.flatMap((call) =>
  FAILURES.filter((failure) => failure !== 'short' || call === 'write').flatMap((failure) =>
    ENDS.map((end) => ({ call, failure, end })),
  ),
);

/** So that it is certain that the shim does its work. */
async function refusesEvents(load: Load): Promise<void> {
  const answer = await load.report();
  if (answer?.status !== 503)
    throw new Error(`an event got ${answer?.status} ${JSON.stringify(answer?.body)}, not 503`);
}

/** Goes through the combinations in a random order, at least one; returns how many. */
export async function failingWrites(house: House, random: Random, until: number): Promise<number> {
  const { prefixd, load } = house;
  const control = join(prefixd.folder, 'failing-writes');
  const shim = new URL('failing-writes.mjs', import.meta.url).href;
  const environment = { NODE_OPTIONS: `--import=${shim}`, PREFIXD_FAILING_WRITES: control };
  const waiting = [...COMBINATIONS];
  let count = 0;
  await prefixd.kill('SIGKILL');
  await prefixd.run(environment);
  do {
    const [combination] = waiting.splice(random(waiting.length), 1);
    if (combination === undefined) break;
    const { call, failure, end } = combination;
    const name = `${call} ${failure}, then ${end}`;
    try {
      load.start();
      await load.answered(1 + random(100));
      await writeFile(control, `${call} ${failure}`);
      await sleep(300 + random(500));
      if (call !== 'datasync' && failure !== 'hang') await refusesEvents(load);
      if (end === 'killed') {
        await prefixd.kill('SIGKILL');
        await rm(control);
        await load.stop();
        await prefixd.run(environment);
      } else {
        await rm(control);
        await load.stop();
        await eventually('events are accepted again', async () => (await load.report())?.status === 202);
      }
      await house.judge();
    } catch (error) {
      throw new Error(`${name}: ${errorText(error)}`);
    }
    count++;
  } while (performance.now() < until);
  await prefixd.kill('SIGKILL');
  await prefixd.run();
  await house.judge();
  return count;
}
