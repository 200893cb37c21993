/**
 * Defines the configuration that the daemon uses: defaults filled in, texts parsed, secrets resolved, paths absolute.
 */
import type { AlertEvent } from '../alert/alert.ts';
import type { AlertDestination } from '../alert/alert-destination.ts';
import type { SpeakerSettings } from '../bgp/speaker/types.ts';
import type { RequestSettings } from '../cloud/request-template.ts';
import type { NeighborPolicy } from '../control/render-rule.ts';
import type { InventoryData } from '../core/policy/inventory-schema.ts';
import type { Policy } from '../core/policy/policy.ts';
import type { AuthSettings, RateLimitSettings, TlsSettings, Webhook } from '../http/dependencies.ts';
import type { CopyHead } from '../inventory/copy-file.ts';
import type { SourceSettings } from '../inventory/source-settings.ts';
import type { Prefix } from '../net/prefix.ts';
import type { LabelMap } from '../intake/alertmanager.ts';
import type { Settings } from './schema/prefixd-schema.ts';

/** A socket to listen on. `host` is an address or `localhost`; port 0 takes any free port. */
export interface ListenAddress {
  readonly host: string;
  readonly port: number;
}

/** Settings of the API. Paths are absolute. */
export interface HttpSettings {
  readonly listen: ListenAddress;
  readonly auth: AuthSettings;
  readonly tls: TlsSettings | undefined;
  readonly rateLimit: RateLimitSettings;
}

export interface BgpSettings {
  readonly mode: Settings['bgp']['mode'];
  /** Neighbors are in the order of the file, here and in `control`. */
  readonly speaker: SpeakerSettings;
  readonly control: readonly NeighborPolicy[];
}

/** `path`: absolute path of the journal's folder. */
export type StorageSettings =
  | { readonly driver: 'jsonl'; readonly path: string }
  | {
      readonly driver: 'postgres';
      /** Not used; where the journal was before, or would be. */
      readonly path: string;
      /** Secret. */
      readonly url: string;
      /** The journal's name in the database. */
      readonly journal: string;
    };

/** Connection to the database that POPs share. What is accepted is in the policy. */
export interface ExchangeSettings {
  /** The database's URL; a secret. */
  readonly url: string;
}

export type LogLevel = Settings['observability']['log_level'];

export interface ObservabilitySettings {
  readonly logFormat: Settings['observability']['log_format'];
  readonly logLevel: LogLevel;
  /** Absolute path; undefined if the audit log is in the database. */
  readonly auditLogPath: string | undefined;
  /** Address of a listener for /metrics only, without authentication; null for none. */
  readonly metricsListen: ListenAddress | null;
}

export interface ShutdownSettings {
  readonly drainTimeoutSeconds: number;
  /**
   * True: close without a NOTIFICATION, so that neighbors keep the rules. False: withdraw everything, then send Cease.
   */
  readonly preserveAnnouncements: boolean;
}

export interface AlertingSettings {
  readonly destinations: readonly AlertDestination[];
  readonly events: readonly AlertEvent[];
  readonly allowPrivateAddresses: boolean;
}

/** The sources of `policy.inventory` and `policy.safelist`, so that one of them can be replaced. */
export interface InventorySources {
  /** Another system; undefined: there is none. Contains secrets. */
  readonly system: SourceSettings | undefined;
  /** The customers of inventory.yaml. In `policy.inventory` they come first. */
  readonly written: InventoryData;
  /** The configured safelist, without the system's. In `policy.safelist` it comes first. */
  readonly safelist: readonly Prefix[];
  /** The copy of the system's answer that is in use; undefined: none. */
  readonly copy: CopyHead | undefined;
  /** Why there is no copy, or an older one is used; undefined: no problem. */
  readonly copyProblem: string | undefined;
}

/** The result of loading a folder. Read-only; a reload creates a new one. */
export interface LoadedConfig {
  /** Absolute path of the folder; null for the built-in configuration. */
  readonly directory: string | null;
  /** Absolute paths of the files that were read, in order. */
  readonly files: readonly string[];
  /** POP, mode, guardrails, quotas, timers, escalation, profiles, inventory, playbooks and the configured safelist. */
  readonly policy: Policy;
  readonly bgp: BgpSettings;
  readonly http: HttpSettings;
  readonly storage: StorageSettings;
  /** Undefined: this POP is on its own. */
  readonly exchange: ExchangeSettings | undefined;
  readonly observability: ObservabilitySettings;
  readonly shutdown: ShutdownSettings;
  readonly alerting: AlertingSettings;
  /** The requests to start and stop protection, by scrubber; those that need none are missing. Contain secrets. */
  readonly scrubberRequests: ReadonlyMap<string, RequestSettings>;
  /** Where customers come from. */
  readonly inventorySources: InventorySources;
  /** Meaning of the labels of Alertmanager and Grafana. */
  readonly alertmanagerLabels: LabelMap;
  /** prefixd's vectors, by source and then by the detector's own name. */
  readonly vectorMaps: ReadonlyMap<string, ReadonlyMap<string, string>>;
  /** The webhooks of other systems, by name. */
  readonly webhooks: ReadonlyMap<string, Webhook>;
  readonly reconciliationIntervalSeconds: number;
  /** For people and the API: keys as in the files, defaults filled in, secrets redacted. Survives JSON. */
  readonly shown: {
    readonly settings: Readonly<Record<string, unknown>>;
    readonly inventory: Readonly<Record<string, unknown>>;
    readonly playbooks: Readonly<Record<string, unknown>>;
  };
  /** A digest of the policy's content: equal for POPs that decide alike. */
  readonly policyHash: string;
  /** The secrets' values, to redact them from texts. */
  readonly secrets: readonly string[];
}

/** A problem or a warning at a place in a file. */
export interface ConfigProblem {
  /** Path of the file: the folder as given, and the file's name. */
  readonly file: string;
  /** Line and column count from 1; null if the problem concerns the whole file. */
  readonly line: number | null;
  readonly column: number | null;
  /** Dotted path, list items by index: `bgp.neighbors[0].hold_time_seconds`; empty for the whole file. */
  readonly path: string;
  /** Says what is wrong. */
  readonly message: string;
  /** Says what to do; empty if the message already does. */
  readonly fix: string;
}

export type ConfigResult =
  | { readonly ok: true; readonly config: LoadedConfig; readonly warnings: readonly ConfigProblem[] }
  | {
      readonly ok: false;
      readonly problems: readonly ConfigProblem[];
      readonly warnings: readonly ConfigProblem[];
    };
