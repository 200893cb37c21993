/** What can be asked of the decision core, and how it answers. */
import type { Room } from './decide/forecast.ts';
import type { Fact } from './facts.ts';
import type { Policy } from './policy/policy.ts';
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
  /** It is in effect and not in the journal yet, which cannot be written; see commands.ts. Absent: it is in the journal. */
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

// What may take effect before it is in the journal, because it takes rules away and adds none: rules that an operator
// withdraws must leave the routers however the disk is. What else such a command leads to waits until it is recorded.

/** A command that takes away. */
export type TakeAway =
  | Extract<Command, { type: 'withdraw' | 'withdraw-all' | 'safelist-add' }>
  | (Extract<Command, { type: 'pause' | 'resume' }> & { readonly type: 'pause' })
  | (Extract<Command, { type: 'peer-disable' | 'peer-enable' }> & { readonly type: 'peer-disable' });

export function isTakeAway(command: Command): command is TakeAway {
  switch (command.type) {
    case 'withdraw':
    case 'withdraw-all':
    case 'safelist-add':
    case 'pause':
    case 'peer-disable':
      return true;
    default:
      return false;
  }
}

/**
 * The facts that take away. Left out is above all what creates: hosts that get rules of their own when a safelist entry
 * ends the rule for their prefix.
 */
export function whatTakesAway(facts: readonly Fact[]): readonly Fact[] {
  return facts.filter(({ type }) => {
    switch (type) {
      case 'mitigation.ending':
      case 'mitigation.withdrawn':
      case 'mitigation.expired':
      case 'safelist.added':
      case 'control.paused':
      case 'peer.disabled':
        return true;
      default:
        return false;
    }
  });
}

/** The command as it is decided once more, to be recorded: its effect was confirmed when it took place. */
export function confirmed(command: TakeAway): TakeAway {
  return command.type === 'safelist-add' ? { ...command, ask: false } : command;
}

/**
 * True when the command is about whatever there is, so that it also concerns what a write under way is about to add,
 * although it finds nothing yet.
 */
export function concernsWhatComes({ type }: TakeAway): boolean {
  return type === 'withdraw-all';
}
