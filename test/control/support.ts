/** Small builders for the tests of control/: routes, rules and mitigations with as little as each test cares about. */
import type { OutRoute } from '../../src/bgp/rib/route.ts';
import { routeAttributes, routeKey } from '../../src/bgp/rib/route.ts';
import type { NeighborSettings } from '../../src/bgp/speaker/types.ts';
import { FAMILIES } from '../../src/bgp/wire/iana.ts';
import type { DesiredRule } from '../../src/control/desired.ts';
import type { PlacedRule } from '../../src/control/wanted-routes.ts';
import type { NeighborPolicy } from '../../src/control/render-rule.ts';
import type { Command } from '../../src/core/commands.ts';
import { buildInventory } from '../../src/core/policy/inventory.ts';
import { buildPlaybooks } from '../../src/core/policy/playbook.ts';
import type { Policy } from '../../src/core/policy/policy.ts';
import type { StateView } from '../../src/core/state/state.ts';
import type { Actor, Detection, Mitigation } from '../../src/core/types.ts';

/** traffic-rate-bytes 0 (RFC 8955 §7.1): discard. */
export const DISCARD = Uint8Array.of(0x80, 0x06, 0, 0, 0, 0, 0, 0);
/** traffic-rate-bytes 125,000.0, that is 1 Mbit/s; 125000.0 is 0x47f42400 in IEEE 754. */
export const POLICE_1M = Uint8Array.of(0x80, 0x06, 0, 0, 0x47, 0xf4, 0x24, 0x00);

export const OPERATOR: Actor = { kind: 'operator', name: 'noc' };

/** `dst 203.0.113.N/32`, assembled by hand: length, type 1, /32, four octets. */
export function hostNlri(host: number): Uint8Array {
  return Uint8Array.of(6, 1, 32, 203, 0, 113, host);
}

/** A route to 203.0.113.N/32 on behalf of `label`. */
export function route(host: number, label = `m${host}`, actions = DISCARD): OutRoute {
  const family = FAMILIES['ipv4-flowspec'];
  const nlri = hostNlri(host);
  return {
    key: routeKey(family, nlri),
    family,
    nlri,
    attributes: routeAttributes({ extendedCommunities: actions }),
    owner: label,
    text: `match dst 203.0.113.${host}/32 then discard`,
  };
}

/** A claim under `matchKey` that renders to these routes. */
export function claim(matchKey: string, routes: readonly OutRoute[], rateBps = 0, createdAt = 0): PlacedRule {
  const rule: DesiredRule = {
    matchKey,
    mitigationId: routes[0]?.owner ?? 'none',
    match: { dstPrefix: '203.0.113.1/32', protocol: null, dstPorts: [], srcPorts: [] },
    action: rateBps === 0 ? { type: 'discard', rateBps: null } : { type: 'police', rateBps },
    createdAt,
  };
  return { rule, rendering: { ok: true, routes } };
}

/** An active mitigation of all UDP to 203.0.113.10. */
export function mitigation(changes: Partial<Mitigation> = {}): Mitigation {
  return {
    id: '00000000-0000-4000-8000-000000000001',
    status: 'active',
    ending: null,
    customerId: 'acme',
    serviceId: null,
    pop: 'iad1',
    victim: '203.0.113.10',
    vector: 'udp_flood',
    match: { dstPrefix: '203.0.113.10/32', protocol: 17, dstPorts: [], srcPorts: [] },
    ports: [],
    excludedPorts: [],
    action: { type: 'discard', rateBps: null },
    playbook: null,
    step: 0,
    stepSince: 0,
    createdAt: 0,
    updatedAt: 0,
    expiresAt: 120_000,
    endedAt: null,
    triggeringEventId: null,
    lastEventId: null,
    createdBy: OPERATOR,
    dryRun: false,
    reason: 'test',
    why: [],
    ...changes,
  };
}

/** A neighbor for both FlowSpec families. */
export function neighborPolicy(name: string, changes: Partial<NeighborPolicy> = {}): NeighborPolicy {
  return {
    name,
    dialect: 'generic',
    families: [FAMILIES['ipv4-flowspec'], FAMILIES['ipv6-flowspec']],
    maxRules: 1000,
    communities: new Uint8Array(0),
    largeCommunities: new Uint8Array(0),
    ...changes,
  };
}

/** The session settings of such a neighbor. */
export function neighborSettings(name: string, changes: Partial<NeighborSettings> = {}): NeighborSettings {
  return {
    name,
    address: { kind: 'tcp', host: '127.0.0.1', port: 1 },
    peerAsn: 65001,
    passive: false,
    holdTimeSeconds: 90,
    families: [FAMILIES['ipv4-flowspec'], FAMILIES['ipv6-flowspec']],
    enabled: true,
    ...changes,
  };
}

/** A state that holds these mitigations, all of them live, with what readers of control/ look at. */
export function stateOf(
  mitigations: readonly Mitigation[],
  keyOf: (mitigation: Mitigation) => string,
): StateView {
  return {
    seq: mitigations.length,
    lastAt: 0,
    paused: undefined,
    disabledPeers: new Map(),
    downScrubbers: new Map(),
    mitigations: new Map(mitigations.map((one) => [one.id, one])),
    live: new Set(mitigations.map((one) => one.id)),
    lifeOf: () => undefined,
    withMatch: (key) => new Set(mitigations.filter((one) => keyOf(one) === key).map((one) => one.id)),
    activeTotal: () => mitigations.length,
    activeOfPop: () => mitigations.length,
    activeUnicast: () => 0,
    activeByCustomer: () => new Map(),
    activeImported: () => new Map(),
    events: new Map(),
    safelist: new Map(),
    earliestDue: undefined,
  };
}

/** One customer (203.0.113.0/24 and 2001:db8:acd::/48); UDP floods are policed at 5 Mbit/s for two minutes, SYN floods discarded. */
export const POLICY: Policy = {
  pop: 'iad1',
  mode: 'enforced',
  guardrails: {
    dstPrefixMinLen: 32,
    dstPrefixMaxLen: 32,
    dstPrefixMinLenV6: 128,
    dstPrefixMaxLenV6: 128,
    maxPorts: 8,
    requireInventory: true,
    protectedPrefixes: [],
    protectedPorts: [179],
  },
  quotas: { maxActivePerCustomer: 50, maxActivePerPop: 50, maxActiveGlobal: 50, maxNewPerMinute: 50 },
  timers: {
    defaultTtlSeconds: 120,
    minTtlSeconds: 30,
    maxTtlSeconds: 1800,
    correlationWindowSeconds: 300,
    maxHoldSeconds: 7200,
    holdDownSeconds: 0,
  },
  aggregation: { hosts: 24, windowSeconds: 60, toV4: 24, toV6: 56 },
  detectors: new Map(),
  escalation: { enabled: true, minPersistenceSeconds: 120, minConfidence: 0.7 },
  profiles: {
    strict: { confidence: 0.8, persistence: 0.5, ttl: 1.5 },
    normal: { confidence: 1, persistence: 1, ttl: 1 },
    relaxed: { confidence: 1.2, persistence: 2, ttl: 0.75 },
  },
  inventory: buildInventory({
    customers: [{ customer_id: 'acme', prefixes: ['203.0.113.0/24', '2001:db8:acd::/48'] }],
  }).inventory,
  playbooks: buildPlaybooks({
    playbooks: [
      {
        name: 'udp',
        match: { vector: 'udp_flood' },
        steps: [{ action: 'police', rate_bps: 5_000_000, ttl_seconds: 120 }],
      },
      { name: 'syn', match: { vector: 'syn_flood' }, steps: [{ action: 'discard', ttl_seconds: 120 }] },
    ],
  }).playbooks,
  safelist: [],
};

export const DETECTOR: Actor = { kind: 'detector', name: 'fnm' };

/** A ban of `victim`, as the command the engine takes. */
export function ban(victim: string, changes: Partial<Detection> = {}): Extract<Command, { type: 'event' }> {
  return {
    type: 'event',
    actor: DETECTOR,
    detection: {
      externalId: null,
      source: 'fnm',
      action: 'ban',
      victim,
      vector: 'udp_flood',
      protocol: 17,
      bps: 1_000_000_000,
      pps: 100_000,
      confidence: 0.9,
      ports: [],
      at: null,
      details: {},
      ...changes,
    },
  };
}
