/**
 * Adj-RIB-Out (RFC 4271 §3.2): what one session has written, octet for octet, and what waits to be written.
 *
 * Changes are coalesced by route: however long a peer does not read, at most one change waits for each route, so a slow
 * peer costs memory in proportion to the rules that are decided, never to the time it is slow.
 */
import { Fifo } from '../../net/queue.ts';
import { type Family, sameFamily } from '../wire/iana.ts';
import type { OutRoute, RouteKey } from './route.ts';
import { type Slot, Slots } from './columns.ts';

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

/** What one `take` wrote, until the peer's TCP has acknowledged it. */
interface Batch {
  /** How many of its routes stand as it wrote them. */
  standing: number;
  withdrawn: readonly OutRoute[];
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
  /** How many routes that stand as written the peer's TCP has not acknowledged yet. */
  readonly unacknowledgedCount: number;
  /** True when the peer's TCP has acknowledged the octets of the route that stands as written under the key. */
  isAcknowledged(key: RouteKey): boolean;
  /** Routes whose withdrawal was written and that the peer's TCP has not acknowledged yet. */
  unacknowledgedWithdrawals(): readonly OutRoute[];
  /** The route as the peer will hold it once everything that waits is written; undefined when it will hold none. */
  effective(key: RouteKey): OutRoute | undefined;
  /** Keys for which `effective` is defined. */
  effectiveKeys(): Iterable<RouteKey>;
}

/** Marks of a slot. The latest route waits to be announced. */
const ANNOUNCE = 1;
/** What was sent waits to be withdrawn. */
const WITHDRAW = 2;
/** A change waits; only one of the two does. */
const PENDING = ANNOUNCE | WITHDRAW;
/** The slot is in the queue, whether or not it still has reason to be. */
const QUEUED_TO_ANNOUNCE = 4;
const QUEUED_TO_WITHDRAW = 8;

/**
 * The Adj-RIB-Out of one session. It dies with the session: `clear` on loss, nothing is persisted.
 *
 * A table of many thousand routes passes through here whenever a session comes up, so a route costs one look-up at most
 * when it is queued and none when it is taken. A slot stays in its queue when its change is superseded, and is passed over
 * then.
 */
export class AdjRibOut implements AdjRibOutView {
  readonly #slots = new Slots();
  readonly #toAnnounce = new Fifo<Slot>();
  readonly #toWithdraw = new Fifo<Slot>();
  #sentCount = 0;
  #pendingCount = 0;
  /** What the routes of the last `take` took the place of. */
  readonly #replaced = new Map<RouteKey, SentRoute>();
  /** Number of the last `take`. */
  #taken = 0;
  /** Number of the last `take` of which everything is acknowledged. */
  #acknowledged = 0;
  /** The takes after it by their numbers, in order. */
  readonly #unacknowledged = new Map<number, Batch>();
  #unacknowledgedCount = 0;

  get sentCount(): number {
    return this.#sentCount;
  }

  get pendingCount(): number {
    return this.#pendingCount;
  }

  get unacknowledgedCount(): number {
    return this.#unacknowledgedCount;
  }

  isAcknowledged(key: RouteKey): boolean {
    const slot = this.#slots.get(key);
    return slot !== undefined && this.#slots.sent[slot] !== undefined && this.#isAcknowledgedAt(slot);
  }

  unacknowledgedWithdrawals(): readonly OutRoute[] {
    return [...this.#unacknowledged.values()].flatMap(({ withdrawn }) => withdrawn);
  }

  /** Number of the last `take`, for `acknowledge`. */
  get taken(): number {
    return this.#taken;
  }

  /** The peer's TCP has acknowledged what was written of all takes up to this number. */
  acknowledge(taken: number): void {
    if (taken <= this.#acknowledged) return;
    this.#acknowledged = taken;
    for (const [number, { standing }] of this.#unacknowledged) {
      if (number > taken) return;
      this.#unacknowledged.delete(number);
      this.#unacknowledgedCount -= standing;
    }
  }

  sent(key: RouteKey): SentRoute | undefined {
    const slot = this.#slots.get(key);
    return slot === undefined ? undefined : this.#sentAt(slot);
  }

  *sentRoutes(): Iterable<SentRoute> {
    for (const [, slot] of this.#slots.entries()) {
      const sent = this.#sentAt(slot);
      if (sent !== undefined) yield sent;
    }
  }

  effective(key: RouteKey): OutRoute | undefined {
    const slot = this.#slots.get(key);
    return slot === undefined ? undefined : this.#effectiveAt(slot);
  }

  *effectiveKeys(): Iterable<RouteKey> {
    for (const [key, slot] of this.#slots.entries()) if (this.#effectiveAt(slot) !== undefined) yield key;
  }

  /**
   * Queues a route; a change that waits for the same key is superseded. Announcing what is already out does nothing, but
   * where a change waits the route is written again, since that change may have taken the place of a `resend`.
   */
  announce(route: OutRoute): void {
    const slot = this.#slots.obtain(route);
    const sent = this.#slots.sent[slot];
    if (sent === undefined || this.#isPending(slot) || sent.attributes.key !== route.attributes.key) {
      this.#queueAnnouncement(slot, route);
    } else if (sent.owner !== route.owner) {
      this.#slots.latest[slot] = route;
      this.#slots.sent[slot] = route;
    }
  }

  /** Queues the withdrawal of a key with the octets that were announced; a route never written is merely forgotten. */
  withdraw(key: RouteKey): void {
    const slot = this.#slots.get(key);
    if (slot === undefined) return;
    if (this.#slots.sent[slot] !== undefined) this.#queueWithdrawal(slot);
    else {
      this.#done(slot);
      this.#freeIfEmpty(slot);
    }
  }

  /** Queues everything of a family that stands as sent once more (ROUTE-REFRESH, RFC 2918 §4). */
  resend(family: Family): void {
    for (const [, slot] of this.#slots.entries()) {
      const sent = this.#slots.sent[slot];
      if (sent === undefined || this.#isPending(slot)) continue;
      if (sameFamily(sent.family, family)) this.#queueAnnouncement(slot, sent);
    }
  }

  /**
   * Takes changes for writing until they have cost `max`, and counts them as sent at `now` (ms). `cost` is asked once for
   * each, in order; left out, each costs 1. Announcements come first, so that a rule is never gone before the one that
   * replaces it stands.
   */
  take(max: number, now: number, cost: (route: OutRoute) => number = () => 1): RouteChanges {
    const { latest, sent, sentAt, sentIn, marks } = this.#slots;
    const number = ++this.#taken;
    let standing = 0;
    let spent = 0;
    const announce: OutRoute[] = [];
    this.#replaced.clear();
    let fresh = 0;
    while (spent < max) {
      const slot = this.#toAnnounce.shift();
      if (slot === undefined) break;
      const left = this.#marksAt(slot) & ~QUEUED_TO_ANNOUNCE;
      marks[slot] = left & ~ANNOUNCE;
      const route = latest[slot];
      if ((left & ANNOUNCE) === 0 || route === undefined) {
        this.#freeIfEmpty(slot);
        continue;
      }
      spent += cost(route);
      announce.push(route);
      const before = this.#sentAt(slot);
      if (before === undefined) fresh++;
      else this.#replaced.set(route.key, before);
      // The same once more changes nothing at the peer, and nothing in what is known of it.
      if (before?.route.attributes.key !== route.attributes.key) {
        if (before !== undefined) this.#leaveBatch(slot);
        sentIn[slot] = number;
        standing++;
      }
      sent[slot] = route;
      sentAt[slot] = now;
    }
    this.#sentCount += fresh;
    this.#pendingCount -= announce.length;
    const withdraw: OutRoute[] = [];
    const batch: Batch = { standing, withdrawn: withdraw };
    this.#unacknowledgedCount += standing;
    this.#unacknowledged.set(number, batch);
    while (spent < max) {
      const slot = this.#toWithdraw.shift();
      if (slot === undefined) break;
      const left = this.#marksAt(slot) & ~QUEUED_TO_WITHDRAW;
      marks[slot] = left;
      const route = sent[slot];
      if ((left & WITHDRAW) === 0 || route === undefined) {
        this.#freeIfEmpty(slot);
        continue;
      }
      spent += cost(route);
      withdraw.push(route);
      this.#done(slot);
      this.#unsend(slot);
    }
    if (announce.length + withdraw.length === 0) this.#unacknowledged.delete(number);
    return { announce, withdraw };
  }

  /**
   * One route of the last `take` turned out to fit into no message: nothing of it was written. What it was to replace
   * still stands at the peer, and is withdrawn, since nobody wants it any more.
   */
  unwritten(key: RouteKey): void {
    const slot = this.#slots.get(key);
    if (slot === undefined || this.#slots.sent[slot] === undefined) return;
    const before = this.#replaced.get(key);
    if (before === undefined) {
      if (this.#marksAt(slot) & WITHDRAW) this.#done(slot);
      this.#unsend(slot);
      return;
    }
    // What stands is older than this take: it counts as acknowledged with it at the latest.
    this.#slots.sent[slot] = before.route;
    this.#slots.sentAt[slot] = before.sentAt;
    this.#queueWithdrawal(slot);
  }

  /**
   * Forgets everything: the session is gone, and with it what the peer held on its behalf. Keys that were in use keep
   * their slots for the next session, which will mostly get the same routes.
   */
  clear(): void {
    const isUntouched = this.#sentCount === 0 && this.#toAnnounce.size + this.#toWithdraw.size === 0;
    // A session that was told of nothing says nothing about the next.
    if (isUntouched) return;
    this.#toAnnounce.clear();
    this.#toWithdraw.clear();
    this.#replaced.clear();
    this.#slots.renew((slot) => this.#slots.sent[slot] !== undefined || this.#isPending(slot));
    this.#sentCount = 0;
    this.#pendingCount = 0;
    this.#acknowledged = this.#taken;
    this.#unacknowledged.clear();
    this.#unacknowledgedCount = 0;
  }

  #queueAnnouncement(slot: Slot, route: OutRoute): void {
    const marks = this.#marksAt(slot);
    if ((marks & PENDING) === 0) this.#pendingCount++;
    if ((marks & QUEUED_TO_ANNOUNCE) === 0) this.#toAnnounce.push(slot);
    this.#slots.latest[slot] = route;
    this.#slots.marks[slot] = (marks & ~PENDING) | ANNOUNCE | QUEUED_TO_ANNOUNCE;
  }

  #queueWithdrawal(slot: Slot): void {
    const marks = this.#marksAt(slot);
    if ((marks & PENDING) === 0) this.#pendingCount++;
    if ((marks & QUEUED_TO_WITHDRAW) === 0) this.#toWithdraw.push(slot);
    this.#slots.marks[slot] = (marks & ~PENDING) | WITHDRAW | QUEUED_TO_WITHDRAW;
  }

  /** Nothing waits for the key any more. */
  #done(slot: Slot): void {
    if (this.#isPending(slot)) this.#pendingCount--;
    this.#slots.marks[slot] = this.#marksAt(slot) & ~PENDING;
  }

  /** Nothing stands under the key any more. */
  #unsend(slot: Slot): void {
    this.#leaveBatch(slot);
    this.#slots.sent[slot] = undefined;
    this.#sentCount--;
    this.#freeIfEmpty(slot);
  }

  /** The route that stands does so no longer as its `take` wrote it. */
  #leaveBatch(slot: Slot): void {
    if (this.#isAcknowledgedAt(slot)) return;
    const batch = this.#unacknowledged.get(this.#slots.sentIn[slot] ?? 0);
    if (batch === undefined) return;
    batch.standing--;
    this.#unacknowledgedCount--;
  }

  #isAcknowledgedAt(slot: Slot): boolean {
    return (this.#slots.sentIn[slot] ?? 0) <= this.#acknowledged;
  }

  /** A slot that a queue still holds stays, so that it does not come to be another key's while it is there. */
  #freeIfEmpty(slot: Slot): void {
    if (this.#slots.sent[slot] === undefined && this.#marksAt(slot) === 0) this.#slots.free(slot);
  }

  #marksAt(slot: Slot): number {
    return this.#slots.marks[slot] ?? 0;
  }

  #isPending(slot: Slot): boolean {
    return (this.#marksAt(slot) & PENDING) !== 0;
  }

  #sentAt(slot: Slot): SentRoute | undefined {
    const route = this.#slots.sent[slot];
    return route && { route, sentAt: this.#slots.sentAt[slot] ?? 0 };
  }

  #effectiveAt(slot: Slot): OutRoute | undefined {
    if ((this.#marksAt(slot) & ANNOUNCE) !== 0) return this.#slots.latest[slot];
    return this.#isPending(slot) ? undefined : this.#slots.sent[slot];
  }
}
