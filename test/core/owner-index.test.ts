import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { buildInventory, type Inventory, type PrefixOwnership } from '../../src/core/policy/inventory.ts';
import type { CustomerData } from '../../src/core/policy/inventory-schema.ts';
import { inRanges } from '../../src/core/policy/ports.ts';
import { rangeText } from '../../src/core/rule-text.ts';
import { formatPrefix, hostPrefix, makePrefix } from '../../src/net/prefix.ts';
import { prefix } from './scenario.ts';

function inventoryOf(...customers: CustomerData[]): Inventory {
  return buildInventory({ customers }).inventory;
}

function brief(owner: PrefixOwnership | undefined) {
  if (owner === undefined) return undefined;
  const { customerId, serviceIds, allowedPorts, entry } = owner;
  const udp = allowedPorts.udp.map(rangeText).join(', ');
  const tcp = allowedPorts.tcp.map(rangeText).join(', ');
  return { customerId, serviceIds, udp, tcp, entry, prefix: formatPrefix(owner.prefix) };
}

const ACME: CustomerData = {
  customer_id: 'acme',
  prefixes: ['203.0.112.0/22', '203.0.113.0/24', '2001:db8::/32'],
  policy_profile: 'strict',
  services: [
    { service_id: 'dns', assets: [{ ip: '203.0.113.10' }], allowed_ports: { udp: [53], tcp: [53] } },
    {
      service_id: 'web',
      assets: [{ ip: '203.0.113.20', range_end: '203.0.113.29' }, { ip: '203.0.113.200' }],
      allowed_ports: { tcp: [443, 80] },
    },
    { service_id: 'far', assets: [{ ip: '203.0.112.1' }], allowed_ports: { udp: [9] } },
  ],
};

describe('the owner of a prefix', () => {
  test('is the customer whose prefix covers it, with the allowed ports of every asset inside', () => {
    const inventory = inventoryOf(ACME);
    const owner = inventory.lookupPrefix(prefix('203.0.113.0/24'));
    assert.deepEqual(brief(owner), {
      customerId: 'acme',
      serviceIds: ['dns', 'web'],
      udp: '53',
      tcp: '53, 80, 443',
      entry: 'prefix 203.0.113.0/24',
      prefix: '203.0.113.0/24',
    });
    assert.equal(owner?.profile, 'strict');
    const wide = inventory.lookupPrefix(prefix('203.0.112.0/23'));
    assert.deepEqual(wide?.serviceIds, ['far', 'dns', 'web']);
    assert.equal(wide === undefined ? '' : formatPrefix(wide.prefix), '203.0.112.0/22');
  });

  test('has the allowed ports of an asset that covers it, and of no asset beside it', () => {
    const inventory = inventoryOf({
      ...ACME,
      services: [
        { service_id: 'all', assets: [{ ip: '203.0.113.0/24' }], allowed_ports: { udp: [123] } },
        ...(ACME.services ?? []),
      ],
    });
    assert.deepEqual(brief(inventory.lookupPrefix(prefix('203.0.113.0/27'))), {
      customerId: 'acme',
      serviceIds: ['all', 'dns', 'web'],
      udp: '53, 123',
      tcp: '53, 80, 443',
      entry: 'asset 203.0.113.0/24',
      prefix: '203.0.113.0/24',
    });
    assert.deepEqual(inventory.lookupPrefix(prefix('203.0.113.64/27'))?.serviceIds, ['all']);
  });

  test('is the one of the address for a prefix of one address', () => {
    const inventory = inventoryOf(ACME);
    const owner = inventory.lookupPrefix(prefix('203.0.113.10'));
    assert.equal(owner?.serviceId, 'dns');
    assert.deepEqual(owner?.allowedPorts, inventory.lookup(prefix('203.0.113.10').address)?.allowedPorts);
    assert.equal(brief(inventory.lookupPrefix(prefix('203.0.113.77')))?.udp, '');
    assert.equal(inventory.lookupPrefix(prefix('2001:db8:1::/48'))?.customerId, 'acme');
  });

  test('is nobody where no entry covers all of it', () => {
    const inventory = inventoryOf(ACME);
    assert.equal(inventory.lookupPrefix(prefix('203.0.112.0/21')), undefined);
    assert.equal(inventory.lookupPrefix(prefix('198.51.100.0/24')), undefined);
    assert.equal(inventory.lookupPrefix(prefix('0.0.0.0/0')), undefined);
    assert.equal(inventoryOf().lookupPrefix(prefix('203.0.113.0/24')), undefined);
  });

  test('is nobody where a part of it belongs to another customer, by prefix or by asset', () => {
    const nested = inventoryOf(ACME, { customer_id: 'bob', prefixes: ['203.0.113.128/25'] });
    assert.equal(nested.lookupPrefix(prefix('203.0.113.0/24')), undefined);
    assert.equal(nested.lookupPrefix(prefix('203.0.113.0/25'))?.customerId, 'acme');
    assert.equal(nested.lookupPrefix(prefix('203.0.113.128/26'))?.customerId, 'bob');
    const asset = inventoryOf(ACME, {
      customer_id: 'bob',
      services: [{ service_id: 's', assets: [{ ip: '203.0.113.99' }] }],
    });
    assert.equal(asset.lookupPrefix(prefix('203.0.113.0/24')), undefined);
    assert.equal(asset.lookupPrefix(prefix('203.0.113.99'))?.customerId, 'bob');
    assert.equal(asset.lookupPrefix(prefix('203.0.113.128/25'))?.customerId, 'acme');
  });

  test('is the customer of an asset that covers it where no prefix does, or where the prefix is another customer', () => {
    const bob = { customer_id: 'bob', services: [{ service_id: 's', assets: [{ ip: '10.0.0.0/24' }] }] };
    assert.deepEqual(brief(inventoryOf(bob).lookupPrefix(prefix('10.0.0.0/25'))), {
      customerId: 'bob',
      serviceIds: ['s'],
      udp: '',
      tcp: '',
      entry: 'asset 10.0.0.0/24',
      prefix: '10.0.0.0/24',
    });
    const both = inventoryOf({ customer_id: 'a', prefixes: ['10.0.0.0/8'] }, bob);
    assert.equal(both.lookupPrefix(prefix('10.0.0.0/25'))?.customerId, 'bob');
    assert.equal(both.lookupPrefix(prefix('10.0.0.0/23')), undefined);
  });

  test('owns every address inside, and allows every port that one of them allows', () => {
    const address = fc.nat(15).map((last) => `10.0.0.${last}`);
    const entry = fc
      .tuple(fc.nat(15), fc.integer({ min: 28, max: 32 }))
      .map(([last, length]) => formatPrefix(makePrefix(Uint8Array.of(10, 0, 0, last), length)));
    const service = fc.record({
      service_id: fc.constantFrom('s', 't', 'u'),
      assets: fc.array(fc.record({ ip: fc.oneof(address, entry) }), { maxLength: 3 }),
      allowed_ports: fc.record({
        udp: fc.array(fc.oneof(fc.nat(9), fc.constantFrom('2-5', '7-12')), { maxLength: 3 }),
      }),
    });
    const customer = (customer_id: string) =>
      fc.record({
        customer_id: fc.constant(customer_id),
        prefixes: fc.array(entry, { maxLength: 2 }),
        services: fc.array(service, { maxLength: 3 }),
      });
    fc.assert(
      fc.property(customer('a'), customer('b'), entry, (a, b, asked) => {
        const { inventory, problems } = buildInventory({ customers: [a, b] });
        fc.pre(problems.every(({ severity }) => severity !== 'error'));
        const owner = inventory.lookupPrefix(prefix(asked));
        if (owner === undefined) return;
        const { address: first, length } = prefix(asked);
        for (let i = 0; i < 2 ** (32 - length); i++) {
          const host = hostPrefix(Uint8Array.of(10, 0, 0, (first[3] ?? 0) + i));
          const one = inventory.lookup(host.address);
          assert.equal(one?.customerId, owner.customerId);
          for (let port = 0; port < 20; port++) {
            if (inRanges(port, one?.allowedPorts.udp ?? []))
              assert.ok(inRanges(port, owner.allowedPorts.udp));
          }
          assert.deepEqual(
            one?.serviceIds.filter((id) => !owner.serviceIds.includes(id)),
            [],
          );
          assert.deepEqual(inventory.lookupPrefix(host)?.allowedPorts, one?.allowedPorts);
        }
      }),
      { numRuns: 500 },
    );
  });
});
