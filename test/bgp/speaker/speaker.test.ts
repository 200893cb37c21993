import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { LabRouter } from '../../../src/lab/router.ts';
import { flowRoute, neighbor, POLICE, speakerWith, until } from './support.ts';

describe('a speaker and a router over TCP', () => {
  it('dials, announces, replaces, withdraws, and withdraws everything when it stops', async () => {
    const changes: string[] = [];
    const lab = new LabRouter({
      host: '127.0.0.1',
      port: 0,
      asn: 65001,
      routerId: '192.0.2.1',
      onChange: (change) => changes.push(`${change.kind} ${change.text}`),
    });
    const at = await lab.start();
    const { speaker, up, down } = speakerWith({ neighbors: [neighbor(at.host, at.port)] });
    await speaker.start();
    await until('established', () => up.length === 1);
    speaker.apply('edge1', [flowRoute(1), flowRoute(2)], []);
    speaker.endOfRib('edge1');
    await until('both rules stand', () => lab.rules().length === 2);
    assert.equal(lab.rules()[0]?.text, 'match dst 198.18.0.1/32 proto udp then discard');
    speaker.apply('edge1', [flowRoute(1, POLICE)], []);
    await until('replaced', () => changes.some((change) => change.startsWith('replaced')));
    assert.equal(speaker.ribOut('edge1').sent.size, 2);
    speaker.apply('edge1', [], [flowRoute(1).key]);
    await until('withdrawn', () => lab.rules().length === 1);
    await speaker.stop({ preserve: false, communication: 'maintenance' });
    assert.deepEqual(lab.rules(), []);
    assert.deepEqual(down, ['edge1']);
    assert.equal(
      speaker.peers()[0]?.lastNotificationSent?.text,
      'Cease/Administrative Shutdown (6/2): maintenance',
    );
    await lab.close();
  });

  it('accepts the session of a neighbor that dials', async () => {
    const passive = speakerWith({
      listen: { host: '127.0.0.1', port: 0 },
      neighbors: [neighbor('127.0.0.1', 179, { passive: true })],
    });
    await passive.speaker.start();
    const port = passive.speaker.listening?.port ?? 0;
    const dialling = speakerWith({
      localAsn: 65001,
      routerId: '192.0.2.1',
      neighbors: [neighbor('127.0.0.1', port, { name: 'prefixd', peerAsn: 65010 })],
    });
    await dialling.speaker.start();
    await until('both established', () => passive.up.length === 1 && dialling.up.length === 1);
    passive.speaker.apply('edge1', [flowRoute(7)], []);
    await until('counted and dropped', () => dialling.speaker.peers()[0]?.counters.routesReceived === 1);
    await dialling.speaker.stop({ preserve: false });
    await until('down on the other side', () => passive.down.length === 1);
    assert.match(passive.speaker.peers()[0]?.lastError ?? '', /Administrative Shutdown \(6\/2\)/);
    await passive.speaker.stop({ preserve: false });
  });

  it('says in words why a neighbor cannot be reached, and goes on trying', async () => {
    const { speaker } = speakerWith({ neighbors: [neighbor('127.0.0.1', 1)] });
    await speaker.start();
    await until('the dial failed', () => speaker.peers()[0]?.lastError !== null);
    assert.equal(
      speaker.peers()[0]?.lastError,
      "127.0.0.1:1 refused the connection: is BGP running there and configured for this side's address?",
    );
    assert.equal(speaker.peers()[0]?.state, 'active');
    await speaker.stop({ preserve: false });
  });

  it('refuses to start where its address is in use, and says so', async () => {
    const first = speakerWith({ listen: { host: '127.0.0.1', port: 0 } });
    await first.speaker.start();
    const port = first.speaker.listening?.port ?? 0;
    const second = speakerWith({ listen: { host: '127.0.0.1', port } });
    await assert.rejects(second.speaker.start(), {
      code: 'EADDRINUSE',
      message: `cannot listen on 127.0.0.1:${port}: it is in use; stop the BGP speaker that runs there, or choose another port`,
    });
    await first.speaker.stop({ preserve: false });
  });
});
