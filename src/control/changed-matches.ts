/** Which matches facts have touched. A widened mitigation touches two: the rule it had must go when the new one comes. */
import type { RecordedFact } from '../core/facts.ts';
import type { MatchKey, StateView } from '../core/state/state.ts';
import { matchKey } from '../core/state/state.ts';

/** What a group of facts means for the routers. */
export interface Touch {
  readonly keys: Set<MatchKey>;
  /** Mitigations whose time or holds changed, and nothing else: their matches are not among the keys. */
  readonly extended: ReadonlySet<string>;
  /** Mitigations that are on their way out now. */
  readonly ending: readonly string[];
  /** Mitigations that have ended. */
  readonly ended: readonly string[];
  /** The safelist or the policy changed, so that every rule has to be judged anew. */
  readonly guardChanged: boolean;
}

/** Remembers the match that each live mitigation had when it was last looked at. */
export class ChangedMatches {
  readonly #matchOf = new Map<string, MatchKey>();

  /** The match of a mitigation when it was last looked at; looked at now when it never was. Undefined when it is not live. */
  matchOf(id: string, state: StateView): MatchKey | undefined {
    return this.#matchOf.get(id) ?? this.#look(id, state);
  }

  /** What the facts touched; `state` has them folded in. */
  by(facts: readonly RecordedFact[], state: StateView): Touch {
    const ids = new Set<string>();
    const extended = new Set<string>();
    const ending: string[] = [];
    const ended: string[] = [];
    let guardChanged = false;
    for (const { fact } of facts) {
      switch (fact.type) {
        case 'mitigation.created':
          ids.add(fact.mitigation.id);
          break;
        case 'mitigation.ending':
          ids.add(fact.id);
          ending.push(fact.id);
          break;
        case 'mitigation.withdrawn':
        case 'mitigation.expired':
          ids.add(fact.id);
          ended.push(fact.id);
          break;
        case 'mitigation.extended':
        case 'mitigation.released':
          extended.add(fact.id);
          break;
        case 'mitigation.widened':
        case 'mitigation.escalated':
          ids.add(fact.id);
          break;
        case 'safelist.added':
        case 'safelist.removed':
        case 'policy.loaded':
          guardChanged = true;
          break;
        default:
          break;
      }
    }
    return { keys: this.#keysOf(ids, state), extended, ending, ended, guardChanged };
  }

  #keysOf(ids: Iterable<string>, state: StateView): Set<MatchKey> {
    const keys = new Set<MatchKey>();
    for (const id of ids) {
      const before = this.#matchOf.get(id);
      if (before !== undefined) keys.add(before);
      const now = this.#look(id, state);
      if (now !== undefined) keys.add(now);
    }
    return keys;
  }

  #look(id: string, state: StateView): MatchKey | undefined {
    const mitigation = state.live.has(id) ? state.mitigations.get(id) : undefined;
    if (mitigation === undefined) {
      this.#matchOf.delete(id);
      return undefined;
    }
    const key = matchKey(mitigation.match);
    this.#matchOf.set(id, key);
    return key;
  }
}
