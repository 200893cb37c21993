/** prefixd's own speaker opposite one real daemon, for the suite in test/interop/. */
import { encodeActions } from '../../src/bgp/flowspec/actions.ts';
import { encodeFlowSpec } from '../../src/bgp/flowspec/nlri.ts';
import { formatRule } from '../../src/bgp/flowspec/notation/format.ts';
import type { Action } from '../../src/bgp/flowspec/types.ts';
import { type OutRoute, type RouteKey, routeAttributes, routeKey } from '../../src/bgp/rib/route.ts';
import { Speaker } from '../../src/bgp/speaker/speaker.ts';
import type { NeighborSettings, PeerStatus } from '../../src/bgp/speaker/types.ts';
import { FAMILIES, type FamilyName } from '../../src/bgp/wire/iana.ts';
import { PATIENCE_MS, until } from './children.ts';
import type { DaemonConfig, DaemonKind, PeerConfig, TableRule } from './daemons/daemon.ts';
import { type AnyDaemon, startDaemon } from './daemons.ts';
import { freePort, ownAddress } from './loopback.ts';
import { type ComponentJson, flowSpecOf } from './rule-json.ts';

export const FLOWSPEC = ['ipv4-flowspec', 'ipv6-flowspec'] as const satisfies readonly FamilyName[];
export type FlowSpecFamily = (typeof FLOWSPEC)[number];

const OUR_ASN = 65010;
const ASNS: Readonly<Record<DaemonKind, number>> = { gobgp: 65001, bird: 65002, frr: 65003, exabgp: 65004 };

export const DISCARD: readonly Action[] = [{ type: 'traffic-rate', bitsPerSecond: 0, asn: 0 }];
/** Bits per second, as in configurations. */
export const police = (bitsPerSecond: number): readonly Action[] => [
  { type: 'traffic-rate', bitsPerSecond, asn: 0 },
];

/** A rule in this project's encoding. */
export function route(
  family: FlowSpecFamily,
  components: readonly ComponentJson[],
  actions: readonly Action[],
): OutRoute {
  const { afi } = FAMILIES[family];
  const spec = flowSpecOf(afi, components);
  const nlri = encodeFlowSpec(spec);
  return {
    key: routeKey(FAMILIES[family], nlri),
    family: FAMILIES[family],
    nlri,
    attributes: routeAttributes(encodeActions(actions)),
    owner: '',
    text: formatRule(spec, actions),
  };
}

/** Options of the two sides; all are off by default. */
export interface RigOptions {
  /** The daemon connects to us instead of being connected to. */
  readonly daemonDials?: boolean;
  readonly ourPassword?: string;
  readonly theirPassword?: string;
  /** GTSM (RFC 5082) with a directly connected neighbor, on either side. */
  readonly ourTtlSecurity?: boolean;
  readonly theirTtlSecurity?: boolean;
  readonly gracefulRestart?: boolean;
  /** IPv6 loopback instead of IPv4. */
  readonly overIPv6?: boolean;
  readonly neighbor?: Partial<NeighborSettings>;
  /** Families of both sides; those of FlowSpec unless given. */
  readonly families?: readonly FamilyName[];
  /** Further configuration of the daemon. */
  readonly daemon?: Pick<DaemonConfig, 'statements'> & Pick<PeerConfig, 'unicastImport'>;
  /** Further peers of the daemon. */
  readonly others?: readonly PeerConfig[];
}

/** One daemon and one speaker, which sends all routes and End-of-RIB on every new session, as the reconciler does. */
export class Rig {
  readonly kind: DaemonKind;
  readonly ourAddress: string;
  readonly theirAddress: string;
  readonly #options: RigOptions;
  readonly #theirPort: number;
  readonly #ourPort: number;
  readonly #wanted = new Map<RouteKey, OutRoute>();
  #daemon: AnyDaemon | undefined;
  #speaker: Speaker | undefined;
  readonly log: string[] = [];

  private constructor(
    kind: DaemonKind,
    options: RigOptions,
    ours: string,
    theirs: string,
    ports: readonly number[],
  ) {
    this.kind = kind;
    this.#options = options;
    this.ourAddress = ours;
    this.theirAddress = theirs;
    [this.#ourPort = 0, this.#theirPort = 0] = ports;
  }

  /** Starts both sides and, by default, waits for the session. */
  static async start(kind: DaemonKind, options: RigOptions = {}, wait = true): Promise<Rig> {
    const ours = options.overIPv6 === true ? '::1' : ownAddress();
    const theirs = options.overIPv6 === true ? '::1' : ownAddress();
    const rig = new Rig(kind, options, ours, theirs, [await freePort(ours), await freePort(theirs)]);
    try {
      await rig.startDaemon();
      await rig.startSpeaker();
      if (wait) await rig.established();
    } catch (error) {
      await rig.end();
      throw error;
    }
    return rig;
  }

  get daemon(): AnyDaemon {
    if (this.#daemon === undefined) throw new Error('the daemon does not run');
    return this.#daemon;
  }

  get speaker(): Speaker {
    if (this.#speaker === undefined) throw new Error('the speaker does not run');
    return this.#speaker;
  }

  get status(): PeerStatus {
    const status = this.speaker.peers()[0];
    if (status === undefined) throw new Error('the speaker has no neighbor');
    return status;
  }

  async startDaemon(): Promise<void> {
    const { daemonDials, theirPassword, theirTtlSecurity, gracefulRestart } = this.#options;
    const { statements, ...more } = this.#options.daemon ?? {};
    const peer: PeerConfig = {
      address: this.ourAddress,
      asn: OUR_ASN,
      families: this.#options.families ?? FLOWSPEC,
      helper: gracefulRestart === true,
      ...(daemonDials === true ? { dial: this.#ourPort } : {}),
      ...(theirPassword === undefined ? {} : { md5Password: theirPassword }),
      ttlSecurity: theirTtlSecurity === true,
      ...more,
    };
    const config: DaemonConfig = {
      asn: ASNS[this.kind],
      routerId: '10.0.0.1',
      address: this.theirAddress,
      port: this.#theirPort,
      peers: [peer, ...(this.#options.others ?? [])],
      ...(statements === undefined ? {} : { statements }),
    };
    this.#daemon = await startDaemon(this.kind, config);
  }

  async stopDaemon(signal?: NodeJS.Signals): Promise<void> {
    await this.#daemon?.stop(signal);
    this.#daemon = undefined;
  }

  async startSpeaker(): Promise<void> {
    const { daemonDials, ourPassword, ourTtlSecurity, gracefulRestart } = this.#options;
    const settings: NeighborSettings = {
      name: this.kind,
      address: { kind: 'tcp', host: this.theirAddress, port: this.#theirPort },
      localAddress: this.ourAddress,
      peerAsn: ASNS[this.kind],
      passive: daemonDials === true,
      holdTimeSeconds: 30,
      families: (this.#options.families ?? FLOWSPEC).map((family) => FAMILIES[family]),
      enabled: true,
      ...(ourPassword === undefined ? {} : { md5Password: ourPassword }),
      ...(ourTtlSecurity === true ? { ttlSecurityHops: 1 } : {}),
      ...(gracefulRestart === true
        ? { gracefulRestart: { restartTimeSeconds: 60, longLivedStaleSeconds: 0 } }
        : {}),
      ...this.#options.neighbor,
    };
    const speaker = new Speaker({
      localAsn: OUR_ASN,
      routerId: '192.0.2.10',
      ...(daemonDials === true ? { listen: { host: this.ourAddress, port: this.#ourPort } } : {}),
      neighbors: [settings],
    });
    speaker.subscribe({
      onEstablished: (peer) => {
        speaker.apply(peer, [...this.#wanted.values()], []);
        speaker.endOfRib(peer);
      },
      onLog: (level, _peer, text) => this.log.push(`${level} ${text}`),
    });
    await speaker.start();
    this.#speaker = speaker;
  }

  /** Stops the speaker: politely, or as a restart that helpers wait for. */
  async stopSpeaker(preserve = false, communication?: string): Promise<void> {
    await this.#speaker?.stop({ preserve, ...(communication === undefined ? {} : { communication }) });
    this.#speaker = undefined;
  }

  async established(timeoutMs = PATIENCE_MS): Promise<void> {
    await until(
      `the session with ${this.kind} is established`,
      async () =>
        this.speaker.isEstablished(this.kind) &&
        // GoBGP knows its neighbor by address; both sides of ::1 are one address, which is fine there too.
        (await this.daemon.established(this.ourAddress)),
      timeoutMs,
    ).catch((error: Error) => {
      throw new Error(
        `${error.message}\nlast error: ${this.#speaker?.peers()[0]?.lastError}\n${this.log.join('\n')}`,
      );
    });
  }

  /** Announces these routes from now on, on this session and on later ones. */
  announce(...routes: readonly OutRoute[]): void {
    for (const one of routes) this.#wanted.set(one.key, one);
    this.#speaker?.apply(this.kind, routes, []);
  }

  withdraw(...routes: readonly OutRoute[]): void {
    for (const one of routes) this.#wanted.delete(one.key);
    this.#speaker?.apply(
      this.kind,
      [],
      routes.map((one) => one.key),
    );
  }

  /** Removes routes from the wanted ones without a withdrawal (as if decided while the daemon was down). */
  forget(...routes: readonly OutRoute[]): void {
    for (const one of routes) this.#wanted.delete(one.key);
  }

  /** Waits until the daemon's own table holds this many rules of a family, and returns them. */
  async table(family: FlowSpecFamily, count: number): Promise<readonly TableRule[]> {
    await this.holds(family, count);
    return this.daemon.rules(family);
  }

  /** Waits until the daemon's own table holds this many rules of a family. */
  async holds(family: FlowSpecFamily, count: number, timeoutMs = PATIENCE_MS): Promise<void> {
    let last = 0;
    await until(
      `${this.kind} holds ${count} rules of ${family}`,
      async () => {
        last = await this.daemon.count(family);
        return last === count;
      },
      timeoutMs,
    ).catch((error: Error) => {
      throw new Error(
        [
          `${error.message}; it holds ${last}; our last error: ${this.#speaker?.peers()[0]?.lastError}`,
          this.daemon.log().slice(-2000),
        ].join('\n'),
      );
    });
  }

  /** Waits until the daemon shows this rate (bytes a second) for the only rule of a family. */
  async onlyRule(family: FlowSpecFamily, components: readonly ComponentJson[], rate: number): Promise<void> {
    let last: unknown;
    await until(`${this.kind} holds exactly the rule, with rate ${rate}`, async () => {
      const rules = await this.daemon.rules(family);
      last = rules;
      const [rule] = rules;
      return (
        rules.length === 1 &&
        rule?.rate === rate &&
        JSON.stringify(rule.components) === JSON.stringify(components)
      );
    }).catch((error: Error) => {
      throw new Error(
        `${error.message}: ${JSON.stringify(last)}; wanted ${JSON.stringify(components)}; our last error: ${this.#speaker?.peers()[0]?.lastError}`,
      );
    });
  }

  async end(): Promise<void> {
    await this.#speaker?.stop({ preserve: false });
    this.#speaker = undefined;
    await this.stopDaemon('SIGKILL');
  }
}
