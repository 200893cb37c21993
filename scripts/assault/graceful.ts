/** The daemon restarts at rest, politely and not: no rule leaves the router, and none stays that it does not announce again. */
import type { House } from './house.ts';

export async function gracefulRestarts(house: House, until: number): Promise<number> {
  const { prefixd, departures } = house;
  await house.judge();
  let count = 0;
  do {
    departures.length = 0;
    await prefixd.kill(count % 2 === 0 ? 'SIGTERM' : 'SIGKILL');
    await prefixd.run();
    await house.judge();
    if (departures.length > 0) throw new Error(`left the router during a restart: ${departures.join('; ')}`);
    count++;
  } while (performance.now() < until);
  return count;
}
