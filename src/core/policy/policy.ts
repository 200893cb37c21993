/** The operator's policy: limits, times and owners. Read-only; a reload replaces all of it. */
import type { Prefix } from '../../net/prefix.ts';
import type { Forecast } from '../decide/forecast.ts';
import type { Inventory } from './inventory.ts';
import type { PlaybookSet } from './playbook.ts';
import type { Profile, ProfileName } from './profile.ts';
import type { HoldMode } from '../types.ts';
import type { Targets } from './scrubbers.ts';

export type { Profile, ProfileName } from './profile.ts';

export interface Guardrails {
  readonly dstPrefixMinLen: number;
  readonly dstPrefixMaxLen: number;
  readonly dstPrefixMinLenV6: number;
  readonly dstPrefixMaxLenV6: number;
  readonly maxPorts: number;
  readonly requireInventory: boolean;
  /** The configured prefixes, the router ids, and the neighbors' and local addresses. */
  readonly protectedPrefixes: readonly Prefix[];
  readonly protectedPorts: readonly number[];
  /** True when a playbook's step may match by source prefix; absent: false. */
  readonly allowSrcPrefixMatch?: boolean;
}

/** 0 allows none; Infinity disables the quota. */
export interface Quotas {
  readonly maxActivePerCustomer: number;
  readonly maxActivePerPop: number;
  readonly maxActiveGlobal: number;
  readonly maxNewPerMinute: number;
  /** Of diversions and of blackholes, on their own; absent: the defaults of DEFAULT_UNICAST_QUOTAS. */
  readonly maxDivertedPerCustomer?: number;
  readonly maxDivertedPerPop?: number;
  readonly maxBlackholedPerCustomer?: number;
  readonly maxBlackholedPerPop?: number;
}

/** Small by default: such a mitigation concerns all of a victim's traffic. */
export const DEFAULT_UNICAST_QUOTAS = {
  maxDivertedPerCustomer: 2,
  maxDivertedPerPop: 20,
  maxBlackholedPerCustomer: 2,
  maxBlackholedPerPop: 10,
} as const;

/** All in seconds. */
export interface Timers {
  readonly defaultTtlSeconds: number;
  readonly minTtlSeconds: number;
  readonly maxTtlSeconds: number;
  readonly correlationWindowSeconds: number;
  /** A hold renews its mitigation for this long without another report. */
  readonly maxHoldSeconds: number;
  /** A rule stays for this long after its last hold was released, so that a recurring attack does not make it flap. */
  readonly holdDownSeconds: number;
}

/** The configuration of a detector, under the name that it reports under. */
export interface DetectorPolicy {
  /** Absent: the default of its kind of detector. */
  readonly hold?: HoldMode;
  /** The confidence of a report that gives none; 0..1. */
  readonly confidence?: number;
}

/** Settings for replacing host rules with one rule when many hosts of one inventory prefix are attacked. */
export interface Aggregation {
  /** The number of hosts within the window. */
  readonly hosts: number;
  readonly windowSeconds: number;
  /** Lengths of the prefixes; ineffective if guardrails do not allow them. */
  readonly toV4: number;
  readonly toV6: number;
}

export interface Escalation {
  readonly enabled: boolean;
  readonly minPersistenceSeconds: number;
  /** 0..1 */
  readonly minConfidence: number;
}

/** `dry-run` decides and records, and announces nothing. */
export const POLICY_MODES = ['enforced', 'dry-run'] as const;

export type PolicyMode = (typeof POLICY_MODES)[number];

/** What this POP takes over from the others. */
export interface ExchangePolicy {
  /** Names of the POPs whose mitigations and requests count here. */
  readonly accept: readonly string[];
  /** Limit of active mitigations of each of them; 0 allows none, Infinity disables it. */
  readonly maxImportedPerPop: number;
}

export interface Policy {
  readonly pop: string;
  readonly mode: PolicyMode;
  readonly guardrails: Guardrails;
  readonly quotas: Quotas;
  readonly timers: Timers;
  readonly escalation: Escalation;
  readonly aggregation: Aggregation;
  /** By source. */
  readonly detectors: ReadonlyMap<string, DetectorPolicy>;
  readonly profiles: Readonly<Record<ProfileName, Profile>>;
  readonly inventory: Inventory;
  readonly playbooks: PlaybookSet;
  /** Where traffic can be redirected and diverted, and how it is blackholed; absent: NO_TARGETS. */
  readonly targets?: Targets;
  /** From the configuration file; entries added over the API are in the state. */
  readonly safelist: readonly Prefix[];
  /** Absent: nothing is taken over from other POPs. */
  readonly exchange?: ExchangePolicy;
  /** Predicts which neighbors can enforce a rule; absent: every rule counts as enforceable. */
  readonly forecast?: Forecast;
}
