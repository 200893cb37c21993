import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { buildInventory, type Ownership } from '../../src/core/policy/inventory.ts';
import type { CustomerData, InventoryData } from '../../src/core/policy/inventory-schema.ts';
import type { Range } from '../../src/core/types.ts';
import { ownerWords } from '../../src/core/victim.ts';
import { rangeText } from '../../src/core/rule-text.ts';
import { parseAddress } from '../../src/net/prefix.ts';
import { processorTime } from '../support/processor-time.ts';

/** The sample of upstream's format. */
const SAMPLE: InventoryData = {
  customers: [
    {
      customer_id: 'acme',
      name: 'ACME',
      prefixes: ['203.0.113.0/24', '2001:db8:acd::/48'],
      policy_profile: 'normal',
      services: [
        {
          service_id: 'dns',
          name: 'DNS',
          assets: [
            { ip: '203.0.113.10', role: 'dns' },
            { ip: '203.0.113.100', range_end: '203.0.113.110' },
          ],
          allowed_ports: { udp: [53], tcp: [53] },
        },
      ],
    },
  ],
};

function lookup(data: InventoryData, address: string): Ownership | undefined {
  const octets = parseAddress(address);
  assert.ok(octets !== undefined);
  return buildInventory(data).inventory.lookup(octets);
}

function problemsOf(...customers: CustomerData[]): readonly string[] {
  return buildInventory({ customers }).problems.map(
    ({ path, message, severity }) => `${severity} ${path.join('.')}: ${message}`,
  );
}

function rangesOf(owner: Ownership | undefined) {
  const text = (ranges: readonly Range[]) => ranges.map(rangeText).join(', ');
  return owner === undefined
    ? undefined
    : { udp: text(owner.allowedPorts.udp), tcp: text(owner.allowedPorts.tcp) };
}

function withPorts(...ports: (number | string)[]): CustomerData {
  return {
    customer_id: 'a',
    prefixes: ['10.0.0.0/8'],
    services: [{ service_id: 's', assets: [{ ip: '10.0.0.1' }], allowed_ports: { udp: ports } }],
  };
}

describe('the inventory', () => {
  test('knows the customer of an address by the longest prefix, in both families', () => {
    assert.equal(lookup(SAMPLE, '203.0.113.1')?.customerId, 'acme');
    assert.equal(lookup(SAMPLE, '2001:db8:acd:1::1')?.customerId, 'acme');
    assert.equal(lookup(SAMPLE, '203.0.112.1'), undefined);
    const nested = {
      customers: [
        { customer_id: 'wide', prefixes: ['198.51.0.0/16'] },
        { customer_id: 'narrow', prefixes: ['198.51.100.0/24'] },
      ],
    };
    assert.deepEqual(buildInventory(nested).problems, []);
    assert.equal(lookup(nested, '198.51.100.1')?.customerId, 'narrow');
    assert.equal(lookup(nested, '198.51.101.1')?.customerId, 'wide');
  });

  test('knows the service of an asset, and of every address of a range', () => {
    for (const address of ['203.0.113.10', '203.0.113.100', '203.0.113.105', '203.0.113.110']) {
      assert.equal(lookup(SAMPLE, address)?.serviceId, 'dns', address);
    }
    for (const address of ['203.0.113.11', '203.0.113.99', '203.0.113.111']) {
      assert.equal(lookup(SAMPLE, address)?.serviceId, null, address);
    }
    assert.deepEqual(lookup(SAMPLE, '203.0.113.10')?.allowedPorts, { udp: [[53, 53]], tcp: [[53, 53]] });
    assert.equal(lookup(SAMPLE, '203.0.113.105')?.entry, 'asset 203.0.113.100-203.0.113.110');
  });

  test('knows IPv6 ranges, and the range of everything', () => {
    const ranges = (ip: string, range_end: string): InventoryData => ({
      customers: [{ customer_id: 'c', services: [{ service_id: 's', assets: [{ ip, range_end }] }] }],
    });
    const six = ranges('2001:db8::fffe', '2001:db8::1:1');
    assert.equal(lookup(six, '2001:db8::fffd'), undefined);
    assert.equal(lookup(six, '2001:db8::1:1')?.serviceId, 's');
    assert.equal(lookup(six, '2001:db8::1:2'), undefined);
    assert.equal(lookup(ranges('0.0.0.0', '255.255.255.255'), '8.8.8.8')?.serviceId, 's');
  });

  test('lets an asset win over the prefix of another customer, and warns', () => {
    const customers: CustomerData[] = [
      { customer_id: 'a', prefixes: ['10.0.0.0/8'] },
      { customer_id: 'b', services: [{ service_id: 's', assets: [{ ip: '10.1.1.1' }] }] },
    ];
    assert.equal(lookup({ customers }, '10.1.1.1')?.customerId, 'b');
    assert.deepEqual(problemsOf(...customers), [
      'warning customers.1.services.0.assets.0: asset 10.1.1.1 of "b" is inside prefix 10.0.0.0/8 of "a"',
    ]);
  });

  test('gives an address with several services the ports that each of them allows, and names them all', () => {
    const customers: CustomerData[] = [
      {
        customer_id: 'a',
        prefixes: ['10.0.0.0/8'],
        services: [
          { service_id: 'game', assets: [{ ip: '10.0.0.0/24' }], allowed_ports: { udp: [27015] } },
          { service_id: 'web', assets: [{ ip: '10.0.0.1' }], allowed_ports: { tcp: [443, 80] } },
          { service_id: 'dns', assets: [{ ip: '10.0.0.1' }], allowed_ports: { udp: [53], tcp: [53] } },
        ],
      },
    ];
    assert.deepEqual(problemsOf(...customers), []);
    const owner = lookup({ customers }, '10.0.0.1');
    assert.equal(owner?.serviceId, 'web', 'the first of the narrowest');
    assert.deepEqual(owner?.serviceIds, ['web', 'dns', 'game']);
    assert.deepEqual(rangesOf(owner), { udp: '53, 27015', tcp: '53, 80, 443' });
    assert.match(
      ownerWords('10.0.0.1', owner),
      /customer a, services web, dns, game \(allowed ports combined\) \(asset 10\.0\.0\.1/,
    );
    assert.deepEqual(lookup({ customers }, '10.0.0.2')?.serviceIds, ['game']);
    assert.deepEqual(lookup({ customers }, '10.0.1.1')?.serviceIds, []);
  });

  test('does not mix the services of two customers whose assets nest: the narrower has the address', () => {
    const service = (service_id: string, ip: string, udp: number[]) => ({
      services: [{ service_id, assets: [{ ip }], allowed_ports: { udp } }],
    });
    const customers: CustomerData[] = [
      { customer_id: 'a', prefixes: ['10.0.0.0/8'], ...service('wide', '10.0.0.0/24', [1]) },
      { customer_id: 'b', prefixes: ['11.0.0.0/8'], ...service('narrow', '10.0.0.1', [2]) },
    ];
    const owner = lookup({ customers }, '10.0.0.1');
    assert.equal(owner?.customerId, 'b');
    assert.deepEqual(rangesOf(owner), { udp: '2', tcp: '' });
    assert.match(
      problemsOf(...customers).join(),
      /is inside asset 10\.0\.0\.0\/24 .* the narrower entry wins/,
    );
  });

  test('takes an asset written as IPv4 in IPv6 as the IPv4 address that packets carry', () => {
    const customers = [
      { customer_id: 'a', services: [{ service_id: 's', assets: [{ ip: '::ffff:10.0.0.1' }] }] },
    ];
    assert.equal(lookup({ customers }, '10.0.0.1')?.serviceId, 's');
  });

  test('refuses one prefix of two customers, ids used twice, and an asset of two customers', () => {
    const asset = { assets: [{ ip: '10.0.0.1' }] };
    assert.deepEqual(
      problemsOf(
        { customer_id: 'a', prefixes: ['10.0.0.0/8'] },
        {
          customer_id: 'a',
          prefixes: ['10.0.0.0/8', '11.0.0.0/8'],
          services: [{ service_id: 's', ...asset }, { service_id: 's' }, { service_id: 't', ...asset }],
        },
        { customer_id: 'b', prefixes: ['11.0.0.0/8'], services: [{ service_id: 's', ...asset }] },
      ),
      [
        'error customers.1.customer_id: customer_id "a" is used twice',
        'warning customers.1.prefixes.0: prefix 10.0.0.0/8 is listed twice',
        'error customers.1.services.1.service_id: service_id "s" is used twice in this customer',
        'error customers.2.prefixes.0: prefix 11.0.0.0/8 already belongs to customer "a"',
        'error customers.2.services.0.assets.0: asset 10.0.0.1 overlaps asset 10.0.0.1 of service "s" (customer "a"); an address has one customer',
        'warning customers.2.services.0.assets.0: asset 10.0.0.1 of "b" is inside prefix 10.0.0.0/8 of "a"',
      ],
    );
  });

  test('takes allowed ports as numbers and as ranges, in any order, overlapping or not', () => {
    const customer = withPorts('27020-27030', 53, '27015-27022', '443', '80 - 81');
    assert.deepEqual(problemsOf(customer), []);
    assert.equal(rangesOf(lookup({ customers: [customer] }, '10.0.0.1'))?.udp, '53, 80-81, 443, 27015-27030');
  });

  test('refuses an invalid range, and never guesses what a number with a leading zero means', () => {
    assert.deepEqual(
      problemsOf(withPorts('27030-27015', '1-70000', 'http', '010', '1e3', '53-', '-1', '')).map((text) =>
        text.replace('error customers.0.services.0.allowed_ports.udp.', ''),
      ),
      [
        '0: the range 27030-27015 ends before it begins',
        '1: 1-70000 is not a range of ports (0 to 65535)',
        '2: "http" is invalid: expected a port or a range such as "27015-27030"',
        '3: "010" is invalid: expected a port or a range such as "27015-27030"',
        '4: "1e3" is invalid: expected a port or a range such as "27015-27030"',
        '5: "53-" is invalid: expected a port or a range such as "27015-27030"',
        '6: "-1" is invalid: expected a port or a range such as "27015-27030"',
        '7: "" is invalid: expected a port or a range such as "27015-27030"',
      ],
    );
  });

  test('refuses invalid addresses, ranges and ports, and says where', () => {
    const problems = problemsOf({
      customer_id: 'a',
      prefixes: ['10.0.0.1/8', 'example.org'],
      services: [
        {
          service_id: 's',
          assets: [
            { ip: '10.0.0.9', range_end: '10.0.0.1' },
            { ip: '10.0.0.1', range_end: '::1' },
            { ip: 'x' },
          ],
          allowed_ports: { udp: [53, 70000] },
        },
      ],
    });
    assert.deepEqual(problems, [
      'error customers.0.prefixes.0: "10.0.0.1/8" has host bits set; did you mean 10.0.0.0/8?',
      'error customers.0.prefixes.1: "example.org" is not an IPv4 or IPv6 prefix',
      'error customers.0.services.0.allowed_ports.udp.1: 70000 is not a port (0 to 65535)',
      'error customers.0.services.0.assets.0.range_end: the range ends at 10.0.0.1, before it begins at 10.0.0.9',
      'error customers.0.services.0.assets.1.range_end: the range 10.0.0.1-::1 mixes IPv4 and IPv6',
      'error customers.0.services.0.assets.2.ip: "x" is not an IPv4 or IPv6 prefix',
    ]);
  });

  test('looks an address up among 100,000 prefixes about as fast as among 100', () => {
    const inventoryOf = (count: number) => {
      const prefixes = Array.from(
        { length: count },
        (_, i) => `10.${i >> 10}.${(i >> 2) & 255}.${(i & 3) * 64}/26`,
      );
      return buildInventory({ customers: [{ customer_id: 'big', prefixes }] }).inventory;
    };
    const large = inventoryOf(100_000);
    const small = inventoryOf(100);
    assert.equal(large.size, 100_000);
    assert.equal(large.lookup(Uint8Array.of(10, 0, 0, 1))?.customerId, 'big');
    // Looks up addresses inside prefixes in both: others end the look-up at the first octets.
    const addressesIn = (count: number) =>
      Array.from({ length: 1000 }, (_, n) => {
        const i = (n * 97) % count;
        return Uint8Array.of(10, i >> 10, (i >> 2) & 255, (i & 3) * 64 + 1);
      });
    const [manyAddresses, fewAddresses] = [addressesIn(100_000), addressesIn(100)];
    for (const address of manyAddresses) assert.ok(large.lookup(address) !== undefined);
    for (const address of fewAddresses) assert.ok(small.lookup(address) !== undefined);
    const round = (inventory: typeof large, addresses: readonly Uint8Array[]): number =>
      processorTime(() => {
        for (let n = 0; n < 60; n++) for (const address of addresses) inventory.lookup(address);
      });
    // Interleaves both and takes the best of several rounds: a busy machine slows both. A list would be a thousand
    // times slower.
    let [slow, fast] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];
    for (let n = 0; n < 8; n++) {
      slow = Math.min(slow, round(large, manyAddresses));
      fast = Math.min(fast, round(small, fewAddresses));
    }
    assert.ok(slow < 20 * fast, `${(slow / fast).toFixed(1)} times slower`);
  });
});
