/** The system's clock is set back while the daemon is down. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import { pino } from 'pino';
import { defaultConfig } from '../../src/config/default.ts';
import { formatProblem } from '../../src/config/config-problem.ts';
import type { ConfigResult, LoadedConfig } from '../../src/config/types.ts';
import { type Daemon, startDaemon } from '../../src/app/daemon.ts';
import { openEngine } from '../../src/control/open-engine.ts';
import { Journal } from '../../src/store/journal/journal.ts';
import { PATIENCE_MS } from '../support/children.ts';
import { neverOverloaded } from '../support/overload.ts';

const AHEAD_MS = 1_780_000;
const TTL_SECONDS = 600;

async function configIn(folder: string): Promise<LoadedConfig> {
  const result = await defaultConfig({
    folder,
    settings: {
      http: { listen: '127.0.0.1:0' },
      bgp: { local_asn: 65010, router_id: '192.0.2.10', neighbors: [] },
      storage: { path: 'data' },
      observability: { audit_log_path: 'data/audit.jsonl' },
    },
  });
  assert.ok(result.ok, result.ok ? '' : result.problems.map(formatProblem).join('\n'));
  return result.config;
}

/**
 * Makes a journal of a daemon that has just stopped by a clock that was set back since: its mitigation has TTL_SECONDS
 * left.
 */
async function aJournalFromLater(t: TestContext): Promise<{ config: LoadedConfig; expiresAt: number }> {
  const folder = await mkdtemp(join(tmpdir(), 'prefixd-set-back-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const config = await configIn(folder);
  const clock = (): number => Date.now() + AHEAD_MS;
  const store = new Journal({ folder: config.storage.path });
  const { engine } = await openEngine({
    store,
    policy: config.policy,
    clock,
    newId: randomUUID,
    snapshotEvery: 0,
  });
  await engine.submit({
    type: 'mitigate',
    actor: { kind: 'operator', name: 'kim' },
    victim: '203.0.113.10',
    protocol: 17,
    ports: [],
    action: { type: 'discard', rateBps: null },
    ttlSeconds: TTL_SECONDS,
    reason: 'test',
  });
  const [mitigation] = [...engine.state.mitigations.values()];
  assert.ok(mitigation, 'the mitigation is recorded');
  await engine.close();
  return { config, expiresAt: mitigation.expiresAt };
}

async function withDaemon(
  config: LoadedConfig,
  use: (daemon: Daemon, lines: readonly string[]) => unknown,
): Promise<void> {
  const lines: string[] = [];
  const logger = pino({ level: 'debug' }, { write: (line: string) => lines.push(line) });
  const load = (): Promise<ConfigResult> => Promise.resolve({ ok: true, config, warnings: [] });
  const daemon = await startDaemon({ config, logger, load, watchOverload: neverOverloaded });
  try {
    await use(daemon, lines);
  } finally {
    await daemon.stop();
  }
}

describe('A clock that was set back while the daemon was down', { timeout: PATIENCE_MS }, () => {
  test('lengthens no TTL, at the first start or any later one', async (t) => {
    const { config, expiresAt } = await aJournalFromLater(t);
    for (let start = 1; start <= 3; start++) {
      await withDaemon(config, ({ engine }, lines) => {
        const [mitigation] = [...engine.state.mitigations.values()];
        assert.equal(mitigation?.status, 'active', `start ${start}`);
        assert.equal(mitigation?.expiresAt, expiresAt, 'the TTL is as it was recorded');
        const left = expiresAt - engine.state.lastAt;
        assert.ok(left <= TTL_SECONDS * 1000, `at start ${start}, ${left} ms are left`);
        assert.match(lines.join(''), /the system's clock is 17\d\d s behind the journal/);
      });
    }
  });

  test('is believed again when no mitigation depends on the time of the journal', async (t) => {
    const { config } = await aJournalFromLater(t);
    const actor = { kind: 'operator', name: 'kim' } as const;
    await withDaemon(config, ({ engine }) => engine.submit({ type: 'withdraw-all', actor, reason: 'test' }));
    await withDaemon(config, ({ engine }) => {
      assert.ok(engine.state.lastAt < Date.now() + AHEAD_MS / 2);
    });
  });
});
