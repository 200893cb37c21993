/** On whose behalf which routes stand on each established session: answers "has the withdrawal reached everyone?". */
import type { OutRoute, RouteKey } from '../bgp/rib/route.ts';

interface PeerStanding {
  /** Mitigation by route. */
  readonly owners: Map<RouteKey, string>;
  /** How many routes of a mitigation stand. */
  readonly counts: Map<string, number>;
}

/** Follows what sessions have written. Peers appear with their first route and vanish with their session. */
export class RoutesByOwner {
  readonly #peers = new Map<string, PeerStanding>();

  /** The routes were written to the peer; their labels are the mitigations. */
  announced(peer: string, routes: readonly OutRoute[]): void {
    let standing = this.#peers.get(peer);
    if (standing === undefined) {
      standing = { owners: new Map(), counts: new Map() };
      this.#peers.set(peer, standing);
    }
    for (const { key, owner: label } of routes) {
      release(standing, key);
      standing.owners.set(key, label);
      standing.counts.set(label, (standing.counts.get(label) ?? 0) + 1);
    }
  }

  /** The withdrawals were written to the peer. */
  withdrawn(peer: string, routes: readonly OutRoute[]): void {
    const standing = this.#peers.get(peer);
    if (standing !== undefined) for (const { key } of routes) release(standing, key);
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

function release(standing: PeerStanding, key: RouteKey): void {
  const owner = standing.owners.get(key);
  if (owner === undefined) return;
  standing.owners.delete(key);
  const left = (standing.counts.get(owner) ?? 1) - 1;
  if (left === 0) standing.counts.delete(owner);
  else standing.counts.set(owner, left);
}
