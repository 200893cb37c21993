/** The composition root: creates the components, connects them, and stops them in the right order. */
import { randomUUID } from 'node:crypto';
import type { Logger } from 'pino';
import { Speaker } from '../bgp/speaker/speaker.ts';
import type { Announcer } from '../control/announcer.ts';
import type { Engine } from '../control/engine.ts';
import { openEngine } from '../control/open-engine.ts';
import { Reconciler } from '../control/reconciler.ts';
import { MockAnnouncer } from '../control/mock-announcer.ts';
import { viewOf } from '../control/rule-view.ts';
import type { Log, ReconcilerView } from '../control/types.ts';
import { UnenforcedWatch } from '../control/shortfall.ts';
import { secondsWords } from '../net/text.ts';
import type { BoundAddress, HttpServer, ReloadOutcome } from '../http/dependencies.ts';
import type { Overload } from '../http/overload.ts';
import { SYSTEM } from '../core/decide/lifecycle.ts';
import type { Actor } from '../core/types.ts';
import { AuditLog } from '../store/audit/audit.ts';
import { Journal } from '../store/journal/journal.ts';
import { AlertRelay } from './alerts.ts';
import { realTimers, type SteadyClock, steadyClock } from './clock.ts';
import { bootTime, earliestByMark, writeMark } from './clock.ts';
import type { ConfigResult, LoadedConfig } from '../config/types.ts';
import { keepDisabled } from './reload.ts';
import { Health } from './observe/assess-health.ts';
import { Metrics } from './observe/metrics.ts';
import { narrateFacts, narrateSessions, narrateUnenforced } from './observe/fact-log.ts';
import { StartError } from './process.ts';
import { followRecording } from './observe/recording-log.ts';
import { Reloader, summarize } from './reload.ts';
import { serveApi, serveScrapes } from './serve.ts';
import { serveStart, Starting } from './start-progress.ts';
import { type Stopped, stopParts } from './stop.ts';
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

/** Stops one component again. */
type StopStep = () => Promise<void>;

/**
 * Starts everything. If something fails, stops everything again and rejects, with a StartError if the user can fix it.
 */
export async function startDaemon(options: DaemonOptions): Promise<Daemon> {
  const undo: StopStep[] = [];
  try {
    return await compose(options, undo);
  } catch (error) {
    for (const step of undo.reverse()) await step();
    throw error;
  }
}

async function compose(options: DaemonOptions, undo: StopStep[]): Promise<Daemon> {
  const { config, logger } = options;
  const steady = steadyClock();
  const clock = steady.now;
  const starting = new Starting(clock());
  // Before the journal is read, which may take long: reports a port in use at once, and serves the start's progress.
  const startServer = await serveStart(config, starting, clock, logger);
  undo.push(() => startServer.close());
  const announcer = makeAnnouncer(config, clock);
  const health = new Health({
    announcer,
    clock,
    clockAhead: steady.ahead,
    isMock: config.bgp.mode === 'mock',
    engine: () => later.engine,
    recording: () => later.engine?.recording ?? null,
    audit: () => later.audit?.condition ?? null,
    shortfalls: () => later.view?.shortfalls() ?? [],
  });
  // Components that are created later, for those created before them.
  const later: {
    audit: AuditLog | null;
    metrics: Metrics | null;
    server: HttpServer | null;
    reconciler: Reconciler | null;
    view: ReconcilerView | null;
    watch: UnenforcedWatch | null;
    engine: Engine | null;
  } = { audit: null, metrics: null, server: null, reconciler: null, view: null, watch: null, engine: null };
  const { engine, warnings } = await openEngine({
    store: new Journal({ folder: config.storage.path, clock }),
    policy: config.policy,
    clock,
    systemTime: Date.now,
    newId: randomUUID,
    room: (neighbor, action) =>
      later.reconciler?.neighbors.roomOn(neighbor, action) ?? Number.POSITIVE_INFINITY,
    snapshotEvery: SNAPSHOT_EVERY,
    onReplay: async (restored) => {
      // Only once the journal is locked by this process: opening the audit log cuts off its unfinished end.
      const log = await openAudit(config, clock, logger);
      later.audit = log;
      undo.push(() => log.close());
      return (fact) => log.catchUp(restored, fact);
    },
    onReplayed: (facts, about) => starting.read(facts, about),
    beforeSnapshot: async () => later.audit?.flush(),
    ...followRecording(logger, health, () => later.metrics),
  });
  starting.readAll();
  later.engine = engine;
  undo.push(() => engine.close());
  for (const warning of warnings) logger.warn(warning);
  await refuseLostFacts(later.audit, engine, config);
  await continueTime(steady, engine, config.storage.path, logger);
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
    onCompared: () => later.watch?.soon(),
  });
  later.reconciler = reconciler;
  const view = viewOf(reconciler, engine, announcer);
  later.view = view;
  engine.follow(narrateFacts(logger, engine.state, view.ruleText));
  announcer.subscribe(narrateSessions(logger));
  const audit = followed(later.audit, engine, logger);
  const metrics = new Metrics({
    engine,
    reconciler: view,
    announcer,
    clock,
    version,
    feedReaders: () => later.server?.feedReaders ?? 0,
    connections: () => later.server?.connections,
    recording: () => later.engine?.recording ?? null,
    assess: () => health.assess(),
  });
  later.metrics = metrics;
  // Followers of the facts must outlive the engine, so they are stopped after it.
  undo.unshift(async () => metrics.stop());
  const alerts = new AlertRelay(config, {
    state: engine.state,
    logger,
    count: (destination, outcome, count) => {
      for (let i = 0; i < count; i++) metrics.onAlert(destination, outcome);
    },
  });
  undo.unshift(() => alerts.close(0));
  engine.follow((facts) => alerts.record(facts));
  const watch = new UnenforcedWatch({
    lacking: () => reconciler.lacking(),
    timers: realTimers,
    onUnenforced: (mitigations) => {
      narrateUnenforced(logger, mitigations);
      alerts.unenforced(mitigations, clock());
    },
  });
  later.watch = watch;
  undo.unshift(async () => watch.stop());
  engine.follow(() => watch.soon());
  announcer.subscribe({ onEstablished: () => watch.soon() });
  const reloader = new Reloader({ config, engine, announcer, reconciler, logger, load: options.load });
  reloader.onAdopted(async (adopted) => alerts.adopt(adopted));
  await recordPolicy(engine, config, logger);
  // Takes seconds with many mitigations; events are accepted meanwhile. Awaited before any session may connect.
  const tablesFilled = reconciler.start();
  tablesFilled.catch(() => undefined);
  undo.push(() => reconciler.stop());
  const http = await serveApi({
    engine,
    announcer,
    reconciler: view,
    reloader,
    metrics,
    health,
    audit,
    logger,
    clock,
    startedAt,
    ...(options.watchOverload === undefined ? {} : { watchOverload: options.watchOverload }),
    starting: startServer,
  });
  later.server = http.server;
  undo.push(() => http.server.close(0));
  const stopWatching = watchHealth(health);
  undo.push(async () => stopWatching());
  const scrapes = await serveScrapes(config, metrics, logger);
  undo.push(async () => {
    scrapes?.close();
  });
  await keepDisabled(engine, announcer, config.bgp.speaker.neighbors, logger);
  await tablesFilled;
  await announcer.start().catch((error: unknown) => {
    const at = config.bgp.speaker.listen;
    throw at === undefined ? error : StartError.binding('bgp.listen', `${at.host}:${at.port}`, error);
  });
  logger.info(
    {
      version,
      pop: config.policy.pop,
      mode: config.policy.mode,
      http: `${http.bound.host}:${http.bound.port}`,
    },
    'prefixd is running',
  );
  return {
    http: http.bound,
    announcer,
    engine,
    reload: (actor, confirmed) => reloader.reload(actor, confirmed),
    stop: async () => {
      const { preserveAnnouncements, drainTimeoutSeconds } = reloader.config.shutdown;
      const { server } = http;
      stopWatching();
      watch.stop();
      const parts = { server, scrapes, reconciler, announcer, engine, audit, alerts, logger };
      const stopped = await stopParts(parts, drainTimeoutSeconds * 1000, preserveAnnouncements);
      metrics.stop();
      return stopped;
    },
  };
}

/**
 * Refuses to start if the audit log has newer facts than the journal: the journal's newest file was lost, and with it
 * withdrawals and expiries that were already reported. Ignores an audit log of another journal.
 */
async function refuseLostFacts(
  audit: AuditLog | null,
  { state }: Engine,
  config: LoadedConfig,
): Promise<void> {
  if (audit === null || !(await audit.outlived(state.seq, state.lastAt))) return;
  throw new StartError(
    `${config.storage.path}: the journal ends with fact ${state.seq}, but the audit log has facts up to ${audit.lastSeq}: the journal's newest journal-*.jsonl is missing or truncated; restore it, or move the audit log away to continue without these facts`,
  );
}

/**
 * Keeps active mitigations from living longer if the system's clock was set back while the daemon was down: time
 * continues from the newest fact, or from the last start's mark plus the time that has passed since then. Without
 * active mitigations nothing depends on it, and the system's clock is used again.
 */
async function continueTime(
  steady: SteadyClock,
  { state }: Engine,
  folder: string,
  logger: Logger,
): Promise<void> {
  const boot = await bootTime();
  if (state.activeTotal(false) + state.activeTotal(true) > 0) {
    steady.notBefore(Math.max(state.lastAt, await earliestByMark(folder, boot)));
    const seconds = Math.round(steady.ahead() / 1000);
    if (seconds > 0) {
      logger.warn(
        { ahead_seconds: seconds },
        `the system's clock is ${secondsWords(seconds)} behind the journal: TTLs are counted from the journal's time`,
      );
    }
  }
  if (boot === null) return;
  try {
    await writeMark(folder, boot, steady.now());
  } catch (error) {
    logger.warn({ err: error }, `cannot write this start's time to ${folder}`);
  }
}

/**
 * Adopts the policy, as at a reload: the files may have changed while the daemon was down, and mitigations that they
 * now forbid end before anything is announced. If that cannot be recorded, the daemon starts anyway, because the egress
 * check also knows the policy.
 */
async function recordPolicy(engine: Engine, config: LoadedConfig, logger: Logger): Promise<void> {
  const summary = summarize(config);
  try {
    await engine.adopt(config.policy, { type: 'policy-loaded', actor: SYSTEM, summary });
  } catch (error) {
    logger.error(
      { err: error },
      'the policy cannot be recorded; mitigations that it forbids are not withdrawn',
    );
  }
}

async function openAudit(config: LoadedConfig, clock: () => number, logger: Logger): Promise<AuditLog> {
  return AuditLog.open({
    path: config.observability.auditLogPath,
    clock,
    gather: (write) => realTimers.after(AUDIT_GATHERS_MS, write),
    onError: (error) => logger.error({ err: error }, 'the audit log cannot be written; trying again'),
  });
}

/** Returns the audit log, which has seen the replay, after making it follow the engine. */
function followed(audit: AuditLog | null, engine: Engine, logger: Logger): AuditLog {
  if (audit === null) throw new TypeError('the engine was opened without the audit log');
  const missing = audit.begin(engine.state);
  if (missing > 0) {
    logger.warn({ facts: missing }, 'the audit log lacks some facts, which are only in the journal');
  }
  engine.follow((facts) => audit.record(facts));
  return audit;
}

function makeAnnouncer(config: LoadedConfig, clock: () => number): Announcer {
  const { mode, speaker } = config.bgp;
  return mode === 'mock' ? new MockAnnouncer(speaker.neighbors, clock) : new Speaker(speaker);
}

/** Interval at which health is assessed even without a request, so that reasons have the right start time (ms). */
const ASSESS_EVERY_MS = 5_000;

/** Assesses health regularly. Returns a function that stops it. */
function watchHealth(health: Health): () => void {
  let cancel = (): void => undefined;
  const again = (): void => {
    health.assess();
    cancel = realTimers.after(ASSESS_EVERY_MS, again);
  };
  again();
  return () => cancel();
}
