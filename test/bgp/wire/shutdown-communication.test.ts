import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import {
  decodeShutdownCommunication,
  encodeShutdownCommunication,
} from '../../../src/bgp/wire/notification-text.ts';
import { toHex } from '../../../src/net/bytes.ts';
import { octets } from './support.ts';

describe('a shutdown communication (RFC 9003)', () => {
  it('is its length and its UTF-8', () => {
    assert.equal(toHex(encodeShutdownCommunication('déjà')), '0664c3a96ac3a0');
    assert.equal(decodeShutdownCommunication(octets('0664c3a96ac3a0')), 'déjà');
  });

  it('is no data at all when there is nothing to say, and both forms of nothing are read', () => {
    assert.equal(toHex(encodeShutdownCommunication('')), '');
    assert.equal(decodeShutdownCommunication(octets('')), '');
    assert.equal(decodeShutdownCommunication(octets('00')), '');
  });

  it('is cut to 255 octets between two characters', () => {
    assert.equal(toHex(encodeShutdownCommunication('a'.repeat(300))), `ff${'61'.repeat(255)}`);
    // 3 octets each: 85 fit exactly; with one octet in front only 84 more do.
    assert.equal(toHex(encodeShutdownCommunication('€'.repeat(100))), `ff${'e282ac'.repeat(85)}`);
    assert.equal(toHex(encodeShutdownCommunication(`a${'€'.repeat(100)}`)), `fd61${'e282ac'.repeat(84)}`);
    // 4 octets each, a surrogate pair in memory: never half of one.
    assert.equal(toHex(encodeShutdownCommunication('😀'.repeat(100))), `fc${'f09f9880'.repeat(63)}`);
  });

  it('cannot move a cursor, forge a line or turn the direction of writing', () => {
    const evil = 'a\nb\x1b[2J\u202e\u2028\u0000\u009b\\z';
    assert.equal(
      decodeShutdownCommunication(encodeShutdownCommunication(evil)),
      'a\\u{a}b\\u{1b}[2J\\u{202e}\\u{2028}\\u{0}\\u{9b}\\\\z',
    );
  });

  it('is shown as hexadecimal when it is not UTF-8 or its length is wrong', () => {
    assert.equal(
      decodeShutdownCommunication(octets('02c328')),
      'shutdown communication that is not valid UTF-8 0xc328',
    );
    assert.equal(
      decodeShutdownCommunication(octets('056869')),
      'malformed shutdown communication (length 5, but 2 octets follow) 0x056869',
    );
    assert.equal(
      decodeShutdownCommunication(octets('016869')),
      'malformed shutdown communication (length 1, but 2 octets follow) 0x016869',
    );
  });

  it('comes back as it was said', () => {
    const words = fc.string({ unit: fc.constantFrom('a', ' ', 'é', '€', '😀', '-'), maxLength: 60 });
    fc.assert(
      fc.property(words, (text) => {
        assert.equal(decodeShutdownCommunication(encodeShutdownCommunication(text)), text);
      }),
    );
  });
});
