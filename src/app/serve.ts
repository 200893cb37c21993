/** Serves the API: first the start's progress, then everything; and the listener for scrapes. */
import { randomUUID } from 'node:crypto';
import type { Logger } from 'pino';
import type { BoundAddress, HttpDependencies, HttpServer, StartingServer } from '../http/dependencies.ts';
import { loadTls } from '../http/http-listener.ts';
import { createServer } from '../http/server.ts';
import { listenWhileStarting, type StartProgress } from '../http/starting.ts';
import type { AuditLog } from '../store/audit/audit.ts';
import type { Assessment } from '../view/health.ts';
import type { LoadedConfig } from '../config/types.ts';
import type { Health } from './observe/assess-health.ts';
import type { Metrics } from './observe/metrics.ts';
import { listenForScrapes, type ScrapeListener } from './observe/metrics-listener.ts';
import { StartError } from './process.ts';
import type { Reloader } from './reload.ts';
import { version } from './version.ts';

/** Progress of the start. */
export class Starting {
  readonly #startedAt: number;
  #progress: StartProgress = { phase: 'opening', factsRead: 0, factsAbout: undefined };

  /** `startedAt`: milliseconds since the epoch. */
  constructor(startedAt: number) {
    this.#startedAt = startedAt;
  }

  /** Records the number of facts read so far. */
  read(factsRead: number, factsAbout: number): void {
    this.#progress = { phase: 'reading', factsRead, factsAbout };
  }

  /** Records that all facts are read; their number is now exact. */
  readAll(): void {
    const { factsRead } = this.#progress;
    this.#progress = { phase: 'applying', factsRead, factsAbout: factsRead };
  }

  get progress(): StartProgress {
    return this.#progress;
  }

  assess(): Assessment {
    const text = progressText(this.#progress);
    return { status: 'starting', reasons: [{ code: 'starting', text, since: this.#startedAt }] };
  }
}

/** Describes the progress in one line. */
export function progressText({ phase, factsRead, factsAbout }: StartProgress): string {
  if (phase === 'opening' || factsAbout === undefined) return 'opening the journal';
  if (phase === 'applying') return 'journal read; applying the policy';
  // The total is an estimate: it must not be less than the number read.
  const about = Math.max(factsRead, factsAbout);
  const number = (value: number): string => value.toLocaleString('en-US');
  return `read ${number(factsRead)} of about ${number(about)} journal facts`;
}

/**
 * Listens at `http.listen` while the daemon starts. Rejects with a StartError if the address cannot be bound, and with
 * an Error if certificates cannot be read.
 */
export async function serveStart(
  config: LoadedConfig,
  starting: Starting,
  clock: () => number,
  logger: Logger,
): Promise<StartingServer> {
  const { auth, tls, listen } = config.http;
  const deps = {
    auth: () => auth,
    tls: tls === undefined ? undefined : await loadTls(tls),
    logger,
    clock,
    newId: randomUUID,
    version,
    startedAt: clock(),
    pop: config.policy.pop,
    mode: config.policy.mode,
    neighbors: config.bgp.speaker.neighbors.length,
    onRequest: () => undefined,
    progress: () => starting.progress,
    assess: () => starting.assess(),
  };
  return listenWhileStarting(deps, listen).catch((error: unknown) => {
    throw StartError.binding('http.listen', `${listen.host}:${listen.port}`, error);
  });
}

export interface ServeOptions
  extends Pick<
    HttpDependencies,
    | 'engine'
    | 'announcer'
    | 'reconciler'
    | 'exchange'
    | 'protections'
    | 'alerts'
    | 'source'
    | 'logger'
    | 'clock'
    | 'startedAt'
    | 'watchOverload'
  > {
  readonly reloader: Reloader;
  readonly metrics: Metrics;
  readonly health: Health;
  readonly auditLog: AuditLog;
  /** The server that holds the API's socket during the start. */
  readonly starting: StartingServer;
}

/** Starts the API on the socket that has been open since the beginning of the start. */
export async function serveApi({
  reloader,
  metrics,
  health,
  auditLog,
  starting,
  ...deps
}: ServeOptions): Promise<{ readonly server: HttpServer; readonly bound: BoundAddress }> {
  const server = await createServer({
    ...deps,
    newId: randomUUID,
    version,
    auth: () => reloader.config.http.auth,
    tls: reloader.config.http.tls,
    rateLimit: () => reloader.config.http.rateLimit,
    alertmanagerLabels: () => reloader.config.alertmanagerLabels,
    vectorMaps: () => reloader.config.vectorMaps,
    webhooks: () => reloader.config.webhooks,
    onWebhook: (webhook, outcome) => metrics.onWebhook(webhook, outcome),
    metrics: () => metrics.scrape(),
    onRequest: (observation) => metrics.onRequest(observation),
    onShed: (work) => metrics.onShed(work),
    onOperatorAction: (action) => auditLog.recordAction(action),
    assess: () => health.assess(),
    settings: () => reloader.config.shown.settings,
    inventory: () => reloader.config.shown.inventory,
    playbooks: () => reloader.config.shown.playbooks,
    reload: (actor, confirmed) => reloader.reload(actor, confirmed),
    audit: (limit) => auditLog.newest(limit),
  });
  reloader.onAdopted(async ({ http }) => {
    if (http.tls !== undefined) await server.reloadTls(http.tls);
  });
  return { server, bound: server.takeOver(starting) };
}

/** Starts the listener for scrapes, if one is configured. Rejects with a StartError if its address cannot be bound. */
export async function serveScrapes(
  config: LoadedConfig,
  metrics: Metrics,
  logger: Logger,
): Promise<ScrapeListener | undefined> {
  const at = config.observability.metricsListen;
  if (at === null) return undefined;
  return listenForScrapes({ address: at, metrics: () => metrics.scrape(), logger }).catch(
    (error: unknown) => {
      throw StartError.binding('observability.metrics_listen', `${at.host}:${at.port}`, error);
    },
  );
}
