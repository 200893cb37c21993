/** The stage: eight neighbors that differ in everything that is configured, and a policy under which rules come and go. */
import { FAMILIES } from '../../src/bgp/wire/iana.ts';
import { buildInventory } from '../../src/core/policy/inventory.ts';
import { buildPlaybooks } from '../../src/core/policy/playbook.ts';
import type { Policy } from '../../src/core/policy/policy.ts';
import { DEFAULT_PROFILES } from '../../src/core/policy/profile.ts';
import { RULE_KINDS } from '../../src/core/action.ts';
import type { Targets, UnicastTarget } from '../../src/core/policy/scrubbers.ts';
import { type EdgeSettings, LOCAL_ASN } from './edge.ts';

const V4 = FAMILIES['ipv4-flowspec'];
const V6 = FAMILIES['ipv6-flowspec'];
const U4 = FAMILIES['ipv4-unicast'];
const U6 = FAMILIES['ipv6-unicast'];
/** Given everything. */
const whole = { families: [V4, V6, U4, U6], offered: [V4, V6, U4, U6], announce: RULE_KINDS, maxUnicast: 50 };
const usual = {
  families: [V4, V6],
  offered: [V4, V6],
  maxRules: 1000,
  helper: false,
  communities: '',
} as const;

export const EDGES: readonly EdgeSettings[] = [
  { ...usual, name: 'plain', asn: 65001, dialect: 'generic', dialling: 'speaker' },
  { ...usual, ...whole, name: 'juniper', asn: 65002, dialect: 'juniper', dialling: 'speaker', helper: true },
  {
    ...{ ...usual, ...whole, name: 'xr-v4', asn: 65003, dialect: 'cisco-xr', dialling: 'speaker' },
    families: [V4, U4],
    announce: ['flowspec', 'divert'],
  },
  {
    ...{ ...usual, ...whole, name: 'arista', asn: 65004, dialect: 'arista', dialling: 'router' },
    communities: 'ff980001',
    maxUnicast: 3,
  },
  {
    ...usual,
    name: 'nokia-v6',
    asn: 65005,
    dialect: 'nokia',
    dialling: 'router',
    families: [V6, V4, U6, U4],
    offered: [V6, U6],
    announce: RULE_KINDS,
    maxUnicast: 5,
  },
  { ...usual, name: 'huawei', asn: 65006, dialect: 'huawei', dialling: 'both', maxRules: 25 },
  {
    ...{
      ...usual,
      ...whole,
      name: 'small',
      asn: 65007,
      dialect: 'generic',
      dialling: 'router',
      helper: true,
    },
    maxRules: 8,
    announce: ['flowspec', 'blackhole'],
    maxUnicast: 1,
  },
  {
    ...usual,
    ...whole,
    name: 'ibgp',
    asn: LOCAL_ASN,
    dialect: 'juniper',
    dialling: 'both',
    maxRules: 40,
    helper: true,
  },
];

/** Victims: `203.0.113.<n>` and `2001:db8:acd::<n>`, n from 1 up to and including this. */
export const VICTIMS = 14;
export const VECTORS = [
  'udp_flood',
  'syn_flood',
  'icmp_flood',
  'ntp_amplification',
  'ip_fragmentation',
  'ack_flood',
  'dns_amplification',
] as const;

/** Traffic returns within the run, but not before what is wrong about its route has been looked at often enough. */
const RETURN = { minSeconds: 160, quietSeconds: 60, backoff: 2, maxSeconds: 320 };
const HOSTS = { lengthV4: 32, lengthV6: 128, export: false, maxTtlSeconds: 600, return: RETURN };
const FRA: UnicastTarget = {
  ...{ ...HOSTS, nextHopV4: '192.0.2.80', nextHopV6: '2001:db8:5c::80', communities: ['65010:80'] },
};

/** Scrubber fra takes what ever it is sent; ams takes IPv4 diversions of two hosts. */
export const TARGETS: Targets = {
  scrubbers: new Map([
    [
      'fra',
      {
        ...{ name: 'fra', divert: FRA, maxDiverted: 100 },
        redirect: { ipv4: '192.0.2.80', ipv6: '2001:db8:5c::80', vrf: '65010:666' },
      },
    ],
    [
      'ams',
      {
        ...{ name: 'ams', redirect: { vrf: '65010:777' }, maxDiverted: 2 },
        divert: { ...HOSTS, nextHopV4: '192.0.2.90', communities: ['65010:90', '65010:9:0'], export: true },
      },
    ],
  ]),
  blackhole: {
    ...{ allowed: true, customers: [] },
    target: { ...HOSTS, nextHopV4: '192.0.2.66', nextHopV6: '100::66', communities: [] },
  },
};

export const POLICY: Policy = {
  pop: 'soak',
  mode: 'enforced',
  guardrails: {
    dstPrefixMinLen: 32,
    dstPrefixMaxLen: 32,
    dstPrefixMinLenV6: 128,
    dstPrefixMaxLenV6: 128,
    maxPorts: 16,
    requireInventory: true,
    protectedPrefixes: [],
    protectedPorts: [179],
  },
  quotas: {
    maxActivePerCustomer: 500,
    maxActivePerPop: 500,
    maxActiveGlobal: 500,
    maxNewPerMinute: Number.POSITIVE_INFINITY,
    maxDivertedPerCustomer: 10,
    maxDivertedPerPop: 10,
    maxBlackholedPerCustomer: 6,
    maxBlackholedPerPop: 6,
  },
  targets: TARGETS,
  timers: {
    defaultTtlSeconds: 60,
    minTtlSeconds: 1,
    maxTtlSeconds: 600,
    correlationWindowSeconds: 60,
    maxHoldSeconds: 7200,
    holdDownSeconds: 0,
  },
  aggregation: { hosts: 24, windowSeconds: 60, toV4: 24, toV6: 56 },
  detectors: new Map(),
  escalation: { enabled: true, minPersistenceSeconds: 2, minConfidence: 0.5 },
  profiles: DEFAULT_PROFILES,
  inventory: buildInventory({
    customers: [
      {
        customer_id: 'acme',
        prefixes: ['203.0.113.0/24', '2001:db8:acd::/48'],
        services: [
          {
            service_id: 'dns',
            assets: [{ ip: '203.0.113.1' }, { ip: '203.0.113.2' }, { ip: '2001:db8:acd::1' }],
            allowed_ports: { udp: [53, 123, 443, 853, 5353, 8853], tcp: [53, 443] },
          },
        ],
      },
    ],
  }).inventory,
  playbooks: buildPlaybooks({
    playbooks: [
      {
        name: 'udp',
        match: { vector: 'udp_flood' },
        steps: [
          { action: 'police', rate_bps: 8_000_000, ttl_seconds: 150 },
          { action: 'discard', ttl_seconds: 100, require_persistence_seconds: 3 },
        ],
      },
      {
        name: 'syn',
        match: { vector: 'syn_flood' },
        steps: [{ action: 'discard', ttl_seconds: 120, match: { tcp_flags: 'syn,!ack' } }],
      },
      {
        name: 'ack',
        match: { vector: 'ack_flood' },
        steps: [
          { action: 'police', rate_bps: 4_000_000, ttl_seconds: 60 },
          { action: 'redirect', to: 'fra', ttl_seconds: 60, require_persistence_seconds: 2 },
          { action: 'divert', to: 'ams', ttl_seconds: 30, require_persistence_seconds: 2 },
          { action: 'blackhole', ttl_seconds: 30, require_persistence_seconds: 2 },
        ],
      },
      {
        name: 'dns',
        match: { vector: 'dns_amplification' },
        steps: [
          { action: 'divert', to: 'fra', ttl_seconds: 30 },
          { action: 'blackhole', ttl_seconds: 30, require_persistence_seconds: 10 },
        ],
      },
      { name: 'icmp', match: { vector: 'icmp_flood' }, steps: [{ action: 'discard', ttl_seconds: 5 }] },
      {
        name: 'ntp',
        match: { vector: 'ntp_amplification' },
        steps: [
          { action: 'police', rate_bps: 1_000_000, ttl_seconds: 200, match: { packet_length: '400-1500' } },
        ],
      },
      {
        name: 'fragments',
        match: { vector: 'ip_fragmentation' },
        steps: [{ action: 'discard', ttl_seconds: 60, match: { fragments: true } }],
      },
    ],
  }).playbooks,
  safelist: [],
};
