import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { OutRoute } from '../../src/bgp/rib/route.ts';
import { RoutesByOwner } from '../../src/control/pending-withdrawals.ts';
import { route } from './support.ts';

/** Tells what is written; what is returned acknowledges it. */
function writing(standing: RoutesByOwner) {
  const tell = (peer: string, announced: OutRoute[], withdrawn: OutRoute[]): (() => void) => {
    standing.sent(peer, announced, withdrawn);
    return () => standing.acknowledged(peer, announced, withdrawn);
  };
  return {
    announce: (peer: string, ...routes: OutRoute[]) => tell(peer, routes, []),
    withdraw: (peer: string, ...routes: OutRoute[]) => tell(peer, [], routes),
  };
}

describe('Standing', () => {
  it('says that a mitigation stands until its last route is withdrawn from the last session', () => {
    const standing = new RoutesByOwner();
    const { announce, withdraw } = writing(standing);
    announce('edge1', route(1, 'm'), route(2, 'm'))();
    announce('edge2', route(1, 'm'))();
    withdraw('edge1', route(1, 'm'), route(2, 'm'))();
    assert.equal(standing.standsAnywhere('m'), true);
    assert.equal(standing.standsOn('edge1', 'm'), false);
    withdraw('edge2', route(1, 'm'))();
    assert.equal(standing.standsAnywhere('m'), false);
  });

  it('says so until the peer has acknowledged the withdrawal', () => {
    const standing = new RoutesByOwner();
    const { announce, withdraw } = writing(standing);
    announce('edge1', route(1, 'm'))();
    const acknowledge = withdraw('edge1', route(1, 'm'));
    assert.equal(standing.standsAnywhere('m'), true);
    acknowledge();
    assert.equal(standing.standsAnywhere('m'), false);
  });

  it('keeps what is announced again before its withdrawal is acknowledged', () => {
    const standing = new RoutesByOwner();
    const { announce, withdraw } = writing(standing);
    announce('edge1', route(1, 'm'))();
    const [withdrawn, announced] = [withdraw('edge1', route(1, 'm')), announce('edge1', route(1, 'm'))];
    withdrawn();
    announced();
    assert.equal(standing.standsOn('edge1', 'm'), true);
    withdraw('edge1', route(1, 'm'))();
    assert.equal(standing.standsAnywhere('m'), false);
  });

  it('hands a route over when another mitigation announces it, once that is acknowledged', () => {
    const standing = new RoutesByOwner();
    const { announce } = writing(standing);
    announce('edge1', route(1, 'before'))();
    const acknowledge = announce('edge1', route(1, 'after'));
    assert.equal(standing.standsAnywhere('before'), true);
    acknowledge();
    assert.equal(standing.standsAnywhere('before'), false);
    assert.equal(standing.ownerOf('edge1', route(1).key), 'after');
    assert.deepEqual(standing.routesOf('edge1', 'after'), [route(1).key]);
  });

  it('hands over at once what stands as it is', () => {
    const standing = new RoutesByOwner();
    writing(standing).announce('edge1', route(1, 'before'))();
    standing.moved('edge1', [route(1, 'after')]);
    assert.equal(standing.standsAnywhere('before'), false);
    assert.equal(standing.standsOn('edge1', 'after'), true);
  });

  it('tells apart who held a route in turn while nothing is acknowledged', () => {
    const standing = new RoutesByOwner();
    const { announce, withdraw } = writing(standing);
    announce('edge1', route(1, 'a'))();
    const [gone, second, third] = [
      withdraw('edge1', route(1, 'a')),
      announce('edge1', route(1, 'b')),
      announce('edge1', route(1, 'c')),
    ];
    gone();
    second();
    assert.deepEqual(
      ['a', 'b', 'c'].map((id) => standing.standsOn('edge1', id)),
      [false, true, true],
    );
    third();
    assert.deepEqual(
      ['a', 'b', 'c'].map((id) => standing.standsOn('edge1', id)),
      [false, false, true],
    );
  });

  it('counts a route that is announced twice once', () => {
    const standing = new RoutesByOwner();
    const { announce, withdraw } = writing(standing);
    announce('edge1', route(1, 'm'))();
    announce('edge1', route(1, 'm'))();
    withdraw('edge1', route(1, 'm'))();
    assert.equal(standing.standsAnywhere('m'), false);
  });

  it('forgets what stood on a session that is gone', () => {
    const standing = new RoutesByOwner();
    const { announce, withdraw } = writing(standing);
    announce('edge1', route(1, 'm'))();
    const late = withdraw('edge1', route(1, 'm'));
    standing.forget('edge1');
    assert.equal(standing.standsAnywhere('m'), false);
    announce('edge1', route(1, 'm'));
    late();
    assert.equal(standing.standsAnywhere('m'), true);
  });
});
