/** One neighbor as the reconciler sees it: its policy, what it should hold, and how its session stands. */
import type { OutRoute } from '../bgp/rib/route.ts';
import type { Family } from '../bgp/wire/iana.ts';
import { sameFamily } from '../bgp/wire/iana.ts';
import { WantedRoutes } from './neighbor-table.ts';
import type { NeighborPolicy } from './render.ts';
import { voiceOf } from './render.ts';

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
