import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { UnknownConnections } from '../../../src/bgp/speaker/reject-unknown.ts';
import { MemoryConnection } from './memory-connection.ts';

function rejecting() {
  let time = 0;
  const log: { readonly level: string; readonly fields: unknown }[] = [];
  const nothing = (): void => undefined;
  const listener = {
    onEstablished: nothing,
    onDown: nothing,
    onSent: nothing,
    onAcknowledged: nothing,
    onLog: (level: string, _peer: string | undefined, _text: string, fields?: unknown) =>
      log.push({ level, fields }),
  };
  return {
    rejecter: new UnknownConnections({ now: () => time }, listener),
    log,
    pass: (milliseconds: number) => {
      time += milliseconds;
    },
  };
}

describe('connections from addresses that nobody configured', () => {
  it('are told so with a Cease and closed', () => {
    const { rejecter } = rejecting();
    const connection = new MemoryConnection();
    rejecter.reject(connection);
    assert.deepEqual(connection.history, ['write 030605', 'close']);
  });

  it('are cut without a word while 32 others are on their way out, and told again once those are gone', async () => {
    const { rejecter } = rejecting();
    const leaving = Array.from({ length: 32 }, () => new MemoryConnection());
    for (const connection of leaving) rejecter.reject(connection);
    assert.ok(leaving.every(({ history }) => history.includes('close')));
    const oneMore = new MemoryConnection();
    rejecter.reject(oneMore);
    assert.deepEqual(oneMore.history, ['abort']);
    for (const connection of [...leaving, oneMore]) connection.vanish();
    await rejecter.close();
    const later = new MemoryConnection();
    rejecter.reject(later);
    assert.deepEqual(later.history, ['write 030605', 'close']);
  });

  it('make one line in the log in ten seconds, with the number of those it stands for', () => {
    const { rejecter, log, pass } = rejecting();
    for (let i = 0; i < 5; i++) rejecter.reject(new MemoryConnection());
    pass(9_999);
    rejecter.reject(new MemoryConnection());
    assert.equal(log.length, 1);
    pass(1);
    rejecter.reject(new MemoryConnection());
    const ends = { from: '192.0.2.1:179', to: '192.0.2.10:40000' };
    assert.deepEqual(log, [
      { level: 'warn', fields: { ...ends, count: 1 } },
      { level: 'warn', fields: { ...ends, count: 6 } },
    ]);
  });

  it('are waited for when the speaker stops', async () => {
    const { rejecter } = rejecting();
    const connection = new MemoryConnection();
    rejecter.reject(connection);
    let closed = false;
    const closing = rejecter.close().then(() => {
      closed = true;
    });
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal(closed, false);
    connection.vanish();
    await closing;
  });
});
