/** Peers that break the rules: each gets the NOTIFICATION it deserves, and a healthy peer beside it notices nothing. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { localOpen } from '../../../src/bgp/fsm/negotiate.ts';
import type { FsmConfig } from '../../../src/bgp/fsm/types.ts';
import type { Speaker } from '../../../src/bgp/speaker/speaker.ts';
import { FAMILIES } from '../../../src/bgp/wire/iana.ts';
import { encodeMessage } from '../../../src/bgp/wire/message.ts';
import { type Capability, INITIAL_CONTEXT, type OpenMessage } from '../../../src/bgp/wire/types.ts';
import { LabRouter } from '../../../src/lab/router.ts';
import { fromHex } from '../../../src/net/bytes.ts';
import { start } from '../../support/children.ts';
import { dialFrom, SCRIPT_CONFIG, type ScriptedConnection } from './scripted-peer.ts';
import { flowRoute, neighbor, speakerWith, until } from './support.ts';

const HOSTILE = '127.0.0.31';
const SPEAKER = '127.0.0.30';

let speaker: Speaker;
let log: readonly { readonly level: string; readonly text: string }[];
let downs: readonly string[];
let lab: LabRouter;
let port = 0;

before(async () => {
  lab = new LabRouter({ host: '127.0.0.1', port: 0, asn: 65002, routerId: '192.0.2.2' });
  const at = await lab.start();
  const talking = speakerWith({
    listen: { host: SPEAKER, port: 0 },
    neighbors: [
      neighbor(HOSTILE, 179, { name: 'hostile', passive: true }),
      neighbor(at.host, at.port, { name: 'healthy', peerAsn: 65002 }),
    ],
  });
  speaker = talking.speaker;
  log = talking.log;
  downs = talking.down;
  await speaker.start();
  port = speaker.listening?.port ?? 0;
  await until('the healthy peer is up', () => speaker.isEstablished('healthy'));
  speaker.apply('healthy', [flowRoute(1)], []);
});

after(async () => {
  await speaker.stop({ preserve: false });
  await lab.close();
});

/** A fresh connection of the hostile peer, its earlier sins forgiven. */
async function hostile(): Promise<ScriptedConnection> {
  speaker.setEnabled('hostile', false);
  speaker.setEnabled('hostile', true);
  return dialFrom(HOSTILE, SPEAKER, port);
}

function statusOf(name: string) {
  const status = speaker.peers().find((peer) => peer.name === name);
  assert.ok(status !== undefined);
  return status;
}

async function healthyUnharmed(): Promise<void> {
  assert.equal(statusOf('healthy').state, 'established');
  assert.ok(!downs.includes('healthy'));
  speaker.apply('healthy', [flowRoute(2)], []);
  await until('the healthy peer gets rules', () => lab.rules().length === 2);
  speaker.apply('healthy', [], [flowRoute(2).key]);
  await until('and withdrawals', () => lab.rules().length === 1);
}

function openOctets(more: Partial<OpenMessage>, config: Partial<FsmConfig> = {}): Uint8Array {
  return encodeMessage({ ...localOpen({ ...SCRIPT_CONFIG, ...config }), ...more }, INITIAL_CONTEXT);
}

function octets(hex: string): Uint8Array {
  const bytes = fromHex(hex);
  assert.ok(bytes !== undefined);
  return bytes;
}

const MARKER = 'ff'.repeat(16);

/** What is sent in place of an OPEN, the NOTIFICATION it gets, and what the operator reads. */
const BEFORE_OPEN: readonly (readonly [
  what: string,
  octets: () => Uint8Array,
  answer: string,
  error: RegExp,
])[] = [
  [
    'garbage',
    () => new TextEncoder().encode('GET / HTTP/1.1\r\nHost: router\r\n\r\n'),
    '1/1',
    /invalid BGP message: .*marker/,
  ],
  ['a marker with one wrong octet', () => octets(`${'ff'.repeat(15)}fe001304`), '1/1', /marker/],
  ['a length of 18', () => octets(`${MARKER}001204`), '1/2', /18 octets/],
  ['a length of 4097', () => octets(`${MARKER}100102`), '1/2', /4097 octets/],
  ['an unknown type', () => octets(`${MARKER}001309`), '1/3', /type 9/],
  ['a KEEPALIVE of 20 octets', () => octets(`${MARKER}00140400`), '1/2', /20/],
  ['version 3', () => openOctets({ version: 3 }), '2/1', /correct it there: version 3/],
  [
    'another AS',
    () => openOctets({}, { localAsn: 65009 }),
    '2/2',
    /peer is AS 65009 but peer_asn says 65001/,
  ],
  ['AS 0', () => openOctets({ myAs: 0, capabilities: [] }), '2/2', /AS number 0/],
  ['router id 0.0.0.0', () => openOctets({ bgpIdentifier: 0 }), '2/3', /0\.0\.0\.0/],
  ['hold time 1', () => openOctets({ holdTime: 1 }), '2/6', /hold time 1/],
  ['hold time 2', () => openOctets({ holdTime: 2 }), '2/6', /hold time 2/],
  [
    'no family in common',
    () => openOctets({}, { families: [FAMILIES['ipv4-unicast']] }),
    '2/7',
    /this side offers ipv4-flowspec, ipv6-flowspec, peer offers ipv4-unicast/,
  ],
  ['a KEEPALIVE', () => octets(`${MARKER}001304`), '5/1', /unexpected KEEPALIVE in state opensent/],
  ['an UPDATE', () => octets(`${MARKER}00170200000000`), '5/1', /unexpected UPDATE in state opensent/],
];

describe('in place of an OPEN', () => {
  for (const [what, sent, answer, error] of BEFORE_OPEN) {
    it(`${what} is answered with ${answer}`, async () => {
      const peer = await hostile();
      await peer.got('open');
      peer.sendOctets(sent());
      assert.equal(await peer.notification(), answer);
      await until('closed', () => peer.closed);
      assert.match(statusOf('hostile').lastError ?? '', error);
      await healthyUnharmed();
    });
  }

  it('an OPEN that comes octet by octet is read all the same', async () => {
    const peer = await hostile();
    for (const octet of openOctets({})) {
      peer.sendOctets(Uint8Array.of(octet));
      await new Promise((resolve) => setImmediate(resolve));
    }
    await peer.got('keepalive');
    peer.end();
  });

  it('a peer that stays silent keeps nobody out: its next connection is taken', async () => {
    const silent = await hostile();
    await silent.got('open');
    const second = await dialFrom(HOSTILE, SPEAKER, port);
    await second.establish();
    await until('established', () => speaker.isEstablished('hostile'));
    assert.equal(await silent.notification(), '6/7');
    second.end();
  });
});

/** What is sent by an established peer, the NOTIFICATION it gets, and a capability that the peer did not offer. */
const WHEN_ESTABLISHED: readonly (readonly [
  what: string,
  octets: () => Uint8Array,
  answer: string,
  without?: Capability['type'],
])[] = [
  ['garbage', () => octets('00'.repeat(64)), '1/1'],
  ['another OPEN', () => openOctets({}), '5/3'],
  ['a malformed OPEN', () => openOctets({ holdTime: 1 }), '5/3'],
  // RFC 7606 §3.a: attributes longer than the message.
  ['an UPDATE whose attributes are cut off', () => octets(`${MARKER}00170200000005`), '3/1'],
  ['withdrawn routes longer than the message', () => octets(`${MARKER}00170200ff0000`), '3/1'],
  // RFC 7606 §5.3: NLRI that cannot be parsed.
  ['NLRI of 33 bits', () => octets(`${MARKER}001c02000000002101020304`), '3/10'],
  // RFC 7313 §5: the length of a ROUTE-REFRESH is wrong.
  ['a ROUTE-REFRESH of 5 octets', () => octets(`${MARKER}0018050001008500`), '7/1'],
  ['a ROUTE-REFRESH of 5 octets', () => octets(`${MARKER}0018050001008500`), '1/2', 'enhanced-route-refresh'],
  ['a ROUTE-REFRESH of 3 octets', () => octets(`${MARKER}001605000101`), '1/2', 'enhanced-route-refresh'],
  ['a KEEPALIVE as long as no KEEPALIVE is (RFC 8654 §4)', () => octets(`${MARKER}100104`), '1/2'],
];

/** An established hostile peer that did not offer these capabilities. */
async function establishedWithout(
  ...types: readonly (Capability['type'] | undefined)[]
): Promise<ScriptedConnection> {
  const peer = await hostile();
  const open = localOpen(SCRIPT_CONFIG);
  peer.send({ ...open, capabilities: open.capabilities.filter((c) => !types.includes(c.type)) });
  await peer.got('open');
  peer.send({ type: 'keepalive' });
  await until('established', () => speaker.isEstablished('hostile'));
  return peer;
}

describe('from an established peer', () => {
  for (const [what, sent, answer, without] of WHEN_ESTABLISHED) {
    it(`${what} is answered with ${answer}${without === undefined ? '' : `, without ${without}`}`, async () => {
      const peer = await establishedWithout('extended-message', without);
      peer.sendOctets(sent());
      assert.equal(await peer.notification(), answer);
      await healthyUnharmed();
    });
  }

  it('malformed attributes that RFC 7606 forgives cost nothing', async () => {
    const peer = await hostile();
    await peer.establish();
    // ORIGIN 7 with MP_REACH_NLRI of a FlowSpec rule: treat-as-withdraw (RFC 7606 §7.1).
    peer.sendOctets(
      octets(`${MARKER}00370200000020900e000f0001850000090120c61200010381114001010740020602010000fde9`),
    );
    await until('counted', () => statusOf('hostile').counters.routesReceived === 1);
    assert.ok(speaker.isEstablished('hostile'));
    peer.end();
  });

  it('routes by the thousand are counted and dropped', async () => {
    const peer = await hostile();
    await peer.establish();
    await until('established', () => speaker.isEstablished('hostile'));
    const before = statusOf('hostile').counters.routesReceived;
    const update = octets(
      `${MARKER}00370200000020900e000f0001850000090120c61200010381114001010040020602010000fde9`,
    );
    for (let i = 0; i < 5000; i++) peer.sendOctets(update);
    await until('all counted', () => statusOf('hostile').counters.routesReceived === before + 5000);
    await healthyUnharmed();
    peer.end();
  });

  for (const length of [5096, 65_535]) {
    it(`an UPDATE of ${length} octets is read although it did not offer extended messages (RFC 8654 §4)`, async () => {
      const peer = await establishedWithout('extended-message');
      const before = statusOf('hostile').counters.routesReceived;
      // ORIGIN, AS_PATH, MP_REACH_NLRI of one rule, and an attribute of an unknown type that makes up the rest.
      const fixed = '4001010040020602010000fde9' + '900e000f0001850000090120c6120001038111';
      const filler = length - 23 - fixed.length / 2 - 4;
      const unknown = `d063${filler.toString(16).padStart(4, '0')}${'00'.repeat(filler)}`;
      const total = (fixed.length + unknown.length) / 2;
      const u16 = (n: number): string => n.toString(16).padStart(4, '0');
      peer.sendOctets(octets(`${MARKER}${u16(23 + total)}020000${u16(total)}${fixed}${unknown}`));
      await until('counted', () => statusOf('hostile').counters.routesReceived === before + 1);
      assert.ok(speaker.isEstablished('hostile'));
      peer.end();
    });
  }

  it('a ROUTE-REFRESH with the reserved octet set is a request where it is reserved (RFC 2918 §3)', async () => {
    const peer = await establishedWithout('enhanced-route-refresh');
    speaker.apply('hostile', [flowRoute(1)], []);
    await peer.got('update', 1);
    peer.send({ type: 'route_refresh', family: { afi: 1, safi: 133 }, subtype: 1 });
    await peer.got('update', 2);
    assert.ok(!peer.messages.some((message) => message.type === 'route_refresh'), 'no marks');
    peer.end();
  });

  it('a ROUTE-REFRESH with a subtype that is no request is not answered where it is one (RFC 7313 §5)', async () => {
    const peer = await establishedWithout();
    speaker.apply('hostile', [flowRoute(1)], []);
    await peer.got('update', 1);
    for (const subtype of [1, 2, 3, 255]) {
      peer.send({ type: 'route_refresh', family: { afi: 1, safi: 133 }, subtype });
    }
    peer.send({ type: 'route_refresh', family: { afi: 1, safi: 133 }, subtype: 0 });
    await peer.got('route_refresh', 2);
    assert.equal(peer.messages.filter((message) => message.type === 'update').length, 2);
    peer.end();
  });

  it('a NOTIFICATION behind a thousand messages is read although the connection closes right behind it', async () => {
    const peer = await hostile();
    await peer.establish();
    await until('established', () => speaker.isEstablished('hostile'));
    // RFC 4271 §4.4, §4.5: KEEPALIVEs, then Cease, Maximum Number of Prefixes Reached (RFC 4486 §4).
    peer.socket.end(octets(`${`${MARKER}001304`.repeat(1000)}${MARKER}0015030601`));
    await until('down', () => !speaker.isEstablished('hostile'));
    assert.deepEqual(
      [
        statusOf('hostile').lastNotificationReceived?.code,
        statusOf('hostile').lastNotificationReceived?.subcode,
      ],
      [6, 1],
    );
    assert.match(statusOf('hostile').lastError ?? '', /prefix limit/);
  });

  it('requests for everything again, a hundred at once, are answered and do no harm', async () => {
    const peer = await hostile();
    await peer.establish();
    await until('established', () => speaker.isEstablished('hostile'));
    speaker.apply('hostile', [flowRoute(1), flowRoute(2)], []);
    await peer.got('update', 1);
    for (let i = 0; i < 100; i++)
      peer.send({ type: 'route_refresh', family: { afi: 1, safi: 133 }, subtype: 0 });
    await peer.got('update', 2);
    await healthyUnharmed();
    peer.end();
  });
});

/**
 * A process of its own that connects, sends the OPEN and a KEEPALIVE, and then writes the UPDATE as often as the octets
 * wanted take, as fast as it is read. Arguments: source and destination address, port, OPEN, UPDATE, octets.
 */
const FLOOD = `
  const [from, to, port, open, update, octets] = process.argv.slice(1);
  const socket = require('node:net').connect({ host: to, port: Number(port), localAddress: from });
  const one = Buffer.from(update, 'hex');
  const block = Buffer.concat(Array.from({ length: 256 }, () => one));
  let left = Math.ceil(Number(octets) / block.length);
  const more = () => {
    while (left-- > 0) if (!socket.write(block)) return;
  };
  socket.once('connect', () => socket.write(Buffer.from(open, 'hex')));
  socket.once('data', () => {
    socket.write(Buffer.from('${MARKER}001304', 'hex'));
    socket.on('drain', more);
    more();
  });
  socket.resume();
`;

describe('a peer that sends 100 MB of UPDATEs without a pause', () => {
  it('is read in turns: a session beside it with a hold time of 3 s goes on, and rules reach it meanwhile', async (t) => {
    const [floodFrom, floodTo] = ['127.0.0.33', '127.0.0.34'];
    const router = new LabRouter({
      host: '127.0.0.1',
      port: 0,
      asn: 65002,
      routerId: '192.0.2.2',
      holdTimeSeconds: 3,
    });
    const at = await router.start();
    const {
      speaker: talker,
      up,
      down,
    } = speakerWith({
      listen: { host: floodTo, port: 0 },
      neighbors: [
        neighbor(floodFrom, 179, { name: 'flood', passive: true }),
        neighbor(at.host, at.port, { name: 'healthy', peerAsn: 65002, holdTimeSeconds: 3 }),
      ],
    });
    await talker.start();
    await until('the healthy peer is up', () => up.includes('healthy'));
    // 404 rules of 10 octets (RFC 8955 §4), ORIGIN and AS_PATH.
    const nlri = '090120c6120001038111'.repeat(404);
    const reach = `900e${(5 + 4040).toString(16).padStart(4, '0')}0001850000${nlri}`;
    const attributes = `${reach}4001010040020602010000fde9`;
    const length = attributes.length / 2;
    const update = `${MARKER}${(23 + length).toString(16).padStart(4, '0')}020000${length.toString(16).padStart(4, '0')}${attributes}`;
    const wanted = 100_000_000;
    const open = Buffer.from(openOctets({})).toString('hex');
    const port = talker.listening?.port ?? 0;
    const child = start(process.execPath, [
      '-e',
      FLOOD,
      floodFrom,
      floodTo,
      `${port}`,
      open,
      update,
      `${wanted}`,
    ]);
    t.after(() => child.stop('SIGKILL'));
    const counted = (): number =>
      talker.peers().find(({ name }) => name === 'flood')?.counters.routesReceived ?? 0;
    const all = Math.ceil(wanted / (256 * (update.length / 2))) * 256 * 404;
    await until('the flood has begun', () => counted() > 0);
    let meanwhile = 0;
    for (let round = 0; counted() < all; round++) {
      talker.apply('healthy', [flowRoute(round)], []);
      await until('the rule stands', () => router.rules().length === 1);
      talker.apply('healthy', [], [flowRoute(round).key]);
      await until('and is withdrawn', () => router.rules().length === 0);
      if (counted() < all) meanwhile++;
    }
    assert.equal(counted(), all);
    assert.ok(meanwhile >= 5, `${meanwhile} rules came and went during the flood`);
    assert.deepEqual(down, []);
    await talker.stop({ preserve: false });
    await router.close();
  });
});

describe('a peer that never reads', () => {
  it('costs bounded memory, counts as sent only what left, and holds up nobody', async () => {
    const peer = await hostile();
    await peer.establish();
    await until('established', () => speaker.isEstablished('hostile'));
    peer.socket.pause();
    // Some 8 MB of withdrawals and announcements, ten times over: more than the kernel buffers.
    const many = Array.from({ length: 50_000 }, (_, n) => flowRoute(n));
    const long = many.map((route) => {
      // dst-port with 60 values, so that a rule takes 200 octets.
      const ports = `05${'110050'.repeat(59)}910050`;
      const nlri = octets(`bd${Buffer.from(route.nlri.subarray(1)).toString('hex')}${ports}`);
      return { ...route, nlri };
    });
    speaker.apply('hostile', long, []);
    const unwritten = (): number => speaker.ribOut('hostile').pendingCount;
    let before = unwritten();
    await until(
      'the transport is full',
      () => {
        const now = unwritten();
        const full = now === before && now < 50_000;
        before = now;
        return full;
      },
      20_000,
    );
    const status = statusOf('hostile');
    assert.ok(unwritten() > 0, 'some were not even written');
    // What the peer's TCP has not acknowledged is pending, too.
    assert.ok(
      status.rulesPending > unwritten(),
      `${status.rulesPending} pending, ${unwritten()} not written`,
    );
    assert.equal(status.rulesSent + status.rulesPending, 50_000);
    await healthyUnharmed();
    // What waits is coalesced: changing all of it again makes no more of it.
    speaker.apply(
      'hostile',
      [],
      many.map((route) => route.key),
    );
    assert.ok(statusOf('hostile').rulesPending <= 50_000);
    peer.end();
    await until('down', () => !speaker.isEstablished('hostile'));
    assert.equal(statusOf('hostile').rulesPending, 0);
  });
});

describe('a peer that flaps', () => {
  it('is damped, and the wait is over when its time has come', async () => {
    let established = 0;
    const first = await hostile();
    await first.establish();
    first.end();
    const start = performance.now();
    for (let i = 0; i < 20; i++) {
      const peer = await dialFrom(HOSTILE, SPEAKER, port);
      peer.sendOpen();
      await new Promise((resolve) => setTimeout(resolve, 50));
      if (peer.messages.some((message) => message.type === 'open')) established++;
      peer.end();
    }
    // Twenty connections in a good second, of which those that fell into the wait of 0.75 s and more were not served.
    assert.ok(performance.now() - start >= 1000);
    assert.ok(established <= 8, `${established} were served`);
    await healthyUnharmed();
  });
});

describe('a connection that nobody expects', () => {
  it('from an unknown address gets 6/5, and one line in the log for many', async () => {
    const lines = (): number => log.filter(({ text }) => text.includes('no neighbor is configured')).length;
    for (let i = 0; i < 20; i++) {
      const peer = await dialFrom('127.0.0.32', SPEAKER, port);
      assert.equal(await peer.notification(), '6/5');
      await until('closed', () => peer.closed);
    }
    assert.equal(lines(), 1);
  });

  it('of a neighbor that is disabled gets 6/2 with the reason, and one line in the log each time it is disabled', async () => {
    const lines = (): number =>
      log.filter(({ level, text }) => level === 'info' && text.includes('is disabled here')).length;
    const before = lines();
    speaker.setEnabled('hostile', false, 'until the audit is over');
    for (let i = 0; i < 3; i++) {
      const peer = await dialFrom(HOSTILE, SPEAKER, port);
      assert.equal(await peer.notification(), '6/2');
      const [said] = peer.messages;
      assert.ok(said?.type === 'notification');
      // RFC 9003 §2: the length of the text, and the text.
      assert.equal(Buffer.from(said.data).toString(), '\x17until the audit is over');
    }
    assert.equal(lines() - before, 1);
    assert.equal(statusOf('hostile').state, 'idle');
    speaker.setEnabled('hostile', true);
    await healthyUnharmed();
  });
});
