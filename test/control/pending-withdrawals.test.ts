import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { realTimers } from '../../src/app/clock.ts';
import { openEngine } from '../../src/control/open-engine.ts';
import { PendingWithdrawals } from '../../src/control/pending-withdrawals.ts';
import { MemoryStore } from '../../src/store/memory.ts';
import { ban, OPERATOR, POLICY } from './support.ts';

async function idle(): Promise<void> {
  for (let i = 0; i < 10; i++) await new Promise((resolve) => setImmediate(resolve));
}

describe('PendingWithdrawals', () => {
  it('records the end of a mitigation that was withdrawn while another end was being recorded', async () => {
    const store = new MemoryStore();
    let ids = 0;
    const { engine } = await openEngine({
      store,
      policy: POLICY,
      clock: () => 1_000_000,
      newId: () => `00000000-0000-4000-8000-${String(++ids).padStart(12, '0')}`,
      snapshotEvery: 0,
    });
    const held = new Set<string>();
    const holds = (id: string): boolean => held.has(id);
    const endings = new PendingWithdrawals(engine, { holds }, realTimers, () => undefined);
    const leaving: string[] = [];
    for (const victim of ['203.0.113.10', '203.0.113.11']) {
      const answer = await engine.submit(ban(victim));
      assert.ok(answer.type === 'event' && answer.mitigation !== undefined);
      const { id } = answer.mitigation;
      await engine.submit({ type: 'withdraw', id, actor: OPERATOR, reason: 'over' });
      endings.add(id);
      leaving.push(id);
    }
    const [first = '', second = ''] = leaving;
    held.add(second);

    let open = (): void => undefined;
    const gate = new Promise<void>((resolve) => {
      open = resolve;
    });
    const append = store.append.bind(store);
    store.append = (facts) => gate.then(() => append(facts));
    endings.checkSoon();
    await idle();
    held.delete(second);
    endings.checkSoon();
    await idle();
    assert.notEqual(engine.state.mitigations.get(second)?.status, 'withdrawn');
    open();
    await idle();
    assert.deepEqual(
      [first, second].map((id) => engine.state.mitigations.get(id)?.status),
      ['withdrawn', 'withdrawn'],
    );
  });
});
