/** Converts checked settings to the types that the other rooms use. */
import { buildAuth, withAuthPaths } from './build-auth.ts';
import { buildRequests } from './build-requests.ts';
import { buildSource } from './build-source.ts';
import { buildTargets, offeredFamilies } from './build-targets.ts';
import { buildWebhooks } from './build-webhooks.ts';
import { resolve } from 'node:path';
import { buildDestination } from './build-destinations.ts';
import type { NeighborSettings, SpeakerSettings } from '../bgp/speaker/types.ts';
import { parseAnyCommunity } from '../bgp/wire/communities.ts';
import { FAMILIES, type Family } from '../bgp/wire/iana.ts';
import { forecastFor } from '../control/neighbor-forecast.ts';
import type { NeighborPolicy } from '../control/render-rule.ts';
import type { PolicySettings } from '../core/policy/assemble-policy.ts';
import type { DetectorPolicy, Policy } from '../core/policy/policy.ts';
import { concatBytes } from '../net/bytes.ts';
import type { Prefix } from '../net/prefix.ts';
import { hostPrefix, knownPrefix, parseZonedAddress, samePrefix, unmapped } from '../net/prefix.ts';
import { lengthOf, parseListen } from './schema/fields.ts';
import { policyDigest } from './policy-digest.ts';
import { showSettings } from './secrets.ts';
import type { UsersData } from './schema/auth-schema.ts';
import { sourcesIn } from './schema/detectors-schema.ts';
import type { Settings } from './schema/prefixd-schema.ts';
import type { Secrets } from './secrets.ts';
import { secretAt } from './secrets.ts';
import type {
  HttpSettings,
  InventorySources,
  ListenAddress,
  LoadedConfig,
  StorageSettings,
} from './types.ts';

type NeighborEntry = Settings['bgp']['neighbors'][number];

/** The input of `buildConfig`. */
export interface Ingredients {
  readonly settings: Settings;
  readonly secrets: Secrets;
  /** People of the users file; absent: there is no such file. */
  readonly users?: UsersData | undefined;
  readonly policy: Policy;
  readonly inventories: Pick<InventorySources, 'written' | 'copy' | 'copyProblem'>;
  /** Absolute; relative paths start here. */
  readonly folder: string;
  readonly directory: string | null;
  readonly files: readonly string[];
}

/**
 * Builds the loaded configuration from checked settings. Throws RangeError for a text that the checks should have
 * refused.
 */
export function buildConfig(ingredients: Ingredients): LoadedConfig {
  const { secrets, folder, policy } = ingredients;
  const settings = withPaths(ingredients.settings, folder);
  const { observability, shutdown, alerting, timers } = settings;
  return {
    directory: ingredients.directory,
    files: ingredients.files,
    policy,
    bgp: {
      mode: settings.bgp.mode,
      speaker: buildSpeaker(settings, secrets),
      control: settings.bgp.neighbors.map(buildControl),
    },
    http: buildHttp(settings, secrets, ingredients.users),
    storage: buildStorage(settings, secrets),
    exchange:
      settings.exchange === undefined ? undefined : { url: secretAt(secrets, ['exchange', 'url_env']) },
    observability: {
      logFormat: observability.log_format,
      logLevel: observability.log_level,
      auditLogPath: observability.audit_log_path,
      metricsListen:
        observability.metrics_listen === undefined ? null : listenAddress(observability.metrics_listen),
    },
    shutdown: {
      drainTimeoutSeconds: shutdown.drain_timeout_seconds,
      preserveAnnouncements: shutdown.preserve_announcements,
    },
    alerting: {
      destinations: alerting.destinations.map((entry, i) => buildDestination(entry, i, secrets)),
      events: [...new Set(alerting.events)],
      allowPrivateAddresses: alerting.allow_private_addresses,
    },
    scrubberRequests: buildRequests(settings, secrets),
    inventorySources: {
      ...ingredients.inventories,
      system: buildSource(settings, secrets, folder),
      safelist: policySettings(settings).safelist,
    },
    alertmanagerLabels: settings.detectors.alertmanager.labels,
    vectorMaps: vectorMaps(settings),
    webhooks: buildWebhooks(settings, secrets),
    reconciliationIntervalSeconds: timers.reconciliation_interval_seconds,
    shown: {
      settings: showSettings(settings),
      inventory: { ...policy.inventory.data },
      playbooks: { ...policy.playbooks.data },
    },
    policyHash: policyDigest(settings, policy),
    secrets: [...new Set(secrets.values())],
  };
}

/** Settings with every path absolute. */
type Placed = ReturnType<typeof withPaths>;

function withPaths(settings: Settings, folder: string) {
  const { storage, observability, http } = settings;
  const path = resolve(folder, storage.path);
  const { tls, ...plainHttp } = http;
  return {
    ...settings,
    http: {
      ...plainHttp,
      auth: withAuthPaths(http.auth, folder),
      ...(tls === undefined
        ? {}
        : {
            tls: {
              cert_path: resolve(folder, tls.cert_path),
              key_path: resolve(folder, tls.key_path),
              ...(tls.ca_path === undefined ? {} : { ca_path: resolve(folder, tls.ca_path) }),
            },
          }),
    },
    storage: { ...storage, path },
    observability: {
      ...observability,
      audit_log_path: auditPath(observability.audit_log_path, storage.driver, folder, path),
    },
  };
}

function auditPath(
  said: string | undefined,
  driver: Settings['storage']['driver'],
  folder: string,
  data: string,
): string | undefined {
  if (said !== undefined) return resolve(folder, said);
  return driver === 'jsonl' ? resolve(data, 'audit.jsonl') : undefined;
}

function buildStorage({ pop, storage }: Placed, secrets: Secrets): StorageSettings {
  const { driver, path, journal = pop } = storage;
  if (driver === 'jsonl') return { driver, path };
  return { driver, path, url: secretAt(secrets, ['storage', 'url_env']), journal };
}

/** Returns what the settings contribute to the policy, with the safelist of another system. */
export function policySettings(settings: Settings, safelist: readonly string[] = []): PolicySettings {
  const { guardrails, quotas, timers, escalation, aggregation, exchange } = settings;
  // Lengths up to which a rule may cover a prefix; without them, only dst_prefix_minlen counts.
  const shortest = {
    v4: lengthOf(guardrails.aggregate_to ?? 32),
    v6: lengthOf(guardrails.aggregate_to_v6 ?? 128),
  };
  return {
    pop: settings.pop,
    mode: settings.mode,
    guardrails: {
      dstPrefixMinLen: Math.min(guardrails.dst_prefix_minlen, shortest.v4),
      dstPrefixMaxLen: guardrails.dst_prefix_maxlen,
      dstPrefixMinLenV6: Math.min(guardrails.dst_prefix_minlen_v6, shortest.v6),
      dstPrefixMaxLenV6: guardrails.dst_prefix_maxlen_v6,
      maxPorts: guardrails.max_ports,
      requireInventory: guardrails.require_inventory,
      protectedPrefixes: protectedPrefixes(settings),
      allowSrcPrefixMatch: guardrails.allow_src_prefix_match,
      protectedPorts: [...new Set(guardrails.protected.ports)].sort((a, b) => a - b),
    },
    quotas: {
      maxActivePerCustomer: limit(quotas.max_active_per_customer),
      maxActivePerPop: limit(quotas.max_active_per_pop),
      maxActiveGlobal: limit(quotas.max_active_global),
      maxNewPerMinute: limit(quotas.max_new_per_minute),
      maxDivertedPerCustomer: limit(quotas.max_diverted_per_customer),
      maxDivertedPerPop: limit(quotas.max_diverted_per_pop),
      maxBlackholedPerCustomer: limit(quotas.max_blackholed_per_customer),
      maxBlackholedPerPop: limit(quotas.max_blackholed_per_pop),
    },
    timers: {
      defaultTtlSeconds: timers.default_ttl_seconds,
      minTtlSeconds: timers.min_ttl_seconds,
      maxTtlSeconds: timers.max_ttl_seconds,
      correlationWindowSeconds: timers.correlation_window_seconds,
      maxHoldSeconds: timers.max_hold_seconds,
      holdDownSeconds: timers.hold_down_seconds,
    },
    aggregation: {
      hosts: guardrails.aggregate_from ?? aggregation.hosts,
      windowSeconds: aggregation.window_seconds,
      toV4: guardrails.aggregate_to === undefined ? aggregation.to_v4 : shortest.v4,
      toV6: guardrails.aggregate_to_v6 === undefined ? aggregation.to_v6 : shortest.v6,
    },
    detectors: detectorPolicies(settings),
    escalation: {
      enabled: escalation.enabled,
      minPersistenceSeconds: escalation.min_persistence_seconds,
      minConfidence: escalation.min_confidence,
    },
    profiles: settings.profiles,
    targets: buildTargets(settings),
    safelist: [...settings.safelist.prefixes, ...safelist].map(carriedPrefix),
    ...(exchange === undefined
      ? {}
      : {
          exchange: {
            accept: [...new Set(exchange.accept)],
            maxImportedPerPop: limit(exchange.max_imported_per_pop),
          },
        }),
  };
}

/** Adds the forecast of what the neighbors can enforce to a policy, whose playbooks may name targets, too. */
export function withForecast(policy: Policy, { bgp }: Pick<Settings, 'bgp'>): Policy {
  const { guardrails, targets, playbooks } = policy;
  const neighbors = bgp.neighbors.map(buildControl);
  return { ...policy, forecast: forecastFor(neighbors, guardrails.protectedPorts, targets, playbooks) };
}

function detectorPolicies(settings: Settings): ReadonlyMap<string, DetectorPolicy> {
  return new Map(
    sourcesIn(settings.detectors).map(([source, { hold, confidence }]) => [
      source,
      { ...(hold === undefined ? {} : { hold }), ...(confidence === undefined ? {} : { confidence }) },
    ]),
  );
}

/** Returns prefixd's vectors by source and then by the detector's own name for the attack. */
function vectorMaps(settings: Settings): LoadedConfig['vectorMaps'] {
  return new Map(
    sourcesIn(settings.detectors).map(([source, entry]) => [
      source,
      new Map(Object.entries(entry.vector_map)),
    ]),
  );
}

function limit(quota: number | 'unlimited'): number {
  return quota === 'unlimited' ? Number.POSITIVE_INFINITY : quota;
}

/** Returns the configured prefixes and every address that BGP sessions use on either side. */
function protectedPrefixes(settings: Settings): readonly Prefix[] {
  const { router_id: routerId, listen, neighbors } = settings.bgp;
  const hosts = [routerId, listen === undefined ? undefined : listenAddress(listen).host];
  for (const neighbor of neighbors) hosts.push(neighbor.address, neighbor.local_address);
  const all = settings.guardrails.protected.prefixes.map(carriedPrefix);
  for (const host of hosts) {
    const octets = host === undefined ? undefined : parseZonedAddress(host);
    // A wildcard listener has no address of its own.
    if (octets?.some((octet) => octet !== 0)) all.push(hostPrefix(octets));
  }
  return all.filter((prefix, i) => all.findIndex((other) => samePrefix(prefix, other)) === i);
}

/**
 * Parses a prefix. IPv4-mapped IPv6 becomes IPv4, as packets carry it, so that a safelist entry protects that address.
 */
function carriedPrefix(text: string): Prefix {
  return unmapped(knownPrefix(text));
}

function listenAddress(text: string): ListenAddress {
  const address = parseListen(text);
  if (address === undefined) throw new RangeError(`"${text}" is not an address and a port`);
  return address;
}

function buildSpeaker(settings: Placed, secrets: Secrets): SpeakerSettings {
  const { bgp } = settings;
  return {
    localAsn: bgp.local_asn,
    routerId: bgp.router_id,
    ...(bgp.listen === undefined ? {} : { listen: listenAddress(bgp.listen) }),
    neighbors: bgp.neighbors.map((entry, i) => buildNeighbor(entry, i, secrets)),
  };
}

function buildNeighbor(entry: NeighborEntry, i: number, secrets: Secrets): NeighborSettings {
  const { graceful_restart: restart } = entry;
  return {
    name: entry.name,
    address: entry.address.startsWith('unix:')
      ? { kind: 'unix', path: entry.address.slice('unix:'.length) }
      : { kind: 'tcp', host: entry.address, port: entry.port },
    ...(entry.local_address === undefined ? {} : { localAddress: entry.local_address }),
    peerAsn: entry.peer_asn,
    passive: entry.passive,
    ...(entry.md5_password_env === undefined
      ? {}
      : { md5Password: secretAt(secrets, ['bgp', 'neighbors', i, 'md5_password_env']) }),
    ...(entry.ttl_security_hops === undefined ? {} : { ttlSecurityHops: entry.ttl_security_hops }),
    holdTimeSeconds: entry.hold_time_seconds,
    families: familiesOf(entry),
    ...(restart === undefined
      ? {}
      : {
          gracefulRestart: {
            restartTimeSeconds: restart.restart_time_seconds,
            longLivedStaleSeconds: restart.long_lived_stale_seconds,
          },
        }),
    enabled: entry.enabled,
  };
}

function familiesOf({ families, announce }: NeighborEntry): readonly Family[] {
  return offeredFamilies(families, announce).map((family) => FAMILIES[family]);
}

function buildControl(entry: NeighborEntry): NeighborPolicy {
  const communities = entry.communities.map(parseAnyCommunity);
  const octetsOf = (kind: 'standard' | 'large'): Uint8Array =>
    concatBytes(communities.flatMap((one) => (one.ok && one.value.kind === kind ? [one.value.octets] : [])));
  return {
    name: entry.name,
    dialect: entry.dialect,
    families: familiesOf(entry),
    maxRules: entry.max_rules,
    announce: entry.announce,
    maxUnicast: entry.max_unicast,
    communities: octetsOf('standard'),
    largeCommunities: octetsOf('large'),
  };
}

function buildHttp(settings: Placed, secrets: Secrets, users: UsersData | undefined): HttpSettings {
  const { http } = settings;
  const auth = buildAuth(http.auth, users, secrets);
  // People come without a certificate.
  const clientsOptional = auth.mode === 'mtls' && auth.signIn !== undefined;
  return {
    listen: listenAddress(http.listen),
    auth,
    tls:
      http.tls === undefined
        ? undefined
        : {
            certPath: http.tls.cert_path,
            keyPath: http.tls.key_path,
            caPath: http.tls.ca_path,
            ...(clientsOptional ? { clientsOptional } : {}),
          },
    rateLimit: { eventsPerSecond: http.rate_limit.events_per_second, burst: http.rate_limit.burst },
  };
}
