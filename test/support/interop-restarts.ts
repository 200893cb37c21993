/**
 * Restarts a real daemon repeatedly while both sides connect (RFC 4271 §6.8), for test/interop/ and
 * scripts/restarts.ts.
 */
import { Speaker } from '../../src/bgp/speaker/speaker.ts';
import { FAMILIES } from '../../src/bgp/wire/iana.ts';
import { until } from './children.ts';
import type { DaemonKind } from './daemons/daemon.ts';
import { startDaemon } from './daemons.ts';
import { FLOWSPEC } from './interop-rig.ts';
import { freePort, ownAddress } from './loopback.ts';

/** Daemons that can both connect and listen at an address of their own. ExaBGP does only one of them. */
export const BOTH_ACTIVE = ['bird', 'frr', 'gobgp'] as const satisfies readonly DaemonKind[];

const OUR_ASN = 65010;
const THEIR_ASN = 65001;
const OUR_ROUTER_ID = '192.0.2.10';

/** The daemon's identifier, by the side that has the higher one. */
export const ROUTER_IDS = { here: '10.0.0.1', there: '198.51.100.1' } as const;

/** Result of a run of restarts. */
export interface Restarts {
  /** For each restart, milliseconds from the daemon's first answer until the session was established here. */
  readonly milliseconds: readonly number[];
  /** Sessions beyond one per restart. */
  readonly extraSessions: number;
  /** The speaker's log of the rounds that took longer than 5 s or had more than one session. */
  readonly stories: readonly string[];
}

/**
 * Restarts the daemon, by turns as if it crashed and politely. Meanwhile this process is paused now and then, for up to
 * 40 ms, as it would on a busy machine.
 */
export async function restarts(
  kind: DaemonKind,
  higher: keyof typeof ROUTER_IDS,
  rounds: number,
  onRound: (round: number, milliseconds: number) => void = () => undefined,
): Promise<Restarts> {
  const [ours, theirs] = [ownAddress(), ownAddress()];
  const [ourPort, theirPort] = [await freePort(ours), await freePort(theirs)];
  const speaker = new Speaker({
    localAsn: OUR_ASN,
    routerId: OUR_ROUTER_ID,
    listen: { host: ours, port: ourPort },
    neighbors: [
      {
        name: kind,
        address: { kind: 'tcp', host: theirs, port: theirPort },
        localAddress: ours,
        peerAsn: THEIR_ASN,
        passive: false,
        holdTimeSeconds: 30,
        families: FLOWSPEC.map((family) => FAMILIES[family]),
        enabled: true,
      },
    ],
  });
  const milliseconds: number[] = [];
  const stories: string[] = [];
  let log: string[] = [];
  let since = performance.now();
  speaker.subscribe({
    onLog: (level, _peer, text) => log.push(`${(performance.now() - since).toFixed(0)} ms ${level} ${text}`),
  });
  const sessions = (): number => speaker.peers()[0]?.counters.established ?? 0;
  const pausing = pauses();
  await speaker.start();
  try {
    for (let round = 0; round < rounds; round++) {
      const before = sessions();
      log = [];
      since = performance.now();
      const daemon = await startDaemon(kind, {
        asn: THEIR_ASN,
        routerId: ROUTER_IDS[higher],
        address: theirs,
        port: theirPort,
        peers: [{ address: ours, asn: OUR_ASN, dial: ourPort, families: FLOWSPEC }],
      });
      const answered = performance.now();
      await until('the session is established', () => speaker.isEstablished(kind));
      const took = Math.max(0, performance.now() - answered);
      await until('the daemon thinks so, too', () => daemon.established(ours));
      milliseconds.push(took);
      onRound(round, took);
      if (took > 5000 || sessions() > before + 1) stories.push(log.join('\n'));
      await daemon.stop(round % 2 === 0 ? 'SIGKILL' : 'SIGTERM');
      await until('its end is noticed', () => !speaker.isEstablished(kind));
    }
    return { milliseconds, extraSessions: sessions() - rounds, stories };
  } finally {
    pausing.stop();
    await speaker.stop({ preserve: false });
  }
}

/** Pauses this process repeatedly. */
function pauses(): { readonly stop: () => void } {
  const cell = new Int32Array(new SharedArrayBuffer(4));
  const timer = setInterval(() => Atomics.wait(cell, 0, 0, Math.random() * 40), 150);
  return { stop: () => clearInterval(timer) };
}
