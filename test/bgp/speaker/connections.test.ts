import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Connections } from '../../../src/bgp/speaker/connections.ts';
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

/** The connections with a neighbor that is dialled once; `dialled` is what that dial comes to when the test says so. */
function connections() {
  const dialled = new MemoryConnection();
  let through: (() => void) | undefined;
  const nothing = (): void => undefined;
  const all: Connections = new Connections(
    (state) =>
      new Session(
        {
          now: () => 0,
          after: () => nothing,
          soon: nothing,
          random: () => 0,
          transport: {
            dial: (_request, done) => {
              through = () => done(dialled);
              return nothing;
            },
            listen: () => Promise.reject(new Error('nobody listens here')),
          },
        },
        state,
        () => CONFIG,
        { address: { kind: 'tcp', host: '192.0.2.1', port: 179 } },
        {
          onState: (session, before) => all.stateChanged(session, before),
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
  );
  return { all, dialled, dialThrough: () => through?.() };
}

describe('the connections with a neighbor', () => {
  it('are one while nobody else connects: the one that is dialled', () => {
    const { all, dialled, dialThrough } = connections();
    all.primary.start();
    assert.equal(all.foremost.state.name, 'connect');
    dialThrough();
    dialled.user?.onData(OPEN);
    dialled.user?.onData(KEEPALIVE);
    assert.equal(all.foremost.state.name, 'established');
    assert.equal(all.foremost, all.primary);
  });

  it('are two while both sides have connected, and the one that has come farther is shown', () => {
    const { all } = connections();
    all.primary.start();
    const accepted = new MemoryConnection();
    all.accept(accepted);
    accepted.user?.onData(OPEN);
    assert.equal(all.primary.state.name, 'connect');
    assert.equal(all.foremost.state.name, 'openconfirm');
    assert.ok(all.includes(all.foremost));
  });

  it('are one again once one of them is established: the other gets a Cease', () => {
    const { all, dialled, dialThrough } = connections();
    all.primary.start();
    dialThrough();
    const before = all.primary;
    const accepted = new MemoryConnection();
    all.accept(accepted);
    accepted.user?.onData(OPEN);
    accepted.user?.onData(KEEPALIVE);
    assert.equal(all.primary.state.name, 'established');
    assert.ok(!all.includes(before));
    assert.ok(dialled.history.includes(COLLISION));
    assert.ok(dialled.history.includes('close'));
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
    const { all, dialled, dialThrough } = connections();
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
    assert.equal(all.foremost.state.name, 'openconfirm');
  });

  it('end all together, the one that waits included', async () => {
    const { all, dialled, dialThrough } = connections();
    all.primary.start();
    dialThrough();
    dialled.user?.onData(KEEPALIVE);
    const parked = new MemoryConnection();
    all.accept(parked);
    all.stop({ subcode: 2 });
    assert.deepEqual(parked.history, [REJECTED, 'close']);
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
