/**
 * Facts: the only things that change the state. `decide` makes them, the store keeps them, `evolve` folds them, and the
 * audit log, alerts, feed and metrics read them. A written fact never changes; new kinds and new optional keys may be
 * added, so that old journals stay readable.
 */
import type { MitigationAction } from './action.ts';
import type {
  Actor,
  Away,
  Ending,
  EventRecord,
  Filter,
  Hold,
  IntentVersion,
  Match,
  Mitigation,
  RefusalReason,
  Release,
  SafelistEntry,
} from './types.ts';

/** The changes of an extension, a widening or an escalation; keys that did not change are absent. */
export interface MitigationChange {
  readonly match?: Match;
  readonly ports?: readonly number[];
  readonly excludedPorts?: readonly number[];
  readonly action?: MitigationAction;
  readonly step?: number;
  /** As in Mitigation. */
  readonly firstStep?: number;
  readonly stepSince?: number;
  readonly expiresAt?: number;
  readonly renewAt?: number | null;
  /** Added, or renewed in place of the hold with the same key (see holdKey). Ends a release. */
  readonly hold?: Hold;
  readonly away?: Away | null;
  readonly filter?: Filter | null;
  readonly lastEventId?: string;
  readonly why?: readonly string[];
  /** The statement of another POP that made this change. */
  readonly origin?: IntentVersion;
  /** As in Mitigation; null: its own POP only. */
  readonly pops?: readonly string[] | null;
  /** False: another POP's mitigation, first taken over in a dry run, is enforced now. */
  readonly dryRun?: boolean;
}

export type Fact =
  | { readonly type: 'event.received'; readonly event: EventRecord }
  | { readonly type: 'mitigation.created'; readonly mitigation: Mitigation }
  | { readonly type: 'mitigation.rejected'; readonly mitigation: Mitigation }
  /** Another POP's mitigation begins here, or again if it had expired here for want of news. */
  | { readonly type: 'mitigation.imported'; readonly mitigation: Mitigation }
  /** Another POP's mitigation, or a newer form of it, is refused; recorded once for each reason. */
  | {
      readonly type: 'import.refused';
      readonly origin: IntentVersion;
      readonly mitigationId: string;
      readonly victim: string;
      readonly vector: string;
      readonly reason: RefusalReason;
      readonly detail: string;
    }
  /** A POP has ended a mitigation that is not active here: no statement about it begins it any more. */
  | {
      readonly type: 'import.ended';
      /** The statement that ended it, or the newest one that is known; epoch 0 if none is. */
      readonly origin: IntentVersion;
      readonly mitigationId: string;
      readonly reason: string;
      /** The operator whose request to several POPs ended it; absent: its POP. */
      readonly actor?: Actor;
    }
  | {
      readonly type: 'mitigation.extended' | 'mitigation.widened' | 'mitigation.escalated';
      readonly id: string;
      readonly change: MitigationChange;
    }
  /** Reporters ended their alerts; others may still hold the mitigation. */
  | {
      readonly type: 'mitigation.released';
      readonly id: string;
      /** Keys of the released holds (see holdKey). */
      readonly holds: readonly string[];
      readonly release: Release;
      /** The time of its end unless it is held again (ms); absent: others hold it, or it is ending. */
      readonly expiresAt?: number;
      readonly renewAt?: number | null;
    }
  /** A new policy gives its victim to another customer or service. */
  | {
      readonly type: 'mitigation.moved';
      readonly id: string;
      readonly customerId: string | null;
      readonly serviceId: string | null;
      readonly actor: Actor;
    }
  /** It is ending, so it is withdrawn from the routers. */
  | { readonly type: 'mitigation.ending'; readonly id: string; readonly ending: Ending }
  /** Every established session has been sent the withdrawal. */
  | { readonly type: 'mitigation.withdrawn' | 'mitigation.expired'; readonly id: string }
  | { readonly type: 'safelist.added'; readonly entry: SafelistEntry }
  | {
      readonly type: 'safelist.removed';
      readonly prefix: string;
      readonly actor: Actor;
      /** Only these additions by the exchange; absent: the whole entry. */
      readonly tags?: readonly IntentVersion[];
    }
  | { readonly type: 'control.paused' | 'control.resumed'; readonly actor: Actor; readonly reason: string }
  /** An operator keeps a neighbor's session down, across restarts, until it is enabled or leaves the configuration. */
  | {
      readonly type: 'peer.disabled' | 'peer.enabled';
      /** Name of the neighbor. */
      readonly peer: string;
      readonly actor: Actor;
      readonly reason: string;
    }
  /** A scrubber's health probe fails, or succeeds again. */
  | { readonly type: 'scrubber.down'; readonly scrubber: string; readonly reason: string }
  | { readonly type: 'scrubber.up'; readonly scrubber: string }
  | { readonly type: 'policy.loaded'; readonly actor: Actor; readonly summary: string };

export type FactType = Fact['type'];

/** A fact with its number and time. A stream is one POP's facts, in order. */
export interface RecordedFact {
  /** The POP whose stream the fact belongs to; absent in journals of 0.1, which hold the stream of one POP. */
  readonly pop?: string;
  /** 1, 2, 3, ... without gaps. */
  readonly seq: number;
  /** Time of the decision (ms since the epoch). */
  readonly at: number;
  readonly fact: Fact;
}
