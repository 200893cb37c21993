import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { TimerName } from '../../../src/bgp/fsm/types.ts';
import { SessionTimers } from '../../../src/bgp/speaker/session-timers.ts';

/** Time that passes when it is told to. `random` is fixed. */
function world(random = 0) {
  let time = 1_000_000;
  let waiting: { at: number; callback: () => void }[] = [];
  const turn: (() => void)[] = [];
  let armed = 0;
  const expired: TimerName[] = [];
  const timers = new SessionTimers(
    {
      now: () => time,
      after: (milliseconds, callback) => {
        armed++;
        const entry = { at: time + milliseconds, callback };
        waiting.push(entry);
        return () => {
          waiting = waiting.filter((one) => one !== entry);
        };
      },
      soon: (callback) => turn.push(callback),
      random: () => random,
    },
    (timer) => expired.push(timer),
  );
  return {
    timers,
    expired,
    armed: () => armed,
    /** What is due runs, as in the event loop's timer phase; `soon` comes with `turn`. */
    pass: (milliseconds: number) => {
      const end = time + milliseconds;
      for (;;) {
        const next = waiting.filter((one) => one.at <= end).sort((a, b) => a.at - b.at)[0];
        if (next === undefined) break;
        time = Math.max(time, next.at);
        waiting = waiting.filter((one) => one !== next);
        next.callback();
      }
      time = end;
    },
    turn: () => {
      for (const callback of turn.splice(0)) callback();
    },
  };
}

describe('the timers of a session', () => {
  it('expire once, when their time has come', () => {
    const { timers, expired, pass } = world();
    timers.start('send-hold', 480);
    pass(479_999);
    assert.deepEqual(expired, []);
    pass(1);
    assert.deepEqual(expired, ['send-hold']);
    pass(1_000_000);
    assert.deepEqual(expired, ['send-hold']);
  });

  it('begin anew when they are started again', () => {
    const { timers, expired, pass, turn } = world();
    timers.start('hold', 90);
    for (let i = 0; i < 10; i++) {
      pass(60_000);
      turn();
      timers.start('hold', 90);
    }
    assert.deepEqual(expired, []);
    pass(90_000);
    turn();
    assert.deepEqual(expired, ['hold']);
  });

  it('can be started by every message without setting a timer each time', () => {
    const { timers, pass, armed } = world();
    for (let i = 0; i < 10_000; i++) {
      timers.start('hold', 90);
      pass(1);
    }
    assert.equal(armed(), 1);
  });

  it('take a shorter time at its word', () => {
    const { timers, expired, pass, turn } = world();
    timers.start('hold', 240);
    timers.start('hold', 9);
    pass(9_000);
    turn();
    assert.deepEqual(expired, ['hold']);
  });

  it('do not expire once they are stopped', () => {
    const { timers, expired, pass, turn } = world();
    timers.start('hold', 9);
    timers.start('settle', 9);
    timers.start('send-hold', 9);
    timers.stop('hold');
    timers.stopAll();
    pass(100_000);
    turn();
    assert.deepEqual(expired, []);
  });

  it('HoldTimer first lets be read what arrived while this process was busy', () => {
    const { timers, expired, pass, turn } = world();
    timers.start('hold', 9);
    // The process was busy beyond the hold time; the timer looks before the socket is read.
    pass(12_000);
    assert.deepEqual(expired, []);
    // A KEEPALIVE had been waiting in the socket.
    timers.start('hold', 9);
    turn();
    assert.deepEqual(expired, []);
    pass(9_000);
    turn();
    assert.deepEqual(expired, ['hold']);
  });

  it('have jitter of 0.75 to 1.0 where RFC 4271 §10 asks for it, and none on HoldTimer', () => {
    for (const [random, factor] of [
      [0, 0.75],
      [0.5, 0.875],
    ] as const) {
      for (const name of ['connect-retry', 'keepalive', 'idle-hold'] as const) {
        const { timers, expired, pass } = world(random);
        timers.start(name, 30);
        pass(30_000 * factor - 1);
        assert.deepEqual(expired, []);
        pass(1);
        assert.deepEqual(expired, [name]);
      }
    }
    const { timers, expired, pass, turn } = world(0);
    timers.start('hold', 30);
    pass(29_999);
    turn();
    assert.deepEqual(expired, []);
  });
});
