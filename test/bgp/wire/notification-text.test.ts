import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { notificationText } from '../../../src/bgp/wire/notification-text.ts';
import { octets } from './support.ts';

describe('a NOTIFICATION in words', () => {
  const TEXTS: readonly (readonly [code: number, subcode: number, dataHex: string, text: string])[] = [
    [1, 1, '', 'Message Header Error/Connection Not Synchronized (1/1)'],
    [1, 2, '0012', 'Message Header Error/Bad Message Length (1/2): length 18'],
    [1, 3, '06', 'Message Header Error/Bad Message Type (1/3): type 6'],
    [2, 0, '', 'OPEN Message Error (2/0)'],
    [2, 1, '0004', 'OPEN Message Error/Unsupported Version Number (2/1): version 4 is supported'],
    [2, 2, 'fdf2', 'OPEN Message Error/Bad Peer AS (2/2): AS 65010'],
    [2, 2, 'fa56ea00', 'OPEN Message Error/Bad Peer AS (2/2): AS 4200000000'],
    [2, 6, '', 'OPEN Message Error/Unacceptable Hold Time (2/6)'],
    [2, 7, '010400010085', 'OPEN Message Error/Unsupported Capability (2/7): data 0x010400010085'],
    [2, 11, '', 'OPEN Message Error/Role Mismatch (2/11)'],
    [3, 3, '02', 'UPDATE Message Error/Missing Well-known Attribute (3/3): AS_PATH'],
    [
      3,
      9,
      '800e0400018500',
      'UPDATE Message Error/Optional Attribute Error (3/9): MP_REACH_NLRI 0x800e0400018500',
    ],
    [3, 10, '', 'UPDATE Message Error/Invalid Network Field (3/10)'],
    [4, 0, '', 'Hold Timer Expired (4/0)'],
    [5, 3, '', 'Finite State Machine Error/Receive Unexpected Message in Established State (5/3)'],
    [6, 1, '0001010000000a', 'Cease/Maximum Number of Prefixes Reached (6/1): ipv4-unicast, at most 10'],
    [6, 2, '03627965', 'Cease/Administrative Shutdown (6/2): bye'],
    [6, 4, '', 'Cease/Administrative Reset (6/4)'],
    [6, 7, '', 'Cease/Connection Collision Resolution (6/7)'],
    [6, 9, '06020362 7965', 'Cease/Hard Reset (6/9): Cease/Administrative Shutdown (6/2): bye'],
    [6, 9, '06090609', 'Cease/Hard Reset (6/9): Cease/Hard Reset (6/9): data 0x0609'],
    [6, 10, '', 'Cease/BFD Down (6/10)'],
    [6, 99, '00', 'Cease/unknown subcode (6/99): data 0x00'],
    [7, 1, '', 'ROUTE-REFRESH Message Error/Invalid Message Length (7/1)'],
    [8, 0, '', 'Send Hold Timer Expired (8/0)'],
    [77, 5, '', 'unknown error (77/5)'],
  ];
  for (const [code, subcode, dataHex, text] of TEXTS) {
    it(text, () => {
      assert.equal(notificationText(code, subcode, octets(dataHex)), text);
    });
  }

  it('needs no data', () => {
    assert.equal(notificationText(4, 0), 'Hold Timer Expired (4/0)');
  });

  it('is one bounded line of printable characters for any octets', () => {
    const octet = fc.integer({ min: 0, max: 255 });
    fc.assert(
      fc.property(fc.nat(9), fc.nat(12), fc.uint8Array({ maxLength: 600 }), (code, subcode, data) => {
        const text = notificationText(code, subcode, data);
        assert.match(text, /^[^\p{C}\p{Zl}\p{Zp}]+$/u);
        assert.ok(text.length < 3000);
      }),
    );
    fc.assert(
      fc.property(fc.array(octet, { maxLength: 255 }), (bytes) => {
        const text = notificationText(6, 2, Uint8Array.of(bytes.length, ...bytes));
        assert.match(text, /^[^\p{C}\p{Zl}\p{Zp}]+$/u);
      }),
    );
  });
});
