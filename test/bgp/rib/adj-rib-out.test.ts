import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { AdjRibOut } from '../../../src/bgp/rib/adj-rib-out.ts';
import { type OutRoute, routeAttributes, routeKey } from '../../../src/bgp/rib/route.ts';
import { DISCARD, FLOW4, FLOW6, flowRoute, POLICE } from '../speaker/support.ts';

const ALL = Number.MAX_SAFE_INTEGER;
const TABLE: readonly OutRoute[] = Array.from({ length: 6 }, (_, n) => flowRoute(n));

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
    rib.announce({ ...flowRoute(1), owner: 'other' });
    assert.equal(rib.pendingCount, 0);
    assert.equal(rib.sent(flowRoute(1).key)?.route.owner, 'other');
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

  it('withdraws what a route that is too long for any message was to replace, since the peer still has it', () => {
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
      what: fc.constantFrom(
        'discard',
        'police',
        'withdraw',
        'resend',
        'take',
        'take',
        'unwritten',
        'clear',
        'again',
      ),
      max: fc.integer({ min: 1, max: 3 }),
    });
    fc.assert(
      fc.property(fc.array(change, { maxLength: 60 }), (changes) => {
        const rib = new AdjRibOut();
        const asked = new Map<string, string>();
        const peer = new Map<string, string>();
        /** Takes, and writes all but the first announcement if that one is too long for any message. */
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
          const { key } = TABLE[n] ?? assert.fail();
          if (what === 'take' || what === 'unwritten') take(max, what === 'unwritten');
          else if (what === 'clear') {
            rib.clear();
            asked.clear();
            peer.clear();
          } else if (what === 'resend') rib.resend(FLOW4);
          else if (what === 'withdraw') {
            rib.withdraw(key);
            asked.delete(key);
          } else if (what === 'again') {
            // A session that comes back: the same objects in the same order, from one of them on.
            for (const route of TABLE.slice(n)) {
              rib.announce(route);
              asked.set(route.key, route.attributes.key);
            }
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

describe('a session that comes back', () => {
  const table = [1, 2, 3, 4, 5].map((n) => flowRoute(n));

  /** After a session that was told of the table, one that has been told of the first three and has written two. */
  function inTheMiddle(): AdjRibOut {
    const rib = ribWith(...table);
    rib.clear();
    // The speaker clears when a session ends and when the next one begins.
    rib.clear();
    for (const route of table.slice(0, 3)) rib.announce(route);
    rib.take(2, 2000);
    return rib;
  }

  function finish(rib: AdjRibOut): ReturnType<AdjRibOut['take']> {
    for (const route of table.slice(3)) rib.announce(route);
    return rib.take(ALL, 3000);
  }

  it('is told of everything again, and has nothing before it is written', () => {
    const rib = ribWith(...table);
    rib.clear();
    assert.deepEqual([[...rib.sentRoutes()], [...rib.effectiveKeys()]], [[], []]);
    for (const route of table) rib.announce(route);
    assert.deepEqual([rib.sentCount, rib.pendingCount], [0, 5]);
    assert.deepEqual(rib.take(ALL, 2000), { announce: table, withdraw: [] });
    assert.deepEqual([rib.sentCount, rib.pendingCount], [5, 0]);
    assert.equal(rib.sent(flowRoute(5).key)?.sentAt, 2000);
  });

  it('remembers the order of its routes, though it is cleared once more when the next session begins', () => {
    const rib = ribWith(...table);
    rib.clear();
    rib.clear();
    for (const route of table.toReversed()) rib.announce(route);
    assert.deepEqual(
      [...rib.effectiveKeys()],
      table.map(({ key }) => key),
    );
  });

  it('knows in the middle what is written, what waits and what it has not been told of', () => {
    const rib = inTheMiddle();
    assert.deepEqual(
      table.map(({ key }) => [rib.sent(key)?.sentAt, rib.effective(key) !== undefined]),
      [
        [2000, true],
        [2000, true],
        [undefined, true],
        [undefined, false],
        [undefined, false],
      ],
    );
    assert.deepEqual([rib.sentCount, rib.pendingCount], [2, 1]);
  });

  it('gets another action for a route that is written, waits, or is still to come', () => {
    for (const n of [1, 3, 5]) {
      const rib = inTheMiddle();
      rib.announce(flowRoute(n, POLICE));
      const { announce } = finish(rib);
      const last = announce.findLast(({ key }) => key === flowRoute(n).key);
      // The table still has the old one for the last: that is what was asked for last.
      assert.equal(last?.attributes.key, (n === 5 ? DISCARD : POLICE).key);
      assert.equal(rib.sent(flowRoute(n).key)?.route, last);
      assert.deepEqual([rib.sentCount, rib.pendingCount], [5, 0]);
    }
  });

  it('withdraws only what it has written', () => {
    const rib = inTheMiddle();
    for (const n of [1, 3, 5]) rib.withdraw(flowRoute(n).key);
    assert.equal(rib.pendingCount, 1);
    assert.deepEqual(rib.take(ALL, 0), { announce: [], withdraw: [flowRoute(1)] });
    assert.deepEqual([...rib.effectiveKeys()], [flowRoute(2).key]);
    // Whoever asks again gets it again, in its place or out of it.
    assert.deepEqual(finish(rib).announce, [flowRoute(4), flowRoute(5)]);
  });

  it('takes routes that it has never had between those that it had', () => {
    const rib = inTheMiddle();
    rib.announce(flowRoute(6));
    assert.deepEqual(
      finish(rib).announce,
      [3, 6, 4, 5].map((n) => flowRoute(n)),
    );
  });

  it('answers a route refresh in the middle with what is written', () => {
    const rib = inTheMiddle();
    rib.resend(FLOW4);
    assert.deepEqual(
      finish(rib).announce,
      [3, 1, 2, 4, 5].map((n) => flowRoute(n)),
    );
    assert.equal(rib.sentCount, 5);
  });

  it('that is lost in the middle leaves nothing waiting, and the next gets all of it', () => {
    const rib = inTheMiddle();
    rib.clear();
    assert.deepEqual([rib.sentCount, rib.pendingCount], [0, 0]);
    assert.deepEqual(rib.take(ALL, 0), { announce: [], withdraw: [] });
    for (const route of table) rib.announce(route);
    assert.deepEqual(rib.take(ALL, 0).announce, table);
  });

  it('does not mistake a route for the one whose slot it has got', () => {
    const rib = ribWith(...table);
    rib.withdraw(flowRoute(2).key);
    rib.take(ALL, 0);
    rib.announce(flowRoute(6));
    rib.clear();
    for (const n of [1, 2, 3, 4, 5, 6]) rib.announce(flowRoute(n));
    const { announce } = rib.take(ALL, 0);
    assert.deepEqual(
      announce,
      [1, 2, 3, 4, 5, 6].map((n) => flowRoute(n)),
    );
    assert.deepEqual(new Set(rib.effectiveKeys()), new Set(announce.map(({ key }) => key)));
  });

  it('does not keep the keys of rules that are gone', () => {
    const rib = new AdjRibOut();
    for (let session = 0; session < 3; session++) {
      rib.announce(flowRoute(session));
      rib.take(ALL, 0);
      rib.clear();
    }
    // Only the key of the last session is known, so the first comes as one that was never there.
    for (const n of [0, 2]) rib.announce(flowRoute(n));
    assert.deepEqual([...rib.effectiveKeys()], [flowRoute(2).key, flowRoute(0).key]);
  });
});
