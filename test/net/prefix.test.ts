import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { toHex } from '../../src/net/bytes.ts';
import {
  canonicalAddress,
  covers,
  familyBits,
  formatAddress,
  formatPrefix,
  hostPrefix,
  knownPrefix,
  makePrefix,
  overlaps,
  parseAddress,
  parsePrefix,
  type Prefix,
  samePrefix,
  unmapped,
} from '../../src/net/prefix.ts';

/** A prefix that must parse. */
function prefix(text: string): Prefix {
  return knownPrefix(text);
}

function hexOf(text: string): string | undefined {
  const address = parseAddress(text);
  return address === undefined ? undefined : toHex(address);
}

describe('parseAddress', () => {
  it('reads IPv4 in dotted decimal', () => {
    assert.equal(hexOf('0.0.0.0'), '00000000');
    assert.equal(hexOf('192.0.2.1'), 'c0000201');
    assert.equal(hexOf('255.255.255.255'), 'ffffffff');
  });

  it('refuses what only looks like IPv4', () => {
    const wrong = [
      '',
      '1',
      '1.2.3',
      '1.2.3.4.5',
      '256.0.0.1',
      '01.2.3.4',
      '1.2.3.4 ',
      ' 1.2.3.4',
      '1..3.4',
      '0x1.2.3.4',
    ];
    for (const text of [...wrong, '1.2.3.4\n', '-1.2.3.4', '1.2.3.4/32', '١.2.3.4']) {
      assert.equal(parseAddress(text), undefined, JSON.stringify(text));
    }
  });

  it('reads the forms of RFC 4291 §2.2', () => {
    assert.equal(hexOf('ABCD:EF01:2345:6789:ABCD:EF01:2345:6789'), 'abcdef0123456789abcdef0123456789');
    assert.equal(hexOf('2001:DB8:0:0:8:800:200C:417A'), '20010db80000000000080800200c417a');
    assert.equal(hexOf('2001:DB8::8:800:200C:417A'), '20010db80000000000080800200c417a');
    assert.equal(hexOf('FF01::101'), 'ff010000000000000000000000000101');
    assert.equal(hexOf('::1'), '00000000000000000000000000000001');
    assert.equal(hexOf('::'), '00000000000000000000000000000000');
    assert.equal(hexOf('1::'), '00010000000000000000000000000000');
    assert.equal(hexOf('::13.1.68.3'), '0000000000000000000000000d014403');
    assert.equal(hexOf('::FFFF:129.144.52.38'), '00000000000000000000ffff81903426');
    assert.equal(hexOf('1:2:3:4:5:6:0.0.0.1'), '00010002000300040005000600000001');
    assert.equal(hexOf('1:2:3:4:5:6:7::'), '00010002000300040005000600070000');
  });

  it('refuses what only looks like IPv6', () => {
    const wrong = [
      ':',
      ':::',
      '1:::2',
      '1::2::3',
      '1:2:3:4:5:6:7',
      '1:2:3:4:5:6:7:8:9',
      '1:2:3:4::5:6:7:8',
      '12345::',
      'g::1',
      'fe80::1%eth0',
      '[::1]',
      '::1/128',
      '::1 ',
      '::1.2.3',
      '::1.2.3.256',
      '::01.2.3.4',
      '1.2.3.4::',
      '::1.2.3.4:5',
      '1:2:3:4:5:6:7:1.2.3.4',
      ':1:2:3:4:5:6:7',
      '1:2:3:4:5:6:7:',
    ];
    for (const text of wrong) assert.equal(parseAddress(text), undefined, text);
  });

  it('returns octets or undefined, whatever the text', () => {
    const text = fc.oneof(fc.string(), fc.string({ unit: fc.constantFrom(...'0123456789abcdef:./%') }));
    fc.assert(
      fc.property(text, (candidate) => {
        const address = parseAddress(candidate);
        assert.ok(address === undefined || address.length === 4 || address.length === 16);
      }),
    );
  });
});

describe('formatAddress', () => {
  it('writes IPv6 as RFC 5952 recommends', () => {
    const examples = {
      '2001:0db8::0001': '2001:db8::1',
      '2001:db8:0:0:0:0:2:1': '2001:db8::2:1',
      '2001:db8:0:1:1:1:1:1': '2001:db8:0:1:1:1:1:1',
      '2001:0:0:1:0:0:0:1': '2001:0:0:1::1',
      '2001:db8:0:0:1:0:0:1': '2001:db8::1:0:0:1',
      '2001:DB8::AaBb': '2001:db8::aabb',
      '0:0:0:0:0:0:0:0': '::',
      '0:0:0:0:0:0:0:1': '::1',
      '1:0:0:0:0:0:0:0': '1::',
      '0:1:2:3:4:5:6:7': '0:1:2:3:4:5:6:7',
      '::ffff:c000:201': '::ffff:192.0.2.1',
    };
    for (const [from, to] of Object.entries(examples)) assert.equal(canonicalAddress(from), to);
  });

  it('refuses octets that are no address', () => {
    for (const length of [0, 3, 5, 15, 17]) {
      assert.throws(() => formatAddress(new Uint8Array(length)), RangeError);
    }
  });

  it('writes what parseAddress reads', () => {
    const address = fc.oneof(
      fc.uint8Array({ minLength: 4, maxLength: 4 }),
      fc.uint8Array({ minLength: 16, maxLength: 16 }),
      // Many zeros, so that there are runs of them.
      fc
        .array(fc.constantFrom(0, 0, 0, 1, 255), { minLength: 16, maxLength: 16 })
        .map((a) => Uint8Array.from(a)),
    );
    fc.assert(
      fc.property(address, (octets) => assert.deepEqual(parseAddress(formatAddress(octets)), octets)),
    );
  });
});

describe('makePrefix', () => {
  it('clears the bits behind the length', () => {
    const ones = new Uint8Array(4).fill(255);
    const expected = {
      0: '00000000',
      1: '80000000',
      8: 'ff000000',
      9: 'ff800000',
      31: 'fffffffe',
      32: 'ffffffff',
    };
    for (const [length, hex] of Object.entries(expected)) {
      assert.equal(toHex(makePrefix(ones, Number(length)).address), hex, `/${length}`);
    }
    assert.deepEqual(ones, new Uint8Array(4).fill(255), 'the argument is left alone');
  });

  it('refuses a length that the family does not have', () => {
    for (const length of [-1, 33, 1.5, Number.NaN]) {
      assert.throws(() => makePrefix(new Uint8Array(4), length), RangeError);
    }
    assert.throws(() => makePrefix(new Uint8Array(16), 129), RangeError);
    assert.throws(() => makePrefix(new Uint8Array(5), 8), RangeError);
  });

  it('leaves its address to itself when it was given a subclass of Uint8Array', () => {
    const shared = Buffer.from([192, 0, 2, 1]);
    const made = makePrefix(shared, 32);
    shared[0] = 9;
    assert.equal(formatPrefix(made), '192.0.2.1/32');
  });
});

describe('parsePrefix', () => {
  it('reads a prefix, and a bare address as a host', () => {
    assert.equal(formatPrefix(prefix('203.0.113.0/24')), '203.0.113.0/24');
    assert.equal(formatPrefix(prefix('203.0.113.7')), '203.0.113.7/32');
    assert.equal(formatPrefix(prefix('2001:DB8::/32')), '2001:db8::/32');
    assert.equal(formatPrefix(prefix('2001:db8::1')), '2001:db8::1/128');
    assert.equal(formatPrefix(prefix('0.0.0.0/0')), '0.0.0.0/0');
  });

  it('says what is wrong', () => {
    const wrong: Readonly<Record<string, RegExp>> = {
      '203.0.113.7/24': /did you mean 203\.0\.113\.0\/24\?/,
      '2001:db8::1/32': /did you mean 2001:db8::\/32\?/,
      '203.0.113.0/33': /from 0 to 32/,
      '2001:db8::/129': /from 0 to 128/,
      '203.0.113.0/': /from 0 to 32/,
      '203.0.113.0/08': /from 0 to 32/,
      '203.0.113.0/-1': /from 0 to 32/,
      '203.0.113.0/24/24': /from 0 to 32/,
      'example.net/24': /is not an IPv4 or IPv6 prefix/,
      '': /is not an IPv4 or IPv6 prefix/,
    };
    for (const [text, reason] of Object.entries(wrong)) {
      const answer = parsePrefix(text);
      assert.ok(!answer.ok, `${text} was taken for ${JSON.stringify(answer)}`);
      assert.match(answer.error, reason);
    }
  });
});

describe('prefixes compared', () => {
  it('cover what is inside of them', () => {
    assert.equal(covers(prefix('10.0.0.0/8'), prefix('10.1.0.0/16')), true);
    assert.equal(covers(prefix('10.0.0.0/8'), prefix('10.0.0.0/8')), true);
    assert.equal(covers(prefix('10.1.0.0/16'), prefix('10.0.0.0/8')), false);
    assert.equal(covers(prefix('10.0.0.0/8'), prefix('11.0.0.0/16')), false);
    assert.equal(covers(prefix('0.0.0.0/0'), prefix('255.255.255.255/32')), true);
    assert.equal(covers(prefix('10.0.0.0/9'), prefix('10.128.0.0/16')), false);
    assert.equal(covers(prefix('2001:db8::/33'), prefix('2001:db8:8000::/34')), false);
  });

  it('never cover across families', () => {
    assert.equal(covers(prefix('0.0.0.0/0'), prefix('::/128')), false);
    assert.equal(overlaps(prefix('::/0'), prefix('0.0.0.0/0')), false);
    assert.equal(samePrefix(prefix('::/0'), prefix('0.0.0.0/0')), false);
  });

  it('overlap when one covers the other, in either order', () => {
    const any = fc
      .tuple(
        fc.constantFrom(4, 16),
        fc.array(fc.constantFrom(0, 1, 128, 255), { minLength: 16, maxLength: 16 }),
        fc.nat(),
      )
      .map(([size, octets, length]) =>
        makePrefix(Uint8Array.from(octets.slice(0, size)), length % (size * 8 + 1)),
      );
    fc.assert(
      fc.property(any, any, (a, b) => {
        assert.equal(overlaps(a, b), covers(a, b) || covers(b, a));
        assert.equal(overlaps(a, b), overlaps(b, a));
        assert.equal(samePrefix(a, b), covers(a, b) && covers(b, a));
      }),
      { numRuns: 2000 },
    );
  });

  it('know the width of their family', () => {
    assert.equal(familyBits(4), 32);
    assert.equal(familyBits(6), 128);
    assert.equal(formatPrefix(hostPrefix(new Uint8Array(16))), '::/128');
  });

  it('know IPv4 written as IPv6 for what it is (RFC 4291 §2.5.5.2)', () => {
    const plain = (text: string): string => {
      return formatPrefix(unmapped(knownPrefix(text)));
    };
    assert.equal(plain('::ffff:203.0.113.10'), '203.0.113.10/32');
    assert.equal(plain('::ffff:203.0.113.0/120'), '203.0.113.0/24');
    assert.equal(plain('::ffff:0:0/96'), '0.0.0.0/0');
    assert.equal(plain('2001:db8::ffff:0:0/112'), '2001:db8::ffff:0:0/112');
    assert.equal(plain('192.0.2.0/24'), '192.0.2.0/24');
  });
});
