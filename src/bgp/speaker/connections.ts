/**
 * The connections with one neighbor. RFC 4271 §8.2.1 gives each a machine of its own; here there is a primary, which
 * dials, waits and comes back, and a second only until one of the two has won (§6.8).
 */
import { collisionLoser } from '../fsm/collision.ts';
import { negotiate } from '../fsm/negotiate.ts';
import { INITIAL_STATE } from '../fsm/step.ts';
import type { Cease, FsmConfig, FsmState, StateName } from '../fsm/types.ts';
import { NotificationError } from '../wire/notification.ts';
import type { OpenMessage } from '../wire/types.ts';
import { refuse } from './refuse.ts';
import type { Session } from './session.ts';
import type { Connection } from './transport.ts';

/** How far a session has come. */
const PROGRESS: Readonly<Record<StateName, number>> = {
  idle: 0,
  active: 1,
  connect: 2,
  opensent: 3,
  openconfirm: 4,
  established: 5,
};

export class Connections {
  readonly #newSession: (state: FsmState) => Session;
  readonly #config: () => FsmConfig;
  readonly #closings = new Set<Promise<void>>();
  #primary: Session;
  #second: Session | undefined;
  /** The neighbor's connection that came while the primary waits after a failure; taken when the wait ends. */
  #parked: Connection | undefined;

  /** `newSession` makes sessions whose owner tells `stateChanged`, `allowOpen` and `up`. */
  constructor(newSession: (state: FsmState) => Session, config: () => FsmConfig) {
    this.#newSession = newSession;
    this.#config = config;
    this.#primary = newSession(INITIAL_STATE);
  }

  get primary(): Session {
    return this.#primary;
  }

  /** The one that has come farther. */
  get foremost(): Session {
    const second = this.#second;
    return second !== undefined && PROGRESS[second.state.name] > PROGRESS[this.#primary.state.name]
      ? second
      : this.#primary;
  }

  /** False for one that has lost and is on its way out. */
  includes(session: Session): boolean {
    return session === this.#primary || session === this.#second;
  }

  /** The neighbor's connection has arrived, and is wanted. */
  accept(connection: Connection): void {
    const state = this.#primary.state.name;
    if (state === 'active') this.#primary.accept(connection);
    else if (state === 'idle') this.#park(connection);
    else this.#takeSecond(connection);
  }

  /** Turns a connection away. */
  refuse(connection: Connection): void {
    this.#closing(refuse(connection));
  }

  /** Ends all until the next start of the primary; `cease` null: without a NOTIFICATION. */
  stop(cease: Cease | null): void {
    if (this.#parked !== undefined) this.refuse(this.#parked);
    this.#parked = undefined;
    if (this.#second !== undefined) this.#retire(this.#second);
    this.#primary.stop(cease);
  }

  /** Resolves when all connections that were ended so far are gone. */
  async closed(): Promise<void> {
    await Promise.all([this.#primary.closed, ...this.#closings]);
  }

  /** A session has left the state `before`. */
  stateChanged(session: Session, before: StateName): void {
    const now = session.state.name;
    const over = now === 'idle' || now === 'active';
    if (session === this.#second) {
      if (over) this.#retire(session);
      return;
    }
    if (session !== this.#primary) return;
    if (over && this.#second !== undefined) this.#promote(this.#second);
    else if (before === 'idle') this.#unpark();
  }

  /** RFC 4271 §6.8: false when `session` has to go. An OPEN that will be refused anyway collides with nothing. */
  allowOpen(session: Session, open: OpenMessage): boolean {
    const other = session === this.#primary ? this.#second : this.#primary;
    if (other === undefined) return true;
    const { localAsn, localIdentifier } = this.#config();
    const outcome = negotiate(open, this.#config());
    if (outcome instanceof NotificationError) return true;
    const existing = {
      initiator: other.initiator,
      state: other.state.name,
      gracefulRestart: other.agreement?.gracefulRestart ?? false,
    };
    const loser = collisionLoser({ ...outcome, localAsn, localIdentifier }, existing, session.initiator);
    if (loser === 'arriving') return false;
    if (loser === 'existing') {
      if (existing.state === 'established') {
        other.abandon('the peer restarted: it opened a new connection while the old one stood');
      } else {
        other.dump();
      }
    }
    return true;
  }

  /** A session is established: it is the one that stays. */
  up(session: Session): void {
    if (session === this.#second) this.#promote(session);
    else if (this.#second !== undefined) this.#retire(this.#second);
  }

  /**
   * RFC 4271 §8.2.2 refuses connections in Idle. The neighbor would come back in its own time, which may be minutes:
   * it waits for what is left of our own wait instead, which damps as well. One at a time.
   */
  #park(connection: Connection): void {
    if (this.#parked !== undefined) this.refuse(this.#parked);
    this.#parked = connection;
  }

  #unpark(): void {
    const connection = this.#parked;
    if (connection === undefined) return;
    this.#parked = undefined;
    this.accept(connection);
  }

  #takeSecond(connection: Connection): void {
    // The neighbor has opened yet another connection: it has given up the one before.
    if (this.#second !== undefined) this.#retire(this.#second);
    this.#second = this.#newSession({ name: 'active', damping: this.#primary.state.damping });
    this.#second.accept(connection);
  }

  /** The second connection is the one that goes on. */
  #promote(second: Session): void {
    const loser = this.#primary;
    this.#primary = second;
    this.#second = undefined;
    this.#retire(loser);
  }

  /** Ends a session that is not the primary, for good. */
  #retire(session: Session): void {
    if (session === this.#second) this.#second = undefined;
    session.dump();
    session.stop(null);
    this.#closing(session.closed);
  }

  #closing(closed: Promise<void>): void {
    this.#closings.add(closed);
    void closed.finally(() => this.#closings.delete(closed));
  }
}
