import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { AdjRibOut } from '../../../src/bgp/rib/adj-rib-out.ts';
import type { OutRoute } from '../../../src/bgp/rib/route.ts';
import { flowRoute, POLICE } from '../speaker/support.ts';

const owned = (n: number, owner: string): OutRoute => ({ ...flowRoute(n), owner });
const policed = (n: number, owner: string): OutRoute => ({ ...flowRoute(n, POLICE), owner });

/** A session that writes at once, and whose peer acknowledges when the returned function is called. */
function session() {
  const rib = new AdjRibOut();
  const write = (): (() => void) => {
    rib.take(Number.MAX_SAFE_INTEGER, 0);
    const { taken } = rib;
    return () => rib.acknowledge(taken);
  };
  const announce = (...routes: OutRoute[]): (() => void) => {
    for (const route of routes) rib.announce(route);
    return write();
  };
  const withdraw = (...routes: OutRoute[]): (() => void) => {
    for (const { key } of routes) rib.withdraw(key);
    return write();
  };
  return { rib, announce, withdraw };
}

describe('The owners of the routes in an Adj-RIB-Out', () => {
  it('hold a route from its writing until the withdrawal of their last one is acknowledged', () => {
    const { rib, announce, withdraw } = session();
    rib.announce(owned(1, 'm'));
    assert.equal(rib.holds('m'), false, 'nothing is written yet');
    announce(owned(1, 'm'), owned(2, 'm'))();
    assert.equal(rib.holds('m'), true);
    withdraw(flowRoute(1))();
    assert.equal(rib.holds('m'), true);
    const acknowledge = withdraw(flowRoute(2));
    assert.equal(rib.holds('m'), true, 'the peer may not have the withdrawal');
    assert.deepEqual(rib.sentBy('m'), []);
    acknowledge();
    assert.equal(rib.holds('m'), false);
  });

  it('keep what is announced again before its withdrawal is acknowledged', () => {
    const { rib, announce, withdraw } = session();
    announce(owned(1, 'm'))();
    const [withdrawn, announced] = [withdraw(flowRoute(1)), announce(owned(1, 'm'))];
    withdrawn();
    announced();
    assert.equal(rib.holds('m'), true);
    withdraw(flowRoute(1))();
    assert.equal(rib.holds('m'), false);
  });

  it('lose a route to another owner once the replacement is acknowledged', () => {
    const { rib, announce } = session();
    announce(owned(1, 'before'))();
    const acknowledge = announce(policed(1, 'after'));
    assert.deepEqual([rib.holds('before'), rib.holds('after')], [true, true]);
    acknowledge();
    assert.deepEqual([rib.holds('before'), rib.holds('after')], [false, true]);
    assert.deepEqual(rib.sentBy('after'), [policed(1, 'after')]);
  });

  it('lose a route at once to another owner that wants the same octets, which are not written again', () => {
    const { rib, announce } = session();
    announce(owned(1, 'before'))();
    rib.announce(owned(1, 'after'));
    assert.equal(rib.pendingCount, 0);
    assert.deepEqual([rib.holds('before'), rib.holds('after')], [false, true]);
  });

  it('are told apart when they held a route in turn and nothing is acknowledged', () => {
    const { rib, announce, withdraw } = session();
    announce(owned(1, 'a'))();
    const [withdrawn, second, third] = [
      withdraw(flowRoute(1)),
      announce(owned(1, 'b')),
      announce(policed(1, 'c')),
    ];
    const holding = (): readonly boolean[] => ['a', 'b', 'c'].map((owner) => rib.holds(owner));
    withdrawn();
    second();
    assert.deepEqual(holding(), [false, true, true]);
    third();
    assert.deepEqual(holding(), [false, false, true]);
  });

  it('count a route once that is written again', () => {
    const { rib, announce, withdraw } = session();
    announce(owned(1, 'm'))();
    rib.resend(flowRoute(1).family);
    announce()();
    announce(policed(1, 'm'))();
    withdraw(flowRoute(1))();
    assert.equal(rib.holds('m'), false);
  });

  it('do not hold a route that was too long to be written', () => {
    const { rib, announce } = session();
    announce(owned(1, 'm'));
    rib.unwritten(flowRoute(1).key);
    assert.equal(rib.holds('m'), false);
  });

  it('keep the route whose replacement was too long, until its withdrawal is acknowledged', () => {
    for (const after of ['m', 'other']) {
      const { rib, announce } = session();
      announce(owned(1, 'm'))();
      const acknowledge = announce(policed(1, after));
      rib.unwritten(flowRoute(1).key);
      acknowledge();
      assert.equal(rib.holds('m'), true);
      assert.equal(rib.holds('other'), false);
      announce()();
      assert.equal(rib.holds('m'), false);
    }
  });

  it('hold nothing after the session, whatever is acknowledged late', () => {
    const { rib, announce, withdraw } = session();
    announce(owned(1, 'm'))();
    const late = withdraw(flowRoute(1));
    rib.clear();
    assert.equal(rib.holds('m'), false);
    announce(owned(1, 'm'));
    late();
    assert.equal(rib.holds('m'), true);
  });
});
