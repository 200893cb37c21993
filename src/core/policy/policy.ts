/** What the operator decided beforehand: limits, times, and who owns what. Read-only; a reload swaps the whole. */
import type { Prefix } from '../../net/prefix.ts';
import type { Forecast } from '../decide/forecast.ts';
import type { Inventory } from './inventory.ts';
import type { PlaybookSet } from './playbook.ts';
import type { Profile, ProfileName } from './profile.ts';
import type { HoldMode } from '../types.ts';

export type { Profile, ProfileName } from './profile.ts';

export interface Guardrails {
  readonly dstPrefixMinLen: number;
  readonly dstPrefixMaxLen: number;
  readonly dstPrefixMinLenV6: number;
  readonly dstPrefixMaxLenV6: number;
  readonly maxPorts: number;
  readonly requireInventory: boolean;
  /** Configured ones, and on top of them router ids, neighbors' and local addresses. */
  readonly protectedPrefixes: readonly Prefix[];
  readonly protectedPorts: readonly number[];
  /** Whether a playbook's step may match by source prefix; absent: false. */
  readonly allowSrcPrefixMatch?: boolean;
}

/** Zero is a quota of none; Infinity is no quota. */
export interface Quotas {
  readonly maxActivePerCustomer: number;
  readonly maxActivePerPop: number;
  readonly maxActiveGlobal: number;
  readonly maxNewPerMinute: number;
}

/** All in seconds. */
export interface Timers {
  readonly defaultTtlSeconds: number;
  readonly minTtlSeconds: number;
  readonly maxTtlSeconds: number;
  readonly correlationWindowSeconds: number;
  /** How long a hold renews its mitigation without another report. */
  readonly maxHoldSeconds: number;
  /** How long a rule stays when its last hold was released, so that an attack that comes and goes does not flap it. */
  readonly holdDownSeconds: number;
}

/** What is known of a detector beforehand, by the name it reports under. */
export interface DetectorPolicy {
  /** Absent: as its kind of detector does. */
  readonly hold?: HoldMode;
  /** Taken for the confidence of a report that gives none; 0..1. */
  readonly confidence?: number;
}

/** When many hosts of one inventory prefix are attacked, one rule for the prefix takes the place of one for each. */
export interface Aggregation {
  /** So many hosts within the window. */
  readonly hosts: number;
  readonly windowSeconds: number;
  /** Lengths of the prefixes; without effect where guardrails do not allow them. */
  readonly toV4: number;
  readonly toV6: number;
}

export interface Escalation {
  readonly enabled: boolean;
  readonly minPersistenceSeconds: number;
  /** 0..1 */
  readonly minConfidence: number;
}

export interface Policy {
  readonly pop: string;
  readonly mode: 'enforced' | 'dry-run';
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
  /** From the configuration file; those added over the API are in the state. */
  readonly safelist: readonly Prefix[];
  /** Which neighbors could enforce a rule; absent: every rule is taken to be enforceable. */
  readonly forecast?: Forecast;
}
