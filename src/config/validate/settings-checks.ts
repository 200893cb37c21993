/** Checks how the keys of prefixd.yaml fit together. Parts of the settings may be missing. */
import { familyBits, parsePrefix } from '../../net/prefix.ts';
import { isLoopback, parseListen } from '../schema/fields.ts';
import { signInChecks } from './sign-in-checks.ts';
import { neighborChecks } from './neighbor-checks.ts';
import { slipFor } from '../../net/nearest.ts';
import { destinationChecks } from './alerting-checks.ts';
import type { Findings } from '../config-problem.ts';
import type { DeepPartial } from '../parse-partial.ts';
import { KNOWN_DETECTORS, sourcesIn } from '../schema/detectors-schema.ts';
import type { Settings } from '../schema/prefixd-schema.ts';
import { webhookChecks } from './webhook-checks.ts';

/** Runs all checks on the settings. */
export function crossChecks(settings: DeepPartial<Settings>, found: Findings): void {
  httpChecks(settings, found);
  signInChecks(settings, found);
  listenerChecks(settings, found);
  neighborChecks(settings, found);
  guardrailChecks(settings, found);
  timerChecks(settings, found);
  storageChecks(settings, found);
  destinationChecks(settings, found);
  detectorChecks(settings, found);
  webhookChecks(settings, found);
}

function httpChecks(settings: DeepPartial<Settings>, found: Findings): void {
  const { auth, tls, listen } = settings.http ?? {};
  const host = listen === undefined ? undefined : parseListen(listen)?.host;
  const exposed = host !== undefined && !isLoopback(host);
  const at = ['http', 'auth'];
  if (auth?.mode === 'none' && exposed) {
    if (auth.allow_insecure === true) {
      found.warning([...at, 'mode'], `anyone who reaches ${listen} can drop traffic`, 'use bearer or mtls');
    } else {
      found.problem(
        [...at, 'mode'],
        `mode none is not allowed on ${listen}, which is not loopback: anyone who reaches it could drop traffic`,
        'use bearer or mtls, or listen on 127.0.0.1',
      );
    }
  }
  if (auth?.mode === 'bearer' && exposed && tls === undefined) {
    found.warning(['http', 'listen'], 'tokens are sent unencrypted', 'set http.tls, or use a TLS proxy');
  }
  if (auth?.mode === 'mtls' && tls === undefined) {
    found.problem([...at, 'mode'], 'mode mtls needs http.tls', 'set cert_path, key_path and ca_path');
  }
  if (auth?.mode === 'mtls' && tls !== undefined && tls.ca_path === undefined) {
    found.problem(['http', 'tls'], "mode mtls needs the clients' CA", 'add ca_path');
  }
  if (auth?.mode !== undefined && auth.mode !== 'bearer' && (auth.tokens ?? []).length > 0) {
    found.warning(
      [...at, 'tokens'],
      `tokens have no effect with mode ${auth.mode}`,
      'set mode: bearer, or remove them',
    );
  }
  if (auth?.mode !== undefined && auth.mode !== 'mtls' && auth.roles !== undefined) {
    found.warning(
      [...at, 'roles'],
      `roles have no effect with mode ${auth.mode}`,
      'set mode: mtls, or remove them',
    );
  }
  unique(auth?.tokens ?? [], 'name', [...at, 'tokens'], found);
}

/** Reports list items that use another item's value of `key`. */
function unique<Key extends string>(
  items: readonly ({ readonly [K in Key]?: string | undefined } | undefined)[],
  key: Key,
  at: readonly (string | number)[],
  found: Findings,
): void {
  const seen = new Set<string>();
  for (const [i, item] of items.entries()) {
    const value = item?.[key];
    if (value === undefined) continue;
    if (seen.has(value))
      found.problem([...at, i, key], `${key} "${value}" is used twice`, `give each entry its own ${key}`);
    seen.add(value);
  }
}

function listenerChecks(settings: DeepPartial<Settings>, found: Findings): void {
  const listeners = [
    { path: ['http', 'listen'], value: settings.http?.listen },
    { path: ['observability', 'metrics_listen'], value: settings.observability?.metrics_listen },
    { path: ['bgp', 'listen'], value: settings.bgp?.listen },
  ];
  for (const [i, later] of listeners.entries()) {
    for (const earlier of listeners.slice(0, i)) {
      if (later.value === undefined || earlier.value === undefined) continue;
      if (!collide(later.value, earlier.value)) continue;
      const other = earlier.path.join('.');
      found.problem(later.path, `${later.value} is already used by ${other}`, 'choose another port');
    }
  }
}

function collide(one: string, other: string): boolean {
  const a = parseListen(one);
  const b = parseListen(other);
  if (a === undefined || b === undefined || a.port !== b.port || a.port === 0) return false;
  const isAny = (host: string): boolean => host === '0.0.0.0' || host === '::';
  const plain = (host: string): string => (host === 'localhost' ? '127.0.0.1' : host);
  return plain(a.host) === plain(b.host) || isAny(a.host) || isAny(b.host);
}

function guardrailChecks(settings: DeepPartial<Settings>, found: Findings): void {
  const rails = settings.guardrails;
  if (rails === undefined) return;
  for (const [least, most] of [
    ['dst_prefix_minlen', 'dst_prefix_maxlen'],
    ['dst_prefix_minlen_v6', 'dst_prefix_maxlen_v6'],
  ] as const) {
    const [min, max] = [rails[least], rails[most]];
    if (min !== undefined && max !== undefined && min > max) {
      // A lower minimum would allow wider rules; a higher maximum allows only narrower ones.
      found.problem(
        ['guardrails', least],
        `${min} is above ${most}, which is ${max}`,
        `raise ${most} to at least ${min}`,
      );
    }
  }
  if (rails.aggregate_from !== undefined && rails.aggregate_to === undefined && !allowsPrefixes(settings)) {
    found.warning(
      ['guardrails', 'aggregate_from'],
      'no rule may cover a prefix, so this has no effect',
      'add aggregate_to: /24 (and aggregate_to_v6 for IPv6)',
    );
  }
  if (rails.require_ttl === false) {
    found.warning(['guardrails', 'require_ttl'], 'every rule has a TTL, so false has no effect', 'remove it');
  }
  const ports = rails.protected?.ports;
  if (ports !== undefined && !ports.includes(179)) {
    found.warning(['guardrails', 'protected', 'ports'], 'BGP (port 179) is not protected', 'add 179');
  }
  for (const [i, text] of (settings.safelist?.prefixes ?? []).entries()) {
    const prefix = parsePrefix(text ?? '');
    if (!prefix.ok || prefix.value.length > 0) continue;
    const family = familyBits(prefix.value.family) === 32 ? 'IPv4' : 'IPv6';
    found.warning(
      ['safelist', 'prefixes', i],
      `this covers all of ${family}: no attack on an ${family} address will be mitigated`,
      `keep it only if no ${family} address may ever be mitigated`,
    );
  }
}

/** True if the guardrails allow a rule for a prefix of the length that aggregation uses, in either family. */
function allowsPrefixes({ guardrails, aggregation }: DeepPartial<Settings>): boolean {
  const {
    dst_prefix_minlen: v4 = 32,
    dst_prefix_minlen_v6: v6 = 128,
    aggregate_to_v6: to,
  } = guardrails ?? {};
  return to !== undefined || v4 <= (aggregation?.to_v4 ?? 24) || v6 <= (aggregation?.to_v6 ?? 56);
}

function timerChecks(settings: DeepPartial<Settings>, found: Findings): void {
  const { min_ttl_seconds: min, default_ttl_seconds: usual, max_ttl_seconds: max } = settings.timers ?? {};
  if (min !== undefined && max !== undefined && min > max) {
    found.problem(
      ['timers', 'min_ttl_seconds'],
      `${min} is above max_ttl_seconds, which is ${max}`,
      `write at most ${max}`,
    );
  } else if (usual !== undefined && min !== undefined && usual < min) {
    found.problem(
      ['timers', 'default_ttl_seconds'],
      `${usual} is below min_ttl_seconds, which is ${min}`,
      `write at least ${min}`,
    );
  } else if (usual !== undefined && max !== undefined && usual > max) {
    found.problem(
      ['timers', 'default_ttl_seconds'],
      `${usual} is above max_ttl_seconds, which is ${max}`,
      `write at most ${max}`,
    );
  }
}

function storageChecks({ storage }: DeepPartial<Settings>, found: Findings): void {
  if (storage?.driver === 'postgres') {
    if (storage.url_env !== undefined) return;
    found.problem(
      ['storage', 'driver'],
      'driver postgres needs url_env, which is not set',
      "add url_env: the name of an environment variable that contains the database's URL",
    );
    return;
  }
  for (const key of ['url_env', 'journal'] as const) {
    if (storage?.[key] === undefined) continue;
    found.problem(
      ['storage', key],
      `${key} has no effect with driver jsonl`,
      'write driver: postgres, or remove it',
    );
  }
}

/** Warns about a name that is probably a misspelled known detector, although any name may be a source. */
function detectorChecks(settings: DeepPartial<Settings>, found: Findings): void {
  for (const [name] of sourcesIn(settings.detectors ?? {})) {
    const guess = slipFor(name, KNOWN_DETECTORS);
    if (guess === undefined) continue;
    found.warning(
      ['detectors', name],
      `"${name}" is not a known detector, but resembles ${guess}`,
      `write ${guess}, unless events are sent with source: ${name}`,
    );
  }
}
