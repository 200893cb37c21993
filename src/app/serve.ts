/** Starts the API and the metrics listener with their dependencies. */
import { randomUUID } from 'node:crypto';
import type { Logger } from 'pino';
import type { Announcer } from '../control/announcer.ts';
import type { EngineView, ReconcilerView } from '../control/types.ts';
import type { BoundAddress, HttpServer, StartingServer } from '../http/dependencies.ts';
import type { Overload } from '../http/overload.ts';
import { createServer } from '../http/server.ts';
import type { AuditLog } from '../store/audit/audit.ts';
import type { LoadedConfig } from '../config/types.ts';
import type { Health } from './observe/assess-health.ts';
import type { Metrics } from './observe/metrics.ts';
import { listenForScrapes, type ScrapeListener } from './observe/metrics-listener.ts';
import { StartError } from './process.ts';
import type { Reloader } from './reload.ts';
import { reloadCertificates } from './reload.ts';
import { version } from './version.ts';

export interface ServeOptions {
  readonly engine: EngineView;
  readonly announcer: Announcer;
  readonly reconciler: ReconcilerView;
  readonly reloader: Reloader;
  readonly metrics: Metrics;
  readonly health: Health;
  readonly audit: AuditLog;
  readonly logger: Logger;
  readonly clock: () => number;
  /** Milliseconds since the epoch. */
  readonly startedAt: number;
  /** Starts watching for overload. Default: by the event loop's delay. */
  readonly watchOverload?: () => Overload;
  /** The server that holds the API's socket during the start. */
  readonly starting: StartingServer;
}

/** Starts the API on the socket that has been open since the beginning of the start. */
export async function serveApi(
  options: ServeOptions,
): Promise<{ readonly server: HttpServer; readonly bound: BoundAddress }> {
  const { engine, announcer, reconciler, reloader, metrics, health, audit, logger, clock, startedAt } =
    options;
  const server = await createServer({
    engine,
    announcer,
    reconciler,
    clock,
    newId: randomUUID,
    version,
    startedAt,
    logger,
    auth: () => reloader.config.http.auth,
    tls: reloader.config.http.tls,
    rateLimit: () => reloader.config.http.rateLimit,
    alertmanagerLabels: () => reloader.config.alertmanagerLabels,
    vectorMaps: () => reloader.config.vectorMaps,
    metrics: () => metrics.scrape(),
    onRequest: (observation) => metrics.onRequest(observation),
    onShed: (work) => metrics.onShed(work),
    onOperatorAction: (action) => audit.recordAction(action),
    assess: () => health.assess(),
    settings: () => reloader.config.shown.settings,
    inventory: () => reloader.config.shown.inventory,
    playbooks: () => reloader.config.shown.playbooks,
    reload: (actor, confirmed) => reloader.reload(actor, confirmed),
    audit: (limit) => audit.newest(limit),
    ...(options.watchOverload === undefined ? {} : { watchOverload: options.watchOverload }),
  });
  reloadCertificates(reloader, server);
  return { server, bound: server.takeOver(options.starting) };
}

/** Starts the listener for scrapes, if one is configured. Rejects with a StartError if its address cannot be bound. */
export async function serveScrapes(
  config: LoadedConfig,
  metrics: Metrics,
  logger: Logger,
): Promise<ScrapeListener | null> {
  const at = config.observability.metricsListen;
  if (at === null) return null;
  return listenForScrapes({ address: at, metrics: () => metrics.scrape(), logger }).catch(
    (error: unknown) => {
      throw StartError.binding('observability.metrics_listen', `${at.host}:${at.port}`, error);
    },
  );
}
