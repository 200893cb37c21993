/** A reload that resets a session with graceful restart: the router's own table keeps the rules all the while. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Speaker } from '../../src/bgp/speaker/speaker.ts';
import type { NeighborSettings } from '../../src/bgp/speaker/types.ts';
import { FAMILIES } from '../../src/bgp/wire/iana.ts';
import { until } from '../support/children.ts';
import { missing, startDaemon } from '../support/daemons.ts';
import { DISCARD, route } from '../support/interop-rig.ts';
import { freePort, ownAddress } from '../support/loopback.ts';
import { undo } from '../support/undo.ts';

const discard = (n: number) => route('ipv4-flowspec', [{ type: 1, prefix: `198.18.0.${n}/32` }], DISCARD);

for (const kind of ['bird', 'gobgp'] as const) {
  describe(`a reload of the hold time of a session with ${kind}`, { skip: missing(kind) }, () => {
    it('leaves it its rules meanwhile, and takes those that ended meanwhile at End-of-RIB', async (t) => {
      const [ours, theirs] = [ownAddress(), ownAddress()];
      const families = ['ipv4-flowspec'] as const;
      const port = await freePort(theirs);
      const peers = [{ address: ours, asn: 65010, families, helper: true }];
      const config = { asn: 65002, routerId: '10.0.0.1', address: theirs, port, peers };
      const router = kind === 'bird' ? await startDaemon('bird', config) : await startDaemon('gobgp', config);
      undo(t, () => router.stop('SIGKILL'));
      const settings: NeighborSettings = {
        name: kind,
        address: { kind: 'tcp', host: theirs, port },
        localAddress: ours,
        peerAsn: 65002,
        passive: false,
        holdTimeSeconds: 30,
        families: families.map((name) => FAMILIES[name]),
        gracefulRestart: { restartTimeSeconds: 60, longLivedStaleSeconds: 0 },
        enabled: true,
      };
      const speaker = new Speaker({ localAsn: 65010, routerId: '192.0.2.10', neighbors: [settings] });
      let wanted = [1, 2, 3].map(discard);
      let sessions = 0;
      speaker.subscribe({
        onEstablished: () => {
          sessions++;
          // The first session is filled at once, the second when the test has looked.
          if (sessions === 1) fill();
        },
      });
      const fill = (): void => {
        speaker.apply(kind, wanted, []);
        speaker.endOfRib(kind);
      };
      await speaker.start();
      undo(t, () => speaker.stop({ preserve: false }));
      await until('the router has the rules', async () => (await router.count('ipv4-flowspec')) === 3);
      await speaker.reconfigure([{ ...settings, holdTimeSeconds: 60 }]);
      assert.equal(await router.count('ipv4-flowspec'), 3, 'the session is gone, and the rules are not');
      await until('a new session', () => sessions === 2 && router.established(ours));
      assert.equal(await router.count('ipv4-flowspec'), 3, 'nothing is announced on it yet');
      wanted = wanted.slice(0, 2);
      fill();
      await until('the third rule is gone', async () => (await router.count('ipv4-flowspec')) === 2);
    });
  });
}
