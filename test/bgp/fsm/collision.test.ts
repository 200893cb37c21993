import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  type Initiator,
  collisionLoser,
  collisionVerdict,
  mayLoseTo,
  mayOpen,
} from '../../../src/bgp/fsm/collision.ts';
import type { StateName } from '../../../src/bgp/fsm/types.ts';

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

describe('what this side does about a collision, so that the peer never decides otherwise', () => {
  const ours = parties(HIGH, LOW);
  const existing = (state: StateName, initiator: Initiator, gracefulRestart = false) =>
    ({ state, initiator, gracefulRestart }) as const;
  const arriving = (initiator: Initiator, opened = true, overdue = false) => ({ initiator, opened, overdue });

  it('no OPEN beside a connection that has had our KEEPALIVE', () => {
    const states = ['idle', 'connect', 'active', 'opensent', 'openconfirm', 'established'] as const;
    assert.deepEqual(states.filter(mayOpen), ['idle', 'connect', 'active', 'opensent']);
  });

  it('no KEEPALIVE on the loser while the winner may get its OPEN, unless that is overdue', () => {
    assert.equal(collisionVerdict(ours, existing('opensent', 'local'), arriving('peer')), 'wait');
    assert.equal(
      collisionVerdict(ours, existing('opensent', 'local'), arriving('peer', true, true)),
      'proceed',
    );
    assert.equal(collisionVerdict(ours, existing('opensent', 'peer'), arriving('local')), 'proceed');
    assert.equal(collisionVerdict(ours, existing('connect', 'local'), arriving('peer')), 'proceed');
  });

  it('no end of the loser that has had our KEEPALIVE before the peer has had time to decide', () => {
    assert.equal(collisionVerdict(ours, existing('openconfirm', 'peer'), arriving('local')), 'wait');
    const overdue = arriving('local', true, true);
    assert.equal(collisionVerdict(ours, existing('openconfirm', 'peer'), overdue), 'close-existing');
    assert.equal(
      collisionVerdict(ours, existing('openconfirm', 'local'), arriving('peer')),
      'close-arriving',
    );
  });

  it('no end of the winner beside a session either, if our OPEN was sent on it', () => {
    assert.equal(collisionVerdict(ours, existing('established', 'peer'), arriving('local')), 'wait');
    const overdue = arriving('local', true, true);
    assert.equal(collisionVerdict(ours, existing('established', 'peer'), overdue), 'close-arriving');
    assert.equal(
      collisionVerdict(ours, existing('established', 'local'), arriving('peer')),
      'close-arriving',
    );
    assert.ok(mayLoseTo(ours, 'peer', 'local') && !mayLoseTo(ours, 'local', 'peer'));
  });

  it('a connection is no sign of a restart if it was there before the session (RFC 4724 §5)', () => {
    const session = existing('established', 'local', true);
    assert.equal(collisionVerdict(ours, session, arriving('peer', false)), 'close-existing');
    assert.equal(collisionVerdict(ours, session, arriving('peer', true)), 'close-arriving');
  });
});
