/** What of a reloaded configuration must wait for the next start. It is named, and nothing of it is half-applied. Pure. */
import type { Policy } from '../core/policy.ts';
import { hostPrefix, parseAddress, samePrefix } from '../net/prefix.ts';
import { pathsForRestart, withSettingsOf } from './config/restart.ts';
import type { LoadedConfig } from './config/types.ts';

/** What has changed and waits, a sentence for each. */
export function needRestart(running: LoadedConfig, next: LoadedConfig): readonly string[] {
  const paths = pathsForRestart(running.shown.settings, next.shown.settings);
  return paths.map((path) => `${path} has changed and takes effect at the next start`);
}

/** The reloaded configuration, with what only a restart can change as it was at start, also where it is shown. */
export function withSettingsOfStart(next: LoadedConfig, running: LoadedConfig): LoadedConfig {
  const paths = pathsForRestart(running.shown.settings, next.shown.settings);
  const waits = new Set(paths);
  const { listen, localAsn, routerId } = running.bgp.speaker;
  return {
    ...next,
    policy: protectingOwn(next.policy, [routerId, ...(listen === undefined ? [] : [listen.host])]),
    storage: running.storage,
    observability: running.observability,
    reconciliationIntervalSeconds: running.reconciliationIntervalSeconds,
    http: {
      ...next.http,
      listen: running.http.listen,
      ...(waits.has('http.auth') ? { auth: running.http.auth } : {}),
      ...(waits.has('http.tls') ? { tls: running.http.tls } : {}),
    },
    bgp: {
      ...next.bgp,
      mode: running.bgp.mode,
      speaker: {
        localAsn,
        routerId,
        neighbors: next.bgp.speaker.neighbors,
        ...(listen === undefined ? {} : { listen }),
      },
    },
    shown: {
      ...next.shown,
      settings: withSettingsOf(next.shown.settings, running.shown.settings, paths),
    },
    secrets: waits.has('http.auth') ? [...new Set([...next.secrets, ...running.secrets])] : next.secrets,
  };
}

/** The addresses that this daemon goes on using stay protected, although the files name others. */
function protectingOwn(policy: Policy, hosts: readonly string[]): Policy {
  const { protectedPrefixes } = policy.guardrails;
  const missing = hosts.flatMap((host) => {
    const octets = parseAddress(host.split('%')[0] ?? host);
    if (octets === undefined || octets.every((octet) => octet === 0)) return [];
    const own = hostPrefix(octets);
    return protectedPrefixes.some((prefix) => samePrefix(prefix, own)) ? [] : [own];
  });
  if (missing.length === 0) return policy;
  return {
    ...policy,
    guardrails: { ...policy.guardrails, protectedPrefixes: [...protectedPrefixes, ...missing] },
  };
}
