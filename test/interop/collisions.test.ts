/** Both sides dial, and the daemon restarts (RFC 4271 §6.8). The long run is `npm run restarts`. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { missing } from '../support/daemons.ts';
import { BOTH_ACTIVE, ROUTER_IDS, restarts } from '../support/interop-restarts.ts';

const ROUNDS = 3;

describe('a daemon that restarts while both sides dial', { concurrency: true }, () => {
  for (const kind of BOTH_ACTIVE) {
    for (const higher of Object.keys(ROUTER_IDS) as readonly (keyof typeof ROUTER_IDS)[]) {
      it(`${kind}, with the higher identifier ${higher}: one session each time`, {
        skip: missing(kind),
      }, async () => {
        const { milliseconds, extraSessions, stories } = await restarts(kind, higher, ROUNDS);
        assert.equal(milliseconds.length, ROUNDS);
        assert.equal(extraSessions, 0, stories.join('\n\n'));
        assert.deepEqual(stories, [], `longer than 5 s: ${milliseconds.join(', ')} ms`);
      });
    }
  }
});
