/** Frames and files put together by hand, octet by octet as the formats say, for what no capture at hand shows. */
import type { Packet } from '../../../src/tools/pcap/capture.ts';

export interface SegmentText {
  readonly from?: number;
  readonly to?: number;
  readonly seq: number;
  /** Any of S, F, R, A. */
  readonly flags?: string;
  readonly text?: string;
  /** The payload as octets, in place of `text`. */
  readonly octets?: Uint8Array;
  /** TCP options; a multiple of 4 octets. */
  readonly options?: readonly number[];
}

const u16 = (value: number): number[] => [(value >>> 8) & 0xff, value & 0xff];
const u32 = (value: number): number[] => [...u16(value >>> 16), ...u16(value)];

/** A TCP segment (RFC 9293 §3.1), checksum zero. */
export function tcp({
  from = 1000,
  to = 179,
  seq,
  flags = 'A',
  text = '',
  octets = new TextEncoder().encode(text),
  options = [],
}: SegmentText): number[] {
  const bits = { F: 1, S: 2, R: 4, A: 16 } as const;
  let octet = 0;
  for (const [letter, bit] of Object.entries(bits)) if (flags.includes(letter)) octet |= bit;
  return [
    ...u16(from),
    ...u16(to),
    ...u32(seq),
    ...u32(0),
    ((20 + options.length) / 4) << 4,
    octet,
    ...u16(0xffff),
    ...u16(0),
    ...u16(0),
    ...options,
    ...octets,
  ];
}

export interface IPv4Header {
  readonly options?: readonly number[];
  /** Flags and fragment offset, 16 bits. */
  readonly fragment?: number;
  readonly totalLength?: number;
  readonly protocol?: number;
  /** From 10.0.0.2 to 10.0.0.1 instead. */
  readonly back?: boolean;
}

/** An IPv4 packet, from 10.0.0.1 to 10.0.0.2 unless told otherwise (RFC 791 §3.1). */
export function ipv4(payload: readonly number[], header: IPv4Header = {}): number[] {
  const options = header.options ?? [];
  const total = header.totalLength ?? 20 + options.length + payload.length;
  return [
    0x40 | ((20 + options.length) / 4),
    0,
    ...u16(total),
    ...u16(0),
    ...u16(header.fragment ?? 0),
    64,
    header.protocol ?? 6,
    ...u16(0),
    ...[10, 0, 0, header.back === true ? 2 : 1],
    ...[10, 0, 0, header.back === true ? 1 : 2],
    ...options,
    ...payload,
  ];
}

/** An IPv6 packet from 2001:db8::1 to 2001:db8::2 (RFC 8200 §3). `payload` begins with what `next` says. */
export function ipv6(payload: readonly number[], next = 6): number[] {
  const address = (last: number): number[] => [0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last];
  return [0x60, 0, 0, 0, ...u16(payload.length), next, 64, ...address(1), ...address(2), ...payload];
}

/** An Ethernet frame; `tags` are the VLAN tags between the addresses and the type. */
export function ethernet(type: number, payload: readonly number[], tags: readonly number[] = []): number[] {
  return [2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, ...tags, ...u16(type), ...payload];
}

/** Packets as a reader would give them, a millisecond apart. */
export function packetsOf(frames: readonly (readonly number[])[], linkType = 1): Packet[] {
  return frames.map((frame, i) => ({
    number: i + 1,
    offset: 100 * i,
    time: 1_000 + i,
    linkType,
    data: Uint8Array.from(frame),
    originalLength: frame.length,
  }));
}

/** A pcap file (draft-ietf-opsawg-pcap) of frames, one a second from 2023-11-14 on. */
export function pcapFile(frames: readonly (readonly number[])[], linkType = 1): Uint8Array {
  const le32 = (value: number): number[] => [...u32(value)].reverse();
  const octets = [
    ...le32(0xa1b2c3d4),
    2,
    0,
    4,
    0,
    ...le32(0),
    ...le32(0),
    ...le32(65_535),
    ...le32(linkType),
  ];
  for (const [i, frame] of frames.entries()) {
    octets.push(
      ...le32(1_700_000_000 + i),
      ...le32(0),
      ...le32(frame.length),
      ...le32(frame.length),
      ...frame,
    );
  }
  return Uint8Array.from(octets);
}

/** Describes the data that one side of a connection sends. */
export interface Said {
  /** From the server to the client instead. */
  readonly back?: boolean;
  readonly octets: Uint8Array;
}

/** The IP packets of a TCP connection in which these octets are sent, a segment each. */
export function connectionOf(
  said: readonly Said[],
  { port = 179, handshake = true }: { readonly port?: number; readonly handshake?: boolean } = {},
): number[][] {
  const next = { client: 1000, server: 5000 };
  const packet = (back: boolean, flags: string, octets: Uint8Array): number[] => {
    const side = back ? 'server' : 'client';
    const [from, to] = back ? [port, 50_000] : [50_000, port];
    const segment = tcp({ from, to, seq: next[side], flags, octets });
    next[side] += flags.includes('S') ? 1 : octets.length;
    return ipv4(segment, { back });
  };
  const none = new Uint8Array(0);
  const start = handshake ? [packet(false, 'S', none), packet(true, 'SA', none)] : [];
  return [...start, ...said.map(({ back = false, octets }) => packet(back, 'A', octets))];
}

/** Segments on Ethernet and IPv4; those from port 179 go the other way. */
export function segments(list: readonly SegmentText[]): Packet[] {
  return packetsOf(
    list.map((segment) => ethernet(0x0800, ipv4(tcp(segment), { back: segment.from === 179 }))),
  );
}

/** Text of octets in ASCII. */
export function textOf(chunks: readonly { readonly bytes: Uint8Array }[]): string {
  return chunks.map((chunk) => new TextDecoder().decode(chunk.bytes)).join('');
}
