import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  type ConnectionLimits,
  type ConnectionState,
  ConnectionTable,
  type ConnectionPlace,
} from '../../src/http/connection-table.ts';

const LIMITS: ConnectionLimits = {
  connections: 10,
  reserve: 3,
  perNetwork: 4,
  perTrustedNetwork: 6,
  handshake: 5,
  firstByte: 10,
  headers: 15,
  request: 20,
  idle: 60,
  stalled: 30,
  closing: 2,
};

/** Makes a table with a clock, and records the names of the connections that it closed. */
function table(limits: Partial<ConnectionLimits> = {}) {
  const time = { now: 0 };
  const cut: string[] = [];
  const made = new ConnectionTable({ ...LIMITS, ...limits }, () => time.now);
  let count = 0;
  const arrive = (
    network: string,
    isTrusted = false,
    state: ConnectionState = 'first_byte',
  ): ConnectionPlace => {
    const name = `${network}#${++count}`;
    const place = made.admit({ name: network, isTrusted }, state, () => cut.push(name));
    assert.ok(typeof place !== 'string', `${name} was refused: ${String(place)}`);
    return place;
  };
  const refused = (network: string, isTrusted = false) =>
    made.admit({ name: network, isTrusted }, 'first_byte', () => cut.push('never'));
  return { made, time, cut, arrive, refused };
}

describe('a network that has its share of connections', () => {
  it('makes room for its own new one by the oldest without a request, and takes none of others', () => {
    const { made, cut, arrive } = table();
    arrive('victim');
    for (let i = 0; i < 6; i++) arrive('flood');
    assert.deepEqual(cut, ['flood#2', 'flood#3']);
    assert.equal(made.countOf('flood'), 4);
    assert.equal(made.countOf('victim'), 1);
  });

  it('is refused when requests are answered on all of them', () => {
    const { made, cut, arrive, refused } = table();
    for (let i = 0; i < 4; i++) made.enter(arrive('busy'), 'request');
    assert.equal(refused('busy'), 'address');
    assert.deepEqual(cut, []);
    assert.equal(made.figures().refused.address, 1);
  });

  it('has a larger share once a valid credential came from it', () => {
    const { made, arrive, refused } = table();
    const places = Array.from({ length: 4 }, () => arrive('detector'));
    for (const place of places) made.enter(place, 'request');
    made.trust('detector');
    for (let i = 0; i < 2; i++) made.enter(arrive('detector', true), 'request');
    assert.equal(refused('detector', true), 'address');
  });
});

describe('strangers together', () => {
  it('leave the reserve to networks that are trusted', () => {
    const { made, cut, arrive } = table();
    for (let i = 0; i < 20; i++) arrive(`stranger-${i}`);
    assert.equal(made.size, 7);
    assert.equal(cut.length, 13);
    for (let i = 0; i < 3; i++) arrive('detector', true);
    assert.equal(made.size, 10);
    assert.equal(cut.length, 13, 'nobody had to go for them');
  });

  it('make room for trusted networks beyond the reserve, the one that waited longest first', () => {
    const { made, cut, arrive } = table();
    for (let i = 0; i < 7; i++) arrive(`stranger-${i}`);
    for (let i = 0; i < 5; i++) made.enter(arrive('detector', true), 'request');
    assert.deepEqual(cut, ['stranger-0#1', 'stranger-1#2']);
  });

  it('are refused where nobody can make room', () => {
    const { made, arrive, refused } = table();
    for (let i = 0; i < 7; i++) made.enter(arrive(`stranger-${i}`), 'request');
    assert.equal(refused('one-more'), 'total');
    assert.equal(made.figures().refused.total, 1);
  });

  it('cannot make a connection go that is answering a request', () => {
    const { made, cut, arrive } = table();
    made.enter(arrive('operator'), 'request');
    for (let i = 0; i < 20; i++) arrive(`stranger-${i}`);
    assert.ok(!cut.includes('operator#1'));
  });
});

describe('time', () => {
  it('ends a connection in each state after its own limit, and counts why', () => {
    const states = [
      ['handshake', 5, 'handshake'],
      ['first_byte', 10, 'first_byte'],
      ['headers', 15, 'headers'],
      ['unproven', 20, 'body'],
      ['idle', 60, 'idle'],
    ] as const;
    for (const [state, limit, why] of states) {
      const { made, time, cut, arrive } = table();
      time.now = 100;
      arrive('slow', false, state);
      time.now = 100 + limit - 1;
      made.sweep();
      assert.deepEqual(cut, [], state);
      time.now = 100 + limit;
      made.sweep();
      assert.deepEqual(cut, ['slow#1'], state);
      assert.equal(made.figures().closed[why], 1);
      assert.equal(made.size, 0);
    }
  });

  it('counts from the last change of state', () => {
    const { made, time, cut, arrive } = table();
    const place = arrive('keep-alive');
    time.now = 9;
    made.enter(place, 'request');
    time.now = 1000;
    made.sweep();
    made.enter(place, 'idle');
    time.now = 1059;
    made.sweep();
    assert.deepEqual(cut, []);
  });

  it('ends what was told to go, without counting it again', () => {
    const { made, time, cut, arrive } = table();
    made.enter(arrive('late'), 'closing');
    time.now = 2;
    made.sweep();
    assert.deepEqual(cut, ['late#1']);
    assert.deepEqual(Object.values(made.figures().closed), [0, 0, 0, 0, 0, 0, 0]);
  });
});

describe('the figures', () => {
  it('count connections by state, and forget those that are gone', () => {
    const { made, arrive } = table();
    made.enter(arrive('a'), 'request');
    const gone = arrive('b');
    arrive('c', false, 'handshake');
    made.remove(gone);
    made.enter(gone, 'idle');
    const { states } = made.figures();
    assert.deepEqual([states.request, states.handshake, states.first_byte, states.idle], [1, 1, 0, 0]);
    assert.equal(made.countOf('b'), 0);
  });
});
