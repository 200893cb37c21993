import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { decodeMessage, encodeMessage } from '../../../src/bgp/wire/message.ts';
import {
  findCapability,
  formatIdentifier,
  myAsField,
  offeredFamilies,
  parseIdentifier,
  peerAsn,
} from '../../../src/bgp/wire/open.ts';
import { type Capability, INITIAL_CONTEXT, type OpenMessage } from '../../../src/bgp/wire/types.ts';
import { toHex } from '../../../src/net/bytes.ts';
import { message, notificationOf } from './support.ts';

/** Version 4, AS 65010, 90 s, 192.0.2.10 (RFC 4271 §4.2). */
const HEAD = '04 fdf2 005a c000020a';

function open(capabilities: readonly Capability[]): OpenMessage {
  return {
    type: 'open',
    version: 4,
    myAs: 65010,
    holdTime: 90,
    bgpIdentifier: 0xc000020a,
    capabilities,
  };
}

const decode = (bodyHex: string) => decodeMessage(message(1, bodyHex), INITIAL_CONTEXT);

const FLOWSPEC: Capability = { type: 'multiprotocol', family: { afi: 1, safi: 133 } };
const AS4: Capability = { type: 'four-octet-as', asn: 65010 };
const REFRESH: Capability = { type: 'route-refresh' };

describe('OPEN', () => {
  const BOTH_WAYS: readonly (readonly [what: string, bodyHex: string, message: OpenMessage])[] = [
    ['without optional parameters', `${HEAD} 00`, open([])],
    [
      'with capabilities in one optional parameter (RFC 5492 §4)',
      `${HEAD} 10 02 0e 010400010085 41040000fdf2 0200`,
      open([FLOWSPEC, AS4, REFRESH]),
    ],
    [
      'with 253 octets of capabilities, the most that the plain form holds',
      `${HEAD} ff 02 fd 63fb ${'00'.repeat(251)}`,
      open([{ type: 'unknown', code: 99, value: new Uint8Array(251) }]),
    ],
    [
      'with 254 octets of capabilities, in the extended form (RFC 9072 §2)',
      `${HEAD} ff ff 0101 02 00fe 63fc ${'00'.repeat(252)}`,
      open([{ type: 'unknown', code: 99, value: new Uint8Array(252) }]),
    ],
  ];
  for (const [what, bodyHex, value] of BOTH_WAYS) {
    it(`${what} in both directions`, () => {
      assert.deepEqual(decode(bodyHex), value);
      assert.equal(toHex(encodeMessage(value, INITIAL_CONTEXT)), toHex(message(1, bodyHex)));
    });
  }

  it('is read with a capability in each optional parameter, as older speakers write it', () => {
    assert.deepEqual(
      decode(`${HEAD} 14 02 06 010400010085 02 06 41040000fdf2 02 02 0200`),
      open([FLOWSPEC, AS4, REFRESH]),
    );
  });

  it('is read in the extended form with several parameters and any length octet but 0 (RFC 9072 §2)', () => {
    for (const lengthOctet of ['ff', '01', '80']) {
      assert.deepEqual(
        decode(`${HEAD} ${lengthOctet} ff 000e 02 0006 010400010085 02 0002 0200`),
        open([FLOWSPEC, REFRESH]),
      );
    }
  });

  /** RFC 4271 §6.2, in the order of its checks. */
  const REFUSED: readonly (readonly [what: string, bodyHex: string, error: string])[] = [
    ['version 3 (largest supported version as data)', '03 fdf2 005a c000020a 00', '2/1 0004'],
    ['version 5', '05 fdf2 005a c000020a 00', '2/1 0004'],
    ['AS number 0 (RFC 7607 §2)', '04 0000 005a c000020a 00', '2/2'],
    ['AS number 0 in the capability', `${HEAD} 08 02 06 410400000000`, '2/2'],
    ['hold time 1', '04 fdf2 0001 c000020a 00', '2/6'],
    ['hold time 2', '04 fdf2 0002 c000020a 00', '2/6'],
    ['identifier 0.0.0.0 (RFC 6286 §2.2)', '04 fdf2 005a 00000000 00', '2/3'],
    ['optional parameter 1, authentication, deprecated', `${HEAD} 02 01 00`, '2/4'],
    ['an unknown optional parameter behind a known one', `${HEAD} 07 02 02 0200 03 01 00`, '2/4'],
    ['optional parameter 255 behind the first', `${HEAD} 06 02 02 0200 ff 00`, '2/4'],
    ['a length of parameters above the message', `${HEAD} 05 02 02 0200`, '2/0'],
    ['a length of parameters below the message', `${HEAD} 03 02 02 0200`, '2/0'],
    ['octets behind no parameters', `${HEAD} 00 00`, '2/0'],
    ['a length octet and nothing behind', `${HEAD} 02`, '2/0'],
    ['a parameter that is cut off', `${HEAD} 04 02 04 0200`, '2/0'],
    ['a parameter without a length', `${HEAD} 05 02 02 0200 02`, '2/0'],
    ['an extended length above the message', `${HEAD} ff ff 0006 02 0002 0200`, '2/0'],
    ['an extended form without its length', `${HEAD} ff ff 00`, '2/0'],
    ['a malformed capability', `${HEAD} 03 02 01 02`, '2/0'],
  ];
  for (const [what, bodyHex, error] of REFUSED) {
    it(`${what} is ${error}`, () => {
      assert.equal(
        notificationOf(() => decode(bodyHex)),
        error,
      );
    });
  }

  it('takes hold times 0, 3 and 65535', () => {
    for (const [hex, holdTime] of [
      ['0000', 0],
      ['0003', 3],
      ['ffff', 65535],
    ] as const) {
      const decoded = decode(`04 fdf2 ${hex} c000020a 00`);
      assert.equal(decoded.type === 'open' && decoded.holdTime, holdTime);
    }
  });

  it('refuses to encode more capabilities than a message holds, and fields that do not fit', () => {
    const big: Capability = { type: 'unknown', code: 99, value: new Uint8Array(255) };
    assert.throws(() => encodeMessage(open(Array(16).fill(big)), INITIAL_CONTEXT), RangeError);
    assert.equal(encodeMessage(open(Array(15).fill(big)), INITIAL_CONTEXT).length, 19 + 13 + 3 + 15 * 257);
    assert.throws(() => encodeMessage({ ...open([]), myAs: 65536 }, INITIAL_CONTEXT), RangeError);
    assert.throws(() => encodeMessage({ ...open([]), holdTime: 65536 }, INITIAL_CONTEXT), RangeError);
  });
});

describe('what an OPEN says', () => {
  it('the AS number of the capability, else of the field (RFC 6793 §4.1)', () => {
    assert.equal(peerAsn(open([])), 65010);
    assert.equal(peerAsn({ ...open([{ type: 'four-octet-as', asn: 4200000000 }]), myAs: 23456 }), 4200000000);
    assert.equal(myAsField(65535), 65535);
    assert.equal(myAsField(65536), 23456);
  });

  it('its families once each, and IPv4 unicast when it names none (RFC 4760 §8)', () => {
    assert.deepEqual(offeredFamilies(open([FLOWSPEC, REFRESH, FLOWSPEC])), [{ afi: 1, safi: 133 }]);
    assert.deepEqual(offeredFamilies(open([REFRESH])), [{ afi: 1, safi: 1 }]);
  });

  it('the last capability of a type, which is the one that counts (RFC 4724 §3)', () => {
    const other = { ...AS4, asn: 65099 } as const;
    assert.deepEqual(findCapability(open([other, REFRESH, AS4]), 'four-octet-as'), AS4);
    assert.equal(findCapability(open([REFRESH]), 'four-octet-as'), undefined);
  });

  it('its identifier in dotted decimal', () => {
    assert.equal(formatIdentifier(0xc000020a), '192.0.2.10');
    assert.equal(parseIdentifier('192.0.2.10'), 0xc000020a);
    assert.equal(parseIdentifier('255.255.255.255'), 0xffffffff);
    for (const text of ['0.0.0.0', '::1', '192.0.2', 'router', '192.0.2.256']) {
      assert.equal(parseIdentifier(text), undefined, text);
    }
  });
});
