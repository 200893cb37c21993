import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { LabRouter } from '../../src/lab/router.ts';
import { fromHex } from '../../src/net/bytes.ts';
import { dialFrom, type ScriptedConnection } from '../bgp/speaker/scripted-peer.ts';
import { until } from '../bgp/speaker/support.ts';

const MARKER = 'ff'.repeat(16);

/** `match dst 198.18.0.1/32 proto udp then discard`, with the attributes of RFC 4271 and RFC 8955 written by hand. */
const ANNOUNCE = `${MARKER}0042020000002b900e000f0001850000090120c61200010381114001010040020602010000fde9c010088006000000000000`;
/** The same rule with traffic-rate 125000 octets a second. */
const REPLACE = ANNOUNCE.replace('8006000000000000', '8006000047f42400');
const WITHDRAW = `${MARKER}00280200000011900f000d000185090120c6120001038111`;
/** The same rule, with a destination of 33 bits. */
const MALFORMED = ANNOUNCE.replace('0120c6120001038111', '0121c6120001038111');

async function labWith(more: { helper?: boolean; peerAsn?: number } = {}) {
  const changes: string[] = [];
  const lab = new LabRouter({
    host: '127.0.0.1',
    port: 0,
    asn: 65010,
    routerId: '192.0.2.10',
    ...more,
    onChange: ({ kind, text }) => changes.push(`${kind} ${text}`),
  });
  const at = await lab.start();
  return { lab, changes, dial: () => dialFrom('127.0.0.1', at.host, at.port) };
}

function say(connection: ScriptedConnection, hex: string): void {
  const octets = fromHex(hex);
  assert.ok(octets !== undefined);
  connection.sendOctets(octets);
}

describe('the lab router', () => {
  it('keeps what a speaker announces, as it came, until it is withdrawn', async () => {
    const { lab, changes, dial } = await labWith();
    const speaker = await dial();
    await speaker.establish();
    say(speaker, ANNOUNCE);
    await until('the rule stands', () => lab.rules().length === 1);
    assert.deepEqual(lab.rules()[0], {
      family: { afi: 1, safi: 133 },
      nlriHex: '090120c6120001038111',
      actionsHex: '8006000000000000',
      text: 'match dst 198.18.0.1/32 proto udp then discard',
      from: '192.0.2.1',
      stale: false,
    });
    say(speaker, REPLACE);
    say(speaker, WITHDRAW);
    await until('it is gone', () => lab.rules().length === 0);
    assert.deepEqual(
      changes.map((change) => change.split(' ')[0]),
      ['announced', 'replaced', 'withdrawn'],
    );
    await lab.close();
  });

  it('drops the rules of a speaker that goes away', async () => {
    const { lab, dial } = await labWith();
    const speaker = await dial();
    await speaker.establish();
    say(speaker, ANNOUNCE);
    await until('the rule stands', () => lab.rules().length === 1);
    speaker.end();
    await until('it is gone', () => lab.rules().length === 0);
    await lab.close();
  });

  it('refuses a rule that it cannot read, and says so', async () => {
    const { lab, changes, dial } = await labWith();
    const speaker = await dial();
    await speaker.establish();
    say(speaker, MALFORMED);
    await until('refused', () => changes.length === 1);
    assert.match(changes[0] ?? '', /^refused 090121c6120001038111: /);
    assert.deepEqual(lab.rules(), []);
    await lab.close();
  });

  it('as a helper keeps the rules of a speaker that restarts, but not of one that says goodbye', async () => {
    const { lab, dial } = await labWith({ helper: true });
    const gracefulRestart = { restartTimeSeconds: 60, longLivedStaleSeconds: 0, restarting: false };
    const first = await dial();
    await first.establish({ gracefulRestart });
    say(first, ANNOUNCE);
    await until('the rule stands', () => lab.rules().length === 1);
    first.end();
    await until('stale', () => lab.rules()[0]?.stale === true);
    const second = await dial();
    await second.establish({ gracefulRestart: { ...gracefulRestart, restarting: true } });
    say(second, ANNOUNCE);
    await until('fresh again', () => lab.rules()[0]?.stale === false);
    second.send({ type: 'notification', code: 6, subcode: 2, data: new Uint8Array(0) });
    await until('gone', () => lab.rules().length === 0);
    await lab.close();
  });

  it('lets in the AS it is told to, and any when it is told of none', async () => {
    const strict = await labWith({ peerAsn: 65002 });
    const stranger = await strict.dial();
    stranger.sendOpen();
    assert.equal(await stranger.notification(), '2/2');
    await strict.lab.close();
    const open = await labWith();
    await (await open.dial()).establish({ localAsn: 4200000000 });
    await until('established', () => open.lab.established === 1);
    await open.lab.close();
  });

  it('says goodbye with 6/2 when it closes', async () => {
    const { lab, dial } = await labWith();
    const speaker = await dial();
    await speaker.establish();
    await until('established', () => lab.established === 1);
    await lab.close();
    assert.equal(await speaker.notification(), '6/2');
  });
});
