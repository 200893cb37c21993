/** `npm start`: the whole daemon on built-in defaults, a router beside it in the same process, and attacks to see it work. */
import { request } from 'undici';
import { LabRouter } from '../lab/router.ts';
import { defaultConfig } from './config/default.ts';
import { formatProblem } from './config/problem.ts';
import type { LoadedConfig } from './config/types.ts';
import { startDaemon } from './daemon.ts';
import type { Daemon } from './daemon.ts';
import { DEMO_ATTACKS } from './demo-attacks.ts';
import { createLogger } from './logger.ts';
import { explainStart, StartError, untilSignalled } from './process.ts';

/** Pause between two attacks, so that a reader can follow (ms). */
const READING_MS = 2_000;

export interface DemoOptions {
  /** Where the story is told. */
  readonly print: (line: string) => void;
  /** Laid over the built-in settings; for tests, which need ports of their own. */
  readonly settings?: Readonly<Record<string, unknown>>;
  /** Where the lab router listens. Port 0 takes any free port. */
  readonly router?: { readonly host: string; readonly port: number };
  /** Pause between two attacks (ms); by default long enough to read. */
  readonly pauseMs?: number;
  /** Ends the demo when it is aborted, beside the signals. */
  readonly signal?: AbortSignal;
}

/** Runs until SIGINT or SIGTERM. Returns the exit code, having printed what is in the way when it is not 0, such as a port in use. */
export async function runDemo(options: DemoOptions): Promise<number> {
  try {
    return await runWithRouter(options);
  } catch (error) {
    options.print(`error: ${inTheWay(error)}`);
    return 1;
  }
}

/** The demo reads no configuration, so that it must not advise to change one. */
function inTheWay(error: unknown): string {
  const taken = error instanceof StartError ? error.taken : undefined;
  if (taken === undefined) return explainStart(error);
  return `${taken} is in use: stop what listens there, or run a configuration of your own: prefixd run --config DIR`;
}

async function runWithRouter(options: DemoOptions): Promise<number> {
  const { print } = options;
  const at = options.router ?? { host: '127.0.0.1', port: 1790 };
  const router = new LabRouter({
    host: at.host,
    port: at.port,
    asn: 65001,
    routerId: '192.0.2.1',
    onChange: ({ kind, text }) => print(`  router ${kind}: ${text}`),
  });
  const bound = await router.start().catch((error: unknown) => {
    throw StartError.binding('the lab router', `${at.host}:${at.port}`, error);
  });
  try {
    const config = await builtIn(options, bound.port);
    // The story tells what happens; of the log only what went wrong belongs into it.
    const sink = createLogger({
      format: 'text',
      level: 'error',
      secrets: () => config.secrets,
      destination: { write: (line) => print(`  daemon  ${line.trimEnd()}`) },
    });
    const daemon = await startDaemon({ config, logger: sink.logger });
    try {
      daemon.announcer.subscribe({
        onEstablished: (peer) => print(`  session with ${peer} is established`),
        onDown: (peer, why) => print(`  session with ${peer} is down: ${why}`),
      });
      return await tell(daemon, options);
    } finally {
      print('Stopping: every session is closed and the journal is flushed.');
      await daemon.stop();
      sink.flush();
    }
  } finally {
    await router.close();
  }
}

async function builtIn(options: DemoOptions, routerPort: number): Promise<LoadedConfig> {
  const neighbors = [{ name: 'lab', address: '127.0.0.1', port: routerPort, peer_asn: 65001 }];
  const { bgp, ...settings } = options.settings ?? {};
  const result = await defaultConfig({
    settings: { ...settings, bgp: { ...(typeof bgp === 'object' ? bgp : {}), neighbors } },
  });
  if (!result.ok) throw new StartError(result.problems.map(formatProblem).join('\n'));
  return result.config;
}

async function tell(daemon: Daemon, options: DemoOptions): Promise<number> {
  const { print, pauseMs = READING_MS } = options;
  const api = `http://${daemon.http.host}:${daemon.http.port}`;
  print('');
  print('prefixd is running with built-in defaults and a lab router in this process, peering over real BGP.');
  print(`  dashboard  ${api}/`);
  print(`  API        ${api}/v1/health`);
  const stopped = untilSignalled(options.signal);
  for (const { story, event } of DEMO_ATTACKS) {
    if (await Promise.race([stopped.promise.then(() => true), pause(pauseMs)])) return 0;
    print('');
    print(`A detector reports: ${story}`);
    print(`  POST /v1/events ${JSON.stringify(event)}`);
    for (const line of await report(api, event)) print(`  ${line}`);
  }
  if (!(await Promise.race([stopped.promise.then(() => true), pause(pauseMs)]))) {
    print('');
    print('The rules above stand in the router until their TTL ends. In another terminal:');
    print('  npx prefixd status');
    print('  npx prefixd mitigations list');
    print('  npx prefixd withdraw ID --reason "false positive"');
    print('Then peer with your own router: see "Peering" in the README. Ctrl-C ends the demo.');
    print('');
  }
  await stopped.promise;
  return 0;
}

/** Posts an event the way any detector does. The answer, and under it why it is what it is. */
async function report(api: string, event: Readonly<Record<string, unknown>>): Promise<readonly string[]> {
  const { statusCode, body } = await request(`${api}/v1/events`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ event_id: crypto.randomUUID(), ...event }),
  });
  const answer = (await body.json()) as Answer;
  const head = answer.reason === undefined ? `${answer.status}` : `${answer.title} (${answer.reason})`;
  return [`${statusCode} ${head}`, ...(answer.why ?? []).map((step) => `  ${step}`)];
}

/** What the demo reads of an answer, be it an accepted event or a problem. */
interface Answer {
  readonly status?: string | number;
  readonly title?: string;
  readonly reason?: string;
  readonly why?: readonly string[];
}

function pause(milliseconds: number): Promise<false> {
  return new Promise((resolve) => setTimeout(() => resolve(false), milliseconds).unref());
}
