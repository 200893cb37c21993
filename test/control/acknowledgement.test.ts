/** What the reconciler says and records while a router's TCP acknowledges nothing. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { openEngine } from '../../src/control/open-engine.ts';
import { Reconciler } from '../../src/control/reconciler.ts';
import { viewOf } from '../../src/control/rule-view.ts';
import { FAMILIES } from '../../src/bgp/wire/iana.ts';
import { MemoryStore } from '../../src/store/memory.ts';
import { FakeTime, idle } from './fake-time.ts';
import { SlowAnnouncer } from './slow-announcer.ts';
import { ban, neighborPolicy, neighborSettings, OPERATOR, POLICY } from './support.ts';

const UDP_10 = 'match dst 203.0.113.10/32 proto udp then rate-limit 5mbps';

/** A reconciler with one router, and a mitigation that was announced to it and acknowledged. */
async function house() {
  const time = new FakeTime();
  const { engine } = await openEngine({
    store: new MemoryStore(),
    policy: POLICY,
    clock: () => time.now,
    newId: () => '00000000-0000-4000-8000-000000000001',
    snapshotEvery: 0,
  });
  const announcer = new SlowAnnouncer([neighborSettings('edge1')], () => undefined);
  const reconciler = new Reconciler({
    engine,
    announcer,
    neighbors: [neighborPolicy('edge1')],
    clock: () => time.now,
    timers: time,
    intervalMs: 30_000,
    log: () => undefined,
  });
  await reconciler.start();
  announcer.up('edge1', [FAMILIES['ipv4-flowspec'], FAMILIES['ipv6-flowspec']]);
  await idle();
  const write = async (): Promise<void> => {
    announcer.write('edge1', 1000);
    await idle();
  };
  const acknowledge = async (): Promise<void> => {
    announcer.acknowledge('edge1');
    await idle();
  };
  const answer = await engine.submit(ban('203.0.113.10'));
  assert.ok(answer.type === 'event' && answer.mitigation !== undefined, 'it is mitigated');
  const { id } = answer.mitigation;
  await idle();
  const view = viewOf(reconciler, engine, announcer);
  return {
    time,
    announcer,
    id,
    write,
    acknowledge,
    rules: () => view.rulesOf(id).map(({ rule, state, why }) => `${state} ${why ?? rule}`),
    status: () => engine.state.mitigations.get(id)?.status,
    withdraw: async (): Promise<void> => {
      await engine.submit({ type: 'withdraw', id, actor: OPERATOR, reason: 'false positive' });
      await idle();
    },
  };
}

describe('while a router acknowledges nothing', () => {
  it('a rule that was written is pending, and sent with the acknowledgement', async () => {
    const at = await house();
    at.announcer.deaf.add('edge1');
    await at.write();
    assert.deepEqual(at.rules(), [`pending ${UDP_10}`]);
    await at.acknowledge();
    assert.deepEqual(at.rules(), [`sent ${UDP_10}`]);
  });

  it('a mitigation whose TTL is over is ending, and expired with the acknowledgement of its withdrawal', async () => {
    const at = await house();
    await at.write();
    at.announcer.deaf.add('edge1');
    await at.time.advance(120_000);
    await at.write();
    // Long beyond its TTL and several full runs.
    await at.time.advance(300_000);
    assert.equal(at.status(), 'active');
    assert.match(at.rules().join(), /^pending being withdrawn: .* not acknowledged it yet$/);
    await at.acknowledge();
    assert.equal(at.status(), 'expired');
  });

  it('so is one that an operator withdraws', async () => {
    const at = await house();
    await at.write();
    at.announcer.deaf.add('edge1');
    await at.withdraw();
    await at.write();
    assert.equal(at.status(), 'active');
    assert.match(at.rules().join(), /^pending being withdrawn/);
    await at.acknowledge();
    assert.equal(at.status(), 'withdrawn');
  });

  it('the end of its session ends what is ending: its rules go with it', async () => {
    const at = await house();
    await at.write();
    at.announcer.deaf.add('edge1');
    await at.withdraw();
    await at.write();
    at.announcer.down('edge1');
    await idle();
    assert.equal(at.status(), 'withdrawn');
  });
});
