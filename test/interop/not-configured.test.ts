import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Speaker } from '../../src/bgp/speaker/speaker.ts';
import { until } from '../support/children.ts';
import { missing, startDaemon as startRouter } from '../support/daemons.ts';
import { freePort, ownAddress } from '../support/loopback.ts';
import { undo } from '../support/undo.ts';
import { neighbor } from '../bgp/speaker/support.ts';

for (const kind of ['bird', 'gobgp'] as const) {
  describe(`${kind} without a neighbor at our address`, { skip: missing(kind) }, () => {
    it('closes the connection, and the operator reads where to look', async (t) => {
      const [here, someone, router] = [ownAddress(), ownAddress(), ownAddress()];
      const port = await freePort(router);
      const daemon = await startRouter(kind, {
        asn: 65002,
        routerId: '10.0.0.2',
        address: router,
        port,
        peers: [{ address: someone, asn: 65010, families: ['ipv4-flowspec', 'ipv6-flowspec'] }],
      });
      undo(t, () => daemon.stop('SIGKILL'));
      const speaker = new Speaker({
        localAsn: 65010,
        routerId: '192.0.2.10',
        neighbors: [neighbor(router, port, { peerAsn: 65002, localAddress: here })],
      });
      undo(t, () => speaker.stop({ preserve: false }));
      await speaker.start();
      const said = await until(
        'the daemon has turned us away',
        () => speaker.peers()[0]?.lastError ?? undefined,
      );
      assert.match(said, /is (this side's|our) address configured as a neighbor there/, daemon.log());
      assert.equal(speaker.peers()[0]?.counters.established, 0);
    });
  });
}
