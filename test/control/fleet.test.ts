import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { FAMILIES } from '../../src/bgp/wire/iana.ts';
import { Neighbors } from '../../src/control/neighbors.ts';
import { claim, neighborPolicy, route } from './support.ts';

/** Two neighbors with their sessions up. */
function fleetOfTwo(): Neighbors {
  const fleet = new Neighbors([neighborPolicy('edge1'), neighborPolicy('edge2')]);
  for (const neighbor of fleet) neighbor.families = [FAMILIES['ipv4-flowspec']];
  return fleet;
}

describe('Fleet', () => {
  it('another list keeps the tables and sessions of those whose policy is the same', () => {
    const fleet = fleetOfTwo();
    const [edge1, edge2] = [...fleet];
    edge1?.wanted.set('a', claim('a', [route(1)]));
    const { fresh, gone } = fleet.adopt([
      neighborPolicy('edge3'),
      neighborPolicy('edge2', { maxRules: 7 }),
      neighborPolicy('edge1'),
    ]);
    assert.deepEqual(fleet.names, ['edge3', 'edge2', 'edge1']);
    assert.equal(fleet.get('edge1'), edge1);
    assert.equal(fleet.ownerOf('edge1', route(1).key), 'm1');
    assert.deepEqual(
      fresh.map(({ policy }) => policy.name),
      ['edge3', 'edge2'],
    );
    assert.deepEqual(gone, []);
    assert.deepEqual(edge2?.families, [], 'nothing more is told to the one that was replaced');
    assert.deepEqual([fleet.isUp('edge1'), fleet.isUp('edge2')], [true, false]);
  });

  it('names those that are gone, and tells them nothing more', () => {
    const fleet = fleetOfTwo();
    const edge2 = fleet.get('edge2');
    assert.deepEqual(fleet.adopt([neighborPolicy('edge1')]), { fresh: [], gone: ['edge2'] });
    assert.deepEqual([edge2?.families, fleet.get('edge2'), fleet.isUp('edge2')], [[], undefined, false]);
  });

  it('takes leave of all but those named, and a table being sent to one of them is given up', () => {
    const fleet = fleetOfTwo();
    const edge1 = fleet.get('edge1');
    const generation = edge1?.generation ?? 0;
    fleet.keepOnly(['edge2', 'unknown']);
    assert.deepEqual(fleet.names, ['edge2']);
    assert.deepEqual([edge1?.families, edge1?.generation], [[], generation + 1]);
  });

  it('knows whether every table has the rule of a mitigation', () => {
    const fleet = fleetOfTwo();
    fleet.tableOf('edge1')?.set('a', claim('a', [route(1)]));
    assert.equal(fleet.isClaimedEverywhere('a', 'm1'), false, 'edge2 lacks it');
    fleet.tableOf('edge2')?.set('a', claim('a', [route(1)]));
    assert.equal(fleet.isClaimedEverywhere('a', 'm1'), true);
    assert.equal(fleet.isClaimedEverywhere('a', 'another of the same match'), false);
  });
});
