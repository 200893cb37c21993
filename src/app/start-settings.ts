/** Keeps settings that need a restart as they are when the configuration is reloaded, and names them. Pure. */
import type { Policy } from '../core/policy.ts';
import { hostPrefix, parseAddress, samePrefix } from '../net/prefix.ts';
import { pathsForRestart, withSettingsOf } from './config/restart.ts';
import type { LoadedConfig } from './config/types.ts';

/** Names the changed settings that wait for the next start, one sentence each. */
export function needRestart(running: LoadedConfig, next: LoadedConfig): readonly string[] {
  const paths = pathsForRestart(running.shown.settings, next.shown.settings);
  return paths.map((path) => `${path} has changed and takes effect at the next start`);
}

/** Returns the reloaded configuration with the running values of settings that need a restart, in `shown` as well. */
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

/** Protects the addresses that this daemon still uses, even if the files name others. */
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
