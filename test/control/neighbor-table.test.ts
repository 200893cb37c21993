import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { OutRoute } from '../../src/bgp/rib/route.ts';
import { WantedRoutes } from '../../src/control/wanted-routes.ts';
import { processorTime } from '../support/processor-time.ts';
import { claim, POLICE_1M, route } from './support.ts';

const keys = (...hosts: number[]): Set<string> => new Set(hosts.map((host) => route(host).key));

describe('WantedRoutes', () => {
  it('wants the routes of its claims and names the routes that a change touched', () => {
    const table = new WantedRoutes(10);
    assert.deepEqual(table.set('a', claim('a', [route(1), route(2)])), keys(1, 2));
    assert.equal(table.want(route(1).key)?.owner, 'm1');
    assert.deepEqual(table.set('a', claim('a', [route(2), route(3)])), keys(1, 2, 3));
    assert.equal(table.want(route(1).key), undefined);
    assert.equal(table.want(route(3).key)?.owner, 'm3');
  });

  it('forgets a claim that is taken away', () => {
    const table = new WantedRoutes(10);
    table.set('a', claim('a', [route(1)]));
    assert.deepEqual(table.set('a', null), keys(1));
    assert.deepEqual([...table.routeKeys()], []);
    assert.deepEqual([...table.matchKeys()], []);
  });

  it('lets the stricter of two claims to one route speak, in either order, and the other take over', () => {
    for (const order of [
      ['police', 'discard'],
      ['discard', 'police'],
    ]) {
      const table = new WantedRoutes(10);
      for (const name of order) {
        const one = name === 'police' ? route(1, 'police', POLICE_1M) : route(1, 'discard');
        table.set(name, claim(name, [one], name === 'police' ? 1_000_000 : 0));
      }
      assert.equal(table.want(route(1).key)?.owner, 'discard');
      table.set('discard', null);
      assert.equal(table.want(route(1).key)?.owner, 'police');
    }
  });

  it('keeps the stricter, then the older rules when the budget is short', () => {
    const table = new WantedRoutes(2);
    table.set('young', claim('young', [route(1)], 0, 30));
    table.set('old', claim('old', [route(2)], 0, 10));
    table.set('police', claim('police', [route(3, 'm3', POLICE_1M)], 1_000_000, 0));
    assert.equal(table.isExcess('police'), true);
    assert.equal(table.want(route(3).key), undefined);
    const touched = table.set('older', claim('older', [route(4)], 0, 5));
    assert.equal(table.isExcess('young'), true);
    assert.ok(touched.has(route(1).key), 'the rule that falls out must be withdrawn');
    assert.equal(table.want(route(4).key)?.owner, 'm4');
  });

  it('gives a place that falls free to the next in line', () => {
    const table = new WantedRoutes(1);
    table.set('a', claim('a', [route(1)], 0, 1));
    table.set('b', claim('b', [route(2)], 0, 2));
    assert.equal(table.want(route(2).key), undefined);
    assert.deepEqual(table.set('a', null), keys(1, 2));
    assert.equal(table.want(route(2).key)?.owner, 'm2');
    assert.equal(table.isExcess('b'), false);
  });

  it('admits a rule of several routes whole or not at all', () => {
    const table = new WantedRoutes(2);
    table.set('one', claim('one', [route(1)], 0, 1));
    table.set('split', claim('split', [route(2), route(3)], 0, 2));
    assert.equal(table.want(route(2).key), undefined);
    assert.equal(table.want(route(3).key), undefined);
    assert.equal(table.want(route(1).key)?.owner, 'm1');
  });

  it('takes many claims far beyond its budget at once, and the same ones again, in less than a turn may last', () => {
    const table = new WantedRoutes(1000);
    const octets = (n: number): OutRoute => ({ ...route(0), key: `route ${n}`, owner: `m${n}` });
    const claims = Array.from({ length: 5000 }, (_, n) => {
      const key = `match ${n}`;
      return [key, claim(key, [octets(n)], 0, n)] as const;
    });
    const took = processorTime(() => {
      for (let at = 0; at < claims.length; at += 500) table.setAll(claims.slice(at, at + 500));
      for (let at = 0; at < claims.length; at += 500) table.setAll(claims.slice(at, at + 500));
    });
    const turns = 20;
    // A turn may last some 20 ms; sorting for each claim took a hundred times as long.
    assert.ok(took < turns * 100, `${took} ms`);
    assert.equal(claims.filter(([key]) => !table.isExcess(key)).length, 1000);
    assert.equal(table.isExcess('match 999'), false);
  });
});
