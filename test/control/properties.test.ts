/**
 * Whatever detectors and operators ask for, sessions do, disks refuse and clocks show: every router ends up holding exactly
 * what was decided, and never anything that must not leave.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import type { OutRoute, RouteAttributes, RouteKey } from '../../src/bgp/rib/route.ts';
import { decodeFlowSpec } from '../../src/bgp/flowspec/nlri.ts';
import type { NeighborSettings } from '../../src/bgp/speaker/types.ts';
import {
  COMMUNITY_WIDTH,
  formatCommunity,
  formatLargeCommunity,
  splitCommunities,
} from '../../src/bgp/wire/communities.ts';
import { FAMILIES, type Family, sameFamily } from '../../src/bgp/wire/iana.ts';
import { desired } from '../../src/control/desired.ts';
import { checkRoute } from '../../src/control/egress.ts';
import type { Engine } from '../../src/control/engine.ts';
import { openEngine } from '../../src/control/open-engine.ts';
import { guardOf } from '../../src/control/egress-check.ts';
import { Reconciler } from '../../src/control/reconciler.ts';
import { WantedRoutes } from '../../src/control/wanted-routes.ts';
import { STALLED_AFTER_MS } from '../../src/control/refusals.ts';
import { type NeighborPolicy, render } from '../../src/control/render-rule.ts';
import { type MitigationAction, RULE_KINDS, ruleKind } from '../../src/core/action.ts';
import type { Command } from '../../src/core/commands.ts';
import type { RecordedFact } from '../../src/core/facts.ts';
import type { PlaybooksData } from '../../src/core/policy/playbook-schema.ts';
import type { Policy } from '../../src/core/policy/policy.ts';
import { NO_TARGETS, type Targets, type UnicastTarget } from '../../src/core/policy/scrubbers.ts';
import { initialState, restoreState, ruleKey, type StateHandle } from '../../src/core/state/state.ts';
import {
  covers,
  formatAddress,
  makePrefix,
  overlaps,
  parsePrefix,
  type Prefix,
} from '../../src/net/prefix.ts';
import { StoreError } from '../../src/store/store.ts';
import { EXCHANGE, ended, importedId, version } from '../core/intents.ts';
import { ALICE, detection, FNM, type PolicyOptions, policyOf, prefix } from '../core/scenario.ts';
import { visible } from '../core/visible.ts';
import { Disk, type DiskState } from './disk.ts';
import { FakeTime, idle } from './fake-time.ts';
import { SlowAnnouncer } from './slow-announcer.ts';
import { neighborPolicy, neighborSettings } from './support.ts';

const INTERVAL_MS = 30_000;
const QUOTAS = { maxActivePerCustomer: 6, maxActivePerPop: 8, maxActiveGlobal: 8, maxNewPerMinute: 20 };
const SOON = { require_confidence_at_least: 0.5, require_persistence_seconds: 30 };
const PLAYBOOKS: PlaybooksData = {
  playbooks: [
    {
      name: 'udp',
      match: { vector: 'udp_flood' },
      steps: [
        { action: 'police', rate_bps: 5_000_000, ttl_seconds: 120 },
        { action: 'discard', ttl_seconds: 300, ...SOON },
      ],
    },
    {
      name: 'syn',
      match: { vector: 'syn_flood' },
      steps: [
        { action: 'police', rate_bps: 10_000_000, ttl_seconds: 120 },
        { action: 'redirect', to: 'fra', ttl_seconds: 120, ...SOON },
        { action: 'blackhole', ttl_seconds: 120, ...SOON },
      ],
    },
    { name: 'icmp', match: { vector: 'icmp_flood' }, steps: [{ action: 'divert', to: 'ams' }] },
    {
      name: 'dns',
      match: { vector: 'dns_amplification' },
      steps: [{ action: 'discard', ttl_seconds: 300 }],
    },
  ],
};

const RETURN = { minSeconds: 30, quietSeconds: 30, backoff: 2, maxSeconds: 120 };
const HOSTS = { lengthV4: 32, lengthV6: 128, export: false, maxTtlSeconds: 600, return: RETURN };
const HOLE: UnicastTarget = {
  ...HOSTS,
  nextHopV4: '192.0.2.1',
  nextHopV6: '100::1',
  communities: ['65010:666', '65010:6:6'],
};
const FRA: UnicastTarget = { ...HOSTS, nextHopV4: '192.0.2.60', communities: ['65010:100'] };
/** Traffic is diverted to it in blocks, and it may be told to others. */
const AMS: UnicastTarget = { ...HOSTS, nextHopV4: '192.0.2.70', lengthV4: 28, communities: [], export: true };

/** Scrubber fra at one of two addresses, and ams; blackholing as said. */
function targetsOf(fra: UnicastTarget, allowed: boolean): Targets {
  const ip = fra.nextHopV4 ?? '';
  return {
    scrubbers: new Map([
      ['fra', { name: 'fra', redirect: { ipv4: ip, vrf: '65010:666' }, divert: fra, maxDiverted: 3 }],
      ['ams', { name: 'ams', redirect: { vrf: '65010:777' }, divert: AMS, maxDiverted: 3 }],
    ]),
    blackhole: { allowed, target: HOLE, customers: [] },
  };
}

const BASE: PolicyOptions = {
  quotas: QUOTAS,
  playbooks: PLAYBOOKS,
  targets: targetsOf(FRA, true),
  exchange: EXCHANGE,
};
const POLICIES: readonly Policy[] = [
  policyOf(BASE),
  policyOf({ ...BASE, mode: 'dry-run' }),
  policyOf({ ...BASE, safelist: ['203.0.113.20/32'] }),
  policyOf({ ...BASE, guardrails: { protectedPrefixes: [prefix('203.0.113.50/31')] } }),
  policyOf({ ...BASE, timers: { maxTtlSeconds: 60 } }),
  policyOf({ ...BASE, targets: targetsOf({ ...FRA, nextHopV4: '192.0.2.61' }, true) }),
  policyOf({ ...BASE, targets: targetsOf(FRA, false) }),
  policyOf({ quotas: QUOTAS }),
];

const V4 = [FAMILIES['ipv4-flowspec']];
const BOTH = [FAMILIES['ipv4-flowspec'], FAMILIES['ipv6-flowspec']];
const EVERY = [...BOTH, FAMILIES['ipv4-unicast'], FAMILIES['ipv6-unicast']];
const EVERYTHING = { announce: RULE_KINDS, families: EVERY, maxUnicast: 50 };
/** Lists of neighbors that a reload may bring. */
const NEIGHBORS: readonly (readonly NeighborPolicy[])[] = [
  [
    neighborPolicy('edge1', EVERYTHING),
    neighborPolicy('edge2', { ...EVERYTHING, maxRules: 3, maxUnicast: 1 }),
    neighborPolicy('edge3', { families: V4 }),
  ],
  [
    neighborPolicy('edge1', { ...EVERYTHING, communities: Uint8Array.of(0xfd, 0xf3, 0, 1) }),
    neighborPolicy('edge2', { ...EVERYTHING, announce: ['blackhole'] }),
    neighborPolicy('edge3', { families: V4 }),
  ],
  [
    neighborPolicy('edge1', { ...EVERYTHING, dialect: 'juniper' }),
    neighborPolicy('edge2', { ...EVERYTHING, dialect: 'arista', maxRules: 2 }),
  ],
];

function settingsOf(policies: readonly NeighborPolicy[]): readonly NeighborSettings[] {
  return policies.map(({ name, families }) => neighborSettings(name, { families }));
}

interface Running {
  readonly engine: Engine;
  readonly announcer: SlowAnnouncer;
  readonly reconciler: Reconciler;
}

/** A daemon without its shell, on a disk that outlives it. */
class House {
  readonly time = new FakeTime();
  readonly disk = new Disk();
  policy = POLICIES[0] ?? policyOf();
  /** Mitigations whose withdrawal was answered, recorded or not. */
  readonly withdrawn = new Set<string>();
  neighbors = NEIGHBORS[0] ?? [];
  #ids = 0;
  #running: Running | undefined;
  readonly failures: unknown[] = [];

  get engine(): Engine {
    return this.#parts.engine;
  }

  get announcer(): SlowAnnouncer {
    return this.#parts.announcer;
  }

  get reconciler(): Reconciler {
    return this.#parts.reconciler;
  }

  get #parts(): Running {
    assert.ok(this.#running !== undefined, 'the house is open');
    return this.#running;
  }

  async open(): Promise<void> {
    const clock = (): number => this.time.now;
    const { engine } = await openEngine({
      store: this.disk,
      policy: this.policy,
      clock,
      newId: () => `00000000-0000-4000-8000-${String(++this.#ids).padStart(12, '0')}`,
      snapshotEvery: 40,
      after: (milliseconds, callback) => this.time.after(milliseconds, callback),
      onFollowerFailed: (error) => this.failures.push(error),
      onSnapshotFailed: (error) => this.failures.push(error),
    });
    const announcer = new SlowAnnouncer(settingsOf(this.neighbors), (_peer, routes) => this.#written(routes));
    const reconciler = new Reconciler({
      engine,
      announcer,
      neighbors: this.neighbors,
      clock,
      timers: this.time,
      intervalMs: INTERVAL_MS,
      log: () => undefined,
    });
    this.#running = { engine, announcer, reconciler };
    engine.follow((facts) => this.#recorded(facts));
    const summary = 'start';
    await engine.adopt(this.policy, { type: 'policy-loaded', actor: ALICE, summary }).catch(() => undefined);
    await reconciler.start();
    for (const { name } of this.neighbors) announcer.up(name, EVERY);
  }

  /** As after `kill -9` when not clean: the engine and its sessions are gone, only the disk is left. */
  async restart(clockStepMs: number): Promise<void> {
    const { engine, reconciler, announcer } = this.#parts;
    const how = this.disk.how;
    this.disk.how = 'works';
    await reconciler.stop();
    for (const peer of [...announcer.routers.keys()]) announcer.down(peer);
    await idle();
    assert.equal(await engine.recordAll(), 0, 'a disk that works takes what was in effect unrecorded');
    const seen = visible(engine.state as StateHandle);
    const replayed = initialState();
    for (const fact of this.disk.durable) replayed.apply(fact);
    assert.deepEqual(visible(replayed), seen, 'every durable fact, and no other, is in the state');
    await this.disk.close();
    const recovery = await this.disk.open();
    const recovered = recovery.snapshot === undefined ? initialState() : restoreState(recovery.snapshot);
    for await (const facts of recovery.facts) for (const fact of facts) recovered.apply(fact);
    assert.deepEqual(visible(recovered), seen, 'snapshot and facts give the state before');
    await this.disk.close();
    // A start on a disk that hangs would wait until that has stalled, and here time stands still.
    this.disk.how = how === 'hangs' ? 'works' : how;
    this.time.forget();
    this.time.now += clockStepMs;
    await this.open();
    this.disk.how = how;
  }

  async reload(policy: Policy, neighbors: readonly NeighborPolicy[]): Promise<void> {
    const { engine, announcer, reconciler } = this.#parts;
    // Whoever reloads would wait for as long.
    if (this.disk.how === 'hangs') return;
    try {
      await engine.adopt(policy, { type: 'policy-loaded', actor: ALICE, summary: 'reload' });
    } catch (error) {
      assert.ok(error instanceof StoreError);
      return;
    }
    this.policy = policy;
    this.neighbors = neighbors;
    reconciler.keepOnly(neighbors.map(({ name }) => name));
    await announcer.reconfigure(settingsOf(neighbors));
    await reconciler.setNeighbors(neighbors);
  }

  /** Lets everything that was set off come to rest, slow peers included. A write that hangs has stalled then. */
  async settle(): Promise<void> {
    await this.time.advance(0);
    // A write that begins meanwhile, such as an expiry, needs as long again.
    for (let i = 0; i < 3 && this.engine.recording.phase === 'writing'; i++) {
      await this.time.advance(STALLED_AFTER_MS);
    }
    for (let i = 0; i < 8; i++) {
      for (const peer of this.announcer.routers.keys()) {
        this.announcer.deaf.delete(peer);
        this.announcer.write(peer, 1_000);
      }
      await idle();
    }
  }

  /** Nothing is announced that is not durable. */
  #written(routes: readonly OutRoute[]): void {
    for (const { owner: label } of routes) {
      const created = this.disk.durable.some(
        ({ fact }) =>
          (fact.type === 'mitigation.created' || fact.type === 'mitigation.imported') &&
          fact.mitigation.id === label,
      );
      assert.ok(created, `${label} was announced before it was durable`);
    }
  }

  /** Nothing is recorded as ended while a router still holds it. */
  #recorded(facts: readonly RecordedFact[]): void {
    for (const { fact } of facts) {
      if (fact.type !== 'mitigation.withdrawn' && fact.type !== 'mitigation.expired') continue;
      const { announcer } = this.#parts;
      for (const [peer, router] of announcer.routers) {
        for (const key of router.keys()) {
          const owner = announcer.ownerOf(peer, key);
          if (owner === fact.id) {
            this.failures.push(new Error(`${fact.id} is recorded as ended while ${peer} holds it`));
          }
        }
      }
    }
  }
}

/** Made from scratch: what a neighbor should hold, by what was decided and what the egress allows. */
function expected(house: House, policy: NeighborPolicy, families: readonly Family[]): Map<RouteKey, string> {
  const { state, policy: rules } = house.engine;
  const guard = guardOf(rules, state, house.neighbors);
  const keys = [...state.live].map((id) => ruleKey(state.mitigations.get(id) ?? assert.fail(id)));
  const table = new WantedRoutes(
    policy.maxRules,
    policy.maxUnicast,
    (route) => checkRoute(route, guard) !== undefined,
  );
  for (const [key, rule] of desired(state, keys, house.time.now)) {
    table.place(key, rule && { rule, rendering: render(rule, policy, rules.targets ?? NO_TARGETS) });
  }
  const routes = new Map<RouteKey, string>();
  for (const key of table.routeKeys()) {
    const route = table.route(key);
    if (route === undefined || checkRoute(route, guard) !== undefined) continue;
    if (families.some((one) => sameFamily(one, route.family))) routes.set(key, route.attributes.key);
  }
  return routes;
}

function assertConverged(house: House): void {
  const status = new Map(house.announcer.peers().map((peer) => [peer.name, peer]));
  for (const policy of house.neighbors) {
    const router = house.announcer.routers.get(policy.name);
    if (router === undefined) continue;
    const families = status.get(policy.name)?.negotiated?.families ?? [];
    const held = new Map([...router].map(([key, { attributes }]) => [key, attributes.key]));
    const wanted = expected(house, policy, families);
    assert.deepEqual([...held].sort(), [...wanted].sort(), `${policy.name} holds exactly what was decided`);
  }
  for (const name of house.announcer.routers.keys()) {
    assert.ok(
      house.neighbors.some((policy) => policy.name === name),
      `${name} was removed`,
    );
  }
}

function assertEnded(house: House): void {
  for (const id of house.engine.state.live) {
    const mitigation = house.engine.state.mitigations.get(id);
    assert.equal(mitigation?.ending ?? null, null, 'what was ended has ended');
  }
}

function flowSpecDestination(nlri: Uint8Array, family: Family): Prefix {
  const decoded = decodeFlowSpec(nlri, family.afi, family.safi);
  assert.ok(decoded.ok);
  const destination = decoded.value.spec.components.find(({ type }) => type === 1);
  assert.ok(destination?.type === 1);
  return destination.prefix;
}

function unicastDestination(nlri: Uint8Array, family: Family): Prefix {
  const address = new Uint8Array(family.afi === 1 ? 4 : 16);
  address.set(nlri.subarray(1));
  return makePrefix(address, nlri[0] ?? assert.fail());
}

const CUSTOMERS = ['203.0.113.0/24', '2001:db8:acd::/48'].map(prefix);

/** A unicast route has a configured form, with its communities, for a customer's addresses. */
function assertConfigured(
  text: string,
  { communities, largeCommunities, nextHop }: RouteAttributes,
  destination: Prefix,
  house: House,
  peer: string,
): void {
  const { targets = NO_TARGETS } = house.engine.policy;
  const carried = splitCommunities(communities, COMMUNITY_WIDTH.standard).map(formatCommunity);
  const large = splitCommunities(largeCommunities, COMMUNITY_WIDTH.large).map(formatLargeCommunity);
  const isHole = carried.includes('blackhole');
  if (isHole) assert.ok(targets.blackhole.allowed, `${text} is not allowed`);
  const forms = isHole
    ? [targets.blackhole.target]
    : [...targets.scrubbers.values()].flatMap(({ divert }) => divert ?? []);
  const hop = formatAddress(nextHop);
  const form = forms.find(({ nextHopV4, nextHopV6 }) => hop === nextHopV4 || hop === nextHopV6);
  assert.ok(form !== undefined, `${text} has a configured next hop`);
  const isV4 = destination.family === 4;
  assert.ok(destination.length >= (isV4 ? form.lengthV4 : form.lengthV6), `${text} is too wide`);
  assert.ok(
    CUSTOMERS.some((one) => covers(one, destination)),
    `${text} is a customer's`,
  );
  for (const one of form.communities) assert.ok([...carried, ...large].includes(one), `${text} lacks ${one}`);
  assert.equal(carried.includes('no-export'), !form.export, `${text} leaves the neighbor`);
  const { announce = ['flowspec'] } = house.neighbors.find(({ name }) => name === peer) ?? {};
  assert.ok(announce.includes(isHole ? 'blackhole' : 'divert'), `${text} is not for ${peer}`);
}

/** What must hold for every router at rest, said without the code that is under test. */
function assertSafe(house: House): void {
  const { state, policy } = house.engine;
  const forbidden = [
    ...policy.safelist,
    ...policy.guardrails.protectedPrefixes,
    ...[...state.safelist.keys()].map(prefix),
  ];
  for (const [peer, router] of house.announcer.routers) {
    const owners = new Set<string>();
    for (const { key, nlri, family, attributes, text } of router.values()) {
      // A route that has changed hands was not written again: its label tells who it was written for.
      const label = house.announcer.ribOut(peer).sent(key)?.route.owner ?? '';
      const isUnicast = family.safi === 1;
      const destination = isUnicast ? unicastDestination(nlri, family) : flowSpecDestination(nlri, family);
      assert.ok(!forbidden.some((one) => overlaps(one, destination)), `${text} on ${peer} is forbidden`);
      if (isUnicast) assertConfigured(text, attributes, destination, house, peer);
      const mitigation = state.mitigations.get(label);
      assert.ok(mitigation !== undefined && !mitigation.dryRun);
      assert.ok(mitigation.expiresAt > house.time.now - INTERVAL_MS, `${text} outlived its TTL`);
      assert.equal(mitigation.ending, null, `${text} was ended`);
      assert.ok(!house.withdrawn.has(label), `${text} was withdrawn`);
      owners.add(label);
    }
    assert.ok(owners.size <= QUOTAS.maxActiveGlobal);
    assert.notEqual(policy.mode === 'dry-run' && owners.size > 0, true, 'a dry run announces nothing');
  }
  for (const id of state.live) {
    const mitigation = state.mitigations.get(id);
    assert.ok(parsePrefix(mitigation?.match.dstPrefix ?? '').ok);
  }
}

type Deed =
  | { readonly do: 'ask'; readonly command: Command }
  | { readonly do: 'withdraw'; readonly which: number }
  | { readonly do: 'wait'; readonly seconds: number }
  | { readonly do: 'up'; readonly peer: string; readonly families: readonly Family[] }
  | { readonly do: 'down' | 'refresh' | 'deafen' | 'acknowledge'; readonly peer: string }
  | { readonly do: 'write'; readonly peer: string; readonly max: number }
  | { readonly do: 'disk'; readonly how: DiskState }
  | { readonly do: 'reload'; readonly policy: number; readonly neighbors: number }
  | { readonly do: 'restart'; readonly clockStepMs: number }
  | { readonly do: 'settle' };

const victim = fc.oneof(
  { weight: 5, arbitrary: fc.constant('203.0.113.50') },
  { weight: 3, arbitrary: fc.constantFrom('203.0.113.10', '203.0.113.51', '2001:db8:acd::1') },
);
const peer = fc.constantFrom('edge1', 'edge2', 'edge3');
/** Subsets and supersets of one another, so that rules are widened and shared. */
const ports = fc.constantFrom<readonly number[]>([53], [80], [80], [80, 443], [80, 443, 8080], []);
const by = { actor: ALICE, reason: 'because' } as const;

const action = fc.constantFrom<MitigationAction>(
  { type: 'police', rateBps: 1e6 },
  { type: 'discard', rateBps: null },
  { type: 'redirect', rateBps: null, target: { scrubber: 'fra' } },
  { type: 'redirect', rateBps: 1e6, target: { vrf: '65010:777' } },
  { type: 'redirect', rateBps: null, target: { ip: '192.0.2.99' } },
  { type: 'divert', rateBps: null, scrubber: 'fra' },
  { type: 'divert', rateBps: null, scrubber: 'ams' },
  { type: 'blackhole', rateBps: null },
);

/** Statements of two other POPs about what they decided, old and new ones in any order. */
const imported: fc.Arbitrary<Command> = fc
  .record({
    which: fc.integer({ min: 0, max: 3 }),
    n: fc.integer({ min: 1, max: 20 }),
    ports,
    action,
    seconds: fc.constantFrom(1, 30, 60, 600, 5000),
    pops: fc.constantFrom<readonly string[]>(['*'], ['*'], ['iad1'], ['fra1']),
    end: fc.constantFrom(null, null, null, null, 'withdrawn' as const, 'expired' as const),
  })
  .map(({ which, n, ports: named, action: does, seconds, pops, end }): Command => {
    const id = importedId(which);
    const pop = which < 2 ? 'ams1' : 'fra1';
    if (end !== null) return { ...ended(n, id, end), origin: { pop, epoch: 1, n } };
    const host = which === 3 ? '2001:db8:acd::1' : `203.0.113.${50 + (which % 2)}`;
    const match = {
      dstPrefix: `${host}/${which === 3 ? 128 : 32}`,
      protocol: 17,
      dstPorts: named.map((port) => [port, port] as const),
      srcPorts: [],
    };
    const change = { id, victim: host, match, ports: named, action: does, pops, step: n % 2 };
    return version(n, change, { pop, seconds });
  });

const command: fc.Arbitrary<Command> = fc.oneof(
  { weight: 8, arbitrary: imported },
  {
    weight: 16,
    arbitrary: fc
      .record({
        victim,
        vector: fc.oneof(
          { weight: 5, arbitrary: fc.constant('udp_flood') },
          { weight: 2, arbitrary: fc.constantFrom('syn_flood', 'icmp_flood', 'dns_amplification') },
        ),
        ports,
        confidence: fc.constantFrom(null, 0.95),
        action: fc.constantFrom('ban' as const, 'ban' as const, 'ban' as const, 'unban' as const),
      })
      .map((options): Command => ({ type: 'event', detection: detection(options), actor: FNM })),
  },
  {
    weight: 6,
    arbitrary: fc.record({ victim, ports, action, ttl: fc.constantFrom(30, 60, 600) }).map(
      (ask): Command => ({
        type: 'mitigate',
        victim: ask.victim,
        protocol: ruleKind(ask.action) === 'flowspec' ? 17 : null,
        ports: ruleKind(ask.action) === 'flowspec' ? ask.ports : [],
        action: ask.action,
        ttlSeconds: ask.ttl,
        ...by,
      }),
    ),
  },
  {
    weight: 2,
    arbitrary: fc
      .record({
        type: fc.constantFrom('safelist-add' as const, 'safelist-remove' as const),
        prefix: fc.constantFrom('203.0.113.0/27', '203.0.113.50/32', '2001:db8::/32'),
      })
      .map((change): Command => ({ ...change, ...by })),
  },
  {
    weight: 1,
    arbitrary: fc
      .constantFrom('pause' as const, 'resume' as const, 'resume' as const, 'withdraw-all' as const)
      .map((type): Command => ({ type, ...by })),
  },
);

const deed: fc.Arbitrary<Deed> = fc.oneof(
  { weight: 20, arbitrary: command.map((asked): Deed => ({ do: 'ask', command: asked })) },
  { weight: 3, arbitrary: fc.nat(20).map((which): Deed => ({ do: 'withdraw', which })) },
  {
    weight: 5,
    arbitrary: fc.constantFrom(1, 29, 31, 60, 125).map((seconds): Deed => ({ do: 'wait', seconds })),
  },
  {
    weight: 5,
    arbitrary: fc
      .record({ peer, families: fc.constantFrom(EVERY, EVERY, BOTH, V4) })
      .map((session): Deed => ({ do: 'up', ...session })),
  },
  {
    weight: 3,
    arbitrary: fc
      .record({ do: fc.constantFrom('down' as const, 'refresh' as const), peer })
      .map((one): Deed => one),
  },
  {
    weight: 4,
    arbitrary: fc
      .record({ do: fc.constantFrom('deafen' as const, 'acknowledge' as const), peer })
      .map((one): Deed => one),
  },
  {
    weight: 8,
    arbitrary: fc
      .record({ peer, max: fc.constantFrom(1, 2, 50) })
      .map((one): Deed => ({ do: 'write', ...one })),
  },
  {
    weight: 3,
    arbitrary: fc
      .constantFrom<DiskState>('full', 'hangs', 'works', 'works')
      .map((how): Deed => ({ do: 'disk', how })),
  },
  {
    weight: 2,
    arbitrary: fc
      .record({ policy: fc.nat(POLICIES.length - 1), neighbors: fc.nat(NEIGHBORS.length - 1) })
      .map((one): Deed => ({ do: 'reload', ...one })),
  },
  {
    weight: 1,
    arbitrary: fc
      .constantFrom(0, 5_000, -3_600_000)
      .map((clockStepMs): Deed => ({ do: 'restart', clockStepMs })),
  },
  { weight: 6, arbitrary: fc.constant<Deed>({ do: 'settle' }) },
);

async function act(house: House, what: Deed, pending: Promise<unknown>[]): Promise<void> {
  const ask = (asked: Command): void => {
    const answer = house.engine.submit(asked).then(
      (answered) => {
        if (answered.type === 'mitigation' && asked.type === 'withdraw') house.withdrawn.add(asked.id);
      },
      (error: unknown) => assert.ok(error instanceof StoreError),
    );
    pending.push(answer);
  };
  switch (what.do) {
    case 'ask':
      return ask(what.command);
    case 'withdraw': {
      const ids = [...house.engine.state.mitigations.keys()];
      const id = ids[what.which % Math.max(1, ids.length)];
      if (id !== undefined) ask({ type: 'withdraw', id, ...by });
      return;
    }
    case 'wait':
      return house.time.advance(what.seconds * 1000);
    case 'up':
      return house.announcer.up(what.peer, what.families);
    case 'down':
      return house.announcer.down(what.peer);
    case 'refresh':
      if (house.announcer.routers.has(what.peer)) house.announcer.clear(what.peer);
      return;
    case 'write':
      return house.announcer.write(what.peer, what.max);
    case 'deafen':
      house.announcer.deaf.add(what.peer);
      return;
    case 'acknowledge':
      return house.announcer.acknowledge(what.peer);
    case 'disk':
      house.disk.how = what.how;
      return;
    case 'reload': {
      const policy = POLICIES[what.policy] ?? house.policy;
      await house.reload(policy, NEIGHBORS[what.neighbors] ?? house.neighbors);
      return;
    }
    case 'restart':
      if (house.disk.how !== 'hangs') await Promise.all(pending.splice(0));
      return house.restart(what.clockStepMs);
    case 'settle':
      if (house.disk.how !== 'hangs') await Promise.all(pending.splice(0));
      await house.settle();
      assertConverged(house);
      assertSafe(house);
  }
}

describe('for any sequence of reports, commands, reloads, sessions, disks that are full or hang, restarts and clock steps', () => {
  test('every router comes to hold exactly what was decided and may leave, and ends are recorded when they are reached', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(deed, { maxLength: 60, size: 'max' }), async (deeds) => {
        const house = new House();
        await house.open();
        const pending: Promise<unknown>[] = [];
        for (const what of deeds) {
          await act(house, what, pending);
          assert.deepEqual(house.failures, []);
        }
        house.disk.how = 'works';
        await Promise.all(pending);
        // A store that works again, sessions that stay up, and one reconciliation.
        for (const name of ['edge1', 'edge2', 'edge3']) house.announcer.up(name, EVERY);
        await house.time.advance(INTERVAL_MS + 2_000);
        await house.settle();
        assertConverged(house);
        assertSafe(house);
        assertEnded(house);
        await house.restart(0);
        assert.deepEqual(house.failures, []);
      }),
      { numRuns: 150, includeErrorInReport: true },
    );
  });
});
