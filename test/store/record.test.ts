import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Fact } from '../../src/core/facts.ts';
import { decodeRecord, decodeRecords, encodeRecord } from '../../src/store/journal/record.ts';
import { fact } from './support.ts';

const decode = (line: string): ReturnType<typeof decodeRecord> => decodeRecord(Buffer.from(line));

test('a line ends in a line feed and has no other', () => {
  const line = encodeRecord(fact(1, 'a\nb\r\n'));
  assert.equal(line.indexOf('\n'), line.length - 1);
});

test('any text in a fact survives, and no text can look like the end of a line', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), fc.nat(), (text, seq) => {
      const record = fact(seq + 1, text);
      assert.deepEqual(decode(encodeRecord(record).slice(0, -1)), record);
    }),
  );
});

test('a line written by hand with the checksum that gzip and PNG use is read', () => {
  // python3: '%08x' % zlib.crc32(line.encode())
  const body = '{"v":1,"seq":5,"at":1700000000000,"fact":{"type":"mitigation.withdrawn","id":"x"}';
  assert.deepEqual(decode(`${body},"crc":"9d91fba2"}`), {
    seq: 5,
    at: 1_700_000_000_000,
    fact: { type: 'mitigation.withdrawn', id: 'x' } satisfies Fact,
  });
});

test('an invalid record is described', () => {
  for (const [line, words] of [
    ['', /not a journal record/],
    ['{}', /not a journal record/],
    ['x'.repeat(100), /not a journal record/],
    ['{"v":1},"crc":"00000000"}', /checksum mismatch: recorded "00000000", computed [0-9a-f]{8}/],
    [encodeRecord(fact(1)).slice(0, -1).toUpperCase(), /not a journal record/],
    [encodeRecord(fact(1)), /not a journal record/],
  ] as const) {
    const result = decode(line);
    assert.equal(typeof result, 'string', line);
    assert.match(String(result), words);
  }
});

test('numbers that JSON cannot hold are refused before anything is written', () => {
  for (const record of [
    fact(0),
    fact(1.5),
    { ...fact(1), at: Number.NaN },
    { ...fact(1), at: Number.POSITIVE_INFINITY },
  ]) {
    assert.throws(() => encodeRecord(record), RangeError);
  }
});

test('a block of lines gives the same as its lines one by one, and names the first bad one', () => {
  const lines = Array.from({ length: 20 }, (_, i) => encodeRecord(fact(i + 1, 'é,\n"')));
  assert.deepEqual(
    decodeRecords(Buffer.from(lines.join(''))),
    lines.map((line) => decode(line.slice(0, -1))),
  );
  assert.deepEqual(decodeRecords(Buffer.alloc(0)), []);
  fc.assert(
    fc.property(fc.nat(lines.join('').length - 1), fc.integer({ min: 1, max: 255 }), (at, change) => {
      const block = Buffer.from(lines.join(''));
      block[at] = (block[at] ?? 0) ^ change;
      // A wrong line feed splits one line into two bad ones; the reader handles an unterminated last one.
      if (block.at(-1) !== 0x0a) return;
      const found = decodeRecords(block);
      assert.ok('detail' in found, `octet ${at}`);
      const before = Buffer.from(lines.join(''))
        .subarray(0, at)
        .filter((octet) => octet === 0x0a).length;
      assert.equal(found.line, before);
    }),
  );
});
