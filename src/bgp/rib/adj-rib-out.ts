/**
 * Adj-RIB-Out (RFC 4271 §3.2): what one session has written, octet for octet, and what waits to be written.
 *
 * Changes are coalesced by route: however long a peer does not read, at most one change waits for each route, so a slow
 * peer costs memory in proportion to the rules that are decided, never to the time it is slow.
 */
import { toHex } from '../../net/bytes.ts';
import type { Family } from '../wire/iana.ts';

/**
 * What rides with the NLRI and decides what the router does. Values of the attributes as they go on the wire, without
 * attribute headers; empty when the attribute is absent. Two routes with equal `key` share one UPDATE.
 */
export interface RouteAttributes {
  /** Equal exactly when all octets below are equal. */
  readonly key: string;
  /** COMMUNITIES, 4 octets each (RFC 1997). */
  readonly communities: Uint8Array;
  /** EXTENDED_COMMUNITIES, 8 octets each (RFC 4360): the FlowSpec actions. */
  readonly extendedCommunities: Uint8Array;
  /** IPv6 address specific extended communities, 20 octets each (RFC 5701). */
  readonly ipv6ExtendedCommunities: Uint8Array;
  /** LARGE_COMMUNITIES, 12 octets each (RFC 8092). */
  readonly largeCommunities: Uint8Array;
  /** Next hop of MP_REACH_NLRI: empty for FlowSpec, save for a redirect that carries its address there. */
  readonly nextHop: Uint8Array;
}

/** Identity of a route on a session: family and the NLRI's octets. */
export type RouteKey = string;

/** One route for one neighbor. The octets are final; `nlri` includes its length octets. */
export interface OutRoute {
  readonly key: RouteKey;
  readonly family: Family;
  readonly nlri: Uint8Array;
  readonly attributes: RouteAttributes;
  /** Whoever asked for the route; opaque here, shown beside the route. */
  readonly label: string;
  /** Operator notation, for people. */
  readonly text: string;
}

/** A route as it stands in the peer's table, as far as this side can know: written, not necessarily installed. */
export interface SentRoute {
  readonly route: OutRoute;
  /** Milliseconds since the epoch, when the octets were handed to the transport. */
  readonly sentAt: number;
}

/** Routes to write, announcements and withdrawals apart. */
export interface RouteChanges {
  readonly announce: readonly OutRoute[];
  readonly withdraw: readonly OutRoute[];
}

/** The key of a route: the family and the NLRI as it is announced, so that a withdrawal repeats the same octets. */
export function routeKey(family: Family, nlri: Uint8Array): RouteKey {
  return `${family.afi}/${family.safi}/${toHex(nlri)}`;
}

/** Attributes with their key. Parts left out are empty. */
export function routeAttributes(parts: Partial<Omit<RouteAttributes, 'key'>>): RouteAttributes {
  const empty = new Uint8Array(0);
  const communities = parts.communities ?? empty;
  const extendedCommunities = parts.extendedCommunities ?? empty;
  const ipv6ExtendedCommunities = parts.ipv6ExtendedCommunities ?? empty;
  const largeCommunities = parts.largeCommunities ?? empty;
  const nextHop = parts.nextHop ?? empty;
  const key = [communities, extendedCommunities, ipv6ExtendedCommunities, largeCommunities, nextHop]
    .map(toHex)
    .join('.');
  return { key, communities, extendedCommunities, ipv6ExtendedCommunities, largeCommunities, nextHop };
}

/** What others may see of an Adj-RIB-Out. */
export interface AdjRibOutView {
  /** What was written and not withdrawn since. */
  readonly sent: ReadonlyMap<RouteKey, SentRoute>;
  /** How many changes wait to be written. */
  readonly pendingCount: number;
  /** The route as the peer will hold it once everything that waits is written; undefined when it will hold none. */
  effective(key: RouteKey): OutRoute | undefined;
  /** Keys for which `effective` is defined. */
  effectiveKeys(): Iterable<RouteKey>;
}

/** The Adj-RIB-Out of one session. It dies with the session: `clear` on loss, nothing is persisted. */
export class AdjRibOut implements AdjRibOutView {
  readonly #sent = new Map<RouteKey, SentRoute>();
  readonly #announce = new Map<RouteKey, OutRoute>();
  readonly #withdraw = new Map<RouteKey, OutRoute>();
  /** What the routes of the last `take` took the place of. */
  readonly #replaced = new Map<RouteKey, SentRoute>();

  get sent(): ReadonlyMap<RouteKey, SentRoute> {
    return this.#sent;
  }

  get pendingCount(): number {
    return this.#announce.size + this.#withdraw.size;
  }

  effective(key: RouteKey): OutRoute | undefined {
    const waiting = this.#announce.get(key);
    if (waiting !== undefined) return waiting;
    return this.#withdraw.has(key) ? undefined : this.#sent.get(key)?.route;
  }

  *effectiveKeys(): Iterable<RouteKey> {
    for (const key of this.#sent.keys()) if (!this.#withdraw.has(key)) yield key;
    for (const key of this.#announce.keys()) if (!this.#sent.has(key)) yield key;
  }

  /**
   * Queues a route; a change that waits for the same key is superseded. Announcing what is already out does nothing, but
   * where a change waits the route is written again, since that change may have taken the place of a `resend`.
   */
  announce(route: OutRoute): void {
    const { key } = route;
    const waited = this.#withdraw.delete(key) || this.#announce.delete(key);
    const sent = this.#sent.get(key);
    if (waited || sent?.route.attributes.key !== route.attributes.key) this.#announce.set(key, route);
    else if (sent.route.label !== route.label) this.#sent.set(key, { route, sentAt: sent.sentAt });
  }

  /** Queues the withdrawal of a key with the octets that were announced; a route never written is merely forgotten. */
  withdraw(key: RouteKey): void {
    this.#announce.delete(key);
    const sent = this.#sent.get(key);
    if (sent !== undefined) this.#withdraw.set(key, sent.route);
  }

  /** Queues everything of a family that stands as sent once more (ROUTE-REFRESH, RFC 2918 §4). */
  resend(family: Family): void {
    for (const [key, { route }] of this.#sent) {
      if (route.family.afi !== family.afi || route.family.safi !== family.safi) continue;
      if (!this.#withdraw.has(key) && !this.#announce.has(key)) this.#announce.set(key, route);
    }
  }

  /**
   * Takes changes for writing until they have cost `max`, and counts them as sent at `now` (ms). `cost` is asked once for
   * each, in order; left out, each costs 1. Announcements come first, so that a rule is never gone before the one that
   * replaces it stands.
   */
  take(max: number, now: number, cost: (route: OutRoute) => number = () => 1): RouteChanges {
    let spent = 0;
    const announce: OutRoute[] = [];
    this.#replaced.clear();
    for (const [key, route] of this.#announce) {
      if (spent >= max) break;
      spent += cost(route);
      announce.push(route);
      this.#announce.delete(key);
      const before = this.#sent.get(key);
      if (before !== undefined) this.#replaced.set(key, before);
      this.#sent.set(key, { route, sentAt: now });
    }
    const withdraw: OutRoute[] = [];
    for (const [key, route] of this.#withdraw) {
      if (spent >= max) break;
      spent += cost(route);
      withdraw.push(route);
      this.#withdraw.delete(key);
      this.#sent.delete(key);
    }
    return { announce, withdraw };
  }

  /**
   * One route of the last `take` turned out to fit into no message: nothing of it was written. What it was to replace
   * still stands at the peer, and is withdrawn, since nobody wants it any more.
   */
  unwritten(key: RouteKey): void {
    const before = this.#replaced.get(key);
    this.#sent.delete(key);
    if (before === undefined) return;
    this.#sent.set(key, before);
    this.withdraw(key);
  }

  /** Forgets everything: the session is gone, and with it what the peer held on its behalf. */
  clear(): void {
    this.#sent.clear();
    this.#announce.clear();
    this.#withdraw.clear();
    this.#replaced.clear();
  }
}
