import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { formatPrefix, knownPrefix, makePrefix, overlaps, type Prefix } from '../../src/net/prefix.ts';
import { PrefixSet } from '../../src/net/prefix-set.ts';

function prefix(text: string): Prefix {
  return knownPrefix(text);
}

describe('PrefixSet', () => {
  const set = new PrefixSet(['10.0.0.0/8', '192.0.2.7/32', '10.1.0.0/16', '2001:db8::/32'].map(prefix));
  const found = (text: string): string | undefined => {
    const member = set.overlapping(prefix(text));
    return member === undefined ? undefined : formatPrefix(member);
  };

  it('finds the member that covers a prefix, the shortest first', () => {
    assert.equal(found('10.1.2.3'), '10.0.0.0/8');
    assert.equal(found('10.0.0.0/8'), '10.0.0.0/8');
    assert.equal(found('2001:db8::1'), '2001:db8::/32');
  });

  it('finds a member that a prefix covers', () => {
    assert.equal(found('192.0.2.0/24'), '192.0.2.7/32');
    assert.equal(found('0.0.0.0/0') !== undefined, true);
    assert.equal(found('2001::/16'), '2001:db8::/32');
  });

  it('finds nothing when nothing overlaps', () => {
    assert.equal(found('11.0.0.0/8'), undefined);
    assert.equal(found('192.0.2.6'), undefined);
    assert.equal(found('2001:db9::/32'), undefined);
  });

  it('is empty without members, even for everything', () => {
    const none = new PrefixSet([]);
    assert.equal(none.size, 0);
    assert.equal(none.overlapping(prefix('0.0.0.0/0')), undefined);
  });

  it('takes the whole of a family as a member', () => {
    const all = new PrefixSet([prefix('::/0')]);
    assert.ok(all.overlapping(prefix('2001:db8::1')) !== undefined);
    assert.equal(all.overlapping(prefix('192.0.2.1')), undefined);
  });

  it('answers as a search through all members does', () => {
    const short = fc
      .tuple(fc.constantFrom(4, 16), fc.array(fc.nat(3), { minLength: 2, maxLength: 2 }), fc.nat(16))
      .map(([size, head, length]) =>
        makePrefix(
          Uint8Array.from({ length: size }, (_, i) => (head[i] ?? 0) << 6),
          length,
        ),
      );
    fc.assert(
      fc.property(fc.array(short, { maxLength: 12 }), short, (members, asked) => {
        const answer = new PrefixSet(members).overlapping(asked);
        assert.equal(
          answer !== undefined,
          members.some((member) => overlaps(member, asked)),
        );
        assert.ok(answer === undefined || overlaps(answer, asked));
      }),
      { numRuns: 1000 },
    );
  });
});
