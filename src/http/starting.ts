/**
 * The API while the daemon starts: a long journal takes a while to read. It says how far that is, serves the dashboard, and
 * answers 503 to everything else. Its socket goes on to the API, so that nobody is refused in between.
 */
import type { Server } from 'node:http';
import { createServer, type Server as SocketServer } from 'node:net';
import { timeText } from '../net/time.ts';
import type { Assessment } from '../view/health.ts';
import { reasonView } from '../view/health.ts';
import { createApp } from './api.ts';
import { registerDashboard } from './routes/dashboard.ts';
import type { CommonDependencies, StartingServer } from './dependencies.ts';
import type { TlsMaterial } from './http-listener.ts';
import { HttpProblem } from './http-problem.ts';
import { commonProblems, HealthDetailSchema, HealthSchema } from './answer-schemas.ts';

/** How long answers that are under way may take once the API has taken over (ms). */
const FAREWELL_MS = 2_000;
const RETRY_AFTER_SECONDS = '2';

/** How far the start is. `opening`: the journal's folder and snapshot; `reading`: its facts; `applying`: the policy to them. */
export interface StartProgress {
  readonly phase: 'opening' | 'reading' | 'applying';
  readonly factsRead: number;
  /** About how many there are to read; null when that is not known yet. */
  readonly factsAbout: number | null;
}

export interface StartingDependencies extends CommonDependencies {
  readonly tls: TlsMaterial | null;
  readonly clock: () => number;
  readonly version: string;
  /** When the process began to start (ms since the epoch). */
  readonly startedAt: number;
  readonly pop: string;
  readonly mode: 'enforced' | 'dry-run';
  /** Neighbors in the configuration. */
  readonly neighbors: number;
  readonly progress: () => StartProgress;
  /** Has the status `starting` and one reason. */
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
    // The next request is for the API.
    reply.header('connection', 'close');
    if (!request.is404) return;
    const [reason] = deps.assess().reasons;
    throw new HttpProblem(503, `prefixd is starting: ${reason?.text ?? 'it'}; try again`, {
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
      starting: { phase, facts_read: factsRead, facts_about: factsAbout },
    };
  };
  app.get(
    '/v1/health',
    { config: { access: 'public' }, schema: { response: { 200: HealthSchema, ...commonProblems } } },
    () => health(),
  );
  app.get(
    '/v1/health/detail',
    { config: { access: 'read' }, schema: { response: { 200: HealthDetailSchema, ...commonProblems } } },
    () => {
      const { reasons } = deps.assess();
      return {
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
    },
  );
  await registerDashboard(app);
  await app.ready();
  const { server } = app;
  let current = server;
  await listenAt(server, at.host === 'localhost' ? '127.0.0.1' : at.host, at.port);
  const other = at.host === 'localhost' ? await otherLocalhost(server, () => current) : null;
  return {
    handOver: (to) => {
      to.listen(server);
      current = to;
      setTimeout(() => connections.close(), FAREWELL_MS).unref();
    },
    close: async () => {
      // Whoever took over closes the socket, and ends its own connections.
      const listeners = [...(other === null ? [] : [other]), ...(current === server ? [server] : [])];
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

/** `localhost` is ::1 as well, on machines that have it: connections there go to whoever answers at the time. */
async function otherLocalhost(server: SocketServer, current: () => Server): Promise<SocketServer | null> {
  const bound = server.address();
  if (bound === null || typeof bound === 'string') return null;
  const other = createServer((socket) => void current().emit('connection', socket));
  try {
    await listenAt(other, '::1', bound.port);
    return other;
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code === 'EADDRNOTAVAIL' || code === 'EAFNOSUPPORT') return null;
    server.close();
    throw error;
  }
}
