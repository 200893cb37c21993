import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { UNDAMPED } from '../../../src/bgp/fsm/leave-state.ts';
import type { FsmConfig } from '../../../src/bgp/fsm/types.ts';
import { Session } from '../../../src/bgp/speaker/session.ts';
import { encodeMessage } from '../../../src/bgp/wire/message.ts';
import { INITIAL_CONTEXT } from '../../../src/bgp/wire/types.ts';
import { CONFIG, peerOpen } from '../fsm/support.ts';
import { MemoryConnection } from './memory-connection.ts';

const KEEPALIVE = encodeMessage({ type: 'keepalive' }, INITIAL_CONTEXT);

/** An established session in a world whose time passes when it is told to; jitter is at its largest. */
function established(holdTimeSeconds: number) {
  let time = 1_000_000;
  let waiting: { at: number; callback: () => void }[] = [];
  const soon: (() => void)[] = [];
  const reports: string[] = [];
  const config: FsmConfig = { ...CONFIG, holdTimeSeconds, passive: true };
  const nothing = (): void => undefined;
  const session = new Session(
    {
      now: () => time,
      after: (milliseconds, callback) => {
        const entry = { at: time + milliseconds, callback };
        waiting.push(entry);
        return () => {
          waiting = waiting.filter((one) => one !== entry);
        };
      },
      soon: (callback) => soon.push(callback),
      random: () => 0,
      transport: { dial: () => nothing, listen: () => Promise.reject(new Error('nobody listens here')) },
    },
    { name: 'active', damping: UNDAMPED },
    () => config,
    undefined,
    {
      onState: nothing,
      allowOpen: () => true,
      onUp: nothing,
      onDown: nothing,
      onUpdate: nothing,
      onRefresh: nothing,
      onMessage: nothing,
      onNotification: nothing,
      onReport: (_session, why) => reports.push(why),
      onWritable: nothing,
    },
  );
  const connection = new MemoryConnection();
  session.accept(connection);
  const hear = (octets: Uint8Array): void => connection.user?.onData(octets);
  hear(encodeMessage(peerOpen({ holdTime: holdTimeSeconds }), INITIAL_CONTEXT));
  hear(KEEPALIVE);
  assert.equal(session.state.name, 'established');
  connection.history.length = 0;
  const turn = (): void => {
    for (const callback of soon.splice(0)) callback();
  };
  /** Timers that are due run, each followed by a turn of the event loop unless the process is `busy`. */
  const pass = (seconds: number, busy = false): void => {
    const end = time + seconds * 1000;
    if (busy) time = end;
    for (;;) {
      const next = waiting.filter((one) => one.at <= end).sort((a, b) => a.at - b.at)[0];
      if (next === undefined) break;
      time = Math.max(time, next.at);
      waiting = waiting.filter((one) => one !== next);
      next.callback();
      if (!busy) turn();
    }
    time = end;
  };
  /** Time in which the peer sends a KEEPALIVE every second. */
  const live = (seconds: number): void => {
    for (let i = 0; i < seconds; i++) {
      pass(1);
      hear(KEEPALIVE);
    }
  };
  const written = (hex: string): number =>
    connection.history.filter((what) => what === `write ${hex}`).length;
  return { session, connection, hear, pass, live, turn, written, reports };
}

describe('HoldTimer and KeepaliveTimer of a session', () => {
  it('with a hold time of 3 s: a KEEPALIVE a second or more often, and the end after 3 s of silence', () => {
    const { session, live, pass, written } = established(3);
    live(12);
    assert.equal(session.state.name, 'established');
    // Every 0.75 s, the jitter of RFC 4271 §10 at its largest.
    assert.equal(written('04'), 16);
    pass(2.9);
    assert.equal(session.state.name, 'established');
    pass(0.2);
    assert.equal(session.state.name, 'idle');
    // NOTIFICATION 4/0 (RFC 4271 §6.5).
    assert.equal(written('030400'), 1);
  });

  it('what arrived while this process was busy beyond the hold time counts as having come in time', () => {
    const { session, hear, pass, turn } = established(9);
    pass(30, true);
    hear(KEEPALIVE);
    turn();
    assert.equal(session.state.name, 'established');
    pass(8.9);
    assert.equal(session.state.name, 'established');
    pass(0.2);
    assert.equal(session.state.name, 'idle');
  });

  it('with a hold time of 0: no KEEPALIVEs, and silence ends nothing', () => {
    const { session, pass, connection } = established(0);
    pass(100_000);
    assert.equal(session.state.name, 'established');
    assert.deepEqual(connection.history, []);
  });
});

describe('UPDATEs of a session', () => {
  it('leave when they are written, in one piece, not when this turn of the event loop ends', () => {
    const { session, connection } = established(0);
    session.writeUpdates([new Uint8Array(19), new Uint8Array(20)]);
    assert.deepEqual(
      connection.history.map((what) => what.split(' ')[0]),
      ['write', 'write', 'flush'],
    );
  });
});

describe('a connection that the other side closes', () => {
  it('is closed here too, for it may be one half alone that the other side has closed', async () => {
    const { session, connection, reports } = established(90);
    connection.user?.onClose('peer closed the connection');
    assert.notEqual(session.state.name, 'established');
    assert.deepEqual(connection.history, ['close']);
    assert.deepEqual(reports, ['peer closed the connection']);
    let gone = false;
    void session.closed.then(() => {
      gone = true;
    });
    await Promise.resolve();
    assert.equal(gone, false, 'it is waited for when the speaker stops');
    connection.vanish();
    await session.closed;
  });
});

describe('SendHoldTimer of a session (RFC 9687)', () => {
  it('ends it when the peer has taken nothing for 8 minutes although it talks', () => {
    const { session, connection, live, written, reports } = established(90);
    connection.full = true;
    session.writeUpdates([new Uint8Array(1000)]);
    live(479);
    assert.equal(session.state.name, 'established');
    live(2);
    assert.notEqual(session.state.name, 'established');
    assert.equal(written('030800'), 1);
    assert.match(reports.at(-1) ?? '', /acknowledged nothing for 480 s/);
  });

  it('ends it as well when the kernel has taken everything and the peer acknowledges nothing', () => {
    const { session, connection, live, written } = established(90);
    connection.deaf = true;
    session.writeUpdates([new Uint8Array(1000)]);
    live(479);
    assert.equal(session.state.name, 'established');
    live(2);
    assert.notEqual(session.state.name, 'established');
    assert.equal(written('030800'), 1);
  });

  it('does not run from a time when everything was acknowledged', () => {
    const { session, connection, live } = established(90);
    live(470);
    connection.deaf = true;
    session.writeUpdates([new Uint8Array(1000)]);
    live(470);
    assert.equal(session.state.name, 'established');
    live(20);
    assert.notEqual(session.state.name, 'established');
  });

  it('ends it as well while this process has room for more, as a socket of Node has for 16 KiB', () => {
    const { session, connection, live, written } = established(90);
    connection.full = true;
    connection.room = 16_384;
    session.writeUpdates([new Uint8Array(1000)]);
    live(400);
    // A KEEPALIVE every 22.5 s, the jitter of RFC 4271 §10 at its largest.
    assert.equal(written('04'), 17);
    session.writeUpdates([new Uint8Array(1000)]);
    live(81);
    assert.notEqual(session.state.name, 'established');
    assert.equal(written('030800'), 1);
  });

  it('does not end it while the peer takes what was sent, slowly and never all of it', () => {
    const { session, connection, live } = established(90);
    connection.full = true;
    connection.room = 16_384;
    for (let i = 0; i < 10; i++) {
      session.writeUpdates([new Uint8Array(1000)]);
      live(400);
      connection.unsent -= 500;
    }
    assert.equal(session.state.name, 'established');
    live(900);
    assert.notEqual(session.state.name, 'established');
  });

  it('begins anew whenever the peer takes what was sent', () => {
    const { session, connection, live } = established(90);
    connection.full = true;
    session.writeUpdates([new Uint8Array(1000)]);
    live(400);
    connection.unsent = 0;
    connection.user?.onDrain();
    session.writeUpdates([new Uint8Array(1000)]);
    live(400);
    assert.equal(session.state.name, 'established');
    live(100);
    assert.notEqual(session.state.name, 'established');
  });

  it('ends nothing when there is nothing to take', () => {
    const { session, live } = established(90);
    live(2000);
    assert.equal(session.state.name, 'established');
    const silent = established(0);
    silent.pass(100_000);
    assert.equal(silent.session.state.name, 'established');
  });

  it('is not held up by KEEPALIVEs, which do not queue behind what the peer does not take', () => {
    const { session, connection, live, written } = established(90);
    connection.full = true;
    session.writeUpdates([new Uint8Array(1000)]);
    live(200);
    assert.equal(written('04'), 0);
    assert.equal(connection.unsent, 1000);
  });
});
