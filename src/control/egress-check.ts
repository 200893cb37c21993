/** Keeps the egress guard current and remembers its verdicts, so that a route shared by many neighbors is judged once. */
import type { OutRoute } from '../bgp/rib/route.ts';
import type { Policy } from '../core/policy/policy.ts';
import type { StateView } from '../core/state/state.ts';
import type { Prefix } from '../net/prefix.ts';
import { parsePrefix } from '../net/prefix.ts';
import { PrefixSet } from '../net/prefix-set.ts';
import type { EgressGuard } from './egress.ts';
import { checkRoute } from './egress.ts';

export class EgressCheck {
  readonly #onRefused: (route: OutRoute, why: string) => void;
  #guard: EgressGuard;
  #verdicts = new WeakMap<OutRoute, { readonly why: string | null }>();
  /** Routes that this guard refused; some may not be wanted any more. */
  #held = new Map<OutRoute, string>();
  #refusals = 0;

  /** `onRefused` hears of each refused route once for each guard. */
  constructor(policy: Policy, state: StateView, onRefused: (route: OutRoute, why: string) => void) {
    this.#guard = guardOf(policy, state);
    this.#onRefused = onRefused;
  }

  /** Refusals since the process started. */
  get refusals(): number {
    return this.#refusals;
  }

  /** The safelist or the policy changed: everything is judged anew. */
  refresh(policy: Policy, state: StateView): void {
    this.#guard = guardOf(policy, state);
    this.#verdicts = new WeakMap();
    this.#held = new Map();
  }

  /** Routes that must not leave, each with the reason; those that `isWanted` denies are forgotten. */
  held(isWanted: (route: OutRoute) => boolean): ReadonlyMap<OutRoute, string> {
    for (const route of this.#held.keys()) if (!isWanted(route)) this.#held.delete(route);
    return this.#held;
  }

  /** Why the route must not leave; null when it may. */
  verdict(route: OutRoute): string | null {
    const known = this.#verdicts.get(route);
    if (known !== undefined) return known.why;
    const why = checkRoute(route, this.#guard);
    this.#verdicts.set(route, { why });
    if (why !== null) {
      this.#refusals++;
      this.#held.set(route, why);
      this.#onRefused(route, why);
    }
    return why;
  }
}

/** The guard that a policy and the safelist of the state add up to. */
export function guardOf(policy: Policy, state: StateView): EgressGuard {
  const { guardrails } = policy;
  const added: Prefix[] = [];
  for (const text of state.safelist.keys()) {
    const prefix = parsePrefix(text);
    if (typeof prefix === 'string') throw new RangeError(`safelist entry: ${prefix}`);
    added.push(prefix);
  }
  return {
    minLength: { 4: guardrails.dstPrefixMinLen, 6: guardrails.dstPrefixMinLenV6 },
    untouchable: new PrefixSet([...guardrails.protectedPrefixes, ...policy.safelist, ...added]),
    protectedPorts: new Set(guardrails.protectedPorts),
  };
}
