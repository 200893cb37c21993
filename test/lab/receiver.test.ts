/** The lab router as a receiver by the book, in virtual time. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { localOpen } from '../../src/bgp/fsm/negotiate.ts';
import type { FsmConfig } from '../../src/bgp/fsm/types.ts';
import type { Family } from '../../src/bgp/wire/iana.ts';
import { MessageFramer } from '../../src/bgp/wire/framing.ts';
import { decodeMessage, encodeMessage } from '../../src/bgp/wire/message.ts';
import type { BgpMessage, Capability, CodecContext, PathAttributes } from '../../src/bgp/wire/types.ts';
import { endOfRib, isEndOfRib, makeUpdate } from '../../src/bgp/wire/update.ts';
import { LabRouter } from '../../src/lab/router.ts';
import { fromHex, toHex } from '../../src/net/bytes.ts';
import { SCRIPT_CONFIG } from '../bgp/speaker/scripted-peer.ts';
import { type SimulatedConnection, SimulatedNet, SimulatedProcess } from '../bgp/speaker/simulated-net.ts';
import { DISCARD, FLOW4, FLOW6, flowRoute, POLICE } from '../bgp/speaker/support.ts';

const ROUTER = '192.0.2.1';
const CONTEXT: CodecContext = { fourOctetAs: true, extendedMessages: false, internal: false };
const RESTART = { restartTimeSeconds: 120, longLivedStaleSeconds: 0, restarting: false } as const;

/** A speaker of AS 65010 on one connection. */
class Announcer {
  readonly received: BgpMessage[] = [];
  closed = false;
  readonly #net: SimulatedNet;
  #connection: SimulatedConnection | undefined;

  constructor(net: SimulatedNet) {
    this.#net = net;
  }

  /** Establishes a session; `capabilities` changes what the OPEN offers. */
  establish(
    config: Partial<FsmConfig> = {},
    capabilities: (offered: readonly Capability[]) => readonly Capability[] = (offered) => offered,
  ): this {
    const process = new SimulatedProcess(this.#net, '192.0.2.10');
    const open = localOpen({
      ...SCRIPT_CONFIG,
      localAsn: 65010,
      localIdentifier: 0xc000020a,
      peerAsn: 65001,
      ...config,
    });
    this.#net.connect(process, ROUTER, (connection) => {
      assert.ok(connection !== undefined);
      this.#connection = connection;
      const framer = new MessageFramer();
      connection.use({
        onData: (octets) => {
          framer.push(octets);
          for (let next = framer.next(true); next !== undefined; next = framer.next(true)) {
            const message = decodeMessage(next.slice(), CONTEXT);
            this.received.push(message);
            if (message.type === 'open') this.send({ type: 'keepalive' });
          }
        },
        onDrain: () => undefined,
        onClose: () => {
          this.closed = true;
        },
      });
      this.send({ ...open, capabilities: capabilities(open.capabilities) });
    });
    this.#net.pass(200);
    return this;
  }

  /** Sends, and lets it arrive. */
  send(...messages: readonly BgpMessage[]): void {
    for (const message of messages) this.sendOctets(encodeMessage(message, CONTEXT));
  }

  sendOctets(octets: Uint8Array): void {
    this.#connection?.write(octets);
  }

  announce(...rules: readonly number[]): void {
    for (const n of rules) this.send(announcement(n));
    this.#net.pass(100);
  }

  refresh(subtype: number, family: Family = FLOW4): void {
    this.send({ type: 'route_refresh', family, subtype });
    this.#net.pass(100);
  }

  /** The connection ends without a word, as when the process is killed. */
  vanish(): void {
    void this.#connection?.close();
    this.#net.pass(100);
  }

  notifications(): readonly string[] {
    return this.received.flatMap((message) =>
      message.type === 'notification' ? [`${message.code}/${message.subcode}`] : [],
    );
  }
}

function announcement(n: number, more: Partial<PathAttributes> = {}): BgpMessage {
  return makeUpdate({
    attributes: {
      origin: 0,
      asPath: [{ kind: 'sequence', asns: [65010] }],
      extendedCommunities: DISCARD.extendedCommunities,
      mpReach: { family: FLOW4, nextHop: new Uint8Array(0), nlri: flowRoute(n).nlri },
      ...more,
    },
  });
}

async function lab(helper = true) {
  const net = new SimulatedNet(1);
  const changes: string[] = [];
  const router = new LabRouter(
    {
      host: ROUTER,
      port: 179,
      asn: 65001,
      routerId: ROUTER,
      helper,
      holdTimeSeconds: 0,
      onChange: ({ kind, text }) => changes.push(`${kind} ${text}`),
    },
    new SimulatedProcess(net, ROUTER).runtime(),
  );
  await router.start();
  /** The rules by their number, stale ones with a question mark. */
  const holds = (): string =>
    router
      .rules()
      .map(({ text, stale }) => `${/18\.0\.(\d+)/.exec(text)?.[1]}${stale ? '?' : ''}`)
      .join(' ');
  return { net, router, changes, holds, speaker: () => new Announcer(net) };
}

describe('a rule that is announced again in a malformed way is withdrawn', () => {
  const MALFORMED: readonly (readonly [source: string, what: string, message: BgpMessage | Uint8Array])[] = [
    ['RFC 7606 §7.1', 'an ORIGIN of 7', withOrigin(7)],
    [
      'RFC 8955 §10',
      'a traffic-rate that is no number',
      announcement(1, { extendedCommunities: Uint8Array.of(0x80, 6, 0, 0, 0x7f, 0xc0, 0, 0) }),
    ],
    [
      'RFC 5065 §5',
      'an AS_PATH with a confederation',
      announcement(1, { asPath: [{ kind: 'confed-sequence', asns: [65010] }] }),
    ],
    ['RFC 7606 §3.d', 'no AS_PATH', withoutAsPath()],
  ];
  for (const [source, what, message] of MALFORMED) {
    it(`${what} (${source})`, async () => {
      const { net, holds, changes, speaker, router } = await lab();
      const one = speaker().establish();
      one.announce(1, 2);
      assert.equal(holds(), '1 2');
      one.sendOctets(message instanceof Uint8Array ? message : encodeMessage(message, CONTEXT));
      net.pass(100);
      assert.equal(holds(), '2');
      assert.ok(changes.some((change) => change.startsWith('refused')));
      assert.ok(changes.includes('withdrawn match dst 198.18.0.1/32 proto udp then discard'));
      assert.equal(router.established, 1);
    });
  }

  it('but the session is reset where the end of a rule cannot be found (RFC 7606 §3.j)', async () => {
    const { net, holds, speaker } = await lab(false);
    const one = speaker().establish();
    one.announce(1);
    const nlri = flowRoute(1).nlri.slice(0, 5);
    one.send(announcement(1, { mpReach: { family: FLOW4, nextHop: new Uint8Array(0), nlri } }));
    net.pass(100);
    assert.deepEqual(one.notifications(), ['3/9']);
    assert.equal(holds(), '');
  });

  it('and a family that was not negotiated changes nothing', async () => {
    const { net, holds, speaker } = await lab();
    const one = speaker().establish({ families: [FLOW4] });
    one.announce(1);
    one.send(
      announcement(9, { mpReach: { family: FLOW6, nextHop: new Uint8Array(0), nlri: flowRoute(9).nlri } }),
    );
    net.pass(100);
    assert.equal(holds(), '1');
    assert.deepEqual(one.notifications(), []);
  });
});

/** The octets of an announcement, with a value that is not encoded: `40 01 01` and the value (RFC 4271 §4.3). */
function withOrigin(value: number): Uint8Array {
  const hex = toHex(encodeMessage(announcement(1), CONTEXT));
  const octets = fromHex(hex.replace('40010100', `400101${value.toString(16).padStart(2, '0')}`));
  assert.ok(octets !== undefined);
  return octets;
}

function withoutAsPath(): BgpMessage {
  const { asPath: _, ...attributes } = {
    origin: 0,
    asPath: undefined,
    extendedCommunities: DISCARD.extendedCommunities,
    mpReach: { family: FLOW4, nextHop: new Uint8Array(0), nlri: flowRoute(1).nlri },
  };
  return makeUpdate({ attributes });
}

describe('a route refresh (RFC 7313 §4)', () => {
  it('sweeps at its end what was not announced again', async () => {
    const { holds, changes, speaker } = await lab();
    const one = speaker().establish();
    one.announce(1, 2, 3);
    one.refresh(1);
    one.announce(2);
    changes.length = 0;
    one.refresh(2);
    assert.equal(holds(), '2');
    assert.equal(changes.length, 2);
  });

  it('begins anew with another beginning', async () => {
    const { holds, speaker } = await lab();
    const one = speaker().establish();
    one.announce(1, 2);
    one.refresh(1);
    one.announce(1);
    one.refresh(1);
    one.announce(2);
    one.refresh(2);
    assert.equal(holds(), '2');
  });

  it('sweeps nothing of another family, nor without a beginning', async () => {
    const { holds, speaker } = await lab();
    const one = speaker().establish();
    one.announce(1);
    one.refresh(2);
    one.refresh(1, FLOW6);
    one.refresh(2, FLOW6);
    assert.equal(holds(), '1');
  });

  it('means nothing from a speaker without the capability', async () => {
    const { holds, speaker } = await lab();
    const one = speaker().establish({}, (offered) =>
      offered.filter(({ type }) => type !== 'enhanced-route-refresh'),
    );
    one.announce(1);
    one.refresh(1);
    one.refresh(2);
    assert.equal(holds(), '1');
  });

  it('does not outlive its session', async () => {
    const { holds, speaker } = await lab();
    const before = speaker().establish({ gracefulRestart: RESTART });
    before.announce(1);
    before.refresh(1);
    before.vanish();
    const after = speaker().establish({ gracefulRestart: RESTART });
    after.announce(1);
    after.refresh(2);
    assert.equal(holds(), '1');
  });

  it('asked of the router is answered between marks, for the families of the session alone', async () => {
    const { speaker } = await lab();
    const one = speaker().establish({ families: [FLOW4] });
    one.refresh(0);
    one.refresh(0, FLOW6);
    const marks = one.received.flatMap((message) =>
      message.type === 'route_refresh' ? [[message.family, message.subtype]] : [],
    );
    assert.deepEqual(marks, [
      [FLOW4, 1],
      [FLOW4, 2],
    ]);
  });
});

describe('a speaker that restarts (RFC 4724 §4.2)', () => {
  const gracefulRestart = RESTART;

  it('finds its rules kept until its End-of-RIB', async () => {
    const { net, holds, speaker } = await lab();
    const before = speaker().establish({ gracefulRestart });
    before.announce(1, 2);
    before.vanish();
    assert.equal(holds(), '1? 2?');
    const after = speaker().establish({ gracefulRestart });
    after.announce(2);
    assert.equal(holds(), '1? 2');
    after.send(endOfRib(FLOW4));
    net.pass(100);
    assert.equal(holds(), '2');
  });

  it('and does not come back loses them when its restart time ends', async () => {
    const { net, holds, speaker } = await lab();
    const one = speaker().establish({ gracefulRestart });
    one.announce(1);
    one.vanish();
    net.pass(119_000);
    assert.equal(holds(), '1?');
    net.pass(2000);
    assert.equal(holds(), '');
  });

  it('and comes back without the capability loses them at once', async () => {
    const { holds, speaker } = await lab();
    const before = speaker().establish({ gracefulRestart });
    before.announce(1, 2);
    before.vanish();
    const after = speaker().establish();
    assert.equal(holds(), '');
    after.announce(1);
    assert.equal(holds(), '1');
  });

  it('and comes back without a family, or without having kept it, loses the rules of that family', async () => {
    for (const families of [[], [{ family: FLOW4, forwardingPreserved: false }]]) {
      const { holds, speaker } = await lab();
      const before = speaker().establish({ gracefulRestart });
      before.announce(1);
      before.vanish();
      speaker().establish({ gracefulRestart }, (offered) =>
        offered.map((one) => (one.type === 'graceful-restart' ? { ...one, families } : one)),
      );
      assert.equal(holds(), '');
    }
  });

  it('loses at once the rules of a family that its capability did not list', async () => {
    const { holds, speaker } = await lab();
    const one = speaker().establish({ gracefulRestart }, (offered) =>
      offered.map((capability) =>
        capability.type === 'graceful-restart' ? { ...capability, families: [] } : capability,
      ),
    );
    one.announce(1);
    one.vanish();
    assert.equal(holds(), '');
  });

  it('twice in a row leaves nothing stale of the first time', async () => {
    const { holds, speaker } = await lab();
    const first = speaker().establish({ gracefulRestart });
    first.announce(1, 2);
    first.vanish();
    const second = speaker().establish({ gracefulRestart });
    second.announce(2);
    assert.equal(holds(), '1? 2');
    second.vanish();
    assert.equal(holds(), '2?');
  });

  it('and never sends End-of-RIB does not keep its stale rules for ever', async () => {
    const { net, holds, speaker } = await lab();
    const before = speaker().establish({ gracefulRestart });
    before.announce(1);
    before.vanish();
    speaker().establish({ gracefulRestart, holdTimeSeconds: 0 });
    net.pass(300_000);
    assert.equal(holds(), '1?');
    net.pass(61_000);
    assert.equal(holds(), '');
  });

  it('loses them with a Hard Reset, and keeps them with another NOTIFICATION (RFC 8538 §4)', async () => {
    for (const [subcode, kept] of [
      [9, ''],
      [4, '1?'],
    ] as const) {
      const { net, holds, speaker } = await lab();
      const one = speaker().establish({ gracefulRestart });
      one.announce(1);
      one.send({ type: 'notification', code: 6, subcode, data: Uint8Array.of(6, 2) });
      net.pass(100);
      assert.equal(holds(), kept);
    }
  });

  it('loses them with any NOTIFICATION when it did not set the N bit', async () => {
    const { net, holds, speaker } = await lab();
    const one = speaker().establish({ gracefulRestart }, (offered) =>
      offered.map((capability) =>
        capability.type === 'graceful-restart' ? { ...capability, notification: false } : capability,
      ),
    );
    one.announce(1);
    one.send({ type: 'notification', code: 6, subcode: 4, data: new Uint8Array(0) });
    net.pass(100);
    assert.equal(holds(), '');
  });
});

describe('what the router says in its OPEN', () => {
  it('is that it helps speakers that restart and keeps nothing over a restart of its own (RFC 4724 §3)', async () => {
    const { speaker } = await lab();
    const [open] = speaker().establish({ gracefulRestart: RESTART }).received;
    assert.ok(open?.type === 'open');
    const restart = open.capabilities.find((one) => one.type === 'graceful-restart');
    assert.deepEqual(restart, {
      type: 'graceful-restart',
      restarting: false,
      notification: true,
      restartTime: 0,
      families: [],
    });
  });

  it('means End-of-RIB for each family although it has no routes (RFC 4724 §2)', async () => {
    const { speaker } = await lab();
    const { received } = speaker().establish({ gracefulRestart: RESTART });
    const marks = received.flatMap((one) => (one.type === 'update' ? [isEndOfRib(one)] : []));
    assert.deepEqual(marks, [FLOW4, FLOW6]);
  });
});

describe('two speakers', () => {
  it('have each their own rules, also where they are the same', async () => {
    const { net, router, speaker } = await lab();
    const [one, other] = [speaker().establish(), speaker().establish({ localIdentifier: 0xc000020b })];
    one.announce(1);
    other.send(announcement(1, { extendedCommunities: POLICE.extendedCommunities }));
    net.pass(100);
    assert.equal(router.rules().length, 2);
    one.vanish();
    assert.deepEqual(
      router.rules().map(({ from, text }) => [from, text.replace(/.* then /, '')]),
      [['192.0.2.11', 'rate-limit 1mbps']],
    );
  });
});
