/**
 * What every daemon is asked to prove, in one place: the same sentences hold for GoBGP, BIRD, FRR and ExaBGP. All that
 * is asserted is read from the daemon's own table.
 */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { OutRoute } from '../../src/bgp/rib/adj-rib-out.ts';
import { toHex } from '../../src/net/bytes.ts';
import { until } from './children.ts';
import { type DaemonKind, PACKAGES } from './daemons/daemon.ts';
import { missing } from './daemons.ts';
import { actionCases, expected } from './interop-actions.ts';
import { type InteropReport, writeInteropReport } from './interop-docs.ts';
import { DISCARD, FLOWSPEC, type FlowSpecFamily, police, Rig, route } from './interop-rig.ts';
import { addressHex, between, type ComponentJson, compare, eq, type NumericOpJson } from './rule-json.ts';

/** What daemons differ in. */
export interface DaemonTraits {
  readonly kind: DaemonKind;
  /** Keeps FlowSpec rules while we restart (RFC 4724). */
  readonly helps: boolean;
  /** How the daemon is made to ask for all routes again; undefined when it cannot. */
  readonly refresh?: (rig: Rig) => Promise<void>;
  /** Where the daemon shows the words of our shutdown; undefined when it does not. */
  readonly lastShutdown?: (rig: Rig) => Promise<string>;
  /** Drops what comes with a lower TTL than GTSM asks for (RFC 5082), in the role that it has here. */
  readonly checksTtl: boolean;
  /** Gives every rule back to the one that it has it from. */
  readonly echoes?: true;
  /** The daemon cannot wait to be called at an address of its own, or cannot call. */
  readonly dials: 'we' | 'daemon';
}

const numeric = (
  type: 3 | 4 | 5 | 6 | 7 | 8 | 10 | 11 | 13,
  ...ops: readonly NumericOpJson[]
): ComponentJson => ({
  type,
  ops,
});

function victim(family: FlowSpecFamily, n: number): ComponentJson {
  const prefix =
    family === 'ipv4-flowspec'
      ? `198.18.${n >>> 8}.${n & 0xff}/32`
      : `2001:db8:18::${n === 0 ? '' : n.toString(16)}/128`;
  return { type: 1, prefix };
}

/** destination + UDP + port: what prefixd says most. */
const components = (family: FlowSpecFamily, n: number, port = 53): readonly ComponentJson[] => [
  victim(family, n),
  numeric(3, eq(17)),
  numeric(5, eq(port)),
];

/** Everything a rule of prefixd can say, within what frr takes (no `!=`, at most 5 operators in a component). */
const everything = (family: FlowSpecFamily): readonly ComponentJson[] => [
  victim(family, 99),
  { type: 2, prefix: family === 'ipv4-flowspec' ? '198.51.100.0/24' : '2001:db8:51::/48' },
  numeric(3, eq(6)),
  numeric(5, eq(80), ...between(1024, 2048), compare('>', 50000)),
  numeric(6, eq(123)),
  numeric(7, eq(8)),
  numeric(8, eq(0)),
  { type: 9, ops: [{ and: false, not: false, match: true, value: 2 }] },
  numeric(10, ...between(100, 1500)),
  numeric(11, eq(46)),
  { type: 12, ops: [{ and: false, not: false, match: false, value: 2 }] },
  ...(family === 'ipv6-flowspec' ? [numeric(13, eq(0xabcde))] : []),
];

/** Declares the suite for one daemon. */
export function interopSuite(traits: DaemonTraits): void {
  const { kind } = traits;
  const skip = missing(kind);
  const report: InteropReport = { kind, package: PACKAGES[kind], version: '', proven: [], actions: [] };
  const proves = (what: string, prove: () => Promise<void>): void => {
    it(what, async () => {
      await prove();
      report.proven.push(what);
    });
  };
  const daemonDials = traits.dials === 'daemon';

  describe(`${kind}: one session`, { skip }, () => {
    let rig: Rig;
    before(async () => {
      rig = await Rig.start(kind, { daemonDials });
      report.version = rig.daemon.version;
    });
    after(() => rig.end());

    for (const family of FLOWSPEC) {
      proves(`${family}: a discard and a police rule stand as announced`, async () => {
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

      proves(`${family}: a withdrawal takes away that rule and no other`, async () => {
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

      proves(`${family}: 1,000 rules come and go`, async () => {
        const rules = Array.from({ length: 1000 }, (_, n) =>
          route(family, components(family, n), n % 2 === 0 ? DISCARD : police(1e6)),
        );
        rig.announce(...rules);
        await rig.holds(family, 1000);
        if (rig.daemon.kind === 'gobgp') {
          // One look at a table of a thousand costs gobgp seconds, so it is the one at the octets.
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

    proves('nothing of all this cost the session', async () => {
      assert.equal(rig.status.counters.established, 1);
      assert.equal(rig.status.lastNotificationSent, null);
      assert.equal(rig.status.lastNotificationReceived, null);
    });
  });

  describe(`${kind}: actions`, { skip }, () => {
    let rig: Rig;
    before(async () => {
      rig = await Rig.start(kind, { daemonDials });
    });
    after(() => rig.end());

    for (const family of FLOWSPEC) {
      const cases = actionCases(family).map((one, n) => ({
        one,
        components: components(family, n + 1),
        rule: route(family, components(family, n + 1), one.actions),
        resets: one.otherwise?.[kind]?.does === 'resets',
      }));
      const standing = cases.filter(({ resets }) => !resets);

      it(`${family}: rules with every action are shown as docs/interop.md says`, async () => {
        for (const { one, rule } of cases) {
          const { extendedCommunities, ipv6ExtendedCommunities, nextHop } = rule.attributes;
          const sent = toHex(extendedCommunities) + toHex(ipv6ExtendedCommunities);
          assert.equal(sent, one.octets.replaceAll(' ', ''), one.name);
          assert.equal(toHex(nextHop), one.nextHop === undefined ? '' : addressHex(one.nextHop), one.name);
        }
        const rules = standing.map(({ rule }) => rule);
        const { routesReceived } = rig.status.counters;
        rig.announce(...rules);
        const table = await rig.table(family, standing.length);
        const shown = new Map(table.map((rule) => [JSON.stringify(rule.components), rule]));
        const read = standing.map(({ one, components: match }) => {
          const rule = shown.get(JSON.stringify(match));
          return {
            name: one.name,
            shows: rule?.actions.join(' '),
            ...(rule?.nextHop === undefined ? {} : { nextHop: rule.nextHop }),
          };
        });
        assert.deepEqual(
          read,
          standing.map(({ one }) => ({ name: one.name, ...expected(one, kind) })),
        );
        if (traits.echoes === true) {
          const all = routesReceived + rules.length;
          await until('all rules are echoed', () => rig.status.counters.routesReceived >= all);
        }
        rig.withdraw(...rules);
        await rig.holds(family, 0);
        assert.equal(rig.status.counters.flaps, 0, rig.log.join('\n'));
        report.actions.push(...standing.map(({ one }) => `${family}: ${one.name}`));
      });
    }

    for (const family of FLOWSPEC) {
      for (const one of actionCases(family).filter((each) => each.otherwise?.[kind]?.does === 'resets')) {
        it(`${family}: ${one.name} ends the session, which comes back when the rule is gone`, async () => {
          const { flaps } = rig.status.counters;
          const rule = route(family, components(family, 1), one.actions);
          rig.announce(rule);
          await until('the session ends', () => rig.status.counters.flaps > flaps);
          rig.withdraw(rule);
          const calm = route(family, components(family, 2), DISCARD);
          rig.announce(calm);
          await rig.established();
          await rig.onlyRule(family, components(family, 2), 0);
          rig.withdraw(calm);
          await rig.holds(family, 0);
          report.actions.push(`${family}: ${one.name}`);
        });
      }
    }
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

    proves('a daemon that was killed and comes back is given everything again', async () => {
      await rig.stopDaemon('SIGKILL');
      await until('we notice', () => !rig.speaker.isEstablished(kind));
      assert.equal(
        rig.speaker.ribOut(kind).sent.size,
        0,
        'nothing counts as written to a session that is gone',
      );
      await rig.startDaemon();
      await rig.established();
      for (const family of FLOWSPEC) await rig.onlyRule(family, components(family, 7), 0);
    });

    const { lastShutdown } = traits;
    proves('we leave politely and the rules go', async () => {
      await rig.stopSpeaker(false, 'upgrade at noon');
      for (const family of FLOWSPEC) await rig.holds(family, 0);
    });

    if (lastShutdown !== undefined) {
      proves('the daemon shows the words with which we left', async () => {
        await until('they are shown', async () => (await lastShutdown(rig)).includes('upgrade at noon'));
      });
    }

    proves('we come back and the rules stand again', async () => {
      await rig.startSpeaker();
      await rig.established();
      for (const family of FLOWSPEC) await rig.onlyRule(family, components(family, 7), 0);
    });
  });

  const gracefulRestart = (): void => {
    const stay = FLOWSPEC.map((family): OutRoute => route(family, components(family, 8), DISCARD));
    const end = FLOWSPEC.map((family): OutRoute => route(family, components(family, 9), DISCARD));

    proves('rules outlive our restart; those that ended meanwhile go at End-of-RIB', async () => {
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
    });
  };
  if (traits.helps) describe(`${kind}: graceful restart`, { skip }, gracefulRestart);

  describe(`${kind}: TCP MD5`, { skip }, () => {
    proves('with the same password the session comes up and carries rules', async () => {
      const rig = await Rig.start(kind, { daemonDials, ourPassword: 's3cret', theirPassword: 's3cret' });
      try {
        rig.announce(route('ipv4-flowspec', components('ipv4-flowspec', 1), DISCARD));
        await rig.onlyRule('ipv4-flowspec', components('ipv4-flowspec', 1), 0);
      } finally {
        await rig.end();
      }
    });

    proves('with another password it does not', async () => {
      const rig = await Rig.start(
        kind,
        { daemonDials, ourPassword: 's3cret', theirPassword: 'other' },
        false,
      );
      try {
        // Segments with a wrong signature are dropped in silence, so all there is to see is that nothing happens.
        await sleep(4000);
        assert.equal(rig.speaker.isEstablished(kind), false);
        assert.equal(await rig.daemon.established(rig.ourAddress), false);
      } finally {
        await rig.end();
      }
    });
  });

  describe(`${kind}: GTSM`, { skip }, () => {
    const rule = route('ipv4-flowspec', components('ipv4-flowspec', 1), DISCARD);

    proves('GTSM on both sides: the session comes up and carries rules', async () => {
      const rig = await Rig.start(kind, { daemonDials, ourTtlSecurity: true, theirTtlSecurity: true });
      try {
        rig.announce(rule);
        await rig.onlyRule('ipv4-flowspec', components('ipv4-flowspec', 1), 0);
      } finally {
        await rig.end();
      }
    });

    describe('on one side only', () => {
      let here: Rig;
      let there: Rig;
      before(async () => {
        [here, there] = await Promise.all([
          Rig.start(kind, { daemonDials, ourTtlSecurity: true }, false),
          Rig.start(kind, { daemonDials, theirTtlSecurity: true }, false),
        ]);
        for (const rig of [here, there]) rig.announce(rule);
        // Segments that have come from too far are dropped in silence, so all there is to see is that nothing happens.
        await sleep(4000);
      });
      after(() => Promise.all([here, there].map((rig) => rig?.end())));

      proves('GTSM here, and a daemon that sends with a lower TTL: no session', async () => {
        assert.equal(here.speaker.isEstablished(kind), false, here.log.join('\n'));
        assert.equal(await here.daemon.count('ipv4-flowspec'), 0);
      });

      if (traits.checksTtl) {
        proves('GTSM there, and we send with a lower TTL: no session', async () => {
          // Its OPEN may reach us, and a KEEPALIVE when ours came before it had set the option; no more than that.
          assert.equal(await there.daemon.established(there.ourAddress), false, there.log.join('\n'));
          assert.equal(await there.daemon.count('ipv4-flowspec'), 0);
        });
      }
    });
  });

  describe(`${kind}: over IPv6`, { skip }, () => {
    proves('a session between IPv6 addresses carries rules of both families', async () => {
      const rig = await Rig.start(kind, { daemonDials, overIPv6: true });
      try {
        for (const family of FLOWSPEC) rig.announce(route(family, components(family, 1), DISCARD));
        for (const family of FLOWSPEC) await rig.onlyRule(family, components(family, 1), 0);
      } finally {
        await rig.end();
      }
    });
  });

  after(() => {
    if (skip === false) writeInteropReport(report);
  });
}
