import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { pino } from 'pino';
import { closeEngine, closeSessions, inTime, Parts } from '../../src/app/parts.ts';
import type { Announcer } from '../../src/control/announcer.ts';
import type { Engine } from '../../src/control/engine.ts';
import { logForgotten } from '../../src/app/observe/fact-log.ts';
import type { UnrecordedCommand } from '../../src/control/unrecorded.ts';
import { OPERATOR } from '../control/support.ts';

const WITHDRAWAL: UnrecordedCommand = {
  command: { type: 'withdraw', id: 'm1', actor: OPERATOR, reason: 'false positive' },
  at: 1,
};
const never = (): Promise<never> => new Promise(() => undefined);
const done = (): Promise<void> => Promise.resolve();

type StoppableEngine = Pick<Engine, 'recordAll' | 'unrecorded' | 'close'>;

/** Makes parts that stop at once unless changed, and records how the sessions were closed. */
function partsWith({
  engine = { recordAll: async () => 0, unrecorded: [], close: done },
  closeAudit = done,
}: {
  readonly engine?: StoppableEngine;
  readonly closeAudit?: () => Promise<void>;
}) {
  const lines: string[] = [];
  const preserved: boolean[] = [];
  const logger = pino({ base: null, timestamp: false }, { write: (line: string) => lines.push(line) });
  const announcer: Pick<Announcer, 'stop'> = {
    stop: async ({ preserve }) => {
      preserved.push(preserve);
    },
  };
  const parts = new Parts(logger);
  parts.add('audit', closeAudit);
  parts.add('journal', (shutdown) => closeEngine(engine, shutdown));
  parts.add('actions', () => engine.recordAll());
  parts.add('forgotten', () => logForgotten(logger, engine.unrecorded));
  parts.add('sessions', (shutdown) => closeSessions(announcer, engine, shutdown, logger));
  const stop = async (drainMs: number): Promise<{ hangs: boolean; forgotten: number }> => {
    const { hanging } = await parts.stop({ drainMs, graceMs: drainMs, preserve: true });
    return { hangs: hanging.size > 0, forgotten: engine.unrecorded.length };
  };
  return { parts, stop, lines, preserved };
}

describe('the daemon is taken apart', () => {
  it('with its rules preserved, when that is wanted and everything is recorded', async () => {
    const { stop, preserved } = partsWith({});
    assert.deepEqual(await stop(60_000), { hangs: false, forgotten: 0 });
    assert.deepEqual(preserved, [true]);
  });

  it('with its rules withdrawn when the next start would announce what an operator took away, which is logged', async () => {
    const engine = { recordAll: async () => 1, unrecorded: [WITHDRAWAL], close: done };
    const { stop, lines, preserved } = partsWith({ engine });
    assert.deepEqual(await stop(60_000), { hangs: false, forgotten: 1 });
    assert.deepEqual(preserved, [false]);
    const line = lines.find((one) => one.includes('could not be recorded'));
    assert.deepEqual(JSON.parse(line ?? '{}').mitigation_id, 'm1');
  });

  it('whatever hangs: the neighbors hear of it, and the log names what is left', async () => {
    const engine = { recordAll: never, unrecorded: [], close: never };
    const { stop, lines, preserved } = partsWith({ engine, closeAudit: never });
    assert.deepEqual(await stop(40), { hangs: true, forgotten: 0 });
    assert.deepEqual(preserved, [true]);
    for (const what of ['writing the journal', 'writing the audit log']) {
      assert.ok(
        lines.some((line) => line.includes(`${what} did not finish`)),
        what,
      );
    }
  });

  it('in one order, whatever the order of starting; each part once, and the others too if one fails', async () => {
    const { parts } = partsWith({});
    const stopped: string[] = [];
    const start = (name: 'metrics' | 'api' | 'sessions' | 'reconciler', made: string) =>
      parts.start({ name, start: () => made, stop: (one) => stopped.push(one) });
    await start('metrics', 'metrics');
    await start('api', 'socket');
    await start('sessions', 'sessions');
    await start('reconciler', 'reconciler');
    await start('api', 'api');
    parts.add('scrapes', () => Promise.reject(new Error('broken')));
    await assert.rejects(parts.stop({ drainMs: 60_000, graceMs: 0, preserve: false }), /broken/);
    assert.deepEqual(stopped, ['api', 'reconciler', 'sessions', 'metrics']);
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
