/**
 * The second, independent check. It decodes the octets about to be sent and does not know how they were decided: even
 * if a journal, an operator or a defect asked for it, no rule is sent without a destination, wider than allowed, or
 * overlapping a protected prefix. PURE.
 */
import { decodeActions } from '../bgp/flowspec/actions.ts';
import { decodeFlowSpec } from '../bgp/flowspec/nlri.ts';
import { findImpossible } from '../bgp/flowspec/unmeant-rules.ts';
import type { Action, Component, FlowSpec, NumericOp } from '../bgp/flowspec/types.ts';
import { type OutRoute, routeKind } from '../bgp/rib/route.ts';
import { familyName } from '../bgp/wire/iana.ts';
import { formatPrefix } from '../net/prefix.ts';
import { notUnicast } from '../net/special-addresses.ts';
import type { PrefixSet } from '../net/prefix-set.ts';

/** The limits of every rule. Replaced as a whole when the safelist or the policy changes. */
export interface EgressGuard {
  readonly minLength: { readonly 4: number; readonly 6: number };
  /**
   * Protected prefixes, router ids, neighbors' and local addresses, the safelist: no rule's destination or source may
   * overlap them.
   */
  readonly untouchable: PrefixSet;
  readonly protectedPorts: ReadonlySet<number>;
}

/** Returns why the route must not be sent; undefined if it may. */
export function checkRoute(route: OutRoute, guard: EgressGuard): string | undefined {
  if (routeKind(route.family) === 'flowspec') return checkFlowSpec(route, guard);
  return `no decision leads to a route of ${familyName(route.family)}`;
}

function checkFlowSpec(route: OutRoute, guard: EgressGuard): string | undefined {
  const decoded = decodeFlowSpec(route.nlri, route.family.afi, route.family.safi);
  if (!decoded.ok) return `its NLRI cannot be decoded: ${decoded.error.reason}`;
  const { spec, tolerated } = decoded.value;
  if (tolerated.length > 0) return `its NLRI is not canonical: ${tolerated.join('; ')}`;
  const actions = decodeActions(route.attributes);
  if (!actions.ok) return `its actions cannot be decoded: ${actions.error.reason}`;
  const unlike = actions.value.tolerated;
  if (unlike.length > 0) return `its actions are not canonical: ${unlike.join('; ')}`;
  return checkDestination(spec, guard) ?? checkPorts(spec, guard) ?? checkActions(actions.value.actions);
}

function checkDestination(spec: FlowSpec, guard: EgressGuard): string | undefined {
  const destination = spec.components.find((component) => component.type === 1);
  if (destination?.type !== 1) return 'it has no destination prefix';
  const { prefix, offset } = destination;
  if (offset !== 0) return 'its destination omits leading bits (offset)';
  const least = guard.minLength[prefix.family];
  if (prefix.length < least) return `its destination ${formatPrefix(prefix)} is wider than /${least}`;
  const special = notUnicast(prefix);
  if (special !== undefined) {
    return `its destination ${formatPrefix(prefix)} is not a unicast address of a customer: ${special.name}`;
  }
  return checkPrefixes(spec, guard) ?? findImpossible(spec);
}

/** Checks that traffic neither to nor from untouchable addresses is filtered. */
function checkPrefixes(spec: FlowSpec, guard: EgressGuard): string | undefined {
  for (const component of spec.components) {
    if (component.type !== 1 && component.type !== 2) continue;
    const touched = guard.untouchable.overlapping(component.prefix);
    if (touched === undefined) continue;
    const role = component.type === 1 ? 'destination' : 'source';
    return `its ${role} ${formatPrefix(component.prefix)} overlaps ${formatPrefix(touched)}, which is protected or safelisted`;
  }
  return undefined;
}

function checkPorts(spec: FlowSpec, guard: EgressGuard): string | undefined {
  for (const component of spec.components) {
    if (component.type !== 4 && component.type !== 5 && component.type !== 6) continue;
    const named = namedPort(component, guard.protectedPorts);
    if (named !== undefined) return `it names port ${named}, which is protected`;
  }
  return undefined;
}

/** Returns a protected port that the component names explicitly; a range that only contains it does not name it. */
function namedPort(
  component: Component & { ops: readonly NumericOp[] },
  ports: ReadonlySet<number>,
): number | undefined {
  for (const op of component.ops) {
    const value = Number(op.value);
    if (op.eq && !op.lt && !op.gt && ports.has(value)) return value;
  }
  return undefined;
}

function checkActions(actions: readonly Action[]): string | undefined {
  const rates = actions.filter((action) => action.type === 'traffic-rate');
  if (rates.length !== 1) return `it has ${rates.length} traffic rates instead of one`;
  const unknown = actions.find((action) => action.type === 'unknown');
  return unknown && 'it has an action that prefixd does not know';
}
