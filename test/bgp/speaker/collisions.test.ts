/**
 * Both sides dial (RFC 4271 §6.8), over and over, in a simulated network: in whatever order things arrive and whichever
 * process is paused meanwhile, one connection stays.
 */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Speaker } from '../../../src/bgp/speaker/speaker.ts';
import { BookPeer, type Manner } from './book-peer.ts';
import { SimulatedNet, SimulatedProcess } from './simulated-net.ts';
import { neighbor } from './support.ts';

const SPEAKER = '192.0.2.10';
const PEER = '192.0.2.1';
/** Of the peer; the speaker's is 192.0.2.10. */
const LOWER = 0xc0000201;
const HIGHER = 0xc00002ff;

/** A speaker that dials and listens. */
function speakerAt(net: SimulatedNet, address: string, other: string, peerAsn: number) {
  const process = new SimulatedProcess(net, address);
  const speaker = new Speaker(
    {
      localAsn: peerAsn === 65001 ? 65010 : 65001,
      routerId: address,
      listen: { host: address, port: 179 },
      neighbors: [neighbor(other, 179, { peerAsn })],
    },
    process.runtime(),
  );
  const log: string[] = [];
  speaker.subscribe({ onLog: (level, _peer, text) => log.push(`${net.now.toFixed(1)} ${level} ${text}`) });
  const status = () => {
    const status = speaker.peers()[0];
    assert.ok(status !== undefined);
    return status;
  };
  return { process, speaker, log, status, isUp: () => speaker.isEstablished('edge1') };
}

function peerAt(net: SimulatedNet, manner: Manner, identifier: number, dialsAfter: () => number): BookPeer {
  return new BookPeer(net, { address: PEER, speaker: SPEAKER }, { identifier, manner, dialsAfter });
}

/** Processes that are paused now and then, for so long at most, until the returned function is called. */
function unsteady(
  net: SimulatedNet,
  processes: readonly { pause(milliseconds: number): void }[],
  atMost: number,
): () => void {
  let over = false;
  const next = (): void => {
    if (over) return;
    const length = net.random() * atMost;
    processes[Math.floor(net.random() * processes.length)]?.pause(length);
    net.at(net.now + length + net.random() * 200, next);
  };
  next();
  return () => {
    over = true;
  };
}

const ROUNDS = 200;

/**
 * Restarts the peer again and again. In most rounds it dials when the speaker does, so that two connections cross. Returns
 * how many connections were closed for a collision, and how many sessions came up.
 */
async function restarts(seed: number, manner: Manner, identifier: number, pauses: number) {
  const net = new SimulatedNet(seed);
  const { process, speaker, log, status, isUp } = speakerAt(net, SPEAKER, PEER, 65001);
  const peer = peerAt(net, manner, identifier, () => net.random() * 1500);
  await speaker.start();
  let collisions = 0;
  for (let round = 0; round < ROUNDS; round++) {
    net.delay = [0.2, 5, 40][round % 3] ?? 5;
    net.onDial = (from) => {
      const at = net.now + (net.random() - 0.2) * 2 * net.delay;
      if (from === SPEAKER && round % 4 !== 0) net.at(at, () => peer.dial());
    };
    log.length = 0;
    peer.start();
    const steady = unsteady(net, [process, peer], round % 2 === 0 ? 20 : pauses);
    const took = net.until(() => isUp() && peer.established, 5000);
    steady();
    assert.notEqual(took, undefined, `not up after 5 s, round ${round}: ${log.join(', ')}`);
    // Most sessions last; after the others the speaker waits longer before it dials (damping).
    net.pass(round % 5 === 0 ? 2500 : 31_000);
    assert.ok(isUp() && peer.established, `down again, round ${round}: ${log.join(', ')}`);
    collisions += peer.collisions + peer.lost;
    peer.stop();
    net.pass(net.random() * (round % 3 === 0 ? 1500 : 300));
  }
  return { collisions, sessions: status().counters.established };
}

describe('a neighbor that restarts while both sides dial', () => {
  for (const [what, manner] of [
    ['finds collisions in OpenConfirm, as RFC 4271 §6.8 has it', 'rfc'],
    ['finds them in OpenSent', 'early'],
    ['takes one connection and closes any other without a word', 'first'],
  ] as const) {
    for (const [who, identifier] of [
      ['ours', LOWER],
      ['theirs', HIGHER],
    ] as const) {
      it(`${what}; the higher identifier is ${who}: one session within 5 s, ${ROUNDS} times`, async () => {
        const { collisions, sessions } = await restarts(1, manner, identifier, 200);
        assert.equal(sessions, ROUNDS, 'no session was given up for another one');
        assert.ok(manner === 'first' || collisions > 20, `${collisions} collisions`);
      });
    }
  }

  for (const [who, identifier] of [
    ['ours', LOWER],
    ['theirs', HIGHER],
  ] as const) {
    it(`with pauses longer than either side waits for the other, identifier ${who}: up within 5 s`, async () => {
      const { sessions } = await restarts(2, 'rfc', identifier, 1500);
      assert.ok(sessions < ROUNDS * 1.05, `${sessions} sessions`);
    });
  }
});

describe('two speakers that dial each other', () => {
  it(`come to one session within 5 s, ${ROUNDS} times, whoever is paused`, async () => {
    const net = new SimulatedNet(3);
    const a = speakerAt(net, SPEAKER, PEER, 65001);
    const b = speakerAt(net, PEER, SPEAKER, 65010);
    await Promise.all([a.speaker.start(), b.speaker.start()]);
    for (let round = 0; round < ROUNDS; round++) {
      net.delay = [0.2, 5, 40][round % 3] ?? 5;
      const steady = unsteady(net, [a.process, b.process], round % 2 === 0 ? 20 : 200);
      const took = net.until(() => a.isUp() && b.isUp(), 5000);
      steady();
      assert.notEqual(took, undefined, `round ${round}: ${a.log.join(', ')}; ${b.log.join(', ')}`);
      net.pass(3000);
      assert.ok(a.isUp() && b.isUp(), `round ${round}: ${a.log.join(', ')}; ${b.log.join(', ')}`);
      // Both start anew, the second a little later than the first.
      a.speaker.setEnabled('edge1', false);
      b.speaker.setEnabled('edge1', false);
      net.pass(50);
      a.log.length = 0;
      b.log.length = 0;
      a.speaker.setEnabled('edge1', true);
      net.at(net.now + net.random() * net.delay, () => b.speaker.setEnabled('edge1', true));
    }
    assert.deepEqual(
      [a, b].map(({ status }) => status().counters.established),
      [ROUNDS, ROUNDS],
    );
  });
});

describe('who holds a connection of the neighbor', () => {
  it('does not dial after a restart: the neighbor’s connection is taken although the wait is not over', async () => {
    const net = new SimulatedNet(4);
    const { speaker, isUp } = speakerAt(net, SPEAKER, PEER, 65001);
    const peer = peerAt(net, 'rfc', LOWER, () => 50);
    await speaker.start();
    peer.start();
    net.until(isUp, 5000);
    const dials: string[] = [];
    net.onDial = (from) => dials.push(from);
    peer.stop();
    peer.start();
    net.until(() => !isUp(), 1000);
    const took = net.until(isUp, 5000);
    assert.ok(took !== undefined && took < 700, `${took} ms`);
    assert.deepEqual(dials, [PEER]);
  });

  it('dials when nothing arrives on it (RFC 4271 §8.2.1), and goes on dialing while it is silent', async () => {
    const net = new SimulatedNet(5);
    const { speaker, isUp } = speakerAt(net, SPEAKER, PEER, 65001);
    await speaker.start();
    net.pass(100);
    // It connects, says nothing, and answers no dial for 20 s.
    const mute = new SimulatedProcess(net, PEER);
    net.connect(mute, SPEAKER, (connection) =>
      connection?.use({ onData: () => undefined, onDrain: () => undefined, onClose: () => undefined }),
    );
    net.pass(20_000);
    const peer = peerAt(net, 'rfc', LOWER, () => 1e9);
    peer.start();
    assert.notEqual(
      net.until(() => isUp() && peer.established, 5000),
      undefined,
    );
  });

  it('is not kept from dialing by one silent connection after another', async () => {
    const net = new SimulatedNet(6);
    const { speaker, isUp } = speakerAt(net, SPEAKER, PEER, 65001);
    await speaker.start();
    const mute = new SimulatedProcess(net, PEER);
    const annoy = (): void => {
      net.connect(mute, SPEAKER, (connection) =>
        connection?.use({ onData: () => undefined, onDrain: () => undefined, onClose: () => undefined }),
      );
      net.at(net.now + 1500, annoy);
    };
    annoy();
    net.pass(20_000);
    const peer = peerAt(net, 'rfc', HIGHER, () => 1e9);
    peer.start();
    assert.notEqual(
      net.until(() => isUp() && peer.established, 5000),
      undefined,
    );
  });
});

describe('an operator who resets the session', () => {
  it('has it back at once: the wait is for sessions that fail', async () => {
    const net = new SimulatedNet(8);
    const { speaker, isUp, status } = speakerAt(net, SPEAKER, PEER, 65001);
    await speaker.start();
    const peer = peerAt(net, 'rfc', LOWER, () => 1e9);
    peer.start();
    net.until(() => isUp() && peer.established, 5000);
    speaker.clear('edge1', 'hard');
    assert.notEqual(
      net.until(() => !isUp(), 100),
      undefined,
    );
    const took = net.until(() => isUp() && peer.established, 5000);
    assert.ok(took !== undefined && took < 100, `${took} ms`);
    assert.equal(status().counters.established, 2);
  });
});

describe('damping (RFC 4271 §8.1.1)', () => {
  it('of a session that ended long ago does not make a neighbor wait that comes back', async () => {
    const net = new SimulatedNet(7);
    const { speaker, isUp, log } = speakerAt(net, SPEAKER, PEER, 65001);
    await speaker.start();
    const peer = peerAt(net, 'rfc', LOWER, () => 1e9);
    for (const secondsAway of [1, 3, 10, 60, 600]) {
      // Sessions that do not last.
      for (let i = 0; i < 6; i++) {
        peer.start();
        net.until(() => isUp() && peer.established, 10_000);
        net.pass(100);
        peer.stop();
        net.pass(100);
      }
      net.pass(secondsAway * 1000);
      log.length = 0;
      peer.start();
      const took = net.until(() => isUp() && peer.established, 5000);
      assert.notEqual(took, undefined, `${secondsAway} s away: ${log.join(', ')}`);
      peer.stop();
      net.pass(100);
    }
  });
});
