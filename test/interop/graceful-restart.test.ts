/**
 * Graceful restart (RFC 4724), measured: prefixd as a process of its own goes away and comes back, its router (GoBGP,
 * BIRD) keeps the rules. A relay between the two reads what is said, the router's own table is read all the while, and the
 * router's own record of changes shows what happened between two looks.
 */
import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { decodeFlowSpecList } from '../../src/bgp/flowspec/nlri.ts';
import { formatRule } from '../../src/bgp/flowspec/notation/format.ts';
import { FAMILIES, type Family, familyName, sameFamily } from '../../src/bgp/wire/iana.ts';
import type { BgpMessage, Capability } from '../../src/bgp/wire/types.ts';
import { isEndOfRib } from '../../src/bgp/wire/update.ts';
import { type BgpRelay, type RelayedSession, startRelay } from '../support/bgp-relay.ts';
import { until } from '../support/children.ts';
import type { Bird } from '../support/daemons/bird.ts';
import type { GoBgp } from '../support/daemons/gobgp.ts';
import { missing, startDaemon } from '../support/daemons.ts';
import { freePort, ownAddress } from '../support/loopback.ts';
import { Prefixd } from '../support/prefixd.ts';

const FLOWSPEC = ['ipv4-flowspec', 'ipv6-flowspec'] as const;
/** Rules of each family that stand throughout. */
const LASTING = 10;
/** How long the rule stands that ends while the daemon is away. A busy machine needs some of it to see it in the router. */
const BRIEF_SECONDS = 20;

const INVENTORY = `
customers:
  - customer_id: acme
    name: ACME
    prefixes: ["203.0.113.0/24", "2001:db8:acd::/48"]
    policy_profile: normal
    services: []
`;
const PLAYBOOKS = `
playbooks:
  - name: udp
    match: { vector: udp_flood }
    steps: [{ action: police, rate_bps: 8000000, ttl_seconds: 600 }]
  - name: brief
    match: { vector: icmp_flood }
    steps: [{ action: discard, ttl_seconds: ${BRIEF_SECONDS} }]
`;

type Helper = GoBgp | Bird;

/** What the router itself records of rules that leave its table, from now on. */
interface Departures {
  /** One line each, in the router's words. */
  lines(): readonly string[];
  stop(): Promise<void>;
}

for (const kind of ['gobgp', 'bird'] as const) {
  describe(`graceful restart with ${kind} as the helper`, { skip: missing(kind) }, () => {
    const ours = ownAddress();
    let router: Helper;
    let relay: BgpRelay;
    let prefixd: Prefixd;
    let departures: Departures;

    before(async () => {
      const address = ownAddress();
      const config = {
        asn: 65001,
        routerId: '10.0.0.1',
        address,
        port: await freePort(address),
        peers: [{ address: ours, asn: 65010, families: FLOWSPEC, helper: true }],
      };
      router = kind === 'gobgp' ? await startDaemon('gobgp', config) : await startDaemon('bird', config);
      const between = ownAddress();
      relay = await startRelay(between, { host: address, port: config.port, from: ours });
      const settings = [
        'pop: test1',
        'bgp:',
        '  local_asn: 65010',
        '  router_id: "192.0.2.10"',
        '  neighbors:',
        `    - { name: router, address: "${between}", port: ${relay.port}, peer_asn: 65001, families: [${FLOWSPEC.join(', ')}], graceful_restart: { restart_time_seconds: 90 } }`,
        'guardrails: { max_ports: 8 }',
        'quotas: { max_active_per_customer: 100, max_new_per_minute: 1000 }',
        'timers: { min_ttl_seconds: 1, reconciliation_interval_seconds: 2 }',
        'shutdown: { drain_timeout_seconds: 10, preserve_announcements: true }',
        '',
      ].join('\n');
      prefixd = await Prefixd.start(settings, { 'inventory.yaml': INVENTORY, 'playbooks.yaml': PLAYBOOKS });
      for (let n = 1; n <= LASTING; n++) {
        await report({ victim_ip: `203.0.113.${n}`, vector: 'udp_flood', top_dst_ports: [53] });
        await report({ victim_ip: `2001:db8:acd::${n}`, vector: 'udp_flood', top_dst_ports: [53] });
      }
      await holds(LASTING);
      departures = await watchDepartures(router);
    });
    after(async () => {
      await departures?.stop();
      await prefixd?.end();
      relay?.close();
      await router?.stop('SIGKILL');
    });

    async function report(event: Readonly<Record<string, unknown>>): Promise<void> {
      const answer = await prefixd.call('POST', '/v1/events', { source: 'gr', confidence: 0.9, ...event });
      assert.equal(answer.body.status, 'accepted', JSON.stringify(answer.body));
    }

    const holds = async (...counts: readonly number[]): Promise<void> => {
      for (const [index, family] of FLOWSPEC.entries()) {
        const count = counts[index] ?? counts[0] ?? 0;
        await until(`${kind} holds ${count} rules of ${family}`, async () => {
          return (await router.count(family)) === count;
        }).catch((error: Error) => {
          throw new Error(`${error.message}\n${prefixd.log().slice(-3000)}\n${router.log().slice(-2000)}`);
        });
      }
    };

    const newest = (): RelayedSession => {
      const session = relay.sessions.at(-1);
      assert.ok(session !== undefined);
      return session;
    };

    /** Goes away in this way, stays away until `meanwhile` is over, comes back; the router's table is read throughout. */
    async function restart(signal: NodeJS.Signals, meanwhile: () => Promise<void>) {
      const before = newest();
      const said = before.dialler.length;
      const watch = watchTable(router, [LASTING, LASTING]);
      await prefixd.kill(signal);
      await until('the router has noticed', async () => !(await router.established(ours)));
      await meanwhile();
      const sessions = relay.sessions.length;
      await prefixd.run();
      await until('End-of-RIB of both families', () => {
        return relay.sessions.length > sessions && endsOfRib(newest().dialler).length === FLOWSPEC.length;
      });
      await until('established', () => router.established(ours));
      // A late withdrawal, by the reconciler's next runs (every 2 s), would be seen as well.
      await sleep(3000);
      return { watch: await watch.stop(), last: before.dialler.slice(said), fresh: newest().dialler };
    }

    for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
      it(`after ${signal}: rules missing in the router during the restart: 0; withdraw messages: 0`, async (t) => {
        const gone = departures.lines().length;
        const { watch, last, fresh } = await restart(signal, () => sleep(1000));
        assert.deepEqual(watch.missing, []);
        assert.ok(watch.looks >= 10, `only ${watch.looks} looks at the table`);
        assert.deepEqual(departures.lines().slice(gone), [], `${kind} recorded rules that left its table`);
        assert.deepEqual(
          last.filter((one) => one.type !== 'keepalive'),
          [],
          'no withdrawal and no NOTIFICATION before it went',
        );
        assert.deepEqual(withdrawn(fresh), []);
        await holds(LASTING);
        t.diagnostic(`${watch.looks} looks in ${watch.milliseconds} ms`);
      });
    }

    it('comes back with the R bit, the N bit and the F bit of each family', async () => {
      const [open] = newest().dialler;
      assert.equal(open?.type, 'open');
      assert.ok(open?.type === 'open');
      const restarts = open.capabilities.filter(
        (one): one is Extract<Capability, { type: 'graceful-restart' }> => one.type === 'graceful-restart',
      );
      assert.deepEqual(restarts, [
        {
          type: 'graceful-restart',
          restarting: true,
          notification: true,
          restartTime: 90,
          families: FLOWSPEC.map((name) => ({ family: FAMILIES[name], forwardingPreserved: true })),
        },
      ]);
    });

    it('sends End-of-RIB of a family once every rule of the journal has been sent', async () => {
      const { dialler } = newest();
      for (const name of FLOWSPEC) {
        const end = dialler.findIndex((one) => endOf(one, FAMILIES[name]));
        assert.equal(announced(dialler.slice(0, end), FAMILIES[name]).length, LASTING, name);
        assert.equal(announced(dialler.slice(end), FAMILIES[name]).length, 0, name);
      }
    });

    it('leaves to End-of-RIB what ended while it was away: no withdrawal, and the rule goes', async () => {
      await report({ victim_ip: '203.0.113.200', vector: 'icmp_flood' });
      const reported = performance.now();
      await holds(LASTING + 1, LASTING);
      const gone = departures.lines().length;
      const { watch, last, fresh } = await restart('SIGKILL', async () => {
        await sleep(Math.max(0, reported + 1000 * BRIEF_SECONDS + 500 - performance.now()));
        assert.equal(
          await router.count('ipv4-flowspec'),
          LASTING + 1,
          'the router keeps it until it is told',
        );
      });
      assert.deepEqual(
        last.filter((one) => one.type !== 'keepalive'),
        [],
      );
      assert.deepEqual(watch.missing, []);
      assert.deepEqual(withdrawn(fresh), []);
      assert.ok(!announced(fresh, FAMILIES['ipv4-flowspec']).some((rule) => rule.includes('203.0.113.200')));
      await holds(LASTING, LASTING);
      assert.doesNotMatch(await router.tableText('ipv4-flowspec'), /203\.0\.113\.200/);
      await until(`${kind} has recorded that a rule left`, () => departures.lines().length > gone);
      for (const line of departures.lines().slice(gone)) assert.match(line, /203\.0\.113\.200/);
    });

    it('without preserve_announcements: withdraws every rule, then Cease', async () => {
      const file = join(prefixd.folder, 'prefixd.yaml');
      const text = await readFile(file, 'utf8');
      await writeFile(file, text.replace('preserve_announcements: true', 'preserve_announcements: false'));
      const reload = await prefixd.call('POST', '/v1/config/reload', {});
      assert.equal(reload.status, 200, JSON.stringify(reload.body));
      const { dialler } = newest();
      const said = dialler.length;
      await prefixd.kill('SIGTERM');
      await holds(0);
      const last = dialler.slice(said).filter((one) => one.type !== 'keepalive');
      const cease = last.at(-1);
      assert.ok(cease?.type === 'notification', 'the last word is a NOTIFICATION');
      assert.deepEqual([cease.code, cease.subcode], [6, 2]);
      assert.deepEqual([...new Set(last.slice(0, -1).map((one) => one.type))], ['update']);
      assert.equal(withdrawn(last).length, 2 * LASTING);
      await prefixd.run();
      await holds(LASTING);
    });
  });
}

/** Looks at the tables again and again; notes each look at which a family held fewer rules than it should. */
function watchTable(router: Helper, counts: readonly number[]) {
  const missing: string[] = [];
  const from = performance.now();
  let looks = 0;
  let stopped = false;
  const done = (async () => {
    while (!stopped) {
      for (const [index, family] of FLOWSPEC.entries()) {
        const count = await router.count(family);
        looks++;
        if (count < (counts[index] ?? 0)) missing.push(`${family}: ${count} at look ${looks}`);
      }
      // Each look at gobgp starts a program: more often, and the looks are all that two processors do.
      await sleep(100);
    }
  })();
  return {
    async stop() {
      stopped = true;
      await done;
      return { looks, missing, milliseconds: Math.round(performance.now() - from) };
    },
  };
}

async function watchDepartures(router: Helper): Promise<Departures> {
  if (router.kind === 'bird') {
    await router.command('debug', 'peer0', '{ routes }');
    return {
      lines: () => router.log().match(/^.*> removed .*$/gm) ?? [],
      stop: async () => undefined,
    };
  }
  const monitors = FLOWSPEC.map((family) => router.monitor(family));
  await sleep(500);
  return {
    lines: () => monitors.flatMap((one) => one.log().match(/^.*\[DELROUTE\].*$/gm) ?? []),
    stop: async () => {
      for (const one of monitors) await one.stop();
    },
  };
}

function endOf(message: BgpMessage, family: Family): boolean {
  const ended = message.type === 'update' ? isEndOfRib(message) : undefined;
  return ended !== undefined && sameFamily(ended, family);
}

function endsOfRib(messages: readonly BgpMessage[]): readonly string[] {
  return messages.flatMap((message) => {
    const ended = message.type === 'update' ? isEndOfRib(message) : undefined;
    return ended === undefined ? [] : [familyName(ended)];
  });
}

function rulesOf(nlri: Uint8Array, family: Family): readonly string[] {
  return decodeFlowSpecList(nlri, family.afi, family.safi).map(({ result }) =>
    result.ok ? formatRule(result.value.spec, []) : `unreadable: ${result.error.reason}`,
  );
}

function announced(messages: readonly BgpMessage[], family: Family): readonly string[] {
  return messages.flatMap((message) => {
    const reach = message.type === 'update' ? message.attributes.mpReach : undefined;
    return reach !== undefined && sameFamily(reach.family, family) ? rulesOf(reach.nlri, family) : [];
  });
}

/** Rules withdrawn, in words; End-of-RIB is none. */
function withdrawn(messages: readonly BgpMessage[]): readonly string[] {
  return messages.flatMap((message) => {
    const unreach = message.type === 'update' ? message.attributes.mpUnreach : undefined;
    return unreach === undefined ? [] : rulesOf(unreach.nlri, unreach.family);
  });
}
