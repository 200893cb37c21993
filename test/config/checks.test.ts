import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { test } from 'node:test';
import { load, problemsOf, SHORTEST, sound, warningsOf } from './folder.ts';

/** Adds keys to the required ones of the neighbor, which begins in line 5. */
function neighbor(...lines: readonly string[]): string {
  const base = ['name: edge1', 'address: "192.0.2.1"', 'peer_asn: 65001'];
  const keys = lines.map((line) => line.split(':')[0]);
  const kept = base.filter((line) => !keys.includes(line.split(':')[0]));
  const [first, ...rest] = [...kept, ...lines];
  return `bgp:
  local_asn: 65010
  router_id: "192.0.2.10"
  neighbors:
    - ${first}
${rest.map((line) => `      ${line}\n`).join('')}`;
}

/** Invalid files and their expected problems. Text after the neighbor begins in line 8. */
const refused: readonly (readonly [
  what: string,
  text: string,
  said: RegExp,
  environment?: Record<string, string>,
  files?: Record<string, string>,
])[] = [
  [
    'an unknown key is named with the nearest known one',
    `${SHORTEST}guardrail: {}\n`,
    /prefixd\.yaml:8:1 guardrail: unknown key "guardrail"; did you mean "guardrails"\?/,
  ],
  [
    'an unknown key deep inside is found at its place',
    neighbor('hold_tme_seconds: 9'),
    /prefixd\.yaml:8:7 bgp\.neighbors\[0\]\.hold_tme_seconds: unknown key .*"hold_time_seconds"/,
  ],
  [
    'a key of another section is sent there',
    `${SHORTEST}quotas: { max_ports: 4 }\n`,
    /8:11 quotas\.max_ports: .*it belongs in guardrails/,
  ],
  [
    'a far-fetched key still gets the nearest and all known ones',
    `${SHORTEST}storage: { zzzzzzzzzz: 1 }\n`,
    /8:12 storage\.zzzzzzzzzz: .*did you mean "\w+"\? Valid keys: driver, path/,
  ],
  [
    'a misspelt word is guessed',
    `${SHORTEST}mode: dryrun\n`,
    /8:7 mode: invalid value "dryrun": expected one of enforced, dry-run; did you mean "dry-run"\?/,
  ],
  [
    'a number in quotes is distinguished from a number',
    neighbor('hold_time_seconds: "30"'),
    /8:26 .*invalid value "30": expected .*; write 30, without quotes/,
  ],
  ...[
    ['pop: 010', 'put quotes around it: "010"'],
    ['pop: 1e3', 'put quotes around it: "1e3"'],
    ['pop: 0x10', 'put quotes around it: "0x10"'],
    ['pop: 1.0', 'put quotes around it: "1.0"'],
    ['pop: True', 'put quotes around it: "True"'],
    ['pop: +7', 'put quotes around it: "+7"'],
    [
      'guardrails: { max_ports: "010" }',
      'expected a whole number from 1 to 64; correct it, or omit it \\(default 8\\)',
    ],
    [
      'guardrails: { max_ports: "1e3" }',
      'expected a whole number from 1 to 64; correct it, or omit it \\(default 8\\)',
    ],
    [
      'guardrails: { max_ports: "0x10" }',
      'expected a whole number from 1 to 64; correct it, or omit it \\(default 8\\)',
    ],
    [
      'guardrails: { max_ports: 1_0 }',
      'expected a whole number from 1 to 64; correct it, or omit it \\(default 8\\)',
    ],
    ['guardrails: { max_ports: "10" }', 'write 10, without quotes'],
    [
      'guardrails: { require_inventory: yes }',
      'expected true or false; correct it, or omit it \\(default true\\)',
    ],
  ].map(([text = '', advice = '']): (typeof refused)[number] => [
    `advice on ${text} does not change the value`,
    `${SHORTEST}${text}\n`,
    new RegExp(`[;:] ${advice.replaceAll('+', '\\+')}$`),
  ]),
  [
    'what is said of any other detector is checked as for a known one',
    `${SHORTEST}detectors: { probe: { holds: until_ttl } }\n`,
    /8:23 detectors\.probe\.holds: unknown key "holds"; did you mean "hold"\?/,
  ],
  [
    'labels belong to Alertmanager, and are sent there',
    `${SHORTEST}detectors: { probe: { labels: {} } }\n`,
    /detectors\.probe\.labels: unknown key .*it belongs in detectors\.alertmanager/,
  ],
  [
    'a detector is a section',
    `${SHORTEST}detectors: { probe: until_ttl }\n`,
    /8:21 detectors\.probe: invalid value "until_ttl": expected a section with the keys hold, confidence, repeat_seconds, vector_map/,
  ],
  [
    'a value of any other detector is guessed',
    `${SHORTEST}detectors: { probe: { hold: until_release } }\n`,
    /detectors\.probe\.hold: .*did you mean "until_released"\?/,
  ],
  [
    'an invalid range of ports is found at its place',
    SHORTEST,
    /inventory\.yaml:6:36 customers\[0\]\.services\[0\]\.allowed_ports\.udp\[1\]: the range 30-20 ends before it begins/,
    {},
    {
      'inventory.yaml': `customers:
  - customer_id: acme
    services:
      - service_id: s
        assets: [{ ip: "203.0.113.10" }]
        allowed_ports: { udp: [53, "30-20"] }
`,
    },
  ],
  [
    'a port beyond the last is refused with what may be written',
    SHORTEST,
    /allowed_ports\.udp\[0\]: invalid value 70000: expected a port from 0 to 65535, or a range such as "27015-27030"/,
    {},
    {
      'inventory.yaml': `customers:
  - { customer_id: acme, services: [{ service_id: s, allowed_ports: { udp: [70000] } }] }
`,
    },
  ],
  [
    'a name that YAML reads as a number wants quotes',
    neighbor('name: 17'),
    /name: invalid value 17: expected .*; put quotes around it: "17"/,
  ],
  [
    'quotes do not make an address of a number',
    `${SHORTEST}http: { listen: 8080 }\n`,
    /8:17 http\.listen: invalid value 8080: expected an address and a port, such as "127\.0\.0\.1:8080"/,
  ],
  [
    'a hold time of 2 is refused',
    neighbor('hold_time_seconds: 2'),
    /8:26 bgp\.neighbors\[0\]\.hold_time_seconds: invalid value 2: expected 0 .* 3 to 65535/,
  ],
  ['a hold time of 1 is refused', neighbor('hold_time_seconds: 1'), /hold_time_seconds: invalid value 1/],
  [
    'port 0 is refused',
    neighbor('port: 0'),
    /8:13 bgp\.neighbors\[0\]\.port: invalid value 0: expected a whole number from 1 to 65535; correct it, or omit it \(default 179\)/,
  ],
  ['port 65536 is refused', neighbor('port: 65536'), /port: invalid value 65536/],
  [
    'an AS number in asdot is refused',
    neighbor('peer_asn: 1.10'),
    /peer_asn: invalid value 1\.1: expected an AS number/,
  ],
  ['AS_TRANS is refused', neighbor('peer_asn: 23456'), /peer_asn: invalid value 23456/],
  ['AS 0 is refused', neighbor('peer_asn: 0'), /peer_asn: invalid value 0/],
  ['a router id of zero is refused', SHORTEST.replace('"192.0.2.10"', '"0.0.0.0"'), /3:14 bgp\.router_id/],
  [
    'a host name is no address',
    neighbor('address: router.example'),
    /address: invalid value "router\.example": expected an IPv4 or IPv6 address/,
  ],
  [
    'an address with leading zeros is refused',
    neighbor('address: "192.0.2.01"'),
    /address: invalid value .*: expected/,
  ],
  [
    'a multicast neighbor is refused',
    neighbor('address: "224.0.0.5"'),
    /address: 224\.0\.0\.5 is not unicast/,
  ],
  [
    'a link-local neighbor needs a zone',
    neighbor('address: "fe80::1"'),
    /address: fe80::1 is link-local and needs a zone; write fe80::1%INTERFACE/,
  ],
  [
    'a local address of the other family is refused',
    neighbor('local_address: "2001:db8::1"'),
    /8:22 bgp\.neighbors\[0\]\.local_address: .*is not an IPv4 address/,
  ],
  [
    'no families are none',
    neighbor('families: []'),
    /8:17 bgp\.neighbors\[0\]\.families: invalid value \(an empty list\)/,
  ],
  [
    'a family twice is refused',
    neighbor('families: [ipv4-flowspec, ipv4-flowspec]'),
    /families\[1\]: ipv4-flowspec is listed twice/,
  ],
  [
    'a family that is unknown is refused',
    neighbor('families: [ipv4-flow]'),
    /families\[0\]: .*did you mean "ipv4-flowspec"\?/,
  ],
  [
    'families that carry no rule are refused',
    neighbor('families: [ipv4-unicast]'),
    /families: no rule can be sent/,
  ],
  [
    'a passive neighbor needs a listener',
    neighbor('passive: true'),
    /8:16 bgp\.neighbors\[0\]\.passive: passive needs bgp\.listen, which is not set/,
  ],
  [
    'MD5 means nothing on a UNIX socket',
    neighbor('address: "unix:/run/helper.sock"', 'md5_password_env: K'),
    /md5_password_env: md5_password_env has no effect on a UNIX socket/,
    { K: 'k' },
  ],
  [
    'an MD5 key over 80 octets is refused without being shown',
    neighbor('md5_password_env: LONG'),
    /8:25 bgp\.neighbors\[0\]\.md5_password_env: the value of the environment variable LONG has 81 bytes/,
    { LONG: 'x'.repeat(81) },
  ],
  [
    'a missing secret names the variable',
    neighbor('md5_password_env: EDGE1_MD5'),
    /8:25 bgp\.neighbors\[0\]\.md5_password_env: the environment variable EDGE1_MD5 is not set/,
  ],
  [
    'an empty secret is as good as none',
    neighbor('md5_password_env: EDGE1_MD5'),
    /EDGE1_MD5 is empty/,
    { EDGE1_MD5: '' },
  ],
  [
    'a secret in the file is refused without being shown',
    neighbor('md5_password_env: "hunter 2"'),
    /md5_password_env: invalid value \(not shown: it may be a secret\): expected/,
  ],
  ['GTSM hops stop at 254', neighbor('ttl_security_hops: 255'), /ttl_security_hops: invalid value 255/],
  [
    'a restart time has 12 bits',
    neighbor('graceful_restart: { restart_time_seconds: 4096 }'),
    /restart_time_seconds: invalid value 4096: expected a whole number of seconds from 0 to 4095/,
  ],
  [
    'a community part has 16 bits',
    neighbor('communities: ["65010:65536"]'),
    /communities\[0\]: invalid value "65010:65536"/,
  ],
  ['a budget of no rules is refused', neighbor('max_rules: 0'), /max_rules: invalid value 0/],
  [
    'auth none is refused off loopback',
    `${SHORTEST}http: { listen: "0.0.0.0:8080" }\n`,
    /http\.auth\.mode: mode none is not allowed on 0\.0\.0\.0:8080, .*; use bearer or mtls, or listen on 127\.0\.0\.1$/,
  ],
  [
    'auth none is refused on any IPv6 address',
    `${SHORTEST}http: { listen: "[::]:8080" }\n`,
    /mode none is not allowed/,
  ],
  [
    'a listener needs a port',
    `${SHORTEST}http: { listen: "127.0.0.1" }\n`,
    /8:17 http\.listen: .*expected an address and a port/,
  ],
  [
    'mTLS needs TLS',
    `${SHORTEST}http: { auth: { mode: mtls } }\n`,
    /http\.auth\.mode: mode mtls needs http\.tls/,
  ],
  [
    'mTLS needs a CA',
    `${SHORTEST}http: { auth: { mode: mtls }, tls: { cert_path: a, key_path: b } }\n`,
    /http\.tls: mode mtls needs the clients' CA; add ca_path/,
  ],
  [
    'bearer without a name of a variable means PREFIXD_API_TOKEN',
    `${SHORTEST}http: { auth: { mode: bearer } }\n`,
    /PREFIXD_API_TOKEN is not set/,
  ],
  [
    'a token with a space cannot be sent',
    `${SHORTEST}http: { auth: { mode: bearer } }\n`,
    /is not a valid token/,
    { PREFIXD_API_TOKEN: 'a b' },
  ],
  [
    'two tokens of one name are refused',
    `${SHORTEST}http: { auth: { mode: bearer, tokens: [{ name: a, role: viewer, token_env: A }, { name: a, role: admin, token_env: B }] } }\n`,
    /tokens\[1\]\.name: name "a" is used twice/,
    { A: '1', B: '2' },
  ],
  [
    'two tokens of one value are refused without being shown',
    `${SHORTEST}http: { auth: { mode: bearer, tokens: [{ name: a, role: viewer, token_env: A }, { name: b, role: admin, token_env: B }] } }\n`,
    /tokens\[1\]\.token_env: "b" and "a" have the same token/,
    { A: 'same', B: 'same' },
  ],
  [
    'an unknown role is refused',
    `${SHORTEST}http: { auth: { mode: bearer, tokens: [{ name: a, role: reader, token_env: A }] } }\n`,
    /tokens\[0\]\.role: invalid value "reader": .*detector, viewer, operator, admin/,
    { A: '1' },
  ],
  [
    'two listeners on one port are refused',
    `${SHORTEST}observability: { metrics_listen: "0.0.0.0:8080" }\n`,
    /observability\.metrics_listen: 0\.0\.0\.0:8080 is already used by http\.listen/,
  ],
  [
    'a shortest prefix above the longest is refused',
    `${SHORTEST}guardrails: { dst_prefix_minlen: 32, dst_prefix_maxlen: 24 }\n`,
    /guardrails\.dst_prefix_minlen: 32 is above dst_prefix_maxlen, which is 24/,
  ],
  [
    'the same for IPv6',
    `${SHORTEST}guardrails: { dst_prefix_minlen_v6: 128, dst_prefix_maxlen_v6: 64 }\n`,
    /dst_prefix_minlen_v6: 128 is above dst_prefix_maxlen_v6/,
  ],
  [
    'a rule for everything cannot be allowed',
    `${SHORTEST}guardrails: { dst_prefix_minlen: 0 }\n`,
    /dst_prefix_minlen: invalid value 0/,
  ],
  [
    'a default TTL below the least is refused',
    `${SHORTEST}timers: { default_ttl_seconds: 10 }\n`,
    /timers\.default_ttl_seconds: 10 is below min_ttl_seconds, which is 30/,
  ],
  [
    'a default TTL above the most is refused',
    `${SHORTEST}timers: { default_ttl_seconds: 3600 }\n`,
    /timers\.default_ttl_seconds: 3600 is above max_ttl_seconds, which is 1800/,
  ],
  [
    'a least TTL above the most is refused',
    `${SHORTEST}timers: { min_ttl_seconds: 3600 }\n`,
    /timers\.min_ttl_seconds: 3600 is above max_ttl_seconds/,
  ],
  [
    'a prefix with host bits is refused',
    `${SHORTEST}safelist: { prefixes: ["10.0.0.1/8"] }\n`,
    /safelist\.prefixes\[0\]: .*without host bits/,
  ],
  [
    'a negative quota is refused',
    `${SHORTEST}quotas: { max_active_global: -1 }\n`,
    /quotas\.max_active_global: invalid value -1: expected a whole number from 0 .*unlimited/,
  ],
  [
    'a confidence above 1 is refused',
    `${SHORTEST}escalation: { min_confidence: 1.5 }\n`,
    /escalation\.min_confidence: invalid value 1\.5: expected a number from 0 to 1/,
  ],
  [
    'a webhook to a private address is refused',
    `${SHORTEST}alerting: { destinations: [{ type: webhook, url: "https://169.254.169.254/x" }] }\n`,
    /destinations\[0\]\.url: 169\.254\.169\.254 is a private address/,
  ],
  [
    'a webhook to a mapped private address is refused',
    `${SHORTEST}alerting: { destinations: [{ type: webhook, url: "https://[::ffff:10.0.0.1]/x" }] }\n`,
    /is a private address/,
  ],
  ...[
    '[64:ff9b::a00:1]',
    '198.18.0.1',
    '[2002:a00:1::]',
    '[ff02::1]',
    '192.0.0.1',
    '240.0.0.1',
    'LOCALHOST',
  ].map((host): (typeof refused)[number] => [
    `a webhook to ${host}, which delivery would refuse`,
    `${SHORTEST}alerting: { destinations: [{ type: webhook, url: "https://${host}/x" }] }\n`,
    /destinations\[0\]\.url: .* is a private address/,
  ]),
  [
    'a webhook without an address is refused',
    `${SHORTEST}alerting: { destinations: [{ type: webhook, secret_env: HOOK }] }\n`,
    /destinations\[0\]\.url: required key url is missing; add url: .*, or url_env/,
    { HOOK: 'secret' },
  ],
  [
    'a webhook with two addresses is refused',
    `${SHORTEST}alerting: { destinations: [{ type: webhook, url: "https://a.example/", url_env: HOOK }] }\n`,
    /destinations\[0\]\.url: url and url_env are both set; remove one/,
    { HOOK: 'https://b.example/' },
  ],
  [
    'a webhook whose variable holds a private address is refused',
    `${SHORTEST}alerting: { destinations: [{ type: webhook, url_env: HOOK }] }\n`,
    /destinations\[0\]\.url_env: the value of the environment variable HOOK is a private address/,
    { HOOK: 'https://[64:ff9b::a00:1]/x' },
  ],
  [
    'a Slack webhook to a private address, which delivery would refuse, without showing it',
    `${SHORTEST}alerting: { destinations: [{ type: slack, webhook_url_env: SLACK }] }\n`,
    /webhook_url_env: the value of the environment variable SLACK is a private address, [^/]*$/,
    { SLACK: 'https://10.0.0.1/T/B' },
  ],
  [
    'a destination of no known type is refused',
    `${SHORTEST}alerting: { destinations: [{ type: slak }] }\n`,
    /destinations\[0\]\.type: invalid value "slak": .*did you mean "slack"\?/,
  ],
  [
    'a destination without its key names the key',
    `${SHORTEST}alerting: { destinations: [{ type: pagerduty }] }\n`,
    /destinations\[0\]\.routing_key_env: required key routing_key_env is missing; add routing_key_env/,
  ],
  [
    'a URL that is none is refused without being shown',
    `${SHORTEST}alerting: { destinations: [{ type: webhook, url: "s3cret" }] }\n`,
    /url: invalid value \(not shown: it may be a secret\): expected/,
  ],
  [
    'what should be a section must be one',
    `${SHORTEST}timers: 30\n`,
    /8:9 timers: invalid value 30: expected a section with the keys default_ttl_seconds/,
  ],
  [
    'a tab is named as such',
    `${SHORTEST}timers:\n\tmin_ttl_seconds: 30\n`,
    /9:1 : this is not YAML: .*; indent with spaces/,
  ],
  [
    'a key that is there twice is refused',
    `${SHORTEST}mode: dry-run\nmode: enforced\n`,
    /9:1 mode: this key is written twice/,
  ],
  [
    'a key that is there twice deep inside has its path',
    neighbor('port: 1', 'port: 2'),
    /9:7 bgp\.neighbors\[0\]\.port: this key is written twice/,
  ],
  ['a second document is refused', `${SHORTEST}---\nmode: dry-run\n`, /: a second document begins here/],
];

for (const [what, text, said, environment, files] of refused) {
  test(what, async (t) => {
    const result = await load(t, text, environment ?? {}, files);
    assert.equal(result.ok, false);
    const problems = problemsOf(result);
    assert.ok(
      problems.some((problem) => said.test(problem)),
      `${said} is not among\n${problems.join('\n')}`,
    );
    assert.doesNotMatch(problems.join('\n'), /hunter|s3cret|x{81}/);
  });
}

test('all problems are told at once, in the order of the file', async (t) => {
  const text = `pop: "two words"
bgp:
  local_asn: 0
  router_id: nobody
  neighbors:
    - name: edge1
      address: "192.0.2.1"
      peer_asn: 65001
      hold_time_seconds: 2
    - name: edge1
      address: "192.0.2.1"
      peer_asn: 65001
      colour: blue
timers: { default_ttl_seconds: 1 }
http: { auth: { mode: bearer } }
`;
  const lines = problemsOf(await load(t, text)).map((problem) => problem.split(' ').slice(0, 2).join(' '));
  assert.deepEqual(lines, [
    'prefixd.yaml:1:6 pop:',
    'prefixd.yaml:3:14 bgp.local_asn:',
    'prefixd.yaml:4:14 bgp.router_id:',
    'prefixd.yaml:9:26 bgp.neighbors[0].hold_time_seconds:',
    'prefixd.yaml:10:13 bgp.neighbors[1].name:',
    'prefixd.yaml:11:16 bgp.neighbors[1].address:',
    'prefixd.yaml:13:7 bgp.neighbors[1].colour:',
    'prefixd.yaml:14:32 timers.default_ttl_seconds:',
    'prefixd.yaml:15:15 http.auth.bearer_token_env:',
  ]);
});

const accepted: readonly (readonly [what: string, text: string, environment?: Record<string, string>])[] = [
  ['neighbors may be empty', 'bgp: { local_asn: 65010, router_id: "192.0.2.10", neighbors: [] }\n'],
  ['a section with nothing in it has its defaults', `${SHORTEST}http:\ntimers:\n`],
  [
    'auth none off loopback is possible when it is asked for',
    `${SHORTEST}http: { listen: "0.0.0.0:80", auth: { allow_insecure: true } }\n`,
  ],
  ['auth none on localhost is no risk', `${SHORTEST}http: { listen: "localhost:8080" }\n`],
  [
    'several daemons and peers fit on one loopback',
    neighbor('address: "127.0.0.1"', 'port: 1790').concat(
      '    - { name: edge2, address: "127.0.0.1", port: 1791, peer_asn: 65002 }\n',
    ),
  ],
  ['a hold time of 0 turns keepalives off', neighbor('hold_time_seconds: 0')],
  ['a 4-octet AS is an AS', neighbor('peer_asn: 4200000001')],
  ['an IPv6 neighbor with a zone', neighbor('address: "fe80::1%eth0"')],
  ['a UNIX socket', neighbor('address: "unix:/run/prefixd/bgp.sock"')],
  ['a passive neighbor with a listener', `${neighbor('passive: true')}  listen: "[::]:1179"\n`],
  ['large and well-known communities', neighbor('communities: ["65010:1:2", no-export, blackhole]')],
  ['no quota at all', `${SHORTEST}quotas: { max_active_global: unlimited }\n`],
  ["profiles of one's own", `${SHORTEST}profiles: { strict: { ttl: 2 } }\n`],
  [
    'anchors and aliases',
    neighbor('families: &f [ipv4-flowspec]').concat(
      '    - { name: edge2, address: "192.0.2.2", peer_asn: 65002, families: *f }\n',
    ),
  ],
  [
    'a webhook to a private address when it is allowed',
    `${SHORTEST}alerting: { allow_private_addresses: true, destinations: [{ type: webhook, url: "http://127.0.0.1:9000/x" }] }\n`,
  ],
];

for (const [what, text, environment] of accepted) {
  test(what, async (t) => {
    assert.deepEqual(problemsOf(await load(t, text, environment ?? {})), []);
  });
}

test('a restart time above the shortest TTL in use is a warning that names both', async (t) => {
  const result = await load(t, neighbor('graceful_restart: { restart_time_seconds: 300 }'));
  assert.equal(result.ok, true);
  assert.match(
    warningsOf(result).join('\n'),
    /8:\d+ bgp\.neighbors\[0\]\.graceful_restart: .*up to 300 s.*shortest TTL in use is 90 s/,
  );
  const short = await load(t, neighbor('graceful_restart: { restart_time_seconds: 90 }'));
  assert.deepEqual(warningsOf(short), []);
});

test('a TTL of a playbook that no guardrail would pass is a warning', async (t) => {
  const result = await load(
    t,
    `${SHORTEST}timers: { max_ttl_seconds: 120 }\n`,
    {},
    {
      'playbooks.yaml':
        'playbooks:\n  - name: udp\n    match: { vector: udp_flood }\n    steps:\n      - action: discard\n        ttl_seconds: 600\n',
    },
  );
  assert.match(
    warningsOf(result).join('\n'),
    /playbooks\.yaml:6:22 playbooks\[0\]\.steps\[0\]\.ttl_seconds: 600 is above timers\.max_ttl_seconds, which is 120/,
  );
});

test('a playbook whose rules a protected port would always refuse is a warning', async (t) => {
  const playbooks = `playbooks:
  - name: reflected
    match: { vector: [dns_amplification, ntp_amplification] }
    steps: [{ action: discard }]
  - name: own
    match: { vector: udp_flood }
    steps: [{ action: discard, match: { src_ports: ["100-130"] } }]
  - name: neither
    match: { vector: ntp_amplification, source: probe }
    steps: [{ action: discard, match: { src_ports: [124] } }]
`;
  const settings = `${SHORTEST}guardrails: { protected: { ports: [123, 179] } }\n`;
  const result = await load(t, settings, {}, { 'playbooks.yaml': playbooks });
  assert.deepEqual(
    warningsOf(result).map((line) => line.replace(/^.*playbooks\.yaml:/, '').slice(0, 70)),
    [
      '3:22 playbooks[0].match.vector: its rules would name the protected sou',
      '7:52 playbooks[1].steps[0].match.src_ports: its rules would name the p',
    ],
  );
});

test('a playbook for a vector that nothing sends is a warning with the nearest known one', async (t) => {
  const playbooks = `playbooks:
  - name: slip
    match: { vector: [udp_flood, udp_flodo, dns_amp] }
    steps: [{ action: discard }]
  - name: own
    match: { vector: our_own_kind }
    steps: [{ action: discard }]
  - name: mapped
    match: { vector: storm }
    steps: [{ action: discard }]
`;
  const settings = `${SHORTEST}detectors: { fastnetmon: { vector_map: { Sturm: storm } } }\n`;
  const result = await load(t, settings, {}, { 'playbooks.yaml': playbooks });
  assert.ok(result.ok, 'custom vectors are no error');
  assert.deepEqual(
    warningsOf(result).map((line) => line.replace(/is neither built in.*; /, '... ')),
    [
      'playbooks.yaml:3:34 playbooks[0].match.vector[1]: the vector "udp_flodo" ... did you mean "udp_flood"? Keep it if a script of yours sends it',
      'playbooks.yaml:6:22 playbooks[1].match.vector: the vector "our_own_kind" ... keep it if a script of yours sends it',
    ],
  );
});

test('tokens over plain HTTP to other machines are a warning', async (t) => {
  const text = `${SHORTEST}http: { listen: "192.0.2.10:8080", auth: { mode: bearer } }\n`;
  const result = await load(t, text, { PREFIXD_API_TOKEN: 'token' });
  assert.match(warningsOf(result).join('\n'), /http\.listen: tokens are sent unencrypted/);
});

test('roles of client certificates become a map, and none means none', async (t) => {
  const tls = 'tls: { cert_path: a, key_path: b, ca_path: c }';
  const mapped = sound(
    await load(t, `${SHORTEST}http: { auth: { mode: mtls, roles: { "noc 1": operator } }, ${tls} }\n`, null),
  );
  assert.deepEqual(mapped.http.auth, { mode: 'mtls', roles: new Map([['noc 1', 'operator']]) });
  const open = sound(await load(t, `${SHORTEST}http: { auth: { mode: mtls }, ${tls} }\n`, null));
  assert.deepEqual(open.http.auth, { mode: 'mtls', roles: undefined });
});

test('no quota is Infinity, large communities have their own attribute', async (t) => {
  const text = `${neighbor('communities: ["65010:1:2", no-export]')}quotas: { max_active_global: unlimited }\n`;
  const config = sound(await load(t, text));
  assert.equal(config.policy.quotas.maxActiveGlobal, Number.POSITIVE_INFINITY);
  assert.deepEqual(config.bgp.control[0]?.communities, Uint8Array.of(0xff, 0xff, 0xff, 0x01));
  assert.deepEqual(
    config.bgp.control[0]?.largeCommunities,
    Uint8Array.of(0, 0, 0xfd, 0xf2, 0, 0, 0, 1, 0, 0, 0, 2),
  );
});

test('a detector whose name looks like a slip is a warning, and one more of a kind is not', async (t) => {
  const warned = async (name: string) =>
    warningsOf(await load(t, `${SHORTEST}detectors: { ${name}: { confidence: 0.5 } }\n`));
  for (const [name, known] of [
    ['fastnetmn', 'fastnetmon'],
    ['FastNetMon', 'fastnetmon'],
    ['fast-netmon', 'fastnetmon'],
    ['alertmanger', 'alertmanager'],
    ['alert_manager', 'alertmanager'],
    ['grafanna', 'grafana'],
  ]) {
    const [warning = ''] = await warned(name ?? '');
    assert.match(
      warning,
      new RegExp(
        `detectors\\.${name}: "${name}" is not a known detector, but resembles ${known}; write ${known}`,
      ),
    );
  }
  for (const name of ['fastnetmon-dc2', 'grafana_eu', 'probe', 'kentik', 'wanguard', 'flowtriq']) {
    assert.deepEqual(await warned(name), [], name);
  }
});

test('require_ttl loads, and false is said to have no effect', async (t) => {
  assert.deepEqual(warningsOf(await load(t, `${SHORTEST}guardrails: { require_ttl: true }\n`)), []);
  const result = await load(t, `${SHORTEST}guardrails: { require_ttl: false }\n`);
  assert.ok(result.ok);
  assert.match(
    warningsOf(result).join(),
    /guardrails\.require_ttl: every rule has a TTL, so false has no effect/,
  );
});

test('the address of a webhook may be a secret of the environment', async (t) => {
  const text = `${SHORTEST}alerting: { destinations: [{ type: webhook, url_env: HOOK }] }\n`;
  const config = sound(await load(t, text, { HOOK: 'https://alerts.example/hook/token' }));
  assert.deepEqual(config.alerting.destinations, [
    { type: 'webhook', url: 'https://alerts.example/hook/token', secret: undefined },
  ]);
  assert.ok(config.secrets.includes('https://alerts.example/hook/token'));
  assert.doesNotMatch(JSON.stringify(config.shown), /token"/);
});

test('no advice weakens a guardrail', async () => {
  const source = fileURLToPath(new URL('../../src', import.meta.url));
  const weaker =
    /(allow_\w+: true|require_inventory: false|lower [\w.]*minlen|raise (guardrails|quotas)|take it out of guardrails)/;
  const advice = /(set|write|or|raise|lower|take) /;
  for await (const file of sourcesIn(source)) {
    for (const line of (await readFile(file, 'utf8')).split('\n')) {
      const text = /'[^']*'|`[^`]*`/.exec(line)?.[0] ?? '';
      assert.ok(!(weaker.test(text) && advice.test(text)), `${file}: ${line.trim()}`);
    }
  }
});

/** Lists the TypeScript files below a folder. */
async function* sourcesIn(folder: string): AsyncGenerator<string> {
  for (const entry of await readdir(folder, { withFileTypes: true, recursive: true })) {
    if (entry.isFile() && entry.name.endsWith('.ts')) yield join(entry.parentPath, entry.name);
  }
}

test('a value of a playbook or customer out of its range is refused with what is expected', async (t) => {
  const result = await load(
    t,
    SHORTEST,
    {},
    {
      'inventory.yaml':
        'customers:\n  - customer_id: ""\n    services: [{ service_id: "", allowed_ports: { udp: [70000] } }]\n',
      'playbooks.yaml': `playbooks:
  - name: ""
    match: { vector: [], min_bps: -1, min_confidence: 2 }
    steps:
      - { action: police, rate_bps: -1, whole_host_rate_bps: 0, ttl_seconds: 86401 }
      - { action: discard, require_confidence_at_least: 2, require_persistence_seconds: -1 }
  - { name: none, match: { vector: udp_flood }, steps: [] }
`,
    },
  );
  assert.deepEqual(problemsOf(result), [
    'inventory.yaml:2:18 customers[0].customer_id: invalid value "": expected text that is not empty',
    'inventory.yaml:3:30 customers[0].services[0].service_id: invalid value "": expected text that is not empty',
    'inventory.yaml:3:57 customers[0].services[0].allowed_ports.udp[0]: invalid value 70000: expected a port from 0 to 65535, or a range such as "27015-27030"',
    'playbooks.yaml:2:11 playbooks[0].name: invalid value "": expected text that is not empty',
    'playbooks.yaml:3:22 playbooks[0].match.vector: invalid value (an empty list): expected a vector such as udp_flood, or a list of vectors',
    'playbooks.yaml:3:35 playbooks[0].match.min_bps: invalid value -1: expected a number from 0 to 9007199254740991',
    'playbooks.yaml:3:55 playbooks[0].match.min_confidence: invalid value 2: expected a number from 0 to 1',
    'playbooks.yaml:5:37 playbooks[0].steps[0].rate_bps: invalid value -1: expected a whole number of bits per second, at least 0',
    'playbooks.yaml:5:62 playbooks[0].steps[0].whole_host_rate_bps: invalid value 0: expected a whole number of bits per second, at least 1',
    'playbooks.yaml:5:78 playbooks[0].steps[0].ttl_seconds: invalid value 86401: expected a whole number of seconds from 1 to 86400',
    'playbooks.yaml:6:57 playbooks[0].steps[1].require_confidence_at_least: invalid value 2: expected a number from 0 to 1',
    'playbooks.yaml:6:89 playbooks[0].steps[1].require_persistence_seconds: invalid value -1: expected a whole number of seconds from 0 to 31536000',
    'playbooks.yaml:7:56 playbooks[1].steps: invalid value (an empty list): expected a list of at least 1: a section with the keys action, rate_bps, to, vrf, ip, copy, whole_host_rate_bps, ttl_seconds, require_confidence_at_least, require_persistence_seconds, scope, match',
  ]);
});
