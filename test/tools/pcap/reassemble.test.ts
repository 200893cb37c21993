import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import fc from 'fast-check';
import { readCapture } from '../../../src/tools/pcap/capture.ts';
import { readStreams, reassembleTcp, type Streams } from '../../../src/tools/pcap/reassemble.ts';
import { packetsOf, segments, type SegmentText, textOf } from './frames.ts';

const load = (name: string): Uint8Array =>
  new Uint8Array(readFileSync(new URL(`captures/${name}`, import.meta.url)));

const lines = (from = 0, to = 6): string =>
  Array.from({ length: to - from }, (_, i) => `line ${from + i} of the client\n`).join('');
const answers = 'heard 21 octets\n'.repeat(6);

/** Streams of segments, with their octets as text. */
function texts(list: readonly SegmentText[]): string[] {
  return reassembleTcp(segments(list)).streams.map((s) => textOf(s.chunks));
}

function only(result: Streams): Streams['streams'][number] {
  const [stream] = result.streams;
  assert.ok(stream);
  assert.equal(result.streams.length, 1);
  return stream;
}

for (const [file, address, port] of [
  ['ethernet-ipv4.pcap', '127.0.0.1', 21790],
  ['ethernet-ipv4.pcapng', '127.0.0.1', 21790],
  ['ethernet-ipv6.pcap', '::1', 21792],
  ['sll-ipv4.pcap', '127.0.0.1', 21794],
  ['sll2-ipv6.pcap', '::1', 21796],
] as const) {
  test(`${file}: both directions, whole, with their ends`, () => {
    const { streams, problems } = readStreams(load(file));
    assert.deepEqual(problems, []);
    const client = { address, port: port + 1 };
    const server = { address, port };
    assert.deepEqual(
      streams.map((s) => [s.connection, s.src, s.dst, s.fromStart, s.end, s.gaps, textOf(s.chunks)]),
      [
        [1, client, server, true, 'fin', [], lines()],
        [1, server, client, true, 'fin', [], answers],
      ],
    );
  });
}

test('chunks keep the boundaries of the packets, their numbers and times', () => {
  const capture = readCapture(load('ethernet-ipv4.pcap'));
  const [client] = reassembleTcp(capture.packets).streams;
  assert.deepEqual(
    client?.chunks.map((c) => [c.packet, c.time, c.bytes.length]),
    [4, 8, 10, 12, 14, 16].map((number) => [number, capture.packets[number - 1]?.time, 21]),
  );
});

test('packets in any order after the handshake give the same octets', () => {
  const { packets } = readCapture(load('ethernet-ipv4.pcap'));
  const [syn, synAck, ...others] = packets;
  assert.ok(syn && synAck);
  fc.assert(
    fc.property(fc.shuffledSubarray(others, { minLength: others.length }), (shuffled) => {
      const { streams } = reassembleTcp([syn, synAck, ...shuffled]);
      assert.deepEqual(
        streams.map((s) => [textOf(s.chunks), s.gaps]),
        [
          [lines(), []],
          [answers, []],
        ],
      );
    }),
  );
});

test('a lost packet is a gap of its octets, and the stream goes on behind it', () => {
  const { streams, problems } = readStreams(load('packet-8-lost.pcap'));
  const [client] = streams;
  assert.deepEqual(problems, []);
  assert.deepEqual(client?.gaps, [{ beforeChunk: 1, octets: 21 }]);
  assert.equal(textOf(client?.chunks ?? []), lines(0, 1) + lines(2));
});

test('a snap length leaves gaps and names each cut packet', () => {
  const { streams, problems } = readStreams(load('snapped.pcap'));
  assert.deepEqual(
    streams[0]?.gaps,
    [1, 2, 3, 4, 5, 6].map((beforeChunk) => ({ beforeChunk, octets: 7 })),
  );
  assert.equal(problems.length, 12);
  assert.match(
    problems[0] ?? '',
    /^packet 4 at offset \d+: 7 octets of the segment were not captured \(snap length\)$/,
  );
});

test('retransmissions and overlaps add only what is new', () => {
  assert.deepEqual(
    texts([
      { seq: 99, flags: 'S' },
      { seq: 99, flags: 'S' },
      { seq: 100, text: 'abc' },
      { seq: 100, text: 'abc' },
      { seq: 101, text: 'bcdef' },
      { seq: 109, text: 'jkl' },
      { seq: 104, text: 'efghij' },
      { seq: 110, text: 'klm' },
    ]),
    ['abcdefghijklm'],
  );
});

test('sequence numbers wrap', () => {
  assert.deepEqual(
    texts([
      { seq: 0xfffffffd, flags: 'S' },
      { seq: 2, text: 'efg' },
      { seq: 0xfffffffe, text: 'abcd' },
      { seq: 0xffffffff, text: 'bcd' },
      { seq: 5, text: 'h' },
    ]),
    ['abcdefgh'],
  );
});

test('a SYN with data (RFC 7413) counts the SYN before the data', () => {
  assert.deepEqual(
    texts([
      { seq: 0xffffffff, flags: 'S', text: 'ab' },
      { seq: 2, text: 'cd' },
    ]),
    ['abcd'],
  );
});

test('the time of a segment that waited is that of the one it waited for', () => {
  const stream = only(
    reassembleTcp(
      segments([
        { seq: 9, flags: 'S' },
        { seq: 12, text: 'cd' },
        { seq: 10, text: 'ab' },
      ]),
    ),
  );
  assert.deepEqual(
    stream.chunks.map((c) => [c.packet, c.time]),
    [
      [3, 1002],
      [2, 1002],
    ],
  );
});

test('ports used again by a new connection give streams of their own, however often', () => {
  const { streams } = reassembleTcp(
    segments([
      { seq: 10, flags: 'S' },
      { from: 179, to: 1000, seq: 500, flags: 'SA' },
      { seq: 11, text: 'one' },
      { from: 179, to: 1000, seq: 501, text: 'ONE' },
      { seq: 14, flags: 'R' },
      { seq: 900_000, flags: 'S' },
      { from: 179, to: 1000, seq: 504, flags: 'A' },
      { from: 179, to: 1000, seq: 700_000, flags: 'SA' },
      { seq: 900_001, text: 'two' },
      { from: 179, to: 1000, seq: 700_001, text: 'TWO' },
    ]),
  );
  assert.deepEqual(
    streams.map((s) => [s.connection, s.src.port, textOf(s.chunks), s.end, s.gaps.length]),
    [
      [1, 1000, 'one', 'rst', 0],
      [1, 179, 'ONE', undefined, 0],
      [2, 1000, 'two', undefined, 0],
      [2, 179, 'TWO', undefined, 0],
    ],
  );
});

test('a capture that begins in the middle says so, and leaves out what is older than its first octet', () => {
  const result = reassembleTcp(
    segments([
      { seq: 50, flags: 'A' },
      { seq: 50, text: 'def' },
      { seq: 48, text: 'bcdef' },
      { seq: 53, text: 'ghi' },
    ]),
  );
  const stream = only(result);
  assert.equal(stream.fromStart, false);
  assert.equal(textOf(stream.chunks), 'defghi');
  assert.deepEqual(result.problems, [
    "packet 3 at offset 200: 2 octets from before the stream's first packet are skipped",
  ]);
});

test('a FIN that says more was sent than was captured leaves a gap at the end', () => {
  const stream = only(
    reassembleTcp(
      segments([
        { seq: 9, flags: 'S' },
        { seq: 10, text: 'ab' },
        { seq: 15, flags: 'FA' },
      ]),
    ),
  );
  assert.deepEqual(stream.gaps, [{ beforeChunk: 1, octets: 3 }]);
  assert.equal(stream.end, 'fin');
});

test('a segment outside of any window is left out and reported', () => {
  const result = reassembleTcp(
    segments([
      { seq: 9, flags: 'S' },
      { seq: 10, text: 'ab' },
      { seq: 0x80000000, text: 'x' },
      { seq: 12, text: 'cd' },
    ]),
  );
  assert.equal(textOf(only(result).chunks), 'abcd');
  assert.match(result.problems.join(), /^packet 3 at offset 200: sequence number 2147483648 is far outside/);
});

test('an unknown link type is reported once, a broken frame each time', () => {
  assert.deepEqual(reassembleTcp(packetsOf([[1], [2]], 147)).problems, [
    'packet 1 at offset 0: link type 147 is not supported',
  ]);
  assert.equal(reassembleTcp(packetsOf([[1], [2]], 1)).problems.length, 2);
});
