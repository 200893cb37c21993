/** What to change so that a session holds what it should. PURE; the same for one key and for a whole table. */
import type { AdjRibOutView } from '../bgp/rib/adj-rib-out.ts';
import type { OutRoute, RouteKey } from '../bgp/rib/route.ts';

/** Changes for one session, in no order: the session writes announcements first. */
export interface Plan {
  readonly announce: readonly OutRoute[];
  readonly withdraw: readonly RouteKey[];
}

/**
 * Compares what should stand under each key with what will stand once everything queued is written: NLRI and attributes,
 * and on whose behalf. `want` answers undefined for a key that should be absent.
 */
export function plan(
  keys: Iterable<RouteKey>,
  want: (key: RouteKey) => OutRoute | undefined,
  out: AdjRibOutView,
): Plan {
  const announce: OutRoute[] = [];
  const withdraw: RouteKey[] = [];
  for (const key of keys) {
    const wanted = want(key);
    const effective = out.effective(key);
    if (wanted === undefined) {
      if (effective !== undefined) withdraw.push(key);
    } else if (effective === undefined || !sameRoute(effective, wanted)) {
      announce.push(wanted);
    }
  }
  return { announce, withdraw };
}

function sameRoute(a: OutRoute, b: OutRoute): boolean {
  return a.attributes.key === b.attributes.key && a.owner === b.owner;
}
