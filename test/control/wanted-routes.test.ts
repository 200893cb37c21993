import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { OutRoute } from '../../src/bgp/rib/route.ts';
import { WantedRoutes } from '../../src/control/wanted-routes.ts';
import { processorTime } from '../support/processor-time.ts';
import { claim, POLICE_1M, route } from './support.ts';

const keys = (...hosts: number[]): Set<string> => new Set(hosts.map((host) => route(host).key));

describe('WantedRoutes', () => {
  it('holds the routes of its rules and names the routes that a change touched', () => {
    const table = new WantedRoutes(10);
    assert.deepEqual(table.place('a', claim('a', [route(1), route(2)])), keys(1, 2));
    assert.equal(table.route(route(1).key)?.owner, 'm1');
    assert.deepEqual(table.place('a', claim('a', [route(2), route(3)])), keys(1, 2, 3));
    assert.equal(table.route(route(1).key), undefined);
    assert.equal(table.route(route(3).key)?.owner, 'm3');
  });

  it('forgets a rule that is removed', () => {
    const table = new WantedRoutes(10);
    table.place('a', claim('a', [route(1)]));
    assert.deepEqual(table.place('a', undefined), keys(1));
    assert.deepEqual([...table.routeKeys()], []);
    assert.deepEqual([...table.matchKeys()], []);
  });

  it('gives a route to the stricter of two rules, in either order, and then to the other', () => {
    for (const order of [
      ['police', 'discard'],
      ['discard', 'police'],
    ]) {
      const table = new WantedRoutes(10);
      for (const name of order) {
        const one = name === 'police' ? route(1, 'police', POLICE_1M) : route(1, 'discard');
        table.place(name, claim(name, [one], name === 'police' ? 1_000_000 : 0));
      }
      assert.equal(table.route(route(1).key)?.owner, 'discard');
      table.place('discard', undefined);
      assert.equal(table.route(route(1).key)?.owner, 'police');
    }
  });

  it('keeps the stricter, then the older rules when the budget is short', () => {
    const table = new WantedRoutes(2);
    table.place('young', claim('young', [route(1)], 0, 30));
    table.place('old', claim('old', [route(2)], 0, 10));
    table.place('police', claim('police', [route(3, 'm3', POLICE_1M)], 1_000_000, 0));
    assert.equal(table.overBudget.has('police'), true);
    assert.equal(table.route(route(3).key), undefined);
    const touched = table.place('older', claim('older', [route(4)], 0, 5));
    assert.equal(table.overBudget.has('young'), true);
    assert.ok(touched.has(route(1).key), 'the rule that falls out must be withdrawn');
    assert.equal(table.route(route(4).key)?.owner, 'm4');
  });

  it('gives room that becomes free to the next rule', () => {
    const table = new WantedRoutes(1);
    table.place('a', claim('a', [route(1)], 0, 1));
    table.place('b', claim('b', [route(2)], 0, 2));
    assert.equal(table.route(route(2).key), undefined);
    assert.deepEqual(table.place('a', undefined), keys(1, 2));
    assert.equal(table.route(route(2).key)?.owner, 'm2');
    assert.equal(table.overBudget.has('b'), false);
  });

  it('admits all routes of a rule or none', () => {
    const table = new WantedRoutes(2);
    table.place('one', claim('one', [route(1)], 0, 1));
    table.place('split', claim('split', [route(2), route(3)], 0, 2));
    assert.equal(table.route(route(2).key), undefined);
    assert.equal(table.route(route(3).key), undefined);
    assert.equal(table.route(route(1).key)?.owner, 'm1');
  });

  it('takes many rules far beyond its budget at once, and the same ones again, in less than a turn may last', () => {
    const table = new WantedRoutes(1000);
    const octets = (n: number): OutRoute => ({ ...route(0), key: `route ${n}`, owner: `m${n}` });
    const rules = Array.from({ length: 5000 }, (_, n) => {
      const key = `match ${n}`;
      return [key, claim(key, [octets(n)], 0, n)] as const;
    });
    const took = processorTime(() => {
      for (let at = 0; at < rules.length; at += 500) table.placeAll(rules.slice(at, at + 500));
      for (let at = 0; at < rules.length; at += 500) table.placeAll(rules.slice(at, at + 500));
    });
    const turns = 20;
    // A turn may last some 20 ms; sorting for each rule took a hundred times as long.
    assert.ok(took < turns * 100, `${took} ms`);
    assert.equal(rules.filter(([key]) => !table.overBudget.has(key)).length, 1000);
    assert.equal(table.overBudget.has('match 999'), false);
  });
});
