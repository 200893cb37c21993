import assert from 'node:assert/strict';
import { test } from 'node:test';
import { portWords } from '../../src/core/rule-text.ts';
import { parseAddress } from '../../src/net/prefix.ts';
import { INVENTORY, load, PLAYBOOKS, problemsOf, SHORTEST, sound, warningsOf } from './folder.ts';

/** An inventory with anchors and merge keys. */
const ANCHORS = `# Anchors, merge keys and x- keys, as people write them for Compose.
x-web: &web
  tcp: [80, 443]
customers:
  - customer_id: acme
    prefixes: ["203.0.113.0/24"]
    services:
      - service_id: web
        assets: [{ ip: "203.0.113.22" }]
        allowed_ports:
          <<: *web
          udp: [443]
`;

test('anchors, merge keys and x- keys load as Compose users write them', async (t) => {
  const result = await load(t, SHORTEST, {}, { 'inventory.yaml': ANCHORS });
  const owner = sound(result).policy.inventory.lookup(parseAddress('203.0.113.22') ?? new Uint8Array(4));
  assert.equal(portWords(owner?.allowedPorts.tcp ?? []), 'ports 80, 443');
  assert.equal(portWords(owner?.allowedPorts.udp ?? []), 'port 443');
});

test('they do so in prefixd.yaml and in playbooks, at the top and inside of sections', async (t) => {
  const settings = `x-router: &router { peer_asn: 65001, hold_time_seconds: 30 }
x-limits: &limits
  max_rules: 50
bgp:
  x-why: two routers of a kind
  local_asn: 65010
  router_id: "192.0.2.10"
  neighbors:
    - { <<: *router, name: edge1, address: "192.0.2.1" }
    - <<: [*router, *limits]
      x-rack: 7
      name: edge2
      address: "192.0.2.2"
      hold_time_seconds: 60
detectors:
  x-usual: &usual { confidence: 0.8 }
  fastnetmon: *usual
  probe: { <<: *usual, hold: until_ttl }
`;
  const playbooks = `x-step: &step { action: police, rate_bps: 5000000 }
playbooks:
  - name: udp
    x-owner: noc
    match: { vector: udp_flood }
    steps: [{ <<: *step, ttl_seconds: 60 }, { <<: *step, x-note: slower, rate_bps: 1000000 }]
`;
  const result = await load(t, settings, {}, { 'playbooks.yaml': playbooks });
  assert.deepEqual(warningsOf(result), []);
  const { bgp, policy } = sound(result);
  assert.deepEqual(
    bgp.speaker.neighbors.map(({ name, holdTimeSeconds }) => [name, holdTimeSeconds]),
    [
      ['edge1', 30],
      ['edge2', 60],
    ],
  );
  assert.equal(bgp.control[1]?.maxRules, 50);
  assert.equal(policy.detectors.get('fastnetmon')?.confidence, 0.8);
  assert.deepEqual(policy.detectors.get('probe'), { hold: 'until_ttl', confidence: 0.8 });
  assert.equal(policy.detectors.has('x-usual'), false);
  assert.deepEqual(policy.playbooks.names, ['udp']);
});

test('a name that the user chose is no extension, although it begins with x-', async (t) => {
  const tls = 'tls: { cert_path: a, key_path: b, ca_path: c }';
  const text = `${SHORTEST}http: { auth: { mode: mtls, roles: { x-ray: viewer } }, ${tls} }
detectors: { fastnetmon: { vector_map: { x-flood: udp_flood } } }
`;
  const config = sound(await load(t, text, null));
  assert.deepEqual(config.http.auth, { mode: 'mtls', roles: new Map([['x-ray', 'viewer']]) });
  assert.equal(config.vectorMaps.get('fastnetmon')?.get('x-flood'), 'udp_flood');
});

test('a problem in merged content is said where it is written', async (t) => {
  const text = `x-router: &router
  peer_asn: 65001
  hold_time_seconds: 2
  hold_tme: 3
bgp:
  local_asn: 65010
  router_id: "192.0.2.10"
  neighbors: [{ <<: *router, name: edge1, address: "192.0.2.1" }]
`;
  const problems = problemsOf(await load(t, text));
  assert.match(
    problems[0] ?? '',
    /^prefixd\.yaml:3:22 bgp\.neighbors\[0\]\.hold_time_seconds: invalid value 2/,
  );
  assert.match(problems[1] ?? '', /^prefixd\.yaml:4:3 bgp\.neighbors\[0\]\.hold_tme: unknown key/);
  assert.equal(problems.length, 2);
});

test('a key that is there twice hides nothing else, in neither of the two', async (t) => {
  const text = `${SHORTEST}quotas: { max_active_global: -1 }
quotas: { max_new_per_minutes: 5 }
timers: { min_ttl_seconds: 600, max_ttl_seconds: 60 }
mode: enforce
`;
  const inventory = `${INVENTORY}    prefixes: ["203.0.113.1/24"]
`;
  const found = problemsOf(await load(t, text, {}, { 'inventory.yaml': inventory }));
  for (const expected of [
    /^prefixd\.yaml:9:1 quotas: this key is written twice/,
    /^prefixd\.yaml:8:30 quotas\.max_active_global: invalid value -1/,
    /^prefixd\.yaml:9:11 quotas\.max_new_per_minutes: unknown key/,
    /^prefixd\.yaml:10:28 timers\.min_ttl_seconds: 600 is above|^prefixd\.yaml:10:\d+ timers\.min_ttl_seconds/,
    /^prefixd\.yaml:11:7 mode: invalid value "enforce": expected one of/,
    /^inventory\.yaml:4:5 customers\[0\]\.prefixes: this key is written twice/,
    /^inventory\.yaml:4:16 customers\[0\]\.prefixes\[0\]: .*has host bits set/,
  ]) {
    assert.ok(
      found.some((line) => expected.test(line)),
      `${expected} in\n${found.join('\n')}`,
    );
  }
});

test('values are checked in the same run as the keys, for everything that is valid', async (t) => {
  const inventory = `customers:
  - { customer_id: broken, prefixes: 7 }
  - { customer_id: acme, prefixes: ["203.0.113.1/24"] }
  - { customer_id: acme }
`;
  const playbooks = `playbooks:
  - { name: broken, match: { vector: udp_flood }, steps: [] }
  - name: udp
    match: { vector: udp_flood }
    steps: [{ action: discard, match: { src_prefix: "192.0.2.0/24" } }]
  - { name: udp, match: { vector: udp_flood }, steps: [{ action: police }] }
`;
  const files = { 'inventory.yaml': inventory, 'playbooks.yaml': playbooks };
  const found = problemsOf(await load(t, `${SHORTEST}mode: nonsense\n`, {}, files));
  for (const place of [
    'prefixd.yaml:8:7 mode:',
    'inventory.yaml:2:38 customers[0].prefixes:',
    'inventory.yaml:3:37 customers[1].prefixes[0]:',
    'inventory.yaml:4:20 customers[2].customer_id:',
    'playbooks.yaml:2:58 playbooks[0].steps:',
    'playbooks.yaml:5:53 playbooks[1].steps[0].match.src_prefix:',
    'playbooks.yaml:6:13 playbooks[2].name:',
  ]) {
    assert.ok(
      found.some((line) => line.startsWith(place)),
      `${place} in\n${found.join('\n')}`,
    );
  }
  assert.ok(!found.some((line) => line.includes('no playbook')), PLAYBOOKS);
});
