import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FAMILIES } from '../../src/bgp/wire/iana.ts';
import { load, problemsOf, SHORTEST, sound, warningsOf } from './folder.ts';

const SCRUBBERS = `scrubbers:
  - name: fra
    redirect: { ipv4: 192.0.2.50, vrf: "65010:666" }
    divert: { next_hop_v4: 192.0.2.51, communities: ["65010:777"], max_ttl_seconds: 7200 }
`;

/** The neighbor is given everything, and its keys end in line 8. */
const EVERYTHING = `${SHORTEST}      announce: [flowspec, divert, blackhole]\n`;

const steps = (...list: readonly string[]): Record<string, string> => ({
  'playbooks.yaml': `playbooks:
  - name: udp
    match: { vector: udp_flood }
    steps:
${list.map((step) => `      - ${step}\n`).join('')}`,
});

const POLICE = '{ action: police, rate_bps: 5000000 }';
const ALL_STEPS = steps(
  POLICE,
  '{ action: redirect, to: fra }',
  '{ action: redirect, vrf: "65010:1", rate_bps: 1000000 }',
  '{ action: redirect, ip: 192.0.2.60, copy: true }',
  '{ action: divert, to: fra, ttl_seconds: 3600 }',
  '{ action: blackhole }',
);

test('scrubbers, blackholing and steps that use them become the policy', async (t) => {
  const result = await load(
    t,
    `${EVERYTHING}${SCRUBBERS}blackhole: { allowed: true, customers: [acme] }\n`,
    {},
    ALL_STEPS,
  );
  const { policy, bgp } = sound(result);
  const fra = policy.targets?.scrubbers.get('fra');
  assert.deepEqual(fra?.redirect, { ipv4: '192.0.2.50', vrf: '65010:666' });
  assert.deepEqual(
    [
      fra?.divert?.nextHopV4,
      fra?.divert?.lengthV4,
      fra?.divert?.export,
      fra?.divert?.maxTtlSeconds,
      fra?.maxDiverted,
    ],
    ['192.0.2.51', 32, false, 7200, 10],
  );
  const { allowed, customers, target } = policy.targets?.blackhole ?? {};
  assert.deepEqual(
    [allowed, customers, target?.nextHopV4, target?.nextHopV6],
    [true, ['acme'], '192.0.2.1', '100::1'],
  );
  const actions = policy.playbooks.byName.get('udp')?.steps.map(({ action }) => action);
  assert.deepEqual(actions?.slice(1), [
    { type: 'redirect', rateBps: null, target: { scrubber: 'fra' } },
    { type: 'redirect', rateBps: 1_000_000, target: { vrf: '65010:1' } },
    { type: 'redirect', rateBps: null, target: { ip: '192.0.2.60' }, copy: true },
    { type: 'divert', rateBps: null, scrubber: 'fra' },
    { type: 'blackhole', rateBps: null },
  ]);
  assert.deepEqual(
    [bgp.control[0]?.announce, bgp.control[0]?.maxUnicast],
    [['flowspec', 'divert', 'blackhole'], 50],
  );
});

test('nothing of it is in force by default', async (t) => {
  const { policy, bgp } = sound(await load(t, SHORTEST));
  assert.equal(policy.targets?.blackhole.allowed, false);
  assert.equal(policy.targets?.scrubbers.size, 0);
  assert.deepEqual(bgp.control[0]?.announce, ['flowspec']);
  assert.deepEqual(bgp.speaker.neighbors[0]?.families, [
    FAMILIES['ipv4-flowspec'],
    FAMILIES['ipv6-flowspec'],
  ]);
});

test('a neighbor is offered the unicast families that it needs, and FlowSpec only for rules', async (t) => {
  const families = async (...lines: readonly string[]) => {
    const settings = `${SHORTEST}${lines.map((line) => `      ${line}\n`).join('')}blackhole: { allowed: true }\n`;
    const { bgp } = sound(await load(t, settings));
    assert.deepEqual(bgp.control[0]?.families, bgp.speaker.neighbors[0]?.families);
    return bgp.speaker.neighbors[0]?.families.map(({ afi, safi }) => `${afi}/${safi}`);
  };
  assert.deepEqual(await families('announce: [flowspec, blackhole]'), ['1/133', '2/133', '1/1', '2/1']);
  assert.deepEqual(await families('announce: [blackhole]'), ['1/1', '2/1']);
  assert.deepEqual(await families('announce: [blackhole]', 'families: [ipv4-flowspec]'), ['1/1']);
  assert.deepEqual(await families('announce: [blackhole]', 'families: [ipv4-unicast]'), ['1/1']);
});

const wrong: readonly (readonly [
  what: string,
  settings: string,
  files: Record<string, string>,
  said: RegExp,
])[] = [
  [
    'an unknown scrubber',
    SCRUBBERS,
    steps(POLICE, '{ action: redirect, to: frq }'),
    /^playbooks\.yaml:6:33 playbooks\[0\]\.steps\[1\]\.to: there is no scrubber "frq"; did you mean "fra"\?$/,
  ],
  [
    'a diversion to a scrubber that only takes redirects',
    'scrubbers: [{ name: fra, redirect: { ipv4: 192.0.2.50 } }]\n',
    steps('{ action: divert, to: fra }'),
    /steps\[0\]\.to: nothing can be diverted to scrubber fra; add divert to it, or use redirect/,
  ],
  [
    'a scrubber without a target',
    'scrubbers: [{ name: fra }]\n',
    {},
    /scrubbers\[0\]: nothing can be sent to scrubber fra/,
  ],
  [
    'one name twice',
    'scrubbers: [{ name: fra, redirect: { ipv4: 192.0.2.50 } }, { name: fra, redirect: { ipv4: 192.0.2.51 } }]\n',
    {},
    /scrubbers\[1\]\.name: "fra" is the name of two scrubbers/,
  ],
  [
    'a next hop that a route could cover',
    'scrubbers: [{ name: fra, divert: { next_hop_v4: 203.0.113.9 } }]\n',
    {},
    /next_hop_v4: the next hop 203\.0\.113\.9 is an address of customer acme/,
  ],
  [
    'a next hop of the other IP version',
    'scrubbers: [{ name: fra, divert: { next_hop_v4: "2001:db8::1" } }]\n',
    {},
    /next_hop_v4: 2001:db8::1 is not an IPv4 address/,
  ],
  [
    'a blackhole that is not allowed',
    '',
    steps(POLICE, '{ action: blackhole }'),
    /steps\[1\]\.action: blackholing is not allowed/,
  ],
  [
    'a redirect to nowhere',
    SCRUBBERS,
    steps('{ action: redirect }'),
    /redirect needs exactly one of to \(a scrubber\), vrf/,
  ],
  [
    'a redirect to two targets',
    SCRUBBERS,
    steps('{ action: redirect, to: fra, ip: 192.0.2.9 }'),
    /redirect needs exactly one of/,
  ],
  [
    'a diversion without a scrubber',
    SCRUBBERS,
    steps('{ action: divert }'),
    /divert needs to: the name of a scrubber/,
  ],
  [
    'a rate beside a blackhole',
    'blackhole: { allowed: true }\n',
    steps('{ action: blackhole, rate_bps: 5 }'),
    /blackhole does not take rate_bps/,
  ],
  [
    'a copy to a VRF',
    SCRUBBERS,
    steps('{ action: redirect, vrf: "65010:666", copy: true }'),
    /steps\[0\]\.copy: a redirect to a VRF cannot copy; remove copy, or use ip/,
  ],
  [
    'a copy to a scrubber that has only a VRF',
    'scrubbers: [{ name: fra, redirect: { vrf: "65010:666" } }]\n',
    steps('{ action: redirect, to: fra, copy: true }'),
    /steps\[0\]\.copy: scrubber fra has only a VRF, and a redirect to a VRF cannot copy; remove copy, or add ipv4/,
  ],
  [
    'a route target that is none',
    SCRUBBERS,
    steps('{ action: redirect, vrf: "70000:70000" }'),
    /expected a route target such as/,
  ],
  [
    'a return that never is',
    'blackhole: { return: { min_seconds: 600, max_seconds: 60 } }\n',
    {},
    /max_seconds 60 is less than min_seconds 600/,
  ],
  [
    'a redirect target of the other IP version',
    'scrubbers: [{ name: fra, redirect: { ipv4: "2001:db8::1" } }]\n',
    {},
    /9:44 scrubbers\[0\]\.redirect\.ipv4: 2001:db8::1 is not an IPv4 address; write an IPv4 address/,
  ],
  [
    'a next hop that is no host',
    'scrubbers: [{ name: fra, divert: { next_hop_v4: 224.0.0.5 } }]\n',
    {},
    /next_hop_v4: 224\.0\.0\.5 is multicast \(RFC 5771\): traffic cannot be sent there/,
  ],
  [
    'a diversion that routers would discard',
    'scrubbers: [{ name: fra, divert: { next_hop_v4: 192.0.2.51, communities: ["65535:666"] } }]\n',
    {},
    /divert\.communities: routers discard the traffic .* community blackhole \(RFC 7999\); remove it/,
  ],
  [
    'a neighbor whose diversions would be discarded',
    `      communities: [blackhole]\n${SCRUBBERS}`,
    {},
    /9:20 bgp\.neighbors\[0\]\.communities: edge1 would discard what is diverted/,
  ],
  [
    'a limit on the TTL below the shortest TTL',
    'scrubbers: [{ name: fra, divert: { next_hop_v4: 192.0.2.51, max_ttl_seconds: 20 } }]\n',
    {},
    /divert\.max_ttl_seconds: no TTL is possible: timers\.min_ttl_seconds is 30; raise max_ttl_seconds/,
  ],
];

for (const [what, settings, files, said] of wrong) {
  test(`${what} is refused`, async (t) => {
    const problems = problemsOf(await load(t, `${EVERYTHING}${settings}`, {}, files));
    assert.ok(
      problems.some((problem) => said.test(problem)),
      problems.join('\n'),
    );
  });
}

const odd: readonly (readonly [
  what: string,
  settings: string,
  files: Record<string, string>,
  said: RegExp,
])[] = [
  [
    'a step whose routes no neighbor is given',
    `${SHORTEST}blackhole: { allowed: true }\n`,
    steps(POLICE, '{ action: blackhole }'),
    /steps\[1\]\.action: no neighbor is given blackhole routes, so this step is never taken; add blackhole to announce/,
  ],
  [
    'a step whose routes only a disabled neighbor is given',
    `${SHORTEST}    - { name: off, address: "192.0.2.2", peer_asn: 65002, announce: [blackhole], enabled: false }
blackhole: { allowed: true }\n`,
    steps(POLICE, '{ action: blackhole }'),
    /steps\[1\]\.action: no neighbor is given blackhole routes, so this step is never taken/,
  ],
  [
    'a scrubber that only a disabled neighbor can redirect to',
    `${SHORTEST}      dialect: arista
    - { name: off, address: "192.0.2.2", peer_asn: 65002, enabled: false }
scrubbers: [{ name: fra, redirect: { ipv4: 192.0.2.50 } }]\n`,
    {},
    /scrubbers\[0\]\.redirect: no neighbor can redirect to scrubber fra: arista cannot use ipv4/,
  ],
  [
    'a neighbor that is given unicast routes and may hold none',
    `${EVERYTHING}      max_unicast: 0\n${SCRUBBERS}blackhole: { allowed: true }\n`,
    {},
    /9:20 bgp\.neighbors\[0\]\.max_unicast: announce names divert and blackhole, but edge1 may hold no unicast route; raise max_unicast/,
  ],
  [
    'routes that may leave the AS',
    `${EVERYTHING}blackhole: { allowed: true, export: true }\n`,
    {},
    /blackhole\.export: routes longer than \/24/,
  ],
  [
    'a customer that does not exist',
    `${EVERYTHING}blackhole: { allowed: true, customers: [acne] }\n`,
    {},
    /there is no customer "acne" in the inventory; did you mean "acme"\?/,
  ],
  [
    'a kind that cannot be decided',
    EVERYTHING,
    {},
    /edge1 will never be given divert routes: none can be decided; add a scrubber/,
  ],
  [
    'a next hop in protected infrastructure',
    `${EVERYTHING}guardrails: { protected: { prefixes: ["198.51.100.0/24"] } }
scrubbers: [{ name: fra, divert: { next_hop_v4: 198.51.100.9 } }]\n`,
    {},
    /next_hop_v4: .* inside the protected prefix 198\.51\.100\.0\/24: .*; .*add 198\.51\.100\.9\/32 to guardrails\.protected\.prefixes/,
  ],
  [
    "a next hop at the router's own address",
    `${EVERYTHING}blackhole: { allowed: true }\n`,
    {},
    /blackhole\.next_hop_v4: the next hop 192\.0\.2\.1 is the address of edge1: a router ignores a route to itself/,
  ],
  [
    'a scrubber that no neighbor can redirect to',
    `${EVERYTHING}      dialect: arista\nscrubbers: [{ name: fra, redirect: { ipv4: 192.0.2.50, vrf: "[2001:db8::1]:666" } }]\n`,
    {},
    /scrubbers\[0\]\.redirect: no neighbor can redirect to scrubber fra: arista cannot use ipv4, vrf; add a target/,
  ],
  [
    'a probed scrubber about which no alert is sent',
    `${EVERYTHING}scrubbers: [{ name: fra, redirect: { ipv4: 192.0.2.50 }, probe: { url: "https://fra.example/" } }]
alerting: { destinations: [{ type: webhook, url: "https://hooks.example/" }] }\n`,
    {},
    /alerting\.events: no alert is sent about a scrubber that fails its probe; add scrubber\.down/,
  ],
  [
    'a step that its target ends sooner',
    `${EVERYTHING}${SCRUBBERS}`,
    steps('{ action: divert, to: fra, ttl_seconds: 7201 }'),
    /steps\[0\]\.ttl_seconds: 7201 is above scrubbers\[0\]\.divert\.max_ttl_seconds, which is 7200; write at most 7200/,
  ],
];

for (const [what, settings, files, said] of odd) {
  test(`${what} is warned of`, async (t) => {
    const warnings = warningsOf(await load(t, settings, {}, files));
    assert.ok(
      warnings.some((warning) => said.test(warning)),
      warnings.join('\n'),
    );
  });
}

test('nothing is said of a blackhole that is not allowed', async (t) => {
  const inDocumentation = {
    'inventory.yaml': 'customers: [{ customer_id: lab, prefixes: ["192.0.2.0/24"] }]\n',
  };
  assert.deepEqual(warningsOf(await load(t, SHORTEST, {}, inDocumentation)), []);
  sound(await load(t, SHORTEST, {}, inDocumentation));
  assert.deepEqual(warningsOf(await load(t, `${SHORTEST}safelist: { prefixes: ["192.0.2.0/24"] }\n`)), []);
  const long = 'timers: { min_ttl_seconds: 100000, default_ttl_seconds: 100000, max_ttl_seconds: 200000 }\n';
  sound(await load(t, `${SHORTEST}${long}`));
});

test('a route is exported without a warning if it is short, or says itself that it stays', async (t) => {
  for (const divert of [
    '{ next_hop_v4: 192.0.2.51, prefix_length_v4: 24, export: true }',
    '{ next_hop_v4: 192.0.2.51, communities: [no-advertise], export: true }',
  ]) {
    const settings = `${SHORTEST}      announce: [flowspec, divert]\nscrubbers: [{ name: fra, divert: ${divert} }]\n`;
    assert.deepEqual(warningsOf(await load(t, settings)), [], divert);
  }
});

test('a copy to a scrubber with an address and a VRF, and max_unicast: 0 without unicast, are sound', async (t) => {
  const settings = `${EVERYTHING}${SCRUBBERS}blackhole: { allowed: true }\n`;
  sound(await load(t, settings, {}, steps('{ action: redirect, to: fra, copy: true }')));
  assert.deepEqual(warningsOf(await load(t, `${SHORTEST}      max_unicast: 0\n`)), []);
});

test('a protected next hop is confirmed by naming it', async (t) => {
  const settings = `${SHORTEST}      announce: [flowspec, divert]
guardrails: { protected: { prefixes: ["198.51.100.0/24", "198.51.100.9/32"] } }
scrubbers: [{ name: fra, divert: { next_hop_v4: 198.51.100.9 } }]\n`;
  assert.deepEqual(warningsOf(await load(t, settings)), []);
});

test('a name that resembles none is not taken for another', async (t) => {
  const problems = problemsOf(
    await load(t, `${EVERYTHING}${SCRUBBERS}`, {}, steps('{ action: divert, to: amsterdam }')),
  );
  assert.match(
    problems.join('\n'),
    /there is no scrubber "amsterdam"; add it to scrubbers in prefixd\.yaml$/,
  );
});
