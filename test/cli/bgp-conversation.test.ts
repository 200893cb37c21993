import assert from 'node:assert/strict';
import { test } from 'node:test';
import { messageJson } from '../../src/tools/conversation/message-json.ts';
import { readConversation } from '../../src/tools/conversation/conversation.ts';
import { concatBytes, fromHex } from '../../src/net/bytes.ts';
import type { TcpStream } from '../../src/tools/pcap/reassemble.ts';

const MARKER = 'ff'.repeat(16);

/** Octets of a hexadecimal text with spaces. */
function hex(text: string): Uint8Array {
  const octets = fromHex(text.replaceAll(' ', ''));
  assert.ok(octets, text);
  return octets;
}

const KEEPALIVE = hex(`${MARKER} 0013 04`);
/** Version 4, AS 65001, hold time 90, id 192.0.2.1, no capabilities (RFC 4271 §4.2). */
const OPEN_2 = hex(`${MARKER} 001d 01 04 fde9 005a c0000201 00`);
/** AS_TRANS, and 4-octet AS 4200000001 as a capability (RFC 6793 §3). */
const OPEN_4 = hex(`${MARKER} 0025 01 04 5ba0 005a c0000202 08 0206 4104 fa56ea01`);
/** ORIGIN IGP, AS_PATH of one sequence with one AS in two octets, NEXT_HOP 192.0.2.1; 198.51.100.0/24. */
const UPDATE_2 = hex(`${MARKER} 002d 02 0000 0012 400101 00 400204 0201 fde9 400304 c0000201 18 c63364`);
/** The same with the AS in four octets. */
const UPDATE_4 = hex(`${MARKER} 002f 02 0000 0014 400101 00 400206 0201 fa56ea01 400304 c0000201 18 c63364`);

interface Side {
  readonly parts: readonly Uint8Array[];
  readonly gapBefore?: number;
  readonly fromStart?: boolean;
}

/** Two directions of one connection; each part is a packet, numbered across both in turn. */
function connection(client: Side, server: Side = { parts: [] }, port = 179): TcpStream[] {
  const ends = [
    { address: '192.0.2.1', port: 40000 },
    { address: '192.0.2.2', port },
  ] as const;
  return [client, server].map(({ parts, gapBefore, fromStart = true }, i) => ({
    connection: 1,
    src: ends[i === 0 ? 0 : 1],
    dst: ends[i === 0 ? 1 : 0],
    fromStart,
    end: undefined,
    chunks: parts.map((bytes, n) => ({ packet: 2 * n + i + 1, time: 1000 * n + i, bytes })),
    gaps: gapBefore === undefined ? [] : [{ beforeChunk: gapBefore, octets: 5 }],
  }));
}

function lines(streams: readonly TcpStream[]) {
  const { messages, remarks } = readConversation(streams);
  return { lines: messages.map(messageJson), remarks };
}

test('messages of both directions come in the order of the packets that complete them', () => {
  const split = [OPEN_2.subarray(0, 10), concatBytes([OPEN_2.subarray(10), KEEPALIVE])];
  const read = lines(connection({ parts: split }, { parts: [OPEN_4, KEEPALIVE] }));
  assert.deepEqual(
    read.lines.map(({ time, src, type }) => [time, src, type]),
    [
      ['1970-01-01T00:00:00.001Z', '192.0.2.2:179', 'open'],
      ['1970-01-01T00:00:01.000Z', '192.0.2.1:40000', 'open'],
      ['1970-01-01T00:00:01.000Z', '192.0.2.1:40000', 'keepalive'],
      ['1970-01-01T00:00:01.001Z', '192.0.2.2:179', 'keepalive'],
    ],
  );
  assert.deepEqual(read.remarks, []);
});

test('AS numbers have four octets only where both OPENs say so', () => {
  const two = lines(connection({ parts: [OPEN_4, UPDATE_2] }, { parts: [OPEN_2] })).lines;
  const four = lines(connection({ parts: [OPEN_4, UPDATE_4] }, { parts: [OPEN_4] })).lines;
  const paths = [two, four].map((list) => list.find(({ type }) => type === 'update')?.attributes);
  assert.deepEqual(
    paths.map((attributes) => Reflect.get(Object(attributes), 'as_path')),
    [[{ kind: 'sequence', asns: [65001] }], [{ kind: 'sequence', asns: [4200000001] }]],
  );
  assert.equal(two[0]?.asn, 4200000001, 'the AS of an OPEN is the one of its capability');
});

test('an OPEN counts where the capture has missed the packets before it', () => {
  const side = (...parts: Uint8Array[]): Side => ({ parts, fromStart: false });
  const { lines: read } = lines(connection(side(OPEN_4, UPDATE_2), side(OPEN_2)));
  assert.deepEqual(read.at(-1)?.attributes, {
    origin: 'igp',
    as_path: [{ kind: 'sequence', asns: [65001] }],
    next_hop: ['192.0.2.1'],
  });
  assert.equal(read.at(-1)?.error, undefined);
});

test('LOCAL_PREF belongs where an OPEN says that the session is internal, and where none was captured', () => {
  // ORIGIN IGP, an empty AS_PATH, NEXT_HOP 192.0.2.1, LOCAL_PREF 100; 198.51.100.0/24 (RFC 4271 §5.1.5).
  const internal = hex(
    `${MARKER} 0030 02 0000 0015 400101 00 400200 400304 c0000201 400504 00000064 18 c63364`,
  );
  const unknown = lines(connection({ parts: [internal, UPDATE_4], fromStart: false })).lines;
  assert.deepEqual(
    unknown.map((line) => [line.error, Reflect.get(Object(line.attributes), 'local_pref')]),
    [
      [undefined, 100],
      [undefined, undefined],
    ],
  );
  const oneSide = lines(connection({ parts: [OPEN_4, internal] })).lines;
  assert.equal(oneSide[1]?.error, undefined);
  const external = lines(connection({ parts: [OPEN_4, internal] }, { parts: [OPEN_2] })).lines;
  assert.equal(external.at(-1)?.error, undefined, 'a discarded attribute is no error (RFC 7606 §2)');
  assert.match(String(external.at(-1)?.discarded), /LOCAL_PREF/);
});

test('a unicast route is shown with its octets and as a prefix', () => {
  const { lines: read } = lines(connection({ parts: [OPEN_2, UPDATE_2] }, { parts: [OPEN_2] }));
  assert.deepEqual(read.at(-1)?.announced, [
    { afi: 1, safi: 1, nlri_hex: '18c63364', prefix: '198.51.100.0/24' },
  ]);
});

test('a broken marker is Connection Not Synchronized, and reading goes on at the next marker', () => {
  const broken = KEEPALIVE.slice();
  broken[3] = 0;
  const { lines: read } = lines(connection({ parts: [concatBytes([OPEN_2, broken, KEEPALIVE])] }));
  assert.deepEqual(
    read.map(({ type, notification }) => [
      type,
      Reflect.get(Object(notification), 'code'),
      Reflect.get(Object(notification), 'subcode'),
    ]),
    [
      ['open', undefined, undefined],
      ['keepalive', 1, 1],
      ['keepalive', undefined, undefined],
    ],
  );
});

test('a length below 19 is Bad Message Length, and reading goes on', () => {
  const short = hex(`${MARKER} 0012 04`);
  const { lines: read } = lines(connection({ parts: [OPEN_2, short, KEEPALIVE] }));
  assert.deepEqual(
    read.map(({ notification }) => Reflect.get(Object(notification), 'subcode')),
    [undefined, 2, undefined],
  );
});

test('a malformed body is a line with the error, and the next message is read', () => {
  const version5 = OPEN_2.slice();
  version5[19] = 5;
  const { lines: read } = lines(connection({ parts: [version5, KEEPALIVE] }));
  assert.equal(read[0]?.type, 'open');
  assert.match(String(read[0]?.error), /version/i);
  assert.deepEqual(read[0]?.notification, {
    code: 2,
    subcode: 1,
    text: 'OPEN Message Error/Unsupported Version Number (2/1)',
  });
  assert.equal(read[1]?.type, 'keepalive');
});

test('a malformed FlowSpec NLRI is told with its octets and what RFC 7606 makes of it', () => {
  // ORIGIN, an empty AS_PATH, LOCAL_PREF, and MP_REACH_NLRI of 1/133 whose protocol component lacks its value.
  const attributes = hex('400101 00 400200 400504 00000064 800e08 0001 85 00 00 02 03 81');
  const head = hex(`${MARKER} 0030 02 0000 0019`);
  const update = concatBytes([head, attributes]);
  assert.equal(update.length, 0x30);
  const { lines: read } = lines(connection({ parts: [OPEN_2, update, KEEPALIVE] }, { parts: [OPEN_2] }));
  const line = read.find(({ type }) => type === 'update') ?? {};
  assert.deepEqual(Reflect.get(Object(line.notification), 'code'), 3);
  assert.equal(line.treatment, 'treat-as-withdraw');
  const [route = {}] = line.announced as readonly Record<string, unknown>[];
  assert.equal(route.nlri_hex, '020381');
  assert.equal(typeof route.error, 'string');
  assert.equal(read.at(-1)?.type, 'keepalive');
});

test('behind a hole in the capture the next marker is found', () => {
  const parts = [OPEN_2, concatBytes([UPDATE_2.subarray(20), KEEPALIVE])];
  const read = lines(connection({ parts, gapBefore: 1 }));
  assert.deepEqual(
    read.lines.map(({ type }) => type),
    ['open', 'keepalive'],
  );
  assert.match(read.remarks.join(), /octets before the first whole message are skipped/);
});

test('a capture that begins in the middle of a session is read from the first marker on', () => {
  const parts = [concatBytes([UPDATE_4.subarray(9), UPDATE_4])];
  const read = lines(connection({ parts, fromStart: false }));
  assert.deepEqual(
    read.lines.map(({ type, error }) => [type, error]),
    [['update', undefined]],
  );
});

test('octets at the end that are no whole message are a remark', () => {
  const read = lines(connection({ parts: [OPEN_2, KEEPALIVE.subarray(0, 7)] }));
  assert.equal(read.lines.length, 1);
  assert.match(read.remarks.join(), /the last 7 octets are not a whole message/);
});

test('BGP is found on any port, and other protocols are passed over', () => {
  assert.equal(lines(connection({ parts: [OPEN_2] }, undefined, 10179)).lines.length, 1);
  const other = lines(
    connection({ parts: [new TextEncoder().encode('GET / HTTP/1.1\r\n\r\n')] }, undefined, 80),
  );
  assert.deepEqual(other.lines, []);
  assert.match(other.remarks.join(), /is not BGP/);
});

test('nothing but 0xff is no message and no endless loop', () => {
  const read = lines(connection({ parts: [new Uint8Array(100_000).fill(0xff)] }));
  assert.equal(read.lines.length, 1);
  assert.equal(typeof read.lines[0]?.error, 'string');
});
