/** The speaker opposite a peer that behaves as Junos documents: what the operator is told, how we wait, how we recover. */
import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { renderForDialect } from '../../../src/bgp/flowspec/dialect.ts';
import { encodeFlowSpec } from '../../../src/bgp/flowspec/nlri.ts';
import type { FlowSpec } from '../../../src/bgp/flowspec/types.ts';
import { type OutRoute, routeKey } from '../../../src/bgp/rib/route.ts';
import type { Speaker } from '../../../src/bgp/speaker/speaker.ts';
import type { NeighborSettings, PeerStatus } from '../../../src/bgp/speaker/types.ts';
import { toHex } from '../../../src/net/bytes.ts';
import { knownPrefix } from '../../../src/net/prefix.ts';
import { type JunosOptions, JunosPeer } from '../../support/junos-peer.ts';
import { DISCARD, FLOW4, FLOW6, flowRoute, neighbor, speakerWith, until } from './support.ts';

const HOST = '127.0.0.70';

/** A speaker that gives each session what is wanted at the time, as the reconciler does, and its Junos. */
async function meet(
  t: TestContext,
  junosOptions: Partial<JunosOptions> = {},
  settings: Partial<NeighborSettings> = {},
) {
  const junos = await JunosPeer.start({
    host: HOST,
    asn: 65001,
    peerAsn: 65010,
    families: [FLOW4, FLOW6],
    ...junosOptions,
  });
  t.after(() => junos.close());
  const wanted: OutRoute[] = [];
  const start = async () => {
    const talking = speakerWith({ neighbors: [neighbor(HOST, junos.port, settings)] });
    const { speaker } = talking;
    speaker.subscribe({
      onEstablished: (peer) => {
        speaker.apply(peer, wanted, []);
        speaker.endOfRib(peer);
      },
    });
    t.after(() => speaker.stop({ preserve: false }));
    await speaker.start();
    return talking;
  };
  return { junos, wanted, start };
}

function statusOf(speaker: Speaker): PeerStatus {
  const [status] = speaker.peers();
  assert.ok(status !== undefined);
  return status;
}

const hex = (...routes: readonly OutRoute[]): readonly string[] => routes.map((route) => toHex(route.nlri));

/** Each wait between two connections is twice as long as the one before, from 1 s on, less the jitter of a quarter. */
function assertDoublingWaits({ attempts }: JunosPeer): void {
  const waits = attempts.slice(1).map((at, index) => at - (attempts[index] ?? at));
  // Timers may be late on a busy machine, but are never early; they round by a millisecond.
  assert.ok(
    waits.every((wait, index) => wait >= 750 * 2 ** index - 1),
    `waits of ${waits.map(Math.round)} ms`,
  );
}

describe('Junos: families that do not fit (2/7)', () => {
  it('names the families on both sides, waits longer each time, and recovers when they fit', async (t) => {
    const { junos, start } = await meet(t, { families: [FLOW4] }, { families: [FLOW6] });
    const { speaker, up, log } = await start();
    await until('a third attempt', () => junos.attempts.length >= 3);
    const status = statusOf(speaker);
    const [sent, received] = [status.lastNotificationSent, status.lastNotificationReceived];
    assert.deepEqual([(received ?? sent)?.code, (received ?? sent)?.subcode], [2, 7]);
    assert.match(status.lastError ?? '', /families (here|.*here)/);
    assert.match(status.lastError ?? '', /famil(y|ies).*there/);
    assertDoublingWaits(junos);
    assert.ok(
      log.filter((line) => line.level === 'warn').length <= 2,
      'one line for one cause, not one an attempt',
    );

    await speaker.reconfigure([neighbor(HOST, junos.port, { families: [FLOW4] })]);
    await until('established', () => up.length === 1);
    assert.equal(statusOf(speaker).lastError, undefined);
  });

  it('understands its 2/7 although its OPEN never came', async (t) => {
    const { junos, start } = await meet(t, { families: [FLOW4], judgesFirst: true }, { families: [FLOW6] });
    const { speaker } = await start();
    await until('the NOTIFICATION', () => statusOf(speaker).lastNotificationReceived !== undefined);
    const { lastNotificationReceived, lastError } = statusOf(speaker);
    assert.deepEqual([lastNotificationReceived?.code, lastNotificationReceived?.subcode], [2, 7]);
    assert.match(
      lastError ?? '',
      /^peer sent .*Unsupported Capability.*the address families do not match: configure the same ones in families here and there$/,
    );
    assert.equal(junos.established, false);
  });

  it('goes on with the families that both have, and says which one is missing there', async (t) => {
    const { junos, wanted, start } = await meet(t, { families: [FLOW4] });
    wanted.push(flowRoute(1));
    const { speaker, log } = await start();
    await until('the rule', () => junos.rules.length === 1);
    assert.deepEqual(statusOf(speaker).negotiated?.families, [FLOW4]);
    assert.ok(
      log.some((line) => line.level === 'warn' && /ipv6-flowspec.*add them there/.test(line.text)),
      JSON.stringify(log),
    );
  });
});

describe('Junos: prefix limit (6/1)', () => {
  it('is told to the operator, does not make us hammer, and is over when fewer rules are sent', async (t) => {
    const { junos, wanted, start } = await meet(t, { prefixLimit: { maximum: 3, refusals: 1 } });
    wanted.push(flowRoute(1), flowRoute(2), flowRoute(3), flowRoute(4));
    const { speaker, down } = await start();
    await until('the session ended', () => down.length === 1);
    const status = statusOf(speaker);
    assert.deepEqual(
      [status.lastNotificationReceived?.code, status.lastNotificationReceived?.subcode],
      [6, 1],
    );
    assert.match(status.lastError ?? '', /set max_rules here to its prefix limit/);
    await until('Junos holds nothing of a session that it tore down', () => junos.rules.length === 0);
    assert.equal(speaker.ribOut('edge1').sentCount, 0, 'nothing counts as written');

    wanted.pop();
    await until('rejected while it idles', () => statusOf(speaker).lastNotificationReceived?.subcode === 5);
    assert.match(
      statusOf(speaker).lastError ?? '',
      /is our address configured as a neighbor there, and enabled/,
    );
    await until('the three rules', () => junos.rules.length === 3);
    assert.equal(junos.attempts.length, 3);
    assertDoublingWaits(junos);
  });
});

describe('Junos: hold time', () => {
  it('is the smaller of both sides’, and our keepalives keep it', async (t) => {
    const { junos, start } = await meet(t, { holdTimeSeconds: 3 });
    const { speaker, up, down } = await start();
    await until('established', () => up.length === 1);
    assert.equal(statusOf(speaker).negotiated?.holdTimeSeconds, 3);
    await sleep(4000);
    assert.equal(junos.established, true);
    assert.deepEqual(down, []);
  });

  it('ends the session with 4/0 when Junos falls silent, and the session comes back when it speaks again', async (t) => {
    const { junos, wanted, start } = await meet(t, { holdTimeSeconds: 3 });
    wanted.push(flowRoute(1));
    const { speaker, up, down } = await start();
    await until('the rule', () => junos.rules.length === 1);
    junos.silent = true;
    await until('the session ended', () => down.length === 1);
    const status = statusOf(speaker);
    assert.deepEqual([status.lastNotificationSent?.code, status.lastNotificationSent?.subcode], [4, 0]);
    assert.match(status.lastError ?? '', /nothing received from the peer for 3 s .*check the path to it/);
    junos.silent = false;
    await until('back, with the rule', () => up.length === 2 && junos.rules.length === 1);
    assert.match(statusOf(speaker).lastError ?? '', /nothing received/, 'why it had ended is still shown');
  });
});

describe('Junos: graceful-restart helper', () => {
  const graceful = (restartTimeSeconds: number): Partial<NeighborSettings> => ({
    gracefulRestart: { restartTimeSeconds, longLivedStaleSeconds: 0 },
  });

  it('keeps the rules of a speaker that restarts, and flushes at End-of-RIB what ended meanwhile', async (t) => {
    const { junos, wanted, start } = await meet(t, { helper: true }, graceful(60));
    wanted.push(flowRoute(1), flowRoute(2));
    const before = await start();
    await until('two rules', () => junos.rules.length === 2);
    await before.speaker.stop({ preserve: true });
    await until('it has noticed', () => !junos.established);
    assert.equal(junos.stale, 2);
    wanted.pop();
    const after = await start();
    await until('End-of-RIB', () => junos.stale === 0);
    assert.deepEqual(junos.rules, hex(flowRoute(1)));
    assert.equal(statusOf(after.speaker).negotiated?.gracefulRestart, true);
  });

  it('flushes them when the speaker is not back within its restart time', async (t) => {
    const { junos, wanted, start } = await meet(t, { helper: true }, graceful(1));
    wanted.push(flowRoute(1));
    const { speaker } = await start();
    await until('the rule', () => junos.rules.length === 1);
    await speaker.stop({ preserve: true });
    await until('it has noticed', () => !junos.established);
    assert.deepEqual(junos.rules, hex(flowRoute(1)));
    await until('the restart time is over', () => junos.rules.length === 0);
  });

  it('holds nothing of a speaker that leaves for good', async (t) => {
    const { junos, wanted, start } = await meet(t, { helper: true }, graceful(60));
    wanted.push(flowRoute(1));
    const { speaker } = await start();
    await until('the rule', () => junos.rules.length === 1);
    await speaker.stop({ preserve: false, communication: 'moving house' });
    assert.deepEqual(junos.rules, []);
    assert.deepEqual(junos.lastNotification?.slice(0, 2), [6, 2]);
    assert.match(junos.lastNotification?.[2] ?? '', /moving house/);
  });
});

describe('Junos: a component that it does not know', () => {
  const victim = knownPrefix('2001:db8::1/128');
  /** Flow label, type 13 (RFC 8956 §3.7). */
  const labelled: FlowSpec = {
    afi: 2,
    safi: 133,
    components: [
      { type: 1, prefix: victim, offset: 0 },
      { type: 13, ops: [{ and: false, lt: false, gt: false, eq: true, value: 7 }] },
    ],
  };
  const nlri = encodeFlowSpec(labelled);
  const unknown: OutRoute = {
    key: routeKey(FLOW6, nlri),
    family: FLOW6,
    nlri,
    attributes: DISCARD,
    owner: 'm9',
    text: 'flow label',
  };

  it('never reaches it in the dialect juniper: the rule is refused here, with the reason', () => {
    const said = renderForDialect('juniper', labelled, [{ type: 'traffic-rate', bitsPerSecond: 0, asn: 0 }]);
    assert.ok(!said.ok);
    assert.match(said.error, /^juniper: flow-label cannot be matched/);
  });

  it('resets the session in another dialect: the operator is told to set it, and all is well without the rule', async (t) => {
    const { junos, wanted, start } = await meet(t);
    wanted.push(flowRoute(1), unknown);
    const { speaker, down } = await start();
    await until('the session ended', () => down.length === 1);
    const status = statusOf(speaker);
    assert.deepEqual(
      [status.lastNotificationReceived?.code, status.lastNotificationReceived?.subcode],
      [3, 9],
    );
    assert.match(status.lastError ?? '', /could not decode a rule: set dialect here to match the router/);
    wanted.pop();
    await until('the other rule', () => junos.rules.length === 1);
    assert.deepEqual(junos.rules, hex(flowRoute(1)));
  });
});
