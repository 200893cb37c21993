/** Runs prefixd as a child process, as `prefixd run` starts it. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Running, start, until } from './children.ts';
import { freePort, ownAddress } from './loopback.ts';
import { prefixdWords } from './program.ts';

/** An answer to a POST or GET. */
export interface Answer {
  readonly status: number;
  readonly body: Readonly<Record<string, unknown>>;
}

/** One daemon with its folder; it can be killed and started again. */
export class Prefixd {
  readonly folder: string;
  readonly base: string;
  readonly #token = 'e2e-secret';
  readonly #nodeOptions: string;
  readonly #environment: Readonly<Record<string, string>>;
  #running: Running | undefined;
  /** Output of all runs so far. */
  #printed = '';

  private constructor(
    folder: string,
    base: string,
    nodeOptions: string,
    environment: Readonly<Record<string, string>>,
  ) {
    this.folder = folder;
    this.base = base;
    this.#nodeOptions = nodeOptions;
    this.#environment = environment;
  }

  /**
   * Writes the configuration folder and starts the daemon. `settings` follows the sections `http` and `storage` in
   * prefixd.yaml; `files` are inventory and playbooks; `http` are more lines of that section; `nodeOptions` go to Node,
   * such as a limit on its heap; `environment` is for every run.
   */
  static async start(
    settings: string,
    files: Readonly<Record<string, string>>,
    http: readonly string[] = [],
    nodeOptions = '',
    environment: Readonly<Record<string, string>> = {},
  ): Promise<Prefixd> {
    const folder = await mkdtemp(join(tmpdir(), 'prefixd-'));
    const address = ownAddress();
    const listen = `${address}:${await freePort(address)}`;
    const head = [
      'http:',
      `  listen: "${listen}"`,
      '  auth: { mode: bearer, bearer_token_env: PREFIXD_E2E_TOKEN }',
      ...http,
      'storage: { driver: jsonl, path: ./data }',
      '',
    ].join('\n');
    await writeFile(join(folder, 'prefixd.yaml'), head + settings);
    for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text);
    const prefixd = new Prefixd(folder, `http://${listen}`, nodeOptions, environment);
    try {
      await prefixd.run();
    } catch (error) {
      await prefixd.end();
      throw error;
    }
    return prefixd;
  }

  /** Environment for the command line to reach this daemon. */
  get clientEnvironment(): Readonly<Record<string, string>> {
    return { PREFIXD_API: this.base, PREFIXD_API_TOKEN: this.#token };
  }

  /** Id of the running process. */
  get pid(): number {
    if (this.#running === undefined) throw new Error('prefixd does not run');
    return this.#running.pid;
  }

  /** True once the process has exited by itself. */
  get hasEnded(): boolean {
    return this.#running?.ended ?? true;
  }

  /** Starts the process and waits until it is ready. */
  async run(environment: Readonly<Record<string, string>> = {}): Promise<void> {
    const running = this.begin(environment);
    await until('prefixd answers', async () => {
      if (running.ended) return true;
      const response = await fetch(`${this.base}/v1/health`);
      const health: unknown = await response.json();
      return Object(health).ready === true;
    }).catch((error: Error) => {
      throw new Error(`${error.message}; it printed: ${running.log()}`);
    });
    if (running.ended) throw new Error(`prefixd ended: ${running.log()}`);
  }

  /** Starts the process without waiting. */
  begin(environment: Readonly<Record<string, string>> = {}): Running {
    const [program, ...words] = prefixdWords();
    const running = start(program, [...words, 'run', '--config', this.folder], {
      env: {
        PREFIXD_E2E_TOKEN: this.#token,
        ...(this.#nodeOptions === '' ? {} : { NODE_OPTIONS: this.#nodeOptions }),
        ...this.#environment,
        ...environment,
      },
    });
    this.#running = running;
    return running;
  }

  async kill(signal: NodeJS.Signals): Promise<void> {
    this.#printed += this.#running?.log() ?? '';
    await this.#running?.stop(signal);
    this.#running = undefined;
  }

  log(): string {
    return this.#printed + (this.#running?.log() ?? '');
  }

  /** Returns the answer. Repeats a read that is refused because the machine is busy. */
  async call(method: 'GET' | 'POST', path: string, body?: unknown): Promise<Answer> {
    if (method === 'POST') return this.#ask(method, path, body);
    return until(`an answer to ${path}`, async () => {
      const answer = await this.#ask(method, path);
      return String(answer.body.detail).startsWith('Overloaded: ') ? undefined : answer;
    });
  }

  async #ask(method: 'GET' | 'POST', path: string, body?: unknown): Promise<Answer> {
    const response = await fetch(this.base + path, {
      method,
      headers: {
        authorization: `Bearer ${this.#token}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const answer: unknown = await response.json();
    if (typeof answer !== 'object' || answer === null) throw new Error(`${path}: ${JSON.stringify(answer)}`);
    return { status: response.status, body: { ...answer } };
  }

  async end(): Promise<void> {
    await this.kill('SIGKILL');
    await rm(this.folder, { recursive: true, force: true });
  }
}
