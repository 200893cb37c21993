/** The interface of exchange/ for the rooms above it, and what its files share. */
import type { StandingIntent } from '../core/intent.ts';
import type { IntentVersion } from '../core/types.ts';

/** The daemon's figures that other POPs see. */
export interface PopFigures {
  readonly sessionsUp: number;
  readonly sessionsTotal: number;
  /** Active mitigations that this POP decided itself. */
  readonly active: number;
  /** A short digest of the policy: equal for POPs with the same policy. */
  readonly policyHash: string;
}

/** The last heartbeat of a POP, as it was read. */
export interface Heartbeat extends PopFigures {
  readonly name: string;
  readonly epoch: number;
  /** Number of its newest intent. */
  readonly n: number;
  readonly version: string;
  /** Its age when it was read (ms). */
  readonly ageMs: number;
}

/** A version of an intent, as it is read from the database. */
export interface IntentRow {
  readonly pop: string;
  readonly epoch: number;
  readonly n: number;
  readonly id: string;
  readonly body: string;
  /** Time until it ends by the database's clock, when it was read (ms). */
  readonly remainingMs: number;
  /** Its age when it was read (ms). */
  readonly ageMs: number;
}

/** A mitigation that another POP announced to the exchange. */
export interface ForeignIntent {
  readonly pop: string;
  readonly intent: StandingIntent;
  /** Time at which it ends (ms since the epoch, this daemon's clock). */
  readonly endsAt: number;
  /** True if this POP is to hold it. */
  readonly isForHere: boolean;
}

/**
 * - `connecting`: the database has not been reached since the start, or not since it was lost.
 * - `rival`: another daemon has this POP's name; this one neither publishes nor imports.
 */
export type ExchangeState = 'connecting' | 'connected' | 'rival';

/** The exchange's own condition. */
export interface ExchangeCondition {
  readonly state: ExchangeState;
  /** Time since which it is so (ms since the epoch). */
  readonly since: number;
  /** What is wrong, for people; undefined while connected. */
  readonly problem: string | undefined;
}

/** A POP as this one knows it. */
export interface KnownPop {
  readonly name: string;
  readonly isSelf: boolean;
  /** True if this POP imports its intents and does what its operators ask. */
  readonly isAccepted: boolean;
  /** Time since its last heartbeat that was read here (ms); undefined if none was read since the start. */
  readonly lagMs: number | undefined;
  readonly heartbeat: Heartbeat | undefined;
  /** Active mitigations here that it decided. */
  readonly imported: number;
  /** Rows of it that could not be read. */
  readonly unreadable: number;
}

/** What one POP did with a request. */
export interface Confirmation {
  readonly pop: string;
  readonly state: 'done' | 'refused' | 'unconfirmed';
  /** For people; empty if there is nothing to add. */
  readonly detail: string;
}

/** What an operator asks other POPs to do. */
export type PopRequest =
  | { readonly type: 'withdraw'; readonly id: string; readonly operator: string; readonly reason: string }
  | {
      readonly type: 'withdraw-all' | 'pause' | 'resume';
      readonly operator: string;
      readonly reason: string;
    }
  | {
      readonly type: 'safelist-add';
      readonly prefix: string;
      readonly operator: string;
      readonly reason: string;
      /** The operator confirmed that many mitigations may be withdrawn. */
      readonly confirmed: boolean;
    }
  | {
      readonly type: 'safelist-remove';
      readonly prefix: string;
      readonly operator: string;
      /** The entries to remove: those that the asking POP knew. Others with the same prefix stay. */
      readonly tags: readonly IntentVersion[];
    };

/** A request of this POP that is not confirmed by all. */
export interface OpenRequest {
  readonly id: IntentVersion;
  readonly request: PopRequest;
  /** Time since it was made (ms). */
  readonly ageMs: number;
  readonly confirmations: readonly Confirmation[];
}

/** The POPs a request is for: all of them, or those with these names. */
export type PopTargets = 'all' | readonly string[];

/** The exchange as the API, health and metrics see it. */
export interface ExchangeView {
  readonly condition: ExchangeCondition;
  /** Why imports cannot be recorded, such as a full disk; undefined: they can. */
  readonly importFailure: Error | undefined;
  /** This POP first, then the others by name. */
  pops(): readonly KnownPop[];
  /** The active mitigations of other POPs, also those that are not for this one. */
  elsewhere(): readonly ForeignIntent[];
  /** Requests of this POP that are not confirmed by all. */
  openRequests(): readonly OpenRequest[];
  /**
   * Asks other POPs, and resolves when all of them have answered or after a second. Never rejects: a POP that was not
   * reached is `unconfirmed`, and does it when it returns. `id` is from `nextRequest`.
   */
  ask(id: IntentVersion, request: PopRequest, targets: PopTargets): Promise<readonly Confirmation[]>;
  /** Returns an identity for a request, which is also the tag of a safelist entry that it adds. */
  nextRequest(): IntentVersion;
}
