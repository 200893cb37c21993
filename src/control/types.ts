/** What control/ offers to the rooms above it (http, app). */
import type { RouteKey } from '../bgp/rib/route.ts';
import type { Answer, Command } from '../core/commands.ts';
import type { RecordedFact } from '../core/facts.ts';
import type { Policy } from '../core/policy/policy.ts';
import type { StateView } from '../core/state/state.ts';

/** For an operator; must not throw. `fields` hold no secrets. */
export type Log = (
  level: 'info' | 'warn' | 'error',
  text: string,
  fields: Readonly<Record<string, unknown>>,
) => void;

/** Timers, injected so that tests own the time. */
export interface TimerHost {
  /** Calls back once after the delay (ms); returns what cancels it. */
  readonly after: (milliseconds: number, callback: () => void) => () => void;
  /** Resolves after other events have had their turn. */
  readonly yield: () => Promise<void>;
}

/** Called with facts once they are durable and folded, in order. Must not throw. */
export type FactFollower = (facts: readonly RecordedFact[]) => void;

/** How the engine's writing down goes. */
export interface Recording {
  /**
   * `writing`: a group of facts is on its way to the disk; `stalled`: and has been for long; `failing`: the last write
   * failed, and what took effect unrecorded is tried again every second; `ready`: none of it.
   */
  readonly phase: 'ready' | 'writing' | 'stalled' | 'failing';
  /** When the write under way began (ms since the epoch); null when none is. */
  readonly writingSince: number | null;
  /** When the snapshot under way was begun (ms since the epoch); null when none is. */
  readonly snapshottingSince: number | null;
  /** How many commands are in effect that are not in the journal, and since when the oldest (ms since the epoch). */
  readonly unrecorded: number;
  readonly unrecordedSince: number | null;
}

/** The single writer. */
export interface EngineView {
  readonly state: StateView;
  readonly policy: Policy;
  /**
   * Decides, writes down, folds; resolves when durable. When the store cannot write, a command that takes rules away (see
   * core/commands.ts) takes effect nevertheless, and its answer says `recorded: false`; any other rejects with StoreError
   * and has not taken effect. Only of a report in a write that does not return is that not known, and its JournalRefusal
   * says so.
   */
  submit(command: Command): Promise<Answer>;
  /** Swaps the policy between two groups of commands and records it. */
  adopt(policy: Policy, command: Extract<Command, { type: 'policy-loaded' }>): Promise<Answer>;
  /** Facts as they become durable. Returns a function that ends the subscription. */
  follow(follower: FactFollower): () => void;
  /** The newest durable facts (at most the newest 10,000) with seq > `after`, oldest first; undefined when `after` is older than what is kept. */
  recent(after: number): readonly RecordedFact[] | undefined;
}

/** One mitigation's rule on one neighbor. */
export interface NeighborRule {
  readonly neighbor: string;
  readonly rule: string;
  readonly nlriHex: string;
  /**
   * `sent` is acknowledged by the peer's TCP, not known to be installed; `pending` waits for the session, its turn or that;
   * `over_budget` waits for room in the neighbor's max_rules.
   */
  readonly state: 'sent' | 'pending' | 'unsupported' | 'over_budget';
  readonly why?: string;
}

/** Why active mitigations are not enforced on a neighbor: one entry for each reason. */
export interface Shortfall {
  readonly neighbor: string;
  readonly state: 'unsupported' | 'over_budget';
  /** In words. */
  readonly why: string;
  /** How many mitigations. */
  readonly count: number;
}

/** A neighbor's rules: routes that are sent or pending, and mitigations' rules that it does not get. */
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

/** What the reconciler lets others see. */
export interface ReconcilerView {
  rulesOf(mitigationId: string): readonly NeighborRule[];
  /** The mitigation's rule in operator notation, in the generic dialect when no neighbor is configured; empty for an unknown id. */
  ruleText(mitigationId: string): string;
  /** What is not enforced where, and why; empty when every neighbor gets every rule. Costs as much as there is of it. */
  shortfalls(): readonly Shortfall[];
  /** Counts for each neighbor, at any number of rules cheap. */
  ruleCounts(): readonly RuleCounts[];
  /** The mitigation on whose behalf a route stands; undefined when it only waits to be withdrawn. */
  ownerOf(peer: string, key: RouteKey): string | undefined;
  readonly stats: {
    readonly runs: number;
    /** Routes that a full run found missing or too many, beyond what changes had asked for. */
    readonly drift: number;
    readonly lastRunAt: number | null;
    readonly lastRunMs: number;
    readonly egressRefusals: number;
  };
}
