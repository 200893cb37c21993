import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { ByteReader, ByteWriter, concatBytes, fromHex, sameBytes, toHex } from '../../src/net/bytes.ts';

describe('ByteReader', () => {
  const bytes = Uint8Array.of(
    0x01,
    0xff,
    0xfe,
    0x80,
    0x00,
    0x00,
    0x01,
    0x02,
    0x03,
    0x04,
    0x05,
    0x06,
    0x07,
    0x08,
    0x09,
  );

  it('reads in network byte order, unsigned', () => {
    const reader = new ByteReader(bytes);
    assert.equal(reader.u8(), 0x01);
    assert.equal(reader.u16(), 0xfffe);
    assert.equal(reader.u32(), 0x80000001, 'the sign bit is no sign');
    assert.equal(reader.u64(), 0x0203040506070809n);
    assert.equal(reader.remaining, 0);
    assert.equal(reader.offset, 15);
  });

  it('refuses a read past the end and stays where it was', () => {
    const reader = new ByteReader(bytes, undefined, 0, 3);
    reader.u16();
    for (const read of [() => reader.u16(), () => reader.u32(), () => reader.u64(), () => reader.view(2)]) {
      assert.throws(read, RangeError);
    }
    assert.equal(reader.u8(), 0xfe);
    assert.throws(() => reader.u8(), RangeError);
  });

  it("throws its owner's error, with the octets wanted, the octets left and the offset", () => {
    class Truncated extends Error {}
    const reader = new ByteReader(
      bytes,
      (wanted, left, offset) => new Truncated(`${wanted}/${left}/${offset}`),
      2,
      5,
    );
    reader.u16();
    assert.throws(() => reader.u32(), new Truncated('4/1/2'));
  });

  it('sees its window only, and reports offsets from the start of the window', () => {
    const reader = new ByteReader(bytes, undefined, 3, 5);
    assert.equal(reader.remaining, 2);
    assert.equal(reader.offset, 0);
    assert.equal(reader.u16(), 0x8000);
    assert.equal(reader.remaining, 0);
    assert.deepEqual(reader.rest(), new Uint8Array(0));
  });

  it('refuses a window outside its octets', () => {
    assert.throws(() => new ByteReader(bytes, undefined, -1), RangeError);
    assert.throws(() => new ByteReader(bytes, undefined, 0, 16), RangeError);
    assert.throws(() => new ByteReader(bytes, undefined, 4, 3), RangeError);
  });

  it('gives views of the same memory and separate copies', () => {
    const own = bytes.slice();
    const reader = new ByteReader(own);
    const view = reader.view(2);
    const copy = new ByteReader(own).copy(2);
    own[0] = 9;
    assert.equal(view[0], 9);
    assert.equal(copy[0], 1);
  });

  it('copies octets of a subclass of Uint8Array into memory that later writes do not reach', () => {
    // `Buffer.slice` returns a view, `Uint8Array.slice` a copy.
    const shared = Buffer.from([1, 2, 3]);
    const copy = new ByteReader(shared).copy(3);
    shared[0] = 9;
    assert.equal(copy[0], 1);
  });

  it('hands a part to another reader, which cannot leave it', () => {
    const reader = new ByteReader(bytes);
    const part = reader.sub(2);
    assert.equal(reader.offset, 2);
    assert.equal(part.u16(), 0x01ff);
    assert.throws(() => part.u8(), RangeError);
    assert.equal(reader.u8(), 0xfe);
    assert.throws(() => reader.sub(13), RangeError);
  });

  it('refuses a negative or fractional count rather than stepping back', () => {
    const reader = new ByteReader(bytes);
    reader.u32();
    for (const count of [-1, 0.5, Number.NaN]) {
      assert.throws(() => reader.view(count), RangeError, `view(${count})`);
      assert.throws(() => reader.sub(count), RangeError, `sub(${count})`);
    }
    assert.equal(reader.offset, 4);
  });
});

describe('ByteWriter', () => {
  it('writes in network byte order', () => {
    const written = new ByteWriter().u8(1).u16(0xfffe).u32(0x80000001).u64(0x0203040506070809n).finish();
    assert.equal(toHex(written), '01fffe800000010203040506070809');
  });

  it('grows from any first guess', () => {
    const writer = new ByteWriter(0);
    for (let i = 0; i < 1000; i++) writer.u8(i & 0xff);
    writer.bytes(new Uint8Array(5000).fill(7));
    assert.equal(writer.length, 6000);
    const all = writer.finish();
    assert.equal(all[999], 999 & 0xff);
    assert.equal(all[5999], 7);
  });

  it('refuses what does not fit its width', () => {
    const writer = new ByteWriter();
    for (const value of [-1, 256, 1.5, Number.NaN]) assert.throws(() => writer.u8(value), RangeError);
    for (const value of [-1, 0x10000]) assert.throws(() => writer.u16(value), RangeError);
    for (const value of [-1, 0x100000000]) assert.throws(() => writer.u32(value), RangeError);
    for (const value of [-1n, 1n << 64n]) assert.throws(() => writer.u64(value), RangeError);
    assert.equal(writer.length, 0);
  });

  it('overwrites a length that was left open, and only within what was written', () => {
    const writer = new ByteWriter().u16(0).u8(5);
    assert.equal(toHex(writer.patchU16(0, 0x0102).finish()), '010205');
    assert.throws(() => writer.patchU16(2, 1), RangeError);
    assert.throws(() => writer.patchU16(-1, 1), RangeError);
    assert.throws(() => writer.patchU16(0, 0x10000), RangeError);
  });

  it('finishes with a copy', () => {
    const writer = new ByteWriter().u8(1);
    const first = writer.finish();
    writer.u8(2).patchU16(0, 0x0909);
    assert.deepEqual(first, Uint8Array.of(1));
  });

  it('writes what a reader reads', () => {
    fc.assert(
      fc.property(
        fc.nat(0xff),
        fc.nat(0xffff),
        fc.nat(0xffffffff),
        fc.bigInt(0n, (1n << 64n) - 1n),
        fc.uint8Array(),
        (a, b, c, d, e) => {
          const reader = new ByteReader(new ByteWriter(1).u8(a).u16(b).u32(c).u64(d).bytes(e).finish());
          assert.deepEqual([reader.u8(), reader.u16(), reader.u32(), reader.u64()], [a, b, c, d]);
          assert.deepEqual(reader.rest(), e);
        },
      ),
    );
  });
});

describe('hexadecimal', () => {
  it('is lower case, two digits an octet', () => {
    assert.equal(toHex(Uint8Array.of(0, 0x0f, 0xff)), '000fff');
    assert.equal(toHex(new Uint8Array(0)), '');
  });

  it('is read in either case and refused when it is not hexadecimal', () => {
    assert.deepEqual(fromHex('00Ff'), Uint8Array.of(0, 255));
    assert.deepEqual(fromHex(''), new Uint8Array(0));
    for (const text of ['0', '0g', '0x00', ' 00', '00\n', '-100'])
      assert.equal(fromHex(text), undefined, text);
  });

  it('goes there and back', () => {
    fc.assert(fc.property(fc.uint8Array(), (bytes) => assert.deepEqual(fromHex(toHex(bytes)), bytes)));
  });
});

describe('octet arrays', () => {
  it('are the same when length and octets are', () => {
    assert.equal(sameBytes(Uint8Array.of(1, 2), Uint8Array.of(1, 2)), true);
    assert.equal(sameBytes(Uint8Array.of(1, 2), Uint8Array.of(1, 3)), false);
    assert.equal(sameBytes(Uint8Array.of(1), Uint8Array.of(1, 2)), false);
    assert.equal(sameBytes(new Uint8Array(0), new Uint8Array(0)), true);
  });

  it('are joined in order', () => {
    assert.deepEqual(
      concatBytes([Uint8Array.of(1), new Uint8Array(0), Uint8Array.of(2, 3)]),
      Uint8Array.of(1, 2, 3),
    );
    assert.deepEqual(concatBytes([]), new Uint8Array(0));
  });
});
