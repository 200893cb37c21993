import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { consequences, type Owned } from '../../src/cli/inventory-effects.ts';
import { inventoryDiff } from '../../src/core/policy/inventory-diff.ts';
import { buildInventory } from '../../src/core/policy/inventory.ts';
import type { CustomerData, InventoryData, ServiceData } from '../../src/core/policy/inventory-schema.ts';

const data = (...customers: CustomerData[]): InventoryData => ({ customers });
const acme = (...services: ServiceData[]): InventoryData =>
  data({ customer_id: 'acme', prefixes: ['203.0.113.0/24'], services });

const NOTHING = { customers: [], prefixes: [], assets: [], allowed_ports: [] };

describe('two inventories', () => {
  test('that say the same in other words differ in nothing', () => {
    const one = acme({
      service_id: 's',
      assets: [{ ip: '2001:DB8::1' }, { ip: '203.0.113.1', role: 'web' }],
      allowed_ports: { udp: [53, 54], tcp: [] },
    });
    const other = data({
      customer_id: 'acme',
      name: 'acme',
      policy_profile: 'normal',
      prefixes: ['203.0.113.0/24'],
      services: [
        {
          service_id: 's',
          assets: [{ ip: '203.0.113.1/32' }, { ip: '2001:db8:0::1' }],
          allowed_ports: { udp: ['53-54', 53] },
        },
      ],
    });
    assert.deepEqual(inventoryDiff(one, other), NOTHING);
  });

  test('tell an asset that moves from one that has one more service', () => {
    const asset = [{ ip: '203.0.113.1' }];
    const before = acme({ service_id: 'a', assets: asset }, { service_id: 'b' });
    assert.deepEqual(
      inventoryDiff(before, acme({ service_id: 'a' }, { service_id: 'b', assets: asset })).assets,
      [{ entry: '203.0.113.1', from: 'acme/a', to: 'acme/b' }],
    );
    const both = acme({ service_id: 'a', assets: asset }, { service_id: 'b', assets: asset });
    assert.deepEqual(inventoryDiff(before, both).assets, [
      { entry: '203.0.113.1', from: null, to: 'acme/b' },
    ]);
  });

  test('tell which ports of a service come and go, as ranges', () => {
    const change = inventoryDiff(
      acme({ service_id: 's', allowed_ports: { udp: [53, '27000-27100'] } }),
      acme({ service_id: 's', allowed_ports: { udp: ['27050-27200'], tcp: [80] } }),
    );
    assert.deepEqual(change.allowed_ports, [
      {
        customer_id: 'acme',
        service_id: 's',
        protocol: 'udp',
        added: ['27101-27200'],
        removed: ['53', '27000-27049'],
      },
      { customer_id: 'acme', service_id: 's', protocol: 'tcp', added: ['80'], removed: [] },
    ]);
  });

  test('tell a customer who comes, goes or has another profile', () => {
    const change = inventoryDiff(
      data({ customer_id: 'a' }, { customer_id: 'b' }),
      data({ customer_id: 'b', policy_profile: 'strict' }, { customer_id: 'c' }),
    );
    assert.deepEqual(change.customers, [
      { customer_id: 'a', change: 'removed', keys: [] },
      { customer_id: 'b', change: 'changed', keys: ['policy_profile'] },
      { customer_id: 'c', change: 'added', keys: [] },
    ]);
  });
});

describe('an active mitigation', () => {
  const service = (...udp: (number | string)[]): ServiceData => ({
    service_id: 's',
    assets: [{ ip: '203.0.113.1' }],
    allowed_ports: { udp },
  });
  const mitigation: Owned = {
    victim: '203.0.113.1',
    customerId: 'acme',
    serviceId: 's',
    match: {
      dstPrefix: '203.0.113.1/32',
      protocol: 17,
      dstPorts: [
        [0, 52],
        [54, 65535],
      ],
      srcPorts: [],
    },
    ports: [],
    excludedPorts: [53],
    action: { type: 'police', rateBps: 1 },
  };
  const after = (before: InventoryData, wanted: InventoryData): readonly string[] =>
    consequences(mitigation, buildInventory(before).inventory, buildInventory(wanted).inventory, true);

  test('is left alone by an inventory that leaves its victim alone', () => {
    assert.deepEqual(after(acme(service(53)), acme(service(53), { service_id: 'other' })), []);
  });

  test('polices a port that becomes allowed, and leaves alone one that no longer is', () => {
    assert.deepEqual(after(acme(service(53)), acme(service('443-444'))), [
      'its rule polices ports 443-444, which the inventory now allows',
      'its rule excludes port 53, which the inventory no longer allows',
    ]);
  });

  test('moves to another service of its customer', () => {
    const wanted = acme({ ...service(53), service_id: 't' });
    assert.deepEqual(after(acme(service(53)), wanted), ['moves from service s to service t of acme']);
  });
});
