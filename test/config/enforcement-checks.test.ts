import assert from 'node:assert/strict';
import { test } from 'node:test';
import { INVENTORY, load, sound, warningsOf } from './folder.ts';

/** Returns a prefixd.yaml with these neighbors, each as YAML. */
function settings(...neighbors: readonly string[]): string {
  const lines = neighbors.map(
    (more, i) => `    - { name: edge${i + 1}, address: "192.0.2.${i + 1}", peer_asn: 65001${more} }`,
  );
  return ['bgp:', '  local_asn: 65010', '  router_id: "192.0.2.10"', '  neighbors:', ...lines, ''].join('\n');
}

const THREE_PORTS = `customers:
  - customer_id: acme
    prefixes: ["203.0.113.0/24"]
    services:
      - service_id: web
        assets: [{ ip: "203.0.113.20" }, { ip: "203.0.113.21" }]
        allowed_ports: { tcp: [22, 80, 443] }
`;

const SYN = `playbooks:
  - name: syn
    match: { vector: syn_flood }
    steps:
      - { action: police, rate_bps: 10000000 }
      - { action: discard }
`;

const files = (inventory: string, playbooks: string) => ({
  'inventory.yaml': inventory,
  'playbooks.yaml': playbooks,
});

test('a step that no neighbor could enforce is named with its assets, the reason and what is done instead', async (t) => {
  const result = await load(t, settings(''), {}, files(THREE_PORTS, SYN));
  assert.deepEqual(warningsOf(result), [
    'playbooks.yaml:5:9 playbooks[0].steps[0]: step 1 of syn (police at 10 Mbit/s) for service web of acme (203.0.113.20) and 1 more entry of the inventory: ' +
      'no neighbor can enforce it as written: edge1: generic: more than 5 operators in a component, and a rule with traffic-rate cannot be split; ' +
      'instead (share_rate): several rules that share the rate of 10 Mbit/s: edge1 takes 2',
  ]);
});

test('a step for which no way is left is named as one that will be refused', async (t) => {
  const none = SYN.replace('    steps:', '    when_unenforceable: []\n    steps:');
  const [warning = ''] = warningsOf(await load(t, settings(''), {}, files(THREE_PORTS, none)));
  assert.match(warning, /there is no alternative: reports will be refused \(not_enforceable\)/);
});

test('a neighbor that lacks what others can do is named once for all steps', async (t) => {
  const result = await load(t, settings('', ', dialect: arista'), {}, files(INVENTORY, SYN));
  const [, ...ofPlaybooks] = warningsOf(result);
  assert.deepEqual(ofPlaybooks, [
    'playbooks.yaml:5:9 playbooks[0].steps[0]: step 1 of syn (police at 10 Mbit/s) for acme (203.0.113.0): ' +
      'not enforced by 1 of 2 neighbors: edge2: arista: rate-limit is accepted but not applied on some models',
  ]);
  const v6 = INVENTORY.replace(']', ', "2001:db8:acd::/48"]');
  const [only, ...others] = warningsOf(
    await load(t, settings('', ', families: [ipv4-flowspec]'), {}, files(v6, SYN)),
  );
  assert.match(
    only ?? '',
    /step 1 of syn .*, step 2 of syn \(discard\) for acme \(2001:db8:acd::\): not enforced by 1 of 2 neighbors/,
  );
  assert.deepEqual(others, []);
});

test('what every neighbor can enforce is not worth a word', async (t) => {
  assert.deepEqual(
    warningsOf(await load(t, settings('', ', dialect: juniper'), {}, files(INVENTORY, SYN))),
    [],
  );
});

test('a playbook for other customers or another protocol is not held against an asset', async (t) => {
  const other = SYN.replace('vector: syn_flood', 'vector: syn_flood, customer: bob');
  const withBob = `${THREE_PORTS}  - { customer_id: bob, prefixes: ["198.51.100.0/24"] }\n`;
  assert.deepEqual(warningsOf(await load(t, settings(''), {}, files(withBob, other))), []);
  const udp = SYN.replace('vector: syn_flood', 'vector: udp_flood');
  assert.deepEqual(warningsOf(await load(t, settings(''), {}, files(THREE_PORTS, udp))), []);
});

test('the output is bounded, whatever the inventory and the playbooks', async (t) => {
  const services = Array.from(
    { length: 60 },
    (_, i) =>
      `      - { service_id: s${i}, assets: [{ ip: "203.0.113.${i + 1}" }], allowed_ports: { tcp: [22, 80, ${1000 + i}] } }`,
  );
  const inventory = [
    'customers:',
    '  - customer_id: acme',
    '    prefixes: ["203.0.113.0/24"]',
    '    services:',
    ...services,
    '',
  ].join('\n');
  const playbooks = Array.from(
    { length: 30 },
    (_, i) =>
      `  - { name: p${i}, match: { vector: syn_flood, source: s${i} }, steps: [{ action: police, rate_bps: ${1e6 + i} }] }`,
  );
  const warnings = warningsOf(
    await load(t, settings(''), {}, files(inventory, ['playbooks:', ...playbooks, ''].join('\n'))),
  );
  assert.equal(warnings.length, 21);
  assert.ok(warnings.some((one) => /10 more steps cannot be enforced as written/.test(one)));
});

test('the order of ways is read from the playbook', async (t) => {
  const ordered = SYN.replace('    steps:', '    when_unenforceable: [next_step, share_rate]\n    steps:');
  const { policy } = sound(await load(t, settings(''), {}, files(THREE_PORTS, ordered)));
  assert.deepEqual(policy.playbooks.byName.get('syn')?.ways, ['next_step', 'share_rate']);
  const wrong = SYN.replace('    steps:', '    when_unenforceable: [share]\n    steps:');
  const refused = await load(t, settings(''), {}, files(THREE_PORTS, wrong));
  assert.ok(!refused.ok);
  assert.match(refused.problems[0]?.message ?? '', /share/);
});
