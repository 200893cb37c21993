import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Fragments } from '../../../src/tools/pcap/ip.ts';
import { reassembleTcp } from '../../../src/tools/pcap/reassemble.ts';
import { decodeFrame } from '../../../src/tools/pcap/segment.ts';
import {
  encapsulations,
  gre,
  inIp,
  inUdp,
  junos,
  junosEncapsulations,
  u16,
  zeros,
} from './encapsulations.ts';
import { ethernet, ipv4, ipv6, packetsOf, tcp, textOf } from './frames.ts';

const hello = tcp({ seq: 7, text: 'hello' });
const v4 = ipv4(hello);
function decode(frame: readonly number[], linkType = 1): ReturnType<typeof decodeFrame> {
  const [packet] = packetsOf([frame], linkType);
  assert.ok(packet);
  return decodeFrame(packet);
}

function text(frame: readonly number[], linkType = 1): string {
  const segment = decode(frame, linkType);
  assert.ok('payload' in segment, JSON.stringify(segment));
  return new TextDecoder().decode(segment.payload);
}

for (const { what, frame, linkType } of encapsulations(hello)) {
  test(`${what} is read through`, () => {
    assert.equal(text(frame, linkType), 'hello');
  });
}
for (const { what, frame, linkType } of junosEncapsulations(hello)) {
  test(`Junos: ${what} (link type ${linkType})`, () => {
    assert.equal(text(frame, linkType), 'hello');
  });
}

test('the segment is that of the innermost packet, and padding between the layers is none of it', () => {
  const inner = ipv4(hello, { back: true });
  const segment = decode(gre(0, 0x0800, [...inner, 1, 2, 3]));
  assert.ok('src' in segment);
  assert.equal(segment.src.address, '10.0.0.2');
  assert.equal(new TextDecoder().decode(segment.payload), 'hello');
});

test('what a snap length cut off inside of a tunnel is counted', () => {
  const segment = decode(inIp(4, v4).slice(0, -2));
  assert.ok('cutOff' in segment);
  assert.equal(segment.cutOff, 2);
});

const UNREAD: readonly (readonly [name: RegExp, frame: readonly number[], linkType?: number])[] = [
  [/^ESP \(encrypted\)$/, inIp(50, zeros(30))],
  [/^ESP in UDP/, inUdp(4500, [1, ...zeros(20)])],
  [/^WireGuard/, inUdp(51820, zeros(20))],
  [/^MACsec \(encrypted\)$/, ethernet(0x88e5, [0x2c, ...zeros(40)])],
  [/^EtherType 0x1234$/, ethernet(0x1234, zeros(40))],
  [/^IP protocol 200$/, inIp(200, zeros(40))],
  [/^GRE protocol 0x1234$/, gre(0, 0x1234, zeros(40))],
  [/^PPP protocol 0x00fd$/, [0xff, 3, 0, 0xfd, ...zeros(20)], 9],
];
for (const [name, frame, linkType] of UNREAD) {
  test(`what may hide BGP is named: ${name.source}`, () => {
    const result = decode(frame, linkType);
    assert.ok('other' in result, JSON.stringify(result));
    assert.match(result.other, name);
    assert.equal(result.unread, true);
  });
}

test('what never carries BGP is named too, and hides nothing', () => {
  for (const [name, frame] of [
    ['ARP', ethernet(0x0806, zeros(28))],
    ['LLDP', ethernet(0x88cc, zeros(28))],
    ['ICMP', inIp(1, zeros(8))],
    ['OSPF', inIp(89, zeros(8))],
    ['UDP', inUdp(53, zeros(8))],
    ['UDP', inUdp(4789, [0, 1, 2, 3, 4, 5, 6, 7, 8])],
    ['spanning tree', [...ethernet(38, []), 0x42, 0x42, 3, ...zeros(35)]],
  ] as const) {
    assert.deepEqual(decode(frame), { other: name, unread: false });
  }
});

test('headers inside of headers without end are given up', () => {
  let frame = v4;
  for (let i = 0; i < 40; i++) frame = ipv4(frame, { protocol: 4 });
  const result = decode(frame, 101);
  assert.ok('other' in result);
  assert.match(result.other, /layers of headers/);
});

test('a tunnel that ends within its header is a problem', () => {
  for (const frame of [
    gre(0xb000, 0x0800, zeros(4)),
    gre(0x1000, 0x88be, zeros(6)),
    ethernet(0x8847, [0, 1]),
    ethernet(0x8864, [0x11, 0, 0]),
    junos(0x80, [0, 200]),
  ]) {
    const result = decode(frame, frame[0] === 0x4d ? 178 : 1);
    assert.ok('problem' in result, JSON.stringify(result));
    assert.match(result.problem, /ends within/);
  }
  const noMagic = decode([1, 2, 3, 4, ...v4], 178);
  assert.ok('problem' in noMagic);
  assert.match(noMagic.problem, /without its magic number/);
});

/** An IPv4 packet in pieces of 16 octets of payload. */
function pieces(payload: readonly number[], header: Parameters<typeof ipv4>[1] = {}): number[][] {
  const list: number[][] = [];
  for (let at = 0; at < payload.length; at += 16) {
    const more = at + 16 < payload.length ? 0x2000 : 0;
    list.push(ethernet(0x0800, ipv4(payload.slice(at, at + 16), { ...header, fragment: more | (at / 8) })));
  }
  return list;
}

test('fragments are put together, in any order, and inside of a tunnel', () => {
  const segment = tcp({ seq: 7, flags: 'A', text: 'a segment in several fragments' });
  const forward = pieces(segment);
  assert.ok(forward.length > 2);
  for (const frames of [forward, [...forward].reverse(), [...forward.slice(0, 1), ...forward]]) {
    const { streams, problems, passedOver } = reassembleTcp(packetsOf(frames));
    assert.deepEqual([problems, passedOver], [[], []]);
    assert.equal(textOf(streams[0]?.chunks ?? []), 'a segment in several fragments');
  }
  const tunneled = reassembleTcp(packetsOf(pieces(ipv4(segment), { protocol: 4 })));
  assert.equal(textOf(tunneled.streams[0]?.chunks ?? []), 'a segment in several fragments');
});

test('IPv6 fragments are put together', () => {
  const segment = tcp({ seq: 7, text: 'in two halves, no more' });
  const piece = (at: number, end: number): number[] => {
    const position = at | (end < segment.length ? 1 : 0);
    return ethernet(0x86dd, ipv6([6, 0, ...u16(position), 0, 0, 0, 9, ...segment.slice(at, end)], 44));
  };
  const { streams, problems } = reassembleTcp(packetsOf([piece(0, 24), piece(24, segment.length)]));
  assert.deepEqual(problems, []);
  assert.equal(textOf(streams[0]?.chunks ?? []), 'in two halves, no more');
});

test('fragments of which the rest is missing are counted, and one that uses an identification again starts anew', () => {
  const frames = pieces(tcp({ seq: 7, text: 'the first of two packets' }));
  const lone = reassembleTcp(packetsOf(frames.slice(0, -1)));
  assert.deepEqual(lone.streams, []);
  assert.deepEqual(lone.passedOver, [
    {
      other: 'fragments of IP packets that were not captured completely',
      unread: true,
      packets: frames.length - 1,
      first: 1,
    },
  ]);
  const second = pieces(tcp({ seq: 900, text: 'the second, with one id' }));
  const both = reassembleTcp(packetsOf([...frames.slice(0, 1), ...second]));
  assert.equal(textOf(both.streams[0]?.chunks ?? []), 'the second, with one id');
  assert.equal(both.passedOver[0]?.packets, 1);
});

test('a fragment beyond the longest packet belongs to none', () => {
  const fragments = new Fragments();
  const [packet] = packetsOf([ethernet(0x0800, ipv4(new Array<number>(1000).fill(0), { fragment: 0x1fff }))]);
  assert.ok(packet);
  decodeFrame(packet, fragments);
  assert.equal(fragments.left, 1);
});

test('packets without TCP are counted by what they carry, the most frequent first', () => {
  const frames = [inIp(50, zeros(30)), ethernet(0x0806, zeros(28)), ethernet(0x0806, zeros(28))];
  const { passedOver, packets } = reassembleTcp(packetsOf(frames));
  assert.equal(packets, 3);
  assert.deepEqual(passedOver, [
    { other: 'ARP', unread: false, packets: 2, first: 2 },
    { other: 'ESP (encrypted)', unread: true, packets: 1, first: 1 },
  ]);
  assert.deepEqual(reassembleTcp(packetsOf([[1], [2]], 147)).passedOver, [
    { other: 'link type 147', unread: true, packets: 2, first: 1 },
  ]);
});
