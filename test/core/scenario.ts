/** A small world for tests: facts, then a command, then facts and an answer; fake clock, fake ids, readable policy. */
import assert from 'node:assert/strict';
import type { Answer, Command, DecideContext, Decision } from '../../src/core/commands.ts';
import { decide } from '../../src/core/decide/decide.ts';
import type { Fact, FactType, RecordedFact } from '../../src/core/facts.ts';
import { buildInventory } from '../../src/core/policy/inventory.ts';
import type { InventoryData } from '../../src/core/policy/inventory-schema.ts';
import { buildPlaybooks } from '../../src/core/policy/playbook.ts';
import type { PlaybooksData } from '../../src/core/policy/playbook-schema.ts';
import type { Policy } from '../../src/core/policy/policy.ts';
import { DEFAULT_PROFILES } from '../../src/core/policy/profile.ts';
import { initialState, type StateHandle } from '../../src/core/state/state.ts';
import type { Actor, Detection, Mitigation } from '../../src/core/types.ts';
import { impliedProtocol } from '../../src/core/policy/vectors.ts';
import { knownPrefix, type Prefix } from '../../src/net/prefix.ts';

/** Noon of an ordinary day. */
export const NOON = Date.UTC(2026, 0, 15, 12, 0, 0);

export const FNM: Actor = { kind: 'detector', name: 'fnm' };
export const ALICE: Actor = { kind: 'operator', name: 'alice' };

/** acme's DNS server allows port 53, its web server 80 and 443; bob is careful, carol is not. */
export const INVENTORY: InventoryData = {
  customers: [
    {
      customer_id: 'acme',
      prefixes: ['203.0.113.0/24', '2001:db8:acd::/48'],
      services: [
        { service_id: 'dns', assets: [{ ip: '203.0.113.10' }], allowed_ports: { udp: [53], tcp: [53] } },
        { service_id: 'ntp', assets: [{ ip: '203.0.113.12' }], allowed_ports: { udp: [53, 123] } },
        { service_id: 'web', assets: [{ ip: '203.0.113.20' }], allowed_ports: { tcp: [80, 443] } },
      ],
    },
    { customer_id: 'bob', prefixes: ['198.51.100.0/25'], policy_profile: 'strict' },
    { customer_id: 'carol', prefixes: ['198.51.100.128/25'], policy_profile: 'relaxed' },
  ],
};

export const PLAYBOOKS: PlaybooksData = {
  playbooks: [
    {
      name: 'udp_flood_police_first',
      match: { vector: 'udp_flood' },
      steps: [
        { action: 'police', rate_bps: 5_000_000, ttl_seconds: 120 },
        {
          action: 'discard',
          ttl_seconds: 300,
          require_confidence_at_least: 0.7,
          require_persistence_seconds: 120,
        },
      ],
    },
    {
      name: 'syn_flood_police',
      match: { vector: 'syn_flood' },
      steps: [{ action: 'police', rate_bps: 10_000_000, ttl_seconds: 120 }, { action: 'discard' }],
    },
    {
      name: 'icmp_flood_discard',
      match: { vector: 'icmp_flood' },
      steps: [{ action: 'discard', ttl_seconds: 300 }],
    },
    {
      name: 'dns_amplification_discard',
      match: { vector: 'dns_amplification' },
      steps: [{ action: 'discard', ttl_seconds: 300 }],
    },
    {
      name: 'ack_flood_discard',
      match: { vector: 'ack_flood' },
      steps: [{ action: 'discard', ttl_seconds: 300 }],
    },
  ],
};

export function prefix(text: string): Prefix {
  return knownPrefix(text);
}

export interface PolicyOptions {
  readonly inventory?: InventoryData;
  readonly playbooks?: PlaybooksData;
  readonly guardrails?: Partial<Policy['guardrails']>;
  readonly quotas?: Partial<Policy['quotas']>;
  readonly timers?: Partial<Policy['timers']>;
  readonly escalation?: Partial<Policy['escalation']>;
  readonly aggregation?: Partial<Policy['aggregation']>;
  readonly detectors?: Policy['detectors'];
  readonly mode?: Policy['mode'];
  readonly forecast?: Policy['forecast'];
  readonly safelist?: readonly string[];
  readonly targets?: Policy['targets'];
  readonly pop?: string;
  readonly exchange?: Policy['exchange'];
}

/** The default configuration, with the inventory and playbooks above. */
export function policyOf(options: PolicyOptions = {}): Policy {
  return {
    pop: options.pop ?? 'iad1',
    mode: options.mode ?? 'enforced',
    guardrails: {
      dstPrefixMinLen: 32,
      dstPrefixMaxLen: 32,
      dstPrefixMinLenV6: 128,
      dstPrefixMaxLenV6: 128,
      maxPorts: 8,
      requireInventory: true,
      protectedPrefixes: [prefix('192.0.2.0/24')],
      protectedPorts: [179],
      ...options.guardrails,
    },
    quotas: {
      maxActivePerCustomer: 5,
      maxActivePerPop: 200,
      maxActiveGlobal: 500,
      maxNewPerMinute: 30,
      ...options.quotas,
    },
    timers: {
      defaultTtlSeconds: 120,
      minTtlSeconds: 30,
      maxTtlSeconds: 1800,
      correlationWindowSeconds: 300,
      maxHoldSeconds: 7200,
      holdDownSeconds: 0,
      ...options.timers,
    },
    aggregation: { hosts: 24, windowSeconds: 60, toV4: 24, toV6: 56, ...options.aggregation },
    detectors: options.detectors ?? new Map(),
    escalation: { enabled: true, minPersistenceSeconds: 120, minConfidence: 0.7, ...options.escalation },
    profiles: DEFAULT_PROFILES,
    inventory: buildInventory(options.inventory ?? INVENTORY).inventory,
    playbooks: buildPlaybooks(options.playbooks ?? PLAYBOOKS, options.pop ?? 'iad1').playbooks,
    safelist: (options.safelist ?? []).map(prefix),
    ...(options.forecast === undefined ? {} : { forecast: options.forecast }),
    ...(options.targets === undefined ? {} : { targets: options.targets }),
    ...(options.exchange === undefined ? {} : { exchange: options.exchange }),
  };
}

export interface EventOptions extends Partial<Omit<Detection, 'externalId'>> {
  readonly id?: string;
}

/** A ban of acme's spare host by a UDP flood, unless overridden. */
export function detection({ id, ...options }: EventOptions = {}): Detection {
  const victim = options.victim ?? '203.0.113.50';
  const vector = options.vector ?? 'udp_flood';
  return {
    externalId: id ?? null,
    source: 'fnm',
    action: 'ban',
    victim,
    vector,
    protocol: impliedProtocol(vector, victim.includes(':') ? 6 : 4),
    bps: null,
    pps: null,
    confidence: null,
    ports: [],
    at: null,
    details: {},
    ...options,
  };
}

export type EventAnswer = Extract<Answer, { type: 'event' }>;

/** One daemon's core: its decisions are folded at once. */
export class World {
  readonly state: StateHandle;
  policy: Policy;
  now = NOON;
  /** The neighbors' free room. */
  room: DecideContext['room'];
  /** What is known of other POPs. */
  elsewhere: DecideContext['elsewhere'];
  /** All facts so far. */
  readonly journal: RecordedFact[] = [];
  /** The last command's decision. */
  last: Decision = { facts: [], answer: { type: 'done', affected: [] } };
  #ids = 0;

  constructor(options: PolicyOptions = {}, state: StateHandle = initialState()) {
    this.policy = policyOf(options);
    this.state = state;
  }

  /** Continues the ids where another world stopped. */
  skipIds(other: World): void {
    this.#ids = other.#ids;
  }

  /** Lets seconds pass; nothing else happens. */
  wait(seconds: number): this {
    this.now += seconds * 1000;
    return this;
  }

  do(command: Command): Decision {
    this.last = decide(this.state, command, {
      now: this.now,
      policy: this.policy,
      ...(this.room === undefined ? {} : { room: this.room }),
      ...(this.elsewhere === undefined ? {} : { elsewhere: this.elsewhere }),
      newId: () => `00000000-0000-4000-8000-${String(++this.#ids).padStart(12, '0')}`,
    });
    for (const fact of this.last.facts) this.record(fact);
    return this.last;
  }

  record(fact: Fact): void {
    const recorded = { seq: this.state.seq + 1, at: this.now, fact };
    // Passes through JSON, like a journal that is read after a restart.
    const kept: RecordedFact = JSON.parse(JSON.stringify(recorded));
    assert.deepEqual(kept, recorded, 'facts survive JSON');
    this.state.apply(recorded);
    this.journal.push(kept);
  }

  event(options: EventOptions = {}): EventAnswer {
    const { answer } = this.do({ type: 'event', detection: detection(options), actor: FNM });
    assert.equal(answer.type, 'event');
    return answer as EventAnswer;
  }

  /** Sends an event that must create a mitigation; returns it from the state. */
  attack(options: EventOptions = {}): Mitigation {
    const answer = this.event(options);
    assert.ok(answer.mitigation !== undefined, `${answer.status}: ${answer.why.join('; ')}`);
    return this.get(answer.mitigation.id);
  }

  get(id: string): Mitigation {
    const mitigation = this.state.mitigations.get(id);
    assert.ok(mitigation !== undefined, `mitigation ${id} is remembered`);
    return mitigation;
  }

  withdraw(id: string): Decision {
    return this.do({ type: 'withdraw', id, actor: ALICE, reason: 'false alarm' });
  }

  safelist(text: string): Decision {
    return this.do({ type: 'safelist-add', prefix: text, actor: ALICE, reason: 'ours' });
  }

  /** Types of the last command's facts. */
  get facts(): readonly FactType[] {
    return this.last.facts.map((fact) => fact.type);
  }

  /** The last answer's `why` in one string. */
  get why(): string {
    return 'why' in this.last.answer ? this.last.answer.why.join('\n') : '';
  }
}
