/** Renders a rule for one neighbor: kind, dialect, families, communities. PURE: rule in, final octets out. */
import { encodeActions } from '../bgp/flowspec/actions.ts';
import { type Dialect, type DialectRule, renderForDialect } from '../bgp/flowspec/dialect.ts';
import { encodeFlowSpec } from '../bgp/flowspec/nlri.ts';
import { formatMatch, formatRule } from '../bgp/flowspec/notation/format.ts';
import type { Action, FlowSpec } from '../bgp/flowspec/types.ts';
import { type OutRoute, type RouteAttributes, routeAttributes, routeKey } from '../bgp/rib/route.ts';
import { unicastRoute } from '../bgp/rib/unicast-route.ts';
import { COMMUNITY_WIDTH, splitCommunities } from '../bgp/wire/communities.ts';
import { Afi, FAMILIES, type Family, familyName, includesFamily, Safi } from '../bgp/wire/iana.ts';
import { isShared, type MitigationAction, type RuleKind, ruleKind } from '../core/action.ts';
import type { Targets } from '../core/policy/scrubbers.ts';
import { concatBytes, toHex } from '../net/bytes.ts';
import { knownPrefix } from '../net/prefix.ts';
import { ok, type Result } from '../net/result.ts';
import { errorText } from '../net/text.ts';
import { BLACKHOLE, isUnicast, redirectsOf, type UnicastAction, unicastPartsOf } from './action-targets.ts';
import type { DesiredRule } from './desired.ts';
import { toActions, toFlowSpec } from './desired.ts';

/** The properties of a neighbor that `control` needs besides its session. */
export interface NeighborPolicy {
  readonly name: string;
  readonly dialect: Dialect;
  readonly families: readonly Family[];
  /** Maximum number of FlowSpec routes. */
  readonly maxRules: number;
  /** The kinds of routes that the neighbor is given; absent: FlowSpec only. */
  readonly announce?: readonly RuleKind[];
  /** Maximum number of unicast routes; absent: none. */
  readonly maxUnicast?: number;
  /** COMMUNITIES attached to every route, 4 octets each. */
  readonly communities: Uint8Array;
  /** LARGE_COMMUNITIES attached to every route, 12 octets each. */
  readonly largeCommunities: Uint8Array;
}

/** The routes of a rule for a neighbor (a dialect may need several), or the reason why there are none. */
export type Rendering =
  | { readonly ok: true; readonly routes: readonly OutRoute[] }
  | { readonly ok: false; readonly why: string };

/**
 * Returns the render key. Neighbors with the same key get a rule in the same octets, so it is rendered and checked once
 * for all of them.
 */
export function renderKey(neighbor: NeighborPolicy): string {
  const families = neighbor.families.map(familyName).join(',');
  return [
    neighbor.dialect,
    families,
    announcedKinds(neighbor).join(','),
    toHex(neighbor.communities),
    toHex(neighbor.largeCommunities),
  ].join('|');
}

function announcedKinds({ announce = ['flowspec'] }: NeighborPolicy): readonly RuleKind[] {
  return announce;
}

/** The parts of a rule that decide its octets. */
type RenderableRule = Pick<DesiredRule, 'match' | 'action' | 'mitigationId'>;

/**
 * Renders a rule for a neighbor. Throws RangeError for a match that FlowSpec cannot express. Ignores the budgets, which
 * depend on the other rules.
 */
export function render(rule: RenderableRule, neighbor: NeighborPolicy, targets: Targets): Rendering {
  const kind = ruleKind(rule.action);
  if (!announcedKinds(neighbor).includes(kind))
    return unable(`${kind} is not in the neighbor's announce list`);
  return isUnicast(rule.action)
    ? renderUnicast(rule, rule.action, neighbor, targets)
    : renderFlowSpec(rule, neighbor, targets);
}

function renderFlowSpec(rule: RenderableRule, neighbor: NeighborPolicy, targets: Targets): Rendering {
  const spec = toFlowSpec(rule.match);
  const family = FAMILIES[spec.afi === Afi.IPv4 ? 'ipv4-flowspec' : 'ipv6-flowspec'];
  if (!includesFamily(neighbor.families, family)) return lacksFamily(family);
  const redirects = redirectChoices(rule.action, spec, targets);
  if (!redirects.ok) return unable(redirects.error);
  let refusal = '';
  for (const redirect of redirects.value) {
    const said = renderForDialect(neighbor.dialect, spec, toActions(rule.action, redirect), {
      shareRate: isShared(rule.action),
    });
    if (said.ok) return { ok: true, routes: said.value.map((one) => routeOf(one, family, rule, neighbor)) };
    refusal ||= said.error;
  }
  return unable(refusal);
}

/** Returns the redirects to try in order; none is `undefined`. */
function redirectChoices(
  action: MitigationAction,
  { afi }: FlowSpec,
  targets: Targets,
): Result<readonly (Action | undefined)[]> {
  return action.type === 'redirect'
    ? redirectsOf(action, afi === Afi.IPv4 ? 4 : 6, targets)
    : ok([undefined]);
}

function routeOf(
  { spec, actions }: DialectRule,
  family: Family,
  rule: RenderableRule,
  { communities, largeCommunities }: NeighborPolicy,
): OutRoute {
  const nlri = encodeFlowSpec(spec);
  const attributes = shared(routeAttributes({ ...encodeActions(actions), communities, largeCommunities }));
  const text = formatRule(spec, actions);
  return { key: routeKey(family, nlri), family, nlri, attributes, owner: rule.mitigationId, text };
}

function renderUnicast(
  { match, mitigationId }: RenderableRule,
  action: UnicastAction,
  neighbor: NeighborPolicy,
  targets: Targets,
): Rendering {
  const prefix = knownPrefix(match.dstPrefix);
  const family = FAMILIES[prefix.family === 4 ? 'ipv4-unicast' : 'ipv6-unicast'];
  if (!includesFamily(neighbor.families, family)) return lacksFamily(family);
  const parts = unicastPartsOf(action, prefix, targets);
  if (!parts.ok) return unable(parts.error);
  const { communities = NONE, largeCommunities = NONE } = parts.value;
  const route = unicastRoute({
    ...parts.value,
    communities: concatBytes([communities, neighbor.communities]),
    largeCommunities: concatBytes([largeCommunities, neighbor.largeCommunities]),
    owner: mitigationId,
  });
  return { ok: true, routes: [{ ...route, attributes: shared(route.attributes) }] };
}

const NONE = new Uint8Array(0);

function unable(why: string): Rendering {
  return { ok: false, why };
}

function lacksFamily(family: Family): Rendering {
  return unable(`${familyName(family)} is not one of the neighbor's families`);
}

/** Returns the kind of a rendered route. */
export function kindOfRoute({ family, attributes }: OutRoute): RuleKind {
  if (family.safi !== Safi.Unicast) return 'flowspec';
  const communities = splitCommunities(attributes.communities, COMMUNITY_WIDTH.standard);
  return communities.some((one) => toHex(one) === toHex(BLACKHOLE)) ? 'blackhole' : 'divert';
}

/** Returns a rule in operator notation as no neighbor changes it; with the reason if its target cannot be resolved. */
export function ruleText(
  { match, action }: Pick<RenderableRule, 'match' | 'action'>,
  targets: Targets,
): string {
  if (isUnicast(action)) {
    const parts = unicastPartsOf(action, knownPrefix(match.dstPrefix), targets);
    return parts.ok
      ? unicastRoute({ ...parts.value, owner: '' }).text
      : `route ${match.dstPrefix} (${parts.error})`;
  }
  const spec = toFlowSpec(match);
  const redirects = redirectChoices(action, spec, targets);
  return redirects.ok
    ? formatRule(spec, toActions(action, redirects.value[0]))
    : `${formatMatch(spec)} then redirect (${redirects.error})`;
}

/** Calls `render`, and returns a match that FlowSpec cannot express as an ordinary reason. */
export function safeRender(...args: Parameters<typeof render>): Rendering {
  try {
    return render(...args);
  } catch (error) {
    return { ok: false, why: errorText(error) };
  }
}

/** Limit of cached attributes; there are as many as actions in the playbooks, for each render key. */
const MAX_KINDS = 1000;
const kinds = new Map<string, RouteAttributes>();

/**
 * Returns the first attributes with these octets: a hundred thousand rules share a few, and packing compares them by
 * identity.
 */
function shared(attributes: RouteAttributes): RouteAttributes {
  const known = kinds.get(attributes.key);
  if (known !== undefined) return known;
  if (kinds.size >= MAX_KINDS) kinds.clear();
  kinds.set(attributes.key, attributes);
  return attributes;
}
