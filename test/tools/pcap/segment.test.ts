import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeSegment } from '../../../src/tools/pcap/segment.ts';
import { ethernet, ipv4, ipv6, packetsOf, tcp } from './frames.ts';

const hello = tcp({ seq: 7, text: 'hello' });

function decode(frame: readonly number[], linkType = 1): ReturnType<typeof decodeSegment> {
  const [packet] = packetsOf([frame], linkType);
  assert.ok(packet);
  return decodeSegment(packet);
}

function text(frame: readonly number[], linkType = 1): string {
  const segment = decode(frame, linkType);
  assert.ok(segment !== undefined && 'payload' in segment, JSON.stringify(segment));
  return new TextDecoder().decode(segment.payload);
}

function problem(frame: readonly number[], linkType = 1): string {
  const result = decode(frame, linkType);
  return result !== undefined && 'problem' in result
    ? result.problem
    : `no problem: ${JSON.stringify(result)}`;
}

test('every link layer leads to the same segment', () => {
  const v4 = ipv4(hello);
  const v6 = ipv6(hello);
  const sll = (type: readonly number[]): number[] => [0, 0, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0, ...type];
  const sll2 = [0x86, 0xdd, 0, 0, 0, 0, 0, 2, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0];
  assert.equal(text(ethernet(0x0800, v4)), 'hello');
  assert.equal(text(ethernet(0x86dd, v6)), 'hello');
  assert.equal(text(ethernet(0x0800, v4, [0x81, 0, 0, 5])), 'hello', '802.1Q');
  assert.equal(text(ethernet(0x86dd, v6, [0x88, 0xa8, 0, 5, 0x81, 0, 0, 6])), 'hello', 'QinQ');
  assert.equal(text([...sll([0x08, 0x00]), ...v4], 113), 'hello', 'SLL');
  assert.equal(text([...sll([0x81, 0x00]), 0, 5, 0x08, 0x00, ...v4], 113), 'hello', 'SLL with a VLAN tag');
  assert.equal(text([...sll2, ...v6], 276), 'hello', 'SLL2');
  for (const raw of [12, 101, 228]) assert.equal(text(v4, raw), 'hello', `raw ${raw}`);
  for (const raw of [12, 101, 229]) assert.equal(text(v6, raw), 'hello', `raw ${raw}`);
  assert.equal(text([2, 0, 0, 0, ...v4], 0), 'hello', 'null, little-endian');
  assert.equal(text([0, 0, 0, 30, ...v6], 0), 'hello', 'null, big-endian, macOS');
  assert.equal(text([0, 0, 0, 24, ...v6], 108), 'hello', 'loop');
});

test('addresses, ports, sequence and flags are read', () => {
  assert.deepEqual(
    decode(ethernet(0x0800, ipv4(tcp({ from: 179, to: 40000, seq: 0xfffffffe, flags: 'SF' })))),
    {
      src: { address: '10.0.0.1', port: 179 },
      dst: { address: '10.0.0.2', port: 40000 },
      sequence: 0xfffffffe,
      syn: true,
      fin: true,
      rst: false,
      payload: new Uint8Array(),
      cutOff: 0,
    },
  );
  const v6 = decode(ipv6(tcp({ seq: 1 })), 229);
  assert.ok(v6 !== undefined && 'src' in v6);
  assert.equal(v6.src.address, '2001:db8::1');
});

test('padding behind the IP packet, IP options and TCP options (an MD5 signature, RFC 2385) are no payload', () => {
  const md5 = [1, 1, 19, 18, ...Array.from({ length: 16 }, (_, i) => i)];
  const signed = tcp({ seq: 7, text: 'hello', options: md5 });
  assert.equal(text(ethernet(0x0800, [...ipv4(tcp({ seq: 7 })), 0, 0, 0, 0, 0, 0])), '');
  assert.equal(text(ethernet(0x0800, ipv4(signed, { options: [0x94, 4, 0, 0] }))), 'hello');
  assert.equal(text(ethernet(0x86dd, [...ipv6(signed), 9, 9])), 'hello');
});

test('a total length of zero, as segmentation offload leaves it, means the rest of the frame', () => {
  assert.equal(text(ethernet(0x0800, ipv4(hello, { totalLength: 0 }))), 'hello');
});

test('IPv6 extension headers are passed over: hop-by-hop, destination options, authentication, atomic fragment', () => {
  const hopByHop = [60, 0, 1, 4, 0, 0, 0, 0];
  const destination = [51, 1, ...new Array<number>(14).fill(0)];
  const authentication = [44, 4, ...new Array<number>(22).fill(0)];
  const atomic = [6, 0, 0, 0, 0, 0, 0, 1];
  assert.equal(
    text(ipv6([...hopByHop, ...destination, ...authentication, ...atomic, ...hello], 0), 101),
    'hello',
  );
});

test('fragments of TCP are reported, and those of anything else are none of our business', () => {
  assert.match(
    problem(ethernet(0x0800, ipv4(hello, { fragment: 0x2000 }))),
    /IPv4 fragment of a TCP segment/,
  );
  assert.match(
    problem(ethernet(0x0800, ipv4(hello, { fragment: 0x0003 }))),
    /IPv4 fragment of a TCP segment/,
  );
  assert.match(
    problem(ipv6([6, 0, 0, 8, 0, 0, 0, 1, 1, 2, 3, 4], 44), 101),
    /IPv6 fragment of a TCP segment/,
  );
  assert.equal(decode(ethernet(0x0800, ipv4(hello, { fragment: 0x2000, protocol: 17 }))), undefined);
  assert.equal(decode(ipv6([17, 0, 0, 8, 0, 0, 0, 1, 1, 2, 3, 4], 44), 101), undefined);
});

test('frames without TCP are passed over in silence', () => {
  assert.equal(decode(ethernet(0x0806, new Array<number>(28).fill(0))), undefined, 'ARP');
  assert.equal(decode(ethernet(0x0800, ipv4(hello, { protocol: 17 }))), undefined, 'UDP');
  assert.equal(decode(ipv6(hello, 58), 101), undefined, 'ICMPv6');
});

test('octets that a snap length cut off are counted', () => {
  const whole = ethernet(0x0800, ipv4(hello));
  const segment = decode(whole.slice(0, -3));
  assert.ok(segment !== undefined && 'cutOff' in segment);
  assert.equal(segment.cutOff, 3);
  assert.equal(new TextDecoder().decode(segment.payload), 'he');
});

test('headers that contradict the frame are problems', () => {
  assert.match(problem([1, 2, 3]), /a frame of 3 octets is too short for its link/);
  assert.match(problem([...ethernet(0x8100, [0, 5])]), /ends within a VLAN tag/);
  assert.match(problem([], 101), /an empty IP packet/);
  assert.match(problem([0x50, 0], 101), /an IP packet of version 5/);
  assert.match(problem([0x45, 0], 101), /2 octets are too few for an IPv4 header/);
  assert.match(problem([0x60, 0], 101), /2 octets are too few for an IPv6 header/);
  assert.match(problem([0x44, ...ipv4(hello).slice(1)], 101), /an IPv4 header of 16 octets/);
  assert.match(problem(ipv4(hello.slice(0, 12)), 101), /12 octets of a TCP segment/);
  assert.match(
    problem(ipv4([...hello.slice(0, 12), 0xf0, ...hello.slice(13)]), 101),
    /a TCP header of 60 octets/,
  );
  assert.match(problem(ipv6([60, 0, 1], 0), 101), /ends within the IPv6 extension headers/);
  assert.match(problem([1, 2, 3, 4], 147), /link type 147 is not supported/);
});
