/** Lists the settings that take effect only at the next start; used by reload and by `check --diff`. Pure. */

import type { Policy } from '../core/policy/policy.ts';
import { hostPrefix, parseZonedAddress, samePrefix } from '../net/prefix.ts';
import type { LoadedConfig } from './types.ts';

/** Settings in the form of `LoadedConfig.shown`: keys of prefixd.yaml, defaults filled in. */
export type ShownSettings = Readonly<Record<string, unknown>>;

interface StartSetting {
  /** Dotted path in prefixd.yaml; everything below it keeps its value until the next start. */
  readonly path: string;
  /** Default: any difference needs a start. */
  readonly needsStart?: (running: ShownSettings, next: ShownSettings) => boolean;
  /** Returns the next configuration with the running value of this setting. */
  readonly keep: (next: LoadedConfig, running: LoadedConfig) => LoadedConfig;
}

/** True if the listener asks clients for certificates, which is decided when it is opened. */
const asksForCertificates = (settings: ShownSettings): boolean =>
  settingAt(settings, 'http.tls.ca_path') !== undefined;
/** True if the listener refuses clients without a certificate, which is decided when it is opened, too. */
const asksStrictly = (settings: ShownSettings): boolean =>
  settingAt(settings, 'http.auth.mode') !== 'mtls' || settingAt(settings, 'http.auth.sign_in') === undefined;
const hasTls = (settings: ShownSettings): boolean => settingAt(settings, 'http.tls') !== undefined;

const AT_START: readonly StartSetting[] = [
  {
    path: 'http.auth',
    // Authentication depends on the listener: mode none is safe on loopback only, and mode mtls locks everybody out if
    // the listener does not ask for certificates.
    needsStart: (running, next) => {
      if (!differs(settingAt(running, 'http.auth'), settingAt(next, 'http.auth'))) return false;
      const mode = settingAt(next, 'http.auth.mode');
      if (mode === 'none') return differs(settingAt(running, 'http.listen'), settingAt(next, 'http.listen'));
      // A listener that asks less strictly than it must is harmless: each request's certificate is judged, too.
      if (mode === 'mtls' && asksStrictly(running) && !asksStrictly(next)) return true;
      return mode === 'mtls' && !asksForCertificates(running);
    },
    keep: (next, { http, secrets }) => ({
      ...withHttp(next, { auth: http.auth }),
      secrets: [...new Set([...next.secrets, ...secrets])],
    }),
  },
  { path: 'http.listen', keep: (next, { http }) => withHttp(next, { listen: http.listen }) },
  {
    path: 'http.tls',
    // Replaced certificates apply to new connections; turning TLS on or off does not.
    needsStart: (running, next) =>
      hasTls(running) !== hasTls(next) || asksForCertificates(running) !== asksForCertificates(next),
    keep: (next, { http }) => withHttp(next, { tls: http.tls }),
  },
  { path: 'storage', keep: (next, { storage }) => ({ ...next, storage }) },
  {
    path: 'exchange',
    // What is accepted is policy, and changes at once.
    needsStart: (running, next) =>
      differs(settingAt(running, 'exchange.url_env'), settingAt(next, 'exchange.url_env')),
    keep: (next, { exchange, policy, secrets }) => ({
      ...next,
      exchange,
      policy: withExchange(next.policy, policy.exchange),
      secrets: [...new Set([...next.secrets, ...secrets])],
    }),
  },
  { path: 'observability', keep: (next, { observability }) => ({ ...next, observability }) },
  {
    path: 'timers.reconciliation_interval_seconds',
    keep: (next, { reconciliationIntervalSeconds }) => ({ ...next, reconciliationIntervalSeconds }),
  },
  { path: 'bgp.mode', keep: (next, { bgp }) => ({ ...next, bgp: { ...next.bgp, mode: bgp.mode } }) },
  {
    path: 'bgp.local_asn',
    keep: (next, { bgp: { speaker } }) => withSpeaker(next, { localAsn: speaker.localAsn }),
  },
  {
    path: 'bgp.router_id',
    keep: (next, { bgp: { speaker } }) =>
      protectingOwn(withSpeaker(next, { routerId: speaker.routerId }), speaker.routerId),
  },
  {
    path: 'bgp.listen',
    keep: (next, { bgp: { speaker } }) => {
      const { listen: _, ...others } = next.bgp.speaker;
      const silent = { ...next, bgp: { ...next.bgp, speaker: others } };
      const { listen } = speaker;
      return listen === undefined ? silent : protectingOwn(withSpeaker(silent, { listen }), listen.host);
    },
  },
];

function withHttp(config: LoadedConfig, more: Partial<LoadedConfig['http']>): LoadedConfig {
  return { ...config, http: { ...config.http, ...more } };
}

function withSpeaker(config: LoadedConfig, more: Partial<LoadedConfig['bgp']['speaker']>): LoadedConfig {
  return { ...config, bgp: { ...config.bgp, speaker: { ...config.bgp.speaker, ...more } } };
}

/** Replaces what a policy accepts from other POPs. */
function withExchange(policy: Policy, exchange: Policy['exchange']): Policy {
  const { exchange: _, ...others } = policy;
  return exchange === undefined ? others : { ...others, exchange };
}

/** Protects an address that this daemon still uses, even if the files name another. */
function protectingOwn(config: LoadedConfig, host: string): LoadedConfig {
  const { policy } = config;
  const { protectedPrefixes } = policy.guardrails;
  const octets = parseZonedAddress(host);
  if (octets === undefined || octets.every((octet) => octet === 0)) return config;
  const own = hostPrefix(octets);
  if (protectedPrefixes.some((prefix) => samePrefix(prefix, own))) return config;
  const guardrails = { ...policy.guardrails, protectedPrefixes: [...protectedPrefixes, own] };
  return { ...config, policy: { ...policy, guardrails } };
}

/** Returns the settings that differ and take effect only at the next start. */
function settingsForRestart(running: ShownSettings, next: ShownSettings): readonly StartSetting[] {
  return AT_START.filter(
    ({ path, needsStart }) =>
      needsStart?.(running, next) ?? differs(settingAt(running, path), settingAt(next, path)),
  );
}

/** Returns the paths of settings that differ and take effect only at the next start. */
export function pathsForRestart(running: ShownSettings, next: ShownSettings): readonly string[] {
  return settingsForRestart(running, next).map(({ path }) => path);
}

/** Replaces the settings at these paths with those of `other`; a setting that is absent there is removed. */
export function withSettingsOf(
  settings: ShownSettings,
  other: ShownSettings,
  paths: readonly string[],
): ShownSettings {
  return paths.reduce((all, path) => replaced(all, path.split('.'), settingAt(other, path)), settings);
}

/** Returns the value at a dotted path; undefined if there is none. */
export function settingAt(settings: unknown, path: string): unknown {
  return path.split('.').reduce<unknown>((here, key) => {
    if (typeof here !== 'object' || here === null || !Object.hasOwn(here, key)) return undefined;
    return Reflect.get(here, key);
  }, settings);
}

/** Compares values, either of which may come from JSON. Ignores the order of keys. */
export function differs(a: unknown, b: unknown): boolean {
  return canonical(a) !== canonical(b);
}

function replaced(
  settings: ShownSettings,
  [key = '', ...rest]: readonly string[],
  value: unknown,
): ShownSettings {
  const { [key]: below, ...others } = settings;
  if (rest.length === 0) return value === undefined ? others : { ...others, [key]: value };
  const section =
    typeof below === 'object' && below !== null ? Object.fromEntries(Object.entries(below)) : {};
  return { ...others, [key]: replaced(section, rest, value) };
}

function canonical(value: unknown): string {
  return JSON.stringify(value ?? null, (_key, inner: unknown) =>
    typeof inner === 'object' && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  );
}

/** Names the changed settings that take effect only at the next start, one sentence each. */
export function needRestart(running: LoadedConfig, next: LoadedConfig): readonly string[] {
  const paths = pathsForRestart(running.shown.settings, next.shown.settings);
  return paths.map((path) => `${path} has changed and takes effect at the next start`);
}

/** Returns the reloaded configuration with the running values of settings that need a restart, also in `shown`. */
export function withSettingsOfStart(next: LoadedConfig, running: LoadedConfig): LoadedConfig {
  const waiting = settingsForRestart(running.shown.settings, next.shown.settings);
  const kept = waiting.reduce((config, { keep }) => keep(config, running), next);
  const paths = waiting.map(({ path }) => path);
  const settings = withSettingsOf(next.shown.settings, running.shown.settings, paths);
  return { ...kept, shown: { ...next.shown, settings } };
}
