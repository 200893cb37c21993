/**
 * Writes an Adj-RIB-Out to its session: in slices, so that other work gets its turn, and only while the transport takes
 * octets, so that a peer that does not read costs one slice of memory and nothing more.
 */
import { Fifo } from '../../net/queue.ts';
import type { AdjRibOut } from '../rib/adj-rib-out.ts';
import type { OutRoute, RouteAttributes } from '../rib/route.ts';
import { packUpdates } from '../rib/pack.ts';
import type { Agreement } from '../fsm/types.ts';
import { type Family, sameFamily } from '../wire/iana.ts';
import { RefreshSubtype } from '../wire/route-refresh.ts';
import { endOfRib } from '../wire/update.ts';
import type { Runtime } from './runtime.ts';
import type { Session } from './session.ts';

/**
 * What a turn of the event loop may cost: some 4000 ordinary rules, a few milliseconds. An octet costs 1, and what is done
 * for each route and for each set of attributes, which begins a message of its own, as much as so many octets would.
 */
const COST_A_TURN = 300_000;
const COST_OF_ROUTE = 64;
const COST_OF_ATTRIBUTES = 200;

/** What the owner is told. */
export interface OutboundListener {
  readonly onSent: (announced: readonly OutRoute[], withdrawn: readonly OutRoute[]) => void;
  /** The peer's TCP has acknowledged what `onSent` told of; in the same order. */
  readonly onAcknowledged: (announced: readonly OutRoute[], withdrawn: readonly OutRoute[]) => void;
  /** A route that fits into no message of this session. */
  readonly onTooLong: (route: OutRoute) => void;
}

/** What is needed of the session. */
export type OutboundSession = Pick<
  Session,
  'congested' | 'send' | 'writeUpdates' | 'look' | 'written' | 'acknowledged'
>;

/** What one turn has written. */
interface Written {
  /** Octets of the connection up to its end. */
  readonly upTo: number;
  /** Number of the Adj-RIB-Out's `take`. */
  readonly taken: number;
  readonly announced: readonly OutRoute[];
  readonly withdrawn: readonly OutRoute[];
}

/** One for each established session; dies with it. */
export class Outbound {
  readonly #session: OutboundSession;
  readonly #agreement: Agreement;
  readonly #localAsn: number;
  readonly #rib: AdjRibOut;
  readonly #runtime: Pick<Runtime, 'now' | 'soon'>;
  readonly #listener: OutboundListener;
  /** Families that are to get End-of-RIB once nothing waits. */
  readonly #endOfRib = new Set<Family>();
  /** Families whose End-of-RIB was sent. */
  readonly #whole = new Set<Family>();
  /** Families whose refresh is being answered: true when the end is to be marked. */
  readonly #refreshing = new Map<Family, boolean>();
  /** Families asked for once more while they were being answered. */
  readonly #refreshAgain = new Set<Family>();
  /** What the peer's TCP has not acknowledged, in order. */
  readonly #unacknowledged = new Fifo<Written>();
  #idle: (() => void)[] = [];
  /** What the next turn may cost: so much that, if they are like the last ones, they fill their last message. */
  #costNextTurn = COST_A_TURN;
  #scheduled = false;
  #over = false;

  constructor(
    session: OutboundSession,
    agreement: Agreement,
    localAsn: number,
    rib: AdjRibOut,
    runtime: Pick<Runtime, 'now' | 'soon'>,
    listener: OutboundListener,
  ) {
    this.#session = session;
    this.#agreement = agreement;
    this.#localAsn = localAsn;
    this.#rib = rib;
    this.#runtime = runtime;
    this.#listener = listener;
  }

  /**
   * Something waits, or the transport takes octets again. What is queued by one caller is packed together, and written
   * before anything else that waits for the event loop: a rule goes out before its decision is answered and narrated.
   */
  wake(): void {
    this.#schedule(queueMicrotask);
  }

  #schedule(when: (callback: () => void) => void): void {
    if (this.#scheduled || this.#over) return;
    this.#scheduled = true;
    when(() => {
      this.#scheduled = false;
      this.#turn();
    });
  }

  /** The session is gone. */
  end(): void {
    this.#over = true;
    for (const resolve of this.#idle.splice(0)) resolve();
  }

  /** The peer's TCP has acknowledged more. */
  acknowledged(): void {
    const { acknowledged } = this.#session;
    for (let next = this.#unacknowledged.oldest; next !== undefined; next = this.#unacknowledged.oldest) {
      if (this.#over || next.upTo > acknowledged) return;
      this.#unacknowledged.shift();
      this.#rib.acknowledge(next.taken);
      this.#listener.onAcknowledged(next.announced, next.withdrawn);
    }
  }

  /** End-of-RIB for every family once what waits now has been written. */
  markEndOfRib(): void {
    for (const family of this.#agreement.families) this.#endOfRib.add(family);
    this.wake();
  }

  /**
   * Writes everything of a family again (RFC 2918 §4), between the marks of RFC 7313 §4 when both sides know them. A
   * request that comes while another is being answered is answered once, afterwards, however often it comes; so is one that
   * comes before the marks may be sent.
   */
  refresh(requested: Family): void {
    // RFC 2918 §4: a request for a family that was not negotiated is ignored.
    const family = this.#agreement.families.find((one) => sameFamily(one, requested));
    if (family === undefined) return;
    if (this.#refreshing.has(family) || this.#isFilling(family)) {
      this.#refreshAgain.add(family);
      return;
    }
    const marked = this.#agreement.enhancedRouteRefresh;
    this.#refreshing.set(family, marked);
    if (marked) {
      this.#session.send({ type: 'route_refresh', family, subtype: RefreshSubtype.BeginOfRefresh });
    }
    this.#rib.resend(family);
    this.wake();
  }

  /**
   * RFC 7313 §4: "For a BGP speaker that supports the BGP Graceful Restart, it MUST NOT send a BoRR for an <AFI, SAFI> to a
   * neighbor before it sends the EoR": the routes that the neighbor kept for us would go with the mark at the end.
   */
  #isFilling(family: Family): boolean {
    const { gracefulRestart, enhancedRouteRefresh } = this.#agreement;
    return gracefulRestart && enhancedRouteRefresh && !this.#whole.has(family);
  }

  /** Resolves when everything was written and the transport has room again, or the session has ended. */
  drained(): Promise<void> {
    return new Promise((resolve) => {
      this.#idle.push(resolve);
      this.wake();
    });
  }

  #turn(): void {
    if (this.#over || this.#session.congested) return;
    const sets = new Set<string>();
    let last: RouteAttributes | undefined;
    const changes = this.#rib.take(this.#costNextTurn, this.#runtime.now(), (route) => {
      const { attributes } = route;
      // Rules of one kind come in runs that share this very object.
      if (attributes === last || sets.has(attributes.key)) return costOf(route);
      last = attributes;
      sets.add(attributes.key);
      return costOf(route) + COST_OF_ATTRIBUTES;
    });
    if (changes.announce.length + changes.withdraw.length > 0) this.#write(changes);
    if (this.#over) return;
    if (this.#rib.pendingCount === 0) this.#finish();
    if (this.#rib.pendingCount > 0) this.#schedule(this.#runtime.soon);
  }

  #write(changes: { readonly announce: readonly OutRoute[]; readonly withdraw: readonly OutRoute[] }): void {
    const {
      messages,
      tooLong,
      routesInLastMessage: spilled,
    } = packUpdates(changes, {
      ...this.#agreement,
      localAsn: this.#localAsn,
    });
    const { announce } = changes;
    const over = announce.slice(announce.length - spilled).reduce((sum, route) => sum + costOf(route), 0);
    this.#costNextTurn =
      this.#rib.pendingCount > 0 ? Math.max(COST_A_TURN / 2, this.#costNextTurn - over) : COST_A_TURN;
    this.#session.writeUpdates(messages);
    if (this.#over) return;
    if (tooLong.length === 0) {
      this.#told(changes.announce, changes.withdraw);
      return;
    }
    const unwritten = new Set(tooLong);
    for (const route of tooLong) {
      this.#rib.unwritten(route.key);
      this.#listener.onTooLong(route);
    }
    const written = (route: OutRoute): boolean => !unwritten.has(route);
    this.#told(changes.announce.filter(written), changes.withdraw.filter(written));
  }

  #told(announced: readonly OutRoute[], withdrawn: readonly OutRoute[]): void {
    this.#unacknowledged.push({ upTo: this.#session.written, taken: this.#rib.taken, announced, withdrawn });
    this.#listener.onSent(announced, withdrawn);
    this.#session.look();
  }

  /** Nothing waits in the Adj-RIB-Out: what was to follow it may. */
  #finish(): void {
    for (const [family, marked] of this.#refreshing) {
      if (marked) this.#session.send({ type: 'route_refresh', family, subtype: RefreshSubtype.EndOfRefresh });
    }
    this.#refreshing.clear();
    for (const family of this.#endOfRib) {
      this.#session.send(endOfRib(family));
      this.#whole.add(family);
    }
    this.#endOfRib.clear();
    for (const family of this.#refreshAgain) {
      if (this.#isFilling(family)) continue;
      this.#refreshAgain.delete(family);
      this.refresh(family);
    }
    if (this.#session.congested || this.#rib.pendingCount > 0) return;
    for (const resolve of this.#idle.splice(0)) resolve();
  }
}

function costOf(route: OutRoute): number {
  return COST_OF_ROUTE + route.nlri.length;
}
