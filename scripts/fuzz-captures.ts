/**
 * Captures, mutated: as files, as frames of every link type, and as streams of BGP. Whatever arrives, `prefixd pcap` reads it to
 * the end, and each of its lines can be written and keeps the rules of docs/captures.md.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { concatBytes } from '../src/net/bytes.ts';
import { readConversation } from '../src/tools/conversation/conversation.ts';
import { messageJson } from '../src/tools/conversation/message-json.ts';
import { type Packet, readCapture } from '../src/tools/pcap/capture.ts';
import { Fragments } from '../src/tools/pcap/ip.ts';
import { readStreams, reassembleTcp, type TcpStream } from '../src/tools/pcap/reassemble.ts';
import { decodeFrame } from '../src/tools/pcap/segment.ts';
import { captureMessages, type FuzzTarget } from './fuzzing.ts';

const FOLDER = join(import.meta.dirname, '..', 'fixtures', 'captures');

/** Larger files are mutated where it hardly matters, and take their time. */
const LARGEST = 2_000;

function captureFiles(): readonly Uint8Array[] {
  return readdirSync(FOLDER)
    .filter((name) => /\.pcap(ng)?$/.test(name))
    .sort()
    .map((name) => new Uint8Array(readFileSync(join(FOLDER, name))));
}

/** The same packets as pcapng (draft-ietf-opsawg-pcapng): a section, an interface with options, a block each. */
function asPcapng(packets: readonly Packet[]): Uint8Array {
  const block = (type: number, body: Uint8Array): Uint8Array => {
    const padded = Math.ceil(body.length / 4) * 4;
    const octets = new Uint8Array(12 + padded);
    const view = new DataView(octets.buffer);
    view.setUint32(0, type, true);
    view.setUint32(4, octets.length, true);
    octets.set(body, 8);
    view.setUint32(octets.length - 4, octets.length, true);
    return octets;
  };
  const words = (...values: readonly number[]): Uint8Array => {
    const view = new DataView(new ArrayBuffer(values.length * 4));
    for (const [i, value] of values.entries()) view.setUint32(i * 4, value, true);
    return new Uint8Array(view.buffer);
  };
  const linkType = packets[0]?.linkType ?? 1;
  return concatBytes([
    block(0x0a0d0d0a, words(0x1a2b3c4d, 1, 0xffffffff, 0xffffffff)),
    // if_tsresol 6, if_name "lo", end of options.
    block(1, words(linkType, 0, 0x00010009, 6, 0x00020002, 0x00006f6c, 0)),
    ...packets.map(({ data }) => block(6, concatBytes([words(0, 0, 0, data.length, data.length), data]))),
  ]);
}

function fileSeeds(): readonly Uint8Array[] {
  const small = captureFiles().filter(({ length }) => length <= LARGEST);
  return [...small, ...small.map((file) => asPcapng(readCapture(file).packets))];
}

/** Reads streams and writes every line, as the command does. */
function readAll(streams: readonly TcpStream[]): void {
  const { messages } = readConversation(streams);
  for (const message of messages) {
    const line = messageJson(message);
    JSON.stringify(line);
    if ('error' in line !== 'notification' in line)
      throw new Error('an error without its NOTIFICATION, or the reverse');
    if (line.treatment === 'attribute-discard' && 'error' in line)
      throw new Error('a discarded attribute is an error');
  }
}

function runFile(input: Uint8Array): void {
  const { streams, packets, passedOver } = readStreams(input);
  const passed = passedOver.reduce((sum, one) => sum + one.packets, 0);
  if (passed > packets) throw new Error(`${passed} of ${packets} packets were passed over`);
  readAll(streams);
}

/** Link types with a reader of their own, by what they are tried with. */
const LINK_TYPES: readonly number[] = [
  0, 1, 9, 50, 51, 100, 101, 104, 107, 108, 109, 113, 117, 130, 131, 133, 134, 135, 136, 137, 164, 166, 167,
  168, 178, 179, 180, 181, 183, 192, 200, 204, 219, 228, 239, 258, 276,
];

/** A frame with the index of its link type in front, so that mutations change that as well. */
function frameSeeds(): readonly Uint8Array[] {
  const junos = (data: Uint8Array): Uint8Array => concatBytes([Uint8Array.of(0x4d, 0x47, 0x43, 0), data]);
  const seeds: Uint8Array[] = [];
  for (const file of captureFiles()) {
    for (const { data, linkType } of readCapture(file).packets.slice(0, 6)) {
      const index = LINK_TYPES.indexOf(linkType);
      seeds.push(concatBytes([Uint8Array.of(index), data]));
      seeds.push(concatBytes([Uint8Array.of(LINK_TYPES.indexOf(178)), junos(data)]));
      // Behind its Ethernet header the packet is a frame of raw IP.
      seeds.push(concatBytes([Uint8Array.of(LINK_TYPES.indexOf(101)), data.subarray(14)]));
    }
  }
  return seeds;
}

function runFrame(input: Uint8Array): void {
  const [index = 0] = input;
  const packet = (linkType: number): Packet => ({
    number: 1,
    offset: 0,
    time: 0,
    linkType,
    data: input.subarray(1),
    originalLength: input.length - 1,
  });
  const fragments = new Fragments();
  for (const linkType of new Set([LINK_TYPES[index % LINK_TYPES.length] ?? 1, index])) {
    decodeFrame(packet(linkType), fragments);
    readAll(reassembleTcp([packet(linkType), packet(linkType)]).streams);
  }
}

/** Several messages in a row; the first octet says how the input becomes two directions. */
function streamSeeds(): readonly Uint8Array[] {
  const messages = captureMessages();
  const seeds: Uint8Array[] = [];
  for (let at = 0; at < messages.length; at += 3) {
    seeds.push(concatBytes([Uint8Array.of(at & 7), ...messages.slice(at, at + 4)]));
  }
  for (const [i, file] of captureFiles().entries()) {
    const chunks = readStreams(file).streams.flatMap((stream) => stream.chunks.slice(0, 6));
    const octets = concatBytes(chunks.map(({ bytes }) => bytes)).subarray(0, LARGEST);
    seeds.push(concatBytes([Uint8Array.of(i & 7), octets]));
  }
  return seeds;
}

function runStream(input: Uint8Array): void {
  const [mode = 0] = input;
  const octets = input.subarray(1);
  const half = (mode & 1) === 0 ? octets.length : octets.length >> 1;
  const stream = (back: boolean, bytes: Uint8Array): TcpStream => {
    const ends = [
      { address: '192.0.2.1', port: 50_000 },
      { address: '192.0.2.2', port: 179 },
    ] as const;
    return {
      connection: 1,
      src: ends[back ? 1 : 0],
      dst: ends[back ? 0 : 1],
      fromStart: (mode & 2) === 0,
      end: undefined,
      chunks: [{ packet: back ? 2 : 1, time: 0, bytes }],
      gaps: (mode & 4) === 0 ? [] : [{ beforeChunk: 0, octets: 7 }],
    };
  };
  readAll([stream(false, octets.subarray(0, half)), stream(true, octets.subarray(half))]);
}

export const targets: readonly FuzzTarget[] = [
  { name: 'capture-files', seeds: fileSeeds, run: runFile },
  { name: 'capture-frames', seeds: frameSeeds, run: runFrame },
  { name: 'capture-streams', seeds: streamSeeds, run: runStream },
];
