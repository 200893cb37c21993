/** `prefixd pcap` reads and checks messages by what the two speakers negotiated. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { concatBytes } from '../../src/net/bytes.ts';
import {
  ATTRIBUTES,
  answered,
  capability,
  errorsOf,
  hex,
  KEEPALIVE,
  type Line,
  message,
  open,
  readSession,
  sent,
  update,
} from './captured.ts';

const ADD_PATH = 69;
/** Send/Receive of ADD-PATH (RFC 7911 §4). */
const [RECEIVE, SEND, BOTH] = ['01', '02', '03'];
const IPV4 = '0001 01';
const IPV6 = '0002 01';
const FLOWSPEC = '0001 85';
const VPN = '0001 80';
const EVPN = '0019 46';

/** MP_REACH_NLRI (RFC 4760 §3) with a length of two octets. */
function reach(family: string, nextHop: string, nlri: string): string {
  const value = `${family} ${byte(hex(nextHop).length)} ${nextHop} 00 ${nlri}`;
  return `900e ${byte(hex(value).length >> 8)}${byte(hex(value).length & 0xff)} ${value}`;
}

function unreach(family: string, nlri: string): string {
  return `800f ${byte(3 + hex(nlri).length)} ${family} ${nlri}`;
}

function byte(value: number): string {
  return value.toString(16).padStart(2, '0');
}

const PATH = '400101 00 400206 0201 0000fde9';
const routesOf = (lines: readonly Line[]) =>
  lines.flatMap(({ announced = [], withdrawn = [] }) => [...announced, ...withdrawn]);

describe('ADD-PATH (RFC 7911)', () => {
  const IDENTIFIED = [
    ['IPv4 unicast', IPV4, { attributes: ATTRIBUTES, nlri: '00000007 18 c63364 00000008 18 c63364' }],
    ['IPv4 unicast, withdrawn', IPV4, { withdrawn: '00000007 18 c63364 00000008 18 c63364' }],
    [
      'IPv6 unicast',
      IPV6,
      {
        attributes: `${PATH} ${reach(IPV6, '20010db8000000000000000000000001', '00000007 20 20010db8 00000008 20 20010db8')}`,
      },
    ],
    [
      'FlowSpec',
      FLOWSPEC,
      { attributes: `${PATH} ${reach(FLOWSPEC, '', '00000007 03 038106 00000008 03 038111')}` },
    ],
    [
      'FlowSpec, withdrawn',
      FLOWSPEC,
      { attributes: unreach(FLOWSPEC, '00000007 03 038106 00000008 03 038106') },
    ],
    [
      'VPN',
      VPN,
      {
        attributes: `${PATH} ${reach(VPN, '0000000000000000 c0000201', '00000007 70 000641 0000fde800000064 c63364 00000008 70 000641 0000fde800000064 c63364')}`,
      },
    ],
    [
      'EVPN',
      EVPN,
      { attributes: `${PATH} ${reach(EVPN, 'c0000201', '00000007 05 02 aabb 00000008 05 02 aabb')}` },
    ],
  ] as const;
  for (const [what, family, parts] of IDENTIFIED) {
    test(`${what}: routes have their identifiers where one side sends and the other receives them`, async (t) => {
      const { lines } = await readSession(t, [
        sent(open(65001, [capability(ADD_PATH, `${family} ${SEND}`)])),
        answered(open(65002, [capability(ADD_PATH, `${family} ${RECEIVE}`)])),
        sent(update(parts)),
      ]);
      assert.deepEqual(errorsOf(lines), []);
      const routes = routesOf(lines);
      assert.deepEqual(
        routes.map(({ path_id }) => path_id),
        [7, 8],
      );
      for (const { nlri_hex, error } of routes) {
        assert.equal(error, undefined);
        assert.ok(!nlri_hex.startsWith('000000'), 'nlri_hex is the route, and the identifier is in path_id');
      }
    });
  }

  test('the other direction is read by itself', async (t) => {
    const { lines } = await readSession(t, [
      sent(open(65001, [capability(ADD_PATH, `${IPV4} ${SEND}`)])),
      answered(open(65002, [capability(ADD_PATH, `${IPV4} ${RECEIVE}`)])),
      answered(update({ attributes: ATTRIBUTES, nlri: '18 c63364 18 c63365' })),
    ]);
    assert.deepEqual(errorsOf(lines), []);
    assert.deepEqual(
      routesOf(lines).map(({ prefix, path_id }) => [prefix, path_id]),
      [
        ['198.51.100.0/24', undefined],
        ['198.51.101.0/24', undefined],
      ],
    );
  });

  for (const [what, client, server] of [
    ['both only send', SEND, SEND],
    ['both only receive', RECEIVE, RECEIVE],
    ['the other side did not offer it', BOTH, undefined],
  ] as const) {
    test(`there are no identifiers where ${what}`, async (t) => {
      const { lines } = await readSession(t, [
        sent(open(65001, [capability(ADD_PATH, `${IPV4} ${client}`)])),
        answered(open(65002, server === undefined ? [] : [capability(ADD_PATH, `${IPV4} ${server}`)])),
        sent(update({ attributes: ATTRIBUTES, nlri: '18 c63364' })),
        answered(update({ attributes: ATTRIBUTES, nlri: '18 c63365' })),
      ]);
      assert.deepEqual(errorsOf(lines), []);
      assert.deepEqual(
        routesOf(lines).map(({ prefix }) => prefix),
        ['198.51.100.0/24', '198.51.101.0/24'],
      );
    });
  }

  test('families that were not named have none', async (t) => {
    const offer = (asn: number) => open(asn, [capability(ADD_PATH, `${IPV6} ${BOTH}`)]);
    const { lines } = await readSession(t, [
      sent(offer(65001)),
      answered(offer(65002)),
      sent(update({ attributes: ATTRIBUTES, nlri: '18 c63364' })),
    ]);
    assert.deepEqual(errorsOf(lines), []);
    assert.equal(routesOf(lines)[0]?.path_id, undefined);
    assert.deepEqual(lines[0]?.capabilities?.at(-1), {
      type: 'add-path',
      families: [{ afi: 2, safi: 1, receive: true, send: true }],
    });
  });

  test('an identifier without its route is an error', async (t) => {
    const offer = (asn: number) => open(asn, [capability(ADD_PATH, `${IPV4} ${BOTH}`)]);
    const { lines } = await readSession(t, [
      sent(offer(65001)),
      answered(offer(65002)),
      sent(update({ attributes: ATTRIBUTES, nlri: '00000007 18 c63364 00000008' })),
    ]);
    assert.deepEqual(errorsOf(lines), ['3/10 NLRI: the last Path Identifier has no prefix']);
  });

  test('one OPEN that does not offer it settles that there are none', async (t) => {
    const { lines, stderr } = await readSession(t, [
      sent(open(65001)),
      sent(update({ attributes: ATTRIBUTES, nlri: '18 c63364' })),
    ]);
    assert.deepEqual(errorsOf(lines), []);
    assert.doesNotMatch(stderr, /Path Identifiers/);
  });

  test('plain routes of a session without OPENs stay plain', async (t) => {
    const { lines, stderr } = await readSession(
      t,
      [sent(update({ attributes: ATTRIBUTES, nlri: '18 c63364 08 0a' }))],
      { handshake: false },
    );
    assert.deepEqual(errorsOf(lines), []);
    assert.deepEqual(
      routesOf(lines).map(({ prefix }) => prefix),
      ['198.51.100.0/24', '10.0.0.0/8'],
    );
    assert.doesNotMatch(stderr, /Path Identifiers/);
  });
});

describe('IPv6 next hops of IPv4 routes (RFC 8950)', () => {
  const NEXT_HOP = capability(5, '0001 0001 0002');
  const ipv4Over6 = update({
    attributes: `${PATH} ${reach(IPV4, '20010db8000000000000000000000001', '18 c63364')}`,
  });

  test('go to a receiver that advertised them', async (t) => {
    const { lines } = await readSession(t, [
      sent(open(65001)),
      answered(open(65002, [NEXT_HOP])),
      sent(ipv4Over6),
    ]);
    assert.deepEqual(errorsOf(lines), []);
    assert.deepEqual(lines.at(-1)?.attributes?.next_hop, ['2001:db8::1']);
  });

  test('are an error for one that did not', async (t) => {
    const { lines } = await readSession(t, [
      sent(open(65001, [NEXT_HOP])),
      answered(open(65002)),
      sent(ipv4Over6),
    ]);
    assert.deepEqual(errorsOf(lines), ['3/9 MP_REACH_NLRI: invalid next hop length of 16 octets']);
  });

  test('are believed where the OPENs were not captured', async (t) => {
    const { lines } = await readSession(t, [sent(ipv4Over6)], { handshake: false });
    assert.deepEqual(errorsOf(lines), []);
    assert.equal(routesOf(lines)[0]?.prefix, '198.51.100.0/24');
  });

  test('of VPN routes are shown as addresses', async (t) => {
    const vpn = reach(
      VPN,
      '0000000000000000 20010db8000000000000000000000001',
      '70 000641 0000fde800000064 c63364',
    );
    const { lines } = await readSession(t, [
      sent(open(65001)),
      answered(open(65002)),
      sent(update({ attributes: `${PATH} ${vpn}` })),
    ]);
    assert.deepEqual(lines.at(-1)?.attributes?.next_hop, ['2001:db8::1']);
  });
});

describe('the width of AS numbers without OPENs (RFC 6793)', () => {
  const middle = { handshake: false };
  const path = (segments: string, more = '') =>
    update({
      attributes: `400101 00 4002${byte(hex(segments).length)} ${segments} 400304 c0000201 ${more}`,
      nlri: '18 c63364',
    });
  const asns = (lines: readonly Line[]) =>
    lines.map(({ attributes }) => attributes?.as_path?.map((one) => one.asns));
  /** One sequence of 4259970538 and 33684971, or one of 65001 and 65002 with one of 65003 behind it. */
  const EITHER = '0202 fde9 fdea 0201 fdeb';

  test('is four octets where those alone fit', async (t) => {
    const { lines, stderr } = await readSession(t, [sent(path('0201 0000fde9'))], middle);
    assert.deepEqual(errorsOf(lines), []);
    assert.deepEqual(asns(lines), [[[65001]]]);
    assert.match(stderr, /read with 4 octets, the only width that works/);
  });

  test('is said to be ambiguous where both fit', async (t) => {
    const { lines, stderr } = await readSession(t, [sent(path(EITHER))], middle);
    assert.deepEqual(errorsOf(lines), []);
    assert.match(stderr, /AS numbers are ambiguous, 2 and 4 octets both work/);
    assert.match(
      lines[0]?.notes?.join() ?? '',
      /AS_PATH is ambiguous: it reads as 4259970538 33684971 .* and as 65001 65002 65003 with 2/,
    );
  });

  test('is settled for all by one UPDATE in which a single width fits', async (t) => {
    const { lines, stderr } = await readSession(t, [sent(path(EITHER)), answered(path('0201 fde9'))], middle);
    assert.deepEqual(asns(lines), [[[65001, 65002], [65003]], [[65001]]]);
    assert.equal(lines[0]?.notes, undefined);
    assert.match(stderr, /read with 2 octets/);
  });

  test('follows AGGREGATOR and the AS4 attributes', async (t) => {
    const aggregated = await readSession(t, [sent(path(EITHER, 'c00706 fde9 c0000201'))], middle);
    assert.match(aggregated.stderr, /read with 2 octets/);
    const as4 = await readSession(t, [sent(path(EITHER, 'c01106 0201 fa56ea00'))], middle);
    assert.match(as4.stderr, /read with 2 octets/);
    assert.deepEqual(errorsOf([...aggregated.lines, ...as4.lines]), []);
  });

  test('is nothing to speak of where no path has an AS number', async (t) => {
    const { lines, stderr } = await readSession(t, [sent(path('', '400504 00000064'))], middle);
    assert.deepEqual(errorsOf(lines), []);
    assert.equal(lines[0]?.attributes?.local_pref, 100);
    assert.doesNotMatch(stderr, /AS numbers/);
  });

  test('is two where the only OPEN that was captured has no 4-octet AS numbers', async (t) => {
    // Version 4, AS 65001, hold time 90, no capabilities.
    const old = message(1, hex('04 fde9 005a c0000201 00'));
    const { lines } = await readSession(t, [sent(old), sent(path('0201 fde9'))]);
    assert.deepEqual(errorsOf(lines), []);
  });

  test('is inferred where the only OPEN that was captured leaves it to the other side', async (t) => {
    const { lines, stderr } = await readSession(t, [sent(open(65001)), sent(path('0201 fde9'))]);
    assert.deepEqual(errorsOf(lines), []);
    assert.deepEqual(lines.at(-1)?.attributes?.as_path?.[0]?.asns, [65001]);
    assert.match(stderr, /one OPEN was not captured: AS numbers are read with 2 octets/);
  });
});

describe('internal sessions whose OPENs were not captured', () => {
  test('show what internal peers alone are sent', async (t) => {
    const reflected = update({
      attributes: `${ATTRIBUTES} 400504 00000064 800904 c0000203 800a04 c0000204`,
      nlri: '18 c63364',
    });
    const { lines } = await readSession(t, [sent(reflected)], { handshake: false });
    assert.deepEqual([lines[0]?.error, lines[0]?.discarded], [undefined, undefined]);
    assert.equal(lines[0]?.attributes?.local_pref, 100);
  });

  test('members of a confederation send LOCAL_PREF though their AS numbers differ (RFC 5065 §5)', async (t) => {
    const member = update({
      attributes: '400101 00 400206 0301 0000fde9 400304 c0000201 400504 00000064',
      nlri: '18 c63364',
    });
    const { lines } = await readSession(t, [sent(open(65001)), answered(open(65002)), sent(member)]);
    assert.deepEqual([lines[2]?.error, lines[2]?.discarded], [undefined, undefined]);
    assert.equal(lines[2]?.attributes?.local_pref, 100);
  });
});

describe('long messages (RFC 8654)', () => {
  const long = update({ attributes: `${ATTRIBUTES} d063 1000 ${'00'.repeat(4096)}`, nlri: '18 c63364' });

  test('go to a receiver that advertised them, whatever the sender did', async (t) => {
    const { lines } = await readSession(t, [
      sent(open(65001)),
      answered(open(65002, [{ type: 'extended-message' }])),
      sent(long),
    ]);
    assert.deepEqual(errorsOf(lines), []);
  });

  test('are Bad Message Length for one that did not, and reading goes on', async (t) => {
    const { lines } = await readSession(t, [
      sent(open(65001, [{ type: 'extended-message' }])),
      answered(open(65002)),
      sent(concatBytes([long, KEEPALIVE])),
    ]);
    assert.match(errorsOf(lines).join(), /^1\/2 /);
    assert.equal(lines.at(-1)?.type, 'keepalive');
  });
});

describe('messages that prefixd does not speak', () => {
  const session = [sent(open(65001)), answered(open(65002))];

  for (const type of [6, 7, 128, 255]) {
    test(`type ${type} is shown as unknown, without an error, and reading goes on`, async (t) => {
      const { lines } = await readSession(t, [
        ...session,
        sent(concatBytes([message(type, hex('0001 0085')), KEEPALIVE])),
      ]);
      assert.deepEqual(errorsOf(lines), []);
      const [unknown, next] = lines.slice(2);
      assert.deepEqual([unknown?.type, unknown?.message_type], ['unknown', type]);
      assert.match(unknown?.notes?.join() ?? '', /Bad Message Type \(1\/3\)/);
      assert.equal(next?.type, 'keepalive');
    });
  }

  test('a ROUTE-REFRESH nobody agreed on is none', async (t) => {
    const { lines } = await readSession(t, [...session, sent(message(5, hex('0001 00 85')))]);
    assert.deepEqual(errorsOf(lines), []);
    assert.equal(lines.at(-1)?.type, 'route_refresh');
  });

  test('outbound route filters of a ROUTE-REFRESH (RFC 5291) are shown where both sides offered them', async (t) => {
    const orf = capability(3, '0001 00 01 01 40 03');
    // Refresh immediately; one entry of type 64, four octets.
    const refresh = message(5, hex('0001 00 01 01 40 0004 00000000'));
    const agreed = await readSession(t, [
      sent(open(65001, [orf])),
      answered(open(65002, [orf])),
      sent(refresh),
    ]);
    assert.deepEqual(errorsOf(agreed.lines), []);
    assert.equal(agreed.lines.at(-1)?.filters, '0140000400000000');
    const not = await readSession(t, [...session, sent(refresh)]);
    assert.equal(errorsOf(not.lines).length, 1);
  });
});

describe('what is no BGP', () => {
  const text = (value: string): Uint8Array => new TextEncoder().encode(value);

  test('on the BGP port is said to be so, with its beginning', async (t) => {
    const { code, lines, stderr } = await readSession(t, [
      sent(text('GET / HTTP/1.1\r\n\r\n')),
      answered(text('HTTP/1.1 400 Bad Request\r\n\r\n')),
    ]);
    assert.deepEqual(lines, []);
    assert.equal(code, 5);
    assert.match(
      stderr,
      /10\.0\.0\.1:50000 -> 10\.0\.0\.2:179: the 18 octets on port 179 are not BGP; they begin with "GET/,
    );
    assert.match(stderr, /10\.0\.0\.2:179 -> 10\.0\.0\.1:50000: the 28 octets on port 179 are not BGP/);
  });

  test('is told as hexadecimal where it is no text', async (t) => {
    const { stderr } = await readSession(t, [sent(hex(`160301 0200 0100 01fc 0303 ${'5a'.repeat(40)}`))]);
    assert.match(stderr, /are not BGP; they begin with 0x1603010200010001fc0303/);
  });

  test('may be the middle of a message where the capture has no beginning', async (t) => {
    const { lines, stderr } = await readSession(t, [sent(hex('00'.repeat(40)))], { handshake: false });
    assert.deepEqual(lines, []);
    assert.match(stderr, /are not BGP, or the middle of a message/);
  });

  test('a first message whose marker is damaged is still BGP', async (t) => {
    const broken = KEEPALIVE.slice();
    broken[5] = 0;
    const cleared = KEEPALIVE.slice().fill(0, 0, 16);
    for (const octets of [broken, cleared]) {
      const { lines } = await readSession(t, [sent(octets)]);
      assert.match(errorsOf(lines).join(), /^1\/1 /);
    }
  });

  test('connections of other protocols are named up to a number, and counted from there on', async () => {
    const { readConversation } = await import('../../src/tools/conversation/conversation.ts');
    const streams = Array.from({ length: 14 }, (_, i) => ({
      connection: i + 1,
      src: { address: '192.0.2.1', port: 40_000 + i },
      dst: { address: '192.0.2.2', port: 443 },
      fromStart: true,
      end: undefined,
      chunks: [{ packet: i + 1, time: undefined, bytes: text('hello') }],
      gaps: [],
    }));
    const { remarks } = readConversation(streams);
    assert.equal(remarks.length, 11);
    assert.equal(remarks.at(-1), '4 more connections are not BGP');
  });
});
