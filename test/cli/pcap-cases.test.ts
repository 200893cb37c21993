/** Captures that were once read wrongly, through the command. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { connectionOf, ethernet, ipv4, pcapFile } from '../tools/pcap/frames.ts';
import { errorsOf, KEEPALIVE, type Line, readCaptured, readFileWithCli } from './captured.ts';

const FOLDER = join(import.meta.dirname, '..', '..', 'fixtures', 'captures');

const read = (name: string) => readFileWithCli(join(FOLDER, name));

for (const name of ['mpls', 'pppoe', 'gre', 'ipip', 'vxlan', 'erspan']) {
  test(`${name}.pcap: the session inside is read`, async () => {
    const { code, lines, stderr } = await read(`${name}.pcap`);
    assert.deepEqual([code, stderr, errorsOf(lines)], [0, '', []]);
    assert.deepEqual(
      lines.slice(0, 4).map(({ type }) => type),
      ['open', 'open', 'keepalive', 'keepalive'],
    );
  });
}

test('rfc8950-nexthop.pcap: IPv4 routes have their IPv6 next hops, alone and with a link-local address', async () => {
  const { lines } = await read('rfc8950-nexthop.pcap');
  assert.deepEqual(errorsOf(lines), []);
  assert.deepEqual(
    lines
      .filter(({ type }) => type === 'update')
      .map(({ announced = [], attributes }) => [announced[0]?.prefix, attributes?.next_hop]),
    [
      ['198.51.100.0/24', ['2001:db8::1']],
      ['198.51.101.0/24', ['2001:db8::1 fe80::1']],
      ['198.51.102.0/24', ['fe80::1']],
    ],
  );
  assert.deepEqual(lines[0]?.capabilities?.at(-1), {
    type: 'extended-next-hop',
    families: [{ afi: 1, safi: 1, next_hop_afi: 2 }],
  });
});

test('as2-mid-session.pcap: AS numbers of two octets are inferred, and that is said', async () => {
  const { lines, stderr } = await read('as2-mid-session.pcap');
  assert.deepEqual(errorsOf(lines), []);
  assert.deepEqual(
    lines.map(({ attributes }) => attributes?.as_path?.[0]?.asns),
    [[65100], [65100, 65200]],
  );
  assert.match(stderr, /no OPEN was captured: AS numbers are read with 2 octets, the only width that works/);
});

test('vpn-rt.pcap: a route target of a VPN or unicast route is a community and no action', async () => {
  const { lines } = await read('vpn-rt.pcap');
  const updates = lines.filter(({ type }) => type === 'update');
  assert.equal(updates.length, 2);
  for (const line of updates) {
    assert.equal(line.actions, undefined);
    assert.equal('action_text' in line, false);
    assert.deepEqual(line.attributes?.extended_communities, ['rt:65000:100']);
  }
});

test('host-bits.pcap: nlri_hex has the octets that were captured', async () => {
  const { lines } = await read('host-bits.pcap');
  assert.deepEqual(lines.at(-1)?.announced, [{ afi: 1, safi: 1, nlri_hex: '0d0b0d', prefix: '11.8.0.0/13' }]);
});

/** The subcodes of RFC 4271 §6.3 for errors that RFC 7606 tolerates, by error text. */
const SPARED: readonly (readonly [error: RegExp, notification: string])[] = [
  [/^ORIGIN: value/, '3/6'],
  [/^ORIGIN: \d octets/, '3/5'],
  [/flags 0x.. conflict/, '3/4'],
  [/is mandatory but missing/, '3/3'],
  [/^AS_PATH: (?!flags)/, '3/11'],
  [/^NEXT_HOP: \d+ octets/, '3/5'],
  [/^MULTI_EXIT_DISC: 3 octets/, '3/5'],
  [/are not a list of \d+-octet elements/, '3/9'],
  [/^component type 14|^the length is/, '3/9'],
  [/cut off by the end of the attributes/, '3/1'],
];

test('rfc7606-all.pcap: what RFC 7606 spares is shown with the NOTIFICATION of RFC 4271', async () => {
  const { lines } = await read('rfc7606-all.pcap');
  const spared = lines.filter(
    ({ treatment }) => treatment === 'treat-as-withdraw' || treatment === 'afi-safi-disable',
  );
  assert.equal(spared.length, 30);
  for (const { error = '', notification } of spared) {
    const expected = SPARED.find(([pattern]) => pattern.test(error))?.[1];
    assert.equal(`${notification?.code}/${notification?.subcode}`, expected, error);
  }
});

test('rfc7606-all.pcap: an attribute that is discarded is no error', async () => {
  const { lines } = await read('rfc7606-all.pcap');
  const discards = lines.filter(({ discarded }) => discarded !== undefined);
  assert.equal(discards.length, 9);
  for (const line of discards) {
    assert.deepEqual(
      [line.error, line.notification, line.treatment],
      [undefined, undefined, 'attribute-discard'],
    );
    assert.equal(line.announced?.length, 1);
  }
});

test('rfc7606-all.pcap: segments of a confederation are noted, since a capture does not show who belongs to it', async () => {
  const { lines } = await read('rfc7606-all.pcap');
  const noted = lines.filter(({ notes }) => notes !== undefined);
  assert.equal(noted.length, 1);
  assert.equal(noted[0]?.error, undefined);
  assert.match(noted[0]?.notes?.join() ?? '', /confederation segments: malformed \(3\/11\) unless/);
});

test('bird-both-active.pcap: collisions and closed connections on any port are read without an error', async () => {
  const { code, lines } = await read('bird-both-active.pcap');
  assert.equal(code, 0);
  assert.deepEqual(errorsOf(lines), []);
  assert.ok(lines.some(({ type }) => type === 'notification'));
});

/** The routes of a direction as `path_id prefix` or `path_id rule`; without an id `-`. */
function routes(lines: readonly Line[], from: string, which: 'announced' | 'withdrawn'): readonly string[] {
  return lines
    .filter(({ src }) => src.startsWith(from))
    .flatMap((line) => line[which] ?? [])
    .map(({ path_id, prefix, rule }) => `${path_id ?? '-'} ${prefix ?? rule}`);
}

test('bird-add-path.pcap: each direction and each family has Path Identifiers where it was agreed', async () => {
  const { code, lines, stderr } = await read('bird-add-path.pcap');
  assert.deepEqual([code, stderr, errorsOf(lines)], [0, '', []]);
  assert.deepEqual(routes(lines, '127.66.0.1:', 'announced'), [
    '2 198.51.100.0/24',
    '3 198.51.100.0/24',
    '2 203.0.113.0/25',
    '4 2001:db8:1::/48',
    '5 match dst 203.0.113.10/32 proto udp dst-port 53',
  ]);
  assert.deepEqual(routes(lines, '127.66.0.1:', 'withdrawn'), ['3 198.51.100.0/24']);
  assert.deepEqual(routes(lines, '127.66.0.2:', 'announced'), ['- 192.0.2.128/25', '3 2001:db8:2::/48']);
  const flowSpec = lines.flatMap(({ announced = [] }) => announced).find(({ safi }) => safi === 133);
  assert.equal(
    flowSpec?.nlri_hex,
    '0c0120cb00710a038111058135',
    'without the identifier, as flowspec decode takes it',
  );
});

test('bird-add-path.pcap from its middle: Path Identifiers are inferred where they alone fit', async (t) => {
  const whole = await read('bird-add-path.pcap');
  const { lines, stderr } = await readCaptured(
    t,
    withoutOpens(readFileSync(join(FOLDER, 'bird-add-path.pcap'))),
  );
  assert.deepEqual(errorsOf(lines), []);
  assert.deepEqual(
    lines.filter(({ type }) => type === 'update'),
    whole.lines.filter(({ type }) => type === 'update'),
  );
  assert.match(stderr, /no OPEN was captured: routes of .*ipv4-unicast.* are read with Path Identifiers/);
});

/** A little-endian pcap without the packets up to the last OPEN. */
function withoutOpens(file: Uint8Array): Uint8Array {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  let start = 24;
  for (let at = 24; at < file.length; ) {
    const end = at + 16 + view.getUint32(at + 8, true);
    const hex = Buffer.from(file.subarray(at, end)).toString('hex');
    if (/(ff){16}[0-9a-f]{4}01/.test(hex)) start = end;
    at = end;
  }
  return Uint8Array.from([...file.subarray(0, 24), ...file.subarray(start)]);
}

const zeros = (count: number): number[] => new Array<number>(count).fill(0);

test('what cannot be read is named with a count, beside the messages and in place of them', async (t) => {
  const esp = ethernet(0x0800, ipv4(zeros(40), { protocol: 50 }));
  const session = connectionOf([{ octets: KEEPALIVE }]).map((packet) => ethernet(0x0800, packet));
  const some = await readCaptured(t, pcapFile([esp, ...session, esp]));
  assert.equal(some.code, 0);
  assert.equal(some.lines.length, 1);
  assert.match(some.stderr, /2 packets cannot be read: ESP \(encrypted\) \(first: packet 1\)/);

  const none = await readCaptured(t, pcapFile([esp, ethernet(0x0806, zeros(28)), esp]));
  assert.equal(none.code, 5);
  assert.match(none.stderr, /no BGP messages in .*: 3 packets: 2 of ESP \(encrypted\), 1 of ARP$/m);
});

test('a link type that cannot be read is named with a count', async (t) => {
  const { code, stderr } = await readCaptured(t, pcapFile([zeros(40), zeros(40)], 105));
  assert.equal(code, 5);
  assert.match(stderr, /2 packets cannot be read: link type 105 \(IEEE 802\.11\)/);
  assert.match(stderr, /no BGP messages in .*: 2 packets: 2 of link type 105/);
});

test('a file of TCP without BGP, and one without packets, say what they hold', async (t) => {
  const octets = new TextEncoder().encode('hello');
  const other = await readCaptured(t, pcapFile(connectionOf([{ octets }], { port: 80 }), 101));
  assert.match(other.stderr, /10\.0\.0\.2:80 is not BGP/);
  assert.match(
    other.stderr,
    /no BGP messages in .*: 3 packets: 3 of TCP in 2 directions with 5 bytes of data/,
  );
  const empty = await readCaptured(t, pcapFile([]));
  assert.equal(empty.code, 5);
  assert.match(empty.stderr, /no BGP messages in .*: it has no readable packets/);
});
