import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { AdjRibOut } from '../../../src/bgp/rib/adj-rib-out.ts';
import { type OutRoute, routeAttributes, routeKey } from '../../../src/bgp/rib/route.ts';
import { Outbound } from '../../../src/bgp/speaker/outbound.ts';
import { LabRouter } from '../../../src/lab/router.ts';
import { agreementWith } from '../fsm/support.ts';
import { FLOW4, flowRoute, neighbor, speakerWith, until } from './support.ts';

it('a table that takes several turns goes out in full messages, but for two', async () => {
  const lab = new LabRouter({ host: '127.0.0.1', port: 0, asn: 65001, routerId: '192.0.2.1' });
  const at = await lab.start();
  const { speaker, up } = speakerWith({ neighbors: [neighbor(at.host, at.port)] });
  await speaker.start();
  await until('established', () => up.length === 1);
  const routes = Array.from({ length: 12_000 }, (_, n) => flowRoute(n));
  speaker.apply('edge1', routes, []);
  await until('all rules stand', () => lab.rules().length === routes.length);
  // 404 NLRI of 10 octets fit into one message: 29.7 messages' worth.
  assert.ok((speaker.peers()[0]?.counters.messagesOut.update ?? 0) <= 31);
  await speaker.stop({ preserve: false });
  await lab.close();
});

/** What each turn writes of these routes to a session that takes everything. */
async function turnsOf(
  routes: readonly OutRoute[],
  rib = new AdjRibOut(),
  written: Uint8Array[] = [],
): Promise<{ readonly messages: number; readonly octets: number }[]> {
  for (const route of routes) rib.announce(route);
  const waiting: (() => void)[] = [];
  const turns: { messages: number; octets: number }[] = [];
  const outbound = new Outbound(
    {
      congested: false,
      written: 0,
      acknowledged: 0,
      look: () => undefined,
      send: () => undefined,
      writeUpdates: (messages) => {
        written.push(...messages);
        const octets = messages.reduce((sum, message) => sum + message.length, 0);
        turns.push({ messages: messages.length, octets });
      },
    },
    agreementWith(),
    65010,
    rib,
    { now: () => 0, soon: (callback) => waiting.push(callback) },
    { onSent: () => undefined, onAcknowledged: () => undefined, onTooLong: () => assert.fail('too long') },
  );
  outbound.wake();
  // The first turn comes as soon as the caller is through, the others one by one.
  await Promise.resolve();
  for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) next();
  assert.equal(rib.sentCount, routes.length);
  return turns;
}

describe('a turn of the event loop', () => {
  it('writes some 4000 ordinary rules', async () => {
    const turns = await turnsOf(Array.from({ length: 12_000 }, (_, n) => flowRoute(n)));
    assert.equal(turns.length, 3);
  });

  it('writes fewer rules when they are long', async () => {
    const long = Array.from({ length: 2000 }, (_, n) => {
      // A length of 1000 in two octets (RFC 8955 §4.1), and as much content, told apart by its first two octets.
      const nlri = new Uint8Array(1002).fill(1);
      nlri.set([0xf3, 0xe8, n >>> 8, n & 0xff]);
      return { ...flowRoute(n), key: routeKey(FLOW4, nlri), nlri };
    });
    const turns = await turnsOf(long);
    assert.ok(turns.length >= 7);
    for (const { octets } of turns) assert.ok(octets <= 320_000, `${octets} octets`);
  });

  it('writes fewer rules when each has attributes of its own, and so a message', async () => {
    const own = Array.from({ length: 4000 }, (_, n) =>
      flowRoute(n, routeAttributes({ communities: Uint8Array.of(0, 1, n >>> 8, n & 0xff) })),
    );
    const turns = await turnsOf(own);
    for (const { messages } of turns) assert.ok(messages <= 1200, `${messages} messages`);
  });
});

it('a session that comes back is written the same octets as the one before', async () => {
  const routes = Array.from({ length: 12_000 }, (_, n) => flowRoute(n));
  const rib = new AdjRibOut();
  const [first, second]: [Uint8Array[], Uint8Array[]] = [[], []];
  await turnsOf(routes, rib, first);
  rib.clear();
  await turnsOf(routes, rib, second);
  assert.deepEqual(second, first);
});
