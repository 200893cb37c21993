/** The notify script as FastNetMon runs it, and a daemon for it that answers what the test says. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { undo } from '../support/undo.ts';
import { packaged } from './files.ts';

export const SCRIPT = packaged('fastnetmon/prefixd-notify.sh');

/** A message that arrived. */
export interface Arrived {
  readonly path: string;
  readonly query: Readonly<Record<string, string>>;
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  readonly body: string;
}

export interface Reply {
  readonly status: number;
  readonly retryAfter?: string;
  /** The connection is closed without an answer. */
  readonly hangUp?: boolean;
}

/** Takes messages; it can be stopped and started again at the same address. */
export class Listener {
  readonly arrived: Arrived[] = [];
  /** What the next messages are answered. */
  answer: (message: Arrived) => Reply | Promise<Reply> = () => ({ status: 202 });
  #server: Server | undefined;
  #port = 0;

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  /** `IP ACTION` of each message, in order of arrival. */
  get calls(): readonly string[] {
    return this.arrived.map(({ query }) => `${query.ip} ${query.action}`);
  }

  async start(): Promise<void> {
    const server = createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', async () => {
        const { pathname, searchParams } = new URL(request.url ?? '', this.url);
        const message: Arrived = {
          path: `${request.method} ${pathname}`,
          query: Object.fromEntries(searchParams),
          headers: request.headers,
          body: Buffer.concat(chunks).toString('utf8'),
        };
        this.arrived.push(message);
        const { status, retryAfter, hangUp } = await this.answer(message);
        if (hangUp === true) return void request.socket.destroy();
        response.writeHead(status, {
          'content-type': 'application/json',
          ...(retryAfter === undefined ? {} : { 'retry-after': retryAfter }),
        });
        response.end(JSON.stringify({ status, detail: `answer ${this.arrived.length}` }));
      });
    });
    server.listen(this.#port, '127.0.0.1');
    await once(server, 'listening');
    this.#port = (server.address() as AddressInfo).port;
    this.#server = server;
  }

  async stop(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    if (server === undefined) return;
    server.closeAllConnections();
    server.close();
    await once(server, 'close');
  }
}

export interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** `open` is a standard input that nobody writes to or closes. */
export type Input = string | 'open' | null;

export interface Running {
  readonly pid: number;
  readonly outcome: Promise<Outcome>;
}

/** A machine with FastNetMon: a spool of its own, and settings that the test may add to. */
export class Detector {
  readonly spool: string;
  readonly settings: Record<string, string>;

  private constructor(folder: string, api: string) {
    this.spool = join(folder, 'spool');
    this.settings = {
      PREFIXD_API: api,
      PREFIXD_NOTIFY_CONF: join(folder, 'notify.conf'),
      PREFIXD_NOTIFY_SPOOL: this.spool,
      PREFIXD_NOTIFY_WAIT: '0',
      PREFIXD_NOTIFY_RETRY: '0',
    };
  }

  static async create(t: TestContext, api: string): Promise<Detector> {
    const folder = await mkdtemp(join(tmpdir(), 'prefixd-notify-'));
    undo(t, () => rm(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 }));
    return new Detector(folder, api);
  }

  /** Starts the script with nothing in its environment but a path and the settings; `first`: shell commands before it. */
  begin(t: TestContext, args: readonly string[], input: Input = null, first = ''): Running {
    const child = spawn('/bin/sh', ['-c', `${first} exec /bin/sh "$0" "$@"`, SCRIPT, ...args], {
      cwd: '/',
      env: { PATH: process.env.PATH, ...this.settings },
      stdio: [input === null ? 'ignore' : 'pipe', 'pipe', 'pipe'],
    });
    t.after(() => child.kill('SIGKILL'));
    let stdout = '';
    let stderr = '';
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
    });
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
    });
    child.stdin?.on('error', () => undefined);
    if (input !== 'open') child.stdin?.end(input);
    const outcome = once(child, 'close').then(([code]) => ({ code: Number(code ?? -1), stdout, stderr }));
    return { pid: child.pid ?? 0, outcome };
  }

  call(t: TestContext, args: readonly string[], input: Input = null, first = ''): Promise<Outcome> {
    return this.begin(t, args, input, first).outcome;
  }

  /** Names of the messages in the spool, in order. */
  async kept(): Promise<readonly string[]> {
    const names = await readdir(this.spool);
    return names.filter((name) => /^\d/.test(name)).sort();
  }
}
