/**
 * Mitigations on their way out. One has ended when no established session holds a route of it any more; only then is
 * that recorded, so that nobody reads "withdrawn" while a router may still drop.
 */
import type { OutRoute, RouteKey } from '../bgp/rib/route.ts';
import { Fifo } from '../net/queue.ts';
import type { Engine } from './engine.ts';
import type { Log, TimerHost } from './types.ts';

/** Ends recorded in one command: some milliseconds of work for everything that follows the facts. */
const ENDS_AT_ONCE = 200;

export class PendingWithdrawals {
  readonly #engine: Engine;
  readonly #standing: RoutesByOwner;
  readonly #timers: TimerHost;
  readonly #log: Log;
  readonly #ids = new Set<string>();
  #busy = false;
  /** Something was sent or lost during a check, which may have come too late for it. */
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

  /** Looks a turn of the event loop later which ones nobody holds any more, so that many are recorded together. */
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
      // Nothing is lost: they stay listed, and the next full run has them looked at again.
      if (!this.#stopped) this.#log('warn', 'cannot record that mitigations ended; retrying', { err: error });
    } finally {
      this.#busy = false;
    }
    if (this.#again && !failed) this.checkSoon();
  }
}

// On whose behalf which routes stand on each established session: answers "has the withdrawal reached everyone?". One that
// was written has not, until the peer's TCP acknowledges it.

interface Leaving {
  readonly announced: readonly OutRoute[];
  readonly withdrawn: readonly OutRoute[];
  /** A mitigation for each route that it loses. */
  readonly over: readonly string[];
}

interface PeerStanding {
  /** Mitigation by route, as it was sent last. */
  readonly owners: Map<RouteKey, string>;
  /** How many routes of a mitigation stand, those among them that are leaving. */
  readonly counts: Map<string, number>;
  /** What was sent that takes routes away from mitigations, until the peer's TCP has acknowledged it. */
  readonly leaving: Fifo<Leaving>;
}

/** Follows what sessions have written. Peers appear with their first route and vanish with their session. */
export class RoutesByOwner {
  readonly #peers = new Map<string, PeerStanding>();

  /**
   * These were written to the peer; the labels of routes are their mitigations. What they replace or withdraw counts until
   * `acknowledged` is told of the very same arrays.
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

  /** The peer's TCP has acknowledged these, in the order in which they were sent. */
  acknowledged(peer: string, announced: readonly OutRoute[], withdrawn: readonly OutRoute[]): void {
    const standing = this.#peers.get(peer);
    const oldest = standing?.leaving.oldest;
    // What was sent before the peer was forgotten is nobody's any more.
    if (standing === undefined || oldest?.announced !== announced || oldest.withdrawn !== withdrawn) return;
    standing.leaving.shift();
    for (const owner of oldest.over) discount(standing, owner);
  }

  /** Routes that stand as they are have come to belong to other mitigations. */
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

  /** The session is gone, and what stood on it with it. */
  forget(peer: string): void {
    this.#peers.delete(peer);
  }

  /** True when at least one route of the mitigation stands on some session. */
  standsAnywhere(mitigationId: string): boolean {
    for (const { counts } of this.#peers.values()) if (counts.has(mitigationId)) return true;
    return false;
  }

  /** True when at least one route of the mitigation stands on this session. */
  standsOn(peer: string, mitigationId: string): boolean {
    return this.#peers.get(peer)?.counts.has(mitigationId) === true;
  }

  ownerOf(peer: string, key: RouteKey): string | undefined {
    return this.#peers.get(peer)?.owners.get(key);
  }

  /** Routes of the mitigation that stand on the session. Linear in the session's routes: for endings, not for lists. */
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
