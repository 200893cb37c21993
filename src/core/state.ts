/** Everything that facts add up to. Contract while the room is being built: names and meaning are fixed, the rest is not. */
import type { RecordedFact } from './facts.ts';
import type { Actor, EventRecord, Match, Mitigation, SafelistEntry } from './types.ts';

/** A state written down, as of `seq`. `data` is the state's own business; it survives JSON. */
export interface StateSnapshot {
  readonly schema: 1;
  readonly seq: number;
  readonly data: unknown;
}

/** Canonical text of a match: equal exactly when two matches mean one FlowSpec rule. */
export type MatchKey = string;

/** What readers (reconciler, HTTP, metrics) see. Live views: valid until control returns to the event loop. */
export interface StateView {
  /** The newest fact folded in. */
  readonly seq: number;
  readonly paused: { readonly actor: Actor; readonly at: number; readonly reason: string } | null;
  /** All that are live, and the newest 10,000 ended or rejected ones, in order of creation. */
  readonly mitigations: ReadonlyMap<string, Mitigation>;
  /** Ids of those neither ended nor rejected; ending ones are still live. */
  readonly live: ReadonlySet<string>;
  /** Live mitigations with this match (ending ones included). */
  withMatch(key: MatchKey): ReadonlySet<string>;
  /** The newest 10,000, in order of arrival. */
  readonly events: ReadonlyMap<string, EventRecord>;
  /** Added over the API, by canonical prefix. */
  readonly safelist: ReadonlyMap<string, SafelistEntry>;
  /** The earliest expiresAt among live mitigations that are not ending yet; null when there is none. */
  readonly earliestExpiry: number | null;
}

/** The engine's own handle: one writer. Facts are folded in place; a group of them can be taken back until committed. */
export interface StateHandle extends StateView {
  /** Folds one fact. Facts must come with seq = this.seq + 1 (RangeError otherwise). */
  apply(recorded: RecordedFact): void;
  /** Starts a group that `rollback` undoes exactly; groups do not nest. */
  begin(): void;
  commit(): void;
  rollback(): void;
  snapshot(): StateSnapshot;
}

/** `initialState()`, `restoreState(snapshot)` and `matchKey(match)` are exported from here. */
export declare function initialState(): StateHandle;
export declare function restoreState(snapshot: StateSnapshot): StateHandle;
export declare function matchKey(match: Match): MatchKey;
