/** Keeps the egress guard current and caches its verdicts, so that a route of many neighbors is checked once. */
import type { OutRoute } from '../bgp/rib/route.ts';
import type { Policy } from '../core/policy/policy.ts';
import type { StateView } from '../core/state/state.ts';
import { knownPrefix } from '../net/prefix.ts';
import { PrefixSet } from '../net/prefix-set.ts';
import type { EgressGuard } from './egress.ts';
import { checkRoute } from './egress.ts';

export class EgressCheck {
  readonly #onRefused: (route: OutRoute, why: string) => void;
  #guard: EgressGuard;
  #verdicts = new WeakMap<OutRoute, { readonly why: string | undefined }>();
  /** Routes that this guard refused; some may no longer be wanted. */
  #held = new Map<OutRoute, string>();
  #refusals = 0;

  /** `onRefused` is called once per guard for each refused route. */
  constructor(policy: Policy, state: StateView, onRefused: (route: OutRoute, why: string) => void) {
    this.#guard = guardOf(policy, state);
    this.#onRefused = onRefused;
  }

  /** Refusals since the process started. */
  get refusals(): number {
    return this.#refusals;
  }

  /** Starts checking anew after a change of the safelist or the policy. */
  refresh(policy: Policy, state: StateView): void {
    this.#guard = guardOf(policy, state);
    this.#verdicts = new WeakMap();
    this.#held = new Map();
  }

  /** Returns the refused routes with their reasons; forgets those that are not `isWanted`. */
  held(isWanted: (route: OutRoute) => boolean): ReadonlyMap<OutRoute, string> {
    for (const route of this.#held.keys()) if (!isWanted(route)) this.#held.delete(route);
    return this.#held;
  }

  /** Returns why the route must not be sent; undefined if it may. */
  verdict(route: OutRoute): string | undefined {
    const known = this.#verdicts.get(route);
    if (known !== undefined) return known.why;
    const why = checkRoute(route, this.#guard);
    this.#verdicts.set(route, { why });
    if (why !== undefined) {
      this.#refusals++;
      this.#held.set(route, why);
      this.#onRefused(route, why);
    }
    return why;
  }
}

/** Builds the guard from a policy and the state's safelist. */
export function guardOf(policy: Policy, state: StateView): EgressGuard {
  const { guardrails } = policy;
  const added = [...state.safelist.keys()].map(knownPrefix);
  return {
    minLength: { 4: guardrails.dstPrefixMinLen, 6: guardrails.dstPrefixMinLenV6 },
    untouchable: new PrefixSet([...guardrails.protectedPrefixes, ...policy.safelist, ...added]),
    protectedPorts: new Set(guardrails.protectedPorts),
  };
}
