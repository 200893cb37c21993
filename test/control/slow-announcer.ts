/** An announcer whose sessions write and are acknowledged when a test says so. */
import { AdjRibOut } from '../../src/bgp/rib/adj-rib-out.ts';
import type { OutRoute, RouteKey } from '../../src/bgp/rib/route.ts';
import type { NeighborSettings, PeerStatus, SpeakerListener } from '../../src/bgp/speaker/types.ts';
import { FAMILIES, type Family, sameFamily } from '../../src/bgp/wire/iana.ts';
import type { Announcer } from '../../src/control/announcer.ts';
import { MockAnnouncer } from '../../src/control/mock-announcer.ts';
import { idle } from './fake-time.ts';

const FLOWSPEC = [FAMILIES['ipv4-flowspec'], FAMILIES['ipv6-flowspec']];

interface Written {
  readonly announce: readonly OutRoute[];
  readonly withdraw: readonly OutRoute[];
  /** Number of the Adj-RIB-Out's `take`. */
  readonly taken: number;
}

/**
 * Sessions that write when the test says so, a few routes at a time. `routers` is what each router holds: what its TCP has
 * acknowledged on the session that stands, which is all that was written unless the router is `deaf`.
 */
export class SlowAnnouncer implements Announcer {
  readonly routers = new Map<string, Map<RouteKey, OutRoute>>();
  /** Routers whose TCP acknowledges nothing. */
  readonly deaf = new Set<string>();
  readonly onWritten: (peer: string, announced: readonly OutRoute[]) => void;
  /** What was written and is not acknowledged, in order. */
  readonly #unacknowledged = new Map<string, Written[]>();
  readonly #ribs = new Map<string, AdjRibOut>();
  readonly #families = new Map<string, readonly Family[]>();
  readonly #listeners = new Set<SpeakerListener>();
  #settings: readonly NeighborSettings[];

  constructor(settings: readonly NeighborSettings[], onWritten: SlowAnnouncer['onWritten']) {
    this.#settings = settings;
    this.onWritten = onWritten;
  }

  up(peer: string, families: readonly Family[]): void {
    const settings = this.#settings.find(({ name }) => name === peer);
    const shared = settings?.families.filter((one) => families.some((other) => sameFamily(one, other))) ?? [];
    if (settings === undefined || this.#families.has(peer) || shared.length === 0) return;
    this.#families.set(peer, shared);
    this.#ribs.set(peer, new AdjRibOut());
    this.routers.set(peer, new Map());
    this.#unacknowledged.set(peer, []);
    for (const listener of this.#listeners) listener.onEstablished?.(peer);
  }

  down(peer: string): void {
    if (!this.#families.delete(peer)) return;
    this.#ribs.get(peer)?.clear();
    this.routers.delete(peer);
    this.#unacknowledged.delete(peer);
    for (const listener of this.#listeners) listener.onDown?.(peer, 'the test says so');
  }

  /** Writes up to `max` changes; a router that is not `deaf` acknowledges them. */
  write(peer: string, max: number): void {
    const rib = this.#ribs.get(peer);
    const router = this.routers.get(peer);
    if (rib === undefined || router === undefined) return;
    const { announce, withdraw } = rib.take(max, 0);
    this.#unacknowledged.get(peer)?.push({ announce, withdraw, taken: rib.taken });
    this.onWritten(peer, announce);
    for (const listener of this.#listeners) listener.onSent?.(peer, announce, withdraw);
    if (!this.deaf.has(peer)) this.acknowledge(peer);
  }

  /** The router's TCP acknowledges everything that was written. */
  acknowledge(peer: string): void {
    const router = this.routers.get(peer);
    for (const { announce, withdraw, taken } of this.#unacknowledged.get(peer)?.splice(0) ?? []) {
      for (const route of announce) router?.set(route.key, route);
      for (const route of withdraw) router?.delete(route.key);
      this.#ribs.get(peer)?.acknowledge(taken);
      for (const listener of this.#listeners) listener.onAcknowledged?.(peer, announce, withdraw);
    }
  }

  /** The owner of a route that a session has, or had before a withdrawal that is not acknowledged. */
  ownerOf(peer: string, key: RouteKey): string | undefined {
    const sent = this.#ribs.get(peer)?.sent(key);
    if (sent !== undefined) return sent.route.owner;
    const withdrawn = this.#unacknowledged.get(peer)?.flatMap(({ withdraw }) => withdraw) ?? [];
    return withdrawn.findLast((route) => route.key === key)?.owner;
  }

  start(): Promise<void> {
    return Promise.resolve();
  }

  stop(): Promise<void> {
    return Promise.resolve();
  }

  subscribe(listener: SpeakerListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** As the mock would show them; of the families only those of the session. */
  peers(): readonly PeerStatus[] {
    const shown = new MockAnnouncer(this.#settings, () => 0);
    void shown.start();
    return shown.peers().map((peer) => {
      const families = this.#families.get(peer.name);
      if (families === undefined || peer.negotiated === undefined)
        return { ...peer, state: 'idle', negotiated: undefined };
      return { ...peer, negotiated: { ...peer.negotiated, families } };
    });
  }

  isEstablished(peer: string): boolean {
    this.#check(peer);
    return this.#families.has(peer);
  }

  ribOut(peer: string): AdjRibOut {
    this.#check(peer);
    return this.#ribs.get(peer) ?? new AdjRibOut();
  }

  apply(peer: string, announce: readonly OutRoute[], withdraw: readonly RouteKey[]): void {
    this.#check(peer);
    if (!this.#families.has(peer)) return;
    const rib = this.#ribs.get(peer);
    for (const route of announce) rib?.announce(route);
    for (const key of withdraw) rib?.withdraw(key);
  }

  /** The test writes, so nobody waits for it. */
  written(): Promise<void> {
    return Promise.resolve();
  }

  holds(owner: string): boolean {
    return [...this.#ribs.values()].some((rib) => rib.holds(owner));
  }

  endOfRib(peer: string): void {
    this.#check(peer);
  }

  setEnabled(peer: string, enabled: boolean): void {
    if (!enabled) this.down(peer);
  }

  clear(peer: string): void {
    for (const family of FLOWSPEC) this.ribOut(peer).resend(family);
  }

  /** Removed ones go, changed ones go down; the others keep their sessions. Names are forgotten at once, sessions later. */
  async reconfigure(settings: readonly NeighborSettings[]): Promise<void> {
    const before = this.#settings;
    this.#settings = settings;
    await idle();
    for (const old of before) {
      const now = settings.find(({ name }) => name === old.name);
      if (now === undefined || JSON.stringify(now) !== JSON.stringify(old)) this.down(old.name);
    }
  }

  #check(peer: string): void {
    if (!this.#settings.some(({ name }) => name === peer))
      throw new RangeError(`there is no neighbor ${peer}`);
  }
}
