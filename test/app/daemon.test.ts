import assert from 'node:assert/strict';
import { mkdtemp, readdir, rename, rm, stat, truncate } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { pino } from 'pino';
import { request } from 'undici';
import { defaultConfig } from '../../src/config/default.ts';
import { formatProblem } from '../../src/config/config-problem.ts';
import type { ConfigResult, LoadedConfig } from '../../src/config/types.ts';
import type { Daemon } from '../../src/app/daemon.ts';
import { startDaemon } from '../../src/app/daemon.ts';
import { explainStart, StartError } from '../../src/app/process.ts';
import { LabRouter } from '../../src/lab/router.ts';
import { until } from '../support/children.ts';
import { neverOverloaded } from '../support/overload.ts';

const folders: string[] = [];
after(async () => {
  for (const folder of folders) await rm(folder, { recursive: true, force: true });
});

async function newFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'prefixd-daemon-'));
  folders.push(folder);
  return folder;
}

interface Settings {
  readonly folder: string;
  readonly routerPort?: number;
  readonly more?: Readonly<Record<string, unknown>>;
}

async function load({ folder, routerPort, more = {} }: Settings): Promise<ConfigResult> {
  const neighbors =
    routerPort === undefined
      ? []
      : [{ name: 'lab', address: '127.0.0.1', port: routerPort, peer_asn: 65001 }];
  return defaultConfig({
    folder,
    settings: {
      http: { listen: '127.0.0.1:0' },
      bgp: { local_asn: 65010, router_id: '192.0.2.10', neighbors },
      storage: { path: 'data' },
      observability: { audit_log_path: 'data/audit.jsonl' },
      ...more,
    },
  });
}

function configOf(result: ConfigResult): LoadedConfig {
  assert.ok(result.ok, result.ok ? '' : result.problems.map(formatProblem).join('\n'));
  return result.config;
}

async function start(settings: Settings): Promise<{ daemon: Daemon; lines: string[] }> {
  const lines: string[] = [];
  const logger = pino({ level: 'debug' }, { write: (line: string) => lines.push(line) });
  const daemon = await startDaemon({
    config: configOf(await load(settings)),
    logger,
    load: () => load(settings),
    watchOverload: neverOverloaded,
  });
  return { daemon, lines };
}

async function lab(): Promise<{ router: LabRouter; port: number; rules: () => string[] }> {
  const router = new LabRouter({ host: '127.0.0.1', port: 0, asn: 65001, routerId: '192.0.2.1' });
  const { port } = await router.start();
  return { router, port, rules: () => router.rules().map(({ text }) => text) };
}

async function call(daemon: Daemon, method: string, path: string, body?: unknown): Promise<Reply> {
  const answer = await request(`http://${daemon.http.host}:${daemon.http.port}${path}`, {
    method: method as 'GET' | 'POST',
    ...(body === undefined
      ? {}
      : { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
  });
  return { status: answer.statusCode, body: (await answer.body.json()) as Record<string, unknown> };
}

interface Reply {
  readonly status: number;
  readonly body: Record<string, unknown>;
}

const UDP_FLOOD = { source: 'test', victim_ip: '203.0.113.77', vector: 'udp_flood', confidence: 0.9 };
const RULE = 'match dst 203.0.113.77/32 proto udp then rate-limit 5mbps';

/** Waits until a mitigation is active, and returns it as the API shows it. */
async function active(daemon: Daemon, id: string): Promise<Reply> {
  let shown = await call(daemon, 'GET', `/v1/mitigations/${id}`);
  for (let asked = 1; shown.body.status === 'pending' && asked < 500; asked++) {
    await pause(10);
    shown = await call(daemon, 'GET', `/v1/mitigations/${id}`);
  }
  assert.equal(shown.body.status, 'active');
  return shown;
}

describe('the daemon', () => {
  it('refuses to start when the journal ends before the audit log, and says how to go on', async () => {
    const folder = await newFolder();
    const settings = { folder };
    const { daemon } = await start(settings);
    const segment = join(folder, 'data', 'journal-000000000001.jsonl');
    const before = await stat(segment);
    await call(daemon, 'POST', '/v1/safelist', {
      prefix: '203.0.113.53/32',
      operator_id: 'kim',
      reason: 'resolver',
    });
    await daemon.stop();
    // The daemon wrote a snapshot when it stopped; the disk loses it together with the end of the segment.
    for (const name of await readdir(join(folder, 'data'))) {
      const isLater = /^(snapshot|journal)-/.test(name) && !name.endsWith('000000000001.jsonl');
      if (isLater || name.startsWith('snapshot-')) await rm(join(folder, 'data', name));
    }
    await truncate(segment, before.size);
    await assert.rejects(start(settings), (error) => {
      assert.ok(error instanceof StartError);
      assert.match(
        error.message,
        /the journal ends with fact 1, but the audit log has facts up to 2: the journal's newest/,
      );
      return true;
    });
    await rename(join(folder, 'data', 'audit.jsonl'), join(folder, 'audit-kept.jsonl'));
    await (await start(settings)).daemon.stop();
  });

  it('turns a report over HTTP into a rule on a router, and withdraws it when an operator says so', async () => {
    const { router, port, rules } = await lab();
    const { daemon, lines } = await start({ folder: await newFolder(), routerPort: port });
    try {
      const posted = await call(daemon, 'POST', '/v1/events', UDP_FLOOD);
      assert.equal(posted.status, 202);
      await until('the rule in the router', () => rules().length === 1);
      assert.deepEqual(rules(), [RULE]);

      const id = String(posted.body.mitigation_id);
      // Active once the router's TCP has acknowledged the rule, which the router may have read already.
      const shown = await active(daemon, id);
      assert.equal(shown.body.rule, RULE);

      const withdrawn = await call(daemon, 'POST', `/v1/mitigations/${id}/withdraw`, {
        operator_id: 'noc',
        reason: 'false positive',
      });
      assert.equal(withdrawn.status, 200);
      await until('the withdrawal in the router', () => rules().length === 0);
      for (const expected of ['session established', 'mitigation created', 'mitigation withdrawn']) {
        await until(`a log line "${expected}"`, () =>
          lines.some((line) => JSON.parse(line).msg === expected),
        );
      }
    } finally {
      await daemon.stop();
      await router.close();
    }
  });

  it('brings everything that is still valid back after a restart', async () => {
    const { router, port, rules } = await lab();
    const folder = await newFolder();
    const first = await start({ folder, routerPort: port });
    await call(first.daemon, 'POST', '/v1/events', UDP_FLOOD);
    await until('the rule in the router', () => rules().length === 1);
    await first.daemon.stop();
    await until('the router to drop it with the session', () => rules().length === 0);
    const second = await start({ folder, routerPort: port });
    try {
      await until('the rule to come back', () => rules().length === 1);
      assert.deepEqual(rules(), [RULE]);
    } finally {
      await second.daemon.stop();
      await router.close();
    }
  });

  it('does not bring back what its files have come to forbid while it was away', async () => {
    const { router, port, rules } = await lab();
    const folder = await newFolder();
    const first = await start({ folder, routerPort: port });
    const kept = { ...UDP_FLOOD, victim_ip: '203.0.113.9' };
    const { body } = await call(first.daemon, 'POST', '/v1/events', UDP_FLOOD);
    await call(first.daemon, 'POST', '/v1/events', kept);
    await until('the rules in the router', () => rules().length === 2);
    await first.daemon.stop();
    const more = { safelist: { prefixes: ['203.0.113.64/27'] } };
    const second = await start({ folder, routerPort: port, more });
    try {
      await until('the other rule to come back', () => rules().length === 1);
      const { mitigations } = second.daemon.engine.state;
      assert.equal(mitigations.get(String(body.mitigation_id))?.status, 'withdrawn');
    } finally {
      await second.daemon.stop();
    }
    const third = await start({ folder, routerPort: port, more: { mode: 'dry-run' } });
    try {
      await until('the session', () => third.daemon.announcer.isEstablished('lab'));
      assert.equal(third.daemon.announcer.ribOut('lab').sentCount, 0);
      assert.deepEqual(rules(), []);
    } finally {
      await third.daemon.stop();
      await router.close();
    }
  });

  it('announces nothing in dry-run and says what it would have done', async () => {
    const { router, port, rules } = await lab();
    const { daemon } = await start({
      folder: await newFolder(),
      routerPort: port,
      more: { mode: 'dry-run' },
    });
    try {
      await until('the session', () => daemon.announcer.isEstablished('lab'));
      const { status, body } = await call(daemon, 'POST', '/v1/events', UDP_FLOOD);
      assert.equal(status, 202);
      assert.equal(body.status, 'dry_run');
      const shown = await call(daemon, 'GET', `/v1/mitigations/${String(body.mitigation_id)}`);
      assert.equal(shown.body.rule, RULE);
      assert.deepEqual(daemon.announcer.ribOut('lab').sentCount, 0);
      assert.deepEqual(rules(), []);
    } finally {
      await daemon.stop();
      await router.close();
    }
  });

  it('keeps a neighbor that an operator disabled down after a restart, and says who did it and why', async () => {
    const { router, port, rules } = await lab();
    const folder = await newFolder();
    const first = await start({ folder, routerPort: port });
    await until('the session', () => first.daemon.announcer.isEstablished('lab'));
    const down = await call(first.daemon, 'POST', '/v1/peers/lab/disable', {
      operator_id: 'kim',
      reason: 'line card',
    });
    assert.equal(down.body.enabled, false);
    await first.daemon.stop();

    const second = await start({ folder, routerPort: port });
    await call(second.daemon, 'POST', '/v1/events', UDP_FLOOD);
    const [peer] = second.daemon.announcer.peers();
    assert.deepEqual([peer?.enabled, peer?.state], [false, 'idle']);
    const answer = await request(`http://${second.daemon.http.host}:${second.daemon.http.port}/v1/peers`);
    const [shown] = (await answer.body.json()) as { disabled: Record<string, unknown> }[];
    assert.deepEqual([shown?.disabled.by, shown?.disabled.reason], ['kim', 'line card']);
    const up = await call(second.daemon, 'POST', '/v1/peers/lab/enable', { operator_id: 'kim' });
    assert.deepEqual([up.body.enabled, up.body.disabled], [true, null]);
    await until('the rule', () => rules().length === 1);
    await second.daemon.stop();

    const third = await start({ folder, routerPort: port });
    try {
      await until('the session', () => third.daemon.announcer.isEstablished('lab'));
    } finally {
      await third.daemon.stop();
      await router.close();
    }
  });

  it('decides without any router in mock mode', async () => {
    const bgp = {
      mode: 'mock',
      local_asn: 65010,
      router_id: '192.0.2.10',
      neighbors: [{ name: 'edge1', address: '192.0.2.1', peer_asn: 65001 }],
    };
    const { daemon } = await start({ folder: await newFolder(), more: { bgp } });
    try {
      const { body } = await call(daemon, 'POST', '/v1/events', UDP_FLOOD);
      assert.equal(body.status, 'accepted');
      const sent = [...daemon.announcer.ribOut('edge1').sentRoutes()].map(({ route }) => route.text);
      assert.deepEqual(sent, [RULE]);
    } finally {
      await daemon.stop();
    }
  });

  it('says in one line that its port is in use, and leaves nothing behind', async () => {
    const taken = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => taken.once('listening', resolve));
    const address = taken.address();
    assert.ok(address !== null && typeof address === 'object');
    const folder = await newFolder();
    const settings = { folder, more: { http: { listen: `127.0.0.1:${address.port}` } } };
    await assert.rejects(start(settings), (error: unknown) => {
      assert.ok(error instanceof StartError);
      assert.match(explainStart(error), /^127\.0\.0\.1:\d+ is in use: [^\n]+$/);
      return true;
    });
    taken.close();
    const { daemon } = await start({ folder });
    await daemon.stop();
  });

  it('refuses a folder that another daemon owns, in one line', async () => {
    const folder = await newFolder();
    const { daemon } = await start({ folder });
    try {
      await assert.rejects(start({ folder }), (error: unknown) => {
        assert.doesNotMatch(explainStart(error), /\n/);
        return true;
      });
    } finally {
      await daemon.stop();
    }
  });

  it('adopts a reloaded policy and neighbors, and changes nothing when a file is bad', async () => {
    const { router, port, rules } = await lab();
    const folder = await newFolder();
    const settings: { folder: string; routerPort?: number; more?: Record<string, unknown> } = { folder };
    const { daemon } = await start(settings);
    const actor = { kind: 'operator', name: 'noc' } as const;
    try {
      await call(daemon, 'POST', '/v1/events', UDP_FLOOD);
      settings.more = { mode: 'no such mode' };
      const refused = await daemon.reload(actor);
      assert.equal(refused.ok, false);
      assert.equal(daemon.engine.policy.mode, 'enforced');

      delete settings.more;
      settings.routerPort = port;
      const adopted = await daemon.reload(actor);
      assert.equal(adopted.ok, true, JSON.stringify(adopted));
      await until('the rule on the new neighbor', () => rules().length === 1);

      settings.more = { safelist: { prefixes: ['203.0.113.64/27'] } };
      await daemon.reload(actor);
      await until('the safelisted rule to go', () => rules().length === 0);

      settings.more = { http: { listen: '127.0.0.1:1' } };
      const named = await daemon.reload(actor);
      assert.ok(named.ok && named.warnings?.some((one) => one.startsWith('http.listen')));
    } finally {
      await daemon.stop();
      await router.close();
    }
  });

  it('answers 503 to a report that comes when the journal is closed already', async () => {
    const { daemon } = await start({ folder: await newFolder() });
    try {
      await daemon.engine.close();
      const { status, body } = await call(daemon, 'POST', '/v1/events', UDP_FLOOD);
      assert.equal(status, 503);
      assert.match(String(body.detail), /nothing was changed/);
    } finally {
      await daemon.stop();
    }
  });
});
