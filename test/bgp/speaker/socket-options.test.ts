import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { FLOW4, flowRoute, neighbor, speakerWith, until } from './support.ts';

/** The test needs a kernel with TCP MD5 signatures, which Linux has unless it was built without. */
const skip = process.platform === 'linux' ? false : 'TCP MD5 and GTSM need Linux';

/** A passive speaker and one that dials it, both with these settings for each other. */
async function pair(
  host: string,
  passiveSide: Parameters<typeof neighbor>[2],
  diallingSide: Parameters<typeof neighbor>[2],
) {
  const passive = speakerWith({
    listen: { host, port: 0 },
    neighbors: [neighbor(host, 179, { passive: true, ...passiveSide })],
  });
  await passive.speaker.start();
  const port = passive.speaker.listening?.port ?? 0;
  const dialling = speakerWith({
    localAsn: 65001,
    routerId: '192.0.2.1',
    neighbors: [neighbor(host, port, { peerAsn: 65010, localAddress: host, ...diallingSide })],
  });
  await dialling.speaker.start();
  const stop = () =>
    Promise.all([passive.speaker.stop({ preserve: false }), dialling.speaker.stop({ preserve: false })]);
  return { passive, dialling, stop };
}

describe('socket options', { skip }, () => {
  for (const host of ['127.0.0.1', '::1']) {
    it(`TCP MD5: equal passwords on both sides meet at ${host} (RFC 2385)`, async () => {
      const { passive, dialling, stop } = await pair(
        host,
        { md5Password: 's3cret' },
        { md5Password: 's3cret' },
      );
      await until('both established', () => passive.up.length === 1 && dialling.up.length === 1);
      dialling.speaker.apply('edge1', [flowRoute(1)], []);
      await until('a route crosses', () => passive.speaker.peers()[0]?.counters.routesReceived === 1);
      await stop();
    });

    it(`GTSM: a neighbor one hop away is let in at ${host} (RFC 5082)`, async () => {
      const { passive, dialling, stop } = await pair(host, { ttlSecurityHops: 1 }, { ttlSecurityHops: 1 });
      await until('both established', () => passive.up.length === 1 && dialling.up.length === 1);
      await stop();
    });
  }

  it('TCP MD5: another password is never answered, and the neighbor learns nothing', async () => {
    const { passive, dialling, stop } = await pair(
      '127.0.0.1',
      { md5Password: 'right' },
      { md5Password: 'wrong' },
    );
    await new Promise((resolve) => setTimeout(resolve, 300));
    assert.equal(dialling.speaker.peers()[0]?.state, 'connect');
    assert.equal(passive.speaker.peers()[0]?.counters.messagesIn.open, 0);
    await stop();
  });

  it('TCP MD5: no password where one is wanted is never answered', async () => {
    const { dialling, stop } = await pair('127.0.0.1', { md5Password: 'right' }, {});
    await new Promise((resolve) => setTimeout(resolve, 300));
    assert.equal(dialling.speaker.peers()[0]?.state, 'connect');
    await stop();
  });

  it('GTSM: a neighbor whose packets do not leave with the largest TTL is not heard', async () => {
    const { passive, stop } = await pair('127.0.0.1', { ttlSecurityHops: 1 }, {});
    await new Promise((resolve) => setTimeout(resolve, 300));
    assert.equal(passive.speaker.peers()[0]?.counters.messagesIn.open, 0);
    await stop();
  });

  it('GTSM: holds for an IPv4 neighbor at a listener for both families', async (t) => {
    const gtsm = { passive: true, ttlSecurityHops: 1 };
    const { speaker, up } = speakerWith({
      listen: { host: '::', port: 0 },
      neighbors: [
        neighbor('127.0.0.44', 179, { ...gtsm, name: 'far' }),
        neighbor('127.0.0.45', 179, { ...gtsm, name: 'near' }),
      ],
    });
    await speaker.start();
    const port = speaker.listening?.port ?? 0;
    const dialling = (['127.0.0.44', '127.0.0.45'] as const).map((localAddress, i) => {
      const hops = i === 0 ? {} : { ttlSecurityHops: 1 };
      const settings = neighbor('127.0.0.1', port, { peerAsn: 65010, localAddress, ...hops });
      return speakerWith({ localAsn: 65001, routerId: '192.0.2.1', neighbors: [settings] }).speaker;
    });
    t.after(() => Promise.all([speaker, ...dialling].map((one) => one.stop({ preserve: false }))));
    await Promise.all(dialling.map((one) => one.start()));
    await until('the near one is up', () => up.includes('near'));
    await new Promise((resolve) => setTimeout(resolve, 300));
    // Its OPEN may have come before the connection was accepted; nothing behind it is heard.
    assert.equal(speaker.peers()[0]?.counters.messagesIn.keepalive, 0);
    assert.deepEqual(up, ['near']);
  });

  it('TCP MD5: a neighbor of another family than the listener is dialled with its password', async (t) => {
    const key = { md5Password: 's3cret' };
    const passive = speakerWith({
      listen: { host: '::1', port: 0 },
      neighbors: [neighbor('::1', 179, { passive: true, ...key })],
    });
    await passive.speaker.start();
    const port = passive.speaker.listening?.port ?? 0;
    const dialling = speakerWith({
      localAsn: 65001,
      routerId: '192.0.2.1',
      listen: { host: '127.0.0.1', port: 0 },
      neighbors: [neighbor('::1', port, { peerAsn: 65010, ...key })],
    });
    t.after(() => Promise.all([passive, dialling].map(({ speaker }) => speaker.stop({ preserve: false }))));
    await dialling.speaker.start();
    await until('established', () => dialling.up.length === 1);
  });

  it('a listener that could not be bound anew is tried again with the same configuration', async (t) => {
    const { speaker } = speakerWith({ listen: { host: '::1', port: 0 } });
    t.after(() => speaker.stop({ preserve: false }));
    await speaker.start();
    const wrong = [neighbor('fe80::1%nowhere', 179, { passive: true, md5Password: 's3cret' })];
    await assert.rejects(speaker.reconfigure(wrong), /"nowhere" is not an interface/);
    await assert.rejects(speaker.reconfigure(wrong), /"nowhere" is not an interface/);
  });

  it('a password that comes with a new configuration holds at the listener from then on', async () => {
    const plain = { peerAsn: 65001, passive: true, families: [FLOW4] };
    const { speaker } = speakerWith({
      listen: { host: '127.0.0.1', port: 0 },
      neighbors: [neighbor('127.0.0.1', 179, plain)],
    });
    await speaker.start();
    const port = speaker.listening?.port ?? 0;
    await speaker.reconfigure([neighbor('127.0.0.1', 179, { ...plain, md5Password: 'new' })]);
    assert.equal(speaker.listening?.port, port);
    const dialling = speakerWith({
      localAsn: 65001,
      routerId: '192.0.2.1',
      neighbors: [neighbor('127.0.0.1', port, { peerAsn: 65010, md5Password: 'new' })],
    });
    await dialling.speaker.start();
    await until('established', () => dialling.up.length === 1);
    await dialling.speaker.stop({ preserve: false });
    await speaker.stop({ preserve: false });
  });
});
