/** A stand-in for the API that records what it is asked, and ways to run the command line against it. */
import { spawn } from 'node:child_process';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import type { TestContext } from 'node:test';
import type { Io } from '../../src/cli/command-context.ts';
import { runCli } from '../../src/cli/program.ts';
import { PREFIXD } from '../support/program.ts';

export interface Recorded {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  /** Parsed, where there was JSON. */
  readonly body: unknown;
}

/** An answer; a body that is no string is sent as JSON. */
export interface Reply {
  readonly status: number;
  readonly body?: unknown;
}

export interface FakeApi {
  readonly url: string;
  readonly requests: readonly Recorded[];
}

/** Answers each request by `METHOD /path?query` or by what `answer` makes of it; 404 for the rest. */
export async function fakeApi(
  t: TestContext,
  answers: Readonly<Record<string, Reply>> | ((request: Recorded) => Reply | undefined),
): Promise<FakeApi> {
  const requests: Recorded[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const text = Buffer.concat(chunks).toString('utf8');
      const recorded: Recorded = {
        method: request.method ?? '',
        path: request.url ?? '',
        headers: request.headers,
        body: text === '' ? undefined : JSON.parse(text),
      };
      requests.push(recorded);
      const known =
        typeof answers === 'function' ? answers(recorded) : answers[`${recorded.method} ${recorded.path}`];
      const { status, body } = known ?? {
        status: 404,
        body: { status: 404, detail: 'there is no such thing' },
      };
      response.writeHead(status, { 'content-type': 'application/json' });
      response.end(body === undefined ? '' : typeof body === 'string' ? body : JSON.stringify(body));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => new Promise((resolve) => server.close(resolve)));
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}`, requests };
}

export interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Surroundings {
  readonly stdin?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Makes standard output a terminal of this width. */
  readonly columns?: number;
  /** Makes standard input a terminal. */
  readonly inputIsTerminal?: boolean;
  /** Replaces the wait of repeating commands; rejects to end them. */
  readonly wait?: Io['wait'];
  /** Given what is written as it is written, for commands that never end by themselves. */
  readonly sink?: { out(text: string): unknown; err(text: string): unknown };
}

/** Runs a command line in this process. */
export async function cli(argv: readonly string[], surroundings: Surroundings = {}): Promise<Outcome> {
  let stdout = '';
  let stderr = '';
  const io: Io = {
    stdin: Readable.from(surroundings.stdin === undefined ? [] : [Buffer.from(surroundings.stdin)]),
    stdout: {
      write(text) {
        stdout += text;
        surroundings.sink?.out(text);
      },
    },
    stderr: {
      write(text) {
        stderr += text;
        surroundings.sink?.err(text);
      },
    },
    env: { USER: 'ana', ...surroundings.env },
    inputIsTerminal: surroundings.inputIsTerminal ?? false,
    outputIsTerminal: surroundings.columns !== undefined,
    columns: surroundings.columns ?? 80,
    errorIsTerminal: false,
    wait: surroundings.wait ?? (() => Promise.reject(new Error('this command does not wait'))),
  };
  const code = await runCli(argv, io);
  return { code, stdout, stderr };
}

/** The standard input of a spawned command line. */
export type Stdin = { readonly text: string } | 'closed' | 'open';

/** Runs the program as users do. `open` is a pipe that nobody writes to or closes. */
export async function program(
  t: TestContext,
  argv: readonly string[],
  options: { readonly stdin?: Stdin; readonly env?: Readonly<Record<string, string>> } = {},
): Promise<Outcome> {
  const { stdin = 'closed', env = {} } = options;
  const [command, ...words] = PREFIXD;
  const child = spawn(command, [...words, ...argv], {
    cwd: new URL('../..', import.meta.url),
    env: { PATH: process.env.PATH, USER: 'ana', ...env },
    stdio: [stdin === 'closed' ? 'ignore' : 'pipe', 'pipe', 'pipe'],
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
  if (typeof stdin === 'object') child.stdin?.end(stdin.text);
  const code = await new Promise<number>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (status) => resolve(status ?? -1));
  });
  return { code, stdout, stderr };
}
