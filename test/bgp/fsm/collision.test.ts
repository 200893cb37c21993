import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { collisionLoser } from '../../../src/bgp/fsm/collision.ts';

const LOW = 0x0a000001;
const HIGH = 0xc0000201;

function parties(localIdentifier: number, peerIdentifier: number, localAsn = 65010, peerAsn = 65001) {
  return { localIdentifier, peerIdentifier, localAsn, peerAsn };
}

describe('connection collision (RFC 4271 §6.8)', () => {
  const confirm = (initiator: 'local' | 'peer') =>
    ({ initiator, state: 'openconfirm', gracefulRestart: false }) as const;

  it('keeps the connection that the side with the higher BGP Identifier opened', () => {
    assert.equal(collisionLoser(parties(LOW, HIGH), confirm('local'), 'peer'), 'existing');
    assert.equal(collisionLoser(parties(HIGH, LOW), confirm('local'), 'peer'), 'arriving');
    assert.equal(collisionLoser(parties(LOW, HIGH), confirm('peer'), 'local'), 'arriving');
    assert.equal(collisionLoser(parties(HIGH, LOW), confirm('peer'), 'local'), 'existing');
  });

  it('compares identifiers as unsigned numbers', () => {
    assert.equal(collisionLoser(parties(0x7fffffff, 0x80000000), confirm('local'), 'peer'), 'existing');
  });

  it('with equal identifiers keeps the one of the larger AS number (RFC 6286 §2.3)', () => {
    assert.equal(collisionLoser(parties(HIGH, HIGH, 65010, 65001), confirm('local'), 'peer'), 'arriving');
    assert.equal(collisionLoser(parties(HIGH, HIGH, 65001, 65010), confirm('local'), 'peer'), 'existing');
  });

  it('both sides come to the same end', () => {
    for (const [a, b] of [
      [LOW, HIGH],
      [HIGH, LOW],
      [HIGH, HIGH],
    ] as const) {
      // Two connections, x opened by A and y opened by B; on both sides x stands in OpenConfirm when y's OPEN arrives.
      const atA = collisionLoser(parties(a, b, 65010, 65001), confirm('local'), 'peer');
      const atB = collisionLoser(parties(b, a, 65001, 65010), confirm('peer'), 'local');
      assert.equal(atA, atB);
    }
  });

  it('takes the newer of two that one side opened: it has given up the older', () => {
    assert.equal(collisionLoser(parties(HIGH, LOW), confirm('peer'), 'peer'), 'existing');
  });

  it('finds no collision with a connection that has not had its OPEN', () => {
    for (const state of ['connect', 'active', 'opensent'] as const) {
      const existing = { initiator: 'local', state, gracefulRestart: false } as const;
      assert.equal(collisionLoser(parties(LOW, HIGH), existing, 'peer'), 'neither');
    }
  });

  it('closes the new connection while a session stands', () => {
    const standing = { initiator: 'local', state: 'established', gracefulRestart: false } as const;
    assert.equal(collisionLoser(parties(LOW, HIGH), standing, 'peer'), 'arriving');
  });

  it('takes the new connection of a peer that restarts gracefully (RFC 4724 §5)', () => {
    const standing = { initiator: 'peer', state: 'established', gracefulRestart: true } as const;
    assert.equal(collisionLoser(parties(HIGH, LOW), standing, 'peer'), 'existing');
  });
});
