/**
 * The routes that one neighbor should hold, even while its session is down: the rules placed on it, within its budgets
 * of FlowSpec and of unicast routes.
 * Two rules may lead to the same route (pieces of split rules do); the stricter one owns it, and the other takes over
 * when that ends.
 */
import { compareStrictness, type MitigationAction } from '../core/action.ts';
import type { OutRoute, RouteKey, RouteKind } from '../bgp/rib/route.ts';
import type { Targets } from '../core/policy/scrubbers.ts';
import type { MatchKey } from '../core/state/state.ts';
import { isUnicast } from './action-targets.ts';
import type { DesiredRule } from './desired.ts';
import type { Rendering } from './render-rule.ts';

/** A rule as rendered for this neighbor. */
export interface PlacedRule {
  readonly rule: DesiredRule;
  /** The targets that it was rendered with; undefined if it does not depend on them. */
  readonly targets?: Targets | undefined;
  readonly rendering: Rendering;
}

/** With this much room no counting is necessary: a split rule takes at most 64 routes (bgp/flowspec/split.ts). */
const MOST_ROUTES_OF_A_RULE: Readonly<Record<RouteKind, number>> = { flowspec: 64, unicast: 1 };

/** A neighbor's limit of routes of one kind. */
export interface Budget {
  /** Its name in the configuration. */
  readonly name: 'max_rules' | 'max_unicast';
  readonly max: number;
}

/** Returns the neighbor's budget for rules with this action. */
export function budgetFor(
  action: MitigationAction,
  { maxRules, maxUnicast = 0 }: { readonly maxRules: number; readonly maxUnicast?: number },
): Budget {
  return isUnicast(action) ? { name: 'max_unicast', max: maxUnicast } : { name: 'max_rules', max: maxRules };
}

function kindOf(action: MitigationAction): RouteKind {
  return isUnicast(action) ? 'unicast' : 'flowspec';
}

export class WantedRoutes {
  readonly #max: Readonly<Record<RouteKind, number>>;
  readonly #isRefused: (route: OutRoute) => boolean;
  /** Number of routes of each kind, whether within the budget or not. */
  readonly #counts: Record<RouteKind, number> = { flowspec: 0, unicast: 0 };
  readonly #rules = new Map<MatchKey, PlacedRule>();
  readonly #byRoute = new Map<RouteKey, readonly PlacedRule[]>();
  /** Rules that the neighbor does not support; few, since the core knows the neighbor. */
  readonly #unsupported = new Set<MatchKey>();
  /** Rules beyond the budget; empty as long as all are within it. */
  #overBudget: ReadonlySet<MatchKey> = new Set();
  /** Number of routes of the rules within the budget; undefined while no rule is beyond it. */
  #admitted: number | undefined;

  /**
   * `maxRules` and `maxUnicast` are the maximum numbers of FlowSpec and of unicast routes. `isRefused` tells of a route that
   * the egress check holds back, which takes no room; it is asked only when room is scarce.
   */
  constructor(maxRules: number, maxUnicast = 0, isRefused: (route: OutRoute) => boolean = () => false) {
    this.#max = { flowspec: maxRules, unicast: maxUnicast };
    this.#isRefused = isRefused;
  }

  /** Replaces the rule under a key; undefined removes it. Returns the routes that may have changed. */
  place(key: MatchKey, placed: PlacedRule | undefined): Set<RouteKey> {
    return this.placeAll([[key, placed]]);
  }

  /** Calls `place` for many rules; the budget is checked once. */
  placeAll(rules: Iterable<readonly [MatchKey, PlacedRule | undefined]>): Set<RouteKey> {
    const changed = new Set<RouteKey>();
    let isChanged = false;
    for (const [key, placed] of rules) {
      const before = this.#rules.get(key);
      if (before === placed) for (const route of routesOf(before)) changed.add(route.key);
      else {
        this.#put(key, placed, changed);
        isChanged = true;
      }
    }
    if (isChanged) this.#applyBudget(changed);
    return changed;
  }

  /** Applies the budgets again, after `isRefused` has changed. Returns the routes that may have changed. */
  reapplyBudgets(): Set<RouteKey> {
    const changed = new Set<RouteKey>();
    this.#applyBudget(changed);
    return changed;
  }

  /** Returns the route that the neighbor should hold under the key; undefined for none. */
  route(key: RouteKey): OutRoute | undefined {
    const rules = this.#byRoute.get(key);
    if (rules === undefined) return undefined;
    let best: PlacedRule | undefined;
    for (const placed of rules) {
      if (this.#overBudget.size > 0 && this.#overBudget.has(placed.rule.matchKey)) continue;
      if (best === undefined || comparePlaced(placed, best) < 0) best = placed;
    }
    const routes = routesOf(best);
    const [first] = routes;
    return first?.key === key ? first : routes.find((route) => route.key === key);
  }

  rule(key: MatchKey): PlacedRule | undefined {
    return this.#rules.get(key);
  }

  /** Returns the keys of rules that the neighbor does not support. */
  get unsupported(): ReadonlySet<MatchKey> {
    return this.#unsupported;
  }

  /** Returns the keys of rules that are left out because stricter or older ones use up the budget. */
  get overBudget(): ReadonlySet<MatchKey> {
    return this.#overBudget;
  }

  /** Returns the number of routes that the neighbor should hold. */
  get size(): number {
    return this.#admitted ?? this.#byRoute.size;
  }

  /**
   * Returns the number of routes left for a new rule with this action: only stricter and older rules of its kind precede
   * it.
   */
  roomFor(action: MitigationAction): number {
    const kind = kindOf(action);
    const left = this.#max[kind] - this.#counts[kind];
    if (left >= MOST_ROUTES_OF_A_RULE[kind]) return left;
    let taken = 0;
    for (const placed of this.#rules.values()) {
      const isBefore =
        kindOf(placed.rule.action) === kind && compareStrictness(placed.rule.action, action) <= 0;
      if (isBefore) taken += this.#takingRoom(placed).length;
    }
    return this.#max[kind] - taken;
  }

  matchKeys(): Iterable<MatchKey> {
    return this.#rules.keys();
  }

  routeKeys(): Iterable<RouteKey> {
    return this.#byRoute.keys();
  }

  #put(key: MatchKey, placed: PlacedRule | undefined, changed: Set<RouteKey>): void {
    const before = this.#rules.get(key);
    for (const route of routesOf(before)) {
      changed.add(route.key);
      const left = (this.#byRoute.get(route.key) ?? []).filter((one) => one !== before);
      if (left.length > 0) this.#byRoute.set(route.key, left);
      else if (this.#byRoute.delete(route.key)) this.#count(before, -1);
    }
    this.#rules.delete(key);
    this.#unsupported.delete(key);
    if (placed === undefined) return;
    this.#rules.set(key, placed);
    if (!placed.rendering.ok) this.#unsupported.add(key);
    for (const route of routesOf(placed)) {
      changed.add(route.key);
      const others = this.#byRoute.get(route.key);
      if (others === undefined) this.#count(placed, 1);
      this.#byRoute.set(route.key, [...(others ?? []), placed]);
    }
  }

  #count(placed: PlacedRule | undefined, by: 1 | -1): void {
    if (placed !== undefined) this.#counts[kindOf(placed.rule.action)] += by;
  }

  #takingRoom(placed: PlacedRule): readonly OutRoute[] {
    return routesOf(placed).filter((route) => !this.#isRefused(route));
  }

  get #isWithinBudget(): boolean {
    return this.#counts.flowspec <= this.#max.flowspec && this.#counts.unicast <= this.#max.unicast;
  }

  /**
   * Applies the budget; only a neighbor over its budget needs the sorting. Adds routes that enter or leave the budget
   * to `changed`.
   */
  #applyBudget(changed: Set<RouteKey>): void {
    if (this.#isWithinBudget && this.#overBudget.size === 0) return;
    const overBudget = this.#findOverBudget();
    for (const [key, placed] of this.#rules) {
      if (overBudget.has(key) === this.#overBudget.has(key)) continue;
      for (const route of routesOf(placed)) changed.add(route.key);
    }
    this.#overBudget = overBudget;
  }

  #findOverBudget(): ReadonlySet<MatchKey> {
    const overBudget = new Set<MatchKey>();
    this.#admitted = undefined;
    if (this.#isWithinBudget) return overBudget;
    const admitted = new Set<RouteKey>();
    const counts: Record<RouteKind, number> = { flowspec: 0, unicast: 0 };
    for (const placed of [...this.#rules.values()].sort(comparePlaced)) {
      const added = this.#takingRoom(placed).filter((route) => !admitted.has(route.key));
      // A rule of several routes is admitted completely or not at all: half of it would be another rule.
      const kind = kindOf(placed.rule.action);
      if (counts[kind] + added.length > this.#max[kind]) {
        overBudget.add(placed.rule.matchKey);
        continue;
      }
      counts[kind] += added.length;
      for (const route of added) admitted.add(route.key);
    }
    this.#admitted = admitted.size;
    return overBudget;
  }
}

function routesOf(placed: PlacedRule | undefined): readonly OutRoute[] {
  return placed?.rendering.ok === true ? placed.rendering.routes : [];
}

/** Orders the stricter first, then the older, then by key so that the order is total. */
function comparePlaced(a: PlacedRule, b: PlacedRule): number {
  const byAction = compareStrictness(a.rule.action, b.rule.action);
  if (byAction !== 0) return byAction;
  if (a.rule.createdAt !== b.rule.createdAt) return a.rule.createdAt - b.rule.createdAt;
  if (a.rule.matchKey === b.rule.matchKey) return 0;
  return a.rule.matchKey < b.rule.matchKey ? -1 : 1;
}
