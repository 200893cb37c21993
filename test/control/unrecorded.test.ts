/** A disk that is full or hangs keeps no rule alive: what takes away is in effect, and is recorded when the disk works. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Engine } from '../../src/control/engine.ts';
import { openEngine } from '../../src/control/open-engine.ts';
import { Reconciler } from '../../src/control/reconciler.ts';
import { MockAnnouncer } from '../../src/control/mock-announcer.ts';
import { JournalRefusal, MAX_UNRECORDED, MAX_WAITING, STALLED_AFTER_MS } from '../../src/control/refusals.ts';
import type { Answer, Command } from '../../src/core/commands.ts';
import type { Policy } from '../../src/core/policy/policy.ts';
import { initialState } from '../../src/core/state/state.ts';
import { EXCHANGE, ended, importedId, version } from '../core/intents.ts';
import { visible } from '../core/visible.ts';
import { Disk } from './disk.ts';
import { FakeTime, idle } from './fake-time.ts';
import { ban, neighborPolicy, neighborSettings, OPERATOR, POLICY } from './support.ts';

const by = { actor: OPERATOR, reason: 'false positive' } as const;

/** A daemon without its shell: an engine on the disk, and a router that takes what it is sent. */
class House {
  readonly time = new FakeTime();
  readonly disk = new Disk();
  readonly engine: Engine;
  readonly log: string[] = [];
  readonly stalls: number[] = [];
  readonly #announcer: MockAnnouncer;

  private constructor(engine: Engine, announcer: MockAnnouncer, time: FakeTime, disk: Disk) {
    this.engine = engine;
    this.#announcer = announcer;
    this.time = time;
    this.disk = disk;
  }

  static async open(policy: Policy = POLICY): Promise<House> {
    const time = new FakeTime();
    const disk = new Disk();
    let ids = 0;
    const { engine } = await openEngine({
      store: disk,
      policy,
      clock: () => time.now,
      stopwatch: () => 0,
      newId: () => `00000000-0000-4000-8000-${String(++ids).padStart(12, '0')}`,
      snapshotEvery: 0,
      after: (milliseconds, callback) => time.after(milliseconds, callback),
    });
    const announcer = new MockAnnouncer([neighborSettings('edge1')], () => time.now);
    const house = new House(engine, announcer, time, disk);
    const reconciler = new Reconciler({
      engine,
      announcer,
      neighbors: [neighborPolicy('edge1')],
      clock: () => time.now,
      timers: time,
      intervalMs: 30_000,
      log: (level, text) => house.log.push(`${level} ${text}`),
    });
    await reconciler.start();
    await announcer.start();
    await idle();
    return house;
  }

  /** What the router holds: last octets of the victims. */
  get rules(): readonly string[] {
    return [...this.#announcer.ribOut('edge1').sentRoutes()]
      .map(({ route }) => /203\.0\.113\.(\d+)/.exec(route.text)?.[1] ?? route.text)
      .sort();
  }

  /** Asks, and lets come what comes at once. */
  async ask(command: Command): Promise<Asked> {
    const asked: Asked = {};
    this.engine.submit(command).then(
      (answer) => {
        asked.answer = answer;
      },
      (error: unknown) => {
        asked.error = error;
      },
    );
    await idle();
    return asked;
  }

  async ban(host: number): Promise<string> {
    const { answer } = await this.ask(ban(`203.0.113.${host}`));
    assert.ok(answer?.type === 'event' && answer.mitigation !== undefined, JSON.stringify(answer));
    return answer.mitigation.id;
  }

  /** Lets a write hang until it has stalled. Returns the report that is in it. */
  async hang(): Promise<Asked> {
    this.disk.how = 'hangs';
    const report = await this.ask(ban('203.0.113.99'));
    await this.time.advance(STALLED_AFTER_MS);
    return report;
  }

  /** Everything that is durable, and nothing else, is in the state. */
  assertReplays(): void {
    const replayed = initialState();
    for (const fact of this.disk.durable) replayed.apply(fact);
    assert.deepEqual(visible(replayed), visible(this.engine.state as ReturnType<typeof initialState>));
  }

  get types(): readonly string[] {
    return this.disk.durable.map(({ fact }) => fact.type);
  }
}

interface Asked {
  answer?: Answer;
  error?: unknown;
}

function recordedOf({ answer }: Asked): unknown {
  assert.ok(answer !== undefined, 'it is answered');
  return 'recorded' in answer ? answer.recorded : undefined;
}

describe('on a full disk', () => {
  it('an operator withdraws at once, is told that it is not recorded, and finds it recorded when there is room', async () => {
    const at = await House.open();
    const id = await at.ban(10);
    at.disk.how = 'full';
    const withdrawn = await at.ask({ type: 'withdraw', id, ...by });
    assert.equal(recordedOf(withdrawn), false);
    assert.deepEqual(at.rules, []);
    assert.equal(at.engine.state.mitigations.get(id)?.ending?.reason, 'false positive');
    assert.equal(at.engine.recording.unrecorded, 1);
    assert.ok(!at.types.includes('mitigation.ending'));

    const when = at.time.now;
    await at.time.advance(5_000);
    assert.equal(at.engine.recording.unrecorded, 1);
    at.disk.how = 'works';
    await at.time.advance(1_000);
    assert.equal(at.engine.recording.unrecorded, 0);
    const ending = at.disk.durable.find(({ fact }) => fact.type === 'mitigation.ending');
    assert.equal(ending?.at, when, 'with the time at which it took effect');
    await at.time.advance(30_000);
    assert.equal(at.engine.state.mitigations.get(id)?.status, 'withdrawn');
    at.assertReplays();
  });

  it('withdraws everything, and safelists with all that it covers', async () => {
    const at = await House.open();
    for (const host of [10, 11, 12]) await at.ban(host);
    at.disk.how = 'full';
    const safelisted = await at.ask({ type: 'safelist-add', prefix: '203.0.113.10/32', ...by });
    assert.equal(recordedOf(safelisted), false);
    assert.deepEqual(at.rules, ['11', '12']);
    assert.ok(at.engine.state.safelist.has('203.0.113.10/32'));
    assert.equal(recordedOf(await at.ask({ type: 'withdraw-all', ...by })), false);
    assert.deepEqual(at.rules, []);
    at.disk.how = 'works';
    assert.equal(await at.engine.recordAll(), 0);
    at.assertReplays();
  });

  it("another POP's mitigation ends at once, and a repetition is no sign that it is recorded", async () => {
    const at = await House.open({ ...POLICY, exchange: EXCHANGE });
    await at.ask(version(1, { victim: '203.0.113.10' }));
    assert.deepEqual(at.rules, ['10']);
    at.disk.how = 'full';
    assert.ok((await at.ask(version(2, { victim: '203.0.113.10' }))).error !== undefined);
    const { answer } = await at.ask(ended(3));
    assert.ok(answer?.type === 'import' && answer.outcome === 'ended', JSON.stringify(answer));
    assert.deepEqual(at.rules, []);
    const request = { pop: 'fra1', epoch: 1, n: 1 };
    assert.equal(recordedOf(await at.ask({ type: 'withdraw', id: importedId(1), request, ...by })), false);
    assert.equal(at.engine.recording.unrecorded, 1, 'once is enough');
    at.disk.how = 'works';
    assert.equal(await at.engine.recordAll(), 0);
    at.assertReplays();
  });

  it('a report is refused, and one that comes when there is room again is decided behind what was taken away', async () => {
    const at = await House.open();
    const id = await at.ban(10);
    at.disk.how = 'full';
    await at.ask({ type: 'withdraw', id, ...by });
    const refused = await at.ask(ban('203.0.113.10'));
    assert.match(String(refused.error), /no space left/);
    at.disk.how = 'works';
    await at.time.advance(1_000);
    const again = await at.ban(10);
    assert.notEqual(again, id, 'what was withdrawn is not extended');
    assert.deepEqual(
      at.types.filter((type) => type === 'mitigation.created' || type === 'mitigation.ending'),
      ['mitigation.created', 'mitigation.ending', 'mitigation.created'],
    );
    at.assertReplays();
  });

  it('confirmation is asked for before it takes effect, and not once more when it is recorded', async () => {
    const at = await House.open();
    for (const host of [10, 11, 12]) await at.ban(host);
    at.disk.how = 'full';
    const wide = { type: 'safelist-add', prefix: '203.0.113.0/24', ...by } as const;
    assert.equal((await at.ask({ ...wide, ask: true })).answer?.type, 'needs-confirmation');
    assert.deepEqual(at.rules, ['10', '11', '12']);
    assert.equal(recordedOf(await at.ask(wide)), false);
    assert.deepEqual(at.rules, []);
    at.disk.how = 'works';
    assert.equal(await at.engine.recordAll(), 0);
    assert.ok(at.types.includes('safelist.added'));
  });

  it('what creates is recorded and announced only when there is room: hosts of a prefix whose rule ends get theirs then', async () => {
    const at = await House.open({
      ...POLICY,
      guardrails: { ...POLICY.guardrails, dstPrefixMinLen: 24 },
      aggregation: { ...POLICY.aggregation, hosts: 3 },
    });
    for (const host of [10, 11, 12]) await at.ask(ban(`203.0.113.${host}`));
    assert.deepEqual(at.rules, ['0'], 'one rule for the prefix');
    at.disk.how = 'full';
    await at.ask({ type: 'safelist-add', prefix: '203.0.113.10/32', ...by });
    assert.deepEqual(at.rules, []);
    at.disk.how = 'works';
    await at.time.advance(1_000);
    assert.deepEqual(at.rules, ['11', '12']);
    at.assertReplays();
  });

  it('asks the disk once a second however many commands come', async () => {
    const at = await House.open();
    const id = await at.ban(10);
    at.disk.how = 'full';
    await at.ask({ type: 'withdraw', id, ...by });
    const before = at.disk.attempts;
    for (let i = 0; i < 20; i++) await at.ask(ban('203.0.113.20'));
    assert.equal(at.disk.attempts, before);
    await at.time.advance(3_000);
    assert.equal(at.disk.attempts, before + 3);
  });

  it('what nobody has to take away is refused, as is more than may wait', async () => {
    const at = await House.open();
    const id = await at.ban(10);
    at.disk.how = 'full';
    for (const type of ['resume', 'withdraw'] as const) {
      const command: Command = type === 'resume' ? { type, ...by } : { type, id: 'none', ...by };
      await at.ask(command);
    }
    assert.equal(at.engine.recording.unrecorded, 0);
    const entry = (n: number): Command => ({
      type: 'safelist-add',
      prefix: `192.0.2.${n % 256}/32`,
      ...by,
    });
    await Promise.all(Array.from({ length: MAX_UNRECORDED }, (_, n) => at.engine.submit(entry(n))));
    const oneMore = await at.ask({ type: 'withdraw', id, ...by });
    assert.ok(oneMore.error instanceof JournalRefusal);
    assert.deepEqual(at.rules, ['10']);
  });

  it('keeps its say in memory only: after a crash the rule is as the journal has it', async () => {
    const at = await House.open();
    const id = await at.ban(10);
    at.disk.how = 'full';
    await at.ask({ type: 'withdraw', id, ...by });
    await at.engine.close();
    assert.deepEqual(
      at.engine.unrecorded.map(({ command }) => command.type),
      ['withdraw'],
    );
    const { engine } = await openEngine({
      store: at.disk,
      policy: POLICY,
      clock: () => at.time.now,
      newId: () => 'unused',
      snapshotEvery: 0,
    });
    assert.equal(engine.state.mitigations.get(id)?.ending, null);
  });
});

describe('while a write hangs', () => {
  it('rules go with their TTL, and their end is recorded when the write returns', async () => {
    const at = await House.open();
    const id = await at.ban(10);
    await at.time.advance(60_000);
    await at.hang();
    assert.deepEqual(at.rules, ['10']);
    await at.time.advance(59_000);
    assert.deepEqual(at.rules, [], 'within a second of its TTL');
    at.disk.how = 'works';
    await at.time.advance(2_000);
    assert.equal(at.engine.state.mitigations.get(id)?.status, 'expired');
    at.assertReplays();
  });

  it('rules go when the very write of their end is the one that hangs', async () => {
    const at = await House.open();
    await at.ban(10);
    at.disk.how = 'hangs';
    await at.time.advance(120_000 + STALLED_AFTER_MS);
    assert.deepEqual(at.rules, []);
    assert.equal(at.log.filter((line) => line.startsWith('error cannot record expired')).length, 1);
    await at.time.advance(10_000);
    assert.equal(at.log.filter((line) => line.startsWith('error cannot record expired')).length, 1);
  });

  it('an operator withdraws what is durable, and what the write may add is not announced', async () => {
    const at = await House.open();
    const id = await at.ban(10);
    const report = await at.hang();
    assert.ok(report.error instanceof JournalRefusal && /not known yet/.test(report.error.message));
    assert.deepEqual(at.rules, ['10'], 'without 99, which is not durable');
    assert.equal(recordedOf(await at.ask({ type: 'withdraw', id, ...by })), false);
    assert.deepEqual(at.rules, []);
    at.disk.how = 'works';
    await at.time.advance(1_000);
    assert.deepEqual(at.rules, ['99']);
    assert.equal(at.engine.recording.unrecorded, 0);
    at.assertReplays();
  });

  it('a withdrawal that is in the write itself takes effect, and is recorded once', async () => {
    const at = await House.open();
    const id = await at.ban(10);
    at.disk.how = 'hangs';
    const withdrawn = await at.ask({ type: 'withdraw', id, ...by });
    assert.deepEqual(withdrawn, {});
    await at.time.advance(STALLED_AFTER_MS);
    assert.equal(recordedOf(withdrawn), false);
    assert.deepEqual(at.rules, []);
    at.disk.how = 'works';
    await at.time.advance(30_000);
    assert.equal(at.types.filter((type) => type === 'mitigation.ending').length, 1);
    assert.equal(at.engine.recording.unrecorded, 0);
    at.assertReplays();
  });

  it('withdraw-all also ends what the write turns out to have added, before any router is told of it', async () => {
    const at = await House.open();
    await at.hang();
    assert.equal(recordedOf(await at.ask({ type: 'withdraw-all', ...by })), false);
    at.disk.how = 'works';
    await idle();
    assert.deepEqual(at.rules, []);
    await at.time.advance(31_000);
    assert.deepEqual(at.rules, []);
    at.assertReplays();
  });

  it('a write that fails in the end has changed nothing, and what was taken away stays so', async () => {
    const at = await House.open();
    const id = await at.ban(10);
    await at.hang();
    await at.ask({ type: 'withdraw', id, ...by });
    at.disk.how = 'full';
    await idle();
    assert.equal(at.engine.recording.phase, 'failing');
    assert.deepEqual(at.rules, []);
    assert.equal(at.engine.state.live.size, 1);
    at.disk.how = 'works';
    await at.time.advance(1_000);
    at.assertReplays();
  });

  it('reports are refused at once, those that waited too, and a person who began something waits', async () => {
    const at = await House.open();
    at.disk.how = 'hangs';
    const mine = await at.ask({
      type: 'mitigate',
      victim: '203.0.113.50',
      protocol: 17,
      ports: [],
      action: { type: 'discard', rateBps: null },
      ttlSeconds: 300,
      ...by,
    });
    const waiting = await at.ask(ban('203.0.113.20'));
    assert.ok(!('error' in waiting), 'a slow disk is waited for');
    await at.time.advance(STALLED_AFTER_MS);
    assert.match(String(waiting.error), /nothing was changed/);
    const late = await at.ask(ban('203.0.113.21'));
    assert.ok(late.error instanceof JournalRefusal);
    assert.deepEqual(mine, {});
    at.disk.how = 'works';
    await idle();
    assert.equal(mine.answer?.type, 'mitigation');
  });

  it('no more than a bounded number of commands waits', async () => {
    const at = await House.open();
    at.disk.how = 'hangs';
    await at.ask(ban('203.0.113.20'));
    const asked = Array.from({ length: MAX_WAITING + 1 }, () => at.engine.submit(ban('203.0.113.20')));
    const outcomes = Promise.allSettled(asked);
    await at.time.advance(STALLED_AFTER_MS);
    const last = (await outcomes).at(-1);
    assert.ok(last?.status === 'rejected' && /are already waiting for the journal/.test(String(last.reason)));
  });

  it('a policy in the write is not in force before it is durable', async () => {
    const at = await House.open();
    at.disk.how = 'hangs';
    const dry = { ...POLICY, mode: 'dry-run' } as const;
    const adopted = at.engine.adopt(dry, { type: 'policy-loaded', actor: OPERATOR, summary: 'dry-run' });
    await idle();
    await at.time.advance(STALLED_AFTER_MS);
    assert.equal(at.engine.policy.mode, 'enforced');
    at.disk.how = 'works';
    await adopted;
    assert.equal(at.engine.policy.mode, 'dry-run');
  });

  it('says since when, and what phase it is in', async () => {
    const at = await House.open();
    assert.deepEqual(at.engine.recording, {
      phase: 'ready',
      writingSince: undefined,
      snapshottingSince: undefined,
      unrecorded: 0,
      unrecordedSince: undefined,
    });
    const began = at.time.now;
    at.disk.how = 'hangs';
    await at.ask(ban('203.0.113.20'));
    assert.equal(at.engine.recording.phase, 'writing');
    await at.time.advance(STALLED_AFTER_MS);
    assert.equal(at.engine.recording.phase, 'stalled');
    assert.equal(at.engine.recording.writingSince, began);
  });
});
