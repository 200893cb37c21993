/** Declares what the composition root provides to the HTTP room, which owns no state except its connections. */
import type { Server } from 'node:http';
import type { Role } from '../access/role.ts';
import type { CallerScope } from '../access/caller-scope.ts';
import type { Announcer } from '../control/announcer.ts';
import type { EngineView, ReconcilerView } from '../control/types.ts';
import type { Actor, HoldMode, Mitigation } from '../core/types.ts';
import type { ExchangeView } from '../exchange/types.ts';
import type { LabelMap } from '../intake/alertmanager.ts';
import type { VectorMaps } from '../intake/vector-names.ts';
import type { SignInSettings } from '../people/sign-in-settings.ts';
import type { AdapterSettings } from '../intake/webhook/adapter-settings.ts';
import type { AlertSending, AlertTrial, DeliveryRecord } from '../view/alert-sending.ts';
import type { Assessment } from '../view/health.ts';
import type { SourceStatus } from '../view/inventory-source-view.ts';
import type { ProtectionStatus } from '../view/protection-view.ts';
import type { ConnectionFigures } from './connection-table.ts';
import type { Overload } from './overload.ts';
import type { WorkClass } from './turns.ts';

/** A bearer token. `token` is a secret: it is never logged or shown. */
export interface ApiToken {
  readonly name: string;
  readonly role: Role;
  readonly token: string;
  /** Absent: not limited. */
  readonly scope?: CallerScope;
  /** The hold mode of the attacks that it reports. Default: by the detector. */
  readonly hold?: HoldMode;
}

/** The authentication method for callers. */
export type AuthSettings =
  | { readonly mode: 'none' }
  | {
      readonly mode: 'bearer';
      readonly tokens: readonly ApiToken[];
      /** Absent: people cannot sign in. */
      readonly signIn?: SignInSettings;
    }
  /** By the client certificate's CN. Without a map every caller is admin; with one, an unmapped CN is refused. */
  | {
      readonly mode: 'mtls';
      readonly roles: ReadonlyMap<string, Role> | undefined;
      /** By CN; others are not limited. */
      readonly scopes?: ReadonlyMap<string, CallerScope>;
      readonly signIn?: SignInSettings;
    };

/** The authentication method of a webhook's sender. */
export type WebhookAuth =
  /** A signature of the raw body. `header` is in lower case. */
  | {
      readonly kind: 'hmac';
      readonly header: string;
      readonly algorithm: 'sha256' | 'sha1' | 'sha512';
      readonly prefix: string;
      readonly secret: string;
    }
  /** What `AuthSettings` accepts; with `token`, only the caller of that name. */
  | { readonly kind: 'bearer'; readonly token: string | undefined }
  | { readonly kind: 'basic'; readonly user: string; readonly password: string };

/** A webhook of another system. */
export interface Webhook {
  readonly name: string;
  readonly auth: WebhookAuth;
  readonly mapping: AdapterSettings;
}

/**
 * Paths of PEM files. With `caPath`, clients must present a certificate signed by that CA; with `clientsOptional`, those
 * without one may sign in.
 */
export interface TlsSettings {
  readonly certPath: string;
  readonly keyPath: string;
  readonly caPath: string | undefined;
  readonly clientsOptional?: true;
}

/** The rate limit of each client: events per second on average, and the burst size. */
export interface RateLimitSettings {
  readonly eventsPerSecond: number;
  readonly burst: number;
}

/** Writes log lines; a pino logger fits. Text from outside goes into `fields`, never into `message`. */
export interface HttpLogger {
  debug(fields: Readonly<Record<string, unknown>>, message: string): void;
  info(fields: Readonly<Record<string, unknown>>, message: string): void;
  warn(fields: Readonly<Record<string, unknown>>, message: string): void;
  error(fields: Readonly<Record<string, unknown>>, message: string): void;
}

/** Result of a reload. A failed one changed nothing; each problem names its place and the fix. */
export type ReloadOutcome =
  | { readonly ok: true; readonly summary: string; readonly warnings?: readonly string[] }
  | { readonly ok: false; readonly problems: readonly string[] }
  /** It would withdraw many mitigations and was not confirmed. */
  | { readonly ok: false; readonly effect: string; readonly wouldWithdraw: number; readonly active: number };

/** An operator action that the decision core does not record as a fact; it goes to the audit log. */
export interface OperatorAction {
  readonly type:
    | 'peer.cleared'
    | 'config.reload_failed'
    | 'person.signed_in'
    | 'person.signed_out'
    | 'alert.tested';
  readonly at: number;
  readonly actor: Actor;
  /** Name of the peer or of the destination of alerts, the invalid file, or the person who signed in or out. */
  readonly target: string;
  readonly reason: string;
}

/**
 * What became of a webhook's document. `events`: at least one event was decided; `nothing`: it has no event, or only ignored
 * ones; `refused`: every event was refused or invalid; `unreadable`: the document itself.
 */
export const WEBHOOK_OUTCOMES = ['events', 'nothing', 'refused', 'unreadable'] as const;

export type WebhookOutcome = (typeof WEBHOOK_OUTCOMES)[number];

/** One answered request, for metrics. `route` is the route's pattern, never the requested path. */
export interface RequestObservation {
  readonly method: string;
  readonly route: string;
  readonly status: number;
  readonly seconds: number;
}

/** What cloud scrubbers are asked to protect. */
export interface ProtectionsView {
  statuses(): readonly ProtectionStatus[];
  /** Returns the protection of an active mitigation's prefix; undefined if nothing is asked for it. */
  statusOf(mitigation: Mitigation): ProtectionStatus | undefined;
}

/** The destinations of alerts. */
export interface AlertsView {
  destinations(): readonly (AlertSending & DeliveryRecord)[];
  /** Sends a destination a test message; undefined if there is no such destination. */
  test(name: string, actor: Actor): Promise<AlertTrial | undefined>;
}

/** Another system as a source of customers. `status` is undefined if there is none. */
export interface SourceControl {
  status(): SourceStatus | undefined;
  /** The secret of the webhook; undefined: it is off. */
  readonly webhookSecret: string | undefined;
  /** Lets the next read come soon. */
  soon(): void;
  sync(actor: Actor): Promise<SourceResult>;
  accept(actor: Actor, digest: string | undefined, confirmed: boolean): Promise<SourceResult>;
}

/** What became of a read or an acceptance. `nothing`: there was nothing to do. */
export type SourceResult =
  | { readonly type: 'adopted' | 'unchanged' | 'nothing' }
  | { readonly type: 'waiting'; readonly reason: string }
  | { readonly type: 'failed'; readonly text: string }
  | {
      readonly type: 'needs-confirmation';
      readonly effect: string;
      readonly ends: number;
      readonly active: number;
    };

export interface HttpDependencies {
  readonly engine: EngineView;
  readonly reconciler: ReconcilerView;
  readonly announcer: Announcer;
  /** The other POPs; absent: this one is on its own. */
  readonly exchange?: ExchangeView;
  /** Absent: no scrubber takes requests. */
  readonly protections?: ProtectionsView;
  /** Absent: no alerts are sent. */
  readonly alerts?: AlertsView;
  /** Absent: all customers are in inventory.yaml. */
  readonly source?: SourceControl;
  /** Milliseconds since the epoch. */
  readonly clock: () => number;
  /** Returns a new request id at each call. */
  readonly newId: () => string;
  readonly version: string;
  /** Start of the process (ms since the epoch). */
  readonly startedAt: number;
  readonly logger: HttpLogger;
  /** Called for every request, so that a reload rotates tokens and roles. */
  readonly auth: () => AuthSettings;
  /** Null: plain HTTP. */
  readonly tls: TlsSettings | undefined;
  /** Called for every event, so that a reload changes it. */
  readonly rateLimit: () => RateLimitSettings;
  /** The labels to read in messages of Alertmanager and Grafana. Default: the usual names. Called for every message. */
  readonly alertmanagerLabels?: () => LabelMap;
  /** Each source's own vector names. Default: only the built-in aliases. Called for every message. */
  readonly vectorMaps?: () => VectorMaps;
  /** The webhooks by name. Default: none. Called for every message. */
  readonly webhooks?: () => ReadonlyMap<string, Webhook>;
  /** Called for each document of a webhook. Must not throw. */
  readonly onWebhook?: (webhook: string, outcome: WebhookOutcome) => void;
  readonly metrics: () => Promise<{ readonly contentType: string; readonly body: string }>;
  /** Waits (ms) before it answers a token from a network that guesses tokens. Default: the system's timers. */
  readonly pause?: (milliseconds: number) => Promise<void>;
  /** Checks a password against its hash. Default: scrypt, which takes some 300 ms. */
  readonly checkPassword?: (password: string, hash: string) => Promise<boolean>;
  /** Called after each answer. Must not throw. */
  readonly onRequest: (observation: RequestObservation) => void;
  /** Called for each request that is refused because of overload. Must not throw. */
  readonly onShed?: (work: WorkClass) => void;
  /** Called for operator actions that are not recorded as facts. Must not throw. */
  readonly onOperatorAction: (action: OperatorAction) => void;
  /** Assesses the daemon's current health. */
  readonly assess: () => Assessment;
  /** The settings under their names in the files, with secrets redacted. */
  readonly settings: () => unknown;
  readonly inventory: () => unknown;
  readonly playbooks: () => unknown;
  /** `confirmed`: continue even if many mitigations are withdrawn. */
  readonly reload: (actor: Actor, confirmed: boolean) => Promise<ReloadOutcome>;
  /** Reads at most `limit` entries of the audit log, newest first. */
  readonly audit: (limit: number) => Promise<readonly unknown[]>;
  /** Starts watching for overload once the server listens. Default: by the event loop's delay. */
  readonly watchOverload?: () => Overload;
}

/** The dependencies that every HTTP app needs. */
export type CommonDependencies = Pick<
  HttpDependencies,
  'newId' | 'logger' | 'auth' | 'pause' | 'onRequest' | 'onShed'
>;

/** The server that listens while the daemon starts. */
export interface StartingServer {
  /** Passes the listening socket to `to`, finishes the answers in progress, and closes. */
  handOver(to: Server): void;
  /** Stops listening. Resolves when its connections are closed too. */
  close(): Promise<void>;
}

/** The address that a listener is bound to. */
export interface BoundAddress {
  readonly host: string;
  readonly port: number;
}

/** The API and the dashboard. */
export interface HttpServer {
  /** Rejects with the system's error (`EADDRINUSE`, `EACCES`) when it cannot bind. Port 0 takes any free port. */
  listen(address: BoundAddress): Promise<BoundAddress>;
  /** The bound address; undefined until it listens. */
  readonly address: BoundAddress | undefined;
  /** Number of feed readers. */
  readonly feedReaders: number;
  /** Connections by state, and counts of those refused and closed. */
  readonly connections: ConnectionFigures;
  /** Takes over the socket of the server that answered while the daemon started. No connection is refused meanwhile. */
  takeOver(starting: StartingServer): BoundAddress;
  /**
   * Reads the certificate files again; open connections keep the old ones. Rejects and changes nothing if they are
   * invalid.
   */
  reloadTls(tls: TlsSettings): Promise<void>;
  /**
   * Takes no new connections, closes feeds and finishes answers in progress; after `drainMs` (10,000) cuts the rest.
   */
  close(drainMs?: number): Promise<void>;
}
