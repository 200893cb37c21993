/** Finds what neighbors lack of the active mitigations. Reads the tables and renders nothing again. */
import type { OutRoute } from '../bgp/rib/route.ts';
import type { PeerStatus } from '../bgp/speaker/types.ts';
import { familyName } from '../bgp/wire/iana.ts';
import type { EgressCheck } from './egress-check.ts';
import type { DesiredRule } from './desired.ts';
import { carries, type Neighbors, type NeighborSync } from './neighbors.ts';
import type { NeighborPolicy } from './render-rule.ts';
import type { RuleCounts, Shortfall, TimerHost, Unenforced } from './types.ts';
import { budgetFor } from './wanted-routes.ts';

/** One mitigation's rule that is missing on one neighbor. */
export interface Lack extends Omit<Shortfall, 'count'> {
  readonly mitigationId: string;
}

/**
 * Yields missing rules in the order of the neighbors. A mitigation appears twice for a neighbor if two of its routes
 * are held back.
 */
export function* lackingIn(neighbors: Neighbors, egress: EgressCheck): Iterable<Lack> {
  const held = egress.held((route) => [...neighbors].some(({ wanted }) => wanted.route(route.key) === route));
  for (const neighbor of neighbors) {
    yield* unsupportedOn(neighbor);
    yield* overBudgetOn(neighbor);
    for (const [route, why] of held) {
      if (neighbor.wanted.route(route.key) !== route) continue;
      yield lackOf(neighbor, route.owner, 'unsupported', heldBackWords(why));
    }
    yield* unnegotiatedOn(neighbor);
  }
}

function* unsupportedOn(neighbor: NeighborSync): Iterable<Lack> {
  for (const key of neighbor.wanted.unsupported) {
    const placed = neighbor.wanted.rule(key);
    if (placed === undefined || placed.rendering.ok) continue;
    yield lackOf(neighbor, placed.rule.mitigationId, 'unsupported', placed.rendering.why);
  }
}

function* overBudgetOn(neighbor: NeighborSync): Iterable<Lack> {
  const { wanted, policy } = neighbor;
  for (const key of wanted.overBudget) {
    const placed = wanted.rule(key);
    if (placed === undefined) continue;
    yield lackOf(neighbor, placed.rule.mitigationId, 'over_budget', overBudgetWords(placed.rule, policy));
  }
}

/** Checks every rule, but only for a session that lacks a configured family. */
function* unnegotiatedOn(neighbor: NeighborSync): Iterable<Lack> {
  const { session, policy, wanted } = neighbor;
  if (session.state === 'down' || session.families.length >= policy.families.length) return;
  for (const key of wanted.matchKeys()) {
    const placed = wanted.rule(key);
    const route = placed?.rendering.ok === true ? placed.rendering.routes[0] : undefined;
    if (route === undefined || carries(neighbor, route) || wanted.overBudget.has(key)) continue;
    yield lackOf(neighbor, route.owner, 'unsupported', unnegotiatedWords(route));
  }
}

function lackOf(neighbor: NeighborSync, mitigationId: string, state: Lack['state'], why: string): Lack {
  return { neighbor: neighbor.policy.name, mitigationId, state, why };
}

export function overBudgetWords({ action }: Pick<DesiredRule, 'action'>, policy: NeighborPolicy): string {
  const { name, max } = budgetFor(action, policy);
  return `${name} (${max}) is used up by stricter or older rules`;
}

export function heldBackWords(why: string): string {
  return `held back by the egress check: ${why}`;
}

export function unnegotiatedWords(route: OutRoute): string {
  return `the session did not negotiate ${familyName(route.family)}`;
}

/** Groups missing rules: one entry for each neighbor and reason. */
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

/** Counts the rules of each peer. While its session is down, all wanted rules are pending. */
export function countRules(
  peers: readonly PeerStatus[],
  neighbors: Neighbors,
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
      pending: state === 'established' ? rulesPending : (neighbors.tableOf(name)?.size ?? 0),
      unsupported: lack('unsupported'),
      overBudget: lack('over_budget'),
    };
  });
}

// Reports mitigations that are not enforced on some neighbor, once for as long as that lasts. This is not a fact: it
// depends on sessions and routers, and may be untrue after a restart.

/** Wait before a check (ms), so that simultaneous changes are reported together and short states not at all. */
const GATHER_MS = 500;

export interface UnenforcedWatchOptions {
  readonly lacking: () => Iterable<Lack>;
  readonly timers: Pick<TimerHost, 'after'>;
  /** Called with newly unenforced mitigations. Must not throw. */
  readonly onUnenforced: (mitigations: readonly Unenforced[]) => void;
}

export class UnenforcedWatch {
  readonly #options: UnenforcedWatchOptions;
  #told: ReadonlySet<string> = new Set();
  #cancel: (() => void) | undefined;
  #stopped = false;

  constructor(options: UnenforcedWatchOptions) {
    this.#options = options;
  }

  /** Schedules a check after a possible change. */
  soon(): void {
    if (this.#stopped || this.#cancel !== undefined) return;
    this.#cancel = this.#options.timers.after(GATHER_MS, () => {
      this.#cancel = undefined;
      this.#look();
    });
  }

  stop(): void {
    this.#stopped = true;
    this.#cancel?.();
    this.#cancel = undefined;
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
