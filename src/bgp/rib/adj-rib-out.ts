/**
 * Adj-RIB-Out (RFC 4271 §3.2): the routes that one session has written, octet for octet, and the changes that wait to
 * be written.
 *
 * Changes are coalesced by route: even if a peer stops reading, at most one change waits for each route. A slow peer
 * thus costs memory in proportion to the number of rules, not to the time it is slow.
 */
import { Fifo } from '../../net/queue.ts';
import { type Family, sameFamily } from '../wire/iana.ts';
import type { OutRoute, RouteKey } from './route.ts';
import { type Slot, Slots } from './columns.ts';

/** A route in the peer's table, as far as this side knows: written, not necessarily installed. */
export interface SentRoute {
  readonly route: OutRoute;
  /** Time at which the octets were handed to the transport, in milliseconds since the epoch. */
  readonly sentAt: number;
}

/** Routes to write: announcements and withdrawals. */
export interface RouteChanges {
  readonly announce: readonly OutRoute[];
  readonly withdraw: readonly OutRoute[];
}

/** The routes written by one `take`, kept until the peer's TCP has acknowledged them. */
interface Batch {
  /** Number of its announced routes that nothing has replaced or withdrawn since. */
  current: number;
  readonly withdrawn: readonly OutRoute[];
  /** The owner of each route that it withdrew or gave to another owner. */
  readonly lostBy: readonly string[];
}

/** Read-only view of an Adj-RIB-Out. */
export interface AdjRibOutView {
  /** Number of routes that were written and not withdrawn since. */
  readonly sentCount: number;
  /** Returns the route that was written under the key and not withdrawn since. */
  sent(key: RouteKey): SentRoute | undefined;
  /** Returns all routes that were written and not withdrawn since. */
  sentRoutes(): Iterable<SentRoute>;
  /** Number of changes that wait to be written. */
  readonly pendingCount: number;
  /** Number of current routes that the peer's TCP has not acknowledged yet. */
  readonly unacknowledgedCount: number;
  /** True if the peer's TCP has acknowledged the octets of the current route under the key. */
  isAcknowledged(key: RouteKey): boolean;
  /** Returns the routes whose withdrawal was written but not yet acknowledged by the peer's TCP. */
  unacknowledgedWithdrawals(): readonly OutRoute[];
  /**
   * Returns true if the peer may hold a route of this owner: one is sent, or its withdrawal or replacement is not
   * acknowledged by the peer's TCP.
   */
  holds(owner: string): boolean;
  /** Returns the owner's sent routes. Linear in all routes if it has any: not for lists. */
  sentBy(owner: string): readonly OutRoute[];
  /** Returns the route that the peer will hold once all pending changes are written; undefined if it will hold none. */
  effective(key: RouteKey): OutRoute | undefined;
  /** Returns the keys for which `effective` is defined. */
  effectiveKeys(): Iterable<RouteKey>;
}

// The states of a route's slot: `sent` and the marks together.
//
//             announce              take                 withdraw               take
//     empty ────────────▶ to send ─────────▶ sent ─────────────────▶ to withdraw ─────▶ empty
//       ▲                    │                │ ▲                         │
//       └────────────────────┘       announce │ │ take                    │ announce
//              withdraw                       ▼ │                         │
//                                         to replace ◀────────────────────┘
//
// A sent route is acknowledged once the peer's TCP has acknowledged the `take` that wrote it. A route to replace can be
// withdrawn like a sent one. `clear` empties every slot.

/** Mark of a slot: the latest route waits to be announced. */
const ANNOUNCE = 1;
/** Mark of a slot: the sent route waits to be withdrawn. */
const WITHDRAW = 2;
/** A change of either kind waits; a slot has at most one. */
const PENDING = ANNOUNCE | WITHDRAW;
/** Mark of a slot: it is in the queue, even if its change was superseded; then it is skipped. */
const QUEUED_TO_ANNOUNCE = 4;
const QUEUED_TO_WITHDRAW = 8;

/** A route costs at most one look-up when it is queued, and none when it is taken. `clear` ends the session. */
export class AdjRibOut implements AdjRibOutView {
  readonly #slots = new Slots();
  readonly #toAnnounce = new Fifo<Slot>();
  readonly #toWithdraw = new Fifo<Slot>();
  #sentCount = 0;
  #pendingCount = 0;
  /** The routes that the last `take` replaced. */
  readonly #replaced = new Map<RouteKey, SentRoute>();
  /** Number of the last `take`. */
  #taken = 0;
  /** Number of the last `take` that is acknowledged completely. */
  #acknowledged = 0;
  /** Later takes by number, in order. */
  readonly #unacknowledged = new Map<number, Batch>();
  #unacknowledgedCount = 0;
  /** Number of routes of each owner: sent, or lost in a take that is not acknowledged. */
  readonly #byOwner = new Map<string, number>();

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

  holds(owner: string): boolean {
    return this.#byOwner.has(owner);
  }

  sentBy(owner: string): readonly OutRoute[] {
    if (!this.#byOwner.has(owner)) return [];
    return this.#slots.sent.filter((route): route is OutRoute => route?.owner === owner);
  }

  /** Number of the last `take`, to be passed to `acknowledge`. */
  get taken(): number {
    return this.#taken;
  }

  /** Records that the peer's TCP has acknowledged all takes up to this number. */
  acknowledge(taken: number): void {
    if (taken <= this.#acknowledged) return;
    this.#acknowledged = taken;
    for (const [number, { current, lostBy }] of this.#unacknowledged) {
      if (number > taken) return;
      this.#unacknowledged.delete(number);
      this.#unacknowledgedCount -= current;
      for (const owner of lostBy) this.#discount(owner);
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
   * Queues a route and supersedes a pending change of the same key. Announcing a route that is already sent does
   * nothing, unless a change is pending: then the route is written again, since that change may have replaced a
   * `resend`.
   */
  announce(route: OutRoute): void {
    const slot = this.#slots.obtain(route);
    const sent = this.#slots.sent[slot];
    if (sent === undefined || this.#isPending(slot) || sent.attributes.key !== route.attributes.key) {
      this.#queueAnnouncement(slot, route);
    } else if (sent.owner !== route.owner) {
      // The octets are the same, so nothing is written.
      this.#slots.latest[slot] = route;
      this.#slots.sent[slot] = route;
      this.#discount(sent.owner);
      this.#count(route.owner);
    }
  }

  /** Queues the withdrawal of a key with the announced octets; a route that was never written is only forgotten. */
  withdraw(key: RouteKey): void {
    const slot = this.#slots.get(key);
    if (slot === undefined) return;
    if (this.#slots.sent[slot] !== undefined) this.#queueWithdrawal(slot);
    else {
      this.#done(slot);
      this.#freeIfEmpty(slot);
    }
  }

  /** Queues all sent routes of a family again (ROUTE-REFRESH, RFC 2918 §4). */
  resend(family: Family): void {
    for (const [, slot] of this.#slots.entries()) {
      const sent = this.#slots.sent[slot];
      if (sent === undefined || this.#isPending(slot)) continue;
      if (sameFamily(sent.family, family)) this.#queueAnnouncement(slot, sent);
    }
  }

  /**
   * Takes changes for writing until they have cost `max`, and counts them as sent at `now` (ms). `cost` is called once
   * for each, in order; by default each costs 1. Announcements are taken first, so that a rule is never withdrawn
   * before its replacement is announced.
   */
  take(max: number, now: number, cost: (route: OutRoute) => number = () => 1): RouteChanges {
    const { latest, sent, sentAt, sentIn, marks } = this.#slots;
    const number = ++this.#taken;
    let current = 0;
    let spent = 0;
    const lostBy: string[] = [];
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
      if (before?.route.owner !== route.owner) {
        if (before !== undefined) lostBy.push(before.route.owner);
        this.#count(route.owner);
      }
      // An identical announcement changes neither the peer's table nor its acknowledgement.
      if (before?.route.attributes.key !== route.attributes.key) {
        if (before !== undefined) this.#leaveBatch(slot);
        sentIn[slot] = number;
        current++;
      }
      sent[slot] = route;
      sentAt[slot] = now;
    }
    this.#sentCount += fresh;
    this.#pendingCount -= announce.length;
    const withdraw: OutRoute[] = [];
    const batch: Batch = { current, withdrawn: withdraw, lostBy };
    this.#unacknowledgedCount += current;
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
      lostBy.push(route.owner);
      this.#done(slot);
      this.#unsend(slot);
    }
    if (announce.length + withdraw.length === 0) this.#unacknowledged.delete(number);
    return { announce, withdraw };
  }

  /**
   * Reports that one route of the last `take` is too long for any message, so that nothing of it was written. The peer
   * still has the route that it was to replace; that one is withdrawn, since it is no longer wanted.
   */
  unwritten(key: RouteKey): void {
    const slot = this.#slots.get(key);
    const route = slot === undefined ? undefined : this.#slots.sent[slot];
    if (slot === undefined || route === undefined) return;
    const before = this.#replaced.get(key);
    if (before === undefined) {
      this.#discount(route.owner);
      if (this.#marksAt(slot) & WITHDRAW) this.#done(slot);
      this.#unsend(slot);
      return;
    }
    if (before.route.owner !== route.owner) {
      this.#discount(route.owner);
      this.#count(before.route.owner);
    }
    // The earlier route is acknowledged with this take at the latest.
    this.#slots.sent[slot] = before.route;
    this.#slots.sentAt[slot] = before.sentAt;
    this.#queueWithdrawal(slot);
  }

  /**
   * Forgets everything, since the peer drops our routes with the session. Used keys keep their slots for the next
   * session, which mostly gets the same routes.
   */
  clear(): void {
    this.#acknowledged = this.#taken;
    this.#unacknowledged.clear();
    this.#unacknowledgedCount = 0;
    this.#byOwner.clear();
    const isUntouched = this.#sentCount === 0 && this.#toAnnounce.size + this.#toWithdraw.size === 0;
    // A session that was given no routes tells nothing about the next one: keep the slots.
    if (isUntouched) return;
    this.#toAnnounce.clear();
    this.#toWithdraw.clear();
    this.#replaced.clear();
    this.#slots.renew((slot) => this.#slots.sent[slot] !== undefined || this.#isPending(slot));
    this.#sentCount = 0;
    this.#pendingCount = 0;
  }

  #count(owner: string): void {
    this.#byOwner.set(owner, (this.#byOwner.get(owner) ?? 0) + 1);
  }

  #discount(owner: string): void {
    const left = (this.#byOwner.get(owner) ?? 1) - 1;
    if (left === 0) this.#byOwner.delete(owner);
    else this.#byOwner.set(owner, left);
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

  /** Clears the pending change of a slot. */
  #done(slot: Slot): void {
    if (this.#isPending(slot)) this.#pendingCount--;
    this.#slots.marks[slot] = this.#marksAt(slot) & ~PENDING;
  }

  /** Removes the sent route of a slot. */
  #unsend(slot: Slot): void {
    this.#leaveBatch(slot);
    this.#slots.sent[slot] = undefined;
    this.#sentCount--;
    this.#freeIfEmpty(slot);
  }

  /** Removes the sent route of a slot from the count of its `take`. */
  #leaveBatch(slot: Slot): void {
    if (this.#isAcknowledgedAt(slot)) return;
    const batch = this.#unacknowledged.get(this.#slots.sentIn[slot] ?? 0);
    if (batch === undefined) return;
    batch.current--;
    this.#unacknowledgedCount--;
  }

  #isAcknowledgedAt(slot: Slot): boolean {
    return (this.#slots.sentIn[slot] ?? 0) <= this.#acknowledged;
  }

  /** Frees an empty slot. One that is still in a queue is kept, so that no other key gets it meanwhile. */
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
