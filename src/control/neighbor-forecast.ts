/**
 * Which neighbors could enforce a rule, and in how many routes: the same rendering and the same egress check that the
 * reconciler does later, done before a decision is answered. PURE apart from its cache.
 */
import type { Forecast, NeighborForecast } from '../core/decide/forecast.ts';
import { matchKey } from '../core/decide/correlate.ts';
import type { Match, MitigationAction } from '../core/types.ts';
import { PrefixSet } from '../net/prefix-set.ts';
import type { EgressGuard } from './egress.ts';
import { checkRoute } from './egress.ts';
import type { NeighborPolicy } from './render-rule.ts';
import { safeRender, voiceOf } from './render-rule.ts';

/** Shapes remembered. There are as many as sets of ports and actions in use; beyond that all are forgotten. */
const MAX_SHAPES = 5000;

/** What a voice makes of a shape. */
type Verdict = { readonly ok: true; readonly routes: number } | { readonly ok: false; readonly why: string };

/**
 * The forecast for these neighbors. Destinations and sources are judged by the core's guardrails, so only what the egress
 * check says of ports and actions counts here.
 */
export function forecastFor(
  neighbors: readonly NeighborPolicy[],
  protectedPorts: Iterable<number>,
): Forecast {
  const guard: EgressGuard = {
    minLength: { 4: 0, 6: 0 },
    untouchable: new PrefixSet([]),
    protectedPorts: new Set(protectedPorts),
  };
  const voices = neighbors.map((neighbor) => ({ neighbor, voice: voiceOf(neighbor) }));
  const predictions = new Map<string, readonly NeighborForecast[]>();
  return (asked, action) => {
    const match = { ...asked, dstPrefix: typicalOf(asked.dstPrefix) };
    const shape = shapeOf(match, action);
    const known = predictions.get(shape);
    if (known !== undefined) return known;
    const verdicts = new Map<string, Verdict>();
    const prediction = voices.map(({ neighbor, voice }): NeighborForecast => {
      let verdict = verdicts.get(voice);
      if (verdict === undefined) {
        verdict = verdictOf(match, action, neighbor, guard);
        verdicts.set(voice, verdict);
      }
      return { neighbor: neighbor.name, ...withinBudget(verdict, neighbor.maxRules) };
    });
    if (predictions.size >= MAX_SHAPES) predictions.clear();
    predictions.set(shape, prediction);
    return prediction;
  };
}

/**
 * A host of the same family. No dialect looks at a destination beyond that, and what the egress check says of one (multicast
 * is no host) must not be remembered for every rule of the shape.
 */
function typicalOf(dstPrefix: string): string {
  return dstPrefix.includes(':') ? '2001:db8::1/128' : '192.0.2.1/32';
}

/** Rules of one shape differ in their destination only. */
function shapeOf(match: Match, action: MitigationAction): string {
  const shared = action.shared === true ? ' shared' : '';
  return `${matchKey(match)} ${action.type} ${action.rateBps ?? 0}${shared}`;
}

function verdictOf(
  match: Match,
  action: MitigationAction,
  neighbor: NeighborPolicy,
  guard: EgressGuard,
): Verdict {
  const rendering = safeRender({ match, action, mitigationId: '' }, neighbor);
  if (!rendering.ok) return rendering;
  for (const route of rendering.routes) {
    const why = checkRoute(route, guard);
    if (why !== null) return { ok: false, why: `the egress check would hold it back: ${why}` };
  }
  return { ok: true, routes: rendering.routes.length };
}

/** A rule is admitted whole or not at all, so one that needs more routes than the budget never is. */
function withinBudget(verdict: Verdict, maxRules: number): Verdict {
  if (!verdict.ok || verdict.routes <= maxRules) return verdict;
  const needs = verdict.routes === 1 ? '1 route' : `${verdict.routes} routes`;
  return { ok: false, why: `it takes ${needs}, more than max_rules (${maxRules}) allows altogether` };
}
