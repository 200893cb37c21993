/** Both sides dial, and the daemon restarts (RFC 4271 §6.8). The long run is `npm run restarts`. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { missing } from '../support/daemons.ts';
import { BOTH_ACTIVE, ROUTER_IDS, restarts } from '../support/interop-restarts.ts';

const ROUNDS = 3;

/**
 * Two connections that both close cost a damped wait of 30 s (see fsm/endings.ts), which is what this looks for. The
 * 5 s of the long run are for a machine at rest; here other suites with daemons of their own run beside.
 */
const BELOW_THE_DAMPED_WAIT_MS = 20_000;

describe('a daemon that restarts while both sides dial', { concurrency: true }, () => {
  for (const kind of BOTH_ACTIVE) {
    for (const higher of Object.keys(ROUTER_IDS) as readonly (keyof typeof ROUTER_IDS)[]) {
      it(`${kind}, with the higher identifier ${higher}: one session each time`, {
        skip: missing(kind),
      }, async () => {
        const { milliseconds, extraSessions, stories } = await restarts(kind, higher, ROUNDS);
        assert.equal(milliseconds.length, ROUNDS);
        assert.equal(extraSessions, 0, stories.join('\n\n'));
        const late = milliseconds.filter((one) => one >= BELOW_THE_DAMPED_WAIT_MS);
        assert.deepEqual(late, [], stories.join('\n\n'));
      });
    }
  }
});
