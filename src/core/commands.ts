/** The commands of the decision core, and its answers. */
import type { Room } from './decide/forecast.ts';
import type { Fact } from './facts.ts';
import type { Policy } from './policy/policy.ts';
import type { MitigationAction } from './action.ts';
import type { EndedIntent, Intent } from './intent.ts';
import type {
  Actor,
  Detection,
  EventStatus,
  HoldMode,
  IntentVersion,
  Mitigation,
  RefusalReason,
  SafelistEntry,
} from './types.ts';

export type Command =
  | {
      readonly type: 'event';
      readonly detection: Detection;
      readonly actor: Actor;
      /** The hold mode of the token that reports it; absent: see Detection. */
      readonly hold?: HoldMode;
      /**
       * Problems in a report that could not be read: it is recorded as refused, and `detection` holds the readable
       * values.
       */
      readonly invalid?: readonly string[];
    }
  | {
      readonly type: 'withdraw';
      readonly id: string;
      readonly actor: Actor;
      readonly reason: string;
      /** The request to several POPs: what is not active here must not begin later, either. Absent: it is for this POP alone. */
      readonly request?: IntentVersion;
    }
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
      /** As in Mitigation; absent: this POP only. */
      readonly pops?: readonly string[];
    }
  | {
      readonly type: 'safelist-add';
      /** Canonical. */
      readonly prefix: string;
      readonly actor: Actor;
      readonly reason: string;
      /** Answer `needs-confirmation` and change nothing if it would end many mitigations (see operator.ts). */
      readonly ask?: boolean;
      /** The request by which it is added at several POPs; absent: it is added here alone. */
      readonly tag?: IntentVersion;
    }
  | {
      readonly type: 'safelist-remove';
      readonly prefix: string;
      readonly actor: Actor;
      /** Another POP's request: removes only these additions. Absent: an operator here removes the whole entry. */
      readonly tags?: readonly IntentVersion[];
    }
  | { readonly type: 'pause' | 'resume'; readonly actor: Actor; readonly reason: string }
  /** Keeps a neighbor's session down, or lets it connect; `peer` is the neighbor's name. */
  | {
      readonly type: 'peer-disable' | 'peer-enable';
      readonly peer: string;
      readonly actor: Actor;
      readonly reason: string;
    }
  /** A scrubber reports that a victim's traffic is clean; without a victim, that all of it is. */
  | {
      readonly type: 'scrubber-clean';
      readonly scrubber: string;
      /** Canonical. */
      readonly victim?: string;
      readonly actor: Actor;
    }
  /** A scrubber's health probe has failed or succeeded often enough to be believed. */
  | {
      readonly type: 'scrubber-health';
      readonly scrubber: string;
      readonly healthy: boolean;
      /** The last failure; empty if it is healthy. */
      readonly detail: string;
      readonly actor: Actor;
    }
  /** Another POP's statement about one of its mitigations. */
  | {
      readonly type: 'import';
      readonly origin: IntentVersion;
      readonly intent: Intent;
      /** The time left until it expires (ms), as of now; 0: it is over, and ends here if it is active. */
      readonly remainingMs: number;
    }
  /** Ends mitigations that have expired. */
  | { readonly type: 'expire' }
  /** Reports that every established session was sent the withdrawal of these. */
  | {
      readonly type: 'confirm-ended';
      readonly ids: readonly string[];
      /**
       * Asked when it is decided; absent: none is. One that began again and ended again after this was sent may be held.
       */
      readonly isHeld?: (id: string) => boolean;
    }
  /** Adopts the new policy, which is in the context, and ends what it forbids. */
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
      readonly mitigation: Mitigation | undefined;
      /** Set when status is `rejected`. */
      readonly refusal: RefusalReason | undefined;
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
  /** It exists, but its state does not allow this (409). */
  | { readonly type: 'conflict'; readonly detail: string }
  /** It would end many mitigations at once and needs a confirmation; nothing was changed. */
  | {
      readonly type: 'needs-confirmation';
      /** The effect: "adding 0.0.0.0/0 to the safelist would withdraw 7 of 7 active mitigations". */
      readonly detail: string;
      readonly ends: number;
      readonly active: number;
    }
  | ({
      readonly type: 'safelist';
      readonly entry: SafelistEntry;
      readonly withdrawn: readonly string[];
    } & Effect)
  | {
      readonly type: 'import';
      /**
       * `ignored`: it is not about this POP, or nothing in it is new. A refused one may be sent again, such as after a
       * reload: it is decided again, and recorded only if the reason is new.
       */
      readonly outcome: 'imported' | 'changed' | 'ended' | 'ignored' | 'refused';
      readonly refusal: RefusalReason | undefined;
      readonly detail: string;
    }
  | ({ readonly type: 'done'; readonly affected: readonly string[] } & Effect);

/** The way in which an answer took effect. */
export interface Effect {
  /** It is in effect but not in the journal, which cannot be written (see WithdrawingCommand). Absent: it is in the journal. */
  readonly recorded?: false;
}

/** The inputs of `decide` besides state and command. */
export interface DecideContext {
  /** Milliseconds since the epoch. */
  readonly now: number;
  /**
   * The system's time (ms since the epoch), if `now` does not follow a clock that is set; absent: `now`. Timestamps
   * from outside are compared with it.
   */
  readonly systemTime?: number;
  readonly policy: Policy;
  /** The neighbors' free room now; absent: unknown. Only texts depend on it. */
  readonly room?: Room;
  /** What is known of the other POPs; absent: nothing, or there is no exchange. */
  readonly elsewhere?: Elsewhere;
  /** Returns a new lower-case UUID at each call. */
  readonly newId: () => string;
}

/** The other POPs as they were last heard of. */
export interface Elsewhere {
  /** Active mitigations that they decided, not counting those that they took over from others. */
  readonly active: number;
  /** Names of the POPs whose count may be out of date. */
  readonly stale: readonly string[];
}

export interface Decision {
  readonly facts: readonly Fact[];
  readonly answer: Answer;
}

// Lets commands that only withdraw rules take effect before they are in the journal: a full disk must not keep rules in
// the routers that an operator withdraws. Everything else that such a command causes waits until it is recorded.

/** A command that only withdraws. */
export type WithdrawingCommand =
  | Extract<Command, { type: 'withdraw' | 'withdraw-all' | 'safelist-add' }>
  | (Extract<Command, { type: 'pause' | 'resume' }> & { readonly type: 'pause' })
  | (Extract<Command, { type: 'peer-disable' | 'peer-enable' }> & { readonly type: 'peer-disable' })
  /** Another POP has ended a mitigation. */
  | (Extract<Command, { type: 'import' }> & { readonly intent: EndedIntent });

export function isWithdrawing(command: Command): command is WithdrawingCommand {
  switch (command.type) {
    case 'withdraw':
    case 'withdraw-all':
    case 'safelist-add':
    case 'pause':
    case 'peer-disable':
      return true;
    case 'import':
      return command.intent.kind === 'ended';
    default:
      return false;
  }
}

/**
 * Selects the facts that only withdraw. Leaves out those that create, above all the rules that hosts get when a
 * safelist entry ends the rule for their prefix.
 */
export function withdrawingFacts(facts: readonly Fact[]): readonly Fact[] {
  return facts.filter(({ type }) => {
    switch (type) {
      case 'mitigation.ending':
      case 'mitigation.withdrawn':
      case 'mitigation.expired':
      case 'import.ended':
      case 'safelist.added':
      case 'control.paused':
      case 'peer.disabled':
        return true;
      default:
        return false;
    }
  });
}

/** Returns the command to decide again for the record: its effect was confirmed when it took place. */
export function confirmed(command: WithdrawingCommand): WithdrawingCommand {
  return command.type === 'safelist-add' ? { ...command, ask: false } : command;
}

/**
 * True when the command is about everything that exists, so that it also concerns mitigations that a write in progress
 * is about to add.
 */
export function coversPending({ type }: WithdrawingCommand): boolean {
  return type === 'withdraw-all';
}
