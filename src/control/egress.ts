/**
 * The second, independent check. It decodes the octets about to be sent and does not know how they were decided: even
 * if a journal, an operator or a defect asked for it, no rule is sent without a destination, wider than allowed, or
 * overlapping a protected prefix. PURE.
 */
import { decodeActions } from '../bgp/flowspec/actions.ts';
import { decodeFlowSpec } from '../bgp/flowspec/nlri.ts';
import { findImpossible } from '../bgp/flowspec/unmeant-rules.ts';
import { formatRouteTarget } from '../bgp/flowspec/action-communities.ts';
import { formatActions } from '../bgp/flowspec/notation/format.ts';
import type { Action, Component, FlowSpec, NumericOp, RouteTarget } from '../bgp/flowspec/types.ts';
import { type OutRoute, routeKind } from '../bgp/rib/route.ts';
import { familyName } from '../bgp/wire/iana.ts';
import { toHex } from '../net/bytes.ts';
import { covers, formatPrefix, hostPrefix } from '../net/prefix.ts';
import { notUnicast } from '../net/special-addresses.ts';
import type { PrefixSet } from '../net/prefix-set.ts';
import { checkUnicast, type UnicastGuard } from './egress-unicast.ts';

/** A configured target of redirects: an address of 4 or 16 octets, or a VRF's route target. */
export type AllowedTarget =
  | { readonly type: 'ip'; readonly address: Uint8Array }
  | { readonly type: 'vrf'; readonly target: RouteTarget }
  | { readonly type: 'vrf-ipv6'; readonly address: Uint8Array; readonly value: number };

/** The limits of every rule. Replaced as a whole when the safelist or the policy changes. */
export interface EgressGuard {
  readonly minLength: { readonly 4: number; readonly 6: number };
  /**
   * Protected prefixes, router ids, neighbors' and local addresses, the safelist: no rule's destination or source may
   * overlap them.
   */
  readonly untouchable: PrefixSet;
  readonly protectedPorts: ReadonlySet<number>;
  /** The only targets that rules may redirect to; absent: rules do not redirect. */
  readonly redirects?: { readonly targets: readonly AllowedTarget[] };
  /** Absent: no unicast route may be sent. */
  readonly unicast?: UnicastGuard;
}

/** Returns why the route must not be sent; undefined if it may. */
export function checkRoute(route: OutRoute, guard: EgressGuard): string | undefined {
  const kind = routeKind(route.family);
  if (kind === 'flowspec') return checkFlowSpec(route, guard);
  if (kind === 'unicast' && guard.unicast !== undefined) return checkUnicast(route, guard.unicast);
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
  return (
    checkDestination(spec, guard) ??
    checkPorts(spec, guard) ??
    checkActions(actions.value.actions, guard) ??
    checkRedirect(actions.value.actions, spec, route.attributes.nextHop)
  );
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

/**
 * Checks that the actions are a known combination: one rate, or one redirect to a configured target, which may be
 * limited to a rate above 0.
 */
function checkActions(actions: readonly Action[], guard: EgressGuard): string | undefined {
  if (actions.some((action) => action.type === 'unknown'))
    return 'it has an action that prefixd does not know';
  const rates = actions.filter((action) => action.type === 'traffic-rate');
  const redirects = actions.filter(isRedirect);
  if (redirects.length === 0 || guard.redirects === undefined) {
    if (rates.length !== 1) return `it has ${rates.length} traffic rates instead of one`;
  }
  if (rates.length + redirects.length !== actions.length || redirects.length > 1 || rates.length > 1) {
    return `its actions are no known combination: ${formatActions(actions)}`;
  }
  const [redirect] = redirects;
  if (redirect === undefined) return undefined;
  if (guard.redirects === undefined) return 'it redirects, and no target is configured';
  if (rates[0]?.bitsPerSecond === 0) return 'it redirects traffic that it discards';
  const target = targetKey(redirect);
  const known = guard.redirects.targets.some((one) => keyOfTarget(one) === target);
  return known ? undefined : `its redirect is not to a configured target: ${formatActions([redirect])}`;
}

type Redirect = Extract<Action, { readonly type: 'redirect-ip' | 'redirect-vrf' | 'redirect-vrf-ipv6' }>;

function isRedirect(action: Action): action is Redirect {
  return (
    action.type === 'redirect-ip' || action.type === 'redirect-vrf' || action.type === 'redirect-vrf-ipv6'
  );
}

/** Returns a redirect's target so that equal texts are equal targets; undefined if its address is missing. */
function targetKey(redirect: Redirect): string | undefined {
  switch (redirect.type) {
    case 'redirect-ip': {
      const { address } = redirect;
      return address === undefined ? undefined : keyOfTarget({ type: 'ip', address });
    }
    case 'redirect-vrf':
      return keyOfTarget({ type: 'vrf', target: redirect.target });
    case 'redirect-vrf-ipv6':
      return keyOfTarget({ ...redirect, type: 'vrf-ipv6' });
  }
}

function keyOfTarget(target: AllowedTarget): string {
  switch (target.type) {
    case 'ip':
      return `ip ${toHex(target.address)}`;
    case 'vrf':
      return `vrf ${formatRouteTarget(target.target)}`;
    case 'vrf-ipv6':
      return `vrf [${toHex(target.address)}]:${target.value}`;
  }
}

/**
 * Checks that a redirect's address is of the rule's family and not a destination of the rule, which would be a loop,
 * and that only a draft-00 redirect has a next hop, which is that address.
 */
function checkRedirect(actions: readonly Action[], spec: FlowSpec, nextHop: Uint8Array): string | undefined {
  const redirect = actions.find((action) => action.type === 'redirect-ip');
  const address = redirect?.address;
  const expected = redirect?.form === 'draft-00' ? address : undefined;
  if (nextHop.length !== (expected?.length ?? 0)) return 'its next hop is not the address of a redirect';
  if (address === undefined) return undefined;
  if (address.length !== (spec.afi === 1 ? 4 : 16))
    return 'its redirect is to an address of the other family';
  for (const component of spec.components) {
    if (component.type === 1 && covers(component.prefix, hostPrefix(address))) {
      return `its redirect is to an address inside its destination ${formatPrefix(component.prefix)}`;
    }
  }
  return undefined;
}
