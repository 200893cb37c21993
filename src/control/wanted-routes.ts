/**
 * The routes that one neighbor should hold, even while its session is down: the rules claimed for it, within its
 * budget. Two claims may lead to the same route (pieces of split rules do); the stricter one owns it, and the other
 * takes over when that ends.
 */
import type { OutRoute, RouteKey } from '../bgp/rib/route.ts';
import type { MatchKey } from '../core/state/state.ts';
import type { DesiredRule } from './desired.ts';
import type { Rendering } from './render-rule.ts';

/** A rule as claimed for this neighbor. */
export interface PlacedRule {
  readonly rule: DesiredRule;
  readonly rendering: Rendering;
}

/** With this much room no counting is necessary: a split rule takes at most 64 routes (bgp/flowspec/split.ts). */
const MOST_ROUTES_OF_A_RULE = 64;

export class WantedRoutes {
  readonly #maxRules: number;
  readonly #claims = new Map<MatchKey, PlacedRule>();
  readonly #claimants = new Map<RouteKey, readonly PlacedRule[]>();
  /** Claims that the neighbor does not support; few, since the core knows the neighbor. */
  readonly #unsupported = new Set<MatchKey>();
  /** Claims beyond the budget; empty as long as all are within it. */
  #excess: ReadonlySet<MatchKey> = new Set();
  /** Number of routes of the claims within the budget; null while no claim is in excess. */
  #admitted: number | null = null;

  /** `maxRules` is the neighbor's maximum number of routes. */
  constructor(maxRules: number) {
    this.#maxRules = maxRules;
  }

  /** Replaces the claim under a key; null removes it. Returns the routes that may have changed. */
  set(key: MatchKey, claim: PlacedRule | null): Set<RouteKey> {
    return this.setAll([[key, claim]]);
  }

  /** Calls `set` for many claims; the budget is checked once. */
  setAll(claims: Iterable<readonly [MatchKey, PlacedRule | null]>): Set<RouteKey> {
    const touched = new Set<RouteKey>();
    let changed = false;
    for (const [key, claim] of claims) {
      const before = this.#claims.get(key);
      if (before === (claim ?? undefined)) for (const route of routesOf(before)) touched.add(route.key);
      else {
        this.#put(key, claim, touched);
        changed = true;
      }
    }
    if (changed) this.#rebudget(touched);
    return touched;
  }

  #put(key: MatchKey, claim: PlacedRule | null, touched: Set<RouteKey>): void {
    const before = this.#claims.get(key);
    for (const route of routesOf(before)) {
      touched.add(route.key);
      this.#release(route.key, before);
    }
    this.#claims.delete(key);
    this.#unsupported.delete(key);
    if (claim === null) return;
    this.#claims.set(key, claim);
    if (!claim.rendering.ok) this.#unsupported.add(key);
    for (const route of routesOf(claim)) {
      touched.add(route.key);
      this.#claimants.set(route.key, [...(this.#claimants.get(route.key) ?? []), claim]);
    }
  }

  /** Returns the desired route under the key; undefined for none. */
  want(key: RouteKey): OutRoute | undefined {
    const claimants = this.#claimants.get(key);
    if (claimants === undefined) return undefined;
    let best: PlacedRule | undefined;
    for (const claim of claimants) {
      if (this.#excess.size > 0 && this.#excess.has(claim.rule.matchKey)) continue;
      if (best === undefined || compareClaims(claim, best) < 0) best = claim;
    }
    const routes = routesOf(best);
    const [first] = routes;
    return first?.key === key ? first : routes.find((route) => route.key === key);
  }

  claim(key: MatchKey): PlacedRule | undefined {
    return this.#claims.get(key);
  }

  /** Returns true if the claim is left out because stricter or older ones use up the budget. */
  isExcess(key: MatchKey): boolean {
    return this.#excess.has(key);
  }

  get maxRules(): number {
    return this.#maxRules;
  }

  /** Returns the keys of claims that the neighbor does not support. */
  get unsupported(): ReadonlySet<MatchKey> {
    return this.#unsupported;
  }

  /** Returns the keys of claims that exceed the budget. */
  get excess(): ReadonlySet<MatchKey> {
    return this.#excess;
  }

  /** Returns the number of routes that the neighbor should hold. */
  get size(): number {
    return this.#admitted ?? this.#claimants.size;
  }

  /**
   * Returns the number of routes left for a new rule with this rate (bits a second, 0: discard): only stricter or older
   * rules precede it.
   */
  roomFor(rateBps: number): number {
    const left = this.#maxRules - this.#claimants.size;
    if (left >= MOST_ROUTES_OF_A_RULE) return left;
    let taken = 0;
    for (const claim of this.#claims.values()) {
      if (claim.rule.rateBps <= rateBps) taken += routesOf(claim).length;
    }
    return this.#maxRules - taken;
  }

  matchKeys(): Iterable<MatchKey> {
    return this.#claims.keys();
  }

  routeKeys(): Iterable<RouteKey> {
    return this.#claimants.keys();
  }

  #release(route: RouteKey, claim: PlacedRule | undefined): void {
    const left = (this.#claimants.get(route) ?? []).filter((claimant) => claimant !== claim);
    if (left.length === 0) this.#claimants.delete(route);
    else this.#claimants.set(route, left);
  }

  /**
   * Applies the budget; only a neighbor over its budget needs the sorting. Adds routes that enter or leave the budget
   * to `touched`.
   */
  #rebudget(touched: Set<RouteKey>): void {
    if (this.#claimants.size <= this.#maxRules && this.#excess.size === 0) return;
    const excess = this.#overBudget();
    for (const [key, claim] of this.#claims) {
      if (excess.has(key) !== this.#excess.has(key))
        for (const route of routesOf(claim)) touched.add(route.key);
    }
    this.#excess = excess;
  }

  #overBudget(): ReadonlySet<MatchKey> {
    const excess = new Set<MatchKey>();
    this.#admitted = null;
    if (this.#claimants.size <= this.#maxRules) return excess;
    const admitted = new Set<RouteKey>();
    for (const claim of [...this.#claims.values()].sort(compareClaims)) {
      const added = routesOf(claim).filter((route) => !admitted.has(route.key));
      // A rule of several routes is admitted completely or not at all: half of it would be another rule.
      if (admitted.size + added.length > this.#maxRules) excess.add(claim.rule.matchKey);
      else for (const route of added) admitted.add(route.key);
    }
    this.#admitted = admitted.size;
    return excess;
  }
}

function routesOf(claim: PlacedRule | undefined): readonly OutRoute[] {
  return claim?.rendering.ok === true ? claim.rendering.routes : [];
}

/** Orders the stricter first, then the older, then by key so that the order is total. */
function compareClaims(a: PlacedRule, b: PlacedRule): number {
  if (a.rule.rateBps !== b.rule.rateBps) return a.rule.rateBps - b.rule.rateBps;
  if (a.rule.createdAt !== b.rule.createdAt) return a.rule.createdAt - b.rule.createdAt;
  if (a.rule.matchKey === b.rule.matchKey) return 0;
  return a.rule.matchKey < b.rule.matchKey ? -1 : 1;
}
