/** What the operator decided beforehand: limits, times, and who owns what. Read-only; a reload swaps the whole. */
import type { Prefix } from '../net/prefix.ts';
import type { Inventory } from './inventory.ts';
import type { PlaybookSet } from './playbook.ts';
import type { Profile, ProfileName } from './profile.ts';

export type { Profile, ProfileName } from './profile.ts';

export interface Guardrails {
  readonly requireTtl: boolean;
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
  readonly profiles: Readonly<Record<ProfileName, Profile>>;
  readonly inventory: Inventory;
  readonly playbooks: PlaybookSet;
  /** From the configuration file; those added over the API are in the state. */
  readonly safelist: readonly Prefix[];
}
