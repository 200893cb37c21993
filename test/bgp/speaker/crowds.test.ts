/** Crowds of connections at the BGP listener, over real sockets: from strangers, and from the address of a neighbor. */
import assert from 'node:assert/strict';
import { connect, type Socket } from 'node:net';
import { describe, it } from 'node:test';
import { neighbor, speakerWith, until } from './support.ts';

/** Connections that say nothing and do not read. */
function crowd(port: number, from: string, count: number): readonly Socket[] {
  return Array.from({ length: count }, () => {
    const socket = connect({ host: '127.0.0.1', port, localAddress: from });
    return socket.on('error', () => undefined).resume();
  });
}

async function world() {
  const passive = speakerWith({
    listen: { host: '127.0.0.1', port: 0 },
    neighbors: [neighbor('127.0.0.61', 179, { passive: true })],
  });
  await passive.speaker.start();
  const port = passive.speaker.listening?.port ?? 0;
  const dialing = speakerWith({
    localAsn: 65001,
    routerId: '192.0.2.1',
    neighbors: [neighbor('127.0.0.1', port, { name: 'prefixd', peerAsn: 65010, localAddress: '127.0.0.61' })],
  });
  const stop = async (): Promise<void> => {
    await dialing.speaker.stop({ preserve: false });
    await passive.speaker.stop({ preserve: false });
  };
  return { passive, dialing, port, stop };
}

describe('a thousand connections that say nothing', () => {
  it('are closed when they come from an address of no neighbor, which gets its session all the same', async () => {
    const { passive, dialing, port, stop } = await world();
    const sockets = crowd(port, '127.0.0.62', 1000);
    await until('all are gone', () => sockets.every(({ closed }) => closed), 30_000);
    await dialing.speaker.start();
    await until('the session is established', () => passive.up.length === 1, 30_000);
    const lines = passive.log.filter(({ text }) => text.startsWith('connection refused'));
    assert.ok(lines.length <= 4, `${lines.length} lines`);
    await stop();
  });

  it('from the address of a neighbor leave few open, and an established session as it is', async () => {
    const { passive, dialing, port, stop } = await world();
    await dialing.speaker.start();
    await until('the session is established', () => passive.up.length === 1, 30_000);
    const sockets = crowd(port, '127.0.0.61', 1000);
    await until('nearly all are gone', () => sockets.filter(({ closed }) => !closed).length <= 2, 30_000);
    assert.deepEqual(passive.down, []);
    assert.equal(passive.speaker.peers()[0]?.state, 'established');
    for (const socket of sockets) socket.destroy();
    await stop();
  });
});
