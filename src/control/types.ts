/** The interface of control/ for the rooms above it (http, app). */
import type { RouteKey } from '../bgp/rib/route.ts';
import type { RuleKind } from '../core/action.ts';
import type { Answer, Command } from '../core/commands.ts';
import type { RecordedFact } from '../core/facts.ts';
import type { Policy } from '../core/policy/policy.ts';
import type { StateView } from '../core/state/state.ts';

/** Writes a log line for an operator; must not throw. `fields` hold no secrets. */
export type Log = (
  level: 'info' | 'warn' | 'error',
  text: string,
  fields: Readonly<Record<string, unknown>>,
) => void;

/** Timers, injected so that tests control the time. */
export interface TimerHost {
  /** Calls back once after the delay (ms); returns a function that cancels it. */
  readonly after: (milliseconds: number, callback: () => void) => () => void;
  /** Resolves after other events were handled. */
  readonly yield: () => Promise<void>;
}

/** Called with facts once they are durable and folded, in order. Must not throw. */
export type FactFollower = (facts: readonly RecordedFact[]) => void;

/**
 * A follower that acts on routers. The engine awaits it before it tells the other followers and answers the commands, so
 * that a rule is sent before anybody reads of it. Must not reject.
 */
export type FactActor = (facts: readonly RecordedFact[]) => void | Promise<void>;

/** The state of the engine's recording. */
export interface Recording {
  /**
   * `writing`: a group of facts is being written. `stalled`: that takes long. `failing`: the last write failed, and
   * unrecorded actions are retried every second. `ready`: none of these.
   */
  readonly phase: 'ready' | 'writing' | 'stalled' | 'failing';
  /** Start of the current write (ms since the epoch). */
  readonly writingSince: number | undefined;
  /** Start of the current snapshot (ms since the epoch). */
  readonly snapshottingSince: number | undefined;
  /** Number of commands in effect that are not in the journal, and the time of the oldest (ms since the epoch). */
  readonly unrecorded: number;
  readonly unrecordedSince: number | undefined;
}

/** The single writer. */
export interface EngineView {
  readonly state: StateView;
  readonly policy: Policy;
  /**
   * Decides, records and folds a command; resolves when it is durable. If the store cannot write, a command that takes
   * rules away (see core/commands.ts) takes effect anyway, and its answer says `recorded: false`; any other rejects
   * with StoreError and has not taken effect. For a report in a stalled write the outcome is not known; its
   * JournalRefusal says so.
   */
  submit(command: Command): Promise<Answer>;
  /** Swaps the policy between two groups of commands and records it. */
  adopt(policy: Policy, command: Extract<Command, { type: 'policy-loaded' }>): Promise<Answer>;
  /**
   * Adds a follower that acts on routers, or that must know of a fact before they are told. Such followers are called in
   * the order in which they were added, and awaited before the others. Only they get facts that take rules away and are
   * not durable yet; when durable, they get them again with their numbers in the journal.
   */
  followFirst(actor: FactActor): () => void;
  /** Calls `follower` with facts as they become durable. Returns a function that ends the subscription. */
  follow(follower: FactFollower): () => void;
  /**
   * Returns the newest durable facts (at most the newest 10,000) with seq > `after`, oldest first; undefined if `after`
   * is older than the kept facts.
   */
  recent(after: number): readonly RecordedFact[] | undefined;
}

/** One mitigation's rule on one neighbor. */
export interface NeighborRule {
  readonly neighbor: string;
  readonly kind: RuleKind;
  /** In the notation of rules or of routes. */
  readonly rule: string;
  readonly nlriHex: string;
  /**
   * `sent`: acknowledged by the peer's TCP, which does not prove that it is installed. `pending`: waits for the
   * session, its turn or the acknowledgement. `over_budget`: waits for room in the neighbor's max_rules or
   * max_unicast.
   */
  readonly state: 'sent' | 'pending' | 'unsupported' | 'over_budget';
  readonly why?: string;
}

/** Active mitigations that are not enforced on a neighbor: one entry for each reason. */
export interface Shortfall {
  readonly neighbor: string;
  readonly state: 'unsupported' | 'over_budget';
  /** The reason, for people. */
  readonly why: string;
  /** Number of mitigations. */
  readonly count: number;
}

/** Counts of a neighbor's rules: routes that are sent or pending, and mitigations' rules that it does not get. */
export interface RuleCounts {
  readonly neighbor: string;
  readonly sent: number;
  readonly pending: number;
  readonly unsupported: number;
  readonly overBudget: number;
}

/** An active mitigation that is not enforced on some neighbors. */
export interface Unenforced {
  readonly mitigationId: string;
  readonly neighbors: readonly Omit<Shortfall, 'count'>[];
}

/** Read-only view of the reconciler. */
export interface ReconcilerView {
  rulesOf(mitigationId: string): readonly NeighborRule[];
  /**
   * Returns the mitigation's rule in operator notation, in the generic dialect if no neighbor is configured; empty for
   * an unknown id.
   */
  ruleText(mitigationId: string): string;
  /**
   * Returns what is not enforced on each neighbor, and why; empty if every neighbor gets every rule. The cost is
   * proportional to the result.
   */
  shortfalls(): readonly Shortfall[];
  /** Counts the rules of each neighbor; cheap for any number of rules. */
  ruleCounts(): readonly RuleCounts[];
  /** Returns the mitigation that owns a route; undefined if the route only waits to be withdrawn. */
  ownerOf(peer: string, key: RouteKey): string | undefined;
  readonly stats: {
    readonly runs: number;
    /** Routes that a full run found missing or surplus, beyond the changes of the facts. */
    readonly drift: number;
    readonly lastRunAt: number | undefined;
    readonly lastRunMs: number;
    readonly egressRefusals: number;
  };
}
