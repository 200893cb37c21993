/**
 * The speaker: all neighbors, the socket that accepts their connections, and the subscribers. It holds sessions and
 * their Adj-RIB-Outs and decides nothing.
 */
import { isDeepStrictEqual } from 'node:util';
import type { AdjRibOutView } from '../rib/adj-rib-out.ts';
import type { OutRoute, RouteKey } from '../rib/route.ts';
import { CeaseSubcode } from '../wire/notification.ts';
import { parseIdentifier } from '../wire/open.ts';
import { Neighbor } from './neighbor.ts';
import { canonicalHost, isHost, type LocalSide, shutdownCease } from './settings.ts';
import { securedText } from './tcp/native.ts';
import { netTransport } from './tcp/net-transport.ts';
import { UnknownConnections } from './reject-unknown.ts';
import { type Runtime, systemRuntime } from './runtime.ts';
import type { Connection, ExpectedPeer, Listener } from './transport.ts';
import type { NeighborSettings, PeerStatus, SpeakerListener, SpeakerSettings } from './types.ts';

export class Speaker {
  readonly #settings: SpeakerSettings;
  readonly #local: LocalSide;
  readonly #runtime: Runtime;
  readonly #listeners = new Set<SpeakerListener>();
  readonly #toAll: Required<SpeakerListener>;
  readonly #unknown: UnknownConnections;
  #neighbors: Map<string, Neighbor>;
  /** Removed or replaced neighbors whose sessions are not closed yet. */
  readonly #removed = new Set<Neighbor>();
  #listener: Listener | undefined;
  /** The reason why neighbors with TCP MD5 or GTSM stay down; undefined if they work. */
  #lacking: string | undefined;
  /** In `starting`, changed neighbors do not start yet; in `stopped`, changes are dropped. */
  #state: 'starting' | 'running' | 'stopped' = 'starting';
  /** Resolves when the reconfigurations requested so far are done; never rejects. */
  #reconfigured: Promise<void> = Promise.resolve();
  /** Number of reconfigurations that are not done. */
  #reconfiguring = 0;

  /** Throws RangeError if the router id is not a BGP Identifier or two neighbors share a name. */
  constructor(settings: SpeakerSettings, runtime: Runtime = systemRuntime(netTransport)) {
    const localIdentifier = parseIdentifier(settings.routerId);
    if (localIdentifier === undefined)
      throw new RangeError(`"${settings.routerId}" is not a valid router id`);
    this.#settings = settings;
    this.#local = { localAsn: settings.localAsn, localIdentifier };
    this.#runtime = runtime;
    this.#toAll = {
      onEstablished: (...args) => this.#tell((listener) => listener.onEstablished?.(...args)),
      onDown: (...args) => this.#tell((listener) => listener.onDown?.(...args)),
      onSent: (...args) => this.#tell((listener) => listener.onSent?.(...args)),
      onAcknowledged: (...args) => this.#tell((listener) => listener.onAcknowledged?.(...args)),
      onLog: (...args) => this.#tell((listener) => listener.onLog?.(...args)),
    };
    this.#unknown = new UnknownConnections(runtime, this.#toAll);
    assertDistinct(settings.neighbors);
    this.#neighbors = byName(
      settings.neighbors.map((one) => {
        const past = { restarting: true, enabled: one.enabled };
        return new Neighbor(one, this.#local, runtime, this.#toAll, past);
      }),
    );
  }

  /** The address and real port at which passive sessions are accepted; undefined if there is none. */
  get listening(): { readonly host: string; readonly port: number } | undefined {
    return this.#listener && { host: this.#listener.host, port: this.#listener.port };
  }

  /**
   * Binds the listener and starts dialing. Rejects if the listener cannot bind; an unreachable neighbor is not an
   * error.
   */
  async start(): Promise<void> {
    this.#state = 'starting';
    await this.#checkSystem();
    const { listen } = this.#settings;
    if (listen !== undefined) {
      this.#listener = await this.#runtime.transport.listen(listen, this.#expected(), (connection) =>
        this.#accepted(connection),
      );
    }
    this.#state = 'running';
    for (const neighbor of this.#neighbors.values()) neighbor.start();
  }

  /** Closes all neighbors; resolves when every socket is closed. Pending reconfigurations are dropped. */
  async stop(options: { readonly preserve: boolean; readonly communication?: string }): Promise<void> {
    this.#state = 'stopped';
    const cease = shutdownCease(options.communication);
    const closed = [...this.#neighbors.values()].map((one) =>
      one.close({ preserve: options.preserve, cease }),
    );
    // A running reconfiguration may be about to bind the listener again.
    await this.#reconfigured;
    const listener = this.#listener;
    this.#listener = undefined;
    await Promise.all([...closed, listener?.close(), this.#unknown.close()]);
  }

  subscribe(listener: SpeakerListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Returns the status of every configured neighbor, in the order of the configuration. */
  peers(): readonly PeerStatus[] {
    return [...this.#neighbors.values()].map((neighbor) => neighbor.status());
  }

  isEstablished(peer: string): boolean {
    return this.#neighbor(peer).established;
  }

  /** Returns the session's Adj-RIB-Out; empty unless established. */
  ribOut(peer: string): AdjRibOutView {
    return this.#neighbor(peer).rib;
  }

  /** Queues changes on an established session; does nothing on any other. */
  apply(peer: string, announce: readonly OutRoute[], withdraw: readonly RouteKey[]): void {
    this.#neighbor(peer).apply(announce, withdraw);
  }

  /** Resolves when every session has had its turn to write the changes queued so far. */
  async written(): Promise<void> {
    await Promise.all([...this.#neighbors.values()].map((neighbor) => neighbor.written()));
  }

  /** Returns true if a route of this owner is on a session, or its withdrawal is not acknowledged. */
  holds(owner: string): boolean {
    for (const { rib } of this.#neighbors.values()) if (rib.holds(owner)) return true;
    for (const { rib } of this.#removed) if (rib.holds(owner)) return true;
    return false;
  }

  /** Sends End-of-RIB (RFC 4724 §2) for every negotiated family after the pending changes. */
  endOfRib(peer: string): void {
    this.#neighbor(peer).endOfRib();
  }

  /** Enables or disables a neighbor; disabling sends Cease (Administrative Shutdown) with the communication. */
  setEnabled(peer: string, enabled: boolean, communication?: string): void {
    this.#neighbor(peer).setEnabled(enabled, communication);
  }

  /** Sends the whole Adj-RIB-Out again (soft), or resets the session with Cease (Administrative Reset). */
  clear(peer: string, how: 'soft' | 'hard'): void {
    this.#neighbor(peer).clear(how);
  }

  /**
   * Adopts a new list of neighbors: removed ones are shut down, added ones started, and only changed ones reset. A
   * router that keeps routes during a restart keeps them during such a reset too. A neighbor that an operator disabled
   * stays disabled unless `enabled` itself changed. Overlapping calls run one after the other, so the last list
   * applies. Rejects if new keys need another listening socket and it cannot be bound; dialed sessions continue despite
   * that. Throws RangeError if two neighbors share a name; nothing is changed then.
   */
  async reconfigure(neighbors: readonly NeighborSettings[]): Promise<void> {
    assertDistinct(neighbors);
    const alone = this.#reconfiguring === 0;
    this.#reconfiguring++;
    const adopted = alone ? this.#adopt(neighbors) : this.#reconfigured.then(() => this.#adopt(neighbors));
    const over = (): void => {
      this.#reconfiguring--;
    };
    this.#reconfigured = adopted.then(over, over);
    return adopted;
  }

  async #adopt(neighbors: readonly NeighborSettings[]): Promise<void> {
    if (this.#state === 'stopped') return;
    const before = this.#neighbors;
    this.#neighbors = byName(
      neighbors.map((settings) => {
        const old = before.get(settings.name);
        if (old !== undefined && isDeepStrictEqual(old.settings, settings)) return old;
        const enabled =
          old !== undefined && old.settings.enabled === settings.enabled ? old.enabled : settings.enabled;
        const past = { restarting: old?.restarting ?? false, enabled };
        return new Neighbor(settings, this.#local, this.#runtime, this.#toAll, past);
      }),
    );
    const closing: Promise<void>[] = [];
    for (const [name, old] of before) {
      const now = this.#neighbors.get(name);
      if (now === old) continue;
      const subcode =
        now === undefined ? CeaseSubcode.PeerDeConfigured : CeaseSubcode.OtherConfigurationChange;
      const preserve = now !== undefined && staysSamePeer(old, now);
      this.#removed.add(old);
      closing.push(old.close({ preserve, cease: { subcode } }).finally(() => this.#removed.delete(old)));
    }
    await Promise.all(closing);
    try {
      await this.#listener?.expect(this.#expected());
    } finally {
      for (const [name, neighbor] of this.#neighbors) {
        if (before.get(name) === neighbor) continue;
        if (this.#lacking !== undefined) neighbor.reportLacking(this.#lacking);
        if (this.#isRunning()) neighbor.start();
      }
    }
  }

  async #checkSystem(): Promise<void> {
    const lacking = await this.#runtime.transport.lacking?.();
    if (lacking === undefined) return;
    this.#toAll.onLog(
      'warn',
      undefined,
      `a rule counts as sent when this host's kernel has it, whether or not the router takes it: ${lacking}`,
    );
    this.#lacking = securedText(lacking);
    for (const neighbor of this.#neighbors.values()) neighbor.reportLacking(this.#lacking);
  }

  #accepted(connection: Connection): void {
    const neighbor = this.#expecting(connection);
    if (neighbor === undefined) this.#unknown.reject(connection);
    else neighbor.accept(connection);
  }

  /** Returns the neighbor that a connection belongs to; among several at one address, one that waits for it. */
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
      const { address } = settings;
      return address.kind === 'tcp' ? [{ ...settings, host: canonicalHost(address.host) }] : [];
    });
  }

  #isRunning(): boolean {
    return this.#state === 'running';
  }

  #neighbor(name: string): Neighbor {
    const neighbor = this.#neighbors.get(name);
    if (neighbor === undefined) throw new RangeError(`there is no neighbor ${name}`);
    return neighbor;
  }

  #tell(tell: (listener: SpeakerListener) => void): void {
    for (const listener of this.#listeners) tell(listener);
  }
}

/**
 * Returns true if the next session of `now` will be with the same router, which may then keep the earlier session's
 * routes until it is established (RFC 4724 §4.2). Any other router must lose them now, since no session would replace
 * them.
 */
function staysSamePeer(before: Neighbor, now: Neighbor): boolean {
  return (
    now.enabled &&
    now.settings.gracefulRestart !== undefined &&
    now.settings.peerAsn === before.settings.peerAsn &&
    now.settings.localAddress === before.settings.localAddress &&
    isDeepStrictEqual(now.settings.address, before.settings.address)
  );
}

function byName(neighbors: readonly Neighbor[]): Map<string, Neighbor> {
  return new Map(neighbors.map((neighbor) => [neighbor.settings.name, neighbor]));
}

function assertDistinct(neighbors: readonly NeighborSettings[]): void {
  const names = new Set(neighbors.map(({ name }) => name));
  if (names.size < neighbors.length) throw new RangeError('two neighbors have the same name');
}
