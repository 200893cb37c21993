/**
 * Keeps the commands that took rules away while the journal could not be written, in order, and folds their effect over
 * the durable state, so that all readers see it and routers follow. It keeps commands, not facts: a stalled write may
 * still become durable, and the commands are then decided again after it.
 */
import {
  type Answer,
  coversPending,
  confirmed,
  type DecideContext,
  type WithdrawingCommand,
  withdrawingFacts,
} from '../core/commands.ts';
import { decide } from '../core/decide/decide.ts';
import type { Fact, RecordedFact } from '../core/facts.ts';
import type { StateHandle } from '../core/state/state.ts';
import { MAX_UNRECORDED } from './refusals.ts';

/** A command in effect. */
export interface UnrecordedCommand {
  readonly command: WithdrawingCommand;
  /** Time at which it took effect (ms since the epoch). */
  readonly at: number;
}

/** Returns the context of a decision at a time (ms since the epoch). */
export type ContextAt = (now: number) => DecideContext;

export class Unrecorded {
  readonly #state: StateHandle;
  #actions: readonly UnrecordedCommand[] = [];
  /** True while the fold is on the state, as a group that can be taken back. */
  #laid = false;

  constructor(state: StateHandle) {
    this.#state = state;
  }

  /** Returns the actions in the order in which they took effect. */
  get actions(): readonly UnrecordedCommand[] {
    return this.#actions;
  }

  /** True while one more may be kept. What other POPs end leaves half of the room to operators. */
  hasRoomFor({ type }: WithdrawingCommand): boolean {
    return this.#actions.length < (type === 'import' ? MAX_UNRECORDED / 2 : MAX_UNRECORDED);
  }

  /** Removes the fold from the state, which is durable then. */
  lift(): void {
    if (this.#laid) this.#state.rollback();
    this.#laid = false;
  }

  /** Folds the actions over the durable state. Returns their facts, whose numbers are preliminary. */
  lay(contextAt: ContextAt): readonly RecordedFact[] {
    return this.#actions.flatMap(({ command, at }) => {
      const context = contextAt(at);
      return this.#fold(decide(this.#state, confirmed(command), context).facts, at, context.policy.pop);
    });
  }

  /**
   * Lets a command take effect, and keeps it. A command that finds nothing to take away is only answered, unless
   * `pending`: a current write may add what it takes away.
   */
  act(
    action: UnrecordedCommand,
    contextAt: ContextAt,
    pending: boolean,
  ): { readonly answer: Answer; readonly facts: readonly RecordedFact[]; readonly kept: boolean } {
    const { command, at } = action;
    const context = contextAt(at);
    const { answer, facts } = decide(this.#state, command, context);
    const isCovered = this.#actions.some((one) => coversPending(one.command));
    const kept = facts.length > 0 || (pending && coversPending(command) && !isCovered);
    // It may find nothing to do because of an action that is not recorded either.
    if (!kept) return { answer: this.#actions.length > 0 ? unrecorded(answer) : answer, facts: [], kept };
    const folded = this.#fold(facts, at, context.policy.pop);
    this.#actions = [...this.#actions, action];
    return { answer: unrecorded(answer), facts: folded, kept };
  }

  /** Drops actions that are in the journal now, or have become unnecessary. */
  drop(recorded: ReadonlySet<UnrecordedCommand>): void {
    if (recorded.size > 0) this.#actions = this.#actions.filter((action) => !recorded.has(action));
  }

  #fold(facts: readonly Fact[], at: number, pop: string): readonly RecordedFact[] {
    if (!this.#laid) this.#state.begin();
    this.#laid = true;
    return withdrawingFacts(facts).map((fact) => {
      const recorded: RecordedFact = { pop, seq: this.#state.seq + 1, at, fact };
      this.#state.apply(recorded);
      return recorded;
    });
  }
}

function unrecorded(answer: Answer): Answer {
  switch (answer.type) {
    case 'mitigation':
    case 'safelist':
    case 'done':
      return { ...answer, recorded: false };
    default:
      return answer;
  }
}
