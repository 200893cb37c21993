/** What is written in inventory.yaml wins over another system. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { buildInventory } from '../../src/core/policy/inventory.ts';
import { overlaySteps } from '../../src/core/policy/inventory-overlay.ts';
import type { InventoryData } from '../../src/core/policy/inventory-schema.ts';
import { parseAddress } from '../../src/net/prefix.ts';
import { runToEnd } from '../../src/net/steps.ts';

function laidOver(written: InventoryData, system: InventoryData): InventoryData {
  const { customers } = runToEnd(overlaySteps(written, system));
  return { customers: [...written.customers, ...customers] };
}

describe('inventory.yaml beside another system', () => {
  it('replaces a customer, and takes equal prefixes and assets away from the others', () => {
    const written = {
      customers: [
        { customer_id: 'acme', prefixes: ['203.0.113.0/24'] },
        { customer_id: 'own', services: [{ service_id: 'web', assets: [{ ip: '198.51.100.7' }] }] },
      ],
    };
    const system = {
      customers: [
        { customer_id: 'acme', prefixes: ['192.0.2.0/24'] },
        {
          customer_id: 'globex',
          prefixes: ['203.0.113.0/24', '203.0.113.128/25', '198.51.100.0/24'],
          services: [{ service_id: 'dns', assets: [{ ip: '198.51.100.7/32' }, { ip: '198.51.100.8' }] }],
        },
      ],
    };
    assert.deepEqual(runToEnd(overlaySteps(written, system)), {
      places: [1],
      customers: [
        {
          customer_id: 'globex',
          prefixes: ['203.0.113.128/25', '198.51.100.0/24'],
          services: [{ service_id: 'dns', assets: [{ ip: '198.51.100.8' }] }],
        },
      ],
    });
  });

  it('never makes an inventory invalid, and every entry that is written keeps its owner', () => {
    const inventory = fc.array(
      fc.record({
        prefixes: fc.uniqueArray(fc.integer({ min: 0, max: 5 }), { maxLength: 3 }),
        assets: fc.uniqueArray(fc.integer({ min: 0, max: 9 }), { maxLength: 4 }),
      }),
      { maxLength: 4 },
    );
    const dataOf = (
      plan: readonly { prefixes: readonly number[]; assets: readonly number[] }[],
      name: string,
    ): InventoryData => {
      const seen = new Set<string>();
      const once = (text: string): boolean => !seen.has(text) && seen.add(text) !== undefined;
      return {
        customers: plan.map(({ prefixes, assets }, i) => ({
          customer_id: `${i === 0 ? 'both' : name}-${i}`,
          prefixes: prefixes.map((n) => `10.0.${n}.0/24`).filter(once),
          services: [
            {
              service_id: 's',
              assets: assets
                .map((n) => `10.0.0.${n}`)
                .filter(once)
                .map((ip) => ({ ip })),
            },
          ],
        })),
      };
    };
    fc.assert(
      fc.property(inventory, inventory, (first, second) => {
        const written = dataOf(first, 'file');
        const built = buildInventory(laidOver(written, dataOf(second, 'netbox')));
        assert.deepEqual(
          built.problems.filter(({ severity }) => severity === 'error'),
          [],
        );
        for (const { customer_id: id, services = [] } of written.customers) {
          for (const { ip } of services.flatMap(({ assets = [] }) => assets)) {
            assert.equal(built.inventory.lookup(parseAddress(ip) ?? new Uint8Array())?.customerId, id);
          }
        }
      }),
    );
  });
});
