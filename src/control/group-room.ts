/** Room on the neighbors while a group of commands is decided: what it has decided counts, although no table has it yet. */
import type { Fact } from '../core/facts.ts';
import { predict, type Room } from '../core/forecast.ts';
import type { Policy } from '../core/policy.ts';

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
