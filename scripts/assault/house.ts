/** A compiled daemon, one router that keeps rules for a speaker that restarts, and a ledger of what was acknowledged. */
import { LabRouter } from '../../src/lab/router.ts';
import { until } from '../../test/support/children.ts';
import { freePort, ownAddress } from '../../test/support/loopback.ts';
import { Prefixd } from '../../test/support/prefixd.ts';
import type { Random } from '../fuzzing.ts';
import { judge } from './judge.ts';
import { Ledger } from './ledger.ts';
import { Load } from './load.ts';

const LOCAL_ASN = 65010;

const INVENTORY = `
customers:
  - customer_id: acme
    name: ACME
    prefixes: ["2001:db8:acd::/48"]
    policy_profile: normal
    services: []
`;
/** Rules last longer than any assault: one that is gone was taken away. */
const PLAYBOOKS = `
playbooks:
  - name: udp
    match: { vector: udp_flood }
    steps: [{ action: police, rate_bps: 8000000, ttl_seconds: 86400 }]
`;

export class House {
  readonly prefixd: Prefixd;
  readonly router: LabRouter;
  readonly ledger = new Ledger();
  readonly load: Load;
  /** Rules that left the router's table since this was last emptied, in operator notation. */
  readonly departures: string[];

  private constructor(prefixd: Prefixd, router: LabRouter, departures: string[], random: Random) {
    this.prefixd = prefixd;
    this.router = router;
    this.departures = departures;
    this.load = new Load(prefixd, this.ledger, random);
  }

  static async open(random: Random): Promise<House> {
    const departures: string[] = [];
    const host = ownAddress();
    const router = new LabRouter({
      host,
      port: await freePort(host),
      asn: 65001,
      routerId: '192.0.2.1',
      helper: true,
      onChange: ({ kind, text }) => {
        if (kind === 'withdrawn') departures.push(text);
      },
    });
    const { port } = await router.start();
    const settings = [
      'pop: assault',
      'bgp:',
      `  local_asn: ${LOCAL_ASN}`,
      '  router_id: "192.0.2.10"',
      '  neighbors:',
      `    - { name: lab, address: "${host}", port: ${port}, peer_asn: 65001, families: [ipv4-flowspec, ipv6-flowspec], max_rules: 20000, graceful_restart: { restart_time_seconds: 120 } }`,
      'quotas: { max_active_per_customer: unlimited, max_active_per_pop: unlimited, max_active_global: unlimited, max_new_per_minute: unlimited }',
      'timers: { min_ttl_seconds: 1, max_ttl_seconds: 86400 }',
      'shutdown: { drain_timeout_seconds: 10, preserve_announcements: true }',
      '',
    ].join('\n');
    try {
      const files = { 'inventory.yaml': INVENTORY, 'playbooks.yaml': PLAYBOOKS };
      const unlimited = ['  rate_limit: { events_per_second: 1000000, burst: 1000000 }'];
      const prefixd = await Prefixd.start(settings, files, unlimited);
      return new House(prefixd, router, departures, random);
    } catch (error) {
      await router.close();
      throw error;
    }
  }

  /** Compares the daemon and the router with the ledger. Rejects with everything that differs. */
  async judge(): Promise<void> {
    await until('the session is established', () => this.router.established === 1);
    await judge(this.prefixd, this.router, this.ledger);
  }

  async close(): Promise<void> {
    await this.prefixd.end();
    await this.router.close();
  }
}
