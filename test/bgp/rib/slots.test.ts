import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type Slot, Slots } from '../../../src/bgp/rib/columns.ts';
import { DISCARD, flowRoute, POLICE } from '../speaker/support.ts';

function slotsOf(...numbers: readonly number[]): { readonly slots: Slots; readonly at: readonly Slot[] } {
  const slots = new Slots();
  return { slots, at: numbers.map((n) => slots.obtain(flowRoute(n))) };
}

function order(slots: Slots): readonly [string, Slot][] {
  return [...slots.entries()];
}

describe('the slots of an Adj-RIB-Out', () => {
  it('gives a key the same slot, whichever object its route is and whatever its attributes are', () => {
    const { slots, at } = slotsOf(1, 2);
    assert.deepEqual(at, [0, 1]);
    assert.equal(slots.obtain(flowRoute(1, POLICE)), 0);
    assert.equal(slots.obtain(flowRoute(1, DISCARD)), 0);
    assert.equal(slots.obtain(flowRoute(2)), 1);
  });

  it('keeps the slots of the keys that were in use for the next session, and nothing of what they held', () => {
    const { slots } = slotsOf(1, 2, 3);
    slots.sent.fill(flowRoute(9));
    slots.marks.fill(3);
    slots.renew((slot) => slot !== 1);
    assert.deepEqual(order(slots), [
      [flowRoute(1).key, 0],
      [flowRoute(3).key, 1],
    ]);
    assert.deepEqual(slots.latest, [flowRoute(1), flowRoute(3)]);
    assert.deepEqual(slots.sent, [undefined, undefined]);
    assert.deepEqual(slots.marks, [0, 0]);
    assert.equal(slots.sentAt.length, 2);
  });

  it('finds every key again in another order than before', () => {
    const { slots } = slotsOf(1, 2, 3, 4);
    slots.renew(() => true);
    assert.deepEqual(
      [3, 4, 5, 1, 2, 2].map((n) => slots.obtain(flowRoute(n))),
      [2, 3, 4, 0, 1, 1],
    );
  });

  it('gives a slot that is free to another key, and none of its past', () => {
    const { slots } = slotsOf(1, 2);
    slots.sent[0] = flowRoute(1);
    slots.marks[0] = 3;
    slots.free(0);
    assert.equal(slots.get(flowRoute(1).key), undefined);
    assert.equal(slots.obtain(flowRoute(3)), 0);
    assert.equal(slots.obtain(flowRoute(1)), 2);
    assert.deepEqual([slots.sent[0], slots.marks[0]], [undefined, 0]);
  });

  it('is not misled by the route that a free slot had', () => {
    const slots = new Slots();
    const route = flowRoute(1);
    slots.obtain(route);
    slots.renew(() => true);
    slots.free(0);
    slots.obtain(route);
    assert.deepEqual(order(slots), [[route.key, 0]]);
  });

  it('frees a slot once, however often it is told to', () => {
    const { slots } = slotsOf(1);
    slots.free(0);
    slots.free(0);
    assert.deepEqual([slots.obtain(flowRoute(2)), slots.obtain(flowRoute(3))], [0, 1]);
  });

  it('is in the order in which the keys came again after the session, whatever slots they had', () => {
    const { slots } = slotsOf(1, 2, 3);
    slots.free(0);
    slots.free(1);
    for (const n of [4, 5, 6]) slots.obtain(flowRoute(n));
    slots.renew(() => true);
    assert.deepEqual(
      order(slots),
      [3, 4, 5, 6].map((n, slot) => [flowRoute(n).key, slot]),
    );
    assert.deepEqual(
      slots.latest,
      [3, 4, 5, 6].map((n) => flowRoute(n)),
    );
  });

  it('counts no slot as free that a key has got in the new order', () => {
    const { slots } = slotsOf(1, 2, 3);
    slots.free(0);
    slots.renew(() => true);
    assert.equal(slots.obtain(flowRoute(4)), 2);
  });
});
