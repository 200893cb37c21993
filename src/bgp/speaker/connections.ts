/**
 * Manages the connections with one neighbor. RFC 4271 §8.2.1 gives each connection its own machine. Here a primary
 * dials, waits and restarts; a second one exists only until one of the two has won (§6.8), as fsm/collision.ts decides.
 *
 *                         the neighbor connects, or the primary's
 *                         connection is silent and a new one dials
 *         primary alone ─────────────────────────────────────────▶ primary and second
 *           │       ▲ ▲                                               │           │
 *     rests │       │ └──────── the second has lost or ended ─────────┘           │
 *           ▼       │ └──────── the second has won: it becomes the primary ───────┘
 *     a connection of the neighbor may wait for the end of the rest
 *
 * A connection from the neighbor makes dialing unnecessary: the primary takes it instead of its next dial. If nothing
 * arrives on it for a while, it becomes the second connection and a new primary dials (§8.2.1).
 */
import { type CollisionParties, collisionVerdict, mayLoseTo, mayOpen } from '../fsm/collision.ts';
import { negotiate } from '../fsm/negotiate.ts';
import { INITIAL_STATE } from '../fsm/step.ts';
import type { Cease, FsmConfig, FsmState, StateName } from '../fsm/types.ts';
import { NotificationError } from '../wire/notification.ts';
import type { OpenMessage } from '../wire/types.ts';
import { refuse } from './reject-unknown.ts';
import type { Runtime } from './runtime.ts';
import type { Session } from './session.ts';
import type { Connection } from './transport.ts';
import { WaitingConnection } from './waiting-connection.ts';

/** Order of the states, to compare the progress of two sessions. */
const PROGRESS: Readonly<Record<StateName, number>> = {
  idle: 0,
  active: 1,
  connect: 2,
  opensent: 3,
  openconfirm: 4,
  established: 5,
};

/**
 * The wait between the end of a connection and the neighbor's next one. It damps a neighbor that keeps dialing; the
 * longer waits of the state machine are for our own dials. It is shorter than any of them, so it ends first.
 */
export const REST_MS = 500;

/** Time that one connection waits for the neighbor's OPEN on the other. */
export const HEAR_MS = 1000;

/** Time that a connection from the neighbor may be silent before this side dials. */
export const SILENCE_MS = 2000;

/** Time that the neighbor has to close one of two connections before this side does. */
export const VERDICT_MS = 2000;

/**
 * Limits on connections that are closing at one time: refused ones, and all of them. Each may take some seconds; beyond
 * the limit, further ones from a neighbor (or another host at its address) that connects again and again are reset
 * without a message.
 */
export const MOST_REFUSALS = 32;
const MOST_CLOSINGS = 512;

export class Connections {
  readonly #newSession: (state: FsmState) => Session;
  readonly #config: () => FsmConfig;
  readonly #runtime: Pick<Runtime, 'now' | 'after' | 'soon'>;
  readonly #closings = new Set<Promise<void>>();
  #refusals = 0;
  /** Cancels the waits that are running. */
  readonly #waits = new Set<() => void>();
  /** Sessions whose connection has been silent for `SILENCE_MS`. */
  readonly #silent = new WeakSet<Session>();
  #primary: Session;
  #second: Session | undefined;
  /** A connection from the neighbor that arrived while the primary rests; taken afterwards. */
  #waiting: WaitingConnection | undefined;
  #restsSince = Number.NEGATIVE_INFINITY;

  /** `newSession` makes sessions whose owner calls `mayOpen`, `allowOpen`, `stateChanged` and `up`. */
  constructor(
    newSession: (state: FsmState) => Session,
    config: () => FsmConfig,
    runtime: Pick<Runtime, 'now' | 'after' | 'soon'>,
  ) {
    this.#newSession = newSession;
    this.#config = config;
    this.#runtime = runtime;
    this.#primary = newSession(INITIAL_STATE);
  }

  get primary(): Session {
    return this.#primary;
  }

  /** Returns the session that has progressed further. */
  get mostAdvanced(): Session {
    const second = this.#second;
    return second !== undefined && PROGRESS[second.state.name] > PROGRESS[this.#primary.state.name]
      ? second
      : this.#primary;
  }

  /** Returns false for a session that has lost and is closing. */
  includes(session: Session): boolean {
    return session === this.#primary || session === this.#second;
  }

  /** Handles a wanted connection from the neighbor. */
  accept(connection: Connection): void {
    const state = this.#primary.state.name;
    if (this.#closings.size >= MOST_CLOSINGS) this.refuse(connection);
    else if (state === 'active' && !this.#primary.isTracked) this.#take(this.#primary, connection);
    else if (state === 'idle') this.#letWait(connection);
    else if (this.#makeRoom()) this.#takeSecond(connection);
    else this.refuse(connection);
  }

  /** Refuses a connection with `cease`; default: Connection Rejected. */
  refuse(connection: Connection, cease?: Cease): void {
    const gone = this.#refusals < MOST_REFUSALS ? refuse(connection, cease) : connection.abort();
    this.#refusals++;
    this.#closing(gone.finally(() => this.#refusals--));
  }

  /** Ends all connections until the next start of the primary; `cease` undefined: without a NOTIFICATION. */
  stop(cease: Cease | undefined): void {
    for (const end of this.#waits) end();
    this.#waits.clear();
    if (this.#waiting !== undefined) this.refuse(this.#waiting, cease);
    this.#waiting = undefined;
    if (this.#second !== undefined) this.#retire(this.#second);
    this.#primary.stop(cease);
  }

  /** Resolves when all connections that were ended so far are closed. */
  async closed(): Promise<void> {
    await Promise.all([this.#primary.closed, ...this.#closings]);
  }

  /** Handles a session's change from the state `before`. */
  stateChanged(session: Session, before: StateName): void {
    if (!this.includes(session)) return;
    const now = session.state.name;
    const over = now === 'idle' || now === 'active';
    if (session === this.#second) {
      if (over) this.#retire(session);
    } else {
      if (now === 'idle') this.#restsSince = this.#runtime.now();
      if (over && this.#second !== undefined && !this.#isSilent(this.#second)) this.#promote(this.#second);
      else if (before === 'idle') this.#takeWaiting();
    }
    this.#review();
  }

  /**
   * Returns false while the neighbor has our KEEPALIVE on another connection: it must not be able to choose this one.
   */
  mayOpen(session: Session): boolean {
    const other = this.#other(session);
    return other === undefined || mayOpen(other.state.name);
  }

  /** RFC 4271 §6.8: returns false if `session` must be closed, `wait` if a later `review` will decide. */
  allowOpen(session: Session, open: OpenMessage): boolean | 'wait' {
    const other = this.#other(session);
    const isOpen = other !== undefined && PROGRESS[other.state.name] >= PROGRESS.opensent;
    if (!isOpen || this.#parties(open) === undefined) return this.#verdict(session, open);
    // First read the data that has arrived on the other connection: a KEEPALIVE, or its end.
    this.#runtime.soon(() => this.#review());
    return 'wait';
  }

  /** Handles an established session, which is the one to keep. */
  up(session: Session): void {
    const other = this.#other(session);
    if (other === undefined) return;
    if (session === this.#second) {
      this.#second = this.#primary;
      this.#primary = session;
    }
    const { localAsn, localIdentifier } = this.#config();
    const parties = session.agreement && { ...session.agreement, localAsn, localIdentifier };
    const mayLose = parties !== undefined && mayLoseTo(parties, session.initiator, other.initiator);
    if (other.openedAt === undefined || !mayLose) this.#retire(other);
    // The neighbor closes it, or this side when that is overdue and the established one still is the primary.
    else {
      this.#later(VERDICT_MS, () => {
        if (other === this.#second && this.#primary.state.name === 'established') this.#retire(other);
      });
    }
  }

  #verdict(session: Session, open: OpenMessage): boolean | 'wait' {
    const other = this.#other(session);
    const parties = this.#parties(open);
    // An OPEN that will be refused anyway cannot collide.
    if (other === undefined || parties === undefined) return true;
    const { initiator, state, openedAt } = other;
    const now = this.#runtime.now();
    const arrivedAt = session.openReceivedAt ?? now;
    // A connection that has been silent for so long is not waited for.
    const deadline =
      state.name === 'opensent' && openedAt !== undefined ? openedAt + HEAR_MS : arrivedAt + VERDICT_MS;
    if (other.isReading && now < arrivedAt + VERDICT_MS) {
      this.#runtime.soon(() => this.#review());
      return 'wait';
    }
    const left = deadline - now;
    const arriving = {
      initiator: session.initiator,
      opened: session.openedAt !== undefined,
      overdue: left <= 0,
    };
    const gracefulRestart = other.agreement?.gracefulRestart ?? false;
    switch (collisionVerdict(parties, { initiator, state: state.name, gracefulRestart }, arriving)) {
      case 'proceed':
        return true;
      case 'close-arriving':
        return false;
      case 'wait':
        this.#later(left, () => this.#review());
        return 'wait';
      case 'close-existing':
        if (state.name !== 'established') other.dump();
        else other.abandon('the peer restarted: it opened a new connection while the old one was open');
        return true;
    }
  }

  /** Reviews connections that wait for each other after a change. */
  #review(): void {
    for (const session of [this.#primary, this.#second]) {
      if (session === undefined || !this.includes(session)) continue;
      const open = session.heldOpen;
      if (open === undefined) {
        if (session.isTracked && this.mayOpen(session)) session.proceed();
        continue;
      }
      const verdict = this.#verdict(session, open);
      if (verdict === true) session.proceed();
      else if (verdict === false) session.dump();
    }
  }

  /** Returns both sides' identities, or undefined if the OPEN is refused. */
  #parties(open: OpenMessage): CollisionParties | undefined {
    const config = this.#config();
    const outcome = negotiate(open, config);
    if (outcome instanceof NotificationError) return undefined;
    const { localAsn, localIdentifier } = config;
    return { ...outcome, localAsn, localIdentifier };
  }

  #other(session: Session): Session | undefined {
    return session === this.#primary ? this.#second : this.#primary;
  }

  #take(session: Session, connection: Connection): void {
    session.accept(connection);
    const { openedAt } = session;
    if (openedAt === undefined) return;
    this.#later(SILENCE_MS, () => {
      if (session.openedAt === openedAt) this.#silence(session);
    });
  }

  /** RFC 4271 §8.2.1: a silent connection does not keep this side from dialing. */
  #silence(session: Session): void {
    const { state } = session;
    this.#silent.add(session);
    if (!this.#isSilent(session)) return;
    if (session !== this.#primary || this.#config().passive) return;
    if (this.#second !== undefined) this.#retire(this.#second);
    this.#second = session;
    this.#primary = this.#newSession({ name: 'active', damping: state.damping });
    this.#primary.dial();
  }

  /**
   * Lets a connection wait. RFC 4271 §8.2.2 refuses connections in Idle, but the neighbor might retry only minutes later,
   * so its connection waits for the rest of the pause instead. One at a time.
   */
  #letWait(connection: Connection): void {
    if (this.#waiting !== undefined) this.refuse(this.#waiting);
    const waiting = new WaitingConnection(connection, this.#runtime.soon, () => {
      // It was never used, so its end is not a failure.
      if (this.#waiting === waiting) this.#waiting = undefined;
      this.#closing(waiting.close());
    });
    this.#waiting = waiting;
    const left = this.#restsSince + REST_MS - this.#runtime.now();
    if (left > 0) this.#later(left, () => this.#takeWaiting());
    else this.#takeWaiting();
  }

  /** Takes the waiting connection instead of the dial that would follow or has just begun. */
  #takeWaiting(): void {
    const connection = this.#waiting;
    const { state } = this.#primary;
    if (connection === undefined || (state.name === 'idle' && !state.held)) return;
    this.#waiting = undefined;
    if (state.name === 'idle' || state.name === 'connect') {
      const instead = this.#newSession({ name: 'active', damping: state.damping });
      const before = this.#primary;
      this.#primary = instead;
      before.stop(undefined);
      this.#closing(before.closed);
    }
    this.accept(connection);
  }

  #isSilent(session: Session): boolean {
    return this.#silent.has(session) && session.state.name === 'opensent' && session.heldOpen === undefined;
  }

  /**
   * Makes room for another connection from the neighbor, which has given up the one before. Returns false if both have
   * made progress.
   */
  #makeRoom(): boolean {
    const second = this.#second;
    if (second === undefined) return true;
    if (PROGRESS[second.state.name] < PROGRESS.openconfirm) this.#retire(second);
    else if (PROGRESS[this.#primary.state.name] < PROGRESS.openconfirm) this.#promote(second);
    else return false;
    return true;
  }

  #takeSecond(connection: Connection): void {
    this.#second = this.#newSession({ name: 'active', damping: this.#primary.state.damping });
    this.#take(this.#second, connection);
  }

  /** Ends the primary and makes the second connection the primary. */
  #promote(second: Session): void {
    const loser = this.#primary;
    this.#primary = second;
    this.#second = undefined;
    this.#retire(loser);
  }

  /** Ends a session that is not the primary, finally. */
  #retire(session: Session): void {
    if (session === this.#second) this.#second = undefined;
    session.dump();
    session.stop(undefined);
    this.#closing(session.closed);
  }

  #later(milliseconds: number, callback: () => void): void {
    const end = this.#runtime.after(milliseconds, () => {
      this.#waits.delete(end);
      callback();
    });
    this.#waits.add(end);
  }

  #closing(closed: Promise<void>): void {
    this.#closings.add(closed);
    void closed.finally(() => this.#closings.delete(closed));
  }
}
