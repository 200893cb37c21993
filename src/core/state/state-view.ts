/** Interfaces of the state, for readers, for decisions, and for the engine that owns it. */
import type { UnicastKind, UnicastScope } from './indices.ts';
import type { Prefix } from '../../net/prefix.ts';
import type { MatchKey } from '../decide/correlate.ts';
import type { RecordedFact } from '../facts.ts';
import type { Actor, EventRecord, IntentVersion, Mitigation, SafelistEntry } from '../types.ts';
import type { ImportMemory, RememberedImport } from './imports.ts';
import type { Life } from './life.ts';
import type { Creation, RecentBan } from './recent.ts';

/** A saved state, as of `seq`. Only the state reads `data`; it survives JSON. */
export interface StateSnapshot {
  readonly schema: 1;
  readonly seq: number;
  /** An object whose long values are arrays of small objects that never change, so that it can be written in slices. */
  readonly data: unknown;
}

/** An operator's decision to pause or to disable a neighbor, and its time (ms since the epoch). */
export interface OperatorDecision {
  readonly actor: Actor;
  readonly at: number;
  readonly reason: string;
}

/** The failure of a scrubber's health probe, and its time (ms since the epoch). */
export interface ScrubberFailure {
  readonly at: number;
  readonly reason: string;
}

/** The readers' view (reconciler, HTTP, metrics). Live: valid until control returns to the event loop. */
export interface StateView {
  /** The newest fact folded in. */
  readonly seq: number;
  /** Time of the newest fact's decision (ms); 0 before the first. */
  readonly lastAt: number;
  readonly paused: OperatorDecision | undefined;
  /** Neighbors that an operator keeps down, by name. */
  readonly disabledPeers: ReadonlyMap<string, OperatorDecision>;
  /** Scrubbers whose health probe fails, by name. */
  readonly downScrubbers: ReadonlyMap<string, ScrubberFailure>;
  /** All live ones and the newest 10,000 ended or rejected ones, in order of creation. */
  readonly mitigations: ReadonlyMap<string, Mitigation>;
  /** Ids of those neither ended nor rejected; ending ones are still live. */
  readonly live: ReadonlySet<string>;
  /** Returns a mitigation's history; undefined when it is not among `mitigations`. */
  lifeOf(id: string): Life | undefined;
  /** Live mitigations with this match (ending ones included). */
  withMatch(key: MatchKey): ReadonlySet<string>;
  /** Dry-run mitigations are counted separately. */
  activeTotal(dryRun: boolean): number;
  activeOfPop(pop: string, dryRun: boolean): number;
  /** Routes of active diversions or blackholes of a customer, a POP or a scrubber. */
  activeUnicast(kind: UnicastKind, scope: UnicastScope, name: string, dryRun: boolean): number;
  /** Active mitigations of each customer that has any. */
  activeByCustomer(dryRun: boolean): ReadonlyMap<string, number>;
  /** Active mitigations that other POPs decided, by POP; for those that have any. */
  activeImported(dryRun: boolean): ReadonlyMap<string, number>;
  /** The newest 10,000, in order of arrival. */
  readonly events: ReadonlyMap<string, EventRecord>;
  /** Added over the API, by canonical prefix. */
  readonly safelist: ReadonlyMap<string, SafelistEntry>;
  /**
   * The earliest time at which an active mitigation expires or the daemon must look at it (ms); undefined when there is
   * none.
   */
  readonly earliestDue: number | undefined;
}

/** The view for decisions. Mitigations are active when they are live and not ending. */
export interface DecisionView extends StateView {
  /** No active mitigation expires later than this (ms); it may be later than the last expiry. */
  readonly expiryBound: number;
  /** Live mitigations of this victim (ending ones included), in no order. */
  liveOfVictim(victim: string): ReadonlySet<string>;
  /** Live mitigations that an alert holds, by its key (see holdKey); ending ones and lapsed holds included. */
  heldBy(key: string): ReadonlySet<string>;
  /** The prefix lengths of a family that are victims of live mitigations (ending ones included). */
  prefixLengths(family: 4 | 6): Iterable<number>;
  /** Ids of active mitigations that are due by `now`, at most `most`; all when it is absent. */
  dueBy(now: number, most?: number): ReadonlySet<string>;
  /** Counts like activeTotal. */
  activeOfCustomer(customerId: string, dryRun: boolean): number;
  /** Mitigations created in the minute before `now`. */
  createdInMinute(now: number, dryRun: boolean): number;
  /** The newest ban with this id of its detector; it may be a little older than 24 hours. */
  recentBan(source: string, externalId: string): RecentBan | undefined;
  /** The newest bans of this vector that were counted for a block (see EventRecord), one per victim, oldest first. */
  reportedIn(block: string, vector: string): Iterable<EventRecord>;
  /** What is remembered of other POPs' mitigations that are not active here. */
  readonly imports: Pick<ImportMemory, 'get'>;
  /** True when this addition of a prefix to the safelist was removed again. */
  isTagRemoved(prefix: string, tag: IntentVersion): boolean;
  /** Returns an entry added over the API that overlaps the prefix. */
  safelisted(prefix: Prefix): SafelistEntry | undefined;
}

/** The engine's handle: one writer. Facts are folded in place; a group can be undone until it is committed. */
export interface StateHandle extends DecisionView {
  /** Folds one fact. Facts must come with seq = this.seq + 1 (RangeError otherwise). */
  apply(recorded: RecordedFact): void;
  /** Begins a group that `rollback` undoes exactly; groups do not nest. */
  begin(): void;
  commit(): void;
  rollback(): void;
  snapshot(): StateSnapshot;
}

// The state as plain data.

export interface SnapshotData {
  readonly lastAt: number;
  readonly paused: OperatorDecision | null;
  /** By name; absent in snapshots of versions that did not keep it. */
  readonly disabledPeers?: readonly (readonly [name: string, decision: OperatorDecision])[];
  /** By name; absent: none. */
  readonly downScrubbers?: readonly (readonly [name: string, failure: ScrubberFailure])[];
  /** In order of creation. */
  readonly mitigations: readonly Mitigation[];
  /** Ids of ended and rejected ones, in the order of their end. */
  readonly ended: readonly string[];
  /** In order of arrival. */
  readonly events: readonly EventRecord[];
  readonly safelist: readonly SafelistEntry[];
  /** Keys of removed tags, oldest first; absent: none. */
  readonly removedTags?: readonly string[];
  /** Oldest first; absent: none. */
  readonly imports?: readonly RememberedImport[];
  readonly bans: readonly RecentBan[];
  readonly creations: readonly Creation[];
  /** Absent in snapshots of versions that did not keep them. */
  readonly lives?: readonly Life[];
}

const LISTS = ['mitigations', 'ended', 'events', 'safelist', 'bans', 'creations'] as const;

/**
 * Returns a snapshot's data. Checks its outline only (a store guards the bytes); throws TypeError for another schema.
 */
export function readSnapshot(snapshot: StateSnapshot): SnapshotData {
  const { data } = snapshot;
  if (snapshot.schema !== 1 || !isSnapshotData(data)) {
    throw new TypeError('the snapshot is not of schema 1: it was written by another version, or damaged');
  }
  return data;
}

function isSnapshotData(data: unknown): data is SnapshotData {
  if (typeof data !== 'object' || data === null) return false;
  const record: Partial<Record<string, unknown>> = { ...data };
  return typeof record.lastAt === 'number' && LISTS.every((key) => Array.isArray(record[key]));
}
