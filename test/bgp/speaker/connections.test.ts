import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  Connections,
  HEAR_MS,
  MOST_REFUSALS,
  REST_MS,
  SILENCE_MS,
  VERDICT_MS,
} from '../../../src/bgp/speaker/connections.ts';
import type { Runtime } from '../../../src/bgp/speaker/runtime.ts';
import { Session } from '../../../src/bgp/speaker/session.ts';
import { encodeMessage } from '../../../src/bgp/wire/message.ts';
import { INITIAL_CONTEXT } from '../../../src/bgp/wire/types.ts';
import { CONFIG, peerOpen } from '../fsm/support.ts';
import { MemoryConnection } from './memory-connection.ts';

const OPEN = encodeMessage(peerOpen(), INITIAL_CONTEXT);
const KEEPALIVE = encodeMessage({ type: 'keepalive' }, INITIAL_CONTEXT);
/** NOTIFICATION, Cease: connection rejected, and connection collision resolution (RFC 4486 §3). */
const REJECTED = 'write 030605';
const COLLISION = 'write 030607';
const DUMPED = encodeMessage(
  { type: 'notification', code: 6, subcode: 7, data: new Uint8Array(0) },
  INITIAL_CONTEXT,
);

/** The connections with a neighbor that is dialled once; `dialled` is what that dial comes to when the test says so. */
function connections() {
  const dialled = new MemoryConnection();
  let through: (() => void) | undefined;
  const nothing = (): void => undefined;
  let time = 0;
  let waiting: { readonly at: number; readonly callback: () => void }[] = [];
  const runtime: Runtime = {
    now: () => time,
    after: (milliseconds, callback) => {
      const entry = { at: time + milliseconds, callback };
      waiting.push(entry);
      return () => {
        waiting = waiting.filter((one) => one !== entry);
      };
    },
    soon: (callback) => runtime.after(0, callback),
    random: () => 0,
    transport: {
      dial: (_request, done) => {
        through = () => done(dialled);
        return nothing;
      },
      listen: () => Promise.reject(new Error('nobody listens here')),
    },
  };
  const pass = (milliseconds: number): void => {
    const end = time + milliseconds;
    for (;;) {
      const next = waiting.filter((one) => one.at <= end).sort((a, b) => a.at - b.at)[0];
      if (next === undefined) break;
      waiting = waiting.filter((one) => one !== next);
      time = next.at;
      next.callback();
    }
    time = end;
  };
  const all: Connections = new Connections(
    (state) =>
      new Session(
        runtime,
        state,
        () => CONFIG,
        { address: { kind: 'tcp', host: '192.0.2.1', port: 179 } },
        {
          onState: (session, before) => all.stateChanged(session, before),
          mayOpen: (session) => all.mayOpen(session),
          allowOpen: (session, open) => all.allowOpen(session, open),
          onUp: (session) => all.up(session),
          onDown: nothing,
          onUpdate: nothing,
          onRefresh: nothing,
          onMessage: nothing,
          onNotification: nothing,
          onReport: nothing,
          onWritable: nothing,
        },
      ),
    () => CONFIG,
    runtime,
  );
  return { all, dialled, dialThrough: () => through?.(), pass };
}

describe('the connections with a neighbor', () => {
  it('are one while nobody else connects: the one that is dialled', () => {
    const { all, dialled, dialThrough } = connections();
    all.primary.start();
    assert.equal(all.mostAdvanced.state.name, 'connect');
    dialThrough();
    dialled.user?.onData(OPEN);
    dialled.user?.onData(KEEPALIVE);
    assert.equal(all.mostAdvanced.state.name, 'established');
    assert.equal(all.mostAdvanced, all.primary);
  });

  it('are two while both sides have connected, and the one that has come farther is shown', () => {
    const { all } = connections();
    all.primary.start();
    const accepted = new MemoryConnection();
    all.accept(accepted);
    accepted.user?.onData(OPEN);
    assert.equal(all.primary.state.name, 'connect');
    assert.equal(all.mostAdvanced.state.name, 'openconfirm');
    assert.ok(all.includes(all.mostAdvanced));
  });

  it('are one again once one of them is established: the other gets a Cease', () => {
    const { all, dialled, dialThrough, pass } = connections();
    all.primary.start();
    const accepted = new MemoryConnection();
    all.accept(accepted);
    accepted.user?.onData(OPEN);
    // It comes too late for our OPEN to be sent on it.
    dialThrough();
    const before = all.primary;
    accepted.user?.onData(KEEPALIVE);
    pass(0);
    assert.equal(all.primary.state.name, 'established');
    assert.ok(!all.includes(before));
    assert.deepEqual(dialled.history, [COLLISION, 'close']);
  });

  it('are cut without a word while many others are on their way out', async () => {
    const { all } = connections();
    const leaving = Array.from({ length: MOST_REFUSALS }, () => new MemoryConnection());
    for (const connection of leaving) all.refuse(connection);
    assert.ok(leaving.every(({ history }) => history.includes('close')));
    const oneMore = new MemoryConnection();
    all.refuse(oneMore);
    assert.deepEqual(oneMore.history, ['abort']);
    for (const connection of [...leaving, oneMore]) connection.vanish();
    await all.closed();
    const later = new MemoryConnection();
    all.refuse(later);
    assert.deepEqual(later.history, [REJECTED, 'close']);
  });

  describe('of which ours wins by its identifier, and the neighbor answers on the other one first', () => {
    function crossed() {
      const world = connections();
      world.all.primary.start();
      world.dialThrough();
      const ours = world.all.primary;
      const accepted = new MemoryConnection();
      world.all.accept(accepted);
      accepted.user?.onData(OPEN);
      accepted.user?.onData(KEEPALIVE);
      world.pass(HEAR_MS / 2);
      return { ...world, ours, accepted };
    }

    it('stay two: no KEEPALIVE of ours lets it choose the loser, until its OPEN on ours decides', () => {
      const { all, dialled, ours, accepted, pass } = crossed();
      assert.equal(all.mostAdvanced.state.name, 'opensent');
      assert.ok(!accepted.history.includes('write 04'));
      dialled.user?.onData(OPEN);
      pass(0);
      assert.equal(ours.state.name, 'openconfirm');
      assert.ok(dialled.history.includes('write 04'));
      assert.ok(accepted.history.includes(COLLISION));
    });

    it('are one when the neighbor goes on and on without an answer to its OPEN', () => {
      const { all, ours, accepted } = crossed();
      for (let i = 0; i < 20; i++) accepted.user?.onData(KEEPALIVE);
      assert.ok(accepted.history.includes('write 030501'));
      assert.equal(all.mostAdvanced, ours);
    });

    it('are one when it closes ours', () => {
      const { all, dialled, accepted, pass } = crossed();
      dialled.user?.onClose('peer closed the connection');
      pass(0);
      assert.equal(all.primary.state.name, 'established');
      assert.ok(accepted.history.includes('write 04'));
    });

    it('go on with what it answered on when nothing arrives on ours; ours is closed last of all', () => {
      const { all, dialled, ours, pass } = crossed();
      pass(HEAR_MS);
      assert.equal(all.primary.state.name, 'established');
      assert.notEqual(all.primary, ours);
      assert.ok(!dialled.history.includes(COLLISION), 'the neighbor may still choose it');
      pass(VERDICT_MS);
      assert.ok(dialled.history.includes(COLLISION));
    });

    it('come back to ours when the neighbor chooses it after all', () => {
      const { all, dialled, ours, accepted, pass } = crossed();
      pass(HEAR_MS);
      dialled.user?.onData(OPEN);
      pass(0);
      assert.ok(!dialled.history.includes(COLLISION));
      accepted.user?.onData(DUMPED);
      pass(0);
      assert.equal(all.primary, ours);
      assert.equal(ours.state.name, 'openconfirm');
    });
  });

  it('of which one has had our KEEPALIVE: no OPEN of ours lets the neighbor choose the other', () => {
    const { all, dialled, dialThrough, pass } = connections();
    all.primary.start();
    dialThrough();
    dialled.user?.onData(OPEN);
    const accepted = new MemoryConnection();
    all.accept(accepted);
    pass(SILENCE_MS);
    assert.deepEqual(accepted.history, []);
    dialled.user?.onClose('peer closed the connection');
    assert.match(accepted.history.join(), /^write 01/);
  });

  it('of which the neighbor has opened two: the older one goes', () => {
    const { all } = connections();
    all.primary.start();
    const [older, newer] = [new MemoryConnection(), new MemoryConnection()];
    all.accept(older);
    all.accept(newer);
    assert.ok(older.history.includes(COLLISION));
    assert.ok(!newer.history.includes('close'));
  });

  it('that come while we wait after a failure are kept until the wait is over, one at a time', () => {
    const { all, dialled, dialThrough, pass } = connections();
    all.primary.start();
    dialThrough();
    // A KEEPALIVE in place of an OPEN ends the attempt.
    dialled.user?.onData(KEEPALIVE);
    assert.equal(all.primary.state.name, 'idle');
    const [first, second] = [new MemoryConnection(), new MemoryConnection()];
    all.accept(first);
    assert.deepEqual(first.history, []);
    all.accept(second);
    assert.deepEqual(first.history, [REJECTED, 'close']);
    all.primary.start();
    second.user?.onData(OPEN);
    pass(0);
    assert.equal(all.mostAdvanced.state.name, 'openconfirm');
  });

  it('that are closed in the very turn in which they are taken are read to their end', () => {
    const { all, dialled, dialThrough, pass } = connections();
    all.primary.start();
    dialThrough();
    dialled.user?.onData(KEEPALIVE);
    const parked = new MemoryConnection();
    all.accept(parked);
    parked.user?.onData(OPEN);
    const { user } = parked;
    all.primary.start();
    user?.onClose('peer closed the connection');
    const states: string[] = [all.primary.state.name];
    pass(0);
    states.push(all.primary.state.name);
    assert.deepEqual(states, ['opensent', 'idle']);
    // Our OPEN, our KEEPALIVE in answer to theirs, and the end of our half.
    assert.deepEqual(
      parked.history.map((what) => what.slice(0, 8)),
      ['write 01', 'write 04', 'close'],
    );
  });

  it('that the neighbor closes while they wait are no attempt that failed', () => {
    const { all, dialled, dialThrough, pass } = connections();
    all.primary.start();
    dialThrough();
    dialled.user?.onData(KEEPALIVE);
    const { damping } = all.primary.state;
    const parked = new MemoryConnection();
    all.accept(parked);
    // It had said something before: what nobody tried on it is nobody's failure all the same.
    parked.user?.onData(OPEN);
    parked.user?.onClose('peer closed the connection');
    assert.deepEqual(parked.history, ['close'], 'our half is closed, too');
    pass(REST_MS);
    assert.equal(all.primary.state.name, 'idle');
    assert.deepEqual(all.primary.state.damping, damping);
  });

  it('that have sent their OPEN while they waited are answered when they are taken', () => {
    const { all, dialled, dialThrough, pass } = connections();
    all.primary.start();
    dialThrough();
    dialled.user?.onData(KEEPALIVE);
    const parked = new MemoryConnection();
    all.accept(parked);
    parked.user?.onData(OPEN);
    pass(REST_MS);
    assert.equal(all.mostAdvanced.state.name, 'openconfirm');
  });

  it('that wait are read no farther than an OPEN reaches', () => {
    const { all, dialled, dialThrough, pass } = connections();
    all.primary.start();
    dialThrough();
    dialled.user?.onData(KEEPALIVE);
    const parked = new MemoryConnection();
    all.accept(parked);
    parked.user?.onData(new Uint8Array(5000).fill(255));
    assert.deepEqual(parked.history, ['pause']);
    pass(REST_MS);
    assert.ok(parked.history.includes('close'), parked.history.join());
  });

  it('end all together, the one that waits included', async () => {
    const { all, dialled, dialThrough } = connections();
    all.primary.start();
    dialThrough();
    dialled.user?.onData(KEEPALIVE);
    const parked = new MemoryConnection();
    all.accept(parked);
    all.stop({ subcode: 2 });
    // Administrative Shutdown, as on a session (RFC 4486 §4).
    assert.deepEqual(parked.history, ['write 030602', 'close']);
    let gone = false;
    const closed = all.closed().then(() => {
      gone = true;
    });
    dialled.vanish();
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal(gone, false);
    parked.vanish();
    await closed;
  });
});
