import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { frame, MessageFramer } from '../../../src/bgp/wire/framing.ts';
import { concatBytes, toHex } from '../../../src/net/bytes.ts';
import { processorTime } from '../../support/processor-time.ts';
import { message, notificationOf, octets } from './support.ts';

const MARKER = 'ff'.repeat(16);
const KEEPALIVE = octets(`${MARKER} 0013 04`);
const UPDATE = message(2, '0000 0000');
const OPEN = message(1, '04 fdf2 005a c000020a 00');

/** Everything a framer gives for chunks, and the error that ended it. */
function read(chunks: readonly Uint8Array[], extended = false): { messages: string[]; error?: string } {
  const framer = new MessageFramer();
  const messages: string[] = [];
  for (const chunk of chunks) {
    framer.push(chunk);
    try {
      for (let one = framer.next(extended); one !== undefined; one = framer.next(extended)) {
        messages.push(toHex(one));
      }
    } catch {
      return { messages, error: notificationOf(() => framer.next(extended)) };
    }
  }
  return { messages };
}

describe('framing', () => {
  it('gives messages that arrive whole, several in a chunk', () => {
    const { messages } = read([concatBytes([OPEN, KEEPALIVE, UPDATE])]);
    assert.deepEqual(messages, [OPEN, KEEPALIVE, UPDATE].map(toHex));
  });

  it('gives a message only when its last octet is there', () => {
    const framer = new MessageFramer();
    for (const octet of OPEN.subarray(0, -1)) {
      framer.push(Uint8Array.of(octet));
      assert.equal(framer.next(false), undefined);
    }
    assert.equal(framer.buffered, OPEN.length - 1);
    framer.push(OPEN.subarray(-1));
    assert.deepEqual(framer.next(false), OPEN);
    assert.equal(framer.buffered, 0);
  });

  it('does not depend on the chunks', () => {
    const kinds = fc.constantFrom(
      OPEN,
      KEEPALIVE,
      UPDATE,
      message(2, `0000 0000${'20c0000201'.repeat(300)}`),
    );
    fc.assert(
      fc.property(fc.array(kinds, { maxLength: 8 }), fc.array(fc.nat(4000)), (sent, cuts) => {
        const stream = concatBytes(sent);
        const bounds = [0, ...cuts.filter((cut) => cut < stream.length).sort((a, b) => a - b), stream.length];
        const chunks = bounds.slice(1).map((end, i) => stream.slice(bounds[i], end));
        assert.deepEqual(read(chunks), { messages: sent.map(toHex) });
      }),
    );
  });

  it('never changes a message it gave', () => {
    const framer = new MessageFramer();
    const given: Uint8Array[] = [];
    const sent = Array.from({ length: 400 }, (_, i) =>
      message(2, `0000 0000 18${i.toString(16).padStart(6, '0')}`),
    );
    for (const octet of concatBytes(sent)) {
      framer.push(Uint8Array.of(octet));
      const one = framer.next(false);
      if (one !== undefined) given.push(one);
    }
    assert.deepEqual(given.map(toHex), sent.map(toHex));
  });

  it('gives plain octets for the chunks of a socket, which are a subclass', () => {
    const framer = new MessageFramer();
    framer.push(Buffer.from(KEEPALIVE));
    assert.equal(Object.getPrototypeOf(framer.next(false)), Uint8Array.prototype);
  });

  it('takes a stream of single octets without copying what waits with each of them', () => {
    const long = message(2, `0000 0000${'00'.repeat(65000)}`);
    const framer = new MessageFramer();
    const took = processorTime(() => {
      for (let i = 0; i < long.length; i++) {
        framer.push(long.subarray(i, i + 1));
        framer.next(true);
      }
    });
    assert.equal(framer.buffered, 0);
    let waiting = new Uint8Array(0);
    const tookCopying = processorTime(() => {
      for (const octet of long) waiting = new Uint8Array(concatBytes([waiting, Uint8Array.of(octet)]));
    });
    assert.ok(took < tookCopying / 3, `${took} ms, and ${tookCopying} ms with copying`);
  });

  it('takes the limit that holds when it is asked for the next message', () => {
    const framer = new MessageFramer();
    const long = message(2, `0000 0000${'00'.repeat(5000)}`);
    framer.push(concatBytes([KEEPALIVE, long]));
    assert.deepEqual(framer.next(false), KEEPALIVE);
    assert.deepEqual(framer.next(true), long);
  });
});

describe('a header that is wrong (RFC 4271 §6.1)', () => {
  const cases: readonly (readonly [what: string, hex: string, extended: boolean, error: string])[] = [
    ['a marker with a zero', `${'ff'.repeat(15)}00 0013 04`, false, '1/1'],
    ['HTTP', '474554202f20485454502f312e310d0a486f73743a', false, '1/1'],
    ['a length below the header', `${MARKER} 0012 04`, false, '1/2 0012'],
    ['a length of zero', `${MARKER} 0000 02`, false, '1/2 0000'],
    ['a length above 4096', `${MARKER} 1001 02`, false, '1/2 1001'],
    ['an OPEN of 28 octets', `${MARKER} 001c 01`, false, '1/2 001c'],
    ['an UPDATE of 22 octets', `${MARKER} 0016 02`, false, '1/2 0016'],
    ['a NOTIFICATION of 20 octets', `${MARKER} 0014 03`, false, '1/2 0014'],
    ['a KEEPALIVE with a body', `${MARKER} 0014 04`, false, '1/2 0014'],
    ['type 0', `${MARKER} 0013 00`, false, '1/3 00'],
    ['type 6', `${MARKER} 0100 06`, false, '1/3 06'],
    ['type 255', `${MARKER} 0013 ff`, false, '1/3 ff'],
    ['an OPEN above 4096, even with extended messages (RFC 8654 §4)', `${MARKER} 1001 01`, true, '1/2 1001'],
  ];
  for (const [what, hex, extended, error] of cases) {
    it(`${what} is ${error}, before the body arrives`, () => {
      assert.deepEqual(read([octets(hex)], extended), { messages: [], error });
    });
  }

  it('still gives the messages before it, then the same error for ever', () => {
    const framer = new MessageFramer();
    framer.push(concatBytes([KEEPALIVE, octets(`${MARKER} 0013 09`)]));
    assert.deepEqual(framer.next(false), KEEPALIVE);
    for (let i = 0; i < 2; i++) {
      assert.equal(
        notificationOf(() => framer.next(false)),
        '1/3 09',
      );
      framer.push(KEEPALIVE);
    }
    assert.equal(framer.buffered, 19);
  });

  it('lets UPDATE, NOTIFICATION and ROUTE-REFRESH grow with extended messages', () => {
    for (const type of [2, 3, 5]) {
      const long = frame(type, new Uint8Array(65535 - 19), true);
      assert.deepEqual(read([long], true).messages, [toHex(long)]);
      assert.equal(read([long], false).error, '1/2 ffff');
    }
  });
});

describe('frame', () => {
  it('puts marker, length and type before a body', () => {
    assert.equal(toHex(frame(4, new Uint8Array(0))), toHex(KEEPALIVE));
    assert.equal(toHex(frame(2, octets('00000000'))), `${MARKER}00170200000000`);
  });

  it('refuses what the peer may not be sent', () => {
    assert.throws(() => frame(2, new Uint8Array(4096 - 18)), RangeError);
    assert.equal(frame(2, new Uint8Array(4096 - 19)).length, 4096);
    assert.throws(() => frame(2, new Uint8Array(65535 - 18), true), RangeError);
    assert.throws(() => frame(1, new Uint8Array(4096 - 18), true), RangeError);
  });
});
