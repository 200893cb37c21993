/** What check says about the POPs that playbooks and the inventory name. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { scopeChecks } from '../../src/config/validate/scope-checks.ts';
import type { InventoryData } from '../../src/core/policy/inventory-schema.ts';
import type { StepData } from '../../src/core/policy/playbook-schema.ts';
import type { Policy } from '../../src/core/policy/policy.ts';
import { policyOf } from '../core/scenario.ts';
import { dotted } from '../../src/config/config-problem.ts';
import { load, problemsOf, SHORTEST, sound, warningsOf } from './folder.ts';

const EXCHANGE = { accept: ['fra1'], maxImportedPerPop: 100 };

function warnings(
  scope: StepData['scope'],
  options: { readonly exchange?: Policy['exchange']; readonly inventory?: InventoryData } = {},
): readonly string[] {
  const step = { action: 'discard' as const, ...(scope === undefined ? {} : { scope }) };
  const playbooks = { playbooks: [{ name: 'udp', match: { vector: 'udp_flood' }, steps: [step] }] };
  const found: string[] = [];
  scopeChecks(policyOf({ playbooks, ...options }), {
    problem: () => assert.fail('it is never a problem'),
    warning: (path, message) => found.push(`${dotted(path)}: ${message}`),
  });
  return found;
}

describe('check warns of', () => {
  test('a scope beyond this POP when there is no exchange', () => {
    assert.deepEqual(warnings('everywhere'), [
      'playbooks[0].steps[0].scope: there is no exchange, so no other POP learns of its rules',
    ]);
    assert.match(
      warnings(['fra1'])[0] ?? '',
      /leaves out this POP \(iad1\): its rules are announced nowhere/,
    );
    assert.deepEqual([...warnings('here'), ...warnings(undefined)], []);
  });

  test('a POP that nobody knows', () => {
    const [only, ...others] = warnings(['iad1', 'fra1', 'fr1'], { exchange: EXCHANGE });
    assert.equal(only, 'playbooks[0].steps[0].scope: "fr1" is neither this POP nor in exchange.accept');
    assert.deepEqual(others, []);
  });

  test('scope victim when the inventory names no POPs', () => {
    assert.match(warnings('victim', { exchange: EXCHANGE })[0] ?? '', /means every POP/);
    const inventory = { customers: [{ customer_id: 'acme', prefixes: ['203.0.113.0/24'], pops: ['fra1'] }] };
    assert.deepEqual(warnings('victim', { exchange: EXCHANGE, inventory }), []);
  });
});

describe('a configuration', () => {
  test('names POPs of customers, prefixes and services', async (t) => {
    const inventory = `customers:
  - customer_id: acme
    pops: [fra1]
    prefixes: ["203.0.113.0/24", { prefix: "198.51.100.0/24", pops: [ams1] }]
    services: [{ service_id: dns, pops: [sin1], assets: [{ ip: "203.0.113.10" }] }]
`;
    const { policy } = sound(await load(t, SHORTEST, {}, { 'inventory.yaml': inventory }));
    const [customer] = policy.inventory.data.customers;
    assert.deepEqual(customer?.pops, ['fra1']);
    assert.equal(policy.inventory.size, 3);
  });

  test('refuses what is no name of a POP, and says where', async (t) => {
    const inventory =
      'customers:\n  - { customer_id: acme, prefixes: ["203.0.113.0/24"], pops: ["fra 1"] }\n';
    const playbooks = `playbooks:
  - name: udp
    match: { vector: udp_flood }
    steps: [{ action: discard, scope: sometimes }]
`;
    const files = { 'inventory.yaml': inventory, 'playbooks.yaml': playbooks };
    const [first, second, ...others] = problemsOf(await load(t, SHORTEST, {}, files));
    assert.match(first ?? '', /inventory\.yaml:2:\d+ customers\[0\]\.pops\[0\]: invalid value "fra 1"/);
    assert.match(
      second ?? '',
      /playbooks\.yaml:4:\d+ playbooks\[0\]\.steps\[0\]\.scope: invalid value "sometimes"/,
    );
    assert.deepEqual(others, []);
  });

  test('is not checked for playbooks of other POPs, so that all can share one file', async (t) => {
    const playbooks = `playbooks:
  - name: theirs
    match: { vector: udp_flood }
    pops: [fra1]
    steps: [{ action: divert, to: fra }]
  - name: ours
    match: { vector: udp_flood }
    steps: [{ action: discard }]
`;
    const settings = `pop: iad1\n${SHORTEST}`;
    const result = await load(t, settings, {}, { 'playbooks.yaml': playbooks });
    assert.deepEqual([...sound(result).policy.playbooks.byName.keys()], ['ours']);
    assert.deepEqual(
      warningsOf(result).filter((line) => line.includes('playbooks.yaml')),
      [],
    );
    const there = await load(t, `pop: fra1\n${SHORTEST}`, {}, { 'playbooks.yaml': playbooks });
    assert.match(problemsOf(there).join('\n'), /there is no scrubber "fra"/);
  });
});
