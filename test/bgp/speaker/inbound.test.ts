import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Inbound } from '../../../src/bgp/speaker/link.ts';
import type { NotificationError } from '../../../src/bgp/wire/notification.ts';
import { fromHex } from '../../../src/net/bytes.ts';
import { MemoryConnection } from './memory-connection.ts';

const MARKER = 'ff'.repeat(16);

function octets(hex: string): Uint8Array {
  const bytes = fromHex(hex);
  assert.ok(bytes !== undefined);
  return bytes;
}

const KEEPALIVE = octets(`${MARKER}001304`);

/** An UPDATE of `length` octets that withdraws 0.0.0.0/0 over and over (RFC 4271 §4.3). */
function update(length: number): Uint8Array {
  const message = new Uint8Array(length).fill(0xff, 0, 16);
  const view = new DataView(message.buffer);
  view.setUint16(16, length);
  view.setUint8(18, 2);
  view.setUint16(19, length - 23);
  return message;
}

function repeated(message: Uint8Array, count: number): Uint8Array {
  const all = new Uint8Array(count * message.length);
  for (let i = 0; i < count; i++) all.set(message, i * message.length);
  return all;
}

/** An inbound whose turns end when the test says so. */
function inbound() {
  const connection = new MemoryConnection();
  const read: string[] = [];
  const errors: NotificationError[] = [];
  const waiting: (() => void)[] = [];
  let extendedMessages = true;
  const reader = new Inbound(
    connection,
    { soon: (callback) => waiting.push(callback) },
    {
      context: () => ({ fourOctetAs: true, extendedMessages, internal: false }),
      onMessage: (message) => {
        read.push(message.type);
        if (message.type === 'open') extendedMessages = false;
      },
      onMalformed: (error) => errors.push(error),
    },
  );
  const turn = (): void => {
    for (const callback of waiting.splice(0)) callback();
  };
  return { reader, connection, read, errors, turn };
}

describe('what a peer sends', () => {
  it('is read at once while it is little', () => {
    const { reader, connection, read } = inbound();
    reader.push(repeated(KEEPALIVE, 3));
    assert.deepEqual(read, ['keepalive', 'keepalive', 'keepalive']);
    assert.deepEqual(connection.history, []);
  });

  it('by the thousand short messages is read in turns of some 200, and the peer waits meanwhile', () => {
    const { reader, connection, read, turn } = inbound();
    reader.push(repeated(KEEPALIVE, 1000));
    const after = [read.length];
    for (let i = 0; i < 5; i++) {
      turn();
      after.push(read.length);
    }
    assert.deepEqual(after, [205, 410, 615, 820, 1000, 1000]);
    assert.equal(connection.history.filter((what) => what === 'resume').length, 1);
    assert.deepEqual(connection.history.at(-1), 'resume');
  });

  it('in many chunks has one turn for all of them', () => {
    const { reader, connection, read, turn } = inbound();
    // The transport hands over chunk after chunk before anybody else has a turn.
    for (let i = 0; i < 20; i++) reader.push(update(4096));
    assert.equal(read.length, 8);
    assert.deepEqual(connection.history, ['pause']);
    turn();
    assert.equal(read.length, 16);
    turn();
    assert.equal(read.length, 20);
    assert.deepEqual(connection.history.at(-1), 'resume');
  });

  it('and has little of it in the next turn is not held up', () => {
    const { reader, connection, read, turn } = inbound();
    for (let i = 0; i < 100; i++) {
      reader.push(update(4096));
      turn();
    }
    assert.equal(read.length, 100);
    assert.deepEqual(connection.history, []);
  });

  it('as one message longer than a turn is read in one', () => {
    const { reader, read, turn } = inbound();
    reader.push(repeated(update(65_535), 2));
    assert.equal(read.length, 1);
    turn();
    assert.equal(read.length, 2);
  });

  it('is not read any more once the session is over, in the middle of a turn or between two', () => {
    const { reader, connection, read, turn } = inbound();
    reader.push(repeated(KEEPALIVE, 300));
    reader.end();
    turn();
    reader.push(KEEPALIVE);
    assert.equal(read.length, 205);
    assert.deepEqual(connection.history, ['pause']);
  });

  it('is read to its end before the close behind it counts', () => {
    const { reader, read, turn } = inbound();
    reader.push(repeated(KEEPALIVE, 500));
    let closedAfter = -1;
    reader.finish(() => {
      closedAfter = read.length;
    });
    turn();
    assert.equal(closedAfter, -1);
    turn();
    assert.equal(closedAfter, 500);
  });

  it('is over with the close where nothing of it waits, and a close after the end is no news', () => {
    const { reader } = inbound();
    reader.push(KEEPALIVE);
    let closes = 0;
    reader.finish(() => closes++);
    assert.equal(closes, 1);
    reader.end();
    reader.finish(() => closes++);
    assert.equal(closes, 1);
  });

  it('malformed is reported once, and nothing behind it is read', () => {
    const { reader, read, errors } = inbound();
    reader.push(octets(`${MARKER}001304${'00'.repeat(19)}`));
    reader.push(KEEPALIVE);
    assert.deepEqual(read, ['keepalive']);
    assert.deepEqual(
      errors.map(({ code, subcode }) => [code, subcode]),
      [[1, 1]],
    );
  });

  it('is read by what was agreed when its turn comes', () => {
    const { reader, read, errors } = inbound();
    // OPEN: version 4, AS 65001, hold time 90, router id 192.0.2.1, no parameters. Then 5000 octets, which are too many.
    reader.push(octets(`${MARKER}001d0104fde9005ac000020100`));
    reader.push(update(5000));
    assert.deepEqual(read, ['open']);
    assert.deepEqual(
      errors.map(({ code, subcode }) => [code, subcode]),
      [[1, 2]],
    );
  });
});
