import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  asPathLength,
  decodeAsPath,
  mergeAs4Path,
  withoutConfederations,
  writeAsPath,
} from '../../../src/bgp/wire/as-path.ts';
import type { AsPathSegment } from '../../../src/bgp/wire/types.ts';
import { ByteWriter, toHex } from '../../../src/net/bytes.ts';
import { octets } from './support.ts';

const sequence = (...asns: number[]): AsPathSegment => ({ kind: 'sequence', asns });
const set = (...asns: number[]): AsPathSegment => ({ kind: 'set', asns });
const confedSequence = (...asns: number[]): AsPathSegment => ({ kind: 'confed-sequence', asns });
const confedSet = (...asns: number[]): AsPathSegment => ({ kind: 'confed-set', asns });

function written(path: readonly AsPathSegment[], width: 2 | 4): string {
  const writer = new ByteWriter();
  writeAsPath(writer, path, width);
  assert.equal(writer.length, asPathLength(path, width));
  return toHex(writer.finish());
}

describe('AS_PATH', () => {
  const BOTH_WAYS: readonly (readonly [width: 2 | 4, hex: string, path: readonly AsPathSegment[]])[] = [
    [4, '', []],
    [2, '02 01 fdf2', [sequence(65010)]],
    [4, '02 02 0000fdf2 fa56ea00', [sequence(65010, 4200000000)]],
    [4, '02 01 0000fdf2 01 02 00000001 00000002', [sequence(65010), set(1, 2)]],
    // RFC 5065 §3
    [2, '03 01 fde9 04 01 fdea 02 01 0001', [confedSequence(65001), confedSet(65002), sequence(1)]],
  ];
  for (const [width, hex, path] of BOTH_WAYS) {
    it(`${hex || 'nothing'} with ${width} octets an AS number, in both directions`, () => {
      assert.deepEqual(decodeAsPath(octets(hex), width), path);
      assert.equal(written(path, width), toHex(octets(hex)));
    });
  }

  it('holds AS_TRANS where an AS number needs four octets and there are two (RFC 6793 §4.2.2)', () => {
    assert.equal(written([sequence(65535, 65536)], 2), '0202ffff5ba0');
  });

  /** RFC 7606 §7.2; AS number 0: RFC 7607 §2. */
  for (const [what, width, hex] of [
    ['an unknown segment type', 2, '05 01 fdf2'],
    ['segment type 0', 2, '00 01 fdf2'],
    ['a segment that overruns', 2, '02 02 fdf2'],
    ['a 2-octet path read with 4', 4, '02 01 fdf2'],
    ['a single octet left', 2, '02 01 fdf2 02'],
    ['a segment has no AS numbers', 2, '02 00'],
    ['AS number 0', 2, '02 02 fdf2 0000'],
    ['AS number 0 in four octets', 4, '02 01 00000000'],
  ] as const) {
    it(`with ${what} is malformed`, () => {
      assert.equal(typeof decodeAsPath(octets(hex), width), 'string');
    });
  }

  it('is not written with AS number 0, an empty segment or one of more than 255', () => {
    for (const path of [sequence(0), sequence(), sequence(...Array<number>(256).fill(1))]) {
      assert.throws(() => written([path], 4), RangeError);
    }
    assert.equal(written([sequence(...Array<number>(255).fill(1))], 2).length, 2 * (2 + 510));
  });
});

describe('AS_PATH and AS4_PATH together (RFC 6793 §4.2.3)', () => {
  const T = 23456;
  const CASES: readonly (readonly [
    what: string,
    asPath: readonly AsPathSegment[],
    as4Path: readonly AsPathSegment[],
    merged: readonly AsPathSegment[],
  ])[] = [
    ['equally long: AS4_PATH it is', [sequence(T, 2)], [sequence(70000, 2)], [sequence(70000, 2)]],
    [
      'what 2-octet speakers put in front is kept',
      [sequence(9, 8, T, 2)],
      [sequence(70000, 2)],
      [sequence(9, 8, 70000, 2)],
    ],
    ['AS4_PATH that is longer is ignored', [sequence(T)], [sequence(70000, 2)], [sequence(T)]],
    ['a set counts for one', [sequence(9), set(1, T)], [set(1, 70000)], [sequence(9), set(1, 70000)]],
    [
      'a set in front is kept whole',
      [set(7, 8), sequence(T)],
      [sequence(70000)],
      [set(7, 8), sequence(70000)],
    ],
    [
      'a leading confederation is kept, and counts for none',
      [confedSequence(65001), sequence(T)],
      [sequence(70000)],
      [confedSequence(65001), sequence(70000)],
    ],
    [
      'a confederation next to a segment that is kept is kept',
      [sequence(9), confedSet(65001), sequence(T)],
      [sequence(70000)],
      [sequence(9), confedSet(65001), sequence(70000)],
    ],
    [
      'a confederation behind a segment of which a part is kept is not',
      [sequence(9, T), confedSet(65001), sequence(5)],
      [sequence(70000, 5)],
      [sequence(9, 70000, 5)],
    ],
    ['an empty AS4_PATH says nothing', [sequence(9, T)], [], [sequence(9, T)]],
  ];
  for (const [what, asPath, as4Path, merged] of CASES) {
    it(what, () => {
      assert.deepEqual(mergeAs4Path(asPath, as4Path), merged);
    });
  }

  it('do not make a segment of more than 255', () => {
    const many = Array<number>(255).fill(70000);
    assert.deepEqual(
      mergeAs4Path([sequence(9), sequence(...Array<number>(255).fill(T))], [sequence(...many)]),
      [sequence(9), sequence(...many)],
    );
  });

  it('AS4_PATH has no confederations (RFC 6793 §3)', () => {
    assert.deepEqual(withoutConfederations([confedSet(1), sequence(2), confedSequence(3)]), [sequence(2)]);
  });
});
