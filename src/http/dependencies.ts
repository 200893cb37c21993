/** What the HTTP room is given by the composition root. It decides nothing and owns no state but its connections. */
import type { Server } from 'node:http';
import type { Announcer } from '../control/announcer.ts';
import type { EngineView, ReconcilerView } from '../control/types.ts';
import type { Actor, HoldMode } from '../core/types.ts';
import type { LabelMap } from '../intake/alertmanager.ts';
import type { VectorMaps } from '../intake/vector-names.ts';
import type { Assessment } from '../view/health.ts';
import type { ConnectionFigures } from './connection-table.ts';
import type { Overload } from './overload.ts';
import type { WorkClass } from './turns.ts';

/** What a caller may do. `detector`: events and signals; `viewer`: reads; `operator`: all but reload; `admin`: all. */
export type Role = 'detector' | 'viewer' | 'operator' | 'admin';

/** A bearer token. `token` is a secret: never logged, never shown. */
export interface ApiToken {
  readonly name: string;
  readonly role: Role;
  readonly token: string;
  /** How it holds what it reports; absent: as its detector does. */
  readonly hold?: HoldMode;
}

/** How callers prove who they are. */
export type AuthSettings =
  | { readonly mode: 'none' }
  | { readonly mode: 'bearer'; readonly tokens: readonly ApiToken[] }
  /** By the CN of the client's certificate. Without a map everybody is admin; with one, an unmapped CN is refused. */
  | { readonly mode: 'mtls'; readonly roles: ReadonlyMap<string, Role> | null };

/** Paths of PEM files. With `caPath` a client must present a certificate which that CA signed. */
export interface TlsSettings {
  readonly certPath: string;
  readonly keyPath: string;
  readonly caPath: string | null;
}

/** For each client: events a second on average, and how many at once. */
export interface RateLimitSettings {
  readonly eventsPerSecond: number;
  readonly burst: number;
}

/** Where log lines go; pino fits. Text from outside travels in `fields` only, never in `message`. */
export interface HttpLogger {
  debug(fields: Readonly<Record<string, unknown>>, message: string): void;
  info(fields: Readonly<Record<string, unknown>>, message: string): void;
  warn(fields: Readonly<Record<string, unknown>>, message: string): void;
  error(fields: Readonly<Record<string, unknown>>, message: string): void;
}

/** How a reload went. A failed one changed nothing; each problem names its place and what to do. */
export type ReloadOutcome =
  | { readonly ok: true; readonly summary: string; readonly warnings?: readonly string[] }
  | { readonly ok: false; readonly problems: readonly string[] }
  /** Nobody has confirmed that it may withdraw so many. */
  | { readonly ok: false; readonly effect: string; readonly wouldWithdraw: number; readonly active: number };

/** Something an operator did that is no fact of the decision core, for the audit log. */
export interface OperatorAction {
  readonly type: 'peer.cleared' | 'config.reload_failed';
  readonly at: number;
  readonly actor: Actor;
  /** The peer's name, or the file that was wrong. */
  readonly target: string;
  readonly reason: string;
}

/** One answered request, for metrics. `route` is the route's pattern, never the path as it came. */
export interface RequestObservation {
  readonly method: string;
  readonly route: string;
  readonly status: number;
  readonly seconds: number;
}

export interface HttpDependencies {
  readonly engine: EngineView;
  readonly reconciler: ReconcilerView;
  readonly announcer: Announcer;
  /** Milliseconds since the epoch. */
  readonly clock: () => number;
  /** A new id at each call; names requests. */
  readonly newId: () => string;
  readonly version: string;
  /** When the process started (ms since the epoch). */
  readonly startedAt: number;
  readonly logger: HttpLogger;
  /** Asked at every request, so that a reload rotates tokens and roles. */
  readonly auth: () => AuthSettings;
  /** Null: plain HTTP. */
  readonly tls: TlsSettings | null;
  /** Asked at every event, so that a reload changes it. */
  readonly rateLimit: () => RateLimitSettings;
  /** Which labels of Alertmanager and Grafana mean what; absent: the usual names. Asked at every message. */
  readonly alertmanagerLabels?: () => LabelMap;
  /** Vectors by the names that detectors give them, by source; absent: the built-in aliases alone. Asked at every message. */
  readonly vectorMaps?: () => VectorMaps;
  readonly metrics: () => Promise<{ readonly contentType: string; readonly body: string }>;
  /** Waits (ms) before tokens from a network that guesses are answered; the system's timers unless a test brings its own. */
  readonly pause?: (milliseconds: number) => Promise<void>;
  /** Called after each answer. Must not throw. */
  readonly onRequest: (observation: RequestObservation) => void;
  /** Called for each request that is refused because there are too many. Must not throw. */
  readonly onShed?: (work: WorkClass) => void;
  /** Called for operator actions that no fact records. Must not throw. */
  readonly onOperatorAction: (action: OperatorAction) => void;
  /** How the daemon is right now. */
  readonly assess: () => Assessment;
  /** Secrets redacted, in the words of the files. */
  readonly settings: () => unknown;
  readonly inventory: () => unknown;
  readonly playbooks: () => unknown;
  /** `confirmed`: go ahead although many mitigations end. */
  readonly reload: (actor: Actor, confirmed: boolean) => Promise<ReloadOutcome>;
  /** The newest entries of the audit log, newest first, at most `limit`. */
  readonly audit: (limit: number) => Promise<readonly unknown[]>;
  /** Begins to watch for overload, once the server listens; absent: by the event loop's delay. */
  readonly watchOverload?: () => Overload;
}

/** What every app needs, whatever it serves. */
export type CommonDependencies = Pick<
  HttpDependencies,
  'newId' | 'logger' | 'auth' | 'pause' | 'onRequest' | 'onShed'
>;

/** What listens while the daemon starts. */
export interface StartingServer {
  /** Has `to` go on listening at the same socket, answers what is under way, and is no more. */
  handOver(to: Server): void;
  /** Stops listening: when nobody takes over, or together with who did. Resolves when the connections have ended, too. */
  close(): Promise<void>;
}

/** Where a listener is bound. */
export interface BoundAddress {
  readonly host: string;
  readonly port: number;
}

/** The API and the dashboard. */
export interface HttpServer {
  /** Rejects with the system's error (`EADDRINUSE`, `EACCES`) when it cannot bind. Port 0 takes any free port. */
  listen(address: BoundAddress): Promise<BoundAddress>;
  /** Null until it listens. */
  readonly address: BoundAddress | null;
  /** How many read the feed. */
  readonly feedReaders: number;
  /** Connections by state, and how many were refused and closed. */
  readonly connections: ConnectionFigures;
  /** Goes on with the socket of the server that answered while the daemon started. Nobody is refused in between. */
  takeOver(starting: StartingServer): BoundAddress;
  /** Reads the certificate files again; connections that stand keep the old ones. Rejects, and changes nothing, when they are bad. */
  reloadTls(tls: TlsSettings): Promise<void>;
  /** Takes no new connections, ends feeds, finishes what is being answered; after `drainMs` (10,000) cuts what is left. */
  close(drainMs?: number): Promise<void>;
}
