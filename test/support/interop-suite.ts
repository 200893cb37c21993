/**
 * The interop tests, the same for GoBGP, BIRD, FRR and ExaBGP. All assertions are about the daemon's own table.
 */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { OutRoute } from '../../src/bgp/rib/route.ts';
import { toHex } from '../../src/net/bytes.ts';
import { until } from './children.ts';
import { PACKAGES } from './daemons/daemon.ts';
import { missing } from './daemons.ts';
import { actionSuite } from './interop-action-suite.ts';
import type { DaemonTraits, InteropContext } from './interop-context.ts';
import { type InteropReport, writeInteropReport } from './interop-docs.ts';
import { DISCARD, FLOWSPEC, police, Rig, route } from './interop-rig.ts';
import { components, everything } from './interop-rules.ts';
import { transportSuite } from './interop-transport-suite.ts';

/** Declares the suite for one daemon. */
export function interopSuite(traits: DaemonTraits): void {
  const { kind } = traits;
  const skip = missing(kind);
  const report: InteropReport = {
    kind,
    package: PACKAGES[kind],
    version: '',
    proven: [],
    actions: [],
    opaque: [],
  };
  const proves = (what: string, prove: () => Promise<void>): void => {
    it(what, async () => {
      await prove();
      report.proven.push(what);
    });
  };
  const context: InteropContext = { traits, skip, report, proves };
  const daemonDials = traits.dials === 'daemon';

  describe(`${kind}: one session`, { skip }, () => {
    let rig: Rig;
    before(async () => {
      rig = await Rig.start(kind, { daemonDials });
      report.version = rig.daemon.version;
    });
    after(() => rig.end());

    for (const family of FLOWSPEC) {
      proves(`${family}: a discard and a police rule are in the table as announced`, async () => {
        const rules = [
          route(family, components(family, 1), DISCARD),
          route(family, components(family, 2), police(10e6)),
        ];
        rig.announce(...rules);
        const table = await rig.table(family, 2);
        const rates = new Map(table.map((rule) => [JSON.stringify(rule.components), rule.rate]));
        assert.equal(rates.get(JSON.stringify(components(family, 1))), 0);
        assert.equal(rates.get(JSON.stringify(components(family, 2))), 1_250_000, 'bytes a second');
        rig.withdraw(...rules);
        await rig.holds(family, 0);
      });

      proves(`${family}: another rate replaces the rule in one UPDATE`, async () => {
        rig.announce(route(family, components(family, 3), police(8e6)));
        await rig.onlyRule(family, components(family, 3), 1_000_000);
        const updates = rig.status.counters.messagesOut.update;
        rig.announce(route(family, components(family, 3), DISCARD));
        await rig.onlyRule(family, components(family, 3), 0);
        assert.equal(rig.status.counters.messagesOut.update, updates + 1);
        rig.withdraw(route(family, components(family, 3), DISCARD));
        await rig.holds(family, 0);
      });

      proves(`${family}: a withdrawal removes that rule and no other`, async () => {
        const stays = route(family, components(family, 4, 123), DISCARD);
        const goes = route(family, components(family, 4, 53), DISCARD);
        rig.announce(stays, goes);
        await rig.holds(family, 2);
        rig.withdraw(goes);
        await rig.onlyRule(family, components(family, 4, 123), 0);
        rig.withdraw(stays);
        await rig.holds(family, 0);
      });

      proves(`${family}: every kind of component is understood`, async () => {
        const rule = route(family, everything(family), police(1e6));
        rig.announce(rule);
        await rig.onlyRule(family, everything(family), 125_000);
        if (rig.daemon.kind === 'gobgp') {
          assert.deepEqual(await rig.daemon.receivedNlri(rig.ourAddress, family), [toHex(rule.nlri)]);
        }
        rig.withdraw(rule);
        await rig.holds(family, 0);
      });

      proves(`${family}: 1,000 rules are announced and withdrawn`, async () => {
        const rules = Array.from({ length: 1000 }, (_, n) =>
          route(family, components(family, n), n % 2 === 0 ? DISCARD : police(1e6)),
        );
        rig.announce(...rules);
        await rig.holds(family, 1000);
        if (rig.daemon.kind === 'gobgp') {
          // Reading a table of a thousand rules takes gobgp seconds, so only the octets are read.
          const received = await rig.daemon.receivedNlri(rig.ourAddress, family);
          assert.deepEqual([...received].sort(), rules.map((rule) => toHex(rule.nlri)).sort());
        } else {
          const table = await rig.daemon.rules(family);
          assert.equal(new Set(table.map((rule) => JSON.stringify(rule.components))).size, 1000);
          assert.equal(table.filter((rule) => rule.rate === 0).length, 500);
        }
        rig.withdraw(...rules);
        await rig.holds(family, 0);
      });
    }

    const { refresh } = traits;
    if (refresh !== undefined) {
      proves('a route refresh is answered with the whole table', async () => {
        const rules = FLOWSPEC.map((family) => route(family, components(family, 5), DISCARD));
        rig.announce(...rules);
        for (const family of FLOWSPEC) await rig.holds(family, 1);
        const updates = rig.status.counters.messagesOut.update;
        await refresh(rig);
        await until('the request came in', () => rig.status.counters.messagesIn.route_refresh >= 2);
        await until('the rules went out again', () => rig.status.counters.messagesOut.update >= updates + 2);
        for (const family of FLOWSPEC) await rig.onlyRule(family, components(family, 5), 0);
        assert.equal(rig.status.counters.flaps, 0);
        rig.withdraw(...rules);
        for (const family of FLOWSPEC) await rig.holds(family, 0);
      });
    }

    proves('the session stays established throughout', async () => {
      assert.equal(rig.status.counters.established, 1);
      assert.equal(rig.status.lastNotificationSent, undefined);
      assert.equal(rig.status.lastNotificationReceived, undefined);
    });
  });

  describe(`${kind}: restarts`, { skip }, () => {
    const rules = FLOWSPEC.map((family): OutRoute => route(family, components(family, 7), DISCARD));
    let rig: Rig;
    before(async () => {
      rig = await Rig.start(kind, { daemonDials });
      rig.announce(...rules);
      for (const family of FLOWSPEC) await rig.holds(family, 1);
    });
    after(() => rig.end());

    proves('a daemon that was killed and restarted receives every rule again', async () => {
      await rig.stopDaemon('SIGKILL');
      await until('we notice', () => !rig.speaker.isEstablished(kind));
      assert.equal(
        rig.speaker.ribOut(kind).sentCount,
        0,
        'nothing counts as written to a session that is gone',
      );
      await rig.startDaemon();
      await rig.established();
      for (const family of FLOWSPEC) await rig.onlyRule(family, components(family, 7), 0);
    });

    const { lastShutdown } = traits;
    proves('prefixd closes the session in order and the rules are removed', async () => {
      await rig.stopSpeaker(false, 'upgrade at noon');
      for (const family of FLOWSPEC) await rig.holds(family, 0);
    });

    if (lastShutdown !== undefined) {
      proves("the daemon shows prefixd's shutdown message", async () => {
        await until('they are shown', async () => (await lastShutdown(rig)).includes('upgrade at noon'));
      });
    }

    proves('prefixd reconnects and the rules are in the table again', async () => {
      await rig.startSpeaker();
      await rig.established();
      for (const family of FLOWSPEC) await rig.onlyRule(family, components(family, 7), 0);
    });
  });

  const gracefulRestart = (): void => {
    const stay = FLOWSPEC.map((family): OutRoute => route(family, components(family, 8), DISCARD));
    const end = FLOWSPEC.map((family): OutRoute => route(family, components(family, 9), DISCARD));

    proves(
      'rules survive a restart of prefixd; those that ended meanwhile are removed at End-of-RIB',
      async () => {
        const rig = await Rig.start(kind, { daemonDials, gracefulRestart: true });
        try {
          rig.announce(...stay, ...end);
          for (const family of FLOWSPEC) await rig.holds(family, 2);
          await rig.stopSpeaker(true);
          await until('the daemon notices', async () => !(await rig.daemon.established(rig.ourAddress)));
          for (const family of FLOWSPEC) assert.equal((await rig.daemon.rules(family)).length, 2, family);
          rig.forget(...end);
          await rig.startSpeaker();
          await rig.established();
          for (const family of FLOWSPEC) await rig.onlyRule(family, components(family, 8), 0);
        } finally {
          await rig.end();
        }
      },
    );
  };
  if (traits.helps) describe(`${kind}: graceful restart`, { skip }, gracefulRestart);

  actionSuite(context);
  transportSuite(context);

  after(() => {
    if (skip === false) writeInteropReport(report);
  });
}
