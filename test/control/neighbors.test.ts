import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { FAMILIES } from '../../src/bgp/wire/iana.ts';
import { Neighbors } from '../../src/control/neighbors.ts';
import { claim, neighborPolicy, route } from './support.ts';

/** Two neighbors with their sessions up. */
function twoNeighbors(): Neighbors {
  const neighbors = new Neighbors([neighborPolicy('edge1'), neighborPolicy('edge2')]);
  for (const neighbor of neighbors)
    neighbor.session = { state: 'in-sync', families: [FAMILIES['ipv4-flowspec']] };
  return neighbors;
}

describe('Neighbors', () => {
  it('another list keeps the tables and sessions of those whose policy is the same', () => {
    const neighbors = twoNeighbors();
    const [edge1, edge2] = [...neighbors];
    edge1?.wanted.place('a', claim('a', [route(1)]));
    const fresh = neighbors.adopt([
      neighborPolicy('edge3'),
      neighborPolicy('edge2', { maxRules: 7 }),
      neighborPolicy('edge1'),
    ]);
    assert.deepEqual(neighbors.names, ['edge3', 'edge2', 'edge1']);
    assert.equal(neighbors.get('edge1'), edge1);
    assert.equal(neighbors.ownerOf('edge1', route(1).key), 'm1');
    assert.deepEqual(
      fresh.map(({ policy }) => policy.name),
      ['edge3', 'edge2'],
    );
    assert.deepEqual(edge2?.session, { state: 'down' }, 'nothing more is sent to the one that was replaced');
    assert.deepEqual([neighbors.isUp('edge1'), neighbors.isUp('edge2')], [true, false]);
  });

  it('sends nothing more to a neighbor that is no longer in the list', () => {
    const neighbors = twoNeighbors();
    const edge2 = neighbors.get('edge2');
    assert.deepEqual(neighbors.adopt([neighborPolicy('edge1')]), []);
    assert.deepEqual(
      [edge2?.session.state, neighbors.get('edge2'), neighbors.isUp('edge2')],
      ['down', undefined, false],
    );
  });

  it('keeps only the neighbors that are named, and stops sending a table to another', () => {
    const neighbors = twoNeighbors();
    const edge1 = neighbors.get('edge1');
    const session = edge1?.session;
    neighbors.keepOnly(['edge2', 'unknown']);
    assert.deepEqual(neighbors.names, ['edge2']);
    assert.equal(edge1?.session.state, 'down');
    assert.notEqual(edge1.session, session, 'so that its table is not sent any further');
  });

  it('knows whether every table has the rule of a mitigation', () => {
    const neighbors = twoNeighbors();
    neighbors.tableOf('edge1')?.place('a', claim('a', [route(1)]));
    assert.equal(neighbors.allHaveRule('a', 'm1'), false, 'edge2 lacks it');
    neighbors.tableOf('edge2')?.place('a', claim('a', [route(1)]));
    assert.equal(neighbors.allHaveRule('a', 'm1'), true);
    assert.equal(neighbors.allHaveRule('a', 'another of the same match'), false);
  });
});
