import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { decodeMessage, encodeMessage } from '../../../src/bgp/wire/message.ts';
import { NotificationError } from '../../../src/bgp/wire/notification.ts';
import type { BgpMessage, CodecContext } from '../../../src/bgp/wire/types.ts';
import { concatBytes, toHex } from '../../../src/net/bytes.ts';
import { processorTime } from '../../support/processor-time.ts';
import { codecContext, messageInContext } from './arbitraries.ts';
import { EXTERNAL, message, notificationOf, octets } from './support.ts';

/** The message, or undefined when the octets earn a NOTIFICATION; anything else thrown passes. */
function decoded(bytes: Uint8Array, context: CodecContext): BgpMessage | undefined {
  try {
    return decodeMessage(bytes, context);
  } catch (error) {
    if (error instanceof NotificationError) return undefined;
    throw error;
  }
}

/** Whole messages with a right header around anything. */
const framed = fc
  .tuple(fc.integer({ min: 1, max: 5 }), fc.uint8Array({ maxLength: 120 }))
  .map(([type, body]) => message(type, toHex(body)));

/** Messages that were right before a few octets of their body changed. */
const damaged = fc
  .tuple(messageInContext, fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), { maxLength: 4 }))
  .map(([{ context, message: sent }, changes]) => {
    const bytes = encodeMessage(sent, context);
    if (bytes.length > 19) {
      for (const [at, value] of changes) bytes[19 + (at % (bytes.length - 19))] = value;
    }
    return { bytes, context };
  });

describe('a message', () => {
  it('comes back from the wire as it was sent', () => {
    fc.assert(
      fc.property(messageInContext, ({ context, message: sent }) => {
        assert.deepEqual(decodeMessage(encodeMessage(sent, context), context), sent);
      }),
      { numRuns: 500 },
    );
  });

  it('is written in one form: what is decoded and encoded again stays as it is', () => {
    fc.assert(
      fc.property(messageInContext, ({ context, message: sent }) => {
        const bytes = encodeMessage(sent, context);
        assert.equal(toHex(encodeMessage(decodeMessage(bytes, context), context)), toHex(bytes));
      }),
      { numRuns: 300 },
    );
  });

  it('is a value or a NOTIFICATION, whatever its octets', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 60 }),
        codecContext,
        (bytes, context) => void decoded(bytes, context),
      ),
    );
    fc.assert(
      fc.property(framed, codecContext, (bytes, context) => void decoded(bytes, context)),
      { numRuns: 2000 },
    );
    fc.assert(
      fc.property(damaged, ({ bytes, context }) => void decoded(bytes, context)),
      { numRuns: 2000 },
    );
  });

  it('is written again in the canonical form, which says the same, when it was read from another one', () => {
    fc.assert(
      fc.property(damaged, ({ bytes, context }) => {
        const first = decoded(bytes, context);
        // What RFC 7606 took out of an UPDATE is not there to be written.
        if (first === undefined || (first.type === 'update' && first.problems.length > 0)) return;
        const again = decodeMessage(encodeMessage(first, { ...context, extendedMessages: true }), {
          ...context,
          extendedMessages: true,
        });
        if (first.type !== 'update') assert.deepEqual(again, first);
        else assert.equal(again.type === 'update' && again.problems.length, 0);
      }),
      { numRuns: 1000 },
    );
  });

  it('is read without looking at what lies around it', () => {
    fc.assert(
      fc.property(
        messageInContext,
        fc.uint8Array(),
        fc.uint8Array(),
        ({ context, message: sent }, before, behind) => {
          const bytes = encodeMessage(sent, context);
          const memory = concatBytes([before, bytes, behind]);
          const view = memory.subarray(before.length, before.length + bytes.length);
          assert.deepEqual(decodeMessage(view, context), sent);
        },
      ),
    );
  });

  it('is exactly one message', () => {
    const keepalive = message(4, '');
    assert.deepEqual(decodeMessage(keepalive, EXTERNAL), { type: 'keepalive' });
    assert.equal(toHex(encodeMessage({ type: 'keepalive' }, EXTERNAL)), toHex(keepalive));
    assert.equal(
      notificationOf(() => decodeMessage(concatBytes([keepalive, octets('00')]), EXTERNAL)),
      '1/2 0013',
    );
    assert.equal(
      notificationOf(() => decodeMessage(message(2, '0000 0000').subarray(0, 22), EXTERNAL)),
      '1/2 0017',
    );
    assert.equal(
      notificationOf(() => decodeMessage(octets('ffff'), EXTERNAL)),
      '1/2',
    );
  });
});

describe('a message made to be slow', () => {
  const LONGEST: CodecContext = { fourOctetAs: true, extendedMessages: true, internal: true };
  const room = 65535 - 23;
  const repeated = (hex: string): string => hex.repeat(Math.floor((2 * room) / hex.length));
  for (const [what, attributesHex] of [
    ['thousands of unknown attributes', repeated('c06300')],
    ['thousands of repeated attributes', repeated('40010100')],
    ['thousands of malformed attributes', repeated('c00800')],
    [
      'the longest AS_PATH of the shortest segments',
      `5002${(65508).toString(16)}${'020100000001'.repeat(10918)}`,
    ],
    ['the longest list of large communities', `d020${(65508).toString(16)}${'00'.repeat(65508)}`],
  ] as const) {
    it(`with ${what} takes the processor less than 50 ms`, () => {
      const size = attributesHex.length / 2;
      const bytes = message(2, `0000${size.toString(16).padStart(4, '0')}${attributesHex}`);
      // The best of three: the compiler and the garbage collector have their turns, too.
      const times = [1, 2, 3].map(() => processorTime(() => decoded(bytes, LONGEST)));
      assert.ok(Math.min(...times) < 50, `${times} ms`);
    });
  }
});
