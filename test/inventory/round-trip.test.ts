/** An inventory that is put into a fake NetBox comes back the same. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { stringify } from 'yaml';
import { parseYaml } from '../../src/config/yaml/yaml.ts';
import { buildInventory } from '../../src/core/policy/inventory.ts';
import { type InventoryData, inventorySchema } from '../../src/core/policy/inventory-schema.ts';
import { formatPorts, parsePorts } from '../../src/inventory/allowed-ports.ts';
import { normalContent } from '../../src/inventory/inventory-content.ts';
import { FakeNetBox, TOKEN_V1, TOKEN_V2, VERSIONS } from './fake-netbox.ts';
import { contentOf } from './reading.ts';

interface Plan {
  readonly profile: 'strict' | 'relaxed' | undefined;
  readonly name: string;
  readonly prefixes: readonly { readonly v6: boolean; readonly pop: string | undefined }[];
  readonly services: readonly {
    readonly name: string;
    readonly udp: readonly number[];
    readonly tcp: readonly number[];
    readonly addresses: number;
  }[];
  readonly plain: number;
  readonly range: boolean;
}

const ports = fc.uniqueArray(fc.integer({ min: 1, max: 70 }), { maxLength: 5 });

const plans: fc.Arbitrary<readonly Plan[]> = fc.array(
  fc.record({
    profile: fc.constantFrom('strict' as const, 'relaxed' as const, undefined),
    name: fc.constantFrom('A customer', 'Ünïcode & "quotes"', 'x'),
    prefixes: fc.array(fc.record({ v6: fc.boolean(), pop: fc.constantFrom('fra1', 'ams1', undefined) }), {
      maxLength: 4,
    }),
    services: fc.uniqueArray(
      fc
        .record({
          name: fc.constantFrom('dns', 'web', 'game server', 'mail'),
          udp: ports,
          tcp: ports,
          addresses: fc.integer({ min: 1, max: 4 }),
        })
        .filter(({ udp, tcp }) => udp.length + tcp.length > 0),
      { maxLength: 4, selector: ({ name }) => name },
    ),
    plain: fc.integer({ min: 0, max: 3 }),
    range: fc.boolean(),
  }),
  { maxLength: 6 },
);

/** Writes the inventory that the plans mean; every address and prefix is there once. */
function inventoryOf(all: readonly Plan[]): InventoryData {
  let prefixes = 0;
  let addresses = 0;
  const address = (): string => {
    const n = addresses++;
    return `100.${64 + (n >> 16)}.${(n >> 8) & 255}.${n & 255}`;
  };
  return {
    customers: all.map((plan, i) => ({
      customer_id: `customer-${i}`,
      name: plan.name,
      ...(plan.profile === undefined ? {} : { policy_profile: plan.profile }),
      prefixes: plan.prefixes.map(({ v6, pop }) => {
        const n = prefixes++;
        const text = v6 ? `2001:db8:${(n + 1).toString(16)}::/48` : `11.${n >> 8}.${n & 255}.0/24`;
        return pop === undefined ? text : { prefix: text, pops: [pop] };
      }),
      services: [
        ...plan.services.map(({ name, udp, tcp, addresses: count }) => {
          const text = [...udp.map((port) => `udp/${port}`), ...tcp.map((port) => `tcp/${port}`)].join(',');
          const { udp: u = [], tcp: t = [] } = parsePorts(text) ?? {};
          const listed = (ranges: readonly (readonly [number, number])[]) =>
            ranges.map(([from, to]) => (from === to ? from : `${from}-${to}`));
          return {
            service_id: name,
            assets: Array.from({ length: count }, () => ({ ip: address() })),
            allowed_ports: {
              ...(u.length === 0 ? {} : { udp: listed(u) }),
              ...(t.length === 0 ? {} : { tcp: listed(t) }),
            },
          };
        }),
        ...(plan.plain === 0 && !plan.range
          ? []
          : [
              {
                service_id: 'addresses',
                assets: [
                  ...Array.from({ length: plan.plain }, () => ({ ip: address() })),
                  ...(plan.range ? [{ ip: `172.16.${i}.3`, range_end: `172.16.${i}.77` }] : []),
                ],
              },
            ]),
      ],
    })),
  };
}

/** Puts an inventory into NetBox as its operator would. */
function fill({ content }: FakeNetBox, { customers }: InventoryData, byField: boolean): void {
  let id = 1;
  for (const customer of customers) {
    const tenant = id++;
    const { customer_id: slug, name = slug, policy_profile: profile = null } = customer;
    content.tenants.push({ id: tenant, name, slug, customFields: { prefixd_profile: profile } });
    for (const entry of customer.prefixes ?? []) {
      const [prefix, site] = typeof entry === 'string' ? [entry] : [entry.prefix, entry.pops[0]];
      content.prefixes.push({ id: id++, prefix, tenant, ...(site === undefined ? {} : { site }) });
    }
    for (const { service_id: service, assets = [], allowed_ports: allowed } of customer.services ?? []) {
      const bound: number[] = [];
      for (const { ip, range_end: end } of assets) {
        if (end !== undefined) {
          content.ranges.push({ id: id++, start: `${ip}/24`, end: `${end}/24`, tenant });
          continue;
        }
        const text = (['udp', 'tcp'] as const).flatMap((protocol) =>
          (allowed?.[protocol] ?? []).map((port) => `${protocol}/${port}`),
        );
        content.addresses.push({
          id,
          address: `${ip}/24`,
          tenant,
          customFields: { prefixd_ports: byField && text.length > 0 ? text.join(' ') : null },
        });
        bound.push(id++);
      }
      if (byField) continue;
      for (const protocol of ['udp', 'tcp'] as const) {
        const numbers = (allowed?.[protocol] ?? []).flatMap((port) => {
          const [from = 0, to = from] = String(port).split('-').map(Number);
          return Array.from({ length: to - from + 1 }, (_, n) => from + n);
        });
        if (numbers.length === 0) continue;
        content.services.push({ id: id++, name: service, protocol, ports: numbers, addresses: bound });
      }
    }
  }
}

/** Names each service by its ports, as the custom field does, and joins those with the same. */
function namedByPorts({ customers }: InventoryData): InventoryData {
  return {
    customers: customers.map((customer) => {
      const services = new Map<string, NonNullable<typeof customer.services>[number]>();
      for (const service of customer.services ?? []) {
        const text = (['udp', 'tcp'] as const)
          .flatMap((protocol) =>
            (service.allowed_ports?.[protocol] ?? []).map((port) => `${protocol}/${port}`),
          )
          .join(' ');
        const ports = parsePorts(text);
        const id = ports === undefined || text === '' ? service.service_id : formatPorts(ports);
        const before = services.get(id)?.assets ?? [];
        services.set(id, { ...service, service_id: id, assets: [...before, ...(service.assets ?? [])] });
      }
      return { ...customer, services: [...services.values()] };
    }),
  };
}

/** Leaves out empty lists, which mean the same. */
function compact(data: InventoryData): unknown {
  const { customers } = normalContent({ ...data, safelist: [] });
  return customers.map(({ prefixes = [], services = [], ...others }) => ({ ...others, prefixes, services }));
}

describe('an inventory', () => {
  it('written as YAML and put into NetBox comes back the same, whatever the version and the page size', async () => {
    await fc.assert(
      fc.asyncProperty(
        plans,
        fc.constantFrom(...VERSIONS),
        fc.boolean(),
        fc.integer({ min: 2, max: 9 }),
        async (all, version, byField, pageSize) => {
          const yaml = parseYaml('inventory.yaml', stringify(inventoryOf(all)));
          const written = inventorySchema.parse(yaml.value);
          assert.deepEqual(
            buildInventory(written).problems.filter(({ severity }) => severity === 'error'),
            [],
          );
          const token = version === '4.6' ? TOKEN_V2 : TOKEN_V1;
          const netbox = await new FakeNetBox(version, token).start();
          try {
            fill(netbox, written, byField);
            netbox.maxPageSize = pageSize;
            const read = await contentOf(netbox, { pops: 'site' });
            assert.deepEqual(compact(read), compact(byField ? namedByPorts(written) : written));
            assert.deepEqual(
              buildInventory(read).problems.filter(({ severity }) => severity === 'error'),
              [],
            );
          } finally {
            await netbox.stop();
          }
        },
      ),
      { numRuns: 60 },
    );
  });
});
