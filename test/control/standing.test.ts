import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { RoutesByOwner } from '../../src/control/pending-withdrawals.ts';
import { route } from './support.ts';

describe('Standing', () => {
  it('says that a mitigation stands until its last route is withdrawn from the last session', () => {
    const standing = new RoutesByOwner();
    standing.announced('edge1', [route(1, 'm'), route(2, 'm')]);
    standing.announced('edge2', [route(1, 'm')]);
    standing.withdrawn('edge1', [route(1, 'm'), route(2, 'm')]);
    assert.equal(standing.standsAnywhere('m'), true);
    assert.equal(standing.standsOn('edge1', 'm'), false);
    standing.withdrawn('edge2', [route(1, 'm')]);
    assert.equal(standing.standsAnywhere('m'), false);
  });

  it('hands a route over when another mitigation announces it', () => {
    const standing = new RoutesByOwner();
    standing.announced('edge1', [route(1, 'before')]);
    standing.announced('edge1', [route(1, 'after')]);
    assert.equal(standing.standsAnywhere('before'), false);
    assert.equal(standing.ownerOf('edge1', route(1).key), 'after');
    assert.deepEqual(standing.routesOf('edge1', 'after'), [route(1).key]);
  });

  it('counts a route that is announced twice once', () => {
    const standing = new RoutesByOwner();
    standing.announced('edge1', [route(1, 'm')]);
    standing.announced('edge1', [route(1, 'm')]);
    standing.withdrawn('edge1', [route(1, 'm')]);
    assert.equal(standing.standsAnywhere('m'), false);
  });

  it('forgets what stood on a session that is gone', () => {
    const standing = new RoutesByOwner();
    standing.announced('edge1', [route(1, 'm')]);
    standing.forget('edge1');
    assert.equal(standing.standsAnywhere('m'), false);
    standing.withdrawn('edge1', [route(1, 'm')]);
    assert.equal(standing.standsAnywhere('m'), false);
  });
});
