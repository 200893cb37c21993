/**
 * An announcer without routers, for users who try out policies before any router is connected (`bgp.mode: mock`): every
 * enabled neighbor counts as established with all of its families, and everything is written at once.
 */
import type { OutRoute, RouteKey } from '../bgp/rib/route.ts';
import { AdjRibOut } from '../bgp/rib/adj-rib-out.ts';
import type { NeighborSettings, PeerStatus, SessionCounters, SpeakerListener } from '../bgp/speaker/types.ts';
import type { Announcer, StopOptions } from './announcer.ts';

interface MockPeer {
  settings: NeighborSettings;
  enabled: boolean;
  establishedAt: number | undefined;
  /** Time of creation or of the last change up or down (ms). */
  changedAt: number;
  readonly createdAt: number;
  readonly rib: AdjRibOut;
}

export class MockAnnouncer implements Announcer {
  readonly #peers = new Map<string, MockPeer>();
  readonly #listeners = new Set<SpeakerListener>();
  readonly #clock: () => number;
  #started = false;

  constructor(neighbors: readonly NeighborSettings[], clock: () => number) {
    this.#clock = clock;
    for (const settings of neighbors) this.#peers.set(settings.name, newPeer(settings, this.#clock()));
  }

  start(): Promise<void> {
    this.#started = true;
    for (const [name, peer] of this.#peers) if (peer.enabled) this.#up(name, peer);
    return Promise.resolve();
  }

  stop(options: StopOptions): Promise<void> {
    for (const [name, peer] of this.#peers) {
      if (!options.preserve) this.apply(name, [], [...peer.rib.effectiveKeys()]);
      this.#down(name, peer, 'stopped');
    }
    this.#started = false;
    return Promise.resolve();
  }

  subscribe(listener: SpeakerListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  peers(): readonly PeerStatus[] {
    return [...this.#peers.values()].map(statusOf);
  }

  isEstablished(peer: string): boolean {
    return this.#peer(peer).establishedAt !== undefined;
  }

  ribOut(peer: string): AdjRibOut {
    return this.#peer(peer).rib;
  }

  apply(peer: string, announce: readonly OutRoute[], withdraw: readonly RouteKey[]): void {
    const { rib, establishedAt } = this.#peer(peer);
    if (establishedAt === undefined) return;
    for (const route of announce) rib.announce(route);
    for (const key of withdraw) rib.withdraw(key);
    this.#flush(peer, rib);
  }

  written(): Promise<void> {
    return Promise.resolve();
  }

  holds(owner: string): boolean {
    return [...this.#peers.values()].some(({ rib }) => rib.holds(owner));
  }

  endOfRib(peer: string): void {
    this.#peer(peer);
  }

  setEnabled(peer: string, enabled: boolean): void {
    const one = this.#peer(peer);
    one.enabled = enabled;
    if (!enabled) this.#down(peer, one, 'administratively down');
    else if (this.#started && one.establishedAt === undefined) this.#up(peer, one);
  }

  clear(peer: string, how: 'soft' | 'hard'): void {
    const one = this.#peer(peer);
    if (one.establishedAt === undefined) return;
    if (how === 'hard') {
      this.#down(peer, one, 'cleared');
      this.#up(peer, one);
      return;
    }
    for (const family of one.settings.families) one.rib.resend(family);
    this.#flush(peer, one.rib);
  }

  reconfigure(neighbors: readonly NeighborSettings[]): Promise<void> {
    const names = new Set(neighbors.map((one) => one.name));
    for (const [name, peer] of this.#peers) {
      if (names.has(name)) continue;
      this.#down(name, peer, 'removed from the configuration');
      this.#peers.delete(name);
    }
    for (const settings of neighbors) {
      const before = this.#peers.get(settings.name);
      if (before !== undefined && JSON.stringify(before.settings) === JSON.stringify(settings)) continue;
      if (before !== undefined) this.#down(settings.name, before, 'its configuration changed');
      const peer = newPeer(settings, this.#clock());
      this.#peers.set(settings.name, peer);
      if (this.#started && peer.enabled) this.#up(settings.name, peer);
    }
    return Promise.resolve();
  }

  #up(name: string, peer: MockPeer): void {
    peer.establishedAt = this.#clock();
    peer.changedAt = peer.establishedAt;
    for (const listener of this.#listeners) {
      listener.onLog?.('info', name, 'session established (mock: no router is connected)');
      listener.onEstablished?.(name);
    }
  }

  #down(name: string, peer: MockPeer, why: string): void {
    if (peer.establishedAt === undefined) return;
    peer.establishedAt = undefined;
    peer.changedAt = this.#clock();
    peer.rib.clear();
    for (const listener of this.#listeners) {
      listener.onLog?.('info', name, `session down (mock): ${why}`);
      listener.onDown?.(name, why);
    }
  }

  #flush(name: string, rib: AdjRibOut): void {
    const { announce, withdraw } = rib.take(Number.MAX_SAFE_INTEGER, this.#clock());
    if (announce.length + withdraw.length === 0) return;
    rib.acknowledge(rib.taken);
    for (const listener of this.#listeners) {
      listener.onSent?.(name, announce, withdraw);
      listener.onAcknowledged?.(name, announce, withdraw);
    }
  }

  #peer(name: string): MockPeer {
    const peer = this.#peers.get(name);
    if (peer === undefined) throw new RangeError(`there is no neighbor ${name}`);
    return peer;
  }
}

function newPeer(settings: NeighborSettings, createdAt: number): MockPeer {
  const { enabled } = settings;
  return {
    settings,
    enabled,
    establishedAt: undefined,
    changedAt: createdAt,
    createdAt,
    rib: new AdjRibOut(),
  };
}

function statusOf({ settings, enabled, establishedAt, changedAt, createdAt, rib }: MockPeer): PeerStatus {
  const { address } = settings;
  return {
    name: settings.name,
    address: address.kind === 'tcp' ? `${address.host}:${address.port}` : `unix:${address.path}`,
    peerAsn: settings.peerAsn,
    state: establishedAt === undefined ? 'idle' : 'established',
    stateSince: changedAt,
    enabled,
    establishedAt,
    families: settings.families,
    negotiated:
      establishedAt === undefined
        ? undefined
        : {
            holdTimeSeconds: settings.holdTimeSeconds,
            families: settings.families,
            fourOctetAs: true,
            routeRefresh: true,
            enhancedRouteRefresh: false,
            extendedMessages: false,
            gracefulRestart: false,
            peerRouterId: '0.0.0.0',
          },
    rulesSent: rib.sentCount,
    rulesPending: rib.pendingCount,
    lastError: undefined,
    hint: undefined,
    lastCause: undefined,
    lastNotificationSent: undefined,
    lastNotificationReceived: undefined,
    counters: noCounters(),
    countedSince: createdAt,
    lastFlapAt: undefined,
  };
}

/** A mock exchanges no messages, so it counts none. */
function noCounters(): SessionCounters {
  const none = { open: 0, update: 0, notification: 0, keepalive: 0, route_refresh: 0 };
  return { messagesIn: none, messagesOut: none, routesReceived: 0, established: 0, flaps: 0 };
}
