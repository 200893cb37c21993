import assert from 'node:assert/strict';
import { test } from 'node:test';
import { INVENTORY, load, SHORTEST, sound, warningsOf } from './folder.ts';

const SPEAKER = 'bgp:\n  local_asn: 65010\n  router_id: "192.0.2.10"\n';

const POLICE_FIRST = `playbooks:
  - name: udp
    match: { vector: udp_flood }
    steps: [{ action: police, rate_bps: 5000000 }]
  - name: syn
    match: { vector: syn_flood }
    steps: [{ action: police, rate_bps: 5000000 }]
`;

const withNeighbor = (dialect: string): string => SHORTEST.replace(/$/, `      dialect: ${dialect}\n`);

async function warnings(
  t: Parameters<typeof load>[0],
  settings: string,
  files: Readonly<Record<string, string>> = {},
): Promise<readonly string[]> {
  const result = await load(t, settings, {}, files);
  sound(result);
  return warningsOf(result);
}

test('no neighbor, or none that is enabled, means that no router gets rules', async (t) => {
  assert.match(
    (await warnings(t, SPEAKER)).join(),
    /bgp\.neighbors: there is no neighbor: .*; add your routers$/,
  );
  assert.match(
    (await warnings(t, `${SHORTEST}      enabled: false\n`)).join(),
    /bgp\.neighbors: every neighbor has enabled: false/,
  );
  assert.deepEqual(await warnings(t, `${SPEAKER}  mode: mock\n`), [], 'a mock holds the rules itself');
  assert.deepEqual(await warnings(t, `${SPEAKER}mode: dry-run\n`), [], 'a dry run announces nothing');
});

test('a neighbor that can enforce no first step of any playbook is named with the reason', async (t) => {
  const only = await warnings(t, withNeighbor('arista'), { 'playbooks.yaml': POLICE_FIRST });
  assert.match(
    only[0] ?? '',
    /5:7 bgp\.neighbors\[0\]: this neighbor cannot enforce any playbook's first step as written \(arista: rate-limit .* not applied on some models\): no rule will ever reach it; use a first step/,
  );
  const later = POLICE_FIRST.replace('5000000 }]', '5000000 }, { action: discard }]');
  assert.match(
    (await warnings(t, withNeighbor('arista'), { 'playbooks.yaml': later })).join('\n'),
    /bgp\.neighbors\[0\]: .*: only rules of later steps reach it;/,
  );
  const families = `${SHORTEST}      families: [ipv6-flowspec]\n`;
  assert.match(
    (await warnings(t, families, { 'playbooks.yaml': POLICE_FIRST })).join('\n'),
    /bgp\.neighbors\[0\]: .*\(ipv4-flowspec is not one of the neighbor's families\)/,
  );
});

test('a neighbor that can begin one playbook is not named', async (t) => {
  const oneDiscard = POLICE_FIRST.replace('police, rate_bps: 5000000', 'discard');
  const said = await warnings(t, withNeighbor('arista'), { 'playbooks.yaml': oneDiscard });
  assert.ok(!said.join('\n').includes('bgp.neighbors[0]'), said.join('\n'));
  assert.deepEqual(await warnings(t, withNeighbor('juniper'), { 'playbooks.yaml': POLICE_FIRST }), []);
});

test('a neighbor at an address of this daemon is a warning that says what will happen', async (t) => {
  const at = (address: string, more = '', asn = 65001): string =>
    SHORTEST.replace('"192.0.2.1"', `"${address}"`).replace('65001', String(asn)) + more;
  assert.match(
    (await warnings(t, at('192.0.2.10'))).join(),
    /6:16 bgp\.neighbors\[0\]\.address: 192\.0\.2\.10 is this daemon's router_id, .*many routers refuse a neighbor with their own identifier; give this daemon a router_id of its own$/,
  );
  assert.match(
    (await warnings(t, at('192.0.2.10', '', 65010))).join(),
    /within one AS, a session between equal identifiers is refused/,
  );
  assert.match(
    (await warnings(t, at('192.0.2.7', '      local_address: "192.0.2.7"\n'))).join(),
    /192\.0\.2\.7 is also its local_address: the router would be this machine/,
  );
  assert.match(
    (await warnings(t, `${at('127.0.0.1', '      port: 1179\n')}  listen: "127.0.0.1:1179"\n`)).join(),
    /127\.0\.0\.1 port 1179 is bgp\.listen: this daemon would connect to itself/,
  );
  const loopback = at('127.0.0.1', '      port: 1790\n      local_address: "127.0.0.1"\n');
  assert.deepEqual(await warnings(t, loopback), [], 'a router on this machine is common on loopback');
});

test('a secret that is not set keeps nothing back that can be said of the policy', async (t) => {
  const settings = `${withNeighbor('arista')}http: { auth: { mode: bearer } }\n`;
  const result = await load(t, settings, {}, { 'inventory.yaml': INVENTORY, 'playbooks.yaml': POLICE_FIRST });
  assert.ok(!result.ok);
  assert.match(
    result.problems.map(({ message }) => message).join(),
    /^the environment variable PREFIXD_API_TOKEN is not set$/,
  );
  assert.match(warningsOf(result).join('\n'), /cannot enforce any playbook's first step/);
});
