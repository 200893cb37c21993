/** Converts the sections `scrubbers` and `blackhole`, and decides which families a neighbor is offered. */
import { type FamilyName, FAMILIES } from '../bgp/wire/iana.ts';
import type { RuleKind } from '../core/action.ts';
import type { Blackhole, HealthProbe, Scrubber, Targets, UnicastTarget } from '../core/policy/scrubbers.ts';
import { formatAddress, parseAddress } from '../net/prefix.ts';
import type { Settings } from './schema/prefixd-schema.ts';

type ScrubberSettings = Settings['scrubbers'][number];
type DivertSettings = NonNullable<ScrubberSettings['divert']>;

/** Returns the targets of all actions that send traffic elsewhere. */
export function buildTargets({ scrubbers, blackhole }: Pick<Settings, 'scrubbers' | 'blackhole'>): Targets {
  return {
    scrubbers: new Map(scrubbers.map((entry) => [entry.name, buildScrubber(entry)])),
    blackhole: buildBlackhole(blackhole),
  };
}

function buildScrubber(entry: ScrubberSettings): Scrubber {
  const { name, redirect, divert, max_diverted: maxDiverted, probe } = entry;
  const { ipv4, ipv6, vrf } = redirect;
  return {
    name,
    redirect: {
      ...(ipv4 === undefined ? {} : { ipv4: canonical(ipv4) }),
      ...(ipv6 === undefined ? {} : { ipv6: canonical(ipv6) }),
      ...(vrf === undefined ? {} : { vrf }),
    },
    ...(divert === undefined ? {} : { divert: buildDivert(divert) }),
    maxDiverted,
    ...(probe === undefined ? {} : { probe: buildProbe(probe) }),
  };
}

function buildProbe(entry: NonNullable<ScrubberSettings['probe']>): HealthProbe {
  return {
    url: entry.url,
    intervalSeconds: entry.interval_seconds,
    timeoutSeconds: entry.timeout_seconds,
    failures: entry.failures,
    successes: entry.successes,
  };
}

function buildDivert(entry: DivertSettings): UnicastTarget {
  const { next_hop_v4: v4, next_hop_v6: v6 } = entry;
  return {
    ...(v4 === undefined ? {} : { nextHopV4: canonical(v4) }),
    ...(v6 === undefined ? {} : { nextHopV6: canonical(v6) }),
    lengthV4: entry.prefix_length_v4,
    lengthV6: entry.prefix_length_v6,
    ...commonOf(entry),
  };
}

function buildBlackhole(entry: Settings['blackhole']): Blackhole {
  const { allowed, customers, next_hop_v4: v4, next_hop_v6: v6 } = entry;
  const hops = { nextHopV4: canonical(v4), nextHopV6: canonical(v6) };
  const common = commonOf(entry);
  const times = { ...common.return, probeSeconds: entry.return.probe_seconds };
  return {
    allowed,
    customers,
    target: { ...hops, lengthV4: 32, lengthV6: 128, ...common, return: times },
  };
}

function commonOf(entry: DivertSettings | Settings['blackhole']) {
  const { return: times } = entry;
  return {
    communities: entry.communities,
    export: entry.export,
    maxTtlSeconds: entry.max_ttl_seconds,
    return: {
      minSeconds: times.min_seconds,
      quietSeconds: times.quiet_seconds,
      backoff: times.backoff,
      maxSeconds: times.max_seconds,
    },
  };
}

function canonical(address: string): string {
  const octets = parseAddress(address);
  if (octets === undefined) throw new RangeError(`"${address}" is not an address`);
  return formatAddress(octets);
}

/**
 * Returns the families that a neighbor is offered: FlowSpec ones only if it is given FlowSpec rules, and unicast ones
 * where a kind that it is given needs them, for the IP versions that `families` names.
 */
export function offeredFamilies(
  families: readonly FamilyName[],
  announce: readonly RuleKind[],
): readonly FamilyName[] {
  const kept = families.filter((family) => announce.includes('flowspec') || FAMILIES[family].safi === 1);
  if (announce.every((kind) => kind === 'flowspec')) return kept;
  const versions = (['ipv4', 'ipv6'] as const).filter((ip) =>
    families.some((family) => family.startsWith(ip)),
  );
  return [...new Set([...kept, ...versions.map((ip) => `${ip}-unicast` as const)])];
}
