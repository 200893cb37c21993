import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { pino } from 'pino';
import { inTime, type Parts, stopParts } from '../../src/app/stop.ts';
import type { UnrecordedCommand } from '../../src/control/unrecorded.ts';
import { OPERATOR } from '../control/support.ts';

const WITHDRAWAL: UnrecordedCommand = {
  command: { type: 'withdraw', id: 'm1', actor: OPERATOR, reason: 'false positive' },
  at: 1,
};
const never = (): Promise<never> => new Promise(() => undefined);
const done = (): Promise<void> => Promise.resolve();

/** Makes components that stop at once, and records how the sessions were closed. */
function partsWith(changes: Partial<Parts>) {
  const lines: string[] = [];
  const preserved: boolean[] = [];
  const parts: Parts = {
    server: { close: done },
    scrapes: null,
    reconciler: { stop: done },
    announcer: {
      stop: async ({ preserve }) => {
        preserved.push(preserve);
      },
    },
    engine: { recordAll: async () => 0, unrecorded: [], close: done },
    audit: { close: done },
    alerts: { close: done },
    logger: pino({ base: null, timestamp: false }, { write: (line: string) => lines.push(line) }),
    ...changes,
  };
  return { parts, lines, preserved };
}

describe('the daemon is taken apart', () => {
  it('with its rules preserved, when that is wanted and everything is recorded', async () => {
    const { parts, preserved } = partsWith({});
    assert.deepEqual(await stopParts(parts, 60_000, true), { hangs: false, forgotten: 0 });
    assert.deepEqual(preserved, [true]);
  });

  it('with its rules withdrawn when the next start would announce what an operator took away, which is logged', async () => {
    const engine = { recordAll: async () => 1, unrecorded: [WITHDRAWAL], close: done };
    const { parts, lines, preserved } = partsWith({ engine });
    assert.deepEqual(await stopParts(parts, 60_000, true), { hangs: false, forgotten: 1 });
    assert.deepEqual(preserved, [false]);
    const line = lines.find((one) => one.includes('could not be recorded'));
    assert.deepEqual(JSON.parse(line ?? '{}').mitigation_id, 'm1');
  });

  it('whatever hangs: the neighbors hear of it, and the log names what is left', async () => {
    const engine = { recordAll: never, unrecorded: [], close: never };
    const { parts, lines, preserved } = partsWith({ engine, audit: { close: never } });
    assert.deepEqual(await stopParts(parts, 40, true), { hangs: true, forgotten: 0 });
    assert.deepEqual(preserved, [true]);
    for (const what of ['writing the journal', 'writing the audit log']) {
      assert.ok(
        lines.some((line) => line.includes(`${what} did not finish`)),
        what,
      );
    }
  });
});

describe('work with a time limit', () => {
  it('is waited for when it ends in its time, and left when it hangs', async () => {
    assert.equal(await inTime(60_000, () => Promise.resolve('anything')), true);
    assert.equal(await inTime(1, never), false);
  });

  it('passes on what it rejects with in its time, and nobody hears of that later', async () => {
    const broken = (): Promise<never> => Promise.reject(new Error('broken'));
    await assert.rejects(inTime(60_000, broken), /broken/);
    let fail = (): void => undefined;
    const late = new Promise<void>((_, reject) => {
      fail = () => reject(new Error('too late'));
    });
    assert.equal(await inTime(1, () => late), false);
    fail();
    await new Promise((resolve) => setImmediate(resolve));
  });
});
