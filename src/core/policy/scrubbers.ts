/** Where traffic can be sent for cleaning, and how a victim can be blackholed, as the operator has configured it. */
import type { MitigationAction } from '../action.ts';

/** Addresses and route targets are canonical text; they are resolved when a route is rendered. */
export interface Scrubber {
  readonly name: string;
  /** Targets of a FlowSpec redirect; absent: none of that kind. */
  readonly redirect: { readonly ipv4?: string; readonly ipv6?: string; readonly vrf?: string };
  /** Absent: nothing can be diverted to it. */
  readonly divert?: UnicastTarget;
  /** Limit of mitigations that divert to it at one time. */
  readonly maxDiverted: number;
  /** Absent: it counts as healthy. */
  readonly probe?: HealthProbe;
}

/** An HTTP request that a healthy scrubber answers with a status of 200 to 299. */
export interface HealthProbe {
  readonly url: string;
  readonly intervalSeconds: number;
  readonly timeoutSeconds: number;
  /** It is unhealthy after this many failures in a row. */
  readonly failures: number;
  /** It is healthy again after this many answers in a row. */
  readonly successes: number;
}

/** How the unicast routes of one kind look. */
export interface UnicastTarget {
  /** Absent: no route of this family. */
  readonly nextHopV4?: string;
  readonly nextHopV6?: string;
  /** Lengths of the announced prefix; 32 and 128 for host routes. */
  readonly lengthV4: number;
  readonly lengthV6: number;
  /** Standard and large communities, besides those that the kind requires. */
  readonly communities: readonly string[];
  /** True: the route may leave the neighbor's AS, so it carries no NO_EXPORT. */
  readonly export: boolean;
  /** Longest TTL of such a mitigation. */
  readonly maxTtlSeconds: number;
  readonly return: ReturnTimes;
}

/** When traffic returns to its usual way: a detector sees nothing of what is diverted, so its silence proves nothing. */
export interface ReturnTimes {
  /** It stays away at least this long. */
  readonly minSeconds: number;
  /** And then until nothing was reported for this long, or the scrubber reports that it is clean. */
  readonly quietSeconds: number;
  /** Factor on `minSeconds` if the attack comes back within an hour of the return; at least 1. */
  readonly backoff: number;
  /** Limit of `minSeconds` after the factor. */
  readonly maxSeconds: number;
  /** A blackhole is lifted for this long before it ends, to see whether the attack goes on; 0 or absent: it is not. */
  readonly probeSeconds?: number;
}

/** An hour of silence is not taken for the end of an attack. */
export const DEFAULT_RETURN: ReturnTimes = {
  minSeconds: 3_600,
  quietSeconds: 600,
  backoff: 2,
  maxSeconds: 43_200,
};

export interface Blackhole {
  readonly allowed: boolean;
  readonly target: UnicastTarget;
  /** Customers whose addresses may be blackholed; empty: all. */
  readonly customers: readonly string[];
}

/** The targets of all actions that send traffic elsewhere. */
export interface Targets {
  readonly scrubbers: ReadonlyMap<string, Scrubber>;
  readonly blackhole: Blackhole;
}

/** RFC 6666: the discard prefix's first address, and an address of TEST-NET-1 that operators route to discard. */
const DISCARD_V4 = '192.0.2.1';
const DISCARD_V6 = '100::1';

/** A day: a longer mitigation must be renewed. */
export const MAX_UNICAST_TTL_SECONDS = 86_400;

export const NO_TARGETS: Targets = {
  scrubbers: new Map(),
  blackhole: {
    allowed: false,
    target: {
      nextHopV4: DISCARD_V4,
      nextHopV6: DISCARD_V6,
      lengthV4: 32,
      lengthV6: 128,
      communities: [],
      export: false,
      maxTtlSeconds: MAX_UNICAST_TTL_SECONDS,
      return: DEFAULT_RETURN,
    },
    customers: [],
  },
};

/** Returns how the unicast routes of an action look; undefined for a FlowSpec action or an unknown scrubber. */
export function unicastTargetOf(
  { targets = NO_TARGETS }: { readonly targets?: Targets },
  action: MitigationAction,
): UnicastTarget | undefined {
  if (action.type === 'blackhole') return targets.blackhole.target;
  return action.type === 'divert' ? targets.scrubbers.get(action.scrubber)?.divert : undefined;
}

/** Returns the longest TTL of a mitigation with this action. */
export function maxTtlSeconds(
  policy: { readonly targets?: Targets; readonly timers: { readonly maxTtlSeconds: number } },
  action: MitigationAction,
): number {
  return unicastTargetOf(policy, action)?.maxTtlSeconds ?? policy.timers.maxTtlSeconds;
}

/** Returns the least of all longest TTLs. */
export function leastMaxTtlSeconds(policy: Parameters<typeof maxTtlSeconds>[0]): number {
  const { scrubbers, blackhole } = policy.targets ?? NO_TARGETS;
  const targets = [blackhole.target, ...[...scrubbers.values()].flatMap(({ divert }) => divert ?? [])];
  return Math.min(policy.timers.maxTtlSeconds, ...targets.map((target) => target.maxTtlSeconds));
}
