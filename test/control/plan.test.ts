import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { AdjRibOut } from '../../src/bgp/rib/adj-rib-out.ts';
import { plan } from '../../src/control/desired.ts';
import { DISCARD, POLICE_1M, route } from './support.ts';

function ribWith(...hosts: number[]): AdjRibOut {
  const rib = new AdjRibOut();
  for (const host of hosts) rib.announce(route(host));
  rib.take(1000, 0);
  return rib;
}

describe('plan', () => {
  it('announces what is wanted and not out', () => {
    const wanted = route(1);
    assert.deepEqual(
      plan([wanted.key], () => wanted, ribWith()),
      { announce: [wanted], withdraw: [] },
    );
  });

  it('withdraws what is out and not wanted', () => {
    const key = route(1).key;
    assert.deepEqual(
      plan([key], () => undefined, ribWith(1)),
      { announce: [], withdraw: [key] },
    );
  });

  it('changes nothing when the session holds exactly what is wanted', () => {
    const wanted = route(1);
    assert.deepEqual(
      plan([wanted.key], () => wanted, ribWith(1)),
      { announce: [], withdraw: [] },
    );
  });

  it('replaces a route whose action differs, without withdrawing it', () => {
    const wanted = route(1, 'm1', POLICE_1M);
    assert.deepEqual(
      plan([wanted.key], () => wanted, ribWith(1)),
      { announce: [wanted], withdraw: [] },
    );
  });

  it('takes a route that is queued but not written for what the session will hold', () => {
    const rib = new AdjRibOut();
    rib.announce(route(1));
    assert.deepEqual(
      plan([route(1).key], () => route(1), rib),
      { announce: [], withdraw: [] },
    );
    assert.deepEqual(plan([route(1).key], () => undefined, rib).withdraw, [route(1).key]);
  });

  it('announces again what is queued for withdrawal', () => {
    const rib = ribWith(1);
    rib.withdraw(route(1).key);
    assert.deepEqual(plan([route(1).key], () => route(1, 'm1', DISCARD), rib).announce, [route(1)]);
  });

  it('tells of a route that only changes hands, so that its new owner is known', () => {
    const wanted = route(1, 'another');
    assert.deepEqual(plan([wanted.key], () => wanted, ribWith(1)).announce, [wanted]);
  });

  it('looks at no key but those it was given', () => {
    assert.deepEqual(
      plan([], () => undefined, ribWith(1, 2, 3)),
      { announce: [], withdraw: [] },
    );
  });
});
