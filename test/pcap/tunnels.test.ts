import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Fragments } from '../../src/pcap/fragments.ts';
import { reassembleTcp } from '../../src/pcap/reassemble.ts';
import { decodeFrame } from '../../src/pcap/segment.ts';
import { ethernet, ipv4, ipv6, packetsOf, tcp, textOf } from './frames.ts';

const hello = tcp({ seq: 7, text: 'hello' });
const v4 = ipv4(hello);
const v6 = ipv6(hello);
const zeros = (count: number): number[] => new Array<number>(count).fill(0);
const u16 = (value: number): number[] => [value >> 8, value & 0xff];

/** UDP (RFC 768) from port 40000. */
const udp = (to: number, payload: readonly number[]): number[] => [
  ...u16(40_000),
  ...u16(to),
  ...u16(8 + payload.length),
  0,
  0,
  ...payload,
];
const inUdp = (to: number, payload: readonly number[]): number[] =>
  ethernet(0x0800, ipv4(udp(to, payload), { protocol: 17 }));
const gre = (flags: number, protocol: number, rest: readonly number[]): number[] =>
  ethernet(0x0800, ipv4([...u16(flags), ...u16(protocol), ...rest], { protocol: 47 }));
const inIp = (protocol: number, payload: readonly number[]): number[] =>
  ethernet(0x0800, ipv4(payload, { protocol }));
const label = (bottom: boolean): number[] => [0x00, 0x01, bottom ? 0x01 : 0x00, 64];
const snap = (type: number, payload: readonly number[]): number[] => [
  0xaa,
  0xaa,
  3,
  0,
  0,
  0,
  ...u16(type),
  ...payload,
];

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

const FRAMES: readonly (readonly [what: string, frame: readonly number[], linkType?: number])[] = [
  ['one MPLS label', ethernet(0x8847, [...label(true), ...v4])],
  [
    'three MPLS labels in front of IPv6',
    ethernet(0x8847, [...label(false), ...label(false), ...label(true), ...v6]),
  ],
  ['MPLS behind a VLAN tag', ethernet(0x8847, [...label(true), ...v4], [0x81, 0, 0, 5])],
  [
    'a pseudowire with its control word',
    ethernet(0x8847, [...label(true), ...zeros(4), ...ethernet(0x0800, v4)]),
  ],
  ['a pseudowire without a control word', ethernet(0x8847, [...label(true), ...ethernet(0x0800, v4)])],
  ['PPPoE', ethernet(0x8864, [0x11, 0, 0, 9, ...u16(v4.length + 2), 0x00, 0x21, ...v4])],
  ['PPPoE with IPv6', ethernet(0x8864, [0x11, 0, 0, 9, ...u16(v6.length + 2), 0x00, 0x57, ...v6])],
  ['GRE', gre(0, 0x0800, v4)],
  ['GRE with IPv6', gre(0, 0x86dd, v6)],
  ['GRE with a checksum, a key and a sequence number', gre(0xb000, 0x0800, [...zeros(12), ...v4])],
  ['GRE with routing', gre(0x4000, 0x0800, [...zeros(4), 0, 2, 0, 4, 1, 2, 3, 4, ...zeros(4), ...v4])],
  ['GRE over IPv6', ethernet(0x86dd, ipv6([0, 0, 0x08, 0x00, ...v4], 47))],
  ['Ethernet over GRE', gre(0x2000, 0x6558, [...zeros(4), ...ethernet(0x0800, v4)])],
  ['MPLS over GRE', gre(0, 0x8847, [...label(true), ...v4])],
  ['PPP over GRE (PPTP)', gre(0x3081, 0x880b, [...zeros(12), 0xff, 3, 0, 0x21, ...v4])],
  ['ERSPAN type I', gre(0, 0x88be, ethernet(0x0800, v4))],
  ['ERSPAN type II', gre(0x1000, 0x88be, [...zeros(4), 0x10, ...zeros(7), ...ethernet(0x0800, v4)])],
  ['ERSPAN type III', gre(0x1000, 0x22eb, [...zeros(4), 0x20, ...zeros(11), ...ethernet(0x0800, v4)])],
  [
    'ERSPAN type III with a subheader',
    gre(0x1000, 0x22eb, [...zeros(4), 0x20, ...zeros(10), 1, ...zeros(8), ...ethernet(0x0800, v4)]),
  ],
  ['ERSPAN type III with IP', gre(0x1000, 0x22eb, [...zeros(4), 0x20, ...zeros(9), 0x08, 0, ...v4])],
  ['IP in IP', inIp(4, v4)],
  ['IPv6 in IPv4', inIp(41, v6)],
  ['IPv4 in IPv6', ethernet(0x86dd, ipv6(v4, 4))],
  ['IP in IP in IP', inIp(4, ipv4(v4, { protocol: 4 }))],
  ['an authentication header in IPv4', inIp(51, [6, 4, ...zeros(22), ...hello])],
  ['EtherIP', inIp(97, [0x30, 0, ...ethernet(0x0800, v4)])],
  ['MPLS in IP', inIp(137, [...label(true), ...v4])],
  ['VXLAN', inUdp(4789, [0x08, ...zeros(7), ...ethernet(0x0800, v4)])],
  [
    'VXLAN on the port of Linux, with a VLAN inside',
    inUdp(8472, [0x08, 0, 0, 0, 0, 0, 9, 0, ...ethernet(0x0800, v4, [0x81, 0, 0, 5])]),
  ],
  ['VXLAN-GPE with IP', inUdp(4790, [0x0c, 0, 0, 1, ...zeros(4), ...v4])],
  ['Geneve with an option', inUdp(6081, [1, 0, 0x65, 0x58, ...zeros(8), ...ethernet(0x0800, v4)])],
  ['MPLS in UDP', inUdp(6635, [...label(true), ...v4])],
  ['GRE in UDP', inUdp(4754, [0, 0, 0x08, 0, ...v4])],
  ['GTP-U', inUdp(2152, [0x30, 0xff, ...u16(v4.length), ...zeros(4), ...v4])],
  [
    'GTP-U with an extension header',
    inUdp(2152, [0x34, 0xff, ...u16(v4.length + 8), ...zeros(4), 0, 0, 0, 0x85, 1, 0, 0, 0, ...v4]),
  ],
  ['L2TP', inUdp(1701, [0x40, 0x02, 0, 40, 0, 1, 0, 2, 0xff, 3, 0, 0x21, ...v4])],
  ['TZSP', inUdp(37008, [1, 0, 0, 1, 0, 10, 1, 9, 1, ...ethernet(0x0800, v4)])],
  ['NSH', ethernet(0x894f, [0x0f, 0xc2, 1, 1, ...zeros(4), ...v4])],
  ['LLC and SNAP', [...ethernet(8 + v4.length, []), ...snap(0x0800, v4)]],
  ['MAC in MAC', ethernet(0x88e7, [...zeros(4), ...ethernet(0x0800, v4)])],
  ['MACsec that only signs', ethernet(0x88e5, [0x20, 0, ...zeros(12), 0x08, 0, ...v4])],
  ['an E-TAG', ethernet(0x893f, [...zeros(6), 0x08, 0, ...v4])],
  ['PPP', [0xff, 3, 0, 0x21, ...v4], 9],
  ['PPP without HDLC and with a protocol of one octet', [0x21, ...v4], 9],
  ['PPP multilink, whole', [0xff, 3, 0, 0x3d, 0xc0, 0, 0, 1, 0, 0x21, ...v4], 9],
  ['PPP in HDLC', [0xff, 3, 0, 0x57, ...v6], 50],
  ['Cisco HDLC on a PPP link', [0x0f, 0, 0x08, 0, ...v4], 50],
  ['Cisco HDLC', [0x0f, 0, 0x86, 0xdd, ...v6], 104],
  ['PPPoE as a link', [0x11, 0, 0, 9, ...u16(v4.length + 2), 0, 0x21, ...v4], 51],
  ['frame relay with an NLPID', [0x18, 0x41, 0x03, 0xcc, ...v4], 107],
  ['frame relay with SNAP', [0x18, 0x41, 0x03, 0, 0x80, 0, 0, 0, 0x08, 0, ...v4], 107],
  ['frame relay of Cisco', [0x18, 0x41, 0x08, 0, ...v4], 107],
  ['ATM with LLC', snap(0x0800, v4), 100],
  ['MPLS as a link', [...label(true), ...v4], 219],
  ['PPI', [0, 0, 8, 0, 1, 0, 0, 0, ...ethernet(0x0800, v4)], 192],
  ['pktap', [12, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, ...ethernet(0x0800, v4)], 258],
  ['netfilter log', [2, 0, 0, 0, 8, 0, 1, 0, 8, 0, 3, 0, ...[v4.length + 4, 0], 9, 0, ...v4], 239],
  ['OpenBSD enc', [...zeros(12), ...v4], 109],
  ['OpenBSD pflog', [61, ...zeros(63), ...v4], 117],
];

for (const [what, frame, linkType] of FRAMES) {
  test(`${what} is read through`, () => {
    assert.equal(text(frame, linkType), 'hello');
  });
}

/** "MGC" and flags: 0x80 with extensions, 0x02 without the link's header. */
const junos = (flags: number, ...rest: (readonly number[])[]): number[] => [
  0x4d,
  0x47,
  0x43,
  flags,
  ...rest.flat(),
];
/** Device media type Ethernet (3), logical unit 0 (5). */
const EXTENSIONS = [0, 7, 3, 1, 1, 5, 2, 0, 0];

const JUNOS: readonly (readonly [what: string, linkType: number, frame: readonly number[]])[] = [
  ['Ethernet', 178, junos(0x81, EXTENSIONS, ethernet(0x0800, v4))],
  ['Ethernet without extensions', 178, junos(0x00, ethernet(0x86dd, v6))],
  ['Ethernet whose header the router left out', 178, junos(0x82, EXTENSIONS, [2, 0, 0, 0], v4)],
  ['IPv6 without a link header', 178, junos(0x02, [6, 0, 0, 0], v6)],
  ['MPLS without a link header', 178, junos(0x02, [5, 0, 0, 0], label(true), v4)],
  ['PPP', 179, junos(0x81, EXTENSIONS, [0xff, 3, 0, 0x21], v4)],
  ['frame relay', 180, junos(0x00, [0x18, 0x41, 0x03, 0xcc], v4)],
  ['Cisco HDLC', 181, junos(0x00, [0x0f, 0, 0x08, 0], v4)],
  ['PPPoE', 167, junos(0x00, ethernet(0x8864, [0x11, 0, 0, 9, ...u16(v4.length + 2), 0, 0x21, ...v4]))],
  ['PPPoE over ATM', 168, junos(0x00, [0x88, 0x64, 0x11, 0, 0, 9, ...u16(v4.length + 2), 0, 0x21], v4)],
  ['ATM1', 137, junos(0x00, [0, 1, 2, 3], snap(0x0800, v4))],
  ['ATM2', 135, junos(0x00, zeros(8), snap(0x86dd, v6))],
  ['multilink PPP', 130, junos(0x00, [0, 1], [0xff, 3, 0, 0x21], v4)],
  ['services', 136, junos(0x00, [0x47, 0, 0, 0, 0, 0, 0, 0], v4)],
  ['monitor', 164, junos(0x00, zeros(8), v4)],
  ['secure tunnel', 200, junos(0x00, v4)],
];
for (const [what, linkType, frame] of JUNOS) {
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
      other: 'fragments of IP packets of which the rest was not captured',
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
