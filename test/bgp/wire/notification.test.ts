import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { decodeMessage, encodeMessage } from '../../../src/bgp/wire/message.ts';
import { NotificationError, notificationFor } from '../../../src/bgp/wire/notification.ts';
import type { NotificationMessage } from '../../../src/bgp/wire/types.ts';
import { toHex } from '../../../src/net/bytes.ts';
import { EXTENDED, EXTERNAL, message, octets } from './support.ts';

const notification = (code: number, subcode: number, hex: string): NotificationMessage => ({
  type: 'notification',
  code,
  subcode,
  data: octets(hex),
});

describe('NOTIFICATION (RFC 4271 §4.5)', () => {
  for (const [bodyHex, value] of [
    ['04 00', notification(4, 0, '')],
    ['02 01 0004', notification(2, 1, '0004')],
    ['06 02 03 627965', notification(6, 2, '03627965')],
    // §6.4: an error in a NOTIFICATION is not answered, so that every code is a value.
    ['ff ff 00', notification(255, 255, '00')],
  ] as const) {
    it(`${bodyHex} in both directions`, () => {
      assert.deepEqual(decodeMessage(message(3, bodyHex), EXTERNAL), value);
      assert.equal(toHex(encodeMessage(value, EXTERNAL)), toHex(message(3, bodyHex)));
    });
  }

  it('is cut when the octets it quotes are too many', () => {
    const long = notification(3, 9, 'ab'.repeat(5000));
    const cut = encodeMessage(long, EXTERNAL);
    assert.equal(cut.length, 4096);
    assert.deepEqual(decodeMessage(cut, EXTERNAL), notification(3, 9, 'ab'.repeat(4075)));
    assert.equal(encodeMessage(long, EXTENDED).length, 5021);
  });

  it('is made from the error that a decoder throws', () => {
    const error = new NotificationError(2, 1, 'version 3 is not supported', octets('0004'));
    assert.deepEqual(notificationFor(error), notification(2, 1, '0004'));
    assert.equal(error.message, 'version 3 is not supported');
  });
});
