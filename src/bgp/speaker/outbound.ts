/**
 * Writes an Adj-RIB-Out to its session: in slices, so that other work gets its turn, and only while the transport has
 * room, so that a peer that does not read costs only one slice of memory.
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
 * Limits the cost of one turn of the event loop: some 4000 ordinary rules, a few milliseconds. An octet costs 1; the
 * work for each route, and for each set of attributes (which starts a new message), is converted to octets.
 */
const COST_A_TURN = 300_000;
const COST_OF_ROUTE = 64;
const COST_OF_ATTRIBUTES = 200;

/** Callbacks of the owner. */
export interface OutboundListener {
  readonly onSent: (announced: readonly OutRoute[], withdrawn: readonly OutRoute[]) => void;
  /** The peer's TCP has acknowledged the routes of an `onSent`; in the same order. */
  readonly onAcknowledged: (announced: readonly OutRoute[], withdrawn: readonly OutRoute[]) => void;
  /** A route that is too long for any message of this session. */
  readonly onTooLong: (route: OutRoute) => void;
}

/** The members of the session that are used here. */
export type OutboundSession = Pick<
  Session,
  'congested' | 'send' | 'writeUpdates' | 'look' | 'written' | 'acknowledged'
>;

/** The output of one turn. */
interface Written {
  /** Position in the connection after this output, in octets. */
  readonly upTo: number;
  /** Number of the `take` of the Adj-RIB-Out. */
  readonly taken: number;
  readonly announced: readonly OutRoute[];
  readonly withdrawn: readonly OutRoute[];
}

/**
 * The marks of one family. The first session of a peer that kept our routes must get End-of-RIB before any refresh; any
 * other peer may ask for a refresh at any time. So there are two states:
 *
 *     endOfRib:  open ── all routes are announced ──▶ due ── nothing is pending ──▶ sent
 *
 *                        request                   request
 *     refresh:   none ──────────────▶ answering ────────────▶ repeated
 *                 │ ▲                  ▲    │                   │
 *                 │ └──────────────────┼────┘ nothing pending   │ nothing pending
 *                 └── too early ──▶ postponed ◀─────────────────┘
 */
interface FamilyMarks {
  readonly family: Family;
  endOfRib: 'open' | 'due' | 'sent';
  refresh: 'none' | 'answering' | 'repeated' | 'postponed';
}

/** Writes the routes of one established session. */
export class Outbound {
  readonly #session: OutboundSession;
  readonly #agreement: Agreement;
  readonly #localAsn: number;
  readonly #rib: AdjRibOut;
  readonly #runtime: Pick<Runtime, 'now' | 'soon'>;
  readonly #listener: OutboundListener;
  readonly #families: readonly FamilyMarks[];
  /** Output that the peer's TCP has not acknowledged, in order. */
  readonly #unacknowledged = new Fifo<Written>();
  #idle: (() => void)[] = [];
  /** Cost limit of the next turn, chosen so that routes like the last ones fill their last message. */
  #costNextTurn = COST_A_TURN;
  /** Resolves after the next turn, if one is scheduled. */
  #nextTurn: Promise<void> | undefined;
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
    this.#families = agreement.families.map((family) => ({ family, endOfRib: 'open', refresh: 'none' }));
    this.#localAsn = localAsn;
    this.#rib = rib;
    this.#runtime = runtime;
    this.#listener = listener;
  }

  /**
   * Schedules writing: a change is pending, or the transport has room again. Changes queued by one caller are packed
   * together; `written` tells when.
   */
  wake(): void {
    this.#schedule(queueMicrotask);
  }

  /** Resolves after the turn that is scheduled; at once if none is. */
  async written(): Promise<void> {
    await this.#nextTurn;
  }

  #schedule(when: (callback: () => void) => void): void {
    if (this.#nextTurn !== undefined || this.#over) return;
    this.#nextTurn = new Promise((resolve) => {
      when(() => {
        this.#nextTurn = undefined;
        // Also after a failure, which nobody who waits is responsible for.
        resolve();
        this.#turn();
      });
    });
  }

  /** Handles the end of the session. */
  end(): void {
    this.#over = true;
    for (const resolve of this.#idle.splice(0)) resolve();
  }

  /** Handles new acknowledgements of the peer's TCP. */
  acknowledged(): void {
    const { acknowledged } = this.#session;
    for (let next = this.#unacknowledged.oldest; next !== undefined; next = this.#unacknowledged.oldest) {
      if (this.#over || next.upTo > acknowledged) return;
      this.#unacknowledged.shift();
      this.#rib.acknowledge(next.taken);
      this.#listener.onAcknowledged(next.announced, next.withdrawn);
    }
  }

  /** Sends End-of-RIB for every family after the pending changes. */
  markEndOfRib(): void {
    for (const marks of this.#families) marks.endOfRib = 'due';
    this.wake();
  }

  /**
   * Writes all routes of a family again (RFC 2918 §4), between the marks of RFC 7313 §4 if both sides support them.
   * Requests that arrive while another one is being answered, or before the marks may be sent, are answered once,
   * afterwards.
   */
  refresh(requested: Family): void {
    const marks = this.#families.find(({ family }) => sameFamily(family, requested));
    // RFC 2918 §4: a request for a family that was not negotiated is ignored.
    if (marks === undefined) return;
    if (marks.refresh === 'answering') marks.refresh = 'repeated';
    else if (marks.refresh === 'none') this.#refresh(marks);
  }

  #refresh(marks: FamilyMarks): void {
    const { gracefulRestart, enhancedRouteRefresh } = this.#agreement;
    // RFC 7313 §4: "For a BGP speaker that supports the BGP Graceful Restart, it MUST NOT send a BoRR for an <AFI, SAFI>
    // to a neighbor before it sends the EoR": otherwise the mark at the end would remove routes that it kept for us.
    if (gracefulRestart && enhancedRouteRefresh && marks.endOfRib !== 'sent') {
      marks.refresh = 'postponed';
      return;
    }
    marks.refresh = 'answering';
    this.#sendMark(marks, RefreshSubtype.BeginOfRefresh);
    this.#rib.resend(marks.family);
    this.wake();
  }

  /** Marks the begin or end of an answered refresh (RFC 7313 §4), if both sides support it. */
  #sendMark({ family }: FamilyMarks, subtype: number): void {
    if (this.#agreement.enhancedRouteRefresh) this.#session.send({ type: 'route_refresh', family, subtype });
  }

  /** Resolves when everything is written and the transport has room again, or the session has ended. */
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
      // Consecutive rules of one kind share this object.
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
    const { messages, tooLong, routesInLastMessage } = packUpdates(changes, {
      ...this.#agreement,
      localAsn: this.#localAsn,
    });
    const { announce } = changes;
    const last = announce.slice(announce.length - routesInLastMessage);
    const over = last.reduce((sum, route) => sum + costOf(route), 0);
    this.#costNextTurn =
      this.#rib.pendingCount > 0 ? Math.max(COST_A_TURN / 2, this.#costNextTurn - over) : COST_A_TURN;
    this.#session.writeUpdates(messages);
    if (this.#over) return;
    if (tooLong.length === 0) {
      this.#recordSent(changes.announce, changes.withdraw);
      return;
    }
    const unwritten = new Set(tooLong);
    for (const route of tooLong) {
      this.#rib.unwritten(route.key);
      this.#listener.onTooLong(route);
    }
    const written = (route: OutRoute): boolean => !unwritten.has(route);
    this.#recordSent(changes.announce.filter(written), changes.withdraw.filter(written));
  }

  #recordSent(announced: readonly OutRoute[], withdrawn: readonly OutRoute[]): void {
    this.#unacknowledged.push({ upTo: this.#session.written, taken: this.#rib.taken, announced, withdrawn });
    this.#listener.onSent(announced, withdrawn);
    this.#session.look();
  }

  /** Sends End-of-RIB and refresh marks, since no change is pending. */
  #finish(): void {
    for (const marks of this.#families) {
      if (marks.refresh !== 'answering' && marks.refresh !== 'repeated') continue;
      this.#sendMark(marks, RefreshSubtype.EndOfRefresh);
      marks.refresh = marks.refresh === 'repeated' ? 'postponed' : 'none';
    }
    for (const marks of this.#families) {
      if (marks.endOfRib !== 'due') continue;
      this.#session.send(endOfRib(marks.family));
      marks.endOfRib = 'sent';
    }
    for (const marks of this.#families) if (marks.refresh === 'postponed') this.#refresh(marks);
    if (this.#session.congested || this.#rib.pendingCount > 0) return;
    for (const resolve of this.#idle.splice(0)) resolve();
  }
}

function costOf(route: OutRoute): number {
  return COST_OF_ROUTE + route.nlri.length;
}
