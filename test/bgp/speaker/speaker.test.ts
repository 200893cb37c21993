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
    assert.equal(speaker.ribOut('edge1').sentCount, 2);
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
    await until('the dial failed', () => speaker.peers()[0]?.lastError !== undefined);
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
      message: `cannot listen on 127.0.0.1:${port}: the port is in use; stop the BGP speaker that runs there, or choose another port`,
    });
    await first.speaker.stop({ preserve: false });
  });
});

describe('a new list of neighbors', () => {
  /** Routers that count how often they were reached, and a neighbor for each. */
  async function routers(count: number) {
    const labs = Array.from(
      { length: count },
      (_, i) => new LabRouter({ host: '127.0.0.1', port: 0, asn: 65001 + i, routerId: `192.0.2.${i + 1}` }),
    );
    const neighbors = [];
    for (const [i, lab] of labs.entries()) {
      const at = await lab.start();
      neighbors.push(neighbor(at.host, at.port, { name: `edge${i + 1}`, peerAsn: 65001 + i }));
    }
    return { labs, neighbors, close: () => Promise.all(labs.map((lab) => lab.close())) };
  }

  it('that comes while another is being adopted waits for its turn: the last one stands', async () => {
    const { labs, neighbors, close } = await routers(3);
    const [one, two, three] = neighbors;
    assert.ok(one !== undefined && two !== undefined && three !== undefined);
    const { speaker, up, down } = speakerWith({ neighbors: [one] });
    await speaker.start();
    await until('established', () => up.length === 1);
    const done: string[] = [];
    await Promise.all([
      speaker.reconfigure([two]).then(() => done.push('two')),
      speaker.reconfigure([three]).then(() => done.push('three')),
      speaker.reconfigure([three, { ...one, holdTimeSeconds: 30 }]).then(() => done.push('three, one')),
    ]);
    assert.deepEqual(done, ['two', 'three', 'three, one']);
    await until('both established', () =>
      ['edge3', 'edge1'].every((name) =>
        speaker.peers().some((p) => p.name === name && speaker.isEstablished(name)),
      ),
    );
    assert.deepEqual(
      speaker.peers().map(({ name, negotiated }) => [name, negotiated?.holdTimeSeconds]),
      [
        ['edge3', 90],
        ['edge1', 30],
      ],
    );
    assert.equal(down.filter((name) => name === 'edge1').length, 1);
    await until('nobody is left at the router in between', () => labs[1]?.established === 0);
    await speaker.stop({ preserve: false });
    await close();
  });

  it('leaves the routes of a removed neighbor with it until its session is closed', async () => {
    const { labs, neighbors, close } = await routers(1);
    const [one] = neighbors;
    assert.ok(one !== undefined);
    const { speaker, up } = speakerWith({ neighbors: [one] });
    await speaker.start();
    await until('established', () => up.length === 1);
    speaker.apply('edge1', [flowRoute(1)], []);
    assert.equal(speaker.holds('m1'), false, 'it waits for its turn');
    await speaker.written();
    assert.equal(speaker.holds('m1'), true);
    const removed = speaker.reconfigure([]);
    assert.deepEqual(speaker.peers(), []);
    assert.equal(speaker.holds('m1'), true, 'the router may still have it');
    await removed;
    assert.equal(speaker.holds('m1'), false);
    await until('the router has no session', () => labs[0]?.established === 0);
    await speaker.stop({ preserve: false });
    await close();
  });

  it('with one name twice is refused, and nothing changes', async () => {
    const { neighbors, close } = await routers(1);
    const [one] = neighbors;
    assert.ok(one !== undefined);
    const { speaker, up } = speakerWith({ neighbors: [one] });
    await speaker.start();
    await until('established', () => up.length === 1);
    await assert.rejects(speaker.reconfigure([one, one]), {
      name: 'RangeError',
      message: 'two neighbors have the same name',
    });
    assert.ok(speaker.isEstablished('edge1'));
    await speaker.stop({ preserve: false });
    await close();
  });

  it('that comes while the speaker stops starts nobody, and frees the port', async () => {
    const { labs, neighbors, close } = await routers(2);
    const [one, two] = neighbors;
    assert.ok(one !== undefined && two !== undefined);
    const { speaker, up } = speakerWith({ listen: { host: '127.0.0.1', port: 0 }, neighbors: [one] });
    await speaker.start();
    const port = speaker.listening?.port ?? 0;
    await until('established', () => up.length === 1);
    await Promise.all([
      speaker.reconfigure([{ ...two, md5Password: 's3cret' }]),
      speaker.reconfigure([one, two]),
      speaker.stop({ preserve: false }),
    ]);
    assert.equal(speaker.listening, undefined);
    assert.deepEqual(
      labs.map((lab) => lab.established),
      [0, 0],
    );
    const next = speakerWith({ listen: { host: '127.0.0.1', port } });
    await next.speaker.start();
    await next.speaker.stop({ preserve: false });
    await close();
  });

  it('leaves down what an operator disabled, until `enabled` itself is changed', async () => {
    const { neighbors, close } = await routers(1);
    const [one] = neighbors;
    assert.ok(one !== undefined);
    const { speaker, up } = speakerWith({ neighbors: [one] });
    await speaker.start();
    await until('established', () => up.length === 1);
    speaker.setEnabled('edge1', false);
    await speaker.reconfigure([{ ...one, holdTimeSeconds: 30 }]);
    assert.equal(speaker.peers()[0]?.enabled, false);
    assert.equal(speaker.peers()[0]?.state, 'idle');
    await speaker.reconfigure([{ ...one, enabled: false }]);
    await speaker.reconfigure([one]);
    await until('established again', () => up.length === 2);
    await speaker.stop({ preserve: false });
    await close();
  });
});
