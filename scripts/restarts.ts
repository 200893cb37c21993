/**
 * `npm run restarts -- [ROUNDS] [DAEMON...]`: bird, frr and gobgp (or those named) restart that many times (200) while both
 * sides dial, once with either side's identifier higher. Exits 1 when a session took longer than 5 s to be established or
 * came up more than once. The daemons must be installed: Debian packages bird2, frr, gobgpd.
 */
import { BOTH_ACTIVE, ROUTER_IDS, type Restarts, restarts } from '../test/support/interop-restarts.ts';

const [first, ...rest] = process.argv.slice(2);
const rounds = first === undefined ? 200 : Number(first);
const kinds = rest.length === 0 ? BOTH_ACTIVE : BOTH_ACTIVE.filter((kind) => rest.includes(kind));
if (!Number.isInteger(rounds) || rounds < 1 || kinds.length === 0) {
  console.error(`usage: npm run restarts -- [ROUNDS] [${BOTH_ACTIVE.join('|')}...]`);
  process.exit(2);
}

function report(name: string, { milliseconds, extraSessions, stories }: Restarts): void {
  const sorted = [...milliseconds].sort((a, b) => a - b);
  const at = (share: number): string =>
    (sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0).toFixed(0);
  const late = milliseconds.filter((one) => one > 5000).length;
  console.log(
    `${name}: ${rounds} restarts, established after ${at(0.5)} ms (median), ${at(0.95)} ms (95 %), ${at(1)} ms (longest); ${late} later than 5 s, ${extraSessions} extra sessions`,
  );
  for (const story of stories) console.log(story);
  if (late > 0 || extraSessions > 0) process.exitCode = 1;
}

for (const kind of kinds) {
  const both = Object.keys(ROUTER_IDS) as readonly (keyof typeof ROUTER_IDS)[];
  await Promise.all(
    both.map(async (higher) =>
      report(`${kind}, identifier higher ${higher}`, await restarts(kind, higher, rounds)),
    ),
  );
}
process.exit();
