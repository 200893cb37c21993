import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import net from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, it } from 'node:test';
import { isEndOfRib } from '../../../src/bgp/wire/update.ts';
import { LabRouter } from '../../../src/lab/router.ts';
import { dialFrom, listenAt, SCRIPT_CONFIG, type ScriptedConnection } from './scripted-peer.ts';
import { FLOW4, flowRoute, neighbor, POLICE, speakerWith, until } from './support.ts';

/** A peer at an address of its own that listens, and a speaker that dials it and listens too. */
async function meeting(peerHost: string, speakerHost: string, routerId = '192.0.2.10') {
  const peer = await listenAt(peerHost);
  const talking = speakerWith({
    routerId,
    listen: { host: speakerHost, port: 0 },
    neighbors: [neighbor(peerHost, peer.port, { localAddress: speakerHost })],
  });
  await talking.speaker.start();
  const port = talking.speaker.listening?.port ?? 0;
  const stop = async (): Promise<void> => {
    peer.close();
    await talking.speaker.stop({ preserve: false });
  };
  return { ...talking, peer, stop, dial: () => dialFrom(peerHost, speakerHost, port) };
}

describe('two connections with one neighbor (RFC 4271 §6.8)', () => {
  // The speaker is 192.0.2.10; who has the higher router id keeps the connection that it opened.
  for (const [what, peerIdentifier, stays] of [
    ['ours stays when our router id is higher', 0xc0000201, 'dialled'],
    ['theirs stays when their router id is higher', 0xc00002ff, 'accepted'],
  ] as const) {
    it(what, async () => {
      const { speaker, up, peer, stop, dial } = await meeting('127.0.0.41', '127.0.0.40');
      const dialled = await peer.next(0);
      const accepted = await dial();
      await dialled.got('open');
      await accepted.got('open');
      const config = { localIdentifier: peerIdentifier };
      dialled.sendOpen(config);
      await dialled.got('keepalive');
      accepted.sendOpen(config);
      const [winner, loser] = stays === 'dialled' ? [dialled, accepted] : [accepted, dialled];
      assert.equal(await loser.notification(), '6/7');
      await winner.got('keepalive');
      winner.send({ type: 'keepalive' });
      await until('established', () => up.length === 1);
      speaker.apply('edge1', [flowRoute(1)], []);
      await winner.got('update');
      assert.equal(speaker.peers()[0]?.lastError, undefined);
      await stop();
    });
  }

  it('a new connection is closed while a session stands', async () => {
    const { speaker, up, down, peer, stop, dial } = await meeting('127.0.0.41', '127.0.0.40');
    await (await peer.next(0)).establish();
    await until('established', () => up.length === 1);
    const second = await dial();
    second.sendOpen({ localIdentifier: 0xc00002ff });
    assert.equal(await second.notification(), '6/7');
    assert.deepEqual(down, []);
    assert.ok(speaker.isEstablished('edge1'));
    await stop();
  });

  it('a peer that goes away in the middle leaves the other connection to it', async () => {
    const { up, peer, stop, dial } = await meeting('127.0.0.41', '127.0.0.40');
    const dialled = await peer.next(0);
    const accepted = await dial();
    await dialled.got('open');
    await accepted.got('open');
    dialled.end();
    await accepted.establish();
    await until('established', () => up.length === 1);
    await stop();
  });

  it('two speakers that dial each other at once come to one session and stay there', async () => {
    const listen = (host: string) => ({ listen: { host, port: 18179 } });
    const side = (host: string, other: string, asn: number) =>
      speakerWith({
        localAsn: asn === 65010 ? 65001 : 65010,
        routerId: host,
        ...listen(host),
        neighbors: [neighbor(other, 18179, { peerAsn: asn, localAddress: host })],
      });
    const a = side('127.0.0.42', '127.0.0.43', 65001);
    const b = side('127.0.0.43', '127.0.0.42', 65010);
    await Promise.all([a.speaker.start(), b.speaker.start()]);
    await until('one session', () => a.speaker.isEstablished('edge1') && b.speaker.isEstablished('edge1'));
    a.speaker.apply('edge1', [flowRoute(1)], []);
    await until('a route crosses', () => b.speaker.peers()[0]?.counters.routesReceived === 1);
    assert.deepEqual([a.up.length, b.up.length, a.down, b.down], [1, 1, [], []]);
    await Promise.all([a.speaker.stop({ preserve: false }), b.speaker.stop({ preserve: false })]);
  });

  it('the neighbor’s connection that comes while we wait after a failure is taken when the wait ends', async () => {
    const { up, peer, stop, dial, speaker } = await meeting('127.0.0.41', '127.0.0.40');
    const first = await peer.next(0);
    await first.got('open');
    first.sendOpen({ localAsn: 65009 });
    assert.equal(await first.notification(), '2/2');
    await until('idle', () => speaker.peers()[0]?.state === 'idle');
    const second = await dial();
    await second.establish();
    await until('established', () => up.length === 1);
    await stop();
  });
});

describe('graceful restart (RFC 4724, RFC 8538)', () => {
  const gracefulRestart = { restartTimeSeconds: 120, longLivedStaleSeconds: 0 };
  const helper = { restartTimeSeconds: 120, longLivedStaleSeconds: 0, restarting: false };

  function restartBit(connection: ScriptedConnection): boolean | undefined {
    for (const message of connection.messages) {
      if (message.type !== 'open') continue;
      return message.capabilities.find((c) => c.type === 'graceful-restart')?.restarting;
    }
    return undefined;
  }

  it('has the R bit set until a session has come up, and clear afterwards', async () => {
    const peer = await listenAt('127.0.0.44');
    const { speaker, up } = speakerWith({
      neighbors: [neighbor('127.0.0.44', peer.port, { gracefulRestart })],
    });
    await speaker.start();
    const first = await peer.next(0);
    await first.establish({ gracefulRestart: helper });
    await until('established', () => up.length === 1);
    assert.equal(restartBit(first), true);
    assert.equal(speaker.peers()[0]?.negotiated?.gracefulRestart, true);
    first.end();
    const second = await peer.next(1);
    await second.got('open');
    assert.equal(restartBit(second), false);
    peer.close();
    await speaker.stop({ preserve: false });
  });

  for (const [what, change, kept] of [
    ['the hold time', { holdTimeSeconds: 30 }, true],
    ['the AS of the router, which may be another one then', { peerAsn: 65002 }, false],
    ['graceful restart, which is gone', 'none', false],
    ['enabled, which is false', { enabled: false }, false],
  ] as const) {
    it(`a session that is reset for a change of ${what}, ${kept ? 'keeps' : 'loses'} its rules meanwhile`, async () => {
      const changes: string[] = [];
      const lab = new LabRouter({
        host: '127.0.0.1',
        port: 0,
        asn: 65001,
        routerId: '192.0.2.1',
        helper: true,
        onChange: ({ kind }) => changes.push(kind),
      });
      const at = await lab.start();
      const settings = neighbor(at.host, at.port, { gracefulRestart });
      const { speaker, up } = speakerWith({ neighbors: [settings] });
      await speaker.start();
      await until('established', () => up.length === 1);
      speaker.apply('edge1', [flowRoute(1), flowRoute(2)], []);
      await until('two rules', () => lab.rules().length === 2);
      changes.length = 0;
      const { gracefulRestart: _restart, ...rest } = settings;
      await speaker.reconfigure([{ ...rest, ...(change === 'none' ? {} : { gracefulRestart, ...change }) }]);
      await until('the router has seen it go', () => kept || lab.rules().length === 0);
      if (kept) {
        assert.equal(lab.rules().length, 2);
        await until('established again', () => up.length === 2);
        speaker.apply('edge1', [flowRoute(1)], []);
        speaker.endOfRib('edge1');
        await until('what ended meanwhile is gone', () => lab.rules().length === 1);
        assert.deepEqual(
          changes.filter((kind) => kind === 'withdrawn'),
          ['withdrawn'],
        );
      }
      await speaker.stop({ preserve: false });
      await lab.close();
    });
  }

  it('stops without a NOTIFICATION where the peer keeps the rules, and without a withdrawal', async () => {
    const peer = await listenAt('127.0.0.44');
    const { speaker, up } = speakerWith({
      neighbors: [neighbor('127.0.0.44', peer.port, { gracefulRestart })],
    });
    await speaker.start();
    const connection = await peer.next(0);
    await connection.establish({ gracefulRestart: helper });
    await until('established', () => up.length === 1);
    speaker.apply('edge1', [flowRoute(1)], []);
    await connection.got('update');
    await speaker.stop({ preserve: true });
    await until('closed', () => connection.closed);
    const types = connection.messages.map((message) => message.type);
    assert.deepEqual(types, ['open', 'keepalive', 'update']);
    peer.close();
  });

  it('stops with 6/2 where the peer keeps nothing, for then there is nothing to lose', async () => {
    const peer = await listenAt('127.0.0.44');
    const { speaker, up } = speakerWith({
      neighbors: [neighbor('127.0.0.44', peer.port, { gracefulRestart })],
    });
    await speaker.start();
    const connection = await peer.next(0);
    await connection.establish();
    await until('established', () => up.length === 1);
    await speaker.stop({ preserve: true });
    assert.equal(await connection.notification(), '6/2');
    peer.close();
  });

  it('withdraws everything and sends a Hard Reset when nothing shall be kept', async () => {
    const peer = await listenAt('127.0.0.44');
    const { speaker, up } = speakerWith({
      neighbors: [neighbor('127.0.0.44', peer.port, { gracefulRestart })],
    });
    await speaker.start();
    const connection = await peer.next(0);
    await connection.establish({ gracefulRestart: helper });
    await until('established', () => up.length === 1);
    speaker.apply('edge1', [flowRoute(1)], []);
    await connection.got('update');
    await speaker.stop({ preserve: false });
    assert.equal(await connection.notification(), '6/9');
    const [, withdrawal] = connection.messages.filter((message) => message.type === 'update');
    assert.deepEqual(withdrawal?.attributes.mpUnreach?.nlri, flowRoute(1).nlri);
    peer.close();
  });

  it('a restart is not noticed in a helping router: no rule missing, none withdrawn', async () => {
    const changes: string[] = [];
    const lab = new LabRouter({
      host: '127.0.0.1',
      port: 0,
      asn: 65001,
      routerId: '192.0.2.1',
      helper: true,
      onChange: ({ kind, text }) => changes.push(`${kind} ${text}`),
    });
    const at = await lab.start();
    const settings = { neighbors: [neighbor(at.host, at.port, { gracefulRestart })] };
    const before = speakerWith(settings);
    await before.speaker.start();
    await until('established', () => before.up.length === 1);
    before.speaker.apply('edge1', [flowRoute(1), flowRoute(2), flowRoute(3)], []);
    await until('three rules', () => lab.rules().length === 3);
    await before.speaker.stop({ preserve: true });
    await until('the router has seen it go', () => lab.established === 0);
    assert.equal(lab.rules().filter((rule) => rule.stale).length, 3);
    const after = speakerWith(settings);
    await after.speaker.start();
    await until('established again', () => after.up.length === 1);
    after.speaker.apply('edge1', [flowRoute(1), flowRoute(2)], []);
    assert.equal(lab.rules().length, 3);
    changes.length = 0;
    after.speaker.endOfRib('edge1');
    await until('what ended meanwhile is gone', () => lab.rules().length === 2);
    assert.deepEqual(changes, ['withdrawn match dst 198.18.0.3/32 proto udp then discard']);
    assert.ok(lab.rules().every((rule) => !rule.stale));
    await after.speaker.stop({ preserve: false });
    await lab.close();
  });

  it('the new connection of a peer that restarted takes the place of the dead one (RFC 4724 §5)', async () => {
    const peer = await listenAt('127.0.0.45');
    const { speaker, up, down } = speakerWith({
      listen: { host: '127.0.0.46', port: 0 },
      neighbors: [neighbor('127.0.0.45', peer.port, { localAddress: '127.0.0.46', gracefulRestart })],
    });
    await speaker.start();
    await (await peer.next(0)).establish({ gracefulRestart: helper });
    await until('established', () => up.length === 1);
    const fresh = await dialFrom('127.0.0.45', '127.0.0.46', speaker.listening?.port ?? 0);
    await fresh.establish({ gracefulRestart: helper });
    await until('established again', () => up.length === 2);
    assert.equal(down.length, 1);
    fresh.end();
    peer.close();
    await speaker.stop({ preserve: false });
  });
});

describe('a peer that refuses our OPEN', () => {
  for (const [what, subcode, data, advice] of [
    ['for its capabilities as a whole, 2/4', 4, [], /2\/4\); the peer does not accept capabilities/],
    ['for want of a family, 2/7', 7, [1, 4, 0, 1, 0, 1], /it names ipv4-unicast/],
    ['for an optional capability, 2/7', 7, [6, 0], /refuses the capability extended-message \(6\)/],
  ] as const) {
    it(`${what}, is asked again with the same, later and later, and the operator reads what to change`, async () => {
      const { speaker, up, peer, stop } = await meeting('127.0.0.41', '127.0.0.40');
      const opens = [];
      for (const index of [0, 1]) {
        const connection = await peer.next(index);
        await connection.got('open');
        opens.push(connection.messages[0]);
        connection.send({ type: 'notification', code: 2, subcode, data: Uint8Array.from(data) });
        await until('closed', () => connection.closed);
        assert.match(speaker.peers()[0]?.lastError ?? '', advice);
      }
      assert.deepEqual(opens[1], opens[0]);
      const third = await peer.next(2);
      await third.establish();
      await until('established', () => up.length === 1);
      await stop();
    });
  }
});

describe('what an established neighbor is sent', () => {
  it('End-of-RIB for every family, behind everything that was queued before', async () => {
    const { speaker, up, peer, stop } = await meeting('127.0.0.41', '127.0.0.40');
    const connection = await peer.next(0);
    await connection.establish();
    await until('established', () => up.length === 1);
    speaker.apply(
      'edge1',
      Array.from({ length: 3000 }, (_, n) => flowRoute(n)),
      [],
    );
    speaker.endOfRib('edge1');
    const updates = () => connection.messages.filter((message) => message.type === 'update');
    await until('both marks', () => updates().filter((one) => isEndOfRib(one) !== undefined).length === 2);
    const marks = updates().map((one) => isEndOfRib(one));
    assert.deepEqual(marks.slice(-2), [
      { afi: 1, safi: 133 },
      { afi: 2, safi: 133 },
    ]);
    assert.equal(marks.slice(0, -2).filter((mark) => mark !== undefined).length, 0);
    const octets = updates().reduce((sum, one) => sum + (one.attributes.mpReach?.nlri.length ?? 0), 0);
    assert.equal(octets, 3000 * flowRoute(1).nlri.length);
    await stop();
  });

  it('everything again between the marks of RFC 7313 when it asks', async () => {
    const { speaker, up, peer, stop } = await meeting('127.0.0.41', '127.0.0.40');
    const connection = await peer.next(0);
    await connection.establish();
    await until('established', () => up.length === 1);
    speaker.apply('edge1', [flowRoute(1), flowRoute(2, POLICE)], []);
    await connection.got('update', 2);
    const already = connection.messages.length;
    connection.send({ type: 'route_refresh', family: FLOW4, subtype: 0 });
    await connection.got('route_refresh', 2);
    const words = connection.messages.slice(already).flatMap((message) => {
      if (message.type === 'route_refresh') return [message.subtype === 1 ? 'begin' : 'end'];
      return message.type === 'update' ? ['update'] : [];
    });
    assert.deepEqual(words, ['begin', 'update', 'update', 'end']);
    await stop();
  });

  for (const [what, restart, words] of [
    // RFC 7313 §4: "For a BGP speaker that supports the BGP Graceful Restart, it MUST NOT send a BoRR for an <AFI, SAFI>
    // to a neighbor before it sends the EoR for the <AFI, SAFI> to the neighbor."
    [
      'behind End-of-RIB when the peer may hold stale routes',
      { restartTimeSeconds: 120, longLivedStaleSeconds: 0 },
      ['update', 'end of rib', 'end of rib', 'begin', 'update', 'end'],
    ],
    ['at once when it holds none', undefined, ['begin', 'end', 'update', 'end of rib', 'end of rib']],
  ] as const) {
    it(`everything again for a request that comes before the table: ${what}`, async (t) => {
      const peer = await listenAt('127.0.0.41');
      const gracefulRestart = restart === undefined ? {} : { gracefulRestart: restart };
      const { speaker, up } = speakerWith({
        neighbors: [neighbor('127.0.0.41', peer.port, gracefulRestart)],
      });
      t.after(async () => {
        peer.close();
        await speaker.stop({ preserve: true });
      });
      await speaker.start();
      const connection = await peer.next(0);
      await connection.establish(
        restart === undefined ? {} : { gracefulRestart: { ...restart, restarting: false } },
      );
      await until('established', () => up.length === 1);
      const before = speaker.peers()[0]?.counters.messagesIn.route_refresh ?? 0;
      connection.send({ type: 'route_refresh', family: FLOW4, subtype: 0 });
      await until('asked', () => speaker.peers()[0]?.counters.messagesIn.route_refresh === before + 1);
      speaker.apply('edge1', [flowRoute(1)], []);
      await connection.got('update', 1);
      speaker.endOfRib('edge1');
      await connection.got('update', 3);
      await connection.got('route_refresh', 2);
      const said = connection.messages.flatMap((message) => {
        if (message.type === 'route_refresh') return [message.subtype === 1 ? 'begin' : 'end'];
        if (message.type !== 'update') return [];
        return [isEndOfRib(message) === undefined ? 'update' : 'end of rib'];
      });
      assert.deepEqual(said, words);
    });
  }

  it('nothing for a family that was not negotiated', async () => {
    const { speaker, up, peer, stop } = await meeting('127.0.0.41', '127.0.0.40');
    const connection = await peer.next(0);
    await connection.establish({ families: [FLOW4] });
    await until('established', () => up.length === 1);
    connection.send({ type: 'route_refresh', family: { afi: 2, safi: 133 }, subtype: 0 });
    speaker.apply('edge1', [flowRoute(1)], []);
    await connection.got('update');
    assert.ok(!connection.messages.some((message) => message.type === 'route_refresh'));
    await stop();
  });

  it('keepalives while a large table is on its way', async () => {
    const { speaker, up, peer, stop } = await meeting('127.0.0.41', '127.0.0.40');
    const connection = await peer.next(0);
    await connection.establish({ holdTimeSeconds: 3 });
    await until('established', () => up.length === 1);
    const sending = setInterval(() => {
      const round = Array.from({ length: 5000 }, (_, n) =>
        flowRoute(n, performance.now() % 2 < 1 ? POLICE : undefined),
      );
      speaker.apply('edge1', round, []);
    }, 20);
    const alive = setInterval(() => connection.send({ type: 'keepalive' }), 500);
    await connection.got('keepalive', 3);
    clearInterval(sending);
    clearInterval(alive);
    assert.ok(speaker.isEstablished('edge1'));
    await stop();
  });
});

describe('the operator', () => {
  it('disables with 6/2 and the words for the other side, and enables again', async () => {
    const { speaker, up, down, peer, stop } = await meeting('127.0.0.41', '127.0.0.40');
    const connection = await peer.next(0);
    await connection.establish();
    await until('established', () => up.length === 1);
    speaker.setEnabled('edge1', false, 'replacing a line card');
    assert.equal(await connection.notification(), '6/2');
    assert.equal(speaker.peers()[0]?.state, 'idle');
    assert.equal(speaker.peers()[0]?.enabled, false);
    assert.equal(
      speaker.peers()[0]?.lastNotificationSent?.text,
      'Cease/Administrative Shutdown (6/2): replacing a line card',
    );
    assert.deepEqual(down, ['edge1']);
    speaker.setEnabled('edge1', true);
    await (await peer.next(1)).establish();
    await until('established again', () => up.length === 2);
    await stop();
  });

  it('resets with 6/4, and the next session is no flap', async () => {
    const { speaker, up, peer, stop } = await meeting('127.0.0.41', '127.0.0.40');
    const connection = await peer.next(0);
    await connection.establish();
    await until('established', () => up.length === 1);
    speaker.clear('edge1', 'hard');
    assert.equal(await connection.notification(), '6/4');
    await (await peer.next(1)).establish();
    await until('established again', () => up.length === 2);
    assert.equal(speaker.peers()[0]?.counters.flaps, 0);
    await stop();
  });

  it('has everything sent again without a new session', async () => {
    const { speaker, up, down, peer, stop } = await meeting('127.0.0.41', '127.0.0.40');
    const connection = await peer.next(0);
    await connection.establish();
    await until('established', () => up.length === 1);
    speaker.apply('edge1', [flowRoute(1)], []);
    await connection.got('update');
    speaker.clear('edge1', 'soft');
    await connection.got('update', 2);
    assert.deepEqual(down, []);
    await stop();
  });

  it('logs one line for many requests to send everything again', async () => {
    const { peer, speaker, log, up, stop } = await meeting('127.0.0.47', '127.0.0.48');
    const connection = await peer.next(0);
    await connection.establish();
    await until('established', () => up.length === 1);
    speaker.apply('edge1', [flowRoute(1)], []);
    for (let i = 0; i < 20; i++) {
      connection.send({ type: 'route_refresh', family: FLOW4, subtype: 0 });
      await connection.got('update', i + 2);
    }
    assert.equal(log.filter(({ text }) => text.includes('requests ipv4-flowspec again')).length, 1);
    await stop();
  });

  it('changes one neighbor of the configuration, and the others keep their sessions', async () => {
    const labs = [65001, 65002, 65003].map(
      (asn, i) => new LabRouter({ host: '127.0.0.1', port: 0, asn, routerId: `192.0.2.${i + 1}` }),
    );
    const [one, two, three] = await Promise.all(labs.map((lab) => lab.start()));
    assert.ok(one !== undefined && two !== undefined && three !== undefined);
    const a = neighbor(one.host, one.port, { name: 'a', peerAsn: 65001 });
    const b = neighbor(two.host, two.port, { name: 'b', peerAsn: 65002 });
    const c = neighbor(three.host, three.port, { name: 'c', peerAsn: 65003 });
    const { speaker, up, down } = speakerWith({ neighbors: [a, b] });
    await speaker.start();
    await until('both up', () => up.length === 2);
    await speaker.reconfigure([c, { ...a, families: [...a.families] }, { ...b, holdTimeSeconds: 30 }]);
    await until('two more sessions', () => up.length === 4);
    assert.deepEqual(down, ['b']);
    assert.deepEqual(
      speaker.peers().map((peer) => [peer.name, peer.negotiated?.holdTimeSeconds]),
      [
        ['c', 90],
        ['a', 90],
        ['b', 30],
      ],
    );
    await speaker.reconfigure([c]);
    assert.deepEqual(down, ['b', 'a', 'b']);
    assert.throws(() => speaker.isEstablished('a'), {
      name: 'RangeError',
      message: 'there is no neighbor a',
    });
    await speaker.stop({ preserve: false });
    await Promise.all(labs.map((lab) => lab.close()));
  });
});

describe('a UNIX socket', () => {
  it('carries a session to a helper that owns the privileged side', async () => {
    const folder = await mkdtemp(path.join(tmpdir(), 'prefixd-'));
    const at = path.join(folder, 'helper.sock');
    const lab = new LabRouter({ host: '127.0.0.1', port: 0, asn: 65001, routerId: '192.0.2.1' });
    const router = await lab.start();
    // The helper: what comes on the socket goes to the router, and back.
    const helper = net.createServer((inside) => {
      const outside = net.connect({ host: router.host, port: router.port });
      inside.pipe(outside).pipe(inside);
      for (const socket of [inside, outside]) socket.on('error', () => undefined);
    });
    await new Promise<void>((resolve) => helper.listen(at, resolve));
    const { speaker, up } = speakerWith({
      neighbors: [neighbor('', 0, { address: { kind: 'unix', path: at } })],
    });
    await speaker.start();
    await until('established', () => up.length === 1);
    speaker.apply('edge1', [flowRoute(1)], []);
    await until('the rule stands', () => lab.rules().length === 1);
    assert.equal(speaker.peers()[0]?.address, `unix:${at}`);
    await speaker.stop({ preserve: false });
    helper.close();
    await lab.close();
    await rm(folder, { recursive: true });
  });

  it('that is not there is named in the error', async () => {
    const { speaker } = speakerWith({
      neighbors: [neighbor('', 0, { address: { kind: 'unix', path: '/nonexistent/bgp.sock' } })],
    });
    await speaker.start();
    await until('the dial failed', () => speaker.peers()[0]?.lastError !== undefined);
    assert.equal(
      speaker.peers()[0]?.lastError,
      'nothing is listening on /nonexistent/bgp.sock: start the helper that owns this socket',
    );
    await speaker.stop({ preserve: false });
  });
});

describe('inside one AS', () => {
  it('a rule carries LOCAL_PREF and an empty AS_PATH', async () => {
    const peer = await listenAt('127.0.0.47');
    const { speaker, up } = speakerWith({
      neighbors: [neighbor('127.0.0.47', peer.port, { peerAsn: 65010 })],
    });
    await speaker.start();
    const connection = await peer.next(0);
    connection.internal = true;
    await connection.establish({ localAsn: SCRIPT_CONFIG.peerAsn });
    await until('established', () => up.length === 1);
    speaker.apply('edge1', [flowRoute(1)], []);
    await connection.got('update');
    const update = connection.messages.find((message) => message.type === 'update');
    assert.deepEqual(update?.attributes.asPath, []);
    assert.equal(update?.attributes.localPref, 100);
    peer.close();
    await speaker.stop({ preserve: false });
  });
});
