import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { describe, it } from 'node:test';
import type { Engine } from '../../src/control/engine.ts';
import { openEngine } from '../../src/control/open-engine.ts';
import type { Answer } from '../../src/core/commands.ts';
import type { RecordedFact } from '../../src/core/facts.ts';
import type { StateSnapshot } from '../../src/core/state/state.ts';
import type { Recovery, Store } from '../../src/store/store.ts';
import { StoreError } from '../../src/store/store.ts';
import { ban, OPERATOR, POLICY } from './support.ts';

/** A store whose disk obeys the test: it can be slow, and it can be full. */
class TestStore implements Store {
  readonly appends: (readonly RecordedFact[])[] = [];
  readonly snapshots: StateSnapshot[] = [];
  held: readonly RecordedFact[] = [];
  full = false;
  gate: Promise<void> = Promise.resolve();

  open(): Promise<Recovery> {
    const { held } = this;
    return Promise.resolve({
      snapshot: this.snapshots.at(-1),
      facts: (async function* () {
        yield held;
      })(),
      about: held.length,
      warnings: ['a torn last line was dropped'],
    });
  }
  async append(facts: readonly RecordedFact[]): Promise<void> {
    await this.gate;
    if (this.full) throw new StoreError('no space left on the disk');
    this.appends.push(facts);
    this.held = [...this.held, ...facts];
  }
  snapshot(snapshot: StateSnapshot): Promise<void> {
    this.snapshots.push(snapshot);
    this.held = [];
    return Promise.resolve();
  }
  close(): Promise<void> {
    return Promise.resolve();
  }
}

/** `stopwatch`: see EngineOptions; it stands still, so that a busy machine does not end a slice. */
async function engineOn(store: TestStore, snapshotEvery = 0, stopwatch = () => 0): Promise<Engine> {
  let ids = 0;
  const { engine } = await openEngine({
    store,
    policy: POLICY,
    clock: () => 1_000_000,
    stopwatch,
    newId: () => `00000000-0000-4000-8000-${String(++ids + store.held.length * 100).padStart(12, '0')}`,
    snapshotEvery,
  });
  return engine;
}

function mitigationOf(answer: Answer): string {
  assert.ok(answer.type === 'event' && answer.mitigation !== undefined, JSON.stringify(answer));
  return answer.mitigation.id;
}

describe('Engine', () => {
  it('answers when the facts are durable, and tells the followers before', async () => {
    const store = new TestStore();
    const engine = await engineOn(store);
    let open = (): void => {};
    store.gate = new Promise((resolve) => {
      open = resolve;
    });
    const seen: string[] = [];
    engine.follow((facts) => seen.push(...facts.map(({ fact }) => fact.type)));
    let answered = false;
    const answer = engine.submit(ban('203.0.113.10')).then((value) => {
      answered = true;
      return value;
    });
    await new Promise((resolve) => setImmediate(resolve));
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal(answered, false, 'not before the disk has it');
    assert.deepEqual(seen, []);
    open();
    mitigationOf(await answer);
    assert.deepEqual(seen, ['event.received', 'mitigation.created']);
  });

  it('awaits followers that act on routers before it tells the others and answers', async () => {
    const engine = await engineOn(new TestStore());
    const order: string[] = [];
    engine.follow(() => order.push('logged'));
    engine.followFirst(async () => {
      order.push('acted');
      await new Promise((resolve) => setImmediate(resolve));
      order.push('written');
    });
    await engine.submit(ban('203.0.113.1')).then(() => order.push('answered'));
    assert.deepEqual(order, ['acted', 'written', 'logged', 'answered']);
  });

  it("judges a detector's timestamp by the system's clock, and what lasts by its own", async () => {
    const clock = () => 1_000_000;
    // The machine was suspended for an hour, or its clock was set right: the steady clock does not follow.
    const systemTime = () => 4_600_000;
    const options = { store: new TestStore(), policy: POLICY, clock, newId: randomUUID, snapshotEvery: 0 };
    const { engine } = await openEngine({ ...options, systemTime });
    const status = async (at: number): Promise<string> => {
      const answer = await engine.submit(ban('203.0.113.10', { at }));
      return answer.type === 'event' ? answer.status : answer.type;
    };
    assert.equal(await status(systemTime() - 5_000), 'accepted');
    assert.equal(await status(clock()), 'accepted_no_mitigation');
    assert.equal(await status(systemTime() + 61_000), 'extended', 'one ahead of us counts as of its arrival');
    const [mitigation] = engine.state.mitigations.values();
    assert.ok(mitigation !== undefined && mitigation.createdAt === clock());
  });

  it('a fact that cannot be folded is refused to whoever asked, and work goes on', async () => {
    const ids = ['e1', 'm1', 'e2', 'm1', 'e3', 'm3'].values();
    const { engine } = await openEngine({
      store: new TestStore(),
      policy: POLICY,
      clock: () => 1_000_000,
      newId: () => ids.next().value ?? 'one too many',
      snapshotEvery: 0,
    });
    assert.equal(mitigationOf(await engine.submit(ban('203.0.113.1'))), 'm1');
    await assert.rejects(engine.submit(ban('203.0.113.2')), /creates mitigation m1 a second time/);
    assert.equal(mitigationOf(await engine.submit(ban('203.0.113.3'))), 'm3');
  });

  it('writes what waits in several appends when deciding takes longer than a slice', async () => {
    const store = new TestStore();
    let elapsed = 0;
    const engine = await engineOn(store, 0, () => {
      elapsed += 2.5;
      return elapsed;
    });
    await Promise.all([1, 2, 3, 4].map((host) => engine.submit(ban(`203.0.113.${host}`))));
    assert.equal(store.appends.length, 2, 'two decisions of 2.5 ms fill a slice of 4 ms');
  });

  it('writes commands that wait together in one append, each seeing what the ones before decided', async () => {
    const store = new TestStore();
    const engine = await engineOn(store);
    const [first, second] = await Promise.all([
      engine.submit(ban('203.0.113.10')),
      engine.submit(ban('203.0.113.10')),
    ]);
    assert.equal(store.appends.length, 1);
    assert.equal(first.type === 'event' && first.status, 'accepted');
    assert.equal(second.type === 'event' && second.status, 'extended');
    assert.equal(mitigationOf(first), mitigationOf(second));
  });

  it('numbers facts without gaps', async () => {
    const store = new TestStore();
    const engine = await engineOn(store);
    await Promise.all([engine.submit(ban('203.0.113.10')), engine.submit(ban('203.0.113.11'))]);
    await engine.submit(ban('203.0.113.12'));
    assert.deepEqual(
      store.held.map(({ seq }) => seq),
      store.held.map((_, i) => i + 1),
    );
  });

  it('takes back what the store could not write, and says so to everyone in the group', async () => {
    const store = new TestStore();
    const engine = await engineOn(store);
    store.full = true;
    const seen: unknown[] = [];
    engine.follow((facts) => seen.push(...facts));
    const results = await Promise.allSettled([
      engine.submit(ban('203.0.113.10')),
      engine.submit(ban('203.0.113.11')),
    ]);
    for (const result of results) {
      assert.ok(result.status === 'rejected' && result.reason instanceof StoreError);
    }
    assert.equal(engine.state.live.size, 0);
    assert.equal(engine.state.seq, 0);
    assert.deepEqual(seen, []);
    store.full = false;
    const answer = await engine.submit(ban('203.0.113.10'));
    assert.equal(answer.type === 'event' && answer.status, 'accepted');
    assert.equal(store.held[0]?.seq, 1, 'the numbers that were taken back are used again');
  });

  it('keeps readers that act on routers waiting while something undurable is folded', async () => {
    const store = new TestStore();
    const engine = await engineOn(store);
    let open = (): void => {};
    store.gate = new Promise((resolve) => {
      open = resolve;
    });
    store.full = true;
    const answer = engine.submit(ban('203.0.113.10'));
    await new Promise((resolve) => setImmediate(resolve));
    await new Promise((resolve) => setImmediate(resolve));
    const lives: number[] = [];
    engine.whenSettled(() => lives.push(engine.state.live.size));
    assert.deepEqual(lives, []);
    open();
    await assert.rejects(answer);
    assert.deepEqual(lives, [0], 'what was taken back was never seen');
  });

  it('finds everything again after a restart', async () => {
    const store = new TestStore();
    const before = await engineOn(store);
    const id = mitigationOf(await before.submit(ban('203.0.113.10')));
    const after = await engineOn(store);
    assert.deepEqual(after.state.mitigations.get(id), before.state.mitigations.get(id));
    assert.equal(after.state.seq, before.state.seq);
  });

  it('writes a snapshot when enough facts have come, and starts from it', async () => {
    const store = new TestStore();
    const before = await engineOn(store, 3);
    const id = mitigationOf(await before.submit(ban('203.0.113.10')));
    await before.submit(ban('203.0.113.11'));
    await before.close();
    assert.equal(store.snapshots[0]?.seq, 4);
    const after = await engineOn(store, 3);
    assert.ok(after.state.live.has(id));
    assert.equal(after.state.seq, before.state.seq);
  });

  it('gives facts again to a reader that resumes, and says when it no longer can', async () => {
    const store = new TestStore();
    const engine = await engineOn(store);
    await engine.submit(ban('203.0.113.10'));
    assert.deepEqual(
      engine.recent(1)?.map(({ seq }) => seq),
      [2],
    );
    assert.deepEqual(engine.recent(2), []);
    store.snapshots.push({ schema: 1, seq: 0, data: null });
    store.snapshots.pop();
    assert.equal(engine.recent(-1), undefined);
  });

  it('adopts a policy with its record, or not at all', async () => {
    const store = new TestStore();
    const engine = await engineOn(store);
    const dry = { ...POLICY, mode: 'dry-run' } as const;
    const command = { type: 'policy-loaded', actor: OPERATOR, summary: 'dry-run' } as const;
    store.full = true;
    await assert.rejects(engine.adopt(dry, command), StoreError);
    assert.equal(engine.policy.mode, 'enforced');
    store.full = false;
    await engine.adopt(dry, command);
    assert.equal(engine.policy.mode, 'dry-run');
    assert.equal(store.held.at(-1)?.fact.type, 'policy.loaded');
  });

  it('judges every mitigation by a new policy in slices, with turns for others between them', async () => {
    let now = 0;
    // Each look at the watch ends a slice.
    const engine = await engineOn(new TestStore(), 0, () => (now += 1000));
    const victims = Array.from({ length: 5 }, (_, i) => `203.0.113.${10 + i}`);
    for (const victim of victims) await engine.submit(ban(victim));
    const active = engine.state.live.size;
    assert.ok(active > 1, `${active}`);
    let turns = 0;
    let done = false;
    const turn = (): void => {
      turns++;
      if (!done) setImmediate(turn);
    };
    const dry = { ...POLICY, mode: 'dry-run' } as const;
    const adopted = engine.adopt(dry, { type: 'policy-loaded', actor: OPERATOR, summary: 'dry-run' });
    const asked = engine.submit(ban('203.0.113.99'));
    turn();
    const answer = await adopted;
    done = true;
    assert.ok(turns > active, `${turns} turns for ${active} mitigations`);
    assert.ok(answer.type === 'done' && answer.affected.length === active);
    const event = await asked;
    assert.ok(
      event.type === 'event' && event.status === 'dry_run',
      'what was asked meanwhile is decided after it',
    );
  });

  it('takes no command once it is closing', async () => {
    const engine = await engineOn(new TestStore());
    await engine.close();
    await assert.rejects(engine.submit(ban('203.0.113.10')), /shutting down/);
  });

  it('passes on what the store had to say at start', async () => {
    const { warnings } = await openEngine({
      store: new TestStore(),
      policy: POLICY,
      clock: () => 0,
      newId: () => 'x',
      snapshotEvery: 0,
    });
    assert.deepEqual(warnings, ['a torn last line was dropped']);
  });

  it('goes on when a follower throws: the other followers hear of the facts, and the caller is answered', async () => {
    const store = new TestStore();
    const failures: unknown[] = [];
    const { engine } = await openEngine({
      store,
      policy: POLICY,
      clock: () => 1_000_000,
      newId: () => `00000000-0000-4000-8000-${String(store.held.length).padStart(12, '0')}`,
      snapshotEvery: 0,
      onFollowerFailed: (error) => failures.push(error),
    });
    const seen: string[] = [];
    engine.follow(() => {
      throw new TypeError('a defect');
    });
    engine.follow((facts) => seen.push(...facts.map(({ fact }) => fact.type)));
    mitigationOf(await engine.submit(ban('203.0.113.10')));
    mitigationOf(await engine.submit(ban('203.0.113.10')));
    assert.equal(failures.length, 2);
    assert.equal(seen.length, 4);
  });

  it('shows each replayed fact before it is folded, and the state that the snapshot held before that', async () => {
    const store = new TestStore();
    const before = await engineOn(store, 4);
    for (const victim of ['203.0.113.10', '203.0.113.11', '203.0.113.12']) await before.submit(ban(victim));
    const seen: string[] = [];
    await openEngine({
      store,
      policy: POLICY,
      clock: () => 1_000_000,
      newId: () => 'unused',
      snapshotEvery: 0,
      onReplay: async (state) => {
        seen.push(`restored: ${state.seq}, ${state.live.size} live`);
        return ({ seq, fact }) => seen.push(`${seq} ${fact.type} at ${state.seq}`);
      },
    });
    assert.deepEqual(seen, ['restored: 4, 2 live', '5 event.received at 4', '6 mitigation.created at 5']);
  });

  it('waits with a snapshot until it may replace the facts', async () => {
    const store = new TestStore();
    let may = (): void => {};
    const { engine } = await openEngine({
      store,
      policy: POLICY,
      clock: () => 1_000_000,
      newId: () => '00000000-0000-4000-8000-000000000001',
      snapshotEvery: 1,
      beforeSnapshot: () =>
        new Promise((resolve) => {
          may = resolve;
        }),
    });
    await engine.submit(ban('203.0.113.10'));
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal(store.snapshots.length, 0);
    may();
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal(store.snapshots.length, 1);
  });

  it('closes the store when what it holds cannot be folded', async () => {
    const store = new TestStore();
    store.held = [
      {
        seq: 7,
        at: 1,
        fact: { type: 'control.resumed', actor: OPERATOR, reason: 'the first six are missing' },
      },
    ];
    let closed = false;
    store.close = async () => {
      closed = true;
    };
    await assert.rejects(engineOn(store), /fact 7 does not follow fact 0/);
    assert.equal(closed, true);
  });

  it('counts facts that it replayed towards the next snapshot, so that crashes do not put it off for ever', async () => {
    const store = new TestStore();
    const first = await engineOn(store, 5);
    await first.submit(ban('203.0.113.10'));
    await first.submit(ban('203.0.113.11'));
    const second = await engineOn(store, 5);
    await second.submit(ban('203.0.113.12'));
    await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual(
      store.snapshots.map(({ seq }) => seq),
      [6],
    );
  });
});
