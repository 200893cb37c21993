/** The reconciler's neighbors: their policies, the routes each should hold, and their sessions. */
import type { MitigationAction } from '../core/action.ts';
import type { OutRoute, RouteKey } from '../bgp/rib/route.ts';
import { type Family, sameFamily } from '../bgp/wire/iana.ts';
import type { MatchKey } from '../core/state/state.ts';
import { type NeighborPolicy, renderKey } from './render-rule.ts';
import { WantedRoutes } from './wanted-routes.ts';

/**
 * A neighbor's session. In every state but `down` it gets each change at once.
 *
 *            established             table complete           all given
 *     down ───────────────▶ waiting ────────────────▶ filling ─────────▶ in-sync
 *      ▲  ╰─ if the table is complete already ───────────▲                  │
 *      ╰─────────── session down or neighbor removed ────┴──────────────────╯
 *
 * - waiting: no full run has completed the neighbor's table yet, so there is no End-of-RIB: the router would flush
 *   routes that are still to come (RFC 4724 §4.2).
 * - filling: it is being given its table in slices.
 * - in-sync: it was given everything, and End-of-RIB.
 */
export type SyncSession =
  | { readonly state: 'down' }
  | { readonly state: 'waiting' | 'filling' | 'in-sync'; readonly families: readonly Family[] };

const DOWN: SyncSession = { state: 'down' };

export interface NeighborSync {
  readonly policy: NeighborPolicy;
  readonly renderKey: string;
  /** The neighbor's table, which outlives its sessions. */
  readonly wanted: WantedRoutes;
  /** True once a full run has completed the table. */
  tableComplete: boolean;
  /** Another object for each state of each session, so that work in slices notices a change. */
  session: SyncSession;
}

/** Tells if the egress check holds a route back. */
type IsRefused = (route: OutRoute) => boolean;

/** Makes a neighbor whose session is down and whose table is empty. */
function newNeighborSync(policy: NeighborPolicy, isRefused: IsRefused): NeighborSync {
  const wanted = new WantedRoutes(policy.maxRules, policy.maxUnicast, isRefused);
  return { policy, renderKey: renderKey(policy), wanted, tableComplete: false, session: DOWN };
}

/** Returns true if the session can carry the route; false while it is down. */
export function carries({ session }: NeighborSync, route: OutRoute): boolean {
  return session.state !== 'down' && session.families.some((family) => sameFamily(family, route.family));
}

/** Stops sending to this session: it is down, or its neighbor was removed. */
export function leave(neighbor: NeighborSync): void {
  neighbor.session = DOWN;
}

/** Returns true if both policies produce the same rules in the same octets. */
export function samePolicy(a: NeighborPolicy, b: NeighborPolicy): boolean {
  return (
    a.name === b.name &&
    a.maxRules === b.maxRules &&
    (a.maxUnicast ?? 0) === (b.maxUnicast ?? 0) &&
    renderKey(a) === renderKey(b)
  );
}

export class Neighbors implements Iterable<NeighborSync> {
  readonly #isRefused: IsRefused;
  #neighbors: ReadonlyMap<string, NeighborSync>;

  /** `isRefused`: see WantedRoutes. */
  constructor(policies: readonly NeighborPolicy[], isRefused: IsRefused = () => false) {
    this.#isRefused = isRefused;
    this.#neighbors = new Map(policies.map((policy) => [policy.name, newNeighborSync(policy, isRefused)]));
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
    return (this.get(name)?.session.state ?? 'down') !== 'down';
  }

  tableOf(name: string): WantedRoutes | undefined {
    return this.get(name)?.wanted;
  }

  /**
   * Returns the number of routes left on a neighbor for a new rule with this action; Infinity for an unknown neighbor.
   */
  roomOn(name: string, action: MitigationAction): number {
    return this.tableOf(name)?.roomFor(action) ?? Number.POSITIVE_INFINITY;
  }

  /** Returns the mitigation that wants a route; undefined if none does. */
  ownerOf(name: string, key: RouteKey): string | undefined {
    return this.get(name)?.wanted.route(key)?.owner;
  }

  /**
   * Returns true if every table has the mitigation's rule, so that a longer TTL changes nothing. A table may lack it:
   * another mitigation may own the match, or this one had expired and was withdrawn before that was recorded.
   */
  allHaveRule(key: MatchKey, mitigationId: string): boolean {
    for (const { wanted } of this) if (wanted.rule(key)?.rule.mitigationId !== mitigationId) return false;
    return true;
  }

  /** Stops tracking every neighbor not in the list. */
  keepOnly(names: Iterable<string>): void {
    const kept = new Set(names);
    for (const neighbor of this) if (!kept.has(neighbor.policy.name)) leave(neighbor);
    this.#neighbors = new Map([...this.#neighbors].filter(([name]) => kept.has(name)));
  }

  /**
   * Adopts another list; neighbors whose policy is the same keep their tables. Returns those that are new or have another
   * policy, and so an empty table.
   */
  adopt(policies: readonly NeighborPolicy[]): readonly NeighborSync[] {
    const before = this.#neighbors;
    this.#neighbors = new Map(
      policies.map((policy) => {
        const known = before.get(policy.name);
        const isSame = known !== undefined && samePolicy(known.policy, policy);
        return [policy.name, isSame ? known : newNeighborSync(policy, this.#isRefused)];
      }),
    );
    for (const [name, neighbor] of before) if (this.get(name) !== neighbor) leave(neighbor);
    return [...this].filter((neighbor) => before.get(neighbor.policy.name) !== neighbor);
  }
}
