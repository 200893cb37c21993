/** Operators' decisions that last until an operator takes them back: the pause, and the neighbors kept down. */
import type { Fact } from '../facts.ts';
import type { OperatorDecision } from './state-view.ts';

type DecisionFact = Extract<Fact, { type: `control.${string}` | `peer.${string}` }>;

export class OperatorDecisions {
  /** By name. */
  readonly disabledPeers = new Map<string, OperatorDecision>();
  #paused: OperatorDecision | undefined;

  get paused(): OperatorDecision | undefined {
    return this.#paused;
  }

  /** Takes note of a fact. Returns a function that undoes it. */
  record(fact: DecisionFact, at: number): () => void {
    const decision = { actor: fact.actor, at, reason: fact.reason };
    switch (fact.type) {
      case 'control.paused':
        return this.setPaused(decision);
      case 'control.resumed':
        return this.setPaused(undefined);
      case 'peer.disabled':
        return this.setDisabled(fact.peer, decision);
      case 'peer.enabled':
        return this.setDisabled(fact.peer, undefined);
    }
  }

  /** Pauses, or with undefined resumes. Returns a function that undoes it. */
  setPaused(paused: OperatorDecision | undefined): () => void {
    const before = this.#paused;
    this.#paused = paused;
    return () => {
      this.#paused = before;
    };
  }

  /** Disables a neighbor, or with undefined enables it. Returns a function that undoes it. */
  setDisabled(peer: string, decision: OperatorDecision | undefined): () => void {
    const before = [...this.disabledPeers];
    if (decision === undefined) this.disabledPeers.delete(peer);
    else this.disabledPeers.set(peer, decision);
    return () => {
      this.disabledPeers.clear();
      for (const [name, earlier] of before) this.disabledPeers.set(name, earlier);
    };
  }
}
