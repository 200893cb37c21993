/** Requests between POPs: what is acknowledged, sent again, and refused. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Answer, Command } from '../../src/core/commands.ts';
import { initialState } from '../../src/core/state/state.ts';
import type { IntentVersion } from '../../src/core/types.ts';
import { encodeRequest } from '../../src/exchange/intent-codec.ts';
import { PopRequests } from '../../src/exchange/pop-requests.ts';
import type { PopRequest } from '../../src/exchange/types.ts';
import { POLICY } from '../control/support.ts';

const BY = { operator: 'kim', reason: 'test' } as const;

function setUp() {
  const commands: Command[] = [];
  const made = { answer: (_: Command): Answer => ({ type: 'done', affected: [] }) };
  const requests = new PopRequests({
    engine: {
      state: initialState(),
      policy: { ...POLICY, exchange: { accept: ['fra'], maxImportedPerPop: 100 } },
      submit: async (command) => {
        commands.push(command);
        return made.answer(command);
      },
    },
    clock: () => 0,
    // Nobody waits for answers in these tests.
    timers: {
      after: (_, callback) => {
        queueMicrotask(callback);
        return () => undefined;
      },
    },
    known: () => ['fra'],
    onWaiting: () => undefined,
  });
  return { requests, commands, made };
}

/** Rows of `fra` that this POP has not answered. */
class FakeRows {
  waitingOnes: readonly { id: IntentVersion; body: string }[] = [];
  readonly acks: string[] = [];

  constructor(...asked: readonly PopRequest[]) {
    this.waitingOnes = asked.map((one, i) => ({
      id: { pop: 'fra', epoch: 1, n: i + 1 },
      body: encodeRequest(one),
    }));
  }

  waiting() {
    return Promise.resolve(this.waitingOnes);
  }

  acknowledge({ n }: IntentVersion, state: string): Promise<void> {
    this.acks.push(`${n} ${state}`);
    return Promise.resolve();
  }
}

/** A database that takes everything, and in which nobody answers. */
class FakeDatabase {
  written: string[] = [];

  write({ n }: IntentVersion, _: unknown, { type }: PopRequest) {
    this.written.push(`${n} ${type}`);
    return Promise.resolve([]);
  }

  readAcks() {
    return Promise.resolve([]);
  }
}

describe('requests of this POP', () => {
  const ask = (requests: PopRequests) =>
    requests.ask(requests.next(), { type: 'pause', ...BY }, 'all', () => 'it is down');

  it('are written again at a new connection, which may be to a database that has lost them', async () => {
    const { requests } = setUp();
    const rows = new FakeDatabase();
    await ask(requests);
    await requests.exchange(rows);
    await requests.exchange(rows);
    assert.deepEqual(rows.written, ['1 pause']);
    requests.sendAgain();
    await requests.exchange(rows);
    assert.deepEqual(rows.written, ['1 pause', '1 pause']);
  });

  it('are refused if 200 wait for the database, and none of those is lost', async () => {
    const { requests } = setUp();
    for (let n = 1; n <= 200; n++) assert.equal((await ask(requests))[0]?.state, 'unconfirmed');
    const [answer] = await ask(requests);
    assert.equal(answer?.state, 'refused');
    assert.match(answer?.detail ?? '', /200 requests already wait for the exchange's database/);
    const rows = new FakeDatabase();
    await requests.exchange(rows);
    assert.deepEqual([rows.written.length, rows.written[0]], [200, '1 pause']);
    assert.equal((await ask(requests))[0]?.state, 'unconfirmed', 'there is room again');
  });
});

describe('requests of other POPs', () => {
  it('are acknowledged only when they are in the journal, and done in order until then', async () => {
    const { requests, commands, made } = setUp();
    const rows = new FakeRows(
      { type: 'pause', ...BY },
      { type: 'resume', ...BY },
      { type: 'safelist-add', prefix: '203.0.113.9/32', confirmed: false, ...BY },
    );
    made.answer = () => ({ type: 'done', affected: [], recorded: false });
    await requests.serve(rows);
    assert.deepEqual(rows.acks, []);
    assert.deepEqual(
      commands.map(({ type }) => type),
      ['pause', 'safelist-add'],
      'what takes rules away does not wait for the disk, and a resumption does',
    );
    made.answer = () => ({ type: 'done', affected: [] });
    await requests.serve(rows);
    assert.deepEqual(rows.acks, ['1 done', '2 done', '3 done']);
  });
});
