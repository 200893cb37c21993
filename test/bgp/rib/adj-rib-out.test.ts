import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { AdjRibOut } from '../../../src/bgp/rib/adj-rib-out.ts';
import { type OutRoute, routeAttributes, routeKey } from '../../../src/bgp/rib/route.ts';
import { DISCARD, FLOW4, FLOW6, flowRoute, POLICE } from '../speaker/support.ts';

const ALL = Number.MAX_SAFE_INTEGER;

function ribWith(...routes: readonly OutRoute[]): AdjRibOut {
  const rib = new AdjRibOut();
  for (const route of routes) rib.announce(route);
  rib.take(ALL, 1000);
  return rib;
}

describe('the Adj-RIB-Out of a session', () => {
  it('counts as sent only what was taken for writing, with the time', () => {
    const rib = new AdjRibOut();
    rib.announce(flowRoute(1));
    assert.equal(rib.sentCount, 0);
    assert.equal(rib.pendingCount, 1);
    assert.deepEqual(rib.take(10, 1234), { announce: [flowRoute(1)], withdraw: [] });
    assert.equal(rib.sent(flowRoute(1).key)?.sentAt, 1234);
    assert.equal(rib.pendingCount, 0);
  });

  it('takes no more than it is asked for, announcements first', () => {
    const rib = ribWith(flowRoute(1), flowRoute(2));
    rib.withdraw(flowRoute(1).key);
    rib.withdraw(flowRoute(2).key);
    rib.announce(flowRoute(3));
    rib.announce(flowRoute(4));
    assert.deepEqual(rib.take(3, 0), { announce: [flowRoute(3), flowRoute(4)], withdraw: [flowRoute(1)] });
    assert.deepEqual(rib.take(3, 0), { announce: [], withdraw: [flowRoute(2)] });
  });

  it('takes until what was taken costs what it is asked for, if it is told what each costs', () => {
    const rib = ribWith(flowRoute(1), flowRoute(2));
    rib.withdraw(flowRoute(1).key);
    rib.withdraw(flowRoute(2).key);
    rib.announce(flowRoute(3));
    const asked: string[] = [];
    const cost = (route: OutRoute): number => {
      asked.push(route.key);
      return 5;
    };
    assert.deepEqual(rib.take(6, 0, cost), { announce: [flowRoute(3)], withdraw: [flowRoute(1)] });
    assert.deepEqual(asked, [flowRoute(3).key, flowRoute(1).key]);
    assert.deepEqual(rib.take(1, 0, cost), { announce: [], withdraw: [flowRoute(2)] });
  });

  it('withdraws the octets that were announced', () => {
    const rib = ribWith(flowRoute(1));
    rib.withdraw(flowRoute(1).key);
    assert.deepEqual(rib.take(ALL, 0).withdraw[0]?.nlri, flowRoute(1).nlri);
    assert.equal(rib.sentCount, 0);
  });

  it('replaces by announcing again, without a withdrawal', () => {
    const rib = ribWith(flowRoute(1, DISCARD));
    rib.announce(flowRoute(1, POLICE));
    assert.deepEqual(rib.take(ALL, 0), { announce: [flowRoute(1, POLICE)], withdraw: [] });
  });

  it('holds at most one change that waits for each route', () => {
    const rib = new AdjRibOut();
    for (let i = 0; i < 1000; i++) rib.announce(flowRoute(i % 2, i % 3 === 0 ? DISCARD : POLICE));
    assert.equal(rib.pendingCount, 2);
  });

  it('forgets a route that is withdrawn before it was written', () => {
    const rib = new AdjRibOut();
    rib.announce(flowRoute(1));
    rib.withdraw(flowRoute(1).key);
    assert.equal(rib.pendingCount, 0);
  });

  it('does nothing for a route that is out already, save to take its new label', () => {
    const rib = ribWith(flowRoute(1));
    rib.announce({ ...flowRoute(1), label: 'other' });
    assert.equal(rib.pendingCount, 0);
    assert.equal(rib.sent(flowRoute(1).key)?.route.label, 'other');
  });

  it('writes everything of one family again when it is asked to', () => {
    const rib = ribWith(flowRoute(1), flowRoute(2), flowRoute(3, DISCARD, FLOW6));
    rib.resend(FLOW4);
    assert.deepEqual(rib.take(ALL, 0).announce, [flowRoute(1), flowRoute(2)]);
  });

  // A peer that was sent the marks of RFC 7313 drops what did not come between them.
  it('loses nothing of a re-send to changes that come meanwhile and go again', () => {
    const rib = ribWith(flowRoute(1), flowRoute(2), flowRoute(3));
    rib.withdraw(flowRoute(2).key);
    rib.announce(flowRoute(3, POLICE));
    rib.resend(FLOW4);
    rib.announce(flowRoute(1));
    rib.announce(flowRoute(2));
    rib.announce(flowRoute(3, DISCARD));
    const { announce, withdraw } = rib.take(ALL, 0);
    assert.deepEqual(
      new Set(announce.map((route) => route.key)),
      new Set([1, 2, 3].map((n) => flowRoute(n).key)),
    );
    assert.deepEqual(withdraw, []);
  });

  it('knows what the peer will hold once everything is written', () => {
    const rib = ribWith(flowRoute(1), flowRoute(2));
    rib.withdraw(flowRoute(1).key);
    rib.announce(flowRoute(2, POLICE));
    rib.announce(flowRoute(3));
    assert.equal(rib.effective(flowRoute(1).key), undefined);
    assert.equal(rib.effective(flowRoute(2).key)?.attributes.key, POLICE.key);
    assert.deepEqual(new Set(rib.effectiveKeys()), new Set([flowRoute(2).key, flowRoute(3).key]));
  });

  it('is empty after the session', () => {
    const rib = ribWith(flowRoute(1));
    rib.withdraw(flowRoute(1).key);
    rib.announce(flowRoute(2));
    rib.clear();
    assert.deepEqual([rib.sentCount, rib.pendingCount, [...rib.effectiveKeys()].length], [0, 0, 0]);
  });

  it('tells routes of two families with the same octets apart', () => {
    assert.notEqual(routeKey(FLOW4, flowRoute(1).nlri), routeKey(FLOW6, flowRoute(1).nlri));
  });

  it('tells attributes apart by every part of them', () => {
    const octets = new Uint8Array(20);
    const keys = [
      routeAttributes({ communities: octets }),
      routeAttributes({ extendedCommunities: octets }),
      routeAttributes({ ipv6ExtendedCommunities: octets }),
      routeAttributes({ largeCommunities: octets }),
      routeAttributes({ nextHop: octets }),
      routeAttributes({}),
    ].map((attributes) => attributes.key);
    assert.equal(new Set(keys).size, keys.length);
  });

  it('withdraws what a route that fits into no message was to replace, since the peer still has it', () => {
    const rib = ribWith(flowRoute(1, POLICE));
    rib.announce(flowRoute(1, DISCARD));
    rib.announce(flowRoute(2));
    rib.take(ALL, 2000);
    rib.unwritten(flowRoute(1).key);
    rib.unwritten(flowRoute(2).key);
    assert.equal(rib.effective(flowRoute(1).key), undefined);
    assert.deepEqual(
      [...rib.sentRoutes()].map(({ route }) => route.key),
      [flowRoute(1).key],
    );
    assert.deepEqual(rib.take(ALL, 3000), { announce: [], withdraw: [flowRoute(1, POLICE)] });
    assert.equal(rib.sentCount, 0);
  });

  it('a route that was announced and withdrawn again and again before the peer reads waits once', () => {
    const rib = new AdjRibOut();
    let asked = 0;
    const count = (): number => {
      asked++;
      return 1;
    };
    for (let i = 0; i < 1000; i++) {
      rib.announce(flowRoute(1));
      rib.withdraw(flowRoute(1).key);
    }
    rib.announce(flowRoute(1));
    assert.equal(rib.pendingCount, 1);
    assert.equal(rib.take(ALL, 0, count).announce.length, 1);
    assert.equal(asked, 1);
  });

  it('what was queued and taken back before a session ended does not keep the next from being given it', () => {
    const rib = new AdjRibOut();
    rib.announce(flowRoute(1));
    rib.withdraw(flowRoute(1).key);
    rib.clear();
    rib.announce(flowRoute(1));
    assert.deepEqual(rib.take(ALL, 0).announce, [flowRoute(1)]);
  });

  // A model of the peer applies what is taken; at rest its table is what was asked for, whatever the order of things.
  it('brings the peer to what was asked for, whatever is asked and however little is taken at a time', () => {
    const change = fc.record({
      n: fc.nat(5),
      what: fc.constantFrom('discard', 'police', 'withdraw', 'resend', 'take', 'take', 'unwritten', 'clear'),
      max: fc.integer({ min: 1, max: 3 }),
    });
    fc.assert(
      fc.property(fc.array(change, { maxLength: 60 }), (changes) => {
        const rib = new AdjRibOut();
        const asked = new Map<string, string>();
        const peer = new Map<string, string>();
        /** Takes, and writes all but the first announcement if that one fits into no message. */
        const take = (max: number, tooLong: boolean): void => {
          const { announce, withdraw } = rib.take(max, 0);
          const [first] = announce;
          for (const route of tooLong ? announce.slice(1) : announce)
            peer.set(route.key, route.attributes.key);
          for (const route of withdraw) peer.delete(route.key);
          if (!tooLong || first === undefined) return;
          rib.unwritten(first.key);
          asked.delete(first.key);
        };
        for (const { n, what, max } of changes) {
          const { key } = flowRoute(n);
          if (what === 'take' || what === 'unwritten') take(max, what === 'unwritten');
          else if (what === 'clear') {
            rib.clear();
            asked.clear();
            peer.clear();
          } else if (what === 'resend') rib.resend(FLOW4);
          else if (what === 'withdraw') {
            rib.withdraw(key);
            asked.delete(key);
          } else {
            const attributes = what === 'discard' ? DISCARD : POLICE;
            rib.announce(flowRoute(n, attributes));
            asked.set(key, attributes.key);
          }
          assert.deepEqual(new Set(rib.effectiveKeys()), new Set(asked.keys()));
          assert.deepEqual(
            new Set([...rib.sentRoutes()].map(({ route }) => route.key)),
            new Set(peer.keys()),
          );
          assert.equal(rib.sentCount, peer.size);
        }
        for (let left = 200; rib.pendingCount > 0 && left > 0; left--) take(1, false);
        assert.equal(rib.pendingCount, 0);
        assert.deepEqual(new Map([...peer].sort()), new Map([...asked].sort()));
      }),
    );
  });
});
