/** The reconciler's neighbors: their policies, their tables, and which tables outlive a reload. */
import type { OutRoute, RouteKey } from '../bgp/rib/route.ts';
import { type Family, sameFamily } from '../bgp/wire/iana.ts';
import type { MatchKey } from '../core/state/state.ts';
import { type NeighborPolicy, voiceOf } from './render-rule.ts';
import { WantedRoutes } from './wanted-routes.ts';

/** The result of adopting another list of neighbors. */
export interface Adoption {
  /** Neighbors that are new or have another policy, and so an empty table. */
  readonly fresh: readonly NeighborSync[];
  /** Names that were removed. */
  readonly gone: readonly string[];
}

export class Neighbors implements Iterable<NeighborSync> {
  #neighbors: ReadonlyMap<string, NeighborSync>;

  constructor(policies: readonly NeighborPolicy[]) {
    this.#neighbors = new Map(policies.map((policy) => [policy.name, newNeighborSync(policy)]));
  }

  [Symbol.iterator](): Iterator<NeighborSync> {
    return this.#neighbors.values();
  }

  /** Returns the names in the order of the configuration. */
  get names(): readonly string[] {
    return [...this.#neighbors.keys()];
  }

  get(name: string): NeighborSync | undefined {
    return this.#neighbors.get(name);
  }

  /** Returns true while the neighbor's session is established. */
  isUp(name: string): boolean {
    return (this.get(name)?.families.length ?? 0) > 0;
  }

  tableOf(name: string): WantedRoutes | undefined {
    return this.get(name)?.wanted;
  }

  /**
   * Returns the number of routes left on a neighbor for a new rule with this rate (bits a second); Infinity for an
   * unknown neighbor.
   */
  roomOn(name: string, rateBps: number): number {
    return this.tableOf(name)?.roomFor(rateBps) ?? Number.POSITIVE_INFINITY;
  }

  /** Returns the mitigation that wants a route; undefined if none does. */
  ownerOf(name: string, key: RouteKey): string | undefined {
    return this.get(name)?.wanted.want(key)?.owner;
  }

  /**
   * Returns true if every table has the mitigation's rule, so that a longer TTL changes nothing. A table may lack it:
   * another mitigation may own the match, or this one had expired and was withdrawn before that was recorded.
   */
  isClaimedEverywhere(key: MatchKey, mitigationId: string): boolean {
    for (const { wanted: table } of this)
      if (table.claim(key)?.rule.mitigationId !== mitigationId) return false;
    return true;
  }

  /** Stops tracking every neighbor not in the list. */
  keepOnly(names: Iterable<string>): void {
    const kept = new Set(names);
    for (const neighbor of this) if (!kept.has(neighbor.policy.name)) leave(neighbor);
    this.#neighbors = new Map([...this.#neighbors].filter(([name]) => kept.has(name)));
  }

  /** Adopts another list; neighbors whose policy is the same keep their tables. */
  adopt(policies: readonly NeighborPolicy[]): Adoption {
    const before = this.#neighbors;
    this.#neighbors = new Map(
      policies.map((policy) => {
        const known = before.get(policy.name);
        const isSame = known !== undefined && samePolicy(known.policy, policy);
        return [policy.name, isSame ? known : newNeighborSync(policy)];
      }),
    );
    for (const [name, neighbor] of before) if (this.get(name) !== neighbor) leave(neighbor);
    return {
      fresh: [...this].filter((neighbor) => before.get(neighbor.policy.name) !== neighbor),
      gone: [...before.keys()].filter((name) => !this.#neighbors.has(name)),
    };
  }
}

// One neighbor of the reconciler: its policy, its table, and its session's state.

export interface NeighborSync {
  readonly policy: NeighborPolicy;
  readonly renderKey: string;
  readonly wanted: WantedRoutes;
  /** Families of the established session; empty while it is down. */
  families: readonly Family[];
  /** Counts sessions, so that sending a table notices a new session. */
  generation: number;
  /** True while a new session is being sent its whole table. */
  filling: boolean;
  /**
   * True once a full run has filled the table. Before that, a session gets no End-of-RIB: its router would flush routes
   * that are still to be sent.
   */
  whole: boolean;
}

/** Makes a neighbor whose session is down and whose table is empty. */
export function newNeighborSync(policy: NeighborPolicy): NeighborSync {
  return {
    policy,
    renderKey: voiceOf(policy),
    wanted: new WantedRoutes(policy.maxRules),
    families: [],
    generation: 0,
    filling: false,
    whole: false,
  };
}

/** Returns true if the session can carry the route; false while it is down. */
export function carries(neighbor: NeighborSync, route: OutRoute): boolean {
  return neighbor.families.some((family) => sameFamily(family, route.family));
}

/** Returns true if both policies produce the same rules in the same octets. */
export function samePolicy(a: NeighborPolicy, b: NeighborPolicy): boolean {
  return a.name === b.name && a.maxRules === b.maxRules && voiceOf(a) === voiceOf(b);
}

/** Stops sending to this session: it is down, or its neighbor was removed. */
export function leave(neighbor: NeighborSync): void {
  neighbor.families = [];
  neighbor.filling = false;
  neighbor.generation++;
}
