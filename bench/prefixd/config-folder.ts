/** A configuration for the bench: one customer who owns 10.0.0.0/8, no quotas, neighbors that are sinks. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort, ownAddress } from '../../test/support/loopback.ts';
import { ASN } from '../drivers/driver.ts';
import type { Sink } from '../sink-client.ts';

export interface ConfigFolder {
  readonly path: string;
  readonly http: { readonly host: string; readonly port: number };
  remove(): Promise<void>;
}

/** Writes it, with a neighbor at each of the sink's addresses. `storage`: the section of that name. */
export async function makeConfigFolder(
  sink: Sink,
  storage: Readonly<Record<string, string>> = { path: './data' },
): Promise<ConfigFolder> {
  const path = await mkdtemp(join(tmpdir(), 'bench-prefixd-'));
  const host = ownAddress();
  const port = await freePort(host);
  const source = ownAddress();
  const neighbors = sink.hosts.map((address, i) => ({
    name: `sink${i}`,
    address,
    port: sink.port,
    local_address: source,
    peer_asn: ASN.sink,
    hold_time_seconds: 240,
    families: ['ipv4-flowspec'],
    dialect: 'generic',
    max_rules: 1_000_000,
  }));
  // YAML takes JSON as it is.
  const write = (name: string, value: object): Promise<void> =>
    writeFile(join(path, name), JSON.stringify(value));
  await write('prefixd.yaml', {
    pop: 'bench',
    http: {
      listen: `${host}:${port}`,
      auth: { mode: 'none' },
      rate_limit: { events_per_second: 1_000_000, burst: 1_000_000 },
    },
    bgp: { local_asn: ASN.driver, router_id: '192.0.2.10', neighbors },
    quotas: {
      max_active_per_customer: 'unlimited',
      max_active_per_pop: 'unlimited',
      max_active_global: 'unlimited',
      max_new_per_minute: 'unlimited',
    },
    timers: { default_ttl_seconds: 86_400, max_ttl_seconds: 86_400 },
    storage,
  });
  await write('inventory.yaml', { customers: [{ customer_id: 'bench', prefixes: ['10.0.0.0/8'] }] });
  await write('playbooks.yaml', {
    playbooks: [
      {
        name: 'udp',
        match: { vector: 'udp_flood' },
        steps: [{ action: 'discard', ttl_seconds: 86_400 }],
      },
    ],
  });
  return { path, http: { host, port }, remove: () => rm(path, { recursive: true, force: true }) };
}
