/** Renders a rule for one neighbor: dialect, families, communities. PURE: rule in, final octets out. */
import { isShared, type RuleKind } from '../core/action.ts';
import { encodeActions } from '../bgp/flowspec/actions.ts';
import type { Dialect } from '../bgp/flowspec/dialect.ts';
import { renderForDialect } from '../bgp/flowspec/dialect.ts';
import { encodeFlowSpec } from '../bgp/flowspec/nlri.ts';
import { formatRule } from '../bgp/flowspec/notation/format.ts';
import type { OutRoute, RouteAttributes } from '../bgp/rib/route.ts';
import { routeAttributes, routeKey } from '../bgp/rib/route.ts';
import type { Family } from '../bgp/wire/iana.ts';
import { familyName, sameFamily } from '../bgp/wire/iana.ts';
import { toHex } from '../net/bytes.ts';
import { errorText } from '../net/text.ts';
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
  /** COMMUNITIES attached to every rule, 4 octets each. */
  readonly communities: Uint8Array;
  /** LARGE_COMMUNITIES attached to every rule, 12 octets each. */
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
  return [neighbor.dialect, families, toHex(neighbor.communities), toHex(neighbor.largeCommunities)].join(
    '|',
  );
}

/**
 * Renders a rule for a neighbor. Throws RangeError for a match that FlowSpec cannot express. Ignores `maxRules`, which
 * depends on the other rules.
 */
export function render(
  rule: Pick<DesiredRule, 'match' | 'action' | 'mitigationId'>,
  neighbor: NeighborPolicy,
): Rendering {
  const match = toFlowSpec(rule.match);
  const family: Family = { afi: match.afi, safi: match.safi };
  if (!neighbor.families.some((offered) => sameFamily(offered, family))) {
    return { ok: false, why: `${familyName(family)} is not one of the neighbor's families` };
  }
  const said = renderForDialect(neighbor.dialect, match, toActions(rule.action), {
    shareRate: isShared(rule.action),
  });
  if (!said.ok) return { ok: false, why: said.error };
  const routes = said.value.map(({ spec, actions }): OutRoute => {
    const nlri = encodeFlowSpec(spec);
    const attributes = shared(
      routeAttributes({
        ...encodeActions(actions),
        communities: neighbor.communities,
        largeCommunities: neighbor.largeCommunities,
      }),
    );
    const text = formatRule(spec, actions);
    return { key: routeKey(family, nlri), family, nlri, attributes, owner: rule.mitigationId, text };
  });
  return { ok: true, routes };
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
