import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { pino } from 'pino';
import { realTimers } from '../../src/app/clock.ts';
import { defaultConfig } from '../../src/config/default.ts';
import type { LoadedConfig } from '../../src/config/types.ts';
import { Reloader } from '../../src/app/reload.ts';
import type { NeighborSettings } from '../../src/bgp/speaker/types.ts';
import type { Engine } from '../../src/control/engine.ts';
import { openEngine } from '../../src/control/open-engine.ts';
import { Reconciler } from '../../src/control/reconciler.ts';
import { MockAnnouncer } from '../../src/control/mock-announcer.ts';
import type { Actor } from '../../src/core/types.ts';
import { MemoryStore } from '../../src/store/memory.ts';
import { ban } from '../control/support.ts';

const NOC: Actor = { kind: 'operator', name: 'noc' };

/** Closes removed sessions slowly, as the real announcer does, but forgets their names at once. */
class SlowlyParting extends MockAnnouncer {
  readonly #gone = new Set<string>();
  part: () => void = () => undefined;
  fails: Error | null = null;

  override isEstablished(peer: string): boolean {
    this.#check(peer);
    return super.isEstablished(peer);
  }

  override ribOut(peer: string): ReturnType<MockAnnouncer['ribOut']> {
    this.#check(peer);
    return super.ribOut(peer);
  }

  override async reconfigure(neighbors: readonly NeighborSettings[]): Promise<void> {
    const kept = new Set(neighbors.map(({ name }) => name));
    for (const { name } of this.peers()) if (!kept.has(name)) this.#gone.add(name);
    if (this.#gone.size > 0) {
      await new Promise<void>((resolve) => {
        this.part = resolve;
      });
    }
    await super.reconfigure(neighbors);
    if (this.fails !== null) throw this.fails;
  }

  #check(peer: string): void {
    if (this.#gone.has(peer)) throw new RangeError(`there is no neighbor ${peer}`);
  }
}

const folder = await mkdtemp(join(tmpdir(), 'prefixd-reload-'));
after(() => rm(folder, { recursive: true, force: true }));

async function configOf(names: readonly string[], more: object = {}): Promise<LoadedConfig> {
  const neighbors = names.map((name, i) => ({ name, address: `192.0.2.${i + 1}`, peer_asn: 65001 }));
  const bgp = { mode: 'mock', local_asn: 65010, router_id: '192.0.2.100', neighbors };
  const result = await defaultConfig({ folder, settings: { bgp, ...more } });
  assert.ok(result.ok, JSON.stringify(result));
  return result.config;
}

interface Running {
  readonly engine: Engine;
  readonly store: MemoryStore;
  readonly announcer: SlowlyParting;
  readonly reloader: Reloader;
  readonly followerFailures: unknown[];
  readonly files: { config: LoadedConfig; reads: number };
  readonly rules: (peer: string) => number;
}

async function running(names: readonly string[]): Promise<Running> {
  const config = await configOf(names);
  const followerFailures: unknown[] = [];
  const store = new MemoryStore();
  const clock = () => 1_000_000;
  const { engine } = await openEngine({
    store,
    policy: config.policy,
    clock,
    newId: randomUUID,
    snapshotEvery: 0,
    onFollowerFailed: (error) => followerFailures.push(error),
  });
  const announcer = new SlowlyParting(config.bgp.speaker.neighbors, clock);
  const reconciler = new Reconciler({
    engine,
    announcer,
    neighbors: config.bgp.control,
    clock,
    timers: { ...realTimers, after: () => () => undefined },
    intervalMs: 30_000,
    log: () => undefined,
  });
  await reconciler.start();
  await announcer.start();
  const files = { config, reads: 0 };
  const reloader = new Reloader({
    config,
    engine,
    announcer,
    reconciler,
    logger: pino({ level: 'silent' }),
    load: async () => {
      files.reads++;
      const read = files.config;
      await idle();
      return { ok: true, config: read, warnings: [] };
    },
  });
  const rules = (peer: string): number => announcer.ribOut(peer).sentCount;
  return { engine, store, announcer, reloader, followerFailures, files, rules };
}

async function idle(): Promise<void> {
  for (let i = 0; i < 10; i++) await new Promise((resolve) => setImmediate(resolve));
}

describe('Reloader', () => {
  it('takes events while a removed neighbor is still being parted from', async () => {
    const at = await running(['edge1', 'edge2']);
    at.files.config = await configOf(['edge1']);
    const reloading = at.reloader.reload(NOC);
    await idle();
    await idle();
    const answer = await at.engine.submit(ban('203.0.113.77'));
    assert.ok(answer.type === 'event' && answer.status === 'accepted');
    await idle();
    assert.deepEqual(at.followerFailures, []);
    assert.equal(at.rules('edge1'), 1);
    at.announcer.part();
    assert.ok((await reloading).ok);
  });

  it('brings the new policy to the routers although the speaker cannot follow in everything, and says so', async () => {
    const at = await running(['edge1']);
    await at.engine.submit(ban('203.0.113.77'));
    at.announcer.fails = new Error('cannot listen on 127.0.0.1:1179');
    at.files.config = await configOf(['edge1', 'edge2']);
    const outcome = await at.reloader.reload(NOC);
    assert.ok(outcome.ok);
    assert.match(outcome.warnings?.join('\n') ?? '', /not all of it took effect: cannot listen on/);
    await idle();
    assert.equal(at.rules('edge2'), 1);
  });

  it('changes nothing when the journal cannot be written', async () => {
    const at = await running(['edge1']);
    const before = at.engine.policy;
    at.store.append = () => Promise.reject(new Error('no space left on the disk'));
    at.files.config = await configOf(['edge1', 'edge2']);
    await assert.rejects(at.reloader.reload(NOC), /no space left/);
    assert.equal(at.engine.policy, before);
    assert.equal(at.announcer.peers().length, 1);
    assert.equal(at.reloader.config.bgp.control.length, 1);
  });

  it('changes nothing when it would end more than a tenth of the mitigations, until that is confirmed', async () => {
    const at = await running(['edge1']);
    for (const victim of ['203.0.113.77', '203.0.113.78']) await at.engine.submit(ban(victim));
    const before = at.engine.policy;
    at.files.config = await configOf(['edge1', 'edge2'], { safelist: { prefixes: ['203.0.113.64/26'] } });
    assert.deepEqual(await at.reloader.reload(NOC), {
      ok: false,
      effect: 'the new configuration would withdraw 2 of 2 active mitigations',
      wouldWithdraw: 2,
      active: 2,
    });
    assert.equal(at.engine.policy, before);
    assert.equal(at.announcer.peers().length, 1);
    assert.equal(at.reloader.config.bgp.control.length, 1);
    await idle();
    assert.equal(at.rules('edge1'), 2);

    assert.ok((await at.reloader.reload(NOC, true)).ok);
    await idle();
    assert.equal(at.rules('edge1'), 0);
    assert.equal(at.announcer.peers().length, 2);
  });

  it('takes the confirmation of one caller for that caller alone', async () => {
    const at = await running(['edge1']);
    for (const victim of ['203.0.113.77', '203.0.113.78']) await at.engine.submit(ban(victim));
    at.files.config = await configOf(['edge1'], { safelist: { prefixes: ['203.0.113.64/26'] } });
    const outcomes = await Promise.all([
      at.reloader.reload(NOC),
      at.reloader.reload(NOC),
      at.reloader.reload(NOC, true),
    ]);
    assert.deepEqual(
      outcomes.map(({ ok }) => ok),
      [false, false, true],
    );
  });

  it('keeps a neighbor that an operator disabled down, and forgets it when the configuration no longer has it', async () => {
    const at = await running(['edge1', 'edge2']);
    await at.engine.submit({ type: 'peer-disable', peer: 'edge2', actor: NOC, reason: 'line card' });
    at.announcer.setEnabled('edge2', false);
    at.files.config = await configOf(['edge1', 'edge2', 'edge3']);
    assert.ok((await at.reloader.reload(NOC)).ok);
    assert.equal(at.announcer.isEstablished('edge2'), false);
    assert.deepEqual([...at.engine.state.disabledPeers.keys()], ['edge2']);

    at.files.config = await configOf(['edge1']);
    const reloading = at.reloader.reload(NOC);
    await idle();
    await idle();
    at.announcer.part();
    assert.ok((await reloading).ok);
    assert.equal(at.engine.state.disabledPeers.size, 0);
  });

  it('reads the files once more for whoever asks during a reload, since they may have changed', async () => {
    const at = await running(['edge1']);
    const changed = await configOf(['edge1', 'edge2']);
    const first = at.reloader.reload(NOC);
    at.files.config = changed;
    const [, second, third] = await Promise.all([first, at.reloader.reload(NOC), at.reloader.reload(NOC)]);
    assert.ok(second.ok);
    assert.equal(second, third);
    assert.equal(at.files.reads, 2);
    assert.equal(at.announcer.peers().length, 2);
  });
});
