/** The stage: eight neighbors that differ in everything that is configured, and a policy under which rules come and go. */
import { FAMILIES } from '../../src/bgp/wire/iana.ts';
import { buildInventory } from '../../src/core/policy/inventory.ts';
import { buildPlaybooks } from '../../src/core/policy/playbook.ts';
import type { Policy } from '../../src/core/policy/policy.ts';
import { DEFAULT_PROFILES } from '../../src/core/policy/profile.ts';
import { type EdgeSettings, LOCAL_ASN } from './edge.ts';

const V4 = FAMILIES['ipv4-flowspec'];
const V6 = FAMILIES['ipv6-flowspec'];
const usual = {
  families: [V4, V6],
  offered: [V4, V6],
  maxRules: 1000,
  helper: false,
  communities: '',
} as const;

export const EDGES: readonly EdgeSettings[] = [
  { ...usual, name: 'plain', asn: 65001, dialect: 'generic', dialling: 'speaker' },
  { ...usual, name: 'juniper', asn: 65002, dialect: 'juniper', dialling: 'speaker', helper: true },
  { ...usual, name: 'xr-v4', asn: 65003, dialect: 'cisco-xr', dialling: 'speaker', families: [V4] },
  { ...usual, name: 'arista', asn: 65004, dialect: 'arista', dialling: 'router', communities: 'ff980001' },
  {
    ...usual,
    name: 'nokia-v6',
    asn: 65005,
    dialect: 'nokia',
    dialling: 'router',
    families: [V6, V4],
    offered: [V6],
  },
  { ...usual, name: 'huawei', asn: 65006, dialect: 'huawei', dialling: 'both', maxRules: 25 },
  { ...usual, name: 'small', asn: 65007, dialect: 'generic', dialling: 'router', maxRules: 8, helper: true },
  {
    ...usual,
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
] as const;

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
  },
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
