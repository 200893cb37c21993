/** The configuration as the daemon uses it: defaults filled in, texts parsed, secrets resolved, paths absolute. */
import type { AlertEvent } from '../alert/alert.ts';
import type { SpeakerSettings } from '../bgp/speaker/types.ts';
import type { NeighborPolicy } from '../control/render.ts';
import type { Policy } from '../core/policy/policy.ts';
import type { AuthSettings, RateLimitSettings, TlsSettings } from '../http/dependencies.ts';
import type { LabelMap } from '../intake/alertmanager.ts';

/** A socket to listen on. `host` is an address or `localhost`; port 0 takes any free port. */
export interface ListenAddress {
  readonly host: string;
  readonly port: number;
}

/** Paths are absolute. */
export interface HttpSettings {
  readonly listen: ListenAddress;
  readonly auth: AuthSettings;
  readonly tls: TlsSettings | null;
  readonly rateLimit: RateLimitSettings;
}

export interface BgpSettings {
  readonly mode: 'native' | 'mock';
  /** Its neighbors are in the order of the file, as are those of `control`. */
  readonly speaker: SpeakerSettings;
  readonly control: readonly NeighborPolicy[];
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
  /** Which labels of Alertmanager and Grafana say what. */
  readonly alertmanagerLabels: LabelMap;
  /** Vectors by what a detector calls them, by source. */
  readonly vectorMaps: ReadonlyMap<string, ReadonlyMap<string, string>>;
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
