/**
 * Computes a router's expected rules from the state alone, with different code than the reconciler: takes the strictest active
 * mitigation for each match, and fills the budget from the strictest down.
 */
import type { AdjRibOutView } from '../../src/bgp/rib/adj-rib-out.ts';
import type { Family } from '../../src/bgp/wire/iana.ts';
import { type NeighborPolicy, render } from '../../src/control/render-rule.ts';
import { NO_TARGETS } from '../../src/core/policy/scrubbers.ts';
import type { StateView } from '../../src/core/state/state.ts';
import { matchKey } from '../../src/core/state/state.ts';
import type { Mitigation } from '../../src/core/types.ts';
import type { LabRule } from '../../src/lab/rule-table.ts';
import { toHex } from '../../src/net/bytes.ts';

/** EXTENDED_COMMUNITIES in hexadecimal, by family and NLRI: `1/133/0901...`. */
export type Table = ReadonlyMap<string, string>;

const rateOf = ({ action }: Mitigation): number => action.rateBps ?? 0;

/** Stricter first, then older. */
function byStrictness(a: Mitigation, b: Mitigation): number {
  return rateOf(a) - rateOf(b) || a.createdAt - b.createdAt;
}

const text = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/** `offered` are the families that the router offers. */
export function expectedTable(
  state: StateView,
  policy: NeighborPolicy,
  offered: readonly Family[],
  now: number,
): Table {
  const winners = new Map<string, Mitigation>();
  const standing = [...state.mitigations.values()].filter(
    (one) =>
      (one.status === 'active' || one.status === 'escalated') && one.ending === null && one.expiresAt > now,
  );
  for (const one of standing.sort((a, b) => byStrictness(a, b) || text(a.id, b.id))) {
    const key = matchKey(one.match);
    if (!winners.has(key)) winners.set(key, one);
  }
  const admitted = new Map<string, string>();
  const order = [...winners].sort(([a, one], [b, other]) => byStrictness(one, other) || text(a, b));
  for (const [key, mitigation] of order) {
    const { id, match, action, createdAt } = mitigation;
    const rule = { matchKey: key, mitigationId: id, match, action, createdAt };
    const said = render(rule, policy, NO_TARGETS);
    if (!said.ok) continue;
    const fresh = said.routes.filter((route) => !admitted.has(route.key));
    if (admitted.size + fresh.length > policy.maxRules) continue;
    for (const { key, attributes } of fresh) admitted.set(key, toHex(attributes.extendedCommunities));
  }
  const carried = (key: string): boolean =>
    offered.some((family) => key.startsWith(`${family.afi}/${family.safi}/`));
  return new Map([...admitted].filter(([key]) => carried(key)));
}

/** Returns a router's rules. Marks a rule that is still stale at a quiet point, so that it differs. */
export function heldTable(rules: readonly LabRule[]): Table {
  return new Map(
    rules.map(({ family, nlriHex, actionsHex, stale }) => [
      `${family.afi}/${family.safi}/${nlriHex}`,
      stale ? `stale ${actionsHex}` : actionsHex,
    ]),
  );
}

/** Returns the rules that the speaker considers written. */
export function writtenTable(rib: AdjRibOutView): Table {
  return new Map(
    [...rib.sentRoutes()].map(({ route }) => [route.key, toHex(route.attributes.extendedCommunities)]),
  );
}

/** One line for each route that is not the same in both; none when the tables are equal. */
export function differences(where: string, should: Table, is: Table): readonly string[] {
  const keys = new Set([...should.keys(), ...is.keys()]);
  return [...keys]
    .filter((key) => should.get(key) !== is.get(key))
    .map((key) => `${where}: ${key} should be ${should.get(key) ?? 'absent'}, is ${is.get(key) ?? 'absent'}`);
}
