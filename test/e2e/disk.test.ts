/** A real daemon on a disk that hangs or is full: it withdraws rules, loses nothing acknowledged, and stops in time. */
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, open, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { pathToFileURL } from 'node:url';
import { LabRouter } from '../../src/lab/router.ts';
import { findProgram, type Running, start, until } from '../support/children.ts';
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

interface Reply {
  readonly status: number;
  readonly retryAfter: string | null;
  readonly body: Readonly<Record<string, unknown>>;
}

/** A daemon in its own folder, and a router that keeps its rules while it restarts. */
class House {
  readonly folder: string;
  readonly #base: string;
  readonly #router: LabRouter;
  #running: Running | undefined;

  private constructor(folder: string, base: string, router: LabRouter) {
    this.folder = folder;
    this.#base = base;
    this.#router = router;
  }

  static async build(t: TestContext, drainSeconds: number): Promise<House> {
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
      'storage: { driver: jsonl, path: ./data }',
      'observability: { audit_log_path: ./data/audit.jsonl, log_level: debug }',
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
    return new House(folder, `http://${listen}`, router);
  }

  get environment(): Readonly<Record<string, string>> {
    return { PREFIXD_HANG: join(this.folder, 'hang') };
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

describe('a disk that hangs', { timeout: 300_000 }, () => {
  it('keeps no rule beyond its TTL, nor one that an operator withdraws, and health says so', async (t) => {
    const house = await House.build(t, 10);
    undo(t, () => house.signal('SIGKILL'));
    await house.run();
    const kept = await house.report(10);
    await house.report(11, 'icmp_flood');
    await until('both rules', () => house.rules.length === 2);
    await house.hang('journal-');
    const lost = house.report(12);
    await until('the TTL takes the brief rule away', () => house.rules.join() === '10');
    assert.ok((await house.reasons()).includes('journal_stalled'));
    const unknown = await lost;
    assert.deepEqual([unknown.status, unknown.retryAfter], [503, '5']);
    assert.match(String(unknown.body.detail), /not known yet/);
    assert.match(String((await house.report(13)).body.detail), /nothing was changed/);

    const withdrawn = await house.withdraw(kept.body.mitigation_id);
    assert.equal(withdrawn.status, 200);
    assert.equal(withdrawn.body.recorded, false);
    assert.match(String(withdrawn.body.warning), /not recorded yet/);
    await until('the rule goes', () => house.rules.length === 0);
    assert.ok((await house.reasons()).includes('unrecorded'));

    await house.release();
    await until('what was in the write is announced', () => house.rules.join() === '12');
    await until('all is well', async () => (await house.reasons()).length === 0);
    await house.signal('SIGKILL');
    await house.run();
    await until('the rules come back', () => house.rules.length > 0);
    assert.deepEqual(house.rules, ['12'], 'what was withdrawn was recorded when the disk came back');
  });

  it('does not keep the daemon from ending in time, and takes the rules along that would come back', async (t) => {
    const house = await House.build(t, 4);
    undo(t, () => house.signal('SIGKILL'));
    await house.run();
    const { body } = await house.report(10);
    await house.report(11);
    await until('the rules', () => house.rules.length === 2);
    await house.hang('journal-', 'audit', 'snapshot-');
    assert.equal((await house.withdraw(body.mitigation_id)).body.recorded, false);
    await until('the rule goes', () => house.rules.join() === '11');
    await house.signal('SIGTERM');
    assert.match(house.log(), /stopped without waiting for what hangs/);
    assert.match(house.log(), /could not be recorded; repeat it after the next start/);
    await until('nothing is preserved', () => house.rules.length === 0);
  });
});

it('a standard output that nobody reads does not keep the daemon from ending', {
  timeout: 60_000,
}, async (t) => {
  const house = await House.build(t, 4);
  const [program, ...words] = house.command;
  const child = spawn(program, words, {
    env: { ...process.env, ...house.environment },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const gone = once(child, 'exit');
  undo(t, () => child.kill('SIGKILL'));
  await house.isUp();
  // Each event makes log lines that nobody reads; the pipe holds 64 KiB of them.
  const events = Array.from({ length: 200 }, (_, host) => ({
    source: 'test',
    victim_ip: `203.0.113.${host}`,
    vector: 'udp_flood',
    confidence: 0.9,
  }));
  assert.equal((await house.call('POST', '/v1/events/batch', events)).status, 207);
  child.kill('SIGTERM');
  await gone;
});

const noTmpfs =
  findProgram('mount') === undefined || (process.getuid?.() !== 0 && process.env.CI !== 'true')
    ? 'a small disk needs root; Debian package: mount'
    : false;

it('an operator withdraws on a full disk', { timeout: 120_000, skip: noTmpfs }, async (t) => {
  const house = await House.build(t, 10);
  const data = join(house.folder, 'data');
  await mkdir(data);
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m,mode=0700', 'tmpfs', data]);
  undo(t, () => execFileSync('umount', ['--lazy', data]));
  undo(t, () => house.signal('SIGKILL'));
  await house.run();
  const { body } = await house.report(10);
  await until('the rule', () => house.rules.length === 1);
  const ballast = join(data, 'ballast');
  await writeFile(ballast, Buffer.alloc(2 << 20)).catch(() => undefined);
  await until('reports are refused', async () => (await house.report(20)).status === 503);
  // A page's remaining bytes may still hold a shorter record.
  await until('nothing fits', async () => (await house.call('POST', '/v1/peers/lab/enable')).status === 503);

  const withdrawn = await house.withdraw(body.mitigation_id);
  assert.deepEqual([withdrawn.status, withdrawn.body.recorded], [200, false]);
  await until('the rule goes', () => !house.rules.includes('10'));
  assert.deepEqual((await house.reasons()).filter((code) => code !== 'audit').sort(), [
    'journal',
    'unrecorded',
  ]);
  await rm(ballast);
  await until('it is recorded', async () => !(await house.reasons()).includes('unrecorded'));
  await house.signal('SIGKILL');
  await house.run();
  assert.ok(!house.rules.includes('10'));
  const { body: after } = await house.call('GET', `/v1/mitigations/${String(body.mitigation_id)}`);
  assert.equal(after.status, 'withdrawn');
});
