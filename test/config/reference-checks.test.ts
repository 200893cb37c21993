import assert from 'node:assert/strict';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { loadConfig } from '../../src/config/load.ts';
import { folder, INVENTORY, load, PLAYBOOKS, problemsOf, SHORTEST, sound, warningsOf } from './folder.ts';

/** Returns one playbook for each of these criteria, all with the same vector. */
function playbooksFor(...criteria: readonly string[]): string {
  const entries = criteria.map(
    (more, i) =>
      `  - name: p${i}\n    match: { vector: udp_flood, ${more} }\n    steps: [{ action: discard, ttl_seconds: 120 }]\n`,
  );
  return `playbooks:\n${entries.join('')}`;
}

const warned = async (
  t: Parameters<typeof load>[0],
  files: Readonly<Record<string, string>>,
  settings = SHORTEST,
): Promise<readonly string[]> => warningsOf(await load(t, settings, {}, files));

test('a playbook for a customer that the inventory lacks is named with the likely one', async (t) => {
  const playbooks = playbooksFor('customer: acm', 'customer: [acme, bob]', 'customer: acme');
  assert.deepEqual(await warned(t, { 'playbooks.yaml': playbooks }), [
    'playbooks.yaml:3:43 playbooks[0].match.customer: customer "acm" is not in the inventory: this never applies; did you mean "acme"?',
    'playbooks.yaml:6:50 playbooks[1].match.customer[1]: customer "bob" is not in the inventory: this never applies; add it to inventory.yaml, or remove it here',
    'playbooks.yaml:8:5 playbooks[2]: this playbook never applies: p1 always matches first, with the same or fewer conditions; move this playbook up, or make the other one more specific',
  ]);
});

test('a profile that no customer has never applies', async (t) => {
  const two = `${INVENTORY}  - { customer_id: bob, prefixes: ["198.51.100.0/24"], policy_profile: strict }\n`;
  const playbooks = playbooksFor('profile: strict', 'profile: relaxed', 'customer: acme, profile: strict');
  const said = await warned(t, { 'inventory.yaml': two, 'playbooks.yaml': playbooks });
  assert.equal(said.length, 2, said.join('\n'));
  assert.match(
    said[0] ?? '',
    /playbooks\[1\]\.match\.profile: no customer of the inventory has the profile "relaxed"/,
  );
  assert.match(
    said[1] ?? '',
    /playbooks\[2\]\.match\.profile: no customer of this playbook has the profile "strict"/,
  );
});

test('a source that looks like a detector is taken for a slip, and one more of a kind is not', async (t) => {
  const playbooks = playbooksFor(
    'source: fastnetmn',
    'source: fastnetmon-dc2',
    'source: probe',
    'source: proeb',
  );
  const said = await warned(t, { 'playbooks.yaml': playbooks }, `${SHORTEST}detectors: { probe: {} }\n`);
  assert.deepEqual(
    said.map((line) => line.replace(/^playbooks\.yaml:\S+ /, '')),
    [
      'playbooks[0].match.source: prefixd.yaml has no detector "fastnetmn"; did you mean "fastnetmon"? Keep it if events are sent with source: fastnetmn',
      'playbooks[3].match.source: prefixd.yaml has no detector "proeb"; did you mean "probe"? Keep it if events are sent with source: proeb',
    ],
  );
});

test('a fault of the schema in one file keeps no reference in another back', async (t) => {
  const result = await load(
    t,
    `${SHORTEST}guardrail: {}\n`,
    {},
    {
      'inventory.yaml': INVENTORY.replace('prefixes:', 'prefix:'),
      'playbooks.yaml': `${playbooksFor('customer: bob')}  - { name: q, match: { vector: udp_flod }, steps: [] }\n`,
    },
  );
  const problems = problemsOf(result).map((line) => line.split(' ').slice(0, 2).join(' '));
  assert.deepEqual(problems, [
    'prefixd.yaml:8:1 guardrail:',
    'inventory.yaml:3:5 customers[0].prefix:',
    'playbooks.yaml:5:52 playbooks[1].steps:',
  ]);
  assert.match(warningsOf(result).join('\n'), /customer "bob" is not in the inventory/);
});

test('customers are not missed in an inventory that cannot be read', async (t) => {
  const files = {
    'inventory.yaml': 'customers:\n  - customer_id: [\n',
    'playbooks.yaml': playbooksFor('customer: acme'),
  };
  const result = await load(t, SHORTEST, {}, files);
  assert.ok(!result.ok);
  assert.deepEqual(warningsOf(result), []);
  assert.ok(
    result.problems.every(
      ({ file, message }) => file.endsWith('inventory.yaml') && !message.includes('no such file'),
    ),
  );
});

test('a file that cannot be read is not missing as well, and the other files are checked', async (t) => {
  const path = await folder(t, {
    'prefixd.yaml': `${SHORTEST}mod: x\n`,
    'playbooks.yaml': PLAYBOOKS.replace('udp_flood', '"a b"'),
  });
  await mkdir(join(path, 'inventory.yaml'));
  const problems = problemsOf(await loadConfig(path, {}));
  assert.equal(problems.length, 3, problems.join('\n'));
  assert.match(problems[0] ?? '', /^prefixd\.yaml:8:1 mod: unknown key/);
  assert.match(
    problems[1] ?? '',
    /^inventory\.yaml : it is a folder, not a regular file; put a regular file there$/,
  );
  assert.match(problems[2] ?? '', /^playbooks\.yaml:3:22 playbooks\[0\]\.match\.vector/);
});

test('without prefixd.yaml the other files are checked', async (t) => {
  const path = await folder(t, { 'inventory.yaml': 'customer: []\n', 'playbooks.yaml': PLAYBOOKS });
  const problems = problemsOf(await loadConfig(path, {})).join('\n');
  assert.match(problems, /^prefixd\.yaml : file not found/);
  assert.match(problems, /inventory\.yaml:1:1 customer: unknown key "customer"; did you mean "customers"\?/);
});

test('nothing is concluded from settings of which only parts could be read', async (t) => {
  const playbooks = PLAYBOOKS.replace('ttl_seconds: 120', 'match: { src_prefix: "192.0.2.0/24" }');
  const result = await load(t, 'bgp:\n  listen: "0.0.0.0:1"\nhttp: [\n', {}, { 'playbooks.yaml': playbooks });
  for (const problem of problemsOf(result))
    assert.match(problem, /^prefixd\.yaml:\d+:\d+ : this is not YAML/);
  assert.equal(result.warnings.length, 0);
});

test('a playbook behind a less demanding one never applies, and conditions that narrow or differ keep it', async (t) => {
  const result = await load(
    t,
    SHORTEST,
    {},
    {
      'playbooks.yaml': playbooksFor(
        'min_bps: 1000',
        'min_bps: 2000',
        'min_pps: 5',
        'require_top_ports: true, source: probe',
      ),
    },
  );
  sound(result);
  assert.deepEqual(
    warningsOf(result).map((line) => line.split(': ').slice(0, 2).join(': ')),
    ['playbooks.yaml:5:5 playbooks[1]: this playbook never applies'],
  );
});
