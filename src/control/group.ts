/** A group of commands: decided one after the other against the folded state, and made durable together. */
import { setImmediate } from 'node:timers/promises';
import { type Answer, type Command, confirmed, type DecideContext, type Decision } from '../core/commands.ts';
import { decide } from '../core/decide/decide.ts';
import { predict, type Room } from '../core/decide/forecast.ts';
import { policyLoadedSteps } from '../core/decide/operator.ts';
import type { Fact, RecordedFact } from '../core/facts.ts';
import type { Policy } from '../core/policy/policy.ts';
import type { StateHandle } from '../core/state/state.ts';
import type { Fifo } from '../net/queue.ts';
import { runInSlices } from '../net/steps.ts';
import type { UnrecordedCommand } from './unrecorded.ts';

/** How long a group may decide before it is written, so that hold timers are served in between (ms). */
const SLICE_MS = 4;

/** A command that waits, and whom to tell. */
export interface Job {
  readonly command: Command;
  /** Adopted before the command is decided. */
  readonly policy?: Policy;
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: unknown) => void;
}

/** How a decision that was made beforehand ends: it returns or throws. */
export type Prepared = () => Decision;

export interface DecidedJob {
  readonly job: Job;
  readonly answer: Answer;
}

export interface DeciderOptions {
  /** Milliseconds since the epoch. */
  readonly clock: () => number;
  /** The time as detectors know it, where `clock` does not follow when it is set; by default the same. */
  readonly systemTime?: () => number;
  /** Milliseconds from any beginning, by which the length of a slice is measured; by default the process's own. */
  readonly stopwatch?: () => number;
  readonly newId: () => string;
  /** What the neighbors have room for; absent: not known. */
  readonly room?: Room;
}

export class Group {
  readonly facts: RecordedFact[] = [];
  /** Those that are not answered yet. */
  decided: readonly DecidedJob[] = [];
  /** What was in effect already and is recorded with it. */
  readonly actions = new Set<UnrecordedCommand>();
  /** The policy in force after it. */
  policy: Policy;
  /** Its write takes long, and the state is without it. */
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
    return { now, systemTime: systemTime?.() ?? now, newId, policy };
  }

  /**
   * Decides about a new policy beforehand, in slices with turns for others between them, because every active mitigation
   * is looked at. Nothing may be folded until the command heads the next group.
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
   * Decides what is in effect already, as of the time when it took effect, and then as many waiting commands as fit into a
   * slice. Their facts are folded into the state. `prepared` is the decision of the first of them, if it was made before.
   */
  fill(
    group: Group,
    actions: readonly UnrecordedCommand[],
    queue: Fifo<Job>,
    prepared: Prepared | null,
  ): void {
    for (const action of actions) {
      group.actions.add(action);
      const { facts } = decide(this.#state, confirmed(action.command), this.context(action.at, group.policy));
      this.#fold(group, facts, action.at);
    }
    this.#slice(group, queue, prepared);
  }

  #slice(group: Group, queue: Fifo<Job>, prepared: Prepared | null): void {
    const { clock, room: base, stopwatch = () => performance.now() } = this.#options;
    const now = clock();
    // In dry-run nothing takes room on a neighbor.
    const known = base !== undefined && group.policy.mode === 'enforced';
    const room = known ? new GroupRoom(base) : undefined;
    const context = this.context(now, group.policy);
    const decided: DecidedJob[] = [];
    group.decided = decided;
    const until = stopwatch() + SLICE_MS;
    let first = prepared;
    do {
      // It heads the next group, before which it is prepared.
      if (decided.length > 0 && queue.oldest?.command.type === 'policy-loaded') break;
      // It leaves the queue whatever comes of it: asked again, what failed would fail again, and nobody would get another turn.
      const job = queue.shift();
      if (job === undefined) break;
      const policy = job.policy ?? group.policy;
      let decision: Decision;
      try {
        const inForce = { ...context, policy, ...(room === undefined ? {} : { room: room.room }) };
        decision = first?.() ?? decide(this.#state, job.command, inForce);
      } catch (error) {
        // A defect of the core concerns the command that met it, not the ones that happened to wait beside it.
        job.reject(error);
        continue;
      } finally {
        first = null;
      }
      // A policy that was only asked about is not adopted.
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

// Room on the neighbors while a group of commands is decided: what it has decided counts, although no table has it yet.

export class GroupRoom {
  readonly #base: Room;
  /** Routes by rate, for each neighbor. */
  readonly #decided = new Map<string, Map<number, number>>();

  constructor(base: Room) {
    this.#base = base;
  }

  readonly room: Room = (neighbor, rateBps) => {
    let taken = 0;
    for (const [rate, routes] of this.#decided.get(neighbor) ?? []) if (rate <= rateBps) taken += routes;
    return this.#base(neighbor, rateBps) - taken;
  };

  /** Counts what a fact adds to the neighbors' tables. */
  note(fact: Fact, policy: Policy): void {
    if (fact.type !== 'mitigation.created' || fact.mitigation.dryRun) return;
    const { match, action } = fact.mitigation;
    for (const one of predict(policy, match, action)) {
      if (!one.ok) continue;
      const rates = this.#decided.get(one.neighbor) ?? new Map<number, number>();
      const rate = action.rateBps ?? 0;
      rates.set(rate, (rates.get(rate) ?? 0) + one.routes);
      this.#decided.set(one.neighbor, rates);
    }
  }
}
