/** Provides a server over the real state and an engine with answers set by the test. */
import { randomUUID } from 'node:crypto';
import type { Role } from '../../src/access/role.ts';
import type { Announcer } from '../../src/control/announcer.ts';
import { MockAnnouncer } from '../../src/control/mock-announcer.ts';
import type {
  EngineView,
  FactActor,
  FactFollower,
  NeighborRule,
  ReconcilerView,
  RuleCounts,
  Shortfall,
} from '../../src/control/types.ts';
import type { Answer, Command } from '../../src/core/commands.ts';
import type { Fact, RecordedFact } from '../../src/core/facts.ts';
import { buildInventory } from '../../src/core/policy/inventory.ts';
import { buildPlaybooks } from '../../src/core/policy/playbook.ts';
import type { Policy } from '../../src/core/policy/policy.ts';
import { DEFAULT_PROFILES } from '../../src/core/policy/profile.ts';
import { initialState } from '../../src/core/state/state.ts';
import type { EventRecord, Mitigation } from '../../src/core/types.ts';
import { type Api, buildApi } from '../../src/http/api.ts';
import type {
  AlertsView,
  ApiToken,
  HttpDependencies,
  HttpLogger,
  OperatorAction,
  RequestObservation,
} from '../../src/http/dependencies.ts';
import { knownPrefix } from '../../src/net/prefix.ts';
import { NO_DELIVERIES } from '../../src/view/alert-sending.ts';
import { neverOverloaded } from '../support/overload.ts';

/** 2026-11-23T12:00:00Z */
export const NOON = Date.UTC(2026, 10, 23, 12);
export const MITIGATION_ID = '00000000-0000-4000-8000-000000000001';
export const EVENT_ID = '00000000-0000-4000-8000-00000000000e';

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
  quotas: { maxActivePerCustomer: 5, maxActivePerPop: 5, maxActiveGlobal: 5, maxNewPerMinute: 5 },
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
  profiles: DEFAULT_PROFILES,
  inventory: buildInventory({ customers: [] }).inventory,
  playbooks: buildPlaybooks({}).playbooks,
  safelist: [knownPrefix('10.0.0.0/8')],
};

/** All UDP to 203.0.113.10, policed at 5 Mbit/s. */
export function mitigation(changes: Partial<Mitigation> = {}): Mitigation {
  return {
    id: MITIGATION_ID,
    status: 'active',
    ending: null,
    customerId: 'acme',
    serviceId: 'dns',
    pop: 'iad1',
    victim: '203.0.113.10',
    vector: 'udp_flood',
    match: { dstPrefix: '203.0.113.10/32', protocol: 17, dstPorts: [[53, 53]], srcPorts: [] },
    ports: [53],
    excludedPorts: [],
    action: { type: 'police', rateBps: 5_000_000 },
    playbook: 'udp',
    step: 0,
    stepSince: NOON,
    createdAt: NOON,
    updatedAt: NOON,
    expiresAt: NOON + 120_000,
    endedAt: null,
    triggeringEventId: EVENT_ID,
    lastEventId: EVENT_ID,
    createdBy: { kind: 'detector', name: 'fnm' },
    dryRun: false,
    reason: 'udp_flood from fnm',
    why: ['203.0.113.10 belongs to acme', 'playbook udp, step 1'],
    ...changes,
  };
}

/** A ban of 203.0.113.10, as remembered. */
export function eventRecord(changes: Partial<EventRecord> = {}): EventRecord {
  return {
    id: EVENT_ID,
    receivedAt: NOON,
    detection: {
      externalId: 'fnm-1',
      source: 'fnm',
      action: 'ban',
      victim: '203.0.113.10',
      vector: 'udp_flood',
      protocol: 17,
      bps: 1e9,
      pps: 1e5,
      confidence: 0.9,
      ports: [53],
      at: NOON - 1000,
      details: { note: 'kept' },
    },
    actor: { kind: 'detector', name: 'fnm' },
    status: 'accepted',
    refusal: null,
    mitigationId: MITIGATION_ID,
    why: [],
    ...changes,
  };
}

/** The engine's default answer to a report. */
export const ACCEPTED: Answer = {
  type: 'event',
  eventId: EVENT_ID,
  status: 'accepted',
  mitigation: mitigation(),
  refusal: undefined,
  why: ['203.0.113.10 belongs to acme'],
};

/** Records commands, gives the test's answers, and applies the test's facts to the state. */
export class FakeEngine implements EngineView {
  readonly state = initialState();
  policy: Policy = POLICY;
  readonly commands: Command[] = [];
  /** Makes the answer to the next commands; may throw. */
  answer: (command: Command) => Answer = () => ACCEPTED;
  /** Number of facts that `recent` keeps. */
  kept = 10_000;
  readonly #facts: RecordedFact[] = [];
  readonly #actors = new Set<FactActor>();
  readonly #followers = new Set<FactFollower>();

  async submit(command: Command): Promise<Answer> {
    this.commands.push(command);
    return this.answer(command);
  }

  adopt(): Promise<Answer> {
    return Promise.reject(new Error('not part of these tests'));
  }

  followFirst(actor: FactActor): () => void {
    this.#actors.add(actor);
    return () => this.#actors.delete(actor);
  }

  follow(follower: FactFollower): () => void {
    this.#followers.add(follower);
    return () => this.#followers.delete(follower);
  }

  recent(after: number): readonly RecordedFact[] | undefined {
    const kept = this.#facts.slice(-this.kept);
    const oldest = kept[0]?.seq ?? this.state.seq + 1;
    return after + 1 < oldest ? undefined : kept.filter(({ seq }) => seq > after);
  }

  /** Makes facts durable as one group. */
  record(...facts: readonly Fact[]): void {
    const recorded = facts.map((fact) => {
      const one: RecordedFact = { seq: this.state.seq + 1, at: NOON, fact };
      this.state.apply(one);
      return one;
    });
    this.#facts.push(...recorded);
    for (const actor of this.#actors) void actor(recorded);
    for (const follower of this.#followers) follower(recorded);
  }
}

/** Rules by mitigation, set by the test. */
export class FakeReconciler implements ReconcilerView {
  readonly rules = new Map<string, readonly NeighborRule[]>();
  readonly owners = new Map<string, string>();
  readonly stats = { runs: 3, drift: 1, lastRunAt: NOON, lastRunMs: 2, egressRefusals: 0 };

  rulesOf(id: string): readonly NeighborRule[] {
    return this.rules.get(id) ?? [];
  }

  ruleText(id: string): string {
    return this.rules.get(id)?.[0]?.rule ?? 'match dst 203.0.113.10/32 proto udp then rate-limit 5mbps';
  }

  shortfalls(): readonly Shortfall[] {
    return [];
  }

  ruleCounts(): readonly RuleCounts[] {
    return [{ neighbor: 'edge1', sent: 1, pending: 2, unsupported: 3, overBudget: 4 }];
  }

  ownerOf(_peer: string, key: string): string | undefined {
    return this.owners.get(key);
  }
}

/** A log that the test can read. */
export class MemoryLog implements HttpLogger {
  readonly lines: { level: string; fields: Readonly<Record<string, unknown>>; message: string }[] = [];

  debug(fields: Readonly<Record<string, unknown>>, message: string): void {
    this.lines.push({ level: 'debug', fields, message });
  }
  info(fields: Readonly<Record<string, unknown>>, message: string): void {
    this.lines.push({ level: 'info', fields, message });
  }
  warn(fields: Readonly<Record<string, unknown>>, message: string): void {
    this.lines.push({ level: 'warn', fields, message });
  }
  error(fields: Readonly<Record<string, unknown>>, message: string): void {
    this.lines.push({ level: 'error', fields, message });
  }
}

export const ROLES: readonly Role[] = ['detector', 'viewer', 'operator', 'admin'];

/** One token per role: `detector-secret`, `viewer-secret`, ... */
export const TOKENS: readonly ApiToken[] = ROLES.map((role) => ({
  name: `the-${role}`,
  role,
  token: `${role}-secret`,
}));

export const bearer = (role: Role): { authorization: string } => ({ authorization: `Bearer ${role}-secret` });

export interface World {
  readonly engine: FakeEngine;
  readonly reconciler: FakeReconciler;
  readonly announcer: Announcer;
  readonly log: MemoryLog;
  readonly requests: RequestObservation[];
  readonly actions: OperatorAction[];
  /** The clock's time (ms); the test may change it. */
  now: number;
  readonly deps: HttpDependencies;
}

/** One destination of alerts, which accepts test messages. */
export function alertsTo(name: string): AlertsView {
  const one = {
    name,
    type: 'slack',
    events: ['control.paused'],
    customers: undefined,
    minSeverity: 'warning',
  };
  return {
    destinations: () => [{ ...NO_DELIVERIES, ...one, digestSeconds: 60, waiting: 3 }],
    test: async (asked) =>
      asked === name
        ? {
            name,
            type: 'slack',
            answers: [{ request: 'message', delivered: true, status: 200, detail: 'ok' }],
          }
        : undefined,
  };
}

/** The HTTP room's dependencies, with two neighbors whose mock sessions are established. */
export async function world(changes: Partial<HttpDependencies> = {}): Promise<World> {
  const engine = new FakeEngine();
  const reconciler = new FakeReconciler();
  const log = new MemoryLog();
  const requests: RequestObservation[] = [];
  const actions: OperatorAction[] = [];
  const time = { now: NOON };
  const clock = () => time.now;
  const announcer = new MockAnnouncer(
    ['edge1', 'edge2'].map((name, index) => ({
      name,
      address: { kind: 'tcp', host: `192.0.2.${index + 1}`, port: 179 },
      peerAsn: 65001,
      passive: false,
      holdTimeSeconds: 90,
      families: [
        { afi: 1, safi: 133 },
        { afi: 2, safi: 133 },
      ],
      enabled: true,
    })),
    clock,
  );
  await announcer.start();
  const deps: HttpDependencies = {
    engine,
    reconciler,
    announcer,
    clock,
    newId: () => randomUUID(),
    version: '1.2.3',
    startedAt: NOON - 60_000,
    alerts: alertsTo('edge1'),
    logger: log,
    auth: () => ({ mode: 'bearer', tokens: TOKENS }),
    tls: undefined,
    rateLimit: () => ({ eventsPerSecond: 100, burst: 500 }),
    metrics: async () => ({ contentType: 'text/plain; version=0.0.4', body: 'prefixd_build_info 1\n' }),
    pause: async () => undefined,
    onRequest: (observation) => requests.push(observation),
    onOperatorAction: (action) => actions.push(action),
    assess: () => ({ status: 'ok', reasons: [] }),
    settings: () => ({ pop: 'iad1' }),
    inventory: () => ({ customers: [] }),
    playbooks: () => ({ playbooks: [] }),
    reload: async () => ({ ok: true, summary: '1 customer, 2 playbooks' }),
    audit: async (limit) => [{ type: 'mitigation.created' }, { type: 'event.received' }].slice(0, limit),
    ...changes,
  };
  return {
    engine,
    reconciler,
    announcer,
    log,
    requests,
    actions,
    deps,
    get now() {
      return time.now;
    },
    set now(value) {
      time.now = value;
    },
  };
}

/** Creates the app over such dependencies, for `app.inject`. */
export async function api(changes: Partial<HttpDependencies> = {}): Promise<World & Api> {
  const made = await world(changes);
  const built = await buildApi(made.deps, undefined, neverOverloaded());
  return Object.assign(made, built);
}
