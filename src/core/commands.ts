/** What can be asked of the decision core, and how it answers. */
import type { Fact } from './facts.ts';
import type { Room } from './forecast.ts';
import type { Policy } from './policy.ts';
import type {
  Actor,
  Detection,
  EventStatus,
  HoldMode,
  Mitigation,
  MitigationAction,
  RefusalReason,
  SafelistEntry,
} from './types.ts';

export type Command =
  | {
      readonly type: 'event';
      readonly detection: Detection;
      readonly actor: Actor;
      /** How the token that reports it holds mitigations; absent: see Detection. */
      readonly hold?: HoldMode;
      /** What could not be read in the report, in words: it is recorded as refused, and `detection` holds what could be read. */
      readonly invalid?: readonly string[];
    }
  | { readonly type: 'withdraw'; readonly id: string; readonly actor: Actor; readonly reason: string }
  | { readonly type: 'withdraw-all'; readonly actor: Actor; readonly reason: string }
  /** An operator's own mitigation, through the same guardrails. */
  | {
      readonly type: 'mitigate';
      readonly actor: Actor;
      /** Canonical address. */
      readonly victim: string;
      readonly protocol: number | null;
      readonly ports: readonly number[];
      readonly action: MitigationAction;
      readonly ttlSeconds: number;
      readonly reason: string;
    }
  | {
      readonly type: 'safelist-add';
      /** Canonical. */
      readonly prefix: string;
      readonly actor: Actor;
      readonly reason: string;
      /** Answer `needs-confirmation` and change nothing when it would take down much (see confirm.ts). */
      readonly ask?: boolean;
    }
  | { readonly type: 'safelist-remove'; readonly prefix: string; readonly actor: Actor }
  | { readonly type: 'pause' | 'resume'; readonly actor: Actor; readonly reason: string }
  /** Keeps a neighbor's session down, or lets it come up; `peer` is the name of a neighbor. */
  | {
      readonly type: 'peer-disable' | 'peer-enable';
      readonly peer: string;
      readonly actor: Actor;
      readonly reason: string;
    }
  /** Time has passed: end what has expired by now. */
  | { readonly type: 'expire' }
  /** The reconciler saw that every established session was sent the withdrawal of these. */
  | { readonly type: 'confirm-ended'; readonly ids: readonly string[] }
  /** The policy was swapped; the new one is in the context. Ends what the new safelist covers. */
  | {
      readonly type: 'policy-loaded';
      readonly actor: Actor;
      readonly summary: string;
      /** As for `safelist-add`; the policy is not adopted then. */
      readonly ask?: boolean;
    };

export type Answer =
  | {
      readonly type: 'event';
      readonly eventId: string;
      readonly status: EventStatus;
      readonly mitigation: Mitigation | null;
      /** Set when status is `rejected`. */
      readonly refusal: RefusalReason | null;
      readonly why: readonly string[];
    }
  | ({
      readonly type: 'mitigation';
      readonly mitigation: Mitigation;
      readonly why: readonly string[];
    } & Effect)
  | {
      readonly type: 'refused';
      readonly reason: RefusalReason;
      readonly detail: string;
      readonly why: readonly string[];
    }
  | { readonly type: 'not-found'; readonly detail: string }
  /** It exists, but not in a state in which this can be done (409). */
  | { readonly type: 'conflict'; readonly detail: string }
  /** It would end many mitigations at once, and nobody has confirmed that; nothing was changed. */
  | {
      readonly type: 'needs-confirmation';
      /** What would happen: "adding 0.0.0.0/0 to the safelist would withdraw 7 of 7 active mitigations". */
      readonly detail: string;
      readonly ends: number;
      readonly active: number;
    }
  | ({
      readonly type: 'safelist';
      readonly entry: SafelistEntry;
      readonly withdrawn: readonly string[];
    } & Effect)
  | ({ readonly type: 'done'; readonly affected: readonly string[] } & Effect);

/** How an answer took effect. */
export interface Effect {
  /** It is in effect and not in the journal yet, which cannot be written; see take-away.ts. Absent: it is in the journal. */
  readonly recorded?: false;
}

/** What `decide` needs beside state and command. */
export interface DecideContext {
  /** Milliseconds since the epoch. */
  readonly now: number;
  /**
   * What others take the time to be (ms since the epoch), where `now` does not follow a clock that is set; absent: `now`.
   * Timestamps that come from outside are judged by it.
   */
  readonly systemTime?: number;
  readonly policy: Policy;
  /** What the neighbors have room for right now; absent: not known. Only what is said depends on it. */
  readonly room?: Room;
  /** A new lower-case UUID at each call. */
  readonly newId: () => string;
}

export interface Decision {
  readonly facts: readonly Fact[];
  readonly answer: Answer;
}
