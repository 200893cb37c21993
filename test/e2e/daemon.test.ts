/** From end to end: an event over HTTP becomes a rule in GoBGP, BIRD and FRR, and is withdrawn again. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { until } from '../support/children.ts';
import type { DaemonKind } from '../support/daemons/daemon.ts';
import { type AnyDaemon, missing, startDaemon } from '../support/daemons.ts';
import { freePort, ownAddress } from '../support/loopback.ts';
import { type Answer, Prefixd } from '../support/prefixd.ts';
import { type ComponentJson, eq } from '../support/rule-json.ts';

const ROUTERS = ['gobgp', 'bird', 'frr'] as const satisfies readonly DaemonKind[];
const skip = ROUTERS.map(missing).find((reason) => reason !== false) ?? false;
const FAMILIES = ['ipv4-flowspec', 'ipv6-flowspec'] as const;

const INVENTORY = `
customers:
  - customer_id: acme
    name: ACME
    prefixes: ["203.0.113.0/24", "2001:db8:acd::/48"]
    policy_profile: normal
    services:
      - service_id: dns
        name: DNS
        assets: [{ ip: "203.0.113.10", role: dns }]
        allowed_ports: { udp: [53], tcp: [53] }
`;

/** Lifetime of a short-lived rule. A busy machine needs some of it to see the rule in three routers. */
const BRIEF_SECONDS = 15;

const PLAYBOOKS = `
playbooks:
  - name: udp
    match: { vector: udp_flood }
    steps: [{ action: police, rate_bps: 8000000, ttl_seconds: 600 }]
  - name: brief
    match: { vector: icmp_flood }
    steps: [{ action: discard, ttl_seconds: ${BRIEF_SECONDS} }]
`;

/** Makes a rule from a destination, a protocol and ports. */
function rule(prefix: string, protocol: number, ...ports: readonly number[]): readonly ComponentJson[] {
  return [
    { type: 1, prefix },
    { type: 3, ops: [eq(protocol)] },
    ...(ports.length === 0 ? [] : [{ type: 5 as const, ops: ports.map(eq) }]),
  ];
}

describe('prefixd between a detector and three routers', { skip }, () => {
  const ours = ownAddress();
  let routers: readonly AnyDaemon[] = [];
  let prefixd: Prefixd;

  before(async () => {
    routers = await Promise.all(
      ROUTERS.map(async (kind, index) => {
        const address = ownAddress();
        return startDaemon(kind, {
          asn: 65001 + index,
          routerId: `10.0.0.${index + 1}`,
          address,
          port: await freePort(address),
          peers: [{ address: ours, asn: 65010, families: FAMILIES }],
        });
      }),
    );
    const neighbors = routers.map(
      ({ kind, config }) =>
        `    - { name: ${kind}, address: "${config.address}", port: ${config.port}, local_address: "${ours}", peer_asn: ${config.asn}, families: [${FAMILIES.join(', ')}] }`,
    );
    const settings = [
      'pop: test1',
      'bgp:',
      '  local_asn: 65010',
      '  router_id: "192.0.2.10"',
      '  neighbors:',
      ...neighbors,
      'timers: { min_ttl_seconds: 1, reconciliation_interval_seconds: 2 }',
      'shutdown: { drain_timeout_seconds: 10, preserve_announcements: false }',
      '',
    ].join('\n');
    prefixd = await Prefixd.start(settings, { 'inventory.yaml': INVENTORY, 'playbooks.yaml': PLAYBOOKS });
    await established();
  });
  after(async () => {
    await prefixd?.end();
    for (const router of routers) await router.stop('SIGKILL');
  });

  const established = (): Promise<void> =>
    everywhere('the session is established', (router) => router.established(ours));

  async function everywhere(what: string, holds: (router: AnyDaemon) => Promise<boolean>): Promise<void> {
    for (const router of routers) {
      await until(`${router.kind}: ${what}`, () => holds(router)).catch((error: Error) => {
        throw new Error(`${error.message}\n${prefixd.log().slice(-4000)}\n${router.log().slice(-2000)}`);
      });
    }
  }

  /** Waits until every router's table of the family has exactly these rules, with these rates in bytes per second. */
  const stands = (
    family: (typeof FAMILIES)[number],
    ...rules: readonly (readonly [readonly ComponentJson[], number])[]
  ): Promise<void> =>
    everywhere(`its table is ${JSON.stringify(rules)}`, async (router) => {
      const table = await router.rules(family);
      const said = table.map(({ components, rate }) => JSON.stringify([components, rate])).sort();
      return JSON.stringify(said) === JSON.stringify(rules.map((one) => JSON.stringify(one)).sort());
    });

  const report = (event: Readonly<Record<string, unknown>>): Promise<Answer> =>
    prefixd.call('POST', '/v1/events', { source: 'e2e', confidence: 0.9, ...event });

  const withdraw = (id: unknown): Promise<Answer> =>
    prefixd.call('POST', `/v1/mitigations/${String(id)}/withdraw`, { operator_id: 'alice', reason: 'over' });

  const statusOf = async (id: unknown): Promise<unknown> =>
    (await prefixd.call('GET', `/v1/mitigations/${String(id)}`)).body.status;

  it('turns an event into a rule in every router, and an operator takes it away', async () => {
    const answer = await report({
      victim_ip: '203.0.113.20',
      vector: 'udp_flood',
      bps: 2e9,
      top_dst_ports: [123, 4444],
    });
    assert.equal(answer.status, 202, JSON.stringify(answer.body));
    assert.equal(answer.body.status, 'accepted');
    await stands('ipv4-flowspec', [rule('203.0.113.20/32', 17, 123, 4444), 1_000_000]);
    await until('the API says so too', async () => (await statusOf(answer.body.mitigation_id)) === 'active');
    assert.equal((await withdraw(answer.body.mitigation_id)).status, 200);
    await stands('ipv4-flowspec');
    await until(
      'the mitigation has ended',
      async () => (await statusOf(answer.body.mitigation_id)) === 'withdrawn',
    );
    assert.equal((await withdraw(answer.body.mitigation_id)).status, 409);
  });

  it('does the same for IPv6', async () => {
    const answer = await report({ victim_ip: '2001:db8:acd::20', vector: 'udp_flood', top_dst_ports: [80] });
    assert.equal(answer.body.status, 'accepted', JSON.stringify(answer.body));
    await stands('ipv6-flowspec', [rule('2001:db8:acd::20/128', 17, 80), 1_000_000]);
    await withdraw(answer.body.mitigation_id);
    await stands('ipv6-flowspec');
  });

  it('ends a rule when its TTL does', async () => {
    const answer = await report({ victim_ip: '203.0.113.21', vector: 'icmp_flood' });
    assert.equal(answer.body.status, 'accepted', JSON.stringify(answer.body));
    await stands('ipv4-flowspec', [rule('203.0.113.21/32', 1), 0]);
    await stands('ipv4-flowspec');
    await until('expired', async () => (await statusOf(answer.body.mitigation_id)) === 'expired');
  });

  it('announces nothing for an address that is nobody’s', async () => {
    const answer = await report({ victim_ip: '198.51.100.1', vector: 'udp_flood', top_dst_ports: [80] });
    assert.equal(answer.status, 422);
    assert.equal(answer.body.reason, 'not_in_inventory');
    await stands('ipv4-flowspec');
  });

  it('brings back after kill -9 what still holds, and only that', async () => {
    const lasting = await report({ victim_ip: '203.0.113.22', vector: 'udp_flood', top_dst_ports: [80] });
    const brief = await report({ victim_ip: '203.0.113.23', vector: 'icmp_flood' });
    assert.equal(brief.body.status, 'accepted', JSON.stringify(brief.body));
    await stands(
      'ipv4-flowspec',
      [rule('203.0.113.22/32', 17, 80), 1_000_000],
      [rule('203.0.113.23/32', 1), 0],
    );
    await prefixd.kill('SIGKILL');
    await stands('ipv4-flowspec');
    await sleep(1000 * BRIEF_SECONDS);
    await prefixd.run();
    await stands('ipv4-flowspec', [rule('203.0.113.22/32', 17, 80), 1_000_000]);
    assert.equal(await statusOf(lasting.body.mitigation_id), 'active');
    await until(
      'the other has expired',
      async () => (await statusOf(brief.body.mitigation_id)) === 'expired',
    );
  });

  it('gives a router that comes back everything', async () => {
    const [gobgp] = routers;
    assert.ok(gobgp !== undefined);
    await gobgp.stop('SIGKILL');
    routers = [await startDaemon('gobgp', gobgp.config), ...routers.slice(1)];
    await stands('ipv4-flowspec', [rule('203.0.113.22/32', 17, 80), 1_000_000]);
  });

  it('withdraws everything on SIGTERM when told not to preserve, and remembers it for the next start', async () => {
    await prefixd.kill('SIGTERM');
    await stands('ipv4-flowspec');
    await prefixd.run();
    await stands('ipv4-flowspec', [rule('203.0.113.22/32', 17, 80), 1_000_000]);
  });
});
