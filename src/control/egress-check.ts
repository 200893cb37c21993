/**
 * Builds the egress guard from the policy, keeps it current and caches its verdicts, so that a route of many neighbors is
 * checked once.
 */
import type { OutRoute } from '../bgp/rib/route.ts';
import { parseVrfRedirect } from '../bgp/flowspec/action-communities.ts';
import {
  COMMUNITY_WIDTH,
  parseAnyCommunity,
  type ParsedCommunity,
  splitCommunities,
} from '../bgp/wire/communities.ts';
import type { PlaybookSet } from '../core/policy/playbook.ts';
import type { Policy } from '../core/policy/policy.ts';
import { NO_TARGETS, type Targets, type UnicastTarget } from '../core/policy/scrubbers.ts';
import type { StateView } from '../core/state/state.ts';
import { knownPrefix, parseAddress } from '../net/prefix.ts';
import { PrefixSet } from '../net/prefix-set.ts';
import { checkRoute, type EgressGuard, type AllowedTarget } from './egress.ts';
import type { UnicastForm, UnicastGuard } from './egress-unicast.ts';
import type { NeighborPolicy } from './render-rule.ts';

export class EgressCheck {
  readonly #onRefused: (route: OutRoute, why: string) => void;
  #guard: EgressGuard;
  #neighbors: readonly NeighborPolicy[];
  #verdicts = new WeakMap<OutRoute, { readonly why: string | undefined }>();
  /** Routes that this guard refused; some may no longer be wanted. */
  #held = new Map<OutRoute, string>();
  #refusals = 0;

  /** `onRefused` is called once per guard for each refused route. */
  constructor(
    policy: Policy,
    state: StateView,
    neighbors: readonly NeighborPolicy[],
    onRefused: (route: OutRoute, why: string) => void,
  ) {
    this.#neighbors = neighbors;
    this.#guard = guardOf(policy, state, neighbors);
    this.#onRefused = onRefused;
  }

  /** Refusals since the process started. */
  get refusals(): number {
    return this.#refusals;
  }

  /** Starts checking anew after a change of the safelist, the policy or the neighbors. */
  refresh(policy: Policy, state: StateView, neighbors = this.#neighbors): void {
    this.#neighbors = neighbors;
    this.#guard = guardOf(policy, state, neighbors);
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
    if (known !== undefined) {
      // It may have been forgotten while it was not wanted.
      if (known.why !== undefined) this.#held.set(route, known.why);
      return known.why;
    }
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

/** Builds the guard from a policy, the state's safelist and the neighbors, whose communities routes may carry. */
export function guardOf(
  policy: Policy,
  state: Pick<StateView, 'safelist'>,
  neighbors: readonly NeighborPolicy[],
): EgressGuard {
  const { guardrails, targets = NO_TARGETS, playbooks, inventory } = policy;
  const added = [...state.safelist.keys()].map(knownPrefix);
  const untouchable = new PrefixSet([...guardrails.protectedPrefixes, ...policy.safelist, ...added]);
  return {
    minLength: { 4: guardrails.dstPrefixMinLen, 6: guardrails.dstPrefixMinLenV6 },
    untouchable,
    protectedPorts: new Set(guardrails.protectedPorts),
    redirects: { targets: redirectTargets(targets, playbooks) },
    unicast: {
      kinds: unicastForms(targets),
      otherCommunities: communitiesOf(neighbors),
      isInside: (prefix) => inventory.lookupPrefix(prefix) !== undefined,
      untouchable,
    },
  };
}

/** Returns the configured targets of redirects: those of the scrubbers, and those that steps of playbooks name. */
export function redirectTargets(
  { scrubbers }: Targets,
  playbooks: Pick<PlaybookSet, 'byName'> | undefined,
): readonly AllowedTarget[] {
  const ofScrubbers = [...scrubbers.values()].flatMap(({ redirect: { ipv4, ipv6, vrf } }) => [
    ...addresses(ipv4, ipv6),
    ...routeTargets(vrf),
  ]);
  const steps = [...(playbooks?.byName.values() ?? [])].flatMap((playbook) => playbook.steps);
  const ofSteps = steps.flatMap(({ action }): readonly AllowedTarget[] => {
    if (action.type !== 'redirect' || 'scrubber' in action.target) return [];
    return 'ip' in action.target ? addresses(action.target.ip) : routeTargets(action.target.vrf);
  });
  return [...ofScrubbers, ...ofSteps];
}

function addresses(...texts: readonly (string | undefined)[]): readonly AllowedTarget[] {
  return octetsOf(texts).map((address) => ({ type: 'ip', address }));
}

function octetsOf(texts: readonly (string | undefined)[]): readonly Uint8Array[] {
  return texts.flatMap((text) => (text === undefined ? [] : (parseAddress(text) ?? [])));
}

function routeTargets(text: string | undefined): readonly AllowedTarget[] {
  const action = text === undefined ? undefined : parseVrfRedirect(text);
  switch (action?.type) {
    case 'redirect-vrf':
      return [{ type: 'vrf', target: action.target }];
    case 'redirect-vrf-ipv6':
      return [{ type: 'vrf-ipv6', address: action.address, value: action.value }];
    default:
      return [];
  }
}

/** Returns the configured forms of unicast routes; none of blackholes unless they are allowed. */
export function unicastForms({ scrubbers, blackhole }: Targets): UnicastGuard['kinds'] {
  return {
    divert: [...scrubbers.values()].flatMap(({ divert }) => (divert === undefined ? [] : [formOf(divert)])),
    ...(blackhole.allowed ? { blackhole: [formOf(blackhole.target)] } : {}),
  };
}

function formOf(target: UnicastTarget): UnicastForm {
  return {
    lengths: { 4: new Set([target.lengthV4]), 6: new Set([target.lengthV6]) },
    nextHops: octetsOf([target.nextHopV4, target.nextHopV6]),
    communities: target.communities.map(parseAnyCommunity).flatMap((one) => (one.ok ? [one.value] : [])),
    exportAllowed: target.export,
  };
}

/** Returns the communities that the neighbors' routes carry. */
export function communitiesOf(neighbors: readonly NeighborPolicy[]): readonly ParsedCommunity[] {
  return neighbors.flatMap(({ communities, largeCommunities }) => [
    ...splitCommunities(communities, COMMUNITY_WIDTH.standard).map(
      (octets) => ({ kind: 'standard', octets }) as const,
    ),
    ...splitCommunities(largeCommunities, COMMUNITY_WIDTH.large).map(
      (octets) => ({ kind: 'large', octets }) as const,
    ),
  ]);
}
