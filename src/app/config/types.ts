/** The configuration as the daemon uses it: defaults filled in, texts parsed, secrets resolved, paths absolute. */
import type { SpeakerSettings } from '../../bgp/speaker/types.ts';
import type { Family } from '../../bgp/wire/iana.ts';
import type { Policy } from '../../core/policy.ts';

/** What a caller of the API may do. `detector`: events and signals; `viewer`: reads; `operator`: all but reload; `admin`: all. */
export type Role = 'detector' | 'viewer' | 'operator' | 'admin';

/** A socket to listen on. `host` is an address or `localhost`; port 0 takes any free port. */
export interface ListenAddress {
  readonly host: string;
  readonly port: number;
}

/** A bearer token. `token` is a secret: never logged, never shown. */
export interface ApiToken {
  readonly name: string;
  readonly role: Role;
  readonly token: string;
}

/** How callers of the API prove who they are. */
export type AuthSettings =
  | { readonly mode: 'none' }
  /** At least one token. */
  | { readonly mode: 'bearer'; readonly tokens: readonly ApiToken[] }
  /** By the CN of the client's certificate. Without a map everybody is admin; with one, an unmapped CN is refused. */
  | { readonly mode: 'mtls'; readonly roles: ReadonlyMap<string, Role> | null };

/** Absolute paths of PEM files. With `caPath` a client must present a certificate which that CA signed. */
export interface TlsSettings {
  readonly certPath: string;
  readonly keyPath: string;
  readonly caPath: string | null;
}

export interface HttpSettings {
  readonly listen: ListenAddress;
  readonly auth: AuthSettings;
  readonly tls: TlsSettings | null;
  readonly rateLimit: { readonly eventsPerSecond: number; readonly burst: number };
}

export type DialectName = 'juniper' | 'cisco-xr' | 'arista' | 'nokia' | 'huawei' | 'generic';

/** What the reconciler must know of a neighbor, beside its session. */
export interface NeighborControl {
  readonly name: string;
  readonly dialect: DialectName;
  readonly families: readonly Family[];
  /** How many rules the neighbor may be given, at least 1. */
  readonly maxRules: number;
  /** COMMUNITIES attached to every rule, 4 octets each (RFC 1997). */
  readonly communities: Uint8Array;
  /** LARGE_COMMUNITIES attached to every rule, 12 octets each (RFC 8092). */
  readonly largeCommunities: Uint8Array;
}

export interface BgpSettings {
  readonly mode: 'native' | 'mock';
  /** Its neighbors are in the order of the file, as are those of `control`. */
  readonly speaker: SpeakerSettings;
  readonly control: readonly NeighborControl[];
}

export interface StorageSettings {
  readonly driver: 'jsonl';
  /** Absolute path of the journal's folder. */
  readonly path: string;
}

export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error';

export interface ObservabilitySettings {
  readonly logFormat: 'json' | 'text';
  readonly logLevel: LogLevel;
  /** Absolute path. */
  readonly auditLogPath: string;
  /** A listener for /metrics alone, without authentication; null: none. */
  readonly metricsListen: ListenAddress | null;
}

export interface ShutdownSettings {
  readonly drainTimeoutSeconds: number;
  /** True: part without a NOTIFICATION that flushes. False: withdraw everything, then Cease. */
  readonly preserveAnnouncements: boolean;
}

/** Where alerts go. URLs of Slack, keys and signing secrets are secrets. */
export type AlertDestination =
  | { readonly type: 'slack'; readonly webhookUrl: string }
  | { readonly type: 'pagerduty'; readonly routingKey: string }
  | { readonly type: 'webhook'; readonly url: string; readonly secret: string | null };

/** Facts that can raise an alert. */
export type AlertEvent =
  | 'mitigation.created'
  | 'mitigation.rejected'
  | 'mitigation.extended'
  | 'mitigation.widened'
  | 'mitigation.escalated'
  | 'mitigation.withdrawn'
  | 'mitigation.expired'
  | 'safelist.added'
  | 'safelist.removed'
  | 'control.paused'
  | 'control.resumed'
  | 'policy.loaded';

export interface AlertingSettings {
  readonly destinations: readonly AlertDestination[];
  readonly events: readonly AlertEvent[];
  readonly allowPrivateAddresses: boolean;
}

/** Everything `loadConfig` makes of a folder. Read-only; a reload makes a new one. */
export interface LoadedConfig {
  /** Absolute path of the folder, or null for built-in defaults. */
  readonly directory: string | null;
  /** The files that were read, absolute, in order. */
  readonly files: readonly string[];
  /** POP, mode, guardrails, quotas, timers, escalation, profiles, inventory, playbooks and the configured safelist. */
  readonly policy: Policy;
  readonly bgp: BgpSettings;
  readonly http: HttpSettings;
  readonly storage: StorageSettings;
  readonly observability: ObservabilitySettings;
  readonly shutdown: ShutdownSettings;
  readonly alerting: AlertingSettings;
  readonly reconciliationIntervalSeconds: number;
  /** For people and the API: in the words of the files, defaults filled in, secrets redacted. Survives JSON. */
  readonly shown: {
    readonly settings: Readonly<Record<string, unknown>>;
    readonly inventory: Readonly<Record<string, unknown>>;
    readonly playbooks: Readonly<Record<string, unknown>>;
  };
  /** The secrets' values, for whoever must keep them out of a text. */
  readonly secrets: readonly string[];
}

/** Something wrong, or worth knowing, at a place in a file. */
export interface ConfigProblem {
  /** As the reader would open it: the folder as given, and the file's name. */
  readonly file: string;
  /** Both from 1; null when the problem is with the file as a whole. */
  readonly line: number | null;
  readonly column: number | null;
  /** Dotted, list items by index: `bgp.neighbors[0].hold_time_seconds`; empty for the file as a whole. */
  readonly path: string;
  /** What is wrong. */
  readonly message: string;
  /** What to do about it; empty where the message says so already. */
  readonly fix: string;
}

export type ConfigResult =
  | { readonly ok: true; readonly config: LoadedConfig; readonly warnings: readonly ConfigProblem[] }
  | {
      readonly ok: false;
      readonly problems: readonly ConfigProblem[];
      readonly warnings: readonly ConfigProblem[];
    };
