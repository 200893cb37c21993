/** Frames that carry one TCP segment, in every encapsulation that is read: put together from the figures of the standards. */
import { ethernet, ipv4, ipv6 } from './frames.ts';

/** A frame of a link type around an IPv4 or IPv6 packet. */
export interface Encapsulation {
  readonly what: string;
  readonly linkType: number;
  readonly frame: readonly number[];
}

export const zeros = (count: number): number[] => new Array<number>(count).fill(0);
export const u16 = (value: number): number[] => [value >> 8, value & 0xff];

/** UDP (RFC 768) from port 40000. */
const udp = (to: number, payload: readonly number[]): number[] => [
  ...u16(40_000),
  ...u16(to),
  ...u16(8 + payload.length),
  0,
  0,
  ...payload,
];
export const inUdp = (to: number, payload: readonly number[]): number[] =>
  ethernet(0x0800, ipv4(udp(to, payload), { protocol: 17 }));
export const gre = (flags: number, protocol: number, rest: readonly number[]): number[] =>
  ethernet(0x0800, ipv4([...u16(flags), ...u16(protocol), ...rest], { protocol: 47 }));
export const inIp = (protocol: number, payload: readonly number[]): number[] =>
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

/** "MGC" and flags: 0x80 with extensions, 0x02 without the link's header. */
export const junos = (flags: number, ...rest: (readonly number[])[]): number[] => [
  0x4d,
  0x47,
  0x43,
  flags,
  ...rest.flat(),
];
/** Device media type Ethernet (3), logical unit 0 (5). */
const EXTENSIONS = [0, 7, 3, 1, 1, 5, 2, 0, 0];

/** Those that the frames of any vendor have; the link type is Ethernet where none is given. */
export function encapsulations(segment: readonly number[]): readonly Encapsulation[] {
  const v4 = ipv4(segment);
  const v6 = ipv6(segment);
  const list: readonly (readonly [what: string, frame: readonly number[], linkType?: number])[] = [
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
    ['an authentication header in IPv4', inIp(51, [6, 4, ...zeros(22), ...segment])],
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
    ['L2TP', inUdp(1701, [0x40, 0x02, ...u16(12 + v4.length), 0, 1, 0, 2, 0xff, 3, 0, 0x21, ...v4])],
    ['TZSP', inUdp(37008, [1, 0, 0, 1, 0, 10, 1, 9, 1, ...ethernet(0x0800, v4)])],
    ['NSH', ethernet(0x894f, [0x0f, 0xc2, 2, 1, ...zeros(4), ...v4])],
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
    ['OpenBSD enc', [2, 0, 0, 0, ...zeros(8), ...v4], 109],
    ['OpenBSD pflog', [61, ...zeros(63), ...v4], 117],
  ];
  return list.map(([what, frame, linkType = 1]) => ({ what, linkType, frame }));
}

/** Those of Junos. */
export function junosEncapsulations(segment: readonly number[]): readonly Encapsulation[] {
  const v4 = ipv4(segment);
  const v6 = ipv6(segment);
  const list: readonly (readonly [what: string, linkType: number, frame: readonly number[]])[] = [
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
  return list.map(([what, linkType, frame]) => ({ what, linkType, frame }));
}
