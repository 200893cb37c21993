/** Diversions and blackholes, announced by the speaker and read from the daemons' own tables. */
import assert from 'node:assert/strict';
import { after, before, describe, it, type TestContext } from 'node:test';
import type { OutRoute } from '../../src/bgp/rib/route.ts';
import { unicast } from '../bgp/rib/unicast-routes.ts';
import { until } from '../support/children.ts';
import type { Bird } from '../support/daemons/bird.ts';
import type { DaemonKind } from '../support/daemons/daemon.ts';
import { missing, startDaemon } from '../support/daemons.ts';
import { Rig, type RigOptions } from '../support/interop-rig.ts';
import { freePort, ownAddress } from '../support/loopback.ts';
import { shownRoute } from '../support/unicast-tables.ts';
import { undo } from '../support/undo.ts';

const FAMILIES = ['ipv4-unicast', 'ipv6-unicast'] as const;

const HOLE4 = unicast('route 203.0.113.10/32 next-hop 192.0.2.1 community blackhole,no-export,65001:6:6');
const HOLE6 = unicast('route 2001:db8:a::10/128 next-hop 100::1 community blackhole,no-export,65001:6:6');
const DIVERT4 = unicast('route 203.0.113.11/32 next-hop 192.0.2.80 community 65001:80,no-export');
const DIVERT6 = unicast('route 2001:db8:b::/48 next-hop 2001:db8:5c::1 community 65001:80,no-advertise');
const ROUTES = [HOLE4, HOLE6, DIVERT4, DIVERT6];

/** The prefix in a route's text. */
const prefixOf = ({ text }: OutRoute): string => text.split(' ')[1] ?? '';

/** Waits until the daemon shows exactly this text of a route; undefined: nothing. */
async function shows(rig: Rig, route: OutRoute, text: string | undefined): Promise<void> {
  let last: string | undefined;
  await until(`${rig.kind} shows ${text ?? `no route to ${prefixOf(route)}`}`, async () => {
    last = await shownRoute(rig.daemon, prefixOf(route));
    return last === text;
  }).catch((error: Error) => {
    throw new Error(`${error.message}; it shows ${last}; our last error: ${rig.status.lastError}`);
  });
}

/** The filter of a router that discards what carries BLACKHOLE (RFC 7999 §3.3). */
const BIRD_FILTER: NonNullable<RigOptions['daemon']> = {
  unicastImport: 'holes',
  statements: 'filter holes { if (65535, 666) ~ bgp_community then dest = RTD_BLACKHOLE; accept; }',
};

const FRR_ROUTE_MAP: NonNullable<RigOptions['daemon']> = {
  unicastImport: 'holes',
  statements: [
    'bgp community-list standard holes permit blackhole',
    'route-map holes permit 10',
    ' match community holes',
    ' set ip next-hop 192.0.2.66',
    ' set ipv6 next-hop global 100::66',
    'exit',
    'route-map holes permit 20',
    'exit',
  ].join('\n'),
};

const DAEMONS: Readonly<Record<DaemonKind, RigOptions>> = {
  bird: { daemon: BIRD_FILTER },
  exabgp: { daemonDials: true },
  frr: { daemon: FRR_ROUTE_MAP },
  gobgp: {},
};

/** The text of a route as the daemon shows it: FRR's route-map above sets the next hop of blackholes. */
function expected(kind: DaemonKind, route: OutRoute): string {
  if (kind !== 'frr' || !route.text.includes('blackhole')) return route.text;
  return route.text.replace('192.0.2.1', '192.0.2.66').replace('100::1', '100::66');
}

for (const kind of ['bird', 'exabgp', 'frr', 'gobgp'] as const) {
  describe(`${kind}: unicast routes`, { skip: missing(kind) }, () => {
    let rig: Rig;
    before(async () => {
      rig = await Rig.start(kind, { families: FAMILIES, ...DAEMONS[kind] });
    });
    after(() => rig.end());

    it('are in the table with their next hop and communities', async () => {
      rig.announce(...ROUTES);
      for (const route of ROUTES) await shows(rig, route, expected(kind, route));
    });

    if (kind === 'bird') {
      it('with BLACKHOLE discard their traffic, and no others do', async () => {
        assert.ok(rig.daemon.kind === 'bird');
        const dest = async (route: OutRoute): Promise<string | undefined> =>
          new RegExp(`^${prefixOf(route)} +(\\w+)`, 'm').exec(await table(rig, route))?.[1];
        assert.equal(await dest(HOLE4), 'blackhole');
        assert.equal(await dest(HOLE6), 'blackhole');
        // No router of this machine is the way to the scrubber.
        assert.equal(await dest(DIVERT4), 'unreachable');
      });
    }

    it('change from a diversion to a blackhole in one UPDATE', async () => {
      const hole = unicast(HOLE4.text.replace(prefixOf(HOLE4), prefixOf(DIVERT4)));
      const updates = rig.status.counters.messagesOut.update;
      rig.announce(hole);
      await shows(rig, hole, expected(kind, hole));
      assert.equal(rig.status.counters.messagesOut.update, updates + 1);
      rig.announce(DIVERT4);
      await shows(rig, DIVERT4, DIVERT4.text);
    });

    it('are withdrawn one by one', async () => {
      rig.withdraw(HOLE4, DIVERT6);
      await shows(rig, HOLE4, undefined);
      await shows(rig, DIVERT6, undefined);
      await shows(rig, HOLE6, expected(kind, HOLE6));
      await shows(rig, DIVERT4, DIVERT4.text);
      rig.withdraw(HOLE6, DIVERT4);
      await shows(rig, HOLE6, undefined);
      await shows(rig, DIVERT4, undefined);
    });

    it('fill long messages', async () => {
      const many = Array.from({ length: 1500 }, (_, n) =>
        unicast(HOLE4.text.replace('203.0.113.10', `198.18.${n >>> 8}.${n & 255}`)),
      );
      const [first = HOLE4] = many;
      const last = many.at(-1) ?? HOLE4;
      rig.announce(...many);
      for (const route of [first, last]) await shows(rig, route, expected(kind, route));
      rig.withdraw(...many);
      for (const route of [first, last]) await shows(rig, route, undefined);
    });

    it('never end the session', () => {
      assert.equal(rig.status.counters.flaps, 0, rig.log.join('\n'));
      assert.equal(rig.status.lastNotificationSent, undefined);
      assert.equal(rig.status.lastNotificationReceived, undefined);
    });
  });
}

async function table(rig: Rig, route: OutRoute): Promise<string> {
  assert.ok(rig.daemon.kind === 'bird');
  return rig.daemon.command(
    'show',
    'route',
    prefixOf(route),
    'table',
    prefixOf(route).includes(':') ? 'master6' : 'master4',
  );
}

/** A router that knows the ways to the scrubber, and answers with ICMP for what carries BLACKHOLE. */
const UNREACHABLE: NonNullable<RigOptions['daemon']> = {
  unicastImport: 'holes',
  statements: [
    'filter holes { if (65535, 666) ~ bgp_community then dest = RTD_UNREACHABLE; accept; }',
    'protocol static way4 { ipv4; route 192.0.2.80/32 via "lo"; }',
    'protocol static way6 { ipv6; route 2001:db8:5c::1/128 via "lo"; }',
  ].join('\n'),
};

describe('bird, whose filter makes BLACKHOLE unreachable', { skip: missing('bird') }, () => {
  it('has unreachable routes for blackholes, and the way to the scrubber for diversions', async (t) => {
    const rig = await Rig.start('bird', { families: FAMILIES, daemon: UNREACHABLE });
    undo(t, () => rig.end());
    rig.announce(...ROUTES);
    for (const route of ROUTES) await shows(rig, route, route.text);
    const line = (route: OutRoute, kind: string, way: string): RegExp =>
      new RegExp(`^${prefixOf(route)} +${kind} \\[peer0 [^\\n]*${way}`, 'm');
    for (const hole of [HOLE4, HOLE6]) assert.match(await table(rig, hole), line(hole, 'unreachable', '$'));
    for (const diverted of [DIVERT4, DIVERT6])
      assert.match(await table(rig, diverted), line(diverted, 'unicast', '\\n\\tdev lo$'));
    // The route of an ended blackhole goes, and does not stay as unreachable.
    rig.withdraw(HOLE4, HOLE6);
    await shows(rig, HOLE4, undefined);
    await shows(rig, HOLE6, undefined);
  });
});

/** Three BIRDs in a row behind the speaker: the first two are one AS, the third another. */
async function row(
  t: TestContext,
): Promise<{ readonly rig: Rig; readonly second: Bird; readonly third: Bird }> {
  const [at2, at3] = [ownAddress(), ownAddress()];
  const [port2, port3] = [await freePort(at2), await freePort(at3)];
  const to = { families: FAMILIES };
  const rig = await Rig.start('bird', {
    families: FAMILIES,
    others: [{ ...to, address: at2, asn: 65002, dial: port2 }],
  });
  undo(t, () => rig.end());
  const second = await startDaemon('bird', {
    ...{ asn: 65002, routerId: '10.0.0.2', address: at2, port: port2 },
    peers: [
      { ...to, address: rig.theirAddress, asn: 65002 },
      { ...to, address: at3, asn: 65005, dial: port3 },
    ],
  });
  undo(t, () => second.stop('SIGKILL'));
  const third = await startDaemon('bird', {
    ...{ asn: 65005, routerId: '10.0.0.3', address: at3, port: port3 },
    peers: [{ ...to, address: at2, asn: 65002 }],
  });
  undo(t, () => third.stop('SIGKILL'));
  await until('all routers talk', async () => {
    const talks = [second.established(rig.theirAddress), second.established(at3), third.established(at2)];
    return (await Promise.all(talks)).every(Boolean);
  });
  return { rig, second, third };
}

describe('a host route in a row of routers', { skip: missing('bird') }, () => {
  it('with NO_EXPORT reaches its own AS and not the next one', async (t) => {
    const { rig, second, third } = await row(t);
    // Announced last, so that all that may leak has leaked when it arrives.
    const open = [
      unicast('route 203.0.113.20/32 next-hop 192.0.2.80 community 65001:80'),
      unicast('route 2001:db8:c::20/128 next-hop 2001:db8:5c::1 community 65001:80'),
    ];
    const kept = [HOLE4, HOLE6, DIVERT4];
    rig.announce(...kept);
    for (const route of kept) {
      await until(
        `the second router has ${route.text}`,
        async () => (await shownRoute(second, prefixOf(route))) === route.text,
      );
    }
    rig.announce(...open);
    for (const route of open) {
      await until(
        `the third router has the open ${prefixOf(route)}`,
        async () => (await shownRoute(third, prefixOf(route))) !== undefined,
      );
    }
    for (const route of kept) assert.equal(await shownRoute(third, prefixOf(route)), undefined, route.text);
    rig.withdraw(...kept, ...open);
    for (const route of [...kept, ...open]) {
      await until(
        `${prefixOf(route)} is gone`,
        async () =>
          (await shownRoute(second, prefixOf(route))) === undefined &&
          (await shownRoute(third, prefixOf(route))) === undefined,
      );
    }
  });

  it('with NO_ADVERTISE reaches the first router alone', async (t) => {
    const { rig, second } = await row(t);
    const own = unicast('route 203.0.113.30/32 next-hop 192.0.2.80 community 65001:80,no-advertise');
    rig.announce(own);
    await shows(rig, own, own.text);
    rig.announce(DIVERT4);
    await until(
      'the other route arrives',
      async () => (await shownRoute(second, prefixOf(DIVERT4))) !== undefined,
    );
    assert.equal(await shownRoute(second, prefixOf(own)), undefined);
  });
});
