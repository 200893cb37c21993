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
        callback();
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
