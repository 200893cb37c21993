/**
 * Finds the matches that facts have touched. A widened mitigation touches two: its old rule must be withdrawn when the
 * new one is announced.
 */
import type { RecordedFact } from '../core/facts.ts';
import type { MatchKey, StateView } from '../core/state/state.ts';
import { ruleKeys } from '../core/state/state.ts';

/** The effect of a group of facts on the routers. */
export interface Touch {
  readonly keys: Set<MatchKey>;
  /** Mitigations of which only the TTL or the holds changed; their matches are not among the keys. */
  readonly extended: ReadonlySet<string>;
  /** Mitigations that are now being withdrawn. */
  readonly ending: readonly string[];
  /** Mitigations that have ended. */
  readonly ended: readonly string[];
  /** The safelist or the policy changed, so every rule must be checked again. */
  readonly guardChanged: boolean;
}

/** Remembers the last known keys of each active mitigation: that of its rule, and that of its filter. */
export class ChangedMatches {
  readonly #keys = new Map<string, readonly MatchKey[]>();

  /** Returns the last known keys of a mitigation, or looks them up now; its rule's is first. Empty if it is not active. */
  keysOf(id: string, state: StateView): readonly MatchKey[] {
    return this.#keys.get(id) ?? this.#look(id, state);
  }

  /** Returns the effect of the facts, which `state` already contains. */
  by(facts: readonly RecordedFact[], state: StateView): Touch {
    const ids = new Set<string>();
    const extended = new Set<string>();
    const ending: string[] = [];
    const ended: string[] = [];
    let guardChanged = false;
    for (const { fact } of facts) {
      switch (fact.type) {
        case 'mitigation.created':
        case 'mitigation.imported':
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
          // A lifted blackhole has no route, and a mitigation without its filter has one rule less.
          if (fact.change.away === undefined && fact.change.filter === undefined) extended.add(fact.id);
          else ids.add(fact.id);
          break;
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
      for (const before of this.#keys.get(id) ?? []) keys.add(before);
      for (const now of this.#look(id, state)) keys.add(now);
    }
    return keys;
  }

  #look(id: string, state: StateView): readonly MatchKey[] {
    const mitigation = state.live.has(id) ? state.mitigations.get(id) : undefined;
    if (mitigation === undefined) {
      this.#keys.delete(id);
      return [];
    }
    const keys = ruleKeys(mitigation);
    this.#keys.set(id, keys);
    return keys;
  }
}
