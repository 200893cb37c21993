/**
 * Serves the API while the daemon starts, because a long journal takes a while to read. It reports the start's
 * progress, serves the dashboard, and answers everything else with 503. The API takes over the socket without a gap.
 */
import type { Server } from 'node:http';
import { createServer, type Server as SocketServer } from 'node:net';
import type { PolicyMode } from '../core/policy/policy.ts';
import { timeText } from '../net/time.ts';
import { type Assessment, reasonView } from '../view/health.ts';
import { createApp } from './api.ts';
import { registerDashboard } from './routes/dashboard.ts';
import type { CommonDependencies, StartingServer } from './dependencies.ts';
import type { TlsMaterial } from './http-listener.ts';
import { HttpProblem } from './http-problem.ts';
import { scopeOf } from './request-context.ts';
import { shownHealth } from './scoped-answers.ts';
import { commonProblems, HealthDetailSchema, HealthSchema } from './answer-schemas.ts';

/** Bounds the time for answers in progress once the API has taken over (ms). */
const FAREWELL_MS = 2_000;
const RETRY_AFTER_SECONDS = '2';

/**
 * Progress of the start. `opening`: opens the journal's folder and snapshot; `reading`: reads its facts; `applying`:
 * applies the policy to them.
 */
export interface StartProgress {
  readonly phase: 'opening' | 'reading' | 'applying';
  readonly factsRead: number;
  /** An estimate of the number of facts; undefined until the journal is open. */
  readonly factsAbout: number | undefined;
}

export interface StartingDependencies extends CommonDependencies {
  readonly tls: TlsMaterial | undefined;
  readonly clock: () => number;
  readonly version: string;
  /** Start of the process (ms since the epoch). */
  readonly startedAt: number;
  readonly pop: string;
  readonly mode: PolicyMode;
  /** Number of neighbors in the configuration. */
  readonly neighbors: number;
  readonly progress: () => StartProgress;
  /** Returns the status `starting` with one reason. */
  readonly assess: () => Assessment;
}

/** Listens. Rejects with the system's error when it cannot bind. */
export async function listenWhileStarting(
  deps: StartingDependencies,
  at: { readonly host: string; readonly port: number },
): Promise<StartingServer> {
  const never = { shedsReads: () => false, shedsEvents: () => false, stop: () => undefined };
  const { app, connections } = createApp(deps, deps.tls, never);
  app.addHook('onRequest', async (request, reply) => {
    // The next request must reach the API, which takes over new connections.
    reply.header('connection', 'close');
    if (!request.is404) return;
    const [reason] = deps.assess().reasons;
    throw new HttpProblem(503, `prefixd is starting: ${reason?.text ?? 'not ready yet'}; try again`, {
      reason: 'starting',
      headers: { 'retry-after': RETRY_AFTER_SECONDS },
    });
  });
  const health = () => {
    const { phase, factsRead, factsAbout } = deps.progress();
    return {
      status: 'starting' as const,
      ready: false,
      version: deps.version,
      uptime_seconds: Math.max(0, Math.floor((deps.clock() - deps.startedAt) / 1000)),
      starting: { phase, facts_read: factsRead, facts_about: factsAbout ?? null },
    };
  };
  app.get(
    '/v1/health',
    { config: { access: 'public' }, schema: { response: { 200: HealthSchema, ...commonProblems } } },
    () => health(),
  );
  app.get(
    '/v1/health/detail',
    {
      config: { access: 'read', scoped: 'filtered' },
      schema: { response: { 200: HealthDetailSchema, ...commonProblems } },
    },
    (request) => {
      const { reasons } = deps.assess();
      const view = {
        ...health(),
        pop: deps.pop,
        mode: deps.mode,
        started_at: timeText(deps.startedAt),
        problems: reasons.map(({ text }) => text),
        reasons: reasons.map(reasonView),
        paused: null,
        journal: { seq: 0 },
        peers: { configured: deps.neighbors, established: 0 },
        mitigations: { live: 0 },
        reconciler: { runs: 0, drift: 0, last_run_at: null, last_run_ms: 0, egress_refusals: 0 },
        feed_readers: 0,
      };
      return shownHealth(scopeOf(request), view, { pop: deps.pop, mitigations: new Map() }, new Set());
    },
  );
  await registerDashboard(app);
  await app.ready();
  const { server } = app;
  let current = server;
  await listenAt(server, at.host === 'localhost' ? '127.0.0.1' : at.host, at.port);
  const other = at.host === 'localhost' ? await otherLocalhost(server, () => current) : undefined;
  return {
    handOver: (to) => {
      to.listen(server);
      current = to;
      setTimeout(() => connections.close(), FAREWELL_MS).unref();
    },
    close: async () => {
      // A server that took over closes the socket and its own connections.
      const listeners = [...(other === undefined ? [] : [other]), ...(current === server ? [server] : [])];
      const closed = listeners.map(
        (listener) => new Promise<void>((resolve) => listener.close(() => resolve())),
      );
      connections.close();
      await Promise.all(closed);
    },
  };
}

function listenAt(server: SocketServer, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      server.off('error', reject);
      resolve();
    });
  });
}

/**
 * Listens on ::1 as well when the host is `localhost`; passes those connections to the current server. Undefined without
 * IPv6.
 */
async function otherLocalhost(
  server: SocketServer,
  current: () => Server,
): Promise<SocketServer | undefined> {
  const bound = server.address();
  if (bound === null || typeof bound === 'string') return undefined;
  const other = createServer((socket) => void current().emit('connection', socket));
  try {
    await listenAt(other, '::1', bound.port);
    return other;
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code === 'EADDRNOTAVAIL' || code === 'EAFNOSUPPORT') return undefined;
    server.close();
    throw error;
  }
}
