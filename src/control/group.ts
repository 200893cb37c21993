/** A group of commands: decided in order against the folded state, and made durable together. */
import { compareStrictness, type MitigationAction } from '../core/action.ts';
import { setImmediate } from 'node:timers/promises';
import {
  type Answer,
  type Command,
  confirmed,
  type DecideContext,
  type Decision,
  type Elsewhere,
} from '../core/commands.ts';
import { decide } from '../core/decide/decide.ts';
import { predict, type Room } from '../core/decide/forecast.ts';
import { isForHere } from '../core/intent.ts';
import { policyLoadedSteps } from '../core/decide/operator.ts';
import type { Fact, RecordedFact } from '../core/facts.ts';
import type { Policy } from '../core/policy/policy.ts';
import { type MatchKey, ruleKey, type StateHandle } from '../core/state/state.ts';
import type { Mitigation } from '../core/types.ts';
import type { Fifo } from '../net/queue.ts';
import { runInSlices } from '../net/steps.ts';
import { isUnicast } from './action-targets.ts';
import type { UnrecordedCommand } from './unrecorded.ts';

/** Time limit for deciding a group before it is written, so that hold timers are served in between (ms). */
const SLICE_MS = 4;

/** A waiting command with its callbacks. */
export interface Job {
  readonly command: Command;
  /** Adopted before the command is decided. */
  readonly policy?: Policy;
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: unknown) => void;
}

/** A decision made in advance: it returns or throws. */
export type Prepared = () => Decision;

export interface DecidedJob {
  readonly job: Job;
  readonly answer: Answer;
}

export interface DeciderOptions {
  /** Milliseconds since the epoch. */
  readonly clock: () => number;
  /** The system's time as detectors see it, if `clock` does not follow changes of it; default: `clock`. */
  readonly systemTime?: () => number;
  /** Milliseconds from any origin, to measure a slice; default: the process's own. */
  readonly stopwatch?: () => number;
  readonly newId: () => string;
  /** The room on the neighbors; absent: not known. */
  readonly room?: Room;
  /** What is known of the other POPs; absent or undefined: nothing. */
  readonly elsewhere?: () => Elsewhere | undefined;
}

export class Group {
  readonly facts: RecordedFact[] = [];
  /** Decided commands that are not answered yet. */
  decided: readonly DecidedJob[] = [];
  /** Actions that were already in effect and are recorded with the group. */
  readonly actions = new Set<UnrecordedCommand>();
  /** The policy in force after it. */
  policy: Policy;
  /** True if its write has stalled and the state does not contain it. */
  isStalled = false;

  constructor(policy: Policy) {
    this.policy = policy;
  }
}

export class Decider {
  readonly #options: DeciderOptions;
  readonly #state: StateHandle;

  constructor(options: DeciderOptions, state: StateHandle) {
    this.#options = options;
    this.#state = state;
  }

  context(now: number, policy: Policy): DecideContext {
    const { systemTime, newId } = this.#options;
    const elsewhere = this.#options.elsewhere?.();
    return {
      now,
      systemTime: systemTime?.() ?? now,
      newId,
      policy,
      ...(elsewhere === undefined ? {} : { elsewhere }),
    };
  }

  /**
   * Decides a new policy in advance, in slices with turns for others between them, because every active mitigation is
   * checked. Nothing may be folded until the command is first in the next group.
   */
  async prepare(command: Extract<Command, { type: 'policy-loaded' }>, policy: Policy): Promise<Prepared> {
    const { clock, stopwatch = () => performance.now() } = this.#options;
    try {
      const steps = policyLoadedSteps(this.#state, command, this.context(clock(), policy));
      const decision = await runInSlices(steps, {
        milliseconds: SLICE_MS,
        stopwatch,
        pause: () => setImmediate(),
      });
      return () => decision;
    } catch (error) {
      return () => {
        throw error;
      };
    }
  }

  /**
   * Decides the actions already in effect, as of the time they took effect, and then as many waiting commands as fit
   * into a slice. Folds their facts into the state. `prepared` is the decision of the first command, if made in
   * advance.
   */
  fill(
    group: Group,
    actions: readonly UnrecordedCommand[],
    queue: Fifo<Job>,
    prepared: Prepared | undefined,
  ): void {
    for (const action of actions) {
      group.actions.add(action);
      const { facts } = decide(this.#state, confirmed(action.command), this.context(action.at, group.policy));
      this.#fold(group, facts, action.at);
    }
    this.#slice(group, queue, prepared);
  }

  #slice(group: Group, queue: Fifo<Job>, prepared: Prepared | undefined): void {
    const { clock, room: base, stopwatch = () => performance.now() } = this.#options;
    const now = clock();
    // In dry run nothing takes room on a neighbor.
    const known = base !== undefined && group.policy.mode === 'enforced';
    const room = known ? new GroupRoom(base) : undefined;
    const context = this.context(now, group.policy);
    const decided: DecidedJob[] = [];
    group.decided = decided;
    const until = stopwatch() + SLICE_MS;
    let first = prepared;
    do {
      // It must be first in the next group, before which it is prepared.
      if (decided.length > 0 && queue.oldest?.command.type === 'policy-loaded') break;
      // It leaves the queue in any case: if it failed, it would fail again and block the others.
      const job = queue.shift();
      if (job === undefined) break;
      const policy = job.policy ?? group.policy;
      let decision: Decision;
      try {
        const inForce = { ...context, policy, ...(room === undefined ? {} : { room: room.room }) };
        decision = first?.() ?? decide(this.#state, job.command, inForce);
      } catch (error) {
        // A defect of the core affects its command, not the others in the group.
        job.reject(error);
        continue;
      } finally {
        first = undefined;
      }
      // A policy that needs confirmation is not adopted.
      if (decision.answer.type !== 'needs-confirmation') group.policy = policy;
      decided.push({ job, answer: decision.answer });
      for (const fact of this.#fold(group, decision.facts, now)) room?.note(fact.fact, group.policy);
    } while (stopwatch() <= until);
  }

  #fold(group: Group, facts: Decision['facts'], at: number): readonly RecordedFact[] {
    return facts.map((fact) => {
      const recorded: RecordedFact = { pop: group.policy.pop, seq: this.#state.seq + 1, at, fact };
      group.facts.push(recorded);
      this.#state.apply(recorded);
      return recorded;
    });
  }
}

// Room on the neighbors while a group is decided: its decisions count, although no table has them yet.

export class GroupRoom {
  readonly #base: Room;
  /** The decided actions for each neighbor, with their numbers of routes. */
  readonly #decided = new Map<string, { readonly action: MitigationAction; readonly routes: number }[]>();
  /** The decided rules: those that share a match share its routes. */
  readonly #keys = new Set<MatchKey>();

  constructor(base: Room) {
    this.#base = base;
  }

  readonly room: Room = (neighbor, action) => {
    const before = (this.#decided.get(neighbor) ?? []).filter(
      (one) => isUnicast(one.action) === isUnicast(action) && compareStrictness(one.action, action) <= 0,
    );
    return this.#base(neighbor, action) - before.reduce((sum, { routes }) => sum + routes, 0);
  };

  /** Counts the routes that a fact adds to the neighbors' tables. */
  note(fact: Fact, policy: Policy): void {
    const added = addedRule(fact);
    if (added === undefined || this.#keys.has(ruleKey(added))) return;
    this.#keys.add(ruleKey(added));
    const { match, action } = added;
    for (const one of predict(policy, match, action)) {
      if (!one.ok) continue;
      const decided = this.#decided.get(one.neighbor) ?? [];
      decided.push({ action, routes: one.routes });
      this.#decided.set(one.neighbor, decided);
    }
  }
}

/**
 * Returns the rule that a fact adds to one of the budgets: a new one, or one that becomes a unicast route or is one no more.
 * Undefined for a rule that only takes another's place.
 */
function addedRule(fact: Fact): Pick<Mitigation, 'match' | 'action'> | undefined {
  if (fact.type === 'mitigation.created' || fact.type === 'mitigation.imported') {
    return fact.mitigation.dryRun || !isForHere(fact.mitigation) ? undefined : fact.mitigation;
  }
  if (!('change' in fact)) return undefined;
  const { match, action, away } = fact.change;
  if (match === undefined || action === undefined) return undefined;
  return isUnicast(action) || away === null ? { match, action } : undefined;
}
