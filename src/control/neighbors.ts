/** The neighbors as the reconciler knows them: which there are, what each should hold, and whose table outlives a reload. */
import type { OutRoute, RouteKey } from '../bgp/rib/route.ts';
import { type Family, sameFamily } from '../bgp/wire/iana.ts';
import type { MatchKey } from '../core/state/state.ts';
import { type NeighborPolicy, voiceOf } from './render-rule.ts';
import { WantedRoutes } from './wanted-routes.ts';

/** What another list of neighbors came to. */
export interface Adoption {
  /** Those that are new, or have another policy and with it an empty table. */
  readonly fresh: readonly NeighborSync[];
  /** Names that are not there any more. */
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

  /** In the order of the configuration. */
  get names(): readonly string[] {
    return [...this.#neighbors.keys()];
  }

  get(name: string): NeighborSync | undefined {
    return this.#neighbors.get(name);
  }

  /** True while the neighbor's session is established. */
  isUp(name: string): boolean {
    return (this.get(name)?.families.length ?? 0) > 0;
  }

  tableOf(name: string): WantedRoutes | undefined {
    return this.get(name)?.wanted;
  }

  /** How many routes a neighbor has left for a new rule with this rate (bits a second); Infinity for one that is not known. */
  roomOn(name: string, rateBps: number): number {
    return this.tableOf(name)?.roomFor(rateBps) ?? Number.POSITIVE_INFINITY;
  }

  /** The mitigation on whose behalf a route should stand; undefined when none wants it. */
  ownerOf(name: string, key: RouteKey): string | undefined {
    return this.get(name)?.wanted.want(key)?.owner;
  }

  /**
   * Every table has the mitigation's rule, so that a longer life changes nothing. It may lack it: another mitigation may
   * speak for the match, or this one had expired and was withdrawn before its end was written down.
   */
  isClaimedEverywhere(key: MatchKey, mitigationId: string): boolean {
    for (const { wanted: table } of this)
      if (table.claim(key)?.rule.mitigationId !== mitigationId) return false;
    return true;
  }

  /** Takes leave of the neighbors that are not named. */
  keepOnly(names: Iterable<string>): void {
    const kept = new Set(names);
    for (const neighbor of this) if (!kept.has(neighbor.policy.name)) leave(neighbor);
    this.#neighbors = new Map([...this.#neighbors].filter(([name]) => kept.has(name)));
  }

  /** Takes another list; those whose policy is the same keep their tables. */
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

// One neighbor as the reconciler sees it: its policy, what it should hold, and how its session stands.

export interface NeighborSync {
  readonly policy: NeighborPolicy;
  readonly renderKey: string;
  readonly wanted: WantedRoutes;
  /** Families of the established session; empty while it is down. */
  families: readonly Family[];
  /** Counts sessions, so that a table being sent notices that its session is another one. */
  generation: number;
  /** True while a session that came up is being given everything. */
  filling: boolean;
  /** A full run has filled the table. Before, a session gets no End-of-RIB: its router would flush what is still to come. */
  whole: boolean;
}

/** A neighbor whose session is down and whose table is empty. */
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

/** True when the session may carry the route; false while it is down. */
export function carries(neighbor: NeighborSync, route: OutRoute): boolean {
  return neighbor.families.some((family) => sameFamily(family, route.family));
}

/** True when the two ask for the same rules in the same octets. */
export function samePolicy(a: NeighborPolicy, b: NeighborPolicy): boolean {
  return a.name === b.name && a.maxRules === b.maxRules && voiceOf(a) === voiceOf(b);
}

/** Nothing more is told to this session: it is down, or its neighbor has no place here any more. */
export function leave(neighbor: NeighborSync): void {
  neighbor.families = [];
  neighbor.filling = false;
  neighbor.generation++;
}
