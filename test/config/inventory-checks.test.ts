import assert from 'node:assert/strict';
import { test } from 'node:test';
import { INVENTORY, load, SHORTEST, sound, warningsOf } from './folder.ts';

const TWO = `${INVENTORY}  - customer_id: bob
    prefixes: ["198.51.100.0/24"]
    services: [{ service_id: web, assets: [{ ip: "198.51.100.7" }, { ip: "2001:db8::1", range_end: "2001:db8::9" }] }]
`;

async function warned(
  t: Parameters<typeof load>[0],
  inventory: string,
  settings = '',
): Promise<readonly string[]> {
  const result = await load(t, SHORTEST + settings, {}, { 'inventory.yaml': inventory });
  sound(result);
  return warningsOf(result).filter((line) => !line.includes('is outside all customer prefixes'));
}

test('an empty inventory refuses every report, unless none is required', async (t) => {
  assert.deepEqual(await warned(t, 'customers: []\n'), [
    'inventory.yaml:1:12 customers: the inventory is empty: every report will be refused (not_in_inventory); add your customers and their prefixes',
  ]);
  assert.deepEqual(await warned(t, 'customers: []\n', 'guardrails: { require_inventory: false }\n'), []);
});

test('a customer without an address is named', async (t) => {
  const said = await warned(t, `${INVENTORY}  - { customer_id: bob, services: [{ service_id: s }] }\n`);
  assert.match(
    said.join('\n'),
    /^inventory\.yaml:4:5 customers\[1\]: customer "bob" has neither prefixes nor assets/,
  );
});

test('a safelist or protected prefix over a whole customer is named, one over a part is not', async (t) => {
  assert.deepEqual(await warned(t, TWO, 'safelist: { prefixes: ["203.0.0.0/8", "198.51.100.0/24"] }\n'), [
    'prefixd.yaml:8:24 safelist.prefixes[0]: this covers every address of customer "acme": no attack on this customer will be mitigated; keep it only if attacks on this customer must never be mitigated',
  ]);
  assert.match(
    (await warned(t, TWO, 'guardrails: { protected: { prefixes: ["203.0.113.0/24"] } }\n')).join(),
    /guardrails\.protected\.prefixes\[0\]: this covers every address of customer "acme"/,
  );
  const both = await warned(t, TWO, 'safelist: { prefixes: ["192.0.0.0/2", "2001:db8::/32"] }\n');
  assert.match(
    both.join(),
    /safelist\.prefixes\[0\]: this covers every address of customers "acme", "bob": /,
  );
});

test('addresses that no rule may be aimed at are named, and their number is bounded', async (t) => {
  const prefixes = Array.from({ length: 15 }, (_, i) => `"224.0.${i}.0/24"`).join(', ');
  const said = await warned(t, `customers:\n  - { customer_id: acme, prefixes: [${prefixes}] }\n`);
  assert.match(
    said.join('\n'),
    /customers\[0\]\.prefixes\[0\]: 224\.0\.0\.0\/24 is multicast \(RFC 5771\): reports about it will be refused \(not_unicast\)/,
  );
  const special = said.filter((line) => line.includes('multicast'));
  assert.equal(special.length, 10);
  assert.ok(said.some((line) => line.includes('the same applies to 5 more entries')));
});
