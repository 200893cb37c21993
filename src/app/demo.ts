/**
 * Runs the demo (`npm start`): the daemon with built-in defaults, a lab router in the same process, and sample attacks.
 */
import { request } from 'undici';
import { isLive } from '../core/state/indices.ts';
import { endpointText } from '../net/text.ts';
import type { LabChange } from '../lab/rule-table.ts';
import { LabRouter } from '../lab/router.ts';
import { defaultConfig } from '../config/default.ts';
import { isLoopback, parseListen } from '../config/schema/fields.ts';
import { formatProblem } from '../config/config-problem.ts';
import type { ListenAddress, LoadedConfig } from '../config/types.ts';
import { DEFAULT_LISTEN } from '../config/schema/prefixd-schema.ts';
import { startDaemon } from './daemon.ts';
import type { Daemon } from './daemon.ts';
import { DEMO_ATTACKS } from './demo-data.ts';
import type { DemoData } from './demo-data.ts';
import { endLeftovers, openDemoData } from './demo-data.ts';
import { createLogger } from './observe/logger.ts';
import { explainStart, StartError, untilSignalled } from './process.ts';

/** Pause between two attacks, so that a reader can follow (ms). */
const READING_MS = 2_000;
/** Time to wait for the lab router before the demo continues without it (ms). */
const ROUTER_MS = 10_000;

const ROUTER = '127.0.0.1:1790';

export interface DemoOptions {
  /** Prints a line of the demo. */
  readonly print: (line: string) => void;
  /** `address:port` of the API, on loopback; port 0 takes any free port. Default: 127.0.0.1:8080. */
  readonly listen?: string | undefined;
  /** `address:port` of the lab router, on loopback. Default: 127.0.0.1:1790. */
  readonly router?: string | undefined;
  /** Folder for the journal; it is kept. Default: a temporary one. */
  readonly data?: string | undefined;
  /** The command that runs this program in another terminal. */
  readonly program?: string | undefined;
  /** Pause between two attacks (ms); by default long enough to read. */
  readonly pauseMs?: number;
  /** Ends the demo when aborted, as signals do. */
  readonly signal?: AbortSignal;
}

/**
 * Runs until SIGINT, SIGTERM or SIGHUP. Returns the exit code; prints the error if it is not 0, such as a port in use.
 */
export async function runDemo(options: DemoOptions): Promise<number> {
  const ended = new AbortController();
  const end = (): void => ended.abort();
  // A terminal that is closed must not leave the temporary folder behind, and neither must a signal during the start.
  process.once('SIGHUP', end);
  options.signal?.addEventListener('abort', end, { once: true });
  if (options.signal?.aborted === true) end();
  const stopping = untilSignalled(ended.signal);
  const stopped = stopping.promise.then((): true => true);
  try {
    return await runWithData(options, stopped);
  } catch (error) {
    options.print(`error: ${explainStart(error)}`);
    return 1;
  } finally {
    process.off('SIGHUP', end);
    stopping.release();
  }
}

async function runWithData(options: DemoOptions, stopped: Promise<true>): Promise<number> {
  const listen = loopback('--listen', options.listen ?? DEFAULT_LISTEN);
  const router = loopback('--router', options.router ?? ROUTER);
  const data = await openDemoData(options.data);
  try {
    return await runWithRouter(options, { listen, router, data, stopped });
  } finally {
    data.remove();
  }
}

/** The demo's resources. */
interface Stage {
  readonly listen: ListenAddress;
  readonly router: ListenAddress;
  readonly data: DemoData;
  /** Resolves when the demo is to end. */
  readonly stopped: Promise<true>;
}

/**
 * Parses an address. Throws a StartError unless it is on loopback: the demo's API and router have no authentication.
 */
function loopback(option: string, text: string): ListenAddress {
  const at = parseListen(text);
  if (at === undefined) {
    throw new StartError(
      `${option} ${JSON.stringify(text)} is not an address and a port, such as ${DEFAULT_LISTEN}`,
    );
  }
  if (!isLoopback(at.host)) {
    throw new StartError(
      `${option} ${text} is not on loopback: the demo has no authentication, so choose 127.0.0.1:PORT`,
    );
  }
  return at;
}

/** Replaces advice about the configuration, which the demo does not read, with advice about an option. */
function withOption(error: unknown, option: string, elsewhere: string): unknown {
  const taken = error instanceof StartError ? error.taken : undefined;
  if (taken === undefined) return error;
  return new StartError(
    `${taken} is in use: stop the program that listens there, or add ${option} ${elsewhere}`,
  );
}

async function runWithRouter(options: DemoOptions, stage: Stage): Promise<number> {
  const { print } = options;
  const heard = new RouterLines(print);
  const { host, port } = stage.router;
  const router = new LabRouter({
    host,
    port,
    asn: 65001,
    routerId: '192.0.2.1',
    onChange: (change) => heard.add(change),
  });
  const bound = await router.start().catch((error: unknown) => {
    const failed = StartError.binding('the lab router', `${host}:${port}`, error);
    throw withOption(failed, '--router', '127.0.0.1:1791');
  });
  try {
    const config = await builtIn(stage, bound.port);
    // The demo prints what happens; only errors of the log belong into its output.
    const sink = createLogger({
      format: 'text',
      level: 'error',
      secrets: () => config.secrets,
      destination: { write: (line) => print(`  daemon  ${line.trimEnd()}`) },
    });
    const daemon = await startDaemon({ config, logger: sink.logger }).catch((error: unknown) => {
      throw withOption(error, '--listen', '127.0.0.1:8081');
    });
    try {
      if (stage.data.used) await endLeftovers(daemon);
      return await play(daemon, heard, options, stage);
    } finally {
      print('Stopping: every session is closed and the journal is flushed.');
      await daemon.stop();
    }
  } finally {
    await router.close();
  }
}

async function builtIn({ listen, router, data }: Stage, routerPort: number): Promise<LoadedConfig> {
  const neighbor = { name: 'lab', address: addressOf(router.host), port: routerPort, peer_asn: 65001 };
  const result = await defaultConfig({
    settings: {
      http: { listen: endpointText(listen.host, listen.port) },
      bgp: { neighbors: [neighbor] },
      storage: { path: data.folder },
    },
  });
  if (!result.ok) throw new StartError(result.problems.map(formatProblem).join('\n'));
  return result.config;
}

function addressOf(host: string): string {
  return host === 'localhost' ? '127.0.0.1' : host;
}

/** Verbs for the lab router's changes. */
const HEARD: Readonly<Record<LabChange['kind'], string>> = {
  announced: 'received',
  replaced: 'replaced',
  withdrawn: 'removed',
  refused: 'refused',
};

/**
 * Prints the lab router's changes. Holds them back while an answer is awaited, so that the output always has the same
 * order.
 */
class RouterLines {
  readonly #print: (line: string) => void;
  readonly #held: string[] = [];
  #holds = true;
  #heard: (() => void) | undefined;

  constructor(print: (line: string) => void) {
    this.#print = print;
  }

  add({ kind, text }: LabChange): void {
    const line = `  lab router ${HEARD[kind]}: ${text}`;
    if (this.#holds) this.#held.push(line);
    else this.#print(line);
    this.#heard?.();
  }

  hold(): void {
    this.#holds = true;
  }

  /** Waits for the router's next line unless there is one, for at most ROUTER_MS. */
  async next(): Promise<void> {
    if (this.#held.length > 0) return;
    await Promise.race([
      new Promise<void>((resolve) => {
        this.#heard = resolve;
      }),
      pause(ROUTER_MS),
    ]);
    this.#heard = undefined;
  }

  /** Prints what was held back and holds back no more. */
  release(): void {
    this.#holds = false;
    for (const line of this.#held.splice(0)) this.#print(line);
  }

  /** Drops what was held back before the first attack. */
  drop(): void {
    this.#held.length = 0;
  }
}

async function play(
  daemon: Daemon,
  heard: RouterLines,
  options: DemoOptions,
  { data, stopped }: Stage,
): Promise<number> {
  const { print, pauseMs = READING_MS } = options;
  const api = `http://${endpointText(daemon.http.host, daemon.http.port)}`;
  print('');
  print('prefixd is running with built-in defaults and a lab router in this process, peering over real BGP.');
  print(`  dashboard  ${api}/`);
  print(`  API        ${api}/v1/health`);
  if (options.data !== undefined) print(`  journal    ${data.folder}`);
  if (await Promise.race([stopped, established(daemon)])) return 0;
  print('  session with lab is established');
  daemon.announcer.subscribe({
    onEstablished: (peer) => print(`  session with ${peer} is established`),
    onDown: (peer, why) => print(`  session with ${peer} is down: ${why}`),
  });
  heard.drop();
  for (const { story, event } of DEMO_ATTACKS) {
    if (await Promise.race([stopped, pause(pauseMs)])) return 0;
    print('');
    print(`A detector reports: ${story}`);
    print(`  POST /v1/events ${JSON.stringify(event)}`);
    heard.hold();
    const { lines, announces } = await report(api, event);
    for (const line of lines) print(`  ${line}`);
    if (announces) await heard.next();
    heard.release();
  }
  if (!(await Promise.race([stopped, pause(pauseMs)])))
    for (const line of whatNext(daemon, api, options)) print(line);
  await stopped;
  return 0;
}

/** Resolves to false when the first session is up. */
async function established({ announcer }: Daemon): Promise<false> {
  if (announcer.isEstablished('lab')) return false;
  await new Promise<void>((resolve) => {
    const end = announcer.subscribe({
      onEstablished: () => {
        end();
        resolve();
      },
    });
  });
  return false;
}

/** Returns commands to try next, which work as printed; they use the mitigation that expires last. */
function whatNext({ engine }: Daemon, api: string, { program = 'prefixd' }: DemoOptions): readonly string[] {
  const at = api === `http://${DEFAULT_LISTEN}` ? program : `${program} --api ${api}`;
  const [longest] = [...engine.state.mitigations.values()]
    .filter(isLive)
    .sort((a, b) => b.expiresAt - a.expiresAt);
  const about =
    longest === undefined
      ? []
      : [`  ${at} mitigations get ${longest.id}`, `  ${at} withdraw ${longest.id} --reason "false positive"`];
  return [
    '',
    'The rules stay on the lab router until their TTL expires. Try next, in another terminal:',
    `  ${at} status`,
    ...about,
    `To use your own router: ${program} init DIR. Ctrl-C ends the demo.`,
    '',
  ];
}

/** Posts an event as a detector does. Returns the answer's lines with its reasons, and whether a rule follows. */
async function report(
  api: string,
  event: Readonly<Record<string, unknown>>,
): Promise<{ readonly lines: readonly string[]; readonly announces: boolean }> {
  const { statusCode, body } = await request(`${api}/v1/events`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ event_id: crypto.randomUUID(), ...event }),
  });
  const answer = (await body.json()) as DemoAnswer;
  const head = answer.reason === undefined ? `${answer.status}` : `${answer.title} (${answer.reason})`;
  return {
    lines: [`${statusCode} ${head}`, ...(answer.why ?? []).map((step) => `  ${step}`)],
    announces: answer.status === 'accepted',
  };
}

/** The members that the demo reads of an answer: an accepted event or a problem. */
interface DemoAnswer {
  readonly status?: string | number;
  readonly title?: string;
  readonly reason?: string;
  readonly why?: readonly string[];
}

function pause(milliseconds: number): Promise<false> {
  return new Promise((resolve) => setTimeout(() => resolve(false), milliseconds).unref());
}
