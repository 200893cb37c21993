import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { PrefixTrie } from '../../src/net/prefix-trie.ts';
import {
  covers,
  formatPrefix,
  hostPrefix,
  makePrefix,
  overlaps,
  type Prefix,
  samePrefix,
} from '../../src/net/prefix.ts';
import { prefix } from './scenario.ts';

function trieOf(...texts: string[]): PrefixTrie<string> {
  const trie = new PrefixTrie<string>();
  for (const text of texts) trie.set(prefix(text), text);
  return trie;
}

/** Different prefixes in no order. */
function textsOf(list: Iterable<Prefix>): readonly string[] {
  return [...new Set([...list].map(formatPrefix))].sort();
}

/** Prefixes that share many bits, so that they nest and diverge at every length. */
const prefixes = fc
  .constantFrom(4, 16)
  .chain((octets) =>
    fc
      .tuple(fc.uint8Array({ minLength: octets, maxLength: octets, max: 3 }), fc.nat(octets * 8))
      .map(([address, length]) => makePrefix(address, length)),
  );

describe('a prefix trie', () => {
  test('finds the longest prefix of an address', () => {
    const trie = trieOf('0.0.0.0/0', '10.0.0.0/8', '10.1.0.0/16', '10.1.2.3/32', '2001:db8::/32');
    const find = (text: string) => trie.longestMatch(prefix(text).address);
    assert.equal(find('10.1.2.3'), '10.1.2.3/32');
    assert.equal(find('10.1.2.4'), '10.1.0.0/16');
    assert.equal(find('10.2.0.0'), '10.0.0.0/8');
    assert.equal(find('11.0.0.0'), '0.0.0.0/0');
    assert.equal(find('2001:db8::1'), '2001:db8::/32');
    assert.equal(find('2001:db9::1'), undefined);
  });

  test('replaces the value of a prefix and gives back the one before', () => {
    const trie = trieOf('10.0.0.0/8');
    assert.equal(trie.set(prefix('10.0.0.0/8'), 'new'), '10.0.0.0/8');
    assert.equal(trie.set(prefix('10.0.0.0/9'), 'other'), undefined);
    assert.equal(trie.longestMatch(prefix('10.200.0.0').address), 'new');
  });

  test('agrees with going through a list, whatever the prefixes', () => {
    fc.assert(
      fc.property(
        fc.array(prefixes, { maxLength: 40 }),
        fc.array(prefixes, { maxLength: 20 }),
        (stored, asked) => {
          const trie = new PrefixTrie<Prefix>();
          for (const entry of stored) trie.set(entry, entry);
          for (const question of [...asked, ...stored]) {
            const covering = stored.filter((entry) => covers(entry, hostPrefix(question.address)));
            const longest = Math.max(-1, ...covering.map(({ length }) => length));
            assert.equal(trie.longestMatch(question.address)?.length ?? -1, longest);
            const above = stored.filter((entry) => covers(entry, question) && !samePrefix(entry, question));
            const parent = Math.max(-1, ...above.map(({ length }) => length));
            assert.equal(trie.parentOf(question)?.length ?? -1, parent);
            assert.deepEqual(
              trie.covering(question).map(({ length }) => length),
              [
                ...new Set(stored.filter((entry) => covers(entry, question)).map(({ length }) => length)),
              ].sort((a, b) => b - a),
            );
            const inside = stored.filter((entry) => covers(question, entry));
            assert.deepEqual(textsOf(trie.within(question)), textsOf(inside));
            const same = stored.some((entry) => samePrefix(entry, question));
            assert.equal(trie.get(question) !== undefined, same);
            const meets = stored.some((entry) => overlaps(entry, question));
            const found = trie.anyOverlapping(question);
            assert.equal(found !== undefined, meets);
            assert.ok(found === undefined || overlaps(found, question));
          }
          assert.deepEqual(textsOf(trie.values()), textsOf(stored));
        },
      ),
      { numRuns: 300 },
    );
  });
});
