/**
 * A router that stops reading: what its TCP has not acknowledged is pending, although this host's kernel has taken all of
 * it, and the session ends by the SendHoldTimer (RFC 9687).
 */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { netTransport } from '../../src/bgp/speaker/tcp/net-transport.ts';
import { type Runtime, systemRuntime } from '../../src/bgp/speaker/runtime.ts';
import { Speaker } from '../../src/bgp/speaker/speaker.ts';
import { FAMILIES } from '../../src/bgp/wire/iana.ts';
import { until } from '../support/children.ts';
import { startBird } from '../support/daemons/bird.ts';
import { missing } from '../support/daemons.ts';
import { DISCARD, route } from '../support/interop-rig.ts';
import { freePort, ownAddress } from '../support/loopback.ts';
import { undo } from '../support/undo.ts';

/** How many times as fast time passes for the speaker: the SendHoldTime of 480 s is 12 s, and an OPEN may take 6 s. */
const FASTER = 40;

function fast(): Runtime {
  const runtime = systemRuntime(netTransport);
  const start = runtime.now();
  return {
    ...runtime,
    now: () => start + (runtime.now() - start) * FASTER,
    after: (milliseconds, callback) => runtime.after(milliseconds / FASTER, callback),
  };
}

/** A discard of one host of 10/8. */
function discard(n: number) {
  const value = `10.${n >> 16}.${(n >> 8) & 255}.${n & 255}/32`;
  return route('ipv4-flowspec', [{ type: 1, prefix: value }], DISCARD);
}

describe('a BIRD that stops reading', { skip: missing('bird') }, () => {
  it('has its withdrawal pending until its session ends by the SendHoldTimer, and loses its rules then', async (t) => {
    const [ours, theirs] = [ownAddress(), ownAddress()];
    // Without hold time, so that its silence alone ends nothing.
    const families = ['ipv4-flowspec'] as const;
    const bird = await startBird({
      ...{ asn: 65002, routerId: '10.0.0.1', address: theirs, port: await freePort(theirs) },
      peers: [{ address: ours, asn: 65010, families, holdTime: 0 }],
    });
    undo(t, () => bird.stop('SIGKILL'));
    const speaker = new Speaker(
      {
        ...{ localAsn: 65010, routerId: '192.0.2.10' },
        neighbors: [
          {
            name: 'bird',
            address: { kind: 'tcp', host: theirs, port: bird.config.port },
            localAddress: ours,
            peerAsn: 65002,
            passive: false,
            holdTimeSeconds: 0,
            families: families.map((name) => FAMILIES[name]),
            enabled: true,
          },
        ],
      },
      fast(),
    );
    const withdrawn: string[] = [];
    const acknowledged: string[] = [];
    const down: string[] = [];
    speaker.subscribe({
      onSent: (_peer, _announced, routes) => withdrawn.push(...routes.map(({ text }) => text)),
      onAcknowledged: (_peer, _announced, routes) => acknowledged.push(...routes.map(({ text }) => text)),
      onDown: (_peer, why) => down.push(why),
    });
    await speaker.start();
    undo(t, () => speaker.stop({ preserve: false }));
    const status = () => speaker.peers()[0] ?? assert.fail('it has one neighbor');
    await until('established', () => speaker.isEstablished('bird') && bird.established(ours));
    const first = discard(0);
    speaker.apply('bird', [first], []);
    await until('BIRD has the rule', async () => (await bird.count('ipv4-flowspec')) === 1);
    await until('and has acknowledged it', () => status().rulesSent === 1);

    process.kill(bird.pid, 'SIGSTOP');
    // Some 400 kB: more than its kernel keeps for a program that reads nothing, less than ours takes for it.
    const many = Array.from({ length: 40_000 }, (_, n) => discard(n + 1));
    speaker.apply('bird', many, []);
    speaker.apply('bird', [], [first.key]);
    await until('the withdrawal is written', () => withdrawn.length === 1);
    assert.equal(speaker.ribOut('bird').pendingCount, 0, 'nothing waits in this process');
    assert.deepEqual(
      speaker
        .ribOut('bird')
        .unacknowledgedWithdrawals()
        .map(({ text }) => text),
      [first.text],
    );
    assert.ok(status().rulesPending > 1, `${status().rulesPending} are pending`);
    await until('the session ends', () => down.length === 1);
    assert.match(down[0] ?? '', /acknowledged nothing for 480 s \(send hold time\)/);
    assert.deepEqual(acknowledged, [], 'the withdrawal never counted as sent');
    assert.equal(status().lastNotificationSent?.code, 8);

    process.kill(bird.pid, 'SIGCONT');
    await until('a new session', () => speaker.isEstablished('bird') && bird.established(ours));
    assert.equal(await bird.count('ipv4-flowspec'), 0, 'its rules went with the session');
  });
});
