/**
 * Tracks mitigations that are being withdrawn. One has ended when no established session holds a route of it; only then
 * is that recorded, so that nobody reads "withdrawn" while a router may still drop traffic.
 */
import type { OutRoute, RouteKey } from '../bgp/rib/route.ts';
import { Fifo } from '../net/queue.ts';
import type { Engine } from './engine.ts';
import type { Log, TimerHost } from './types.ts';

/** Limit of ends recorded in one command: some milliseconds of work for all followers. */
const ENDS_AT_ONCE = 200;

export class PendingWithdrawals {
  readonly #engine: Engine;
  readonly #standing: RoutesByOwner;
  readonly #timers: TimerHost;
  readonly #log: Log;
  readonly #ids = new Set<string>();
  #busy = false;
  /** Set if something was sent or lost during a check, perhaps too late for it. */
  #again = false;
  #stopped = false;

  constructor(engine: Engine, standing: RoutesByOwner, timers: TimerHost, log: Log) {
    this.#engine = engine;
    this.#standing = standing;
    this.#timers = timers;
    this.#log = log;
  }

  get size(): number {
    return this.#ids.size;
  }

  add(id: string): void {
    this.#ids.add(id);
  }

  delete(id: string): void {
    this.#ids.delete(id);
  }

  stop(): void {
    this.#stopped = true;
  }

  /**
   * Checks in the next turn of the event loop which mitigations no session holds any more, so that many are recorded
   * together.
   */
  checkSoon(): void {
    if (this.#stopped || this.#ids.size === 0) return;
    if (this.#busy) {
      this.#again = true;
      return;
    }
    this.#busy = true;
    this.#again = false;
    void this.#timers.yield().then(() => this.#check());
  }

  async #check(): Promise<void> {
    this.#again = false;
    const reached = [...this.#ids].filter((id) => !this.#standing.standsAnywhere(id));
    const ids = reached.slice(0, ENDS_AT_ONCE);
    if (reached.length > ids.length) this.#again = true;
    let failed = false;
    try {
      if (ids.length > 0 && !this.#stopped) await this.#engine.submit({ type: 'confirm-ended', ids });
    } catch (error) {
      failed = true;
      // Nothing is lost: they stay listed, and the next full run checks them again.
      if (!this.#stopped) this.#log('warn', 'cannot record that mitigations ended; retrying', { err: error });
    } finally {
      this.#busy = false;
    }
    if (this.#again && !failed) this.checkSoon();
  }
}

// The routes of each mitigation on each established session, to know whether a withdrawal has reached every router. A
// written withdrawal has not, until the peer's TCP acknowledges it.

interface Leaving {
  readonly announced: readonly OutRoute[];
  readonly withdrawn: readonly OutRoute[];
  /** One entry per lost route, with its mitigation. */
  readonly over: readonly string[];
}

interface PeerStanding {
  /** Mitigation by route, as last sent. */
  readonly owners: Map<RouteKey, string>;
  /** Number of routes of each mitigation, including those being withdrawn. */
  readonly counts: Map<string, number>;
  /** Sent changes that remove routes of mitigations, until the peer's TCP has acknowledged them. */
  readonly leaving: Fifo<Leaving>;
}

/** Follows the routes that sessions have written. A peer is added with its first route and removed with its session. */
export class RoutesByOwner {
  readonly #peers = new Map<string, PeerStanding>();

  /**
   * Records routes written to the peer; their owners are mitigations. The routes they replace or withdraw count until
   * `acknowledged` gets the same arrays.
   */
  sent(peer: string, announced: readonly OutRoute[], withdrawn: readonly OutRoute[]): void {
    const standing = this.#of(peer);
    const over: string[] = [];
    for (const { key, owner: label } of announced) {
      const before = standing.owners.get(key);
      if (before === label) continue;
      if (before !== undefined) over.push(before);
      own(standing, key, label);
    }
    for (const { key } of withdrawn) {
      const owner = standing.owners.get(key);
      if (owner === undefined) continue;
      standing.owners.delete(key);
      over.push(owner);
    }
    if (over.length > 0) standing.leaving.push({ announced, withdrawn, over });
  }

  /** Records what the peer's TCP has acknowledged, in the order of sending. */
  acknowledged(peer: string, announced: readonly OutRoute[], withdrawn: readonly OutRoute[]): void {
    const standing = this.#peers.get(peer);
    const oldest = standing?.leaving.oldest;
    // Ignore changes sent before the peer was forgotten.
    if (standing === undefined || oldest?.announced !== announced || oldest.withdrawn !== withdrawn) return;
    standing.leaving.shift();
    for (const owner of oldest.over) discount(standing, owner);
  }

  /** Records that unchanged routes now belong to other mitigations. */
  moved(peer: string, routes: readonly OutRoute[]): void {
    const standing = this.#of(peer);
    for (const { key, owner: label } of routes) {
      const before = standing.owners.get(key);
      if (before !== undefined) discount(standing, before);
      own(standing, key, label);
    }
  }

  #of(peer: string): PeerStanding {
    const known = this.#peers.get(peer);
    if (known !== undefined) return known;
    const standing: PeerStanding = { owners: new Map(), counts: new Map(), leaving: new Fifo() };
    this.#peers.set(peer, standing);
    return standing;
  }

  /** Forgets a closed session and its routes. */
  forget(peer: string): void {
    this.#peers.delete(peer);
  }

  /** Returns true if any session has a route of the mitigation. */
  standsAnywhere(mitigationId: string): boolean {
    for (const { counts } of this.#peers.values()) if (counts.has(mitigationId)) return true;
    return false;
  }

  /** Returns true if this session has a route of the mitigation. */
  standsOn(peer: string, mitigationId: string): boolean {
    return this.#peers.get(peer)?.counts.has(mitigationId) === true;
  }

  ownerOf(peer: string, key: RouteKey): string | undefined {
    return this.#peers.get(peer)?.owners.get(key);
  }

  /**
   * Returns the mitigation's routes on the session. Linear in the session's routes: for mitigations being withdrawn,
   * not for lists.
   */
  routesOf(peer: string, mitigationId: string): readonly RouteKey[] {
    const standing = this.#peers.get(peer);
    if (standing === undefined || !standing.counts.has(mitigationId)) return [];
    return [...standing.owners].filter(([, owner]) => owner === mitigationId).map(([key]) => key);
  }
}

function own(standing: PeerStanding, key: RouteKey, owner: string): void {
  standing.owners.set(key, owner);
  standing.counts.set(owner, (standing.counts.get(owner) ?? 0) + 1);
}

function discount(standing: PeerStanding, owner: string): void {
  const left = (standing.counts.get(owner) ?? 1) - 1;
  if (left === 0) standing.counts.delete(owner);
  else standing.counts.set(owner, left);
}
