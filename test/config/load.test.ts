import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { loadConfig } from '../../src/config/load.ts';
import { formatPrefix } from '../../src/net/prefix.ts';
import { folder, INVENTORY, load, PLAYBOOKS, problemsOf, SHORTEST, sound, warningsOf } from './folder.ts';

test('the shortest useful file names a local AS, a router id and one neighbor', async (t) => {
  const config = sound(await load(t, SHORTEST));
  assert.equal(config.policy.mode, 'enforced');
  assert.deepEqual(config.bgp.speaker, {
    localAsn: 65010,
    routerId: '192.0.2.10',
    neighbors: [
      {
        name: 'edge1',
        address: { kind: 'tcp', host: '192.0.2.1', port: 179 },
        peerAsn: 65001,
        passive: false,
        holdTimeSeconds: 90,
        families: [
          { afi: 1, safi: 133 },
          { afi: 2, safi: 133 },
        ],
        enabled: true,
      },
    ],
  });
});

test('every section left out has the defaults of the public contract', async (t) => {
  const { policy, http, shutdown, reconciliationIntervalSeconds, observability, alerting } = sound(
    await load(t, SHORTEST),
  );
  assert.deepEqual(policy.timers, {
    defaultTtlSeconds: 120,
    minTtlSeconds: 30,
    maxTtlSeconds: 1800,
    correlationWindowSeconds: 300,
    maxHoldSeconds: 7200,
    holdDownSeconds: 0,
  });
  assert.deepEqual(policy.quotas, {
    maxActivePerCustomer: 5,
    maxActivePerPop: 200,
    maxActiveGlobal: 500,
    maxNewPerMinute: 30,
    maxDivertedPerCustomer: 2,
    maxDivertedPerPop: 20,
    maxBlackholedPerCustomer: 2,
    maxBlackholedPerPop: 10,
  });
  assert.deepEqual(policy.escalation, { enabled: true, minPersistenceSeconds: 120, minConfidence: 0.7 });
  assert.deepEqual(policy.profiles, {
    strict: { confidence: 0.8, persistence: 0.5, ttl: 1.5 },
    normal: { confidence: 1, persistence: 1, ttl: 1 },
    relaxed: { confidence: 1.2, persistence: 2, ttl: 0.75 },
  });
  const { protectedPrefixes, protectedPorts, ...rails } = policy.guardrails;
  assert.deepEqual(protectedPorts, [179]);
  assert.deepEqual(protectedPrefixes.map(formatPrefix), ['192.0.2.10/32', '192.0.2.1/32']);
  assert.equal(rails.requireInventory, true);
  assert.equal(rails.maxPorts, 8);
  assert.deepEqual(
    [rails.dstPrefixMinLen, rails.dstPrefixMaxLen, rails.dstPrefixMinLenV6, rails.dstPrefixMaxLenV6],
    [32, 32, 128, 128],
  );
  assert.deepEqual(http.listen, { host: '127.0.0.1', port: 8080 });
  assert.deepEqual(http.rateLimit, { eventsPerSecond: 100, burst: 500 });
  assert.deepEqual(shutdown, { drainTimeoutSeconds: 30, preserveAnnouncements: true });
  assert.equal(reconciliationIntervalSeconds, 30);
  assert.equal(observability.metricsListen, null);
  assert.deepEqual(alerting.events, [
    'mitigation.created',
    'mitigation.escalated',
    'mitigation.withdrawn',
    'mitigation.expired',
    'mitigation.unenforced',
    'scrubber.request_failed',
  ]);
});

test('the example of the public contract loads, secrets read from the environment', async (t) => {
  const environment = {
    PREFIXD_API_TOKEN: 'admin-token',
    EDGE1_MD5: 'md5-key',
    SLACK_URL: 'https://hooks.example/T/B',
    PD_KEY: 'pd-key',
    HOOK_SECRET: 'hook-secret',
  };
  const text = await readFile(new URL('../../fixtures/config/example/prefixd.yaml', import.meta.url), 'utf8');
  const pem = (name: string) => readFile(new URL(`../http/certs/${name}.pem`, import.meta.url), 'utf8');
  const tls = {
    'tls/cert.pem': await pem('server'),
    'tls/key.pem': await pem('server.key'),
    'tls/ca.pem': await pem('ca'),
  };
  const config = sound(await load(t, text, environment, tls));
  assert.deepEqual(config.http.auth, {
    mode: 'bearer',
    tokens: [{ name: 'admin', role: 'admin', token: 'admin-token' }],
  });
  const [neighbor] = config.bgp.speaker.neighbors;
  assert.equal(neighbor?.md5Password, 'md5-key');
  assert.equal(neighbor?.ttlSecurityHops, 1);
  assert.deepEqual(neighbor?.gracefulRestart, { restartTimeSeconds: 120, longLivedStaleSeconds: 0 });
  assert.deepEqual(config.bgp.speaker.listen, { host: '127.0.0.1', port: 1179 });
  const [control] = config.bgp.control;
  assert.equal(control?.dialect, 'juniper');
  assert.deepEqual(control?.communities, Uint8Array.of(0xfd, 0xf2, 0x02, 0x9a));
  assert.deepEqual(config.alerting.destinations, [
    { type: 'slack', webhookUrl: 'https://hooks.example/T/B' },
    { type: 'pagerduty', routingKey: 'pd-key' },
    { type: 'webhook', url: 'https://alerts.example/hook', secret: 'hook-secret' },
  ]);
  assert.deepEqual([...config.secrets].sort(), Object.values(environment).sort());
});

test("upstream's inventory and playbooks load unchanged", async (t) => {
  const read = (name: string): Promise<string> =>
    readFile(new URL(`../../fixtures/config/upstream/${name}`, import.meta.url), 'utf8');
  const result = await load(
    t,
    SHORTEST,
    {},
    {
      'inventory.yaml': await read('inventory.yaml'),
      'playbooks.yaml': await read('playbooks.yaml'),
    },
  );
  const { policy } = sound(result);
  assert.ok(policy.inventory.size > 0);
  assert.ok(policy.playbooks.names.includes('udp_flood_police_first'));
});

test('keys that only upstream has are taken, and those without effect are named', async (t) => {
  const result = await load(
    t,
    SHORTEST,
    {},
    {
      'inventory.yaml': `customers:
  - customer_id: acme
    name: ACME
    prefixes: ["203.0.113.0/24"]
    services:
      - service_id: web
        name: Web
        assets: [{ ip: "203.0.113.20", role: web, interface: "et-0/0/12" }]
`,
      'playbooks.yaml': `playbooks:
  - name: udp
    match: { vector: udp_flood, require_top_ports: false }
    correlation: { min_sources: 2, confidence_threshold: 0.6 }
    steps: [{ action: discard, rate_bps: null, ttl_seconds: 120 }]
`,
    },
  );
  assert.ok(sound(result).policy.inventory.size > 0);
  assert.match(
    warningsOf(result).join('\n'),
    /playbooks\.yaml:4:\d+ playbooks\[0\]\.correlation: correlation is not used/,
  );
});

test("upstream's prefixd.yaml is refused with what to do about each key", async (t) => {
  const text = `pop: iad1
bgp:
  mode: sidecar
  gobgp_grpc: "127.0.0.1:50051"
  local_asn: 65010
  router_id: "10.10.0.10"
  neighbors:
    - { name: a, address: "192.0.2.1", peer_asn: 65001, afi_safi: [ipv4-flowspec], password_env: X }
storage: { driver: sqlite, path: "./data/prefixd.db" }
observability: { log_format: pretty }
`;
  const said = problemsOf(await load(t, text)).join('\n');
  assert.match(said, /prefixd\.yaml:3:9 bgp\.mode: .*; write native/);
  assert.match(said, /prefixd\.yaml:4:3 bgp\.gobgp_grpc: .*list your routers under bgp\.neighbors/);
  assert.match(said, /prefixd\.yaml:8:\d+ bgp\.neighbors\[0\]\.afi_safi: .*; write families/);
  assert.match(said, /bgp\.neighbors\[0\]\.password_env: .*; write md5_password_env/);
  assert.match(said, /storage\.driver: .*; write jsonl/);
  assert.match(said, /observability\.log_format: .*; write text/);
});

test('relative paths start at the folder of the file', async (t) => {
  const text = `${SHORTEST}storage: { path: ../journal }
http: { tls: { cert_path: tls/cert.pem, key_path: /etc/key.pem } }
`;
  const config = sound(await load(t, text, null));
  const directory = config.directory ?? '';
  assert.equal(config.storage.path, join(directory, '../journal'));
  assert.equal(config.observability.auditLogPath, join(directory, '../journal/audit.jsonl'));
  assert.deepEqual(config.http.tls, {
    certPath: join(directory, 'tls/cert.pem'),
    keyPath: '/etc/key.pem',
    caPath: undefined,
  });
});

test('playbooks may be one file, a folder, or both', async (t) => {
  const more = PLAYBOOKS.replace('name: udp', 'name: udp2');
  const path = await folder(t, {
    'prefixd.yaml': SHORTEST,
    'inventory.yaml': INVENTORY,
    'playbooks/b.yaml': more,
    'playbooks/a.yml': PLAYBOOKS,
    'playbooks/notes.txt': 'not a playbook',
  });
  const config = sound(await loadConfig(path, {}));
  assert.deepEqual(config.policy.playbooks.names, ['udp', 'udp2']);
  assert.deepEqual(
    config.files.map((file) => file.slice(path.length + 1)),
    ['prefixd.yaml', 'inventory.yaml', 'playbooks/a.yml', 'playbooks/b.yaml'],
  );
});

test('a playbook that is wrong is found in its own file, on its own line', async (t) => {
  const result = await load(
    t,
    SHORTEST,
    {},
    {
      'playbooks/a.yaml': PLAYBOOKS.replace('name: udp', 'name: first'),
      'playbooks/b.yaml': `playbooks:
  - name: second
    match: { vector: udp_flood }
    steps: [{ action: discard }]
  - name: udp
    match: { vector: syn_flood }
    steps: [{ action: police, ttl_seconds: 60 }]
default_playbook: { steps: [{ action: police, ttl_seconds: 60 }] }
`,
    },
  );
  const said = problemsOf(result).join('\n');
  assert.match(said, /b\.yaml:5:11 playbooks\[1\]\.name: .*udp/);
  assert.match(said, /b\.yaml:7:\d+ playbooks\[1\]\.steps\[0\]/);
  assert.match(said, /b\.yaml:8:\d+ default_playbook\.steps\[0\]/);
});

test('two default playbooks are one too many', async (t) => {
  const fallback = 'default_playbook: { steps: [{ action: discard, ttl_seconds: 60 }] }\n';
  const result = await load(
    t,
    SHORTEST,
    {},
    {
      'playbooks/a.yaml': fallback,
      'playbooks/b.yaml': fallback,
    },
  );
  assert.match(
    problemsOf(result).join('\n'),
    /b\.yaml:1:\d+ default_playbook: .*a\.yaml already has a default playbook/,
  );
});

test('what the inventory says wrongly is found on its line', async (t) => {
  const result = await load(
    t,
    SHORTEST,
    {},
    {
      'inventory.yaml': `customers:
  - customer_id: acme
    prefixes: ["203.0.113.1/24"]
    policy_profil: normal
`,
    },
  );
  assert.match(
    problemsOf(result).join('\n'),
    /inventory\.yaml:4:5 customers\[0\]\.policy_profil: unknown key .*"policy_profile"/,
  );
  const deeper = await load(
    t,
    SHORTEST,
    {},
    {
      'inventory.yaml': 'customers:\n  - customer_id: acme\n    prefixes: ["203.0.113.1/24"]\n',
    },
  );
  assert.match(
    problemsOf(deeper).join('\n'),
    /inventory\.yaml:3:16 customers\[0\]\.prefixes\[0\]: .*203\.0\.113\.0\/24/,
  );
});

test('missing files are named with what to do', async (t) => {
  const empty = await folder(t, {});
  assert.match(
    problemsOf(await loadConfig(empty, {})).join('\n'),
    /^prefixd\.yaml : file not found; name the folder/,
  );
  const alone = await folder(t, { 'prefixd.yaml': SHORTEST });
  const said = problemsOf(await loadConfig(alone, {})).join('\n');
  assert.match(said, /playbooks\.yaml : file not found/);
  assert.match(said, /inventory\.yaml : file not found; create it with your customers and their prefixes/);
});

test('without require_inventory the inventory may be missing', async (t) => {
  const path = await folder(t, {
    'prefixd.yaml': `${SHORTEST}guardrails: { require_inventory: false }\n`,
    'playbooks.yaml': PLAYBOOKS,
  });
  assert.equal(sound(await loadConfig(path, {})).policy.inventory.size, 0);
});

test('a file that is not UTF-8 is a problem, not a crash', async (t) => {
  const path = await folder(t, {
    'prefixd.yaml': Uint8Array.of(0x70, 0xff, 0xfe),
    'inventory.yaml': INVENTORY,
    'playbooks.yaml': PLAYBOOKS,
  });
  assert.match(problemsOf(await loadConfig(path, {})).join('\n'), /prefixd\.yaml : this is not UTF-8 text/);
});

test('empty files are told what they lack', async (t) => {
  assert.match(
    problemsOf(await load(t, '')).join('\n'),
    /prefixd\.yaml:1:1 bgp: required key bgp is missing; add bgp/,
  );
  assert.match(
    problemsOf(await load(t, '# nothing\n- 1\n')).join('\n'),
    /prefixd\.yaml:2:1 : invalid value \(a list\); write a section/,
  );
});
