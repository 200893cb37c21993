/**
 * Forecasts which neighbors can enforce a rule, and with how many routes. Uses the reconciler's rendering and egress
 * check before a decision is answered. PURE apart from its cache.
 */
import type { Forecast, NeighborForecast } from '../core/decide/forecast.ts';
import { matchKey } from '../core/decide/correlate.ts';
import { actionKey, type MitigationAction } from '../core/action.ts';
import type { PlaybookSet } from '../core/policy/playbook.ts';
import { NO_TARGETS, type Targets } from '../core/policy/scrubbers.ts';
import type { Match } from '../core/types.ts';
import { PrefixSet } from '../net/prefix-set.ts';
import { hasTarget } from './action-targets.ts';
import { checkRoute, type EgressGuard } from './egress.ts';
import { communitiesOf, redirectTargets, unicastForms } from './egress-check.ts';
import type { NeighborPolicy } from './render-rule.ts';
import { renderKey, safeRender } from './render-rule.ts';
import { type Budget, budgetFor } from './wanted-routes.ts';

/** Limit of cached shapes. There are as many as sets of ports and actions in use; beyond the limit all are dropped. */
const MAX_SHAPES = 5000;

/** The result for a shape on neighbors with one render key. */
type Verdict = { readonly ok: true; readonly routes: number } | { readonly ok: false; readonly why: string };

/**
 * Returns the forecast for these neighbors. The core's guardrails check destinations and sources, so here only the
 * egress check's results for ports, actions and next hops count. `playbooks` are those whose steps name targets.
 */
export function forecastFor(
  neighbors: readonly NeighborPolicy[],
  protectedPorts: Iterable<number>,
  targets: Targets = NO_TARGETS,
  playbooks?: PlaybookSet,
): Forecast {
  const untouchable = new PrefixSet([]);
  const guard: EgressGuard = {
    minLength: { 4: 0, 6: 0 },
    untouchable,
    protectedPorts: new Set(protectedPorts),
    redirects: { targets: redirectTargets(targets, playbooks) },
    unicast: {
      kinds: unicastForms(targets),
      otherCommunities: communitiesOf(neighbors),
      isInside: () => true,
      untouchable,
    },
  };
  const rendered = neighbors.map((neighbor) => ({ neighbor, key: renderKey(neighbor) }));
  const predictions = new Map<string, readonly NeighborForecast[]>();
  return (asked, action) => {
    const match = hasTarget(action) ? asked : { ...asked, dstPrefix: typicalOf(asked.dstPrefix) };
    const shape = shapeOf(match, action);
    const known = predictions.get(shape);
    if (known !== undefined) return known;
    const verdicts = new Map<string, Verdict>();
    const prediction = rendered.map(({ neighbor, key }): NeighborForecast => {
      let verdict = verdicts.get(key);
      if (verdict === undefined) {
        verdict = verdictOf(match, action, neighbor, targets, guard);
        verdicts.set(key, verdict);
      }
      return { neighbor: neighbor.name, ...withinBudget(verdict, budgetFor(action, neighbor)) };
    });
    if (predictions.size >= MAX_SHAPES) predictions.clear();
    predictions.set(shape, prediction);
    return prediction;
  };
}

/**
 * Returns a host of the same family. No dialect depends on the destination otherwise, and an egress error about one
 * destination (such as multicast) must not be cached for every rule of the shape. Actions with a target keep their
 * destination, because the next hop of a route must not be inside it.
 */
function typicalOf(dstPrefix: string): string {
  return dstPrefix.includes(':') ? '2001:db8::1/128' : '192.0.2.1/32';
}

/** Returns the shape's key. Rules of one shape differ only in their destination. */
function shapeOf(match: Match, action: MitigationAction): string {
  return `${matchKey(match)} ${actionKey(action)}`;
}

function verdictOf(
  match: Match,
  action: MitigationAction,
  neighbor: NeighborPolicy,
  targets: Targets,
  guard: EgressGuard,
): Verdict {
  const rendering = safeRender({ match, action, mitigationId: '' }, neighbor, targets);
  if (!rendering.ok) return rendering;
  for (const route of rendering.routes) {
    const why = checkRoute(route, guard);
    if (why !== undefined) return { ok: false, why: `the egress check would hold it back: ${why}` };
  }
  return { ok: true, routes: rendering.routes.length };
}

/**
 * Checks the budget. A rule is admitted completely or not at all, so one that needs more routes than the budget never
 * is.
 */
function withinBudget(verdict: Verdict, { name, max }: Budget): Verdict {
  if (!verdict.ok || verdict.routes <= max) return verdict;
  const needs = verdict.routes === 1 ? '1 route' : `${verdict.routes} routes`;
  return { ok: false, why: `it needs ${needs}, but ${name} is ${max}` };
}
