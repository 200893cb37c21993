/** What active mitigations lack on which neighbors: read from the tables, where nothing of it is rendered again. */
import type { OutRoute } from '../bgp/rib/route.ts';
import type { PeerStatus } from '../bgp/speaker/types.ts';
import { familyName } from '../bgp/wire/iana.ts';
import type { EgressCheck } from './egress-check.ts';
import { carries, type Neighbors, type NeighborSync } from './neighbors.ts';
import type { RuleCounts, Shortfall, TimerHost, Unenforced } from './types.ts';

/** One mitigation's rule that one neighbor does not get. */
export interface Lack extends Omit<Shortfall, 'count'> {
  readonly mitigationId: string;
}

/** In the order of the neighbors. A mitigation may be named twice for a neighbor where two of its routes are held back. */
export function* lackingIn(fleet: Neighbors, gate: EgressCheck): Iterable<Lack> {
  const held = gate.held((route) => [...fleet].some(({ wanted: table }) => table.want(route.key) === route));
  for (const neighbor of fleet) {
    yield* unsupportedOn(neighbor);
    yield* overBudgetOn(neighbor);
    for (const [route, why] of held) {
      if (neighbor.wanted.want(route.key) !== route) continue;
      yield lackOf(neighbor, route.owner, 'unsupported', heldBackWords(why));
    }
    yield* unnegotiatedOn(neighbor);
  }
}

function* unsupportedOn(neighbor: NeighborSync): Iterable<Lack> {
  for (const key of neighbor.wanted.unsupported) {
    const claim = neighbor.wanted.claim(key);
    if (claim === undefined || claim.rendering.ok) continue;
    yield lackOf(neighbor, claim.rule.mitigationId, 'unsupported', claim.rendering.why);
  }
}

function* overBudgetOn(neighbor: NeighborSync): Iterable<Lack> {
  const { wanted: table } = neighbor;
  for (const key of table.excess) {
    const claim = table.claim(key);
    if (claim === undefined) continue;
    yield lackOf(neighbor, claim.rule.mitigationId, 'over_budget', overBudgetWords(table.maxRules));
  }
}

/** Only a session that lacks a family which its neighbor was configured with pays for looking at every rule. */
function* unnegotiatedOn(neighbor: NeighborSync): Iterable<Lack> {
  const { families, policy, wanted: table } = neighbor;
  if (families.length === 0 || families.length >= policy.families.length) return;
  for (const key of table.matchKeys()) {
    const claim = table.claim(key);
    const route = claim?.rendering.ok === true ? claim.rendering.routes[0] : undefined;
    if (route === undefined || carries(neighbor, route) || table.isExcess(key)) continue;
    yield lackOf(neighbor, route.owner, 'unsupported', unnegotiatedWords(route));
  }
}

function lackOf(neighbor: NeighborSync, mitigationId: string, state: Lack['state'], why: string): Lack {
  return { neighbor: neighbor.policy.name, mitigationId, state, why };
}

export function overBudgetWords(maxRules: number): string {
  return `max_rules (${maxRules}) is used up by stricter or older rules`;
}

export function heldBackWords(why: string): string {
  return `held back by the egress check: ${why}`;
}

export function unnegotiatedWords(route: OutRoute): string {
  return `the session did not negotiate ${familyName(route.family)}`;
}

/** One entry for each neighbor and reason. */
export function shortfallsOf(lacking: Iterable<Lack>): readonly Shortfall[] {
  const groups = new Map<string, Omit<Shortfall, 'count'> & { readonly ids: Set<string> }>();
  for (const { neighbor, mitigationId, state, why } of lacking) {
    const key = `${neighbor}\n${state}\n${why}`;
    const group = groups.get(key) ?? { neighbor, state, why, ids: new Set<string>() };
    group.ids.add(mitigationId);
    groups.set(key, group);
  }
  return [...groups.values()].map(({ ids, ...group }) => ({ ...group, count: ids.size }));
}

/** Counts for each peer. While its session is down, everything that it should hold is pending. */
export function countRules(
  peers: readonly PeerStatus[],
  fleet: Neighbors,
  shortfalls: readonly Shortfall[],
): readonly RuleCounts[] {
  return peers.map(({ name, state, rulesSent, rulesPending }) => {
    const lack = (wanted: Shortfall['state']): number =>
      shortfalls.reduce(
        (sum, one) => sum + (one.neighbor === name && one.state === wanted ? one.count : 0),
        0,
      );
    return {
      neighbor: name,
      sent: rulesSent,
      pending: state === 'established' ? rulesPending : (fleet.tableOf(name)?.size ?? 0),
      unsupported: lack('unsupported'),
      overBudget: lack('over_budget'),
    };
  });
}

// Tells of mitigations that are not enforced on some neighbor, once each for as long as that lasts. It is no fact: it says
// something about sessions and routers, which a restart may make untrue.

/** Waits so long before it looks (ms), so that what happens together is told together and passing states are not told. */
const GATHER_MS = 500;

export interface UnenforcedWatchOptions {
  readonly lacking: () => Iterable<Lack>;
  readonly timers: Pick<TimerHost, 'after'>;
  /** Called with mitigations that were not told before. Must not throw. */
  readonly onUnenforced: (mitigations: readonly Unenforced[]) => void;
}

export class UnenforcedWatch {
  readonly #options: UnenforcedWatchOptions;
  #told: ReadonlySet<string> = new Set();
  #cancel: (() => void) | null = null;
  #stopped = false;

  constructor(options: UnenforcedWatchOptions) {
    this.#options = options;
  }

  /** Something may have changed. */
  soon(): void {
    if (this.#stopped || this.#cancel !== null) return;
    this.#cancel = this.#options.timers.after(GATHER_MS, () => {
      this.#cancel = null;
      this.#look();
    });
  }

  stop(): void {
    this.#stopped = true;
    this.#cancel?.();
    this.#cancel = null;
  }

  #look(): void {
    const lacking = new Map<string, Lack[]>();
    for (const lack of this.#options.lacking()) {
      const known = lacking.get(lack.mitigationId);
      if (known === undefined) lacking.set(lack.mitigationId, [lack]);
      else if (!known.some(({ neighbor }) => neighbor === lack.neighbor)) known.push(lack);
    }
    const news = [...lacking]
      .filter(([id]) => !this.#told.has(id))
      .map(([mitigationId, lacks]) => ({
        mitigationId,
        neighbors: lacks.map(({ neighbor, state, why }) => ({ neighbor, state, why })),
      }));
    this.#told = new Set(lacking.keys());
    if (news.length > 0) this.#options.onUnenforced(news);
  }
}
