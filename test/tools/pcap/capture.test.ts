import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import fc from 'fast-check';
import { readCapture } from '../../../src/tools/pcap/capture.ts';
import { readStreams } from '../../../src/tools/pcap/reassemble.ts';

const load = (name: string): Uint8Array =>
  new Uint8Array(readFileSync(new URL(`captures/${name}`, import.meta.url)));

/** The same classic capture in the other byte order. */
function swapped(file: Uint8Array): Uint8Array {
  const out = file.slice();
  const swap = (at: number, count: number): void => {
    out.subarray(at, at + count).reverse();
  };
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  for (const [at, count] of [
    [0, 4],
    [4, 2],
    [6, 2],
    [8, 4],
    [12, 4],
    [16, 4],
    [20, 4],
  ] as const)
    swap(at, count);
  for (let at = 24; at < file.length; at += 16 + view.getUint32(at + 8, true)) {
    for (const field of [0, 4, 8, 12]) swap(at + field, 4);
  }
  return out;
}

/** A pcapng block, either byte order, with its length at both ends. */
function block(
  littleEndian: boolean,
  type: number,
  body: readonly (readonly [width: 1 | 2 | 4, value: number])[],
): number[] {
  const octets: number[] = [];
  const put = (width: number, value: number): void => {
    for (let i = 0; i < width; i++) octets.push((value >>> (8 * (littleEndian ? i : width - 1 - i))) & 0xff);
  };
  let length = 12;
  for (const [width] of body) length += width;
  put(4, type);
  put(4, length);
  for (const [width, value] of body) put(width, value);
  put(4, length);
  return octets;
}

const section = (littleEndian: boolean): number[] =>
  block(littleEndian, 0x0a0d0d0a, [
    [4, 0x1a2b3c4d],
    [2, 1],
    [2, 0],
    [4, 0xffffffff],
    [4, 0xffffffff],
  ]);

test('a little-endian pcap of tcpdump: every packet, its time to the microsecond and its link type', () => {
  const { packets, problems } = readCapture(load('ethernet-ipv4.pcap'));
  assert.deepEqual(problems, []);
  assert.equal(packets.length, 20);
  const [first, , , fourth] = packets;
  // Values as tshark 4.0 prints them for this file.
  assert.equal(first?.time?.toFixed(3), '1795393939223.738');
  assert.equal(fourth?.time?.toFixed(3), '1795393939224.016');
  assert.equal(first?.linkType, 1);
  assert.equal(first?.number, 1);
  assert.equal(first?.offset, 40);
  assert.equal(first?.data.length, 74);
  assert.equal(first?.originalLength, 74);
});

test('the same capture in big-endian order reads the same', () => {
  const file = load('ethernet-ipv4.pcap');
  assert.deepEqual(readCapture(swapped(file)), readCapture(file));
});

test('nanosecond captures keep their fraction, in pcap and pcapng', () => {
  const pcap = readCapture(load('nanoseconds.pcap'));
  const pcapng = readCapture(load('nanoseconds.pcapng'));
  assert.equal(pcap.packets[0]?.time?.toFixed(3), '1795393949663.121');
  assert.deepEqual(
    pcapng.packets.map((p) => p.time?.toFixed(3)),
    pcap.packets.map((p) => p.time?.toFixed(3)),
  );
});

test('pcapng from editcap holds the packets of the pcap it was made of', () => {
  const pcap = readCapture(load('ethernet-ipv4.pcap'));
  const pcapng = readCapture(load('ethernet-ipv4.pcapng'));
  assert.deepEqual(pcapng.problems, []);
  assert.deepEqual(
    pcapng.packets.map((p) => [p.time, p.linkType, p.originalLength, p.data]),
    pcap.packets.map((p) => [p.time, p.linkType, p.originalLength, p.data]),
  );
});

for (const littleEndian of [true, false]) {
  test(`pcapng blocks in ${littleEndian ? 'little' : 'big'}-endian order: interfaces, time units, simple packets`, () => {
    const file = Uint8Array.from([
      ...section(littleEndian),
      // Ethernet, microseconds by default, snap length 4.
      ...block(littleEndian, 1, [
        [2, 1],
        [2, 0],
        [4, 4],
      ]),
      // Raw IP, milliseconds (if_tsresol 3), 10 s later (if_tsoffset).
      ...block(littleEndian, 1, [
        [2, 101],
        [2, 0],
        [4, 0],
        [2, 9],
        [2, 1],
        [1, 3],
        [1, 0],
        [2, 0],
        [2, 14],
        [2, 8],
        [4, littleEndian ? 10 : 0],
        [4, littleEndian ? 0 : 10],
        [2, 0],
        [2, 0],
      ]),
      // An unknown block is passed over.
      ...block(littleEndian, 0x0bad, [[4, 1]]),
      // Enhanced packet on interface 1 at 5,000 ms.
      ...block(littleEndian, 6, [
        [4, 1],
        [4, 0],
        [4, 5000],
        [4, 2],
        [4, 2],
        [1, 0xaa],
        [1, 0xbb],
        [2, 0],
      ]),
      // Obsolete packet block on interface 0 at 2^32 microseconds.
      ...block(littleEndian, 2, [
        [2, 0],
        [2, 0],
        [4, 1],
        [4, 0],
        [4, 1],
        [4, 9],
        [1, 0xcc],
        [1, 0],
        [2, 0],
      ]),
      // Simple packet: 9 octets on the wire, cut to the snap length of interface 0.
      ...block(littleEndian, 3, [
        [4, 9],
        [1, 1],
        [1, 2],
        [1, 3],
        [1, 4],
      ]),
    ]);
    const { packets, problems } = readCapture(file);
    assert.deepEqual(problems, []);
    assert.deepEqual(
      packets.map((p) => [p.number, p.time, p.linkType, p.originalLength, [...p.data]]),
      [
        [1, 15_000, 101, 2, [0xaa, 0xbb]],
        [2, 4_294_967.296, 1, 9, [0xcc]],
        [3, undefined, 1, 9, [1, 2, 3, 4]],
      ],
    );
  });
}

test('a pcapng time beyond every calendar is none, and the packet is kept', () => {
  const interfaceBlock = [
    [2, 1],
    [2, 0],
    [4, 0],
  ] as const;
  const at = (high: number, low: number) =>
    block(true, 6, [
      [4, 0],
      [4, high],
      [4, low],
      [4, 0],
      [4, 0],
    ]);
  const { packets, problems } = readCapture(
    Uint8Array.from([
      ...section(true),
      ...block(true, 1, interfaceBlock),
      ...at(0xffffffff, 0xffffffff),
      // 8.64e18 microseconds are the last moment of ECMA-262 §21.4.1.1.
      ...at(0x77e77239, 0x2b600000),
      ...at(0x77e77239, 0x2b6003e8),
    ]),
  );
  assert.deepEqual(problems, []);
  assert.deepEqual(
    packets.map((packet) => packet.time),
    [undefined, 8.64e15, undefined],
  );
});

test('a new section forgets the interfaces of the one before and may change the byte order', () => {
  const packet = [
    [4, 0],
    [4, 0],
    [4, 0],
    [4, 0],
    [4, 0],
  ] as const;
  const { packets, problems } = readCapture(
    Uint8Array.from([
      ...section(true),
      ...block(true, 1, [
        [2, 1],
        [2, 0],
        [4, 0],
      ]),
      ...block(true, 6, packet),
      ...section(false),
      ...block(false, 6, packet),
      ...block(false, 1, [
        [2, 113],
        [2, 0],
        [4, 0],
      ]),
      ...block(false, 6, packet),
    ]),
  );
  assert.deepEqual(
    packets.map((p) => p.linkType),
    [1, 113],
  );
  assert.equal(problems.length, 1);
  assert.match(
    problems[0] ?? '',
    /offset 108, after packet 1: packet 2 names interface 0, which was not described/,
  );
});

test('a file that ends within a packet gives the packets before it and says where it ends', () => {
  const file = load('ethernet-ipv4.pcap');
  const torn = readCapture(file.subarray(0, file.length - 10));
  assert.equal(torn.packets.length, 19);
  assert.match(
    torn.problems.join(),
    /packet 20 at offset 1836: its record is 66 bytes long, but only 56 bytes follow/,
  );
  const header = readCapture(file.subarray(0, file.length - 70));
  assert.equal(header.packets.length, 19);
  assert.match(header.problems.join(), /packet 20 at offset 1820: the file ends within its record header/);
  const ng = load('ethernet-ipv4.pcapng');
  const tornNg = readCapture(ng.subarray(0, ng.length - 10));
  assert.equal(tornNg.packets.length, 19);
  assert.match(tornNg.problems.join(), /block at offset \d+, after packet 19: it is 100 bytes long/);
});

test('a file of another kind is named as such', () => {
  assert.deepEqual(readCapture(new Uint8Array()), {
    packets: [],
    problems: ['the file has 0 bytes, too few for a capture'],
  });
  const elf = new Uint8Array(64);
  elf.set([0x7f, 0x45, 0x4c, 0x46]);
  assert.match(readCapture(elf).problems.join(), /not a pcap or pcapng file \(it begins with 7f454c46\)/);
});

test('damage anywhere never throws, and never yields more than the file has', () => {
  const files = ['ethernet-ipv4.pcap', 'nanoseconds.pcapng', 'sll2-ipv6.pcap'].map(load);
  fc.assert(
    fc.property(
      fc.constantFrom(...files),
      fc.array(fc.tuple(fc.nat(3000), fc.nat(255)), { minLength: 1, maxLength: 8 }),
      fc.nat(3000),
      (file, changes, cut) => {
        const damaged = file.slice(0, Math.max(0, file.length - (cut > 2000 ? 0 : cut)));
        for (const [at, value] of changes) if (at < damaged.length) damaged[at] = value;
        const { packets } = readCapture(damaged);
        const octets = packets.reduce((sum, p) => sum + p.data.length, 0);
        assert.ok(octets <= damaged.length);
        const { streams } = readStreams(damaged);
        const carried = streams.reduce((sum, s) => sum + s.chunks.reduce((n, c) => n + c.bytes.length, 0), 0);
        assert.ok(carried <= damaged.length);
      },
    ),
    { numRuns: 500 },
  );
});

/** A pcapng file of one packet at 5,000 ms on an interface with these options, if_tsresol (milliseconds) behind them. */
function withOptions(littleEndian: boolean, options: readonly (readonly [1 | 2 | 4, number])[]): Uint8Array {
  return Uint8Array.from([
    ...section(littleEndian),
    ...block(littleEndian, 1, [
      [2, 101],
      [2, 0],
      [4, 0],
      ...options,
      [2, 9],
      [2, 1],
      [1, 3],
      [1, 0],
      [2, 0],
      [2, 0],
      [2, 0],
    ]),
    ...block(littleEndian, 6, [
      [4, 0],
      [4, 0],
      [4, 5000],
      [4, 2],
      [4, 2],
      [1, 0xaa],
      [1, 0xbb],
      [2, 0],
    ]),
  ]);
}

for (const littleEndian of [true, false]) {
  const order = littleEndian ? 'little' : 'big';
  test(`a damaged pcapng option costs that option, not the file (${order}-endian)`, () => {
    // if_name of four octets whose length says 65,535.
    const { packets, problems } = readCapture(
      withOptions(littleEndian, [
        [2, 2],
        [2, 0xffff],
        [4, 0x6c6f3000],
      ]),
    );
    assert.deepEqual(
      packets.map(({ time, linkType, data }) => [time, linkType, [...data]]),
      [[5000, 101, [0xaa, 0xbb]]],
    );
    assert.equal(problems.length, 1);
    assert.match(problems[0] ?? '', /option 2 of an interface description is 65535 bytes long/);
  });
}

test('an interface description that is cut off keeps its number, and costs the packets that name it', () => {
  const packet = (id: number) =>
    block(true, 6, [
      [4, id],
      [4, 0],
      [4, 1],
      [4, 0],
      [4, 0],
    ]);
  const { packets, problems } = readCapture(
    Uint8Array.from([
      ...section(true),
      ...block(true, 1, [[4, 1]]),
      ...block(true, 1, [
        [2, 101],
        [2, 0],
        [4, 0],
      ]),
      ...packet(0),
      ...packet(1),
    ]),
  );
  assert.deepEqual(
    packets.map(({ linkType }) => linkType),
    [101],
  );
  assert.match(problems.join(), /an interface description is too short/);
  assert.match(problems.join(), /names interface 0, whose description is damaged/);
});

test('a pcapng block whose lengths differ costs itself where another block follows', () => {
  const file = Uint8Array.from([
    ...withOptions(true, []),
    ...block(true, 0x0bad, [[4, 1]]),
    ...withOptions(true, []),
  ]);
  const damaged = file.slice();
  // The second length of the unknown block, which lies in front of the second section.
  const end = withOptions(true, []).length + 16;
  damaged[end - 4] = 99;
  const { packets, problems } = readCapture(damaged);
  assert.equal(packets.length, 2);
  assert.match(problems.join(), /its two length fields differ/);
});

test('the modified pcap format has eight octets more in each record', () => {
  const file = load('ethernet-ipv4.pcap');
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const octets: number[] = [...file.subarray(0, 24)];
  for (let at = 24; at < file.length; ) {
    const end = at + 16 + view.getUint32(at + 8, true);
    octets.push(
      ...file.subarray(at, at + 16),
      ...new Array<number>(8).fill(0),
      ...file.subarray(at + 16, end),
    );
    at = end;
  }
  octets.splice(0, 4, 0x34, 0xcd, 0xb2, 0xa1);
  const contents = (one: Uint8Array): unknown[] =>
    readCapture(one).packets.map(({ time, data }) => [time, data]);
  assert.deepEqual(contents(Uint8Array.from(octets)), contents(file));
});

test('a compressed capture is named with the program that unpacks it', () => {
  const file = Uint8Array.from([0x1f, 0x8b, 8, ...new Array<number>(40).fill(0)]);
  assert.match(readCapture(file).problems.join(), /gunzip/);
});
