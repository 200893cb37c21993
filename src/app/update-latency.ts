/** How long decisions take to reach the routers. */
import { forgetOldest } from '../net/forget-oldest.ts';
import type { RecordedFact } from '../core/facts.ts';

/** Decisions waiting to be sent that are remembered; beyond, the oldest is forgotten and not measured. */
const MAX_WAITING = 10_000;

/** Pairs each decision that changes a rule with the first UPDATE that carries it. */
export class UpdateLatency {
  /** When the newest change of a mitigation was decided (ms), until it is first sent. */
  readonly #waiting = new Map<string, number>();
  /** Sent in this very turn of the event loop: what acts on routers hears of a decision before those who count do. */
  readonly #justSent = new Map<string, number>();
  readonly #clock: () => number;
  readonly #observe: (seconds: number) => void;

  constructor(clock: () => number, observe: (seconds: number) => void) {
    this.#clock = clock;
    this.#observe = observe;
  }

  decided({ at, fact }: RecordedFact): void {
    switch (fact.type) {
      case 'mitigation.created':
        if (!fact.mitigation.dryRun) this.#remember(fact.mitigation.id, at);
        break;
      case 'mitigation.widened':
      case 'mitigation.escalated':
        this.#remember(fact.id, at);
        break;
      case 'mitigation.ending':
        this.#waiting.delete(fact.id);
        break;
    }
  }

  /** An announcement for this mitigation was handed to the transport. */
  sent(mitigationId: string): void {
    const now = this.#clock();
    const at = this.#waiting.get(mitigationId);
    if (at !== undefined) {
      this.#waiting.delete(mitigationId);
      this.#measured(at, now);
      return;
    }
    if (this.#justSent.size === 0) setImmediate(() => this.#justSent.clear());
    this.#justSent.set(mitigationId, now);
  }

  #measured(decidedAt: number, sentAt: number): void {
    this.#observe(Math.max(0, sentAt - decidedAt) / 1000);
  }

  #remember(id: string, at: number): void {
    const sent = this.#justSent.get(id);
    if (sent !== undefined) {
      this.#justSent.delete(id);
      this.#measured(at, sent);
      return;
    }
    this.#waiting.delete(id);
    this.#waiting.set(id, at);
    forgetOldest(this.#waiting, MAX_WAITING);
  }
}
