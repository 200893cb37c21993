/**
 * The composition root: creates the daemon's parts in order, connects them, and stops them (parts.ts).
 *
 *     api socket -> journal -> audit log -> engine -> reconciler -> metrics -> alerts -> api -> scrapes -> sessions
 *
 * One circle remains: the engine reports to health, metrics and the reconciler, which read it. So its callbacks name
 * constants that are created below it; none of them is called before the first command.
 */
import { randomUUID } from 'node:crypto';
import type { Logger } from 'pino';
import { Speaker } from '../bgp/speaker/speaker.ts';
import type { ConfigResult, LoadedConfig } from '../config/types.ts';
import type { Announcer } from '../control/announcer.ts';
import type { Engine } from '../control/engine.ts';
import { MockAnnouncer } from '../control/mock-announcer.ts';
import { resumeEngine } from '../control/open-engine.ts';
import { Reconciler } from '../control/reconciler.ts';
import { viewOf } from '../control/rule-view.ts';
import { UnenforcedWatch } from '../control/shortfall.ts';
import type { Log } from '../control/types.ts';
import type { Actor } from '../core/types.ts';
import type { BoundAddress, ReloadOutcome } from '../http/dependencies.ts';
import type { Overload } from '../http/overload.ts';
import { AuditLog } from '../store/audit/audit.ts';
import { AlertRelay } from './alerts.ts';
import { makeScrubberRequests, resumeRequests } from './cloud-requests.ts';
import { makeInventorySync } from './inventory-reads.ts';
import { continueTime, realTimers, steadyClock } from './clock.ts';
import { Health } from './observe/assess-health.ts';
import { followRecording, logFacts, logForgotten, logSessions, logUnenforced } from './observe/fact-log.ts';
import { Metrics } from './observe/metrics.ts';
import { closeEngine, closeSessions, Parts } from './parts.ts';
import { StartError } from './process.ts';
import { makeExchange } from './pops.ts';
import { keepDisabled, recordPolicy, Reloader } from './reload.ts';
import { ScrubberProbes } from './scrubber-probes.ts';
import { serveApi, serveScrapes, serveStart, Starting } from './serve.ts';
import { type DaemonStorage, makeStorage } from './storage.ts';
import { version } from './version.ts';

/** Number of facts between two snapshots of the state. */
const SNAPSHOT_EVERY = 100_000;
/** Time for which audit log entries are collected before they are written (ms). */
const AUDIT_GATHERS_MS = 100;

export interface DaemonOptions {
  readonly config: LoadedConfig;
  readonly logger: Logger;
  /** Reads the configuration again; absent if there is no folder to read it from. */
  readonly load?: () => Promise<ConfigResult>;
  /** Starts watching for overload, under which reads are refused. Default: by the event loop's delay. */
  readonly watchOverload?: () => Overload;
}

/** A running daemon. */
export interface Daemon {
  /** The API's bound address. */
  readonly http: BoundAddress;
  readonly announcer: Announcer;
  readonly engine: Engine;
  /** Reloads the configuration. `confirmed`: continue even if many mitigations are withdrawn. */
  reload(actor: Actor, confirmed?: boolean): Promise<ReloadOutcome>;
  /** Finishes requests, closes the sessions as configured and flushes the journal, within `drain_timeout_seconds`. */
  stop(): Promise<Stopped>;
}

export interface Stopped {
  /** Some part did not finish in time, and may keep the process alive. */
  readonly hangs: boolean;
  /** Number of operator actions that could not be recorded. */
  readonly forgotten: number;
}

/**
 * Starts everything. If something fails, stops everything again and rejects, with a StartError if the user can fix it.
 */
export async function startDaemon(options: DaemonOptions): Promise<Daemon> {
  const parts = new Parts(options.logger);
  try {
    return await compose(options, parts);
  } catch (error) {
    const drainMs = options.config.shutdown.drainTimeoutSeconds * 1000;
    // The reason why the start failed is the one to report.
    await parts.stop({ drainMs, graceMs: 0, preserve: false }).catch(() => undefined);
    throw error;
  }
}

async function compose(options: DaemonOptions, parts: Parts): Promise<Daemon> {
  const { config, logger, load } = options;
  const steady = steadyClock();
  const clock = steady.now;
  const starting = new Starting(clock());

  // Before the journal is read, which may take long: reports a port in use at once, and serves the start's progress.
  const socket = await parts.start({
    name: 'api',
    start: () => serveStart(config, starting, clock, logger),
    stop: (server) => server.close(),
  });

  const storage = await makeStorage(config, { clock, logger, onWorks: () => health.storeWorks() });
  const { store } = storage;
  const recovery = await parts.start({
    name: 'journal',
    start: () => store.open(),
    stop: () => store.close(),
  });

  // Only once the journal is locked by this process: opening the audit log cuts off its unfinished end.
  const audit = await parts.start({
    name: 'audit',
    start: () => openAudit(storage, clock, logger),
    stop: (log) => log.close(),
  });

  const announcer = makeAnnouncer(config, clock);
  const health = new Health({
    announcer,
    clock,
    clockAhead: steady.ahead,
    isMock: config.bgp.mode === 'mock',
    engine: () => engine,
    recording: () => engine.recording,
    audit: () => audit.condition,
    medium: storage.medium,
    trouble: () => storage.database?.trouble(),
    shortfalls: () => view.shortfalls(),
    exchange: () => exchange,
    requests: () => requests,
    source: () => inventory.status(),
  });
  const engine: Engine = await parts.start({
    name: 'journal',
    start: () =>
      resumeEngine(
        {
          store,
          policy: config.policy,
          clock,
          systemTime: Date.now,
          newId: randomUUID,
          room: (neighbor, action) => reconciler.neighbors.roomOn(neighbor, action),
          elsewhere: () => exchange?.othersActive(),
          snapshotEvery: SNAPSHOT_EVERY,
          onReplay: async (restored) => (fact) => audit.catchUp(restored, fact),
          onReplayed: (facts, about) => starting.read(facts, about),
          beforeSnapshot: () => audit.flush(),
          ...followRecording(logger, health, () => metrics),
        },
        recovery,
      ),
    stop: closeEngine,
  });
  parts.add('actions', () => engine.recordAll());
  parts.add('forgotten', () => logForgotten(logger, engine.unrecorded));
  starting.readAll();
  for (const warning of recovery.warnings) logger.warn(warning);
  await refuseLostFacts(audit, engine, storage);
  await continueTime(steady, engine.state, storage.folder, logger);
  const startedAt = clock();

  const log: Log = (level, text, fields) => logger[level](fields, text);
  const reconciler = new Reconciler({
    engine,
    announcer,
    neighbors: config.bgp.control,
    clock,
    timers: realTimers,
    intervalMs: config.reconciliationIntervalSeconds * 1000,
    log,
    onCompared: () => watch.soon(),
  });
  const view = viewOf(reconciler, engine, announcer);

  // Followers of the facts, which outlive the engine.
  engine.follow(logFacts(logger, engine.state, view.ruleText));
  announcer.subscribe(logSessions(logger));
  beginAudit(audit, engine, logger);
  const exchange = makeExchange({
    config,
    engine,
    announcer,
    clock,
    log,
    policyHash: () => reloader.config.policyHash,
    metrics: () => metrics,
  });
  const metrics = new Metrics({
    engine,
    reconciler: view,
    announcer,
    clock,
    version,
    feedReaders: () => server.feedReaders,
    connections: () => server.connections,
    recording: () => engine.recording,
    ...(storage.database === undefined ? {} : { database: storage.database }),
    assess: () => health.assess(),
    exchange,
    protections: () => requests.statuses(),
    alerts: () => alerts.destinations(),
    source: () => inventory.status(),
  });
  parts.add('metrics', () => metrics.stop());
  const alerts = new AlertRelay(config, { state: engine.state, logger, metrics, clock });
  parts.add('alerts', ({ graceMs }) => alerts.close(graceMs / 4));
  engine.follow((facts) => alerts.record(facts));
  const requests = makeScrubberRequests(config, { state: engine.state, clock, logger, metrics, alerts });
  parts.add('requests', ({ graceMs }) => requests.close(graceMs / 16));
  engine.follow((facts) => requests.record(facts));
  const watch = new UnenforcedWatch({
    lacking: () => reconciler.lacking(),
    timers: realTimers,
    onUnenforced: (mitigations) => {
      logUnenforced(logger, mitigations);
      alerts.unenforced(mitigations, clock());
    },
  });
  parts.add('unenforced', () => watch.stop());
  engine.follow(() => watch.soon());
  announcer.subscribe({ onEstablished: () => watch.soon() });

  const reloader = new Reloader({ config, engine, announcer, reconciler, logger, load });
  reloader.onAdopted(async (adopted) => {
    alerts.adopt(adopted);
    requests.adopt(adopted.scrubberRequests);
  });
  const inventory = makeInventorySync(config, { reloader, engine, clock, logger, metrics });
  parts.add('inventory', () => inventory.close());
  await recordPolicy(engine, config, logger);
  await resumeRequests(requests, config, logger);
  // Takes seconds with many mitigations; events are accepted meanwhile. Awaited before any session may connect.
  const tablesFilled = reconciler.start();
  tablesFilled.catch(() => undefined);
  parts.add('reconciler', () => reconciler.stop());

  const { server, bound } = await parts.start({
    name: 'api',
    start: () =>
      serveApi({
        engine,
        announcer,
        reconciler: view,
        reloader,
        metrics,
        health,
        auditLog: audit,
        ...(exchange === undefined ? {} : { exchange }),
        protections: requests,
        alerts,
        source: inventory,
        logger,
        clock,
        startedAt,
        ...(options.watchOverload === undefined ? {} : { watchOverload: options.watchOverload }),
        starting: socket,
      }),
    stop: (api, { graceMs }) => api.server.close(graceMs / 2),
  });
  parts.add('health', health.watch(realTimers));
  await parts.start({
    name: 'scrapes',
    start: () => serveScrapes(config, metrics, logger),
    stop: (listener) => listener?.close(),
  });

  inventory.start();
  const probes = new ScrubberProbes({ engine, timers: realTimers });
  parts.add('probes', () => probes.stop());

  await keepDisabled(engine, announcer, config.bgp.speaker.neighbors, logger);
  await tablesFilled;
  await parts.start({
    name: 'sessions',
    start: () => startSessions(announcer, config),
    stop: (_, shutdown) => closeSessions(announcer, engine, shutdown, logger),
  });
  // Last: nothing waits for it.
  await parts.start({ name: 'exchange', start: () => exchange?.start(), stop: () => exchange?.stop() });
  logger.info(
    { version, pop: config.policy.pop, mode: config.policy.mode, http: `${bound.host}:${bound.port}` },
    'prefixd is running',
  );
  return {
    http: bound,
    announcer,
    engine,
    reload: (actor, confirmed) => reloader.reload(actor, confirmed),
    stop: async () => {
      const { preserveAnnouncements: preserve, drainTimeoutSeconds } = reloader.config.shutdown;
      const drainMs = drainTimeoutSeconds * 1000;
      const { preserve: preserved, hanging } = await parts.stop({ drainMs, graceMs: drainMs, preserve });
      const hangs = hanging.size > 0;
      logger.info(
        { preserved },
        hangs ? 'prefixd has stopped without waiting for what hangs' : 'prefixd has stopped',
      );
      return { hangs, forgotten: engine.unrecorded.length };
    },
  };
}

/**
 * Refuses to start if the audit log has newer facts than the journal: the journal's newest file was lost, and with it
 * withdrawals and expiries that were already reported. Ignores an audit log of another journal.
 */
async function refuseLostFacts(audit: AuditLog, { state }: Engine, storage: DaemonStorage): Promise<void> {
  if (!(await audit.outlived(state.seq, state.lastAt))) return;
  throw new StartError(
    `${storage.place}: the journal ends with fact ${state.seq}, but the audit log has facts up to ${audit.lastSeq}: ${storage.loss}, or move the audit log away to continue without these facts`,
  );
}

async function openAudit(storage: DaemonStorage, clock: () => number, logger: Logger): Promise<AuditLog> {
  return new AuditLog(await storage.openAudit(), {
    clock,
    gather: (write) => realTimers.after(AUDIT_GATHERS_MS, write),
    onError: (error) => logger.error({ err: error }, 'the audit log cannot be written; trying again'),
  });
}

/** Makes the audit log, which has seen the replay, follow the engine. */
function beginAudit(audit: AuditLog, engine: Engine, logger: Logger): void {
  const missing = audit.begin(engine.state);
  if (missing > 0) {
    logger.warn({ facts: missing }, 'the audit log lacks some facts, which are only in the journal');
  }
  engine.follow((facts) => audit.record(facts));
}

function makeAnnouncer(config: LoadedConfig, clock: () => number): Announcer {
  const { mode, speaker } = config.bgp;
  return mode === 'mock' ? new MockAnnouncer(speaker.neighbors, clock) : new Speaker(speaker);
}

async function startSessions(announcer: Announcer, config: LoadedConfig): Promise<void> {
  await announcer.start().catch((error: unknown) => {
    const at = config.bgp.speaker.listen;
    throw at === undefined ? error : StartError.binding('bgp.listen', `${at.host}:${at.port}`, error);
  });
}
