/** The daemon is killed under load, and while it starts; after each start it must know all that it acknowledged. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Random } from '../fuzzing.ts';
import type { House } from './house.ts';

export interface Kills {
  readonly underLoad: number;
  readonly duringStart: number;
}

export async function kills(house: House, random: Random, until: number): Promise<Kills> {
  const { prefixd, load } = house;
  const done = { underLoad: 0, duringStart: 0 };
  do {
    load.start();
    await load.answered(1 + random(400));
    await prefixd.kill('SIGKILL');
    await load.stop();
    done.underLoad++;
    for (let more = random(3); more > 0; more--) {
      const starting = prefixd.begin();
      // From before the lock to after the first session.
      await sleep(50 + random(1200));
      if (starting.ended) throw new Error(`the daemon ended by itself: ${starting.log()}`);
      await prefixd.kill('SIGKILL');
      done.duringStart++;
    }
    await prefixd.run();
    await house.judge();
  } while (performance.now() < until);
  return done;
}
