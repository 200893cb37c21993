/**
 * The speaker: all neighbors, the listener that accepts their connections, and the listeners that want to know. It holds
 * sessions and their Adj-RIB-Outs and decides nothing.
 */
import { isDeepStrictEqual } from 'node:util';
import type { AdjRibOutView, OutRoute, RouteKey } from '../rib/adj-rib-out.ts';
import { CeaseSubcode } from '../wire/notification.ts';
import { parseIdentifier } from '../wire/open.ts';
import { Neighbor } from './neighbor.ts';
import { canonicalHost, isHost, type LocalSide, shutdownCease } from './settings.ts';
import { netTransport } from './net-transport.ts';
import { Doorman } from './doorman.ts';
import { type Runtime, systemRuntime } from './runtime.ts';
import type { Connection, ExpectedPeer, Listener } from './transport.ts';
import type { NeighborSettings, PeerStatus, SpeakerListener, SpeakerSettings } from './types.ts';

export class Speaker {
  readonly #settings: SpeakerSettings;
  readonly #local: LocalSide;
  readonly #runtime: Runtime;
  readonly #listeners = new Set<SpeakerListener>();
  readonly #toAll: Required<SpeakerListener>;
  readonly #doorman: Doorman;
  #neighbors: Map<string, Neighbor>;
  #listener: Listener | undefined;
  #started = false;

  /** RangeError when the router id is not a BGP Identifier or two neighbors share a name. */
  constructor(settings: SpeakerSettings, runtime: Runtime = systemRuntime(netTransport)) {
    const localIdentifier = parseIdentifier(settings.routerId);
    if (localIdentifier === undefined) throw new RangeError(`"${settings.routerId}" is not a router id`);
    this.#settings = settings;
    this.#local = { localAsn: settings.localAsn, localIdentifier };
    this.#runtime = runtime;
    this.#toAll = {
      onEstablished: (...args) => this.#tell((listener) => listener.onEstablished?.(...args)),
      onDown: (...args) => this.#tell((listener) => listener.onDown?.(...args)),
      onSent: (...args) => this.#tell((listener) => listener.onSent?.(...args)),
      onLog: (...args) => this.#tell((listener) => listener.onLog?.(...args)),
    };
    this.#doorman = new Doorman(runtime, this.#toAll);
    this.#neighbors = this.#named(
      settings.neighbors.map((one) => new Neighbor(one, this.#local, runtime, this.#toAll, true)),
    );
  }

  /** Where passive sessions are accepted, with the real port; undefined when nowhere. */
  get listening(): { readonly host: string; readonly port: number } | undefined {
    return this.#listener && { host: this.#listener.host, port: this.#listener.port };
  }

  /** Binds the listener and starts dialling. Rejects when the listener cannot bind; a neighbor that is away is no error. */
  async start(): Promise<void> {
    const { listen } = this.#settings;
    if (listen !== undefined) {
      this.#listener = await this.#runtime.transport.listen(listen, this.#expected(), (connection) =>
        this.#accepted(connection),
      );
    }
    this.#started = true;
    for (const neighbor of this.#neighbors.values()) neighbor.start();
  }

  /** Parts from all neighbors; resolves when every socket is closed. */
  async stop(options: { readonly preserve: boolean; readonly communication?: string }): Promise<void> {
    this.#started = false;
    const cease = shutdownCease(options.communication);
    const parted = [...this.#neighbors.values()].map((one) =>
      one.part({ preserve: options.preserve, cease }),
    );
    const listener = this.#listener;
    this.#listener = undefined;
    await Promise.all([...parted, listener?.close(), this.#doorman.close()]);
  }

  subscribe(listener: SpeakerListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Every configured neighbor, in the order of the configuration. */
  peers(): readonly PeerStatus[] {
    return [...this.#neighbors.values()].map((neighbor) => neighbor.status());
  }

  isEstablished(peer: string): boolean {
    return this.#neighbor(peer).established;
  }

  /** Empty unless the session is established. */
  ribOut(peer: string): AdjRibOutView {
    return this.#neighbor(peer).rib;
  }

  /** Queues changes on an established session; on any other it does nothing. */
  apply(peer: string, announce: readonly OutRoute[], withdraw: readonly RouteKey[]): void {
    this.#neighbor(peer).apply(announce, withdraw);
  }

  /** End-of-RIB (RFC 4724 §2) for every negotiated family once what is queued now has been written. */
  endOfRib(peer: string): void {
    this.#neighbor(peer).endOfRib();
  }

  /** Administrative up and down; down sends Cease (Administrative Shutdown) with the communication. */
  setEnabled(peer: string, enabled: boolean, communication?: string): void {
    this.#neighbor(peer).setEnabled(enabled, communication);
  }

  /** Sends everything in the Adj-RIB-Out again (soft), or resets the session with Cease (Administrative Reset). */
  clear(peer: string, how: 'soft' | 'hard'): void {
    this.#neighbor(peer).clear(how);
  }

  /**
   * Adopts a new list of neighbors: removed ones are shut down, added ones started, changed ones alone reset. Rejects when
   * new keys need another listening socket and it cannot be bound; sessions that are dialled go on all the same.
   */
  async reconfigure(neighbors: readonly NeighborSettings[]): Promise<void> {
    const before = this.#neighbors;
    this.#neighbors = this.#named(
      neighbors.map((settings) => {
        const old = before.get(settings.name);
        if (old !== undefined && isDeepStrictEqual(old.settings, settings)) return old;
        return new Neighbor(settings, this.#local, this.#runtime, this.#toAll, old?.restarting ?? false);
      }),
    );
    const parting: Promise<void>[] = [];
    for (const [name, old] of before) {
      const now = this.#neighbors.get(name);
      if (now === old) continue;
      const subcode =
        now === undefined ? CeaseSubcode.PeerDeConfigured : CeaseSubcode.OtherConfigurationChange;
      parting.push(old.part({ preserve: false, cease: { subcode } }));
    }
    await Promise.all(parting);
    try {
      await this.#listener?.expect(this.#expected());
    } finally {
      for (const [name, neighbor] of this.#neighbors) {
        if (this.#started && before.get(name) !== neighbor) neighbor.start();
      }
    }
  }

  #accepted(connection: Connection): void {
    const neighbor = this.#expecting(connection);
    if (neighbor === undefined) this.#doorman.turnAway(connection);
    else neighbor.accept(connection);
  }

  /** The neighbor whose connection this is; of several at one address, one that waits for it. */
  #expecting({ remoteAddress, localAddress }: Connection): Neighbor | undefined {
    const candidates = [...this.#neighbors.values()].filter(
      ({ settings }) =>
        settings.address.kind === 'tcp' &&
        isHost(canonicalHost(settings.address.host), remoteAddress) &&
        (settings.localAddress === undefined || isHost(canonicalHost(settings.localAddress), localAddress)),
    );
    const waiting = candidates.filter((neighbor) => !neighbor.established);
    return waiting.find((neighbor) => neighbor.settings.passive) ?? waiting[0] ?? candidates[0];
  }

  #expected(): readonly ExpectedPeer[] {
    return [...this.#neighbors.values()].flatMap(({ settings }) => {
      const { address, md5Password, ttlSecurityHops } = settings;
      if (address.kind !== 'tcp') return [];
      return [
        {
          host: canonicalHost(address.host),
          ...(md5Password === undefined ? {} : { md5Password }),
          ...(ttlSecurityHops === undefined ? {} : { ttlSecurityHops }),
        },
      ];
    });
  }

  #named(neighbors: readonly Neighbor[]): Map<string, Neighbor> {
    const named = new Map(neighbors.map((neighbor) => [neighbor.settings.name, neighbor]));
    if (named.size < neighbors.length) throw new RangeError('two neighbors have the same name');
    return named;
  }

  #neighbor(name: string): Neighbor {
    const neighbor = this.#neighbors.get(name);
    if (neighbor === undefined) throw new RangeError(`no neighbor is named ${name}`);
    return neighbor;
  }

  #tell(tell: (listener: SpeakerListener) => void): void {
    for (const listener of this.#listeners) tell(listener);
  }
}
