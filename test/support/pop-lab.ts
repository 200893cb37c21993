/** Whole POPs for tests and measurements: a daemon as a child process and a lab router for each, and one PostgreSQL. */
import { LabRouter } from '../../src/lab/router.ts';
import { until } from './children.ts';
import { ownAddress } from './loopback.ts';
import { PostgresProxy } from './postgres-proxy.ts';
import { type PostgresServer, startPostgres } from './postgres-server.ts';
import { Prefixd } from './prefixd.ts';

const INVENTORY = `
customers:
  - customer_id: acme
    prefixes: ["203.0.113.0/24"]
`;

const PLAYBOOKS = `
playbooks:
  - name: udp
    match: { vector: udp_flood }
    steps: [{ action: discard, ttl_seconds: 600, scope: everywhere }]
  - name: icmp
    match: { vector: icmp_flood }
    steps: [{ action: discard, ttl_seconds: 600 }]
`;

/** One POP. */
export interface LabPop {
  readonly name: string;
  readonly prefixd: Prefixd;
  readonly router: LabRouter;
  /** Between the daemon and the database. */
  readonly proxy: PostgresProxy;
  /** The rules of its router. */
  rules(): readonly string[];
}

export class PopLab {
  readonly server: PostgresServer;
  readonly pops: readonly LabPop[];

  private constructor(server: PostgresServer, pops: readonly LabPop[]) {
    this.server = server;
    this.pops = pops;
  }

  /**
   * Starts POPs that accept each other, and waits until all sessions are established and all POPs are connected.
   * `onAnnounced` is called with a POP's name and a rule as soon as its router has the rule. `environments` are more
   * variables for the daemons, by POP.
   */
  static async start(
    names: readonly string[],
    onAnnounced: (pop: string, rule: string) => void = () => undefined,
    environments: Readonly<Record<string, Readonly<Record<string, string>>>> = {},
  ): Promise<PopLab> {
    const server = await startPostgres();
    const pops: LabPop[] = [];
    const lab = new PopLab(server, pops);
    try {
      for (const name of names) {
        pops.push(await startPop(server, name, names, onAnnounced, environments[name]));
      }
      await Promise.all(pops.map((pop) => lab.ready(pop)));
    } catch (error) {
      await lab.end();
      throw error;
    }
    return lab;
  }

  pop(name: string): LabPop {
    const found = this.pops.find((one) => one.name === name);
    if (found === undefined) throw new Error(`there is no POP ${name}`);
    return found;
  }

  /** Waits until a POP's session is established and it takes part in the exchange. */
  async ready({ name, prefixd }: LabPop): Promise<void> {
    await until(`${name} is ready`, async () => {
      const { body } = await prefixd.call('GET', '/v1/pops');
      const { body: health } = await prefixd.call('GET', '/v1/health/detail');
      return Object(body.exchange).state === 'connected' && Object(health.peers).established === 1;
    });
  }

  async end(): Promise<void> {
    for (const { prefixd, router, proxy } of this.pops) {
      await prefixd.end();
      await router.close();
      await proxy.close();
    }
    await this.server.remove();
  }
}

async function startPop(
  server: PostgresServer,
  name: string,
  names: readonly string[],
  onAnnounced: (pop: string, rule: string) => void,
  more: Readonly<Record<string, string>> = {},
): Promise<LabPop> {
  const router = new LabRouter({
    host: ownAddress(),
    port: 0,
    asn: 65001,
    routerId: '192.0.2.1',
    onChange: ({ kind, text }) => {
      if (kind === 'announced') onAnnounced(name, text);
    },
  });
  const { host, port } = await router.start();
  const proxy = await PostgresProxy.start(server.socket);
  const others = names.filter((one) => one !== name);
  const settings = [
    `pop: ${name}`,
    'bgp:',
    '  local_asn: 65010',
    '  router_id: "192.0.2.10"',
    `  neighbors: [{ name: edge-${name}, address: "${host}", port: ${port}, peer_asn: 65001 }]`,
    `exchange: { url_env: PREFIXD_EXCHANGE_URL, accept: [${others.join(', ')}], max_imported_per_pop: unlimited }`,
    'quotas:',
    '  max_active_per_customer: unlimited',
    '  max_active_per_pop: unlimited',
    '  max_active_global: unlimited',
    '  max_new_per_minute: unlimited',
    'timers: { min_ttl_seconds: 1 }',
    '',
  ];
  const files = { 'inventory.yaml': INVENTORY, 'playbooks.yaml': PLAYBOOKS };
  const limits = ['  rate_limit: { events_per_second: 100000, burst: 100000 }'];
  const environment = { PREFIXD_EXCHANGE_URL: server.url(proxy.at), ...more };
  const prefixd = await Prefixd.start(settings.join('\n'), files, limits, '', environment);
  return { name, prefixd, router, proxy, rules: () => router.rules().map(({ text }) => text) };
}
