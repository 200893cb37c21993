/**
 * Computes a router's expected rules and unicast routes from the state alone, with different code than the reconciler: takes
 * the strictest active mitigation for each match or prefix, and fills both budgets from the strictest down.
 */
import type { AdjRibOutView } from '../../src/bgp/rib/adj-rib-out.ts';
import type { RouteAttributes } from '../../src/bgp/rib/route.ts';
import type { Family } from '../../src/bgp/wire/iana.ts';
import { type NeighborPolicy, render } from '../../src/control/render-rule.ts';
import type { MitigationAction } from '../../src/core/action.ts';
import type { Targets } from '../../src/core/policy/scrubbers.ts';
import type { StateView } from '../../src/core/state/state.ts';
import { matchKey } from '../../src/core/state/state.ts';
import type { Mitigation } from '../../src/core/types.ts';
import type { LabRule } from '../../src/lab/rule-table.ts';
import { toHex } from '../../src/net/bytes.ts';

/**
 * What each route carries in hexadecimal, by family and NLRI: the EXTENDED_COMMUNITIES of a rule, and after a comma its next
 * hop, the IPv6 ones, and a unicast route's communities. `1/133/0901...`: `8006...`.
 */
export type Table = ReadonlyMap<string, string>;

/** The order of strictness, most severe first; the last two are equal. */
const SEVERITY: Readonly<Record<MitigationAction['type'], number>> = {
  ...{ blackhole: 1, discard: 2, police: 3, redirect: 4, divert: 4 },
};

/** What a mitigation asks of a router: its rule or route, or the filter beneath its route. */
interface Wish extends Pick<Mitigation, 'id' | 'match' | 'action' | 'createdAt'> {
  /** For a filter: the route that goes before it where a router can hold it. */
  readonly beneath?: Pick<Mitigation, 'match' | 'action'>;
  /** For a route: a router that cannot hold it has the filter. */
  readonly hasFilter: boolean;
}

function wishesOf({ id, match, action, createdAt, filter }: Mitigation): readonly Wish[] {
  if (filter === undefined || filter === null) return [{ id, match, action, createdAt, hasFilter: false }];
  const beneath = { match, action };
  return [
    { id, match, action, createdAt, hasFilter: true },
    { id, match: filter.match, action: filter.action, createdAt, hasFilter: false, beneath },
  ];
}

/** What a rule lets through: of two of a kind, the lower rate is stricter, and none at all is the highest. */
function severity({ action }: Wish): readonly [kind: number, rate: number] {
  const isFull = action.type === 'redirect' || action.type === 'divert';
  return [SEVERITY[action.type], action.rateBps ?? (isFull ? Number.MAX_VALUE : 0)];
}

/** Stricter first, then older. */
function byStrictness(a: Wish, b: Wish): number {
  const [[kind, rate], [otherKind, otherRate]] = [severity(a), severity(b)];
  return kind - otherKind || rate - otherRate || a.createdAt - b.createdAt;
}

/** Wishes of all routers before filters, which only some routers need. */
function byPrecedence(a: Wish, b: Wish): number {
  const isFilter = ({ beneath }: Wish): number => (beneath === undefined ? 0 : 1);
  return isFilter(a) - isFilter(b) || byStrictness(a, b) || text(a.id, b.id);
}

const text = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

const isRoute = ({ action }: Pick<Wish, 'action'>): boolean =>
  action.type === 'divert' || action.type === 'blackhole';

/** A router holds one unicast route for a prefix, beside the rules for it. */
const placeOf = (one: Wish): string =>
  isRoute(one) ? `unicast|${one.match.dstPrefix}` : matchKey(one.match);

/** `offered` are the families that the router offers. */
export function expectedTable(
  state: StateView,
  policy: NeighborPolicy,
  offered: readonly Family[],
  targets: Targets,
  now: number,
): Table {
  const winners = new Map<string, Wish>();
  const standing = [...state.mitigations.values()].filter(
    (one) =>
      (one.status === 'active' || one.status === 'escalated') &&
      one.ending === null &&
      one.expiresAt > now &&
      one.away?.probeUntil === undefined,
  );
  for (const one of standing.flatMap(wishesOf).sort(byPrecedence)) {
    if (!winners.has(placeOf(one))) winners.set(placeOf(one), one);
  }
  const admitted = new Map<string, string>();
  const left = { rules: policy.maxRules, routes: policy.maxUnicast ?? 0 };
  const order = [...winners].sort(([a, one], [b, other]) => byStrictness(one, other) || text(a, b));
  for (const [, wish] of order) {
    const { id, match, action, beneath } = wish;
    if (beneath !== undefined && render({ mitigationId: id, ...beneath }, policy, targets).ok) continue;
    const said = render({ mitigationId: id, match, action }, policy, targets);
    if (!said.ok) continue;
    const fresh = said.routes.filter((route) => !admitted.has(route.key));
    const budget = isRoute(wish) ? 'routes' : 'rules';
    if (fresh.length > left[budget]) continue;
    left[budget] -= fresh.length;
    for (const { key: nlri, attributes } of fresh) admitted.set(nlri, carriedBy(nlri, attributes));
  }
  const carried = (key: string): boolean =>
    offered.some((family) => key.startsWith(`${family.afi}/${family.safi}/`));
  return new Map([...admitted].filter(([key]) => carried(key)));
}

function carriedBy(key: string, attributes: RouteAttributes): string {
  const { extendedCommunities, nextHop, ipv6ExtendedCommunities, communities, largeCommunities } = attributes;
  const more = [nextHop, ipv6ExtendedCommunities].map(toHex).join('');
  const own = key.split('/')[1] === '1' ? toHex(communities) + toHex(largeCommunities) : '';
  return joined(toHex(extendedCommunities), more + own);
}

function joined(actions: string, more: string): string {
  return more === '' ? actions : `${actions},${more}`;
}

/** Returns a router's rules and routes. Marks one that is still stale at a quiet point, so that it differs. */
export function heldTable(rules: readonly LabRule[]): Table {
  return new Map(
    rules.map((rule) => {
      const { family, nlriHex, actionsHex, stale } = rule;
      const { nextHopHex = '', ipv6ActionsHex = '', communitiesHex = '' } = rule;
      const held = joined(actionsHex, nextHopHex + ipv6ActionsHex + communitiesHex);
      return [`${family.afi}/${family.safi}/${nlriHex}`, stale ? `stale ${held}` : held];
    }),
  );
}

/** Returns the rules and routes that the speaker considers written. */
export function writtenTable(rib: AdjRibOutView): Table {
  return new Map(
    [...rib.sentRoutes()].map(({ route }) => [route.key, carriedBy(route.key, route.attributes)]),
  );
}

/** One line for each route that is not the same in both; none when the tables are equal. */
export function differences(where: string, should: Table, is: Table): readonly string[] {
  const keys = new Set([...should.keys(), ...is.keys()]);
  return [...keys]
    .filter((key) => should.get(key) !== is.get(key))
    .map((key) => `${where}: ${key} should be ${should.get(key) ?? 'absent'}, is ${is.get(key) ?? 'absent'}`);
}
