/**
 * Adj-RIB-Out (RFC 4271 §3.2): what one session has written, octet for octet, and what waits to be written.
 *
 * Changes are coalesced by route: however long a peer does not read, at most one change waits for each route, so a slow
 * peer costs memory in proportion to the rules that are decided, never to the time it is slow.
 */
import type { Family } from '../wire/iana.ts';
import type { OutRoute, RouteKey } from './route.ts';

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

/** What others may see of an Adj-RIB-Out. */
export interface AdjRibOutView {
  /** How many routes were written and not withdrawn since. */
  readonly sentCount: number;
  /** The route that was written under the key and not withdrawn since. */
  sent(key: RouteKey): SentRoute | undefined;
  /** All that was written and not withdrawn since. */
  sentRoutes(): Iterable<SentRoute>;
  /** How many changes wait to be written. */
  readonly pendingCount: number;
  /** The route as the peer will hold it once everything that waits is written; undefined when it will hold none. */
  effective(key: RouteKey): OutRoute | undefined;
  /** Keys for which `effective` is defined. */
  effectiveKeys(): Iterable<RouteKey>;
}

const WITHDRAW = 'withdraw';

/** One key: what was written, what waits, and in which queues the entry is already. */
interface Entry {
  readonly key: RouteKey;
  sent: OutRoute | undefined;
  sentAt: number;
  pending: OutRoute | typeof WITHDRAW | undefined;
  queuedToAnnounce: boolean;
  queuedToWithdraw: boolean;
}

/**
 * The Adj-RIB-Out of one session. It dies with the session: `clear` on loss, nothing is persisted.
 *
 * A table of many thousand routes passes through here whenever a session comes up, so a route costs one look-up when it is
 * queued and none when it is taken. An entry stays in its queue when its change is superseded, and is passed over then.
 */
export class AdjRibOut implements AdjRibOutView {
  readonly #entries = new Map<RouteKey, Entry>();
  #toAnnounce: Entry[] = [];
  #toWithdraw: Entry[] = [];
  #sentCount = 0;
  #pendingCount = 0;
  /** What the routes of the last `take` took the place of. */
  readonly #replaced = new Map<RouteKey, SentRoute>();

  get sentCount(): number {
    return this.#sentCount;
  }

  get pendingCount(): number {
    return this.#pendingCount;
  }

  sent(key: RouteKey): SentRoute | undefined {
    const entry = this.#entries.get(key);
    return entry && sentOf(entry);
  }

  *sentRoutes(): Iterable<SentRoute> {
    for (const entry of this.#entries.values()) {
      const sent = sentOf(entry);
      if (sent !== undefined) yield sent;
    }
  }

  effective(key: RouteKey): OutRoute | undefined {
    const entry = this.#entries.get(key);
    return entry && effectiveOf(entry);
  }

  *effectiveKeys(): Iterable<RouteKey> {
    for (const entry of this.#entries.values()) if (effectiveOf(entry) !== undefined) yield entry.key;
  }

  /**
   * Queues a route; a change that waits for the same key is superseded. Announcing what is already out does nothing, but
   * where a change waits the route is written again, since that change may have taken the place of a `resend`.
   */
  announce(route: OutRoute): void {
    const { key } = route;
    let entry = this.#entries.get(key);
    if (entry === undefined) {
      entry = {
        key,
        sent: undefined,
        // Not 0: an integer that becomes a time would change the shape of the object, for each route of a table.
        sentAt: Number.NaN,
        pending: undefined,
        queuedToAnnounce: false,
        queuedToWithdraw: false,
      };
      this.#entries.set(key, entry);
    }
    const isNews = entry.pending !== undefined || entry.sent?.attributes.key !== route.attributes.key;
    if (isNews) this.#queue(entry, route);
    else if (entry.sent?.label !== route.label) entry.sent = route;
  }

  /** Queues the withdrawal of a key with the octets that were announced; a route never written is merely forgotten. */
  withdraw(key: RouteKey): void {
    const entry = this.#entries.get(key);
    if (entry === undefined) return;
    if (entry.sent !== undefined) this.#queue(entry, WITHDRAW);
    else {
      this.#done(entry);
      this.#dropIfEmpty(entry);
    }
  }

  /** Queues everything of a family that stands as sent once more (ROUTE-REFRESH, RFC 2918 §4). */
  resend(family: Family): void {
    for (const entry of this.#entries.values()) {
      const { sent, pending } = entry;
      if (sent === undefined || pending !== undefined) continue;
      if (sent.family.afi === family.afi && sent.family.safi === family.safi) this.#queue(entry, sent);
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
    let taken = 0;
    let fresh = 0;
    for (const entry of this.#toAnnounce) {
      if (spent >= max) break;
      taken++;
      entry.queuedToAnnounce = false;
      const { pending, sent } = entry;
      if (pending === undefined || pending === WITHDRAW) {
        this.#dropIfEmpty(entry);
        continue;
      }
      spent += cost(pending);
      announce.push(pending);
      if (sent === undefined) fresh++;
      else this.#replaced.set(entry.key, { route: sent, sentAt: entry.sentAt });
      entry.sent = pending;
      entry.sentAt = now;
      entry.pending = undefined;
    }
    this.#sentCount += fresh;
    this.#pendingCount -= announce.length;
    this.#toAnnounce = rest(this.#toAnnounce, taken);
    const withdraw: OutRoute[] = [];
    taken = 0;
    for (const entry of this.#toWithdraw) {
      if (spent >= max) break;
      taken++;
      entry.queuedToWithdraw = false;
      const { sent } = entry;
      if (entry.pending !== WITHDRAW || sent === undefined) {
        this.#dropIfEmpty(entry);
        continue;
      }
      spent += cost(sent);
      withdraw.push(sent);
      this.#done(entry);
      this.#unsend(entry);
    }
    this.#toWithdraw = rest(this.#toWithdraw, taken);
    return { announce, withdraw };
  }

  /**
   * One route of the last `take` turned out to fit into no message: nothing of it was written. What it was to replace
   * still stands at the peer, and is withdrawn, since nobody wants it any more.
   */
  unwritten(key: RouteKey): void {
    const entry = this.#entries.get(key);
    if (entry?.sent === undefined) return;
    const before = this.#replaced.get(key);
    if (before === undefined) {
      if (entry.pending === WITHDRAW) this.#done(entry);
      this.#unsend(entry);
      return;
    }
    entry.sent = before.route;
    entry.sentAt = before.sentAt;
    this.#queue(entry, WITHDRAW);
  }

  /**
   * Forgets everything: the session is gone, and with it what the peer held on its behalf. Entries that were in use stay,
   * empty, for the next session, which will mostly get the same routes; those that this session had no use for go.
   */
  clear(): void {
    for (const entry of this.#toAnnounce) entry.queuedToAnnounce = false;
    for (const entry of this.#toWithdraw) entry.queuedToWithdraw = false;
    this.#toAnnounce = [];
    this.#toWithdraw = [];
    this.#replaced.clear();
    if (this.#sentCount === 0 && this.#pendingCount === 0) return;
    for (const [key, entry] of this.#entries) {
      if (entry.sent === undefined && entry.pending === undefined) this.#entries.delete(key);
      entry.sent = undefined;
      entry.pending = undefined;
    }
    this.#sentCount = 0;
    this.#pendingCount = 0;
  }

  #queue(entry: Entry, change: OutRoute | typeof WITHDRAW): void {
    if (entry.pending === undefined) this.#pendingCount++;
    entry.pending = change;
    if (change === WITHDRAW) {
      if (!entry.queuedToWithdraw) this.#toWithdraw.push(entry);
      entry.queuedToWithdraw = true;
    } else {
      if (!entry.queuedToAnnounce) this.#toAnnounce.push(entry);
      entry.queuedToAnnounce = true;
    }
  }

  /** Nothing waits for the key any more. */
  #done(entry: Entry): void {
    if (entry.pending !== undefined) this.#pendingCount--;
    entry.pending = undefined;
  }

  /** Nothing stands under the key any more. */
  #unsend(entry: Entry): void {
    entry.sent = undefined;
    this.#sentCount--;
    this.#dropIfEmpty(entry);
  }

  /** An entry that a queue still holds stays, so that the key does not come to be queued a second time. */
  #dropIfEmpty(entry: Entry): void {
    const { sent, pending, queuedToAnnounce, queuedToWithdraw } = entry;
    if (sent === undefined && pending === undefined && !queuedToAnnounce && !queuedToWithdraw) {
      this.#entries.delete(entry.key);
    }
  }
}

function sentOf({ sent, sentAt }: Entry): SentRoute | undefined {
  return sent && { route: sent, sentAt };
}

function effectiveOf({ sent, pending }: Entry): OutRoute | undefined {
  if (pending === undefined) return sent;
  return pending === WITHDRAW ? undefined : pending;
}

function rest<T>(queue: T[], taken: number): T[] {
  return taken === queue.length ? [] : queue.slice(taken);
}
