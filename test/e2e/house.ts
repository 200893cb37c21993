/** A real daemon with one router, for tests of what becomes of its rules while its journal fails. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtemp, open, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { pathToFileURL } from 'node:url';
import { LabRouter } from '../../src/lab/router.ts';
import { type Running, start, until } from '../support/children.ts';
import { freePort, ownAddress } from '../support/loopback.ts';
import { PREFIXD } from '../support/program.ts';
import { undo } from '../support/undo.ts';

const SHIM = pathToFileURL(join(import.meta.dirname, '..', 'support', 'hanging-disk.mjs')).href;

const INVENTORY = `
customers:
  - customer_id: acme
    prefixes: ["203.0.113.0/24"]
`;
const PLAYBOOKS = `
playbooks:
  - name: udp
    match: { vector: udp_flood }
    steps: [{ action: discard, ttl_seconds: 600 }]
  - name: brief
    match: { vector: icmp_flood }
    steps: [{ action: discard, ttl_seconds: 3 }]
`;

export interface Reply {
  readonly status: number;
  readonly retryAfter: string | null;
  readonly body: Readonly<Record<string, unknown>>;
}

export interface HouseOptions {
  readonly drainSeconds: number;
  /** Lines of prefixd.yaml: `storage` and `observability`. Default: files in the folder. */
  readonly storage?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
}

const IN_FOLDER = [
  'storage: { driver: jsonl, path: ./data }',
  'observability: { audit_log_path: ./data/audit.jsonl, log_level: debug }',
];

/** A daemon in its own folder, and a router that keeps its rules while it restarts. */
export class House {
  readonly folder: string;
  readonly #base: string;
  readonly #router: LabRouter;
  readonly #environment: Readonly<Record<string, string>>;
  #running: Running | undefined;

  private constructor(
    folder: string,
    base: string,
    router: LabRouter,
    environment: Readonly<Record<string, string>>,
  ) {
    this.#environment = environment;
    this.folder = folder;
    this.#base = base;
    this.#router = router;
  }

  static async build(t: TestContext, options: HouseOptions): Promise<House> {
    const { drainSeconds, storage = IN_FOLDER, environment = {} } = options;
    const folder = await mkdtemp(join(tmpdir(), 'prefixd-disk-'));
    undo(t, () => rm(folder, { recursive: true, force: true }));
    const router = new LabRouter({
      host: '127.0.0.1',
      port: 0,
      asn: 65001,
      routerId: '192.0.2.1',
      helper: true,
    });
    const { port } = await router.start();
    undo(t, () => router.close());
    const address = ownAddress();
    const listen = `${address}:${await freePort(address)}`;
    const settings = [
      'pop: test1',
      `http: { listen: "${listen}", auth: { mode: none } }`,
      ...storage,
      'bgp:',
      '  local_asn: 65010',
      '  router_id: "192.0.2.10"',
      '  neighbors:',
      `    - { name: lab, address: 127.0.0.1, port: ${port}, peer_asn: 65001, graceful_restart: { restart_time_seconds: 60 } }`,
      'timers: { min_ttl_seconds: 1, reconciliation_interval_seconds: 2 }',
      `shutdown: { drain_timeout_seconds: ${drainSeconds}, preserve_announcements: true }`,
      '',
    ].join('\n');
    await writeFile(join(folder, 'prefixd.yaml'), settings);
    await writeFile(join(folder, 'inventory.yaml'), INVENTORY);
    await writeFile(join(folder, 'playbooks.yaml'), PLAYBOOKS);
    execFileSync('mkfifo', [join(folder, 'hang.fifo')]);
    return new House(folder, `http://${listen}`, router, environment);
  }

  get environment(): Readonly<Record<string, string>> {
    return { PREFIXD_HANG: join(this.folder, 'hang'), ...this.#environment };
  }

  get command(): readonly [string, ...string[]] {
    const [program, ...words] = PREFIXD;
    return [program, '--import', SHIM, ...words, 'run', '--config', this.folder];
  }

  async run(): Promise<void> {
    const [program, ...words] = this.command;
    this.#running = start(program, words, { env: this.environment });
    await this.isUp();
  }

  async isUp(): Promise<void> {
    await until('prefixd answers and its session is up', async () => {
      if (this.#running?.ended === true) return true;
      return (await fetch(`${this.#base}/v1/health`)).ok && this.#router.established === 1;
    });
    assert.notEqual(this.#running?.ended, true, this.log());
  }

  log(): string {
    return this.#running?.log() ?? '';
  }

  get rules(): readonly string[] {
    return this.#router.rules().map(({ text }) => /203\.0\.113\.(\d+)/.exec(text)?.[1] ?? text);
  }

  async call(method: 'GET' | 'POST', path: string, body?: unknown): Promise<Reply> {
    const response = await fetch(this.#base + path, {
      method,
      ...(body === undefined
        ? {}
        : { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
    });
    return {
      status: response.status,
      retryAfter: response.headers.get('retry-after'),
      body: (await response.json()) as Record<string, unknown>,
    };
  }

  report(host: number, vector = 'udp_flood'): Promise<Reply> {
    const event = { source: 'test', victim_ip: `203.0.113.${host}`, vector, confidence: 0.9 };
    return this.call('POST', '/v1/events', event);
  }

  withdraw(id: unknown): Promise<Reply> {
    const body = { operator_id: 'alice', reason: 'false positive' };
    return this.call('POST', `/v1/mitigations/${String(id)}/withdraw`, body);
  }

  async reasons(): Promise<readonly string[]> {
    const { body } = await this.call('GET', '/v1/health/detail');
    return (body.reasons as { code: string }[]).map(({ code }) => code);
  }

  /** Makes writes hang to files whose paths contain one of these texts. */
  hang(...parts: readonly string[]): Promise<void> {
    return writeFile(join(this.folder, 'hang'), parts.join('\n'));
  }

  /** Lets all writes continue. */
  async release(): Promise<void> {
    await rm(join(this.folder, 'hang'));
    await (await open(join(this.folder, 'hang.fifo'), 'r')).close();
  }

  async signal(signal: NodeJS.Signals): Promise<void> {
    const running = this.#running;
    if (running === undefined || running.ended) return;
    process.kill(running.pid, signal);
    await until(`prefixd ends after ${signal}`, () => running.ended, 20_000);
  }
}
